#include "agent/cli/restore_verb.hpp"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/cli/console.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/conversation.hpp"
#include "agent/uplink/restore.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {

Result<RestoreCounts> restore_into(DataFolder& folder, const AgentConfig& config, Uplink& uplink,
                                   Clock& clock, Random& random) {
  LineState line(folder.store());
  Publisher publisher(folder.store(), borough(config));
  Conversation conversation(line, *uplink.peer, *uplink.transport, clock, random, speaker(uplink.options));
  const auto believed = publisher.acknowledged();
  if (!believed) return fail(believed.error());
  const AskHub ask = [&](Frame question) {
    return conversation.ask_until_answered({HeadFrame{publisher.stream(), *believed}, std::move(question)});
  };
  auto counts = restore_from_hub(folder.store(), publisher.stream(), clock.now(), ask);
  for (std::string& event : conversation.events) uplink.notes.push_back(std::move(event));
  if (!counts) return fail(with_room_needed(std::move(counts).error(), config));
  TP_TRY(line.set_restore_pending(false));
  return counts;
}

nlohmann::ordered_json to_json(const RestoreCounts& counts) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::object();
  for (const auto& [dataset, n] : counts.rows) rows[dataset] = n;
  return {{"entities", counts.entities}, {"rows", std::move(rows)}, {"kept", counts.kept}};
}

std::string sentence(const RestoreCounts& counts) {
  std::uint64_t all = 0;
  std::string list;
  for (const auto& [dataset, n] : counts.rows) {
    if (n == 0) continue;
    all += n;
    list += (list.empty() ? "" : ", ") + number(n) + " of " + dataset;
  }
  if (all == 0 && counts.kept == 0) return "the hub has nothing that only it still had";
  return "brought back from the hub: " + counted(all, "row", "rows") +
         (list.empty() ? "" : " (" + list + ")") +
         (counts.kept > 0 ? "; " + number(counts.kept) + " were here already" : "");
}

namespace {

constexpr const char* kLost =
    "what only the hub still had of this school will not come back: rows that no source brings again, and "
    "the numbers under which the hub knows people; the next sync puts what is here in the place of what the "
    "hub has";

int give_up(const Command& command, const AgentConfig& config, bool yes) {
  const Console& console = command.console;
  if (!has_store(config))
    return console.failed(Error{Code::kNotFound, "there is no data in " + config.data + " yet",
                                "There is nothing to give up. Next: " + command.program() + " extract"});
  auto folder = DataFolder::open_to_work(config);
  if (!folder) return console.failed(folder.error());
  LineState line(folder->store());
  const auto pending = line.restore_pending();
  if (!pending) return console.failed(pending.error());
  const auto extracted = has_extracted(folder->store());
  Told told;
  const std::string next = command.program() + (extracted && *extracted ? " sync" : " extract");
  if (*pending && !yes) {
    if (!platform::is_terminal(0) || command.json)
      return console.failed(
          Error{Code::kUsage, std::string("nobody is there to be asked; if it is given up, ") + kLost,
                "To do it all the same: " + command.program() + " restore --give-up --yes"});
    std::fprintf(stderr, "If it is given up, %s.\nType yes to give it up: ", kLost);
    std::string answer;
    if (!std::getline(std::cin, answer) || answer != "yes")
      return console.failed(Error{Code::kStopped, "nothing was changed: the answer was not yes",
                                  "To try again to bring it back: " + command.program() + " restore"});
  }
  if (*pending) {
    if (const auto done = line.set_restore_pending(false); !done) return console.failed(done.error());
    told.line(std::string("given up: ") + kLost);
  } else {
    told.line("nothing is waiting to be brought back; nothing was changed");
  }
  told.line("next: " + next);
  told.document = {
      {"schema_version", kSchemaVersion}, {"given_up", *pending}, {"next", next}, {"exit_code", kFine}};
  return console.say(told);
}

}  // namespace

int restore(const Command& command, const RestoreWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto may = may_look(*config); !may) return console.failed(may.error());
  if (wish.give_up) return give_up(command, *config, wish.yes);
  if (!enrolment_of(*config))
    return console.failed(
        Error{Code::kNotEnrolled, "this machine is not enrolled at a hub",
              "Ask the hub's operator for an invitation code and run: " + command.program() + " enrol CODE"});
  auto folder = DataFolder::open_to_work(*config);
  if (!folder) return console.failed(folder.error());
  auto uplink = open_uplink(*config, command.clock, command.random, nullptr);
  if (!uplink) return console.failed(uplink.error());
  uplink->options.program = command.program();
  const auto counts = restore_into(*folder, *config, *uplink, command.clock, command.random);
  if (!counts) return console.failed(counts.error());
  Told told;
  for (const std::string& note : uplink->notes) told.line("note: " + note);
  told.line(sentence(*counts));
  const auto extracted = has_extracted(folder->store());
  const std::string next = command.program() + (extracted && *extracted ? " sync" : " extract");
  told.line("next: " + next);
  told.document = {{"schema_version", kSchemaVersion},
                   {"restored", to_json(*counts)},
                   {"notes", uplink->notes},
                   {"next", next},
                   {"exit_code", kFine}};
  return console.say(told);
}

}  // namespace towpath::cli
