#include "agent/cli/extract_verb.hpp"

#include "agent/cli/ask_service.hpp"
#include "agent/cli/console.hpp"
#include "agent/cli/progress.hpp"
#include "agent/school/load.hpp"

namespace towpath::cli {

int extract(const Command& command, const ExtractWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kMustExist);
  if (!config) return console.failed(command.config, config.error());
  Progress progress;
  if (const auto answer =
          ask_service(*config, {control::Verb::kExtract, wish, command.program()}, progress)) {
    progress.clear();
    return console.say(*answer);
  }
  const ExtractOutcome outcome =
      run_extract_job(*config, wish, {command.clock, command.random, nullptr, &progress, command.program()});
  progress.clear();
  return console.say(tell(outcome, *config, command.program()));
}

}  // namespace towpath::cli
