#include "agent/cli/bundle_verb.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "agent/cli/console.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/school/words.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/overview.hpp"
#include "agent/store/restore.hpp"
#include "bundle/stick.hpp"
#include "platform/owner.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

// What both directions stand on. Members go in the opposite order.
struct StickDesk {
  AgentConfig config;
  DataFolder folder;
  Uplink uplink;
};

Result<StickDesk> open_desk(const Command& command, AgentConfig config) {
  TP_TRY(may_look(config));
  if (!has_store(config) && !enrolment_of(config))
    return fail(
        Code::kNotEnrolled, "this machine is not enrolled at a hub",
        "Ask the hub's operator for an invitation code and run: " + command.program() + " enrol CODE");
  auto folder = DataFolder::open_to_work(config);
  if (!folder) return fail(std::move(folder).error());
  auto uplink = open_uplink(config, command.clock, command.random, nullptr);
  if (!uplink) return fail(std::move(uplink).error());
  uplink->options.program = command.program();
  return StickDesk{std::move(config), std::move(*folder), std::move(*uplink)};
}

// Of all streams.
Result<std::uint64_t> waiting_segments(HubDesk& desk) {
  const auto streams = desk.streams();
  if (!streams) return fail(streams.error());
  std::uint64_t all = 0;
  for (Publisher* publisher : *streams) {
    const auto count = publisher->waiting_count();
    if (!count) return fail(count.error());
    all += *count;
  }
  return all;
}

}  // namespace

int bundle_export(const Command& command, const std::string& path) {
  const Console& console = command.console;
  // Opened as who was asked; loading the configuration may make root another user.
  auto file = platform::GivenFile::open(path);
  if (!file) return console.failed(file.error());
  auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto desk = open_desk(command, std::move(*config));
  if (!desk) return console.failed(desk.error());
  if (const auto extracted = has_extracted(desk->folder.store()); !extracted || !*extracted)
    return console.failed(extracted ? Error{Code::kNotFound,
                                            "there is no data in " + desk->config.data + " to export yet",
                                            "Run " + command.program() + " extract first"}
                                    : extracted.error());
  auto here = SharingHere::open(desk->config, desk->folder.store(), *desk->uplink.identity, command.clock,
                                command.program());
  if (!here) return console.failed(here.error());
  if (const auto settled = (*here)->desk.settle(); !settled) return console.failed(settled.error());
  LineState line(desk->folder.store());
  Exchange exchange((*here)->desk, line, *desk->uplink.peer, *desk->uplink.transport, command.clock,
                    command.random, desk->uplink.options);
  auto bundles = exchange.export_bundles();
  if (!bundles) return console.failed(with_room_needed(std::move(bundles).error(), desk->config));
  const auto content = stick_file(*bundles);
  if (!content) return console.failed(content.error());
  if (auto done = file->write(*content); !done) return console.failed(done.error());
  const auto waiting = waiting_segments((*here)->desk);
  const std::uint64_t segments = waiting ? *waiting : 0;
  Told told;
  for (const std::string& note : desk->uplink.notes) told.line("note: " + note);
  told.line(path + ": " + counted(bundles->size(), "sealed bundle", "sealed bundles") + ", " +
            size(content->size()) + "; " +
            (segments == 0
                 ? std::string("nothing waits to be sent, it asks the hub where it stands")
                 : counted(segments, "segment", "segments") + " that the hub has not acknowledged"));
  told.line("next: at the hub: towpath-hub bundle import FILE --answer ANSWER; then here: " +
            command.program() + " bundle import ANSWER");
  told.document = {{"schema_version", kSchemaVersion},
                   {"file", path},
                   {"bundles", bundles->size()},
                   {"segments", segments},
                   {"bytes", content->size()},
                   {"notes", desk->uplink.notes},
                   {"exit_code", kFine}};
  return console.say(told);
}

int bundle_import(const Command& command, const std::string& path) {
  const Console& console = command.console;
  auto content = platform::read_file(path, kStickBytesMax);
  auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (!content) return console.failed(content.error());
  const auto messages = read_stick_file(bytes_of(*content));
  if (!messages) return console.failed(messages.error());
  auto desk = open_desk(command, std::move(*config));
  if (!desk) return console.failed(desk.error());
  auto here = SharingHere::open(desk->config, desk->folder.store(), *desk->uplink.identity, command.clock,
                                command.program());
  if (!here) return console.failed(here.error());
  LineState line(desk->folder.store());
  Exchange exchange((*here)->desk, line, *desk->uplink.peer, *desk->uplink.transport, command.clock,
                    command.random, desk->uplink.options);
  const auto imported = exchange.import_answers(*messages);
  if (!imported) return console.failed(with_room_needed(imported.error(), desk->config));
  const SyncReport& report = exchange.report();
  if (imported->answers > imported->old)
    for (const StreamReport& stream : report.streams)
      if (auto kept =
              record_exchange(desk->folder.store(), stream.audience, command.clock.now(), stream.equal);
          stream.heard && !kept)
        return console.failed(kept.error());
  const auto waiting = waiting_segments((*here)->desk);
  if (!waiting) return console.failed(waiting.error());

  Told told;
  for (const std::string& note : desk->uplink.notes) told.line("note: " + note);
  for (const std::string& event : report.events) told.line("note: " + event);
  told.line(
      counted(imported->answers, "answer", "answers") + " of the hub" +
      (imported->old > 0 ? " (" + number(imported->old) + " older than what has been heard since)" : "") +
      ", " + counted(report.segments, "segment", "segments") + " acknowledged");
  for (const std::string& refused : imported->refused) told.error("not taken: " + refused);
  const bool equal = report.equal && !report.streams.empty();
  if (equal)
    told.line("both ends equal (epoch " + std::to_string(report.head.epoch.number) + ", segment " +
              std::to_string(report.head.seq.number) + ")");
  else if (*waiting > 0)
    told.line("waiting to be sent: " + counted(*waiting, "segment", "segments") +
              ". Next: " + command.program() + " bundle export FILE, or sync over the line");
  told.exit_code = !imported->refused.empty()          ? kFailed
                   : report.equal || imported->old > 0 ? kFine
                                                       : kDegraded;
  told.document = {{"schema_version", kSchemaVersion},
                   {"file", path},
                   {"answers", imported->answers},
                   {"old", imported->old},
                   {"refused", imported->refused},
                   {"segments", report.segments},
                   {"equal", equal},
                   {"waiting_segments", *waiting},
                   {"events", report.events},
                   {"notes", desk->uplink.notes},
                   {"exit_code", told.exit_code}};
  return console.say(told);
}

}  // namespace towpath::cli
