#include "agent/cli/key_verb.hpp"

#include "agent/cli/console.hpp"
#include "agent/cli/progress.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/service/jobs.hpp"

namespace towpath::cli {

int key_rotate(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto may = may_look(*config); !may) return console.failed(may.error());
  Progress progress;
  SyncWish wish;
  wish.replace_key = true;
  const SyncOutcome outcome = run_sync_job(
      *config, {command.clock, command.random, nullptr, &progress, command.program()}, open_uplink, wish);
  progress.clear();
  Told told = tell(outcome);
  told.document["key_replaced"] = outcome.report.key_replaced;
  if (outcome.began && !outcome.error && !outcome.report.key_replaced) {
    told.error(
        "the hub has not taken a new key in this exchange; it is offered again at the next. The old one "
        "works as before");
    told.exit_code = kFailed;
    told.document["exit_code"] = told.exit_code;
  }
  return console.say(told);
}

}  // namespace towpath::cli
