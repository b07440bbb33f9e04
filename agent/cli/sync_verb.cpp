#include "agent/cli/sync_verb.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "agent/cli/console.hpp"
#include "agent/cli/data_folder.hpp"
#include "agent/cli/exit_code.hpp"
#include "agent/cli/hub_line.hpp"
#include "agent/cli/load.hpp"
#include "agent/cli/progress.hpp"
#include "agent/cli/words.hpp"
#include "agent/line/curl_transport.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/store/overview.hpp"
#include "agent/uplink/exchange.hpp"
#include "bundle/bundle.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const SyncReport& report, double seconds) {
  return {{"schema_version", kSchemaVersion},
          {"exchanges", report.exchanges},
          {"segments", report.segments},
          {"body_bytes", report.body_bytes},
          {"segment_bytes", report.segment_bytes},
          {"bytes_sent", report.bytes_sent},
          {"bytes_received", report.bytes_received},
          {"equal", report.equal},
          {"up_to_date", report.up_to_date},
          {"later_seconds", report.later_seconds},
          {"events", report.events},
          {"head",
           {{"epoch", report.head.epoch.number},
            {"seq", report.head.seq.number},
            {"segment", report.head.segment.hex()},
            {"digest", report.head.digest.hex()},
            {"complete", report.head.complete}}},
          {"seconds", seconds},
          {"cpu_seconds", platform::cpu_seconds()},
          {"peak_memory_bytes", platform::peak_memory_bytes()}};
}

void print(const Console& console, const SyncReport& report, double took) {
  for (const std::string& event : report.events) console.line("note: " + event);
  console.line(counted(report.segments, "segment", "segments") + " taken by the hub in " +
               counted(report.exchanges, "exchange", "exchanges") + ", " + size(report.bytes_sent) +
               " sent, " + size(report.bytes_received) + " received, " + seconds(took));
  if (report.equal)
    console.line("both ends equal (epoch " + std::to_string(report.head.epoch.number) + ", segment " +
                 std::to_string(report.head.seq.number) + ")");
}

}  // namespace

int sync(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (auto hub = needs_hub(*config); !hub) return console.failed(hub.error());
  if (!has_store(*config))
    return console.failed(Error{Code::kNotFound, "there is no data in " + config->data + " to send yet",
                                "Run " + command.program() + " extract first"});
  auto folder = DataFolder::open_to_work(*config);
  if (!folder) return console.failed(folder.error());

  const Instant began = command.clock.now();
  Publisher publisher(folder->store(), borough(*config));
  PlainSealer sealer;
  CurlTransport transport({config->hub_url});
  Exchange exchange(publisher, sealer, transport, command.clock, command.random, exchange_options(*config));
  Progress progress;
  progress.show("preparing what has changed");
  std::optional<Error> error;
  for (;;) {
    const auto more = exchange.step();
    if (!more) {
      error = with_room_needed(more.error(), *config);
      break;
    }
    const SyncReport& report = exchange.report();
    if (auto kept = record_exchange(folder->store(), kBorough, command.clock.now(), report.equal); !kept) {
      error = with_room_needed(kept.error(), *config);
      break;
    }
    if (!*more) break;
    progress.show(counted(report.segments, "segment", "segments") + " taken by the hub, " +
                  size(report.bytes_sent) + " sent");
  }
  progress.clear();
  const SyncReport& report = exchange.report();
  const double took = std::chrono::duration<double>(command.clock.now() - began).count();
  ordered_json document = to_json(report, took);
  int code = report.equal ? kFine : kDegraded;
  if (error) {
    code = exit_code_of(error->code());
    for (const std::string& event : report.events) console.line("note: " + event);
    console.error({}, *error);
    // Status must be able to say so; where even that cannot be written, the error above has said it.
    (void)record_failed_exchange(folder->store(), command.clock.now(), error->what(), error->next());
    document["equal"] = false;
    document["error"] = towpath::cli::to_json(*error);
  } else {
    print(console, report, took);
    if (report.later_seconds > 0)
      console.error("the hub asks to come back in " + counted(report.later_seconds, "second", "seconds") +
                    "; what was taken is safe, the rest waits here. Run sync again then");
  }
  document["exit_code"] = code;
  console.result(document);
  return code;
}

}  // namespace towpath::cli
