#include "agent/cli/run_verb.hpp"

#include <utility>

#include "agent/cli/console.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/service/run.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {

int run(const Command& command, std::vector<std::string> configs) {
  const Console& console = command.console;
  if (configs.empty()) configs.emplace_back(kConfigFolder);
  RunOptions options;
  options.configs = std::move(configs);
  options.software = "towpath " TOWPATH_VERSION;
  options.log = [&](const std::string& line) { console.error(line); };
  options.load = [&](const std::string& file) -> tl::expected<AgentConfig, ConfigProblems> {
    // A share that is away today is the source's trouble, and told when it is read.
    auto config = load(file, Paths::kAsWritten);
    if (!config) return config;
    if (auto sources = make_sources(*config, platform::local_date(command.clock.now())); !sources)
      return tl::unexpected(std::move(sources.error()));
    if (!config->calendar.unread.empty())
      console.error(file + ": goes on without holidays, which are not known: " + config->calendar.unread +
                    ". Bring the file back or mend the path, then: systemctl reload towpath");
    return config;
  };
  if (auto done = run_service(options, command.clock, command.random); !done)
    return console.failed(done.error());
  return kFine;
}

}  // namespace towpath::cli
