// The change log: what every row looked like before it changed, by key, since the last
// segment. Written by intake in the transaction that changes the row; read and trimmed by
// publish. Its keys are in an encoding that sorts as the values do, so that both walk in
// the order of a segment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "rows/value.hpp"

namespace towpath {

// Sorts by memcmp as compare_keys does. Key values are integers or text, never null.
void ordered_key(RowView key, Bytes& out);
[[nodiscard]] bool read_ordered_key(ByteView bytes, std::span<Value> key, Bytes& text);

class ChangeLog {
 public:
  [[nodiscard]] static Result<ChangeLog> open(Store& store);
  // `old`: the whole row before, in dictionary order; none if there was none. The first of a key
  // and run counts.
  [[nodiscard]] Result<void> record(const Dataset& dataset, std::int64_t run, RowView key,
                                    const std::optional<RowView>& old);
  // The dataset's table was empty before this run: all that it holds is new.
  [[nodiscard]] Result<void> record_all_new(const Dataset& dataset, std::int64_t run);

 private:
  explicit ChangeLog(Statement insert) : insert_(std::move(insert)) {}
  Statement insert_;
  Bytes key_, old_;
};

}  // namespace towpath
