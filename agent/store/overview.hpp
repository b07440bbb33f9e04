// What `towpath status` tells: how old, how much, what waits. Read-only; no personal data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "segment/segment.hpp"

namespace towpath {

struct SourceOverview {
  std::string name;
  std::int64_t last_run = 0;
  std::optional<Instant> last_success;
  std::optional<Instant> last_attempt;
  std::optional<Instant> last_part;   // last run that went through, though some dataset may lack
  std::vector<std::string> problems;  // of the last attempt
  std::string remedy;                 // of the last attempt, if it failed
};
struct DatasetOverview {
  std::string name;
  std::uint64_t rows = 0;
  std::optional<Instant> last_read;  // when a source last gave this dataset
  std::optional<Instant> last_changed;
  std::uint64_t held = 0;  // deletions that wait for a person
  std::uint64_t quarantined = 0;
};
struct StreamOverview {
  std::string audience;
  Head head;                       // the last segment made
  std::uint64_t acknowledged = 0;  // sequence number
  std::uint64_t waiting_segments = 0, waiting_bytes = 0;
  std::optional<Instant> last_exchange;  // last answer from the hub
  bool equal = false;                    // by that answer
  bool pending = false;                  // the store has changes not yet in a segment
};
// An exchange that got no answer it could use; the next that succeeds forgets it.
struct FailedExchange {
  Instant when;
  std::string what, remedy;
};
struct Overview {
  std::vector<SourceOverview> sources;
  std::vector<DatasetOverview> datasets;
  std::vector<StreamOverview> streams;
  std::optional<FailedExchange> failed_exchange;  // since the last answer
  std::uint64_t quarantined = 0;
  std::uint64_t held = 0;
  std::uint64_t file_bytes = 0;
};

[[nodiscard]] Result<Overview> overview(Store& store);
// Written by the uplink's caller after each answer from the hub.
[[nodiscard]] Result<void> record_exchange(Store& store, std::string_view audience, Instant when, bool equal);
// Written when a sync ended in an error, so that status can say so; a later record_exchange() clears it.
[[nodiscard]] Result<void> record_failed_exchange(Store& store, Instant when, std::string_view what,
                                                  std::string_view remedy);
// Written when a source could not be read at all, so that status can say so.
[[nodiscard]] Result<void> record_failed_run(Store& store, std::string_view source, Instant when,
                                             std::string_view problem, std::string_view remedy = {});

}  // namespace towpath
