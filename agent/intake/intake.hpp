// One extraction: a source's rows into the store, in one transaction.
//
// In: an adapter. Out: a report in which every source record is accounted for, and a
// store that holds the new state, the change log and the run record together, or the
// old state untouched. Steps: fingerprint, check (quarantine with reasons), diff,
// shrink guard, commit.
// Called by the CLI and the service loop; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

struct DatasetCounts {
  std::uint64_t read = 0, added = 0, changed = 0, removed = 0, quarantined = 0;
  std::uint64_t held = 0;  // deletions that wait for a person
  std::string problem;     // why the dataset was left as it was; empty if it was not
};
struct FileCounts {
  std::uint64_t rows = 0, taken = 0, quarantined = 0;
  std::map<std::string, std::uint64_t> ignored;  // reason -> records
};
struct Warning {     // quality rules that warn
  std::string rule;  // "Q04"
  std::string text;  // "year group does not fit the age"; no personal data
  std::uint64_t count = 0;
};
struct ExtractReport {
  std::int64_t run = 0;
  std::string source;
  std::map<std::string, DatasetCounts> datasets;
  std::map<std::string, FileCounts> files;
  std::vector<Warning> warnings;
  std::vector<std::string> notices;
  std::vector<std::string> problems;  // one sentence each; datasets that were left alone
  bool held = false;                  // deletions wait for --accept-deletions
  bool complete = true;               // false: something was left alone
  std::uint64_t bytes_read = 0;
};

struct ExtractOptions {
  bool accept_deletions = false;
  bool full = false;  // ignore fingerprints: read and compare everything
};

[[nodiscard]] Result<ExtractReport> run_extract(Store& store, Adapter& adapter, const AdapterContext& context,
                                                Clock& clock, const ExtractOptions& options);

}  // namespace towpath
