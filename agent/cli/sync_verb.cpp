#include "agent/cli/sync_verb.hpp"

#include "agent/cli/ask_service.hpp"
#include "agent/cli/console.hpp"
#include "agent/cli/progress.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/load.hpp"
#include "agent/service/jobs.hpp"

namespace towpath::cli {

int sync(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto may = may_look(*config); !may) return console.failed(may.error());
  Progress progress;
  if (const auto answer = ask_service(*config, {control::Verb::kSync, {}, command.program()}, progress)) {
    progress.clear();
    return console.say(*answer);
  }
  const SyncOutcome outcome =
      run_sync_job(*config, {command.clock, command.random, nullptr, &progress, command.program()});
  progress.clear();
  return console.say(tell(outcome));
}

}  // namespace towpath::cli
