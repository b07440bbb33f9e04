// One statement, used once: the module's tables are small, and asked some times an exchange.
// Private to agent/sharing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "core/date.hpp"
#include "core/hash.hpp"
#include "sqlite/database.hpp"

namespace towpath::sharing {

struct Null {};

template <class T>
void bind_one(Statement::Use& use, int at, const T& value) {
  if constexpr (std::is_same_v<T, Null>)
    use.bind_null(at);
  else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
    use.bind(at, static_cast<std::int64_t>(value));
  else if constexpr (std::is_same_v<T, Instant>)
    use.bind(at, std::int64_t{value.time_since_epoch().count()});
  else if constexpr (std::is_convertible_v<const T&, std::string_view>)
    use.bind(at, std::string_view(value));
  else if constexpr (std::is_convertible_v<const T&, ByteView>)
    use.bind_blob(at, ByteView(value));
  else
    use.bind_blob(at, ByteView(value.bytes));
}

// Text and blobs are borrowed until it has run. Rows changed.
template <class... A>
Result<std::int64_t> run(Database& db, const char* sql, const A&... values) {
  auto statement = db.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  int at = 0;
  (bind_one(use, ++at, values), ...);
  TP_TRY(use.run());
  return db.changes();
}

// `visit`: takes a Statement::Use&, returns Result<void>.
template <class Visit, class... A>
Result<void> each(Database& db, const char* sql, Visit&& visit, const A&... values) {
  auto statement = db.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  int at = 0;
  (bind_one(use, ++at, values), ...);
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return {};
    TP_TRY(visit(use));
  }
}

// The first column of the first row, 0 where there is none.
template <class... A>
Result<std::int64_t> number(Database& db, const char* sql, const A&... values) {
  std::int64_t out = 0;
  TP_TRY(each(
      db, sql,
      [&](Statement::Use& row) -> Result<void> {
        out = row.integer(0);
        return {};
      },
      values...));
  return out;
}

inline Instant instant(std::int64_t ms) { return Instant{std::chrono::milliseconds{ms}}; }

// Fixed-size values out of a blob; zeros where it has another length.
template <class T>
T fixed(ByteView bytes) {
  T out;
  if (bytes.size() == out.bytes.size()) std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  return out;
}

}  // namespace towpath::sharing
