// `towpath run`: the service itself. Two threads: this one waits for signals, visitors and the clock
// and decides (Loop); the worker does one task at a time.
//
// In: configuration files and folders of them. Out: work done on its windows, until SIGTERM or SIGINT
// (within kStopWithin, whatever the worker is at). SIGHUP reads the configuration again; a file that
// can no longer be used leaves what was in force. A school whose folder another service has is not
// served here until that has gone.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/config/config.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// systemd's TimeoutStopSec is 15: there must be time left to say so.
inline constexpr std::chrono::seconds kStopWithin{8};
// The longest that honest work shows nothing: an exchange's whole timeout is ten minutes.
inline constexpr std::chrono::minutes kWorkerPatience{15};
// Files in one folder of configurations: a server for all schools of a trust.
inline constexpr std::size_t kSchoolsMax = 200;

struct RunOptions {
  // Files, and folders whose *.toml are meant; looked at again with each SIGHUP.
  std::vector<std::string> configs;
  std::string software;  // "towpath 0.1.0"
  // Checks one file, as every verb does.
  std::function<tl::expected<AgentConfig, ConfigProblems>(const std::string& file)> load;
  // A line for the journal.
  std::function<void(const std::string&)> log;
};

// Returns when it has been stopped. kConfig where not one school can run; kBusy where others serve
// all of them.
[[nodiscard]] Result<void> run_service(const RunOptions& options, Clock& clock, Random& random);

}  // namespace towpath
