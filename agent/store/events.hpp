// What has happened lately, for `status` and the support bundle: a bounded list in the store.
//
// In: a kind, a sentence, counts; never a name, an identifier of a pupil or a cell of a row.
// The same thing again only counts up, so that a line that is down for a month is one entry.
// Committed with the transaction that is open, or at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/store/store.hpp"
#include "core/result.hpp"

namespace towpath {

// A busy school's fortnight: some 30 entries a day. About 100 KB.
inline constexpr std::size_t kEventsMax = 500;
// A sentence with its advice.
inline constexpr std::size_t kEventTextMax = 1000;

struct Event {
  std::int64_t id = 0;      // rises
  Instant first{}, last{};  // of the same thing in a row
  std::uint64_t times = 1;
  std::string kind;  // "extract", "extract-failed", "exchange", "exchange-failed", "service-start" ...
  std::string text;  // a sentence for people
  std::vector<std::pair<std::string, std::int64_t>> counts;  // "rows" 12, "bytes_sent" 1630
};

[[nodiscard]] Result<void> record_event(Store& store, Instant when, std::string_view kind,
                                        std::string_view text,
                                        const std::vector<std::pair<std::string, std::int64_t>>& counts = {});
// The newest first, at most so many. None in a store that an older program has written.
[[nodiscard]] Result<std::vector<Event>> recent_events(Store& store, std::size_t most = kEventsMax);

}  // namespace towpath
