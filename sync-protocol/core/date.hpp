// Civil dates and UTC instants. A date of birth never meets a time zone.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace towpath {

// A civil date, as days since 1970-01-01 (the form in tables and on the wire).
struct Date {
  std::int32_t days = 0;

  friend constexpr auto operator<=>(Date, Date) = default;
  // None where there is no such day (30 February) or the year is not 1..9999.
  [[nodiscard]] static std::optional<Date> from_ymd(int year, unsigned month, unsigned day);
  // Exactly YYYY-MM-DD.
  [[nodiscard]] static std::optional<Date> parse(std::string_view iso);
  [[nodiscard]] std::string iso() const;
  [[nodiscard]] int year() const;
  [[nodiscard]] unsigned month() const;
  [[nodiscard]] unsigned day() const;
  [[nodiscard]] unsigned weekday() const;  // 0 Monday .. 6 Sunday
  [[nodiscard]] Date plus(int n) const { return Date{days + n}; }
};

// Milliseconds since 1970-01-01T00:00:00Z.
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;

[[nodiscard]] std::string iso(Instant instant);  // 2026-11-23T08:15:00.000Z
// ISO 8601 with time: Z, an offset, or nothing (taken as UTC).
[[nodiscard]] std::optional<Instant> parse_instant(std::string_view iso);
[[nodiscard]] Date utc_date(Instant instant);

}  // namespace towpath
