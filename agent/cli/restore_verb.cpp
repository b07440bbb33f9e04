#include "agent/cli/restore_verb.hpp"

#include <nlohmann/json.hpp>

#include "agent/cli/console.hpp"
#include "agent/cli/exit_code.hpp"
#include "agent/cli/load.hpp"
#include "agent/cli/words.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/conversation.hpp"
#include "agent/uplink/restore.hpp"

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

int restore(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
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
