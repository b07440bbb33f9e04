#include "agent/service/jobs.hpp"

#include <algorithm>
#include <utility>

#include "agent/config/checks.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/school/words.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/overview.hpp"
#include "agent/store/restore.hpp"
#include "bundle/bundle.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

using cli::counted;
using cli::number;
using cli::Table;
using cli::Told;
using nlohmann::ordered_json;

bool asked_to_stop(const JobWorld& world) {
  return world.stop != nullptr && world.stop->load(std::memory_order_relaxed);
}

// Only then is there a good state to be kept.
bool was_read_before(Store& store, const std::string& source) {
  const auto seen = overview(store);
  return seen && std::any_of(seen->sources.begin(), seen->sources.end(), [&](const SourceOverview& s) {
           return s.name == source && s.last_part.has_value();
         });
}

// A list of things to choose from, as status shows it.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (!out.empty()) out += out.ends_with(':') ? " " : "; ";
    out += line;
    at = end + 1;
  }
  return out;
}

SourceOutcome read_source(Store& store, cli::ReadySource& source, const ExtractWish& wish,
                          const AgentConfig& config, const JobWorld& world) {
  SourceOutcome outcome{source.config->name, source.config->kind, {}, {}, false, 0, 0};
  const Instant began = world.clock.now();
  const double cpu_before = platform::cpu_seconds();
  if (!source.adapter) {
    outcome.error = source.adapter.error();
  } else {
    WatchedAdapter adapter(**source.adapter, world.watcher, world.stop, outcome.source);
    ExtractOptions options;
    options.accept_deletions = wish.accept_deletions;
    options.full = wish.full;
    auto report = run_extract(store, adapter, *source.context, world.clock, options);
    if (report)
      outcome.report = std::move(*report);
    else
      outcome.error = cli::with_room_needed(std::move(report).error(), config);
  }
  if (outcome.error) {
    // Status must be able to say so; where even that cannot be written, the error itself says it.
    // Being stopped is no failure of the source.
    if (outcome.error->code() != Code::kStopped)
      (void)record_failed_run(store, outcome.source, began, on_one_line(outcome.error->what()),
                              on_one_line(outcome.error->next()));
    outcome.kept = was_read_before(store, outcome.source);
  }
  outcome.seconds = std::chrono::duration<double>(world.clock.now() - began).count();
  outcome.cpu_seconds = platform::cpu_seconds() - cpu_before;
  return outcome;
}

// --- what is said about it ---------------------------------------------------------------------

ordered_json to_json(const ExtractReport& report) {
  ordered_json datasets = ordered_json::object();
  for (const auto& [name, counts] : report.datasets) {
    ordered_json one{{"read", counts.read},
                     {"added", counts.added},
                     {"changed", counts.changed},
                     {"removed", counts.removed},
                     {"quarantined", counts.quarantined},
                     {"held", counts.held}};
    if (!counts.problem.empty()) one["problem"] = counts.problem;
    datasets[name] = std::move(one);
  }
  ordered_json files = ordered_json::object();
  for (const auto& [name, counts] : report.files) {
    ordered_json ignored = ordered_json::object();
    for (const auto& [reason, records] : counts.ignored) ignored[reason] = records;
    files[name] = {{"rows", counts.rows},
                   {"taken", counts.taken},
                   {"quarantined", counts.quarantined},
                   {"ignored", std::move(ignored)}};
  }
  ordered_json warnings = ordered_json::array();
  for (const Warning& warning : report.warnings)
    warnings.push_back({{"rule", warning.rule}, {"text", warning.text}, {"count", warning.count}});
  return {{"run", report.run},
          {"datasets", std::move(datasets)},
          {"files", std::move(files)},
          {"warnings", std::move(warnings)},
          {"notices", report.notices},
          {"problems", report.problems},
          {"held", report.held},
          {"complete", report.complete},
          {"bytes_read", report.bytes_read}};
}

ordered_json to_json(const SourceOutcome& outcome) {
  ordered_json one{{"source", outcome.source}};
  if (outcome.report) one.update(to_json(*outcome.report));
  if (outcome.error) one["error"] = cli::to_json(*outcome.error);
  one["seconds"] = outcome.seconds;
  one["cpu_seconds"] = outcome.cpu_seconds;
  return one;
}

void tell_result(const SourceOutcome& outcome, const std::string& program, Told& out) {
  if (!outcome.report) {
    const bool stopped = outcome.error->code() == Code::kStopped;
    out.line(outcome.source + " (" + outcome.kind + "): " + (stopped ? "stopped" : "failed") +
             (outcome.kept ? "; the last good state is kept" : ""));
    return;
  }
  const ExtractReport& report = *outcome.report;
  out.line(outcome.source + " (" + outcome.kind + "), run " + std::to_string(report.run) + ", " +
           cli::seconds(outcome.seconds));
  Table table({"dataset", "read", "added", "changed", "removed", "quarantined", "held"});
  for (const auto& [name, counts] : report.datasets)
    table.row({name, number(counts.read), number(counts.added), number(counts.changed),
               number(counts.removed), number(counts.quarantined), number(counts.held)});
  if (!table.empty()) table.print(out, "  ");
  Table files({"file", "rows", "taken", "quarantined", "ignored"});
  std::vector<std::string> reasons;
  for (const auto& [name, counts] : report.files) {
    std::uint64_t ignored = 0;
    for (const auto& [reason, records] : counts.ignored) {
      ignored += records;
      reasons.push_back(name + ": " + number(records) + " ignored, " + reason);
    }
    files.row({name, number(counts.rows), number(counts.taken), number(counts.quarantined), number(ignored)});
  }
  if (!files.empty()) files.print(out, "  ");
  for (const std::string& reason : reasons) out.line("  " + reason);
  for (const Warning& warning : report.warnings)
    out.line("  warning " + warning.rule + ": " + warning.text + " (" +
             counted(warning.count, "row", "rows") + ")");
  for (const std::string& notice : report.notices) out.line("  note: " + notice);
  std::uint64_t quarantined = 0;
  for (const auto& [name, counts] : report.datasets) quarantined += counts.quarantined;
  if (quarantined > 0)
    out.line("  " + counted(quarantined, "row", "rows") + " in quarantine, with reasons: " + program +
             " quarantine list");
}

// What needs a person: one line each.
void complain(const SourceOutcome& outcome, const std::string& program, Told& out) {
  if (outcome.error) {
    out.error("source " + outcome.source + ": ", *outcome.error);
    return;
  }
  for (const std::string& problem : outcome.report->problems)
    out.error("source " + outcome.source + ": " + problem);
  for (const auto& [name, counts] : outcome.report->datasets)
    if (counts.held > 0)
      out.error("source " + outcome.source + ": " + counted(counts.held, "deletion", "deletions") + " of " +
                name + " held, because they are too many for a night. If they are right, run: " + program +
                " extract --source " + outcome.source + " --accept-deletions");
}

// 1 where nothing could be read, 4 where there is something to look at.
int exit_code(const std::vector<SourceOutcome>& outcomes) {
  const auto failed = [](const SourceOutcome& o) { return o.error.has_value(); };
  if (std::all_of(outcomes.begin(), outcomes.end(), failed)) {
    const bool permission = std::all_of(outcomes.begin(), outcomes.end(), [](const SourceOutcome& o) {
      return o.error->code() == Code::kNotPermitted;
    });
    return permission ? cli::kNotPermitted : cli::kFailed;
  }
  const bool degraded = std::any_of(outcomes.begin(), outcomes.end(), [](const SourceOutcome& o) {
    return o.error || o.report->held || !o.report->complete || !o.report->problems.empty();
  });
  return degraded ? cli::kDegraded : cli::kFine;
}

// What status shows of each stream; without one, that the hub has answered.
Result<void> record(Store& store, const SyncReport& report, Instant now) {
  if (report.streams.empty()) return record_exchange(store, {}, now, false);
  for (const StreamReport& stream : report.streams)
    if (stream.heard) TP_TRY(record_exchange(store, stream.audience, now, stream.equal));
  return {};
}

ordered_json head_json(const Head& head) {
  return {{"epoch", head.epoch.number},
          {"seq", head.seq.number},
          {"segment", head.segment.hex()},
          {"digest", head.digest.hex()},
          {"complete", head.complete}};
}

// Where nothing is shared: why, and who has to do what. And what waits for a decision.
void tell_sharing(const SyncOutcome& outcome, Told& out) {
  if (outcome.report.streams.empty() && !outcome.only_post) {
    std::string why;
    for (const std::string& one : outcome.decided) why += (why.empty() ? "" : "; ") + one;
    out.line(why.empty() ? "nothing is shared yet: this school has approved no agreement"
                         : "nothing is shared: " + why);
  }
  if (outcome.offered == 0)
    out.line("the hub has not offered an agreement yet; its operator does: towpath-hub agreement add FILE");
  for (const auto& [audience, agreement] : outcome.waiting)
    out.line("agreement " + agreement + " (" + audience +
             ") waits for this school's decision: " + outcome.program + " agreement show " + agreement +
             ", then: " + outcome.program + " agreement approve " + agreement + " --by \"role and name\"");
}

}  // namespace

bool ExtractOutcome::stopped() const {
  return (error && error->code() == Code::kStopped) ||
         std::any_of(sources.begin(), sources.end(),
                     [](const SourceOutcome& o) { return o.error && o.error->code() == Code::kStopped; });
}

ExtractOutcome run_extract_job(const AgentConfig& config, const ExtractWish& wish, const JobWorld& world) {
  ExtractOutcome outcome;
  std::vector<std::string_view> names;
  for (const SourceConfig& source : config.sources) names.push_back(source.name);
  for (const std::string& wanted : wish.sources)
    if (std::find(names.begin(), names.end(), wanted) == names.end()) {
      outcome.error = Error{Code::kUsage, "there is no source '" + wanted + "' in " + config.file,
                            config::suggestion(wanted, names)};
      return outcome;
    }
  auto sources = cli::make_sources(config, platform::local_date(world.clock.now()));
  if (!sources) {
    outcome.problems = std::move(sources.error());
    return outcome;
  }
  auto folder = cli::DataFolder::open_to_work(config);
  if (!folder) {
    outcome.error = std::move(folder.error());
    return outcome;
  }
  std::optional<Error> end;  // what keeps the rest from being started
  for (cli::ReadySource& source : *sources) {
    if (!wish.sources.empty() &&
        std::find(wish.sources.begin(), wish.sources.end(), source.config->name) == wish.sources.end())
      continue;
    if (!end && asked_to_stop(world)) end = Error{Code::kStopped, "not started, because towpath was stopped"};
    if (end) {
      outcome.sources.push_back({source.config->name, source.config->kind, {}, end, false, 0, 0});
      continue;
    }
    outcome.sources.push_back(read_source(folder->store(), source, wish, config, world));
    const auto& error = outcome.sources.back().error;
    if (error && error->code() == Code::kDiskFull)
      end = Error{Code::kDiskFull, "not started, because the disk is full"};
    source.adapter = nullptr;  // closes its files before the next one opens its own
  }
  if (const auto seen = overview(folder->store())) outcome.quarantined_all = seen->quarantined;
  return outcome;
}

Told tell(const ExtractOutcome& outcome, const AgentConfig& config, const std::string& program) {
  if (outcome.error) return cli::told(*outcome.error);
  if (!outcome.problems.empty()) return cli::told(config.file, outcome.problems);
  Told out;
  ordered_json list = ordered_json::array();
  for (const SourceOutcome& one : outcome.sources) {
    tell_result(one, program, out);
    complain(one, program, out);
    list.push_back(to_json(one));
  }
  // A dataset that failed counts none here; what lies in quarantine of it is still there.
  const bool lacking = std::any_of(
      outcome.sources.begin(), outcome.sources.end(),
      [](const SourceOutcome& o) { return !o.report || !o.report->complete || !o.report->problems.empty(); });
  if (lacking && outcome.quarantined_all > 0)
    out.line("quarantine in all: " + counted(outcome.quarantined_all, "row", "rows") + ": " + program +
             " quarantine list");
  out.exit_code = exit_code(outcome.sources);
  out.document = {{"schema_version", cli::kSchemaVersion},
                  {"school", config.school_urn},
                  {"sources", std::move(list)},
                  {"cpu_seconds", platform::cpu_seconds()},
                  {"peak_memory_bytes", platform::peak_memory_bytes()},
                  {"exit_code", out.exit_code}};
  return out;
}

SyncOutcome run_sync_job(const AgentConfig& config, const JobWorld& world, const cli::OpenUplink& open,
                         const SyncWish& wish) {
  SyncOutcome outcome;
  const auto nothing_yet = [&] {
    return Error{Code::kNotFound, "there is no data in " + config.data + " to send yet",
                 "Run " + world.program + " extract first"};
  };
  if (!cli::has_store(config)) {
    auto uplink = open(config, world.clock, world.random, world.stop);
    outcome.error = uplink ? nothing_yet() : std::move(uplink.error());
    return outcome;
  }
  auto folder = cli::DataFolder::open_to_work(config);
  if (!folder) {
    outcome.error = std::move(folder.error());
    return outcome;
  }
  // The keys are read once the folder is ours: another process may have just changed them.
  auto uplink = open(config, world.clock, world.random, world.stop);
  if (!uplink) {
    outcome.error = std::move(uplink.error());
    return outcome;
  }
  const auto extracted = has_extracted(folder->store());
  if (!extracted) {
    outcome.error = extracted.error();
    return outcome;
  }
  outcome.began = true;
  outcome.notes = std::move(uplink->notes);
  uplink->options.program = world.program;
  uplink->options.replace_key = wish.replace_key;
  const Instant began = world.clock.now();
  outcome.program = world.program;
  auto here = cli::SharingHere::open(config, folder->store(), *uplink->identity, world.clock, world.program);
  // Before anything leaves: what has ended is not sent once more, what is recalled goes first.
  if (auto settled = here ? (*here)->desk.settle() : Result<void>(fail(here.error())); !settled) {
    outcome.error = cli::with_room_needed(std::move(settled).error(), config);
    return outcome;
  }
  // A store that enrolment has made holds nothing: what the hub has must not be replaced by that. What the
  // hub offers can be read and decided on meanwhile.
  outcome.only_post = !*extracted;
  if (outcome.only_post) (*here)->desk.only_post();
  LineState line_state(folder->store());
  Exchange exchange((*here)->desk, line_state, *uplink->peer, *uplink->transport, world.clock, world.random,
                    uplink->options);
  const auto moves = [&](const std::string& line) {
    if (world.watcher != nullptr) world.watcher->moves(line);
  };
  moves("preparing what has changed");
  while (!outcome.error) {
    if (asked_to_stop(world)) {
      outcome.error = Error{Code::kStopped, "stopped before both ends were equal",
                            "What the hub has taken is safe; the rest goes at the next exchange"};
      break;
    }
    const auto more = exchange.step();
    const SyncReport& report = exchange.report();
    if (!more) {
      outcome.error = cli::with_room_needed(more.error(), config);
    } else if (auto kept = record(folder->store(), report, world.clock.now()); !kept) {
      outcome.error = cli::with_room_needed(std::move(kept.error()), config);
    } else if (!*more) {
      break;
    } else {
      moves(counted(report.segments, "segment", "segments") + " taken by the hub, " +
            cli::size(report.bytes_sent) + " sent");
    }
  }
  outcome.report = exchange.report();
  const Date today = utc_date(world.clock.now());
  if (const auto offers = (*here)->sharing.offers()) outcome.offered = offers->size();
  if (auto waiting = cli::waiting_decisions((*here)->sharing, today)) outcome.waiting = std::move(*waiting);
  if (const auto decided = (*here)->sharing.decided(today)) {
    for (const Decided& d : *decided)
      outcome.decided.push_back("agreement " + d.agreement + " (" + d.audience + ") " + words(d));
    outcome.on_purpose = !decided->empty() && outcome.waiting.empty() &&
                         std::all_of(decided->begin(), decided->end(), [](const Decided& d) {
                           return d.standing == Standing::kWithdrawn || d.standing == Standing::kNotYet;
                         });
  }
  // Status must be able to say so; where even that cannot be written, the error itself says it.
  if (outcome.error && outcome.error->code() != Code::kStopped)
    (void)record_failed_exchange(folder->store(), world.clock.now(), outcome.error->what(),
                                 outcome.error->next());
  if (outcome.only_post && !outcome.error) outcome.error = nothing_yet();
  outcome.seconds = std::chrono::duration<double>(world.clock.now() - began).count();
  return outcome;
}

Told tell(const SyncOutcome& outcome) {
  if (!outcome.began) return cli::told(*outcome.error);
  Told out;
  const SyncReport& report = outcome.report;
  const bool shares = !report.streams.empty();
  ordered_json streams = ordered_json::array(), waiting = ordered_json::array();
  for (const StreamReport& stream : report.streams)
    streams.push_back({{"audience", stream.audience},
                       {"equal", stream.equal},
                       {"up_to_date", stream.up_to_date},
                       {"segments", stream.segments},
                       {"head", head_json(stream.head)},
                       {"problem", stream.problem}});
  for (const auto& [audience, agreement] : outcome.waiting)
    waiting.push_back({{"audience", audience}, {"agreement", agreement}});
  out.document = {{"schema_version", cli::kSchemaVersion},
                  {"exchanges", report.exchanges},
                  {"segments", report.segments},
                  {"body_bytes", report.body_bytes},
                  {"segment_bytes", report.segment_bytes},
                  {"bytes_sent", report.bytes_sent},
                  {"bytes_received", report.bytes_received},
                  {"equal", report.equal && shares && !outcome.error},
                  {"shares", shares},
                  {"up_to_date", report.up_to_date},
                  {"later_seconds", report.later_seconds},
                  {"events", report.events},
                  {"notes", outcome.notes},
                  {"head", head_json(report.head)},
                  {"streams", std::move(streams)},
                  {"waiting_decisions", std::move(waiting)},
                  {"seconds", outcome.seconds},
                  {"cpu_seconds", platform::cpu_seconds()},
                  {"peak_memory_bytes", platform::peak_memory_bytes()}};
  for (const std::string& note : outcome.notes) out.line("note: " + note);
  for (const std::string& event : report.events) out.line("note: " + event);
  if (outcome.error) {
    out.exit_code = cli::exit_code_of(outcome.error->code());
    out.error({}, *outcome.error);
    out.document["error"] = cli::to_json(*outcome.error);
    if (outcome.only_post && report.exchanges > 0) tell_sharing(outcome, out);
  } else {
    out.exit_code = report.equal && (shares || outcome.on_purpose) ? cli::kFine : cli::kDegraded;
    out.line(counted(report.segments, "segment", "segments") + " taken by the hub in " +
             counted(report.exchanges, "exchange", "exchanges") + ", " + cli::size(report.bytes_sent) +
             " sent, " + cli::size(report.bytes_received) + " received, " + cli::seconds(outcome.seconds));
    if (report.equal && shares)
      out.line("both ends equal (epoch " + std::to_string(report.head.epoch.number) + ", segment " +
               std::to_string(report.head.seq.number) + ")" +
               (report.streams.size() > 1
                    ? ", and so for " + counted(report.streams.size() - 1, "federation", "federations")
                    : ""));
    tell_sharing(outcome, out);
    if (report.later_seconds > 0)
      out.error("the hub asks to come back in " + counted(report.later_seconds, "second", "seconds") +
                "; what was taken is safe, the rest waits here. Run sync again then");
  }
  out.document["exit_code"] = out.exit_code;
  return out;
}

}  // namespace towpath
