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
  std::vector<std::string> problems;  // of the last attempt
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
struct Overview {
  std::vector<SourceOverview> sources;
  std::vector<DatasetOverview> datasets;
  std::vector<StreamOverview> streams;
  std::uint64_t quarantined = 0;
  std::uint64_t held = 0;
  std::uint64_t file_bytes = 0;
};

[[nodiscard]] Result<Overview> overview(Store& store);
// Written by the uplink's caller after each answer from the hub.
[[nodiscard]] Result<void> record_exchange(Store& store, std::string_view audience, Instant when, bool equal);
// Written when a source could not be read at all, so that status can say so.
[[nodiscard]] Result<void> record_failed_run(Store& store, std::string_view source, Instant when,
                                             std::string_view problem);

}  // namespace towpath
