// `towpath restore`: what only the hub still has of this school, brought back after a disk has died.
//
// `--give-up` ends the wait where the hub has lost its copy: publishing then goes on without it.
// Before anything is published; enrolment does it by itself, and publishing waits for it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "agent/cli/command.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/store/restore.hpp"

namespace towpath::cli {

struct RestoreWish {
  bool give_up = false;  // the hub has lost its copy for good: go on without it
  bool yes = false;      // though nobody is there to be asked
};
[[nodiscard]] int restore(const Command& command, const RestoreWish& wish);

// The work itself; then publishing may go on.
[[nodiscard]] Result<RestoreCounts> restore_into(DataFolder& folder, const AgentConfig& config,
                                                 Uplink& uplink, Clock& clock, Random& random);
// "120 rows of the pledge (80 participation, 40 promise)" and the like, as JSON and as a sentence.
[[nodiscard]] nlohmann::ordered_json to_json(const RestoreCounts& counts);
[[nodiscard]] std::string sentence(const RestoreCounts& counts);

}  // namespace towpath::cli
