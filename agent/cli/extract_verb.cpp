#include "agent/cli/extract_verb.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "agent/cli/console.hpp"
#include "agent/cli/data_folder.hpp"
#include "agent/cli/exit_code.hpp"
#include "agent/cli/load.hpp"
#include "agent/cli/progress.hpp"
#include "agent/cli/words.hpp"
#include "agent/config/checks.hpp"
#include "agent/intake/intake.hpp"
#include "agent/store/overview.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

// What became of one source.
struct Outcome {
  std::string source;
  std::optional<ExtractReport> report;
  std::optional<Error> error;
  double seconds = 0, cpu_seconds = 0;
};

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

// Only then is there a good state to be kept.
bool was_read_before(Store& store, const std::string& source) {
  const auto seen = overview(store);
  return seen && std::any_of(seen->sources.begin(), seen->sources.end(), [&](const SourceOverview& s) {
           return s.name == source && s.last_part.has_value();
         });
}

ordered_json to_json(const Outcome& outcome) {
  ordered_json one{{"source", outcome.source}};
  if (outcome.report) one.update(to_json(*outcome.report));
  if (outcome.error) one["error"] = towpath::cli::to_json(*outcome.error);
  one["seconds"] = outcome.seconds;
  one["cpu_seconds"] = outcome.cpu_seconds;
  return one;
}

void print(const Command& command, Store& store, const Outcome& outcome, const std::string& kind) {
  const Console& console = command.console;
  if (!outcome.report) {
    console.line(outcome.source + " (" + kind + "): failed" +
                 (was_read_before(store, outcome.source) ? "; the last good state is kept" : ""));
    return;
  }
  const ExtractReport& report = *outcome.report;
  console.line(outcome.source + " (" + kind + "), run " + std::to_string(report.run) + ", " +
               seconds(outcome.seconds));
  Table table({"dataset", "read", "added", "changed", "removed", "quarantined", "held"});
  for (const auto& [name, counts] : report.datasets)
    table.row({name, number(counts.read), number(counts.added), number(counts.changed),
               number(counts.removed), number(counts.quarantined), number(counts.held)});
  if (!table.empty()) table.print(console, "  ");
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
  if (!files.empty()) files.print(console, "  ");
  for (const std::string& reason : reasons) console.line("  " + reason);
  for (const Warning& warning : report.warnings)
    console.line("  warning " + warning.rule + ": " + warning.text + " (" +
                 counted(warning.count, "row", "rows") + ")");
  for (const std::string& notice : report.notices) console.line("  note: " + notice);
  std::uint64_t quarantined = 0;
  for (const auto& [name, counts] : report.datasets) quarantined += counts.quarantined;
  if (quarantined > 0)
    console.line("  " + counted(quarantined, "row", "rows") +
                 " in quarantine, with reasons: " + command.program() + " quarantine list");
}

// What needs a person, on standard error: one line each.
void complain(const Command& command, const Outcome& outcome) {
  const Console& console = command.console;
  if (outcome.error) {
    console.error("source " + outcome.source + ": ", *outcome.error);
    return;
  }
  for (const std::string& problem : outcome.report->problems)
    console.error("source " + outcome.source + ": " + problem);
  for (const auto& [name, counts] : outcome.report->datasets)
    if (counts.held > 0)
      console.error("source " + outcome.source + ": " + counted(counts.held, "deletion", "deletions") +
                    " of " + name + " held, because they are too many for a night. If they are right, run: " +
                    command.program() + " extract --source " + outcome.source + " --accept-deletions");
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

Outcome run(Store& store, ReadySource& source, const Command& command, const ExtractArguments& arguments,
            const AgentConfig& config) {
  Outcome outcome;
  outcome.source = source.config->name;
  const Instant began = command.clock.now();
  const double cpu_before = platform::cpu_seconds();
  if (!source.adapter) {
    outcome.error = source.adapter.error();
  } else {
    Progress progress;
    WatchedAdapter watched(**source.adapter, progress, outcome.source);
    Adapter& adapter = progress.shown() ? static_cast<Adapter&>(watched) : **source.adapter;
    ExtractOptions options;
    options.accept_deletions = arguments.accept_deletions;
    options.full = arguments.full;
    auto report = run_extract(store, adapter, *source.context, command.clock, options);
    if (report)
      outcome.report = std::move(*report);
    else
      outcome.error = with_room_needed(std::move(report).error(), config);
  }
  // Status must be able to say so; where even that cannot be written, the error below says it.
  if (outcome.error)
    (void)record_failed_run(store, outcome.source, began, on_one_line(outcome.error->what()),
                            on_one_line(outcome.error->next()));
  outcome.seconds = std::chrono::duration<double>(command.clock.now() - began).count();
  outcome.cpu_seconds = platform::cpu_seconds() - cpu_before;
  return outcome;
}

// 1 where nothing could be read, 4 where there is something to look at.
int exit_code(const std::vector<Outcome>& outcomes) {
  const auto failed = [](const Outcome& o) { return o.error.has_value(); };
  if (std::all_of(outcomes.begin(), outcomes.end(), failed)) {
    const bool permission = std::all_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) {
      return o.error->code() == Code::kNotPermitted;
    });
    return permission ? kNotPermitted : kFailed;
  }
  const bool degraded = std::any_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) {
    return o.error || o.report->held || !o.report->complete || !o.report->problems.empty();
  });
  return degraded ? kDegraded : kFine;
}

}  // namespace

int extract(const Command& command, const ExtractArguments& arguments) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kMustExist);
  if (!config) return console.failed(command.config, config.error());
  std::vector<std::string_view> names;
  for (const SourceConfig& source : config->sources) names.push_back(source.name);
  for (const std::string& wanted : arguments.sources)
    if (std::find(names.begin(), names.end(), wanted) == names.end())
      return console.failed(Error{Code::kUsage, "there is no source '" + wanted + "' in " + config->file,
                                  config::suggestion(wanted, names)});
  auto sources = make_sources(*config, platform::local_date(command.clock.now()));
  if (!sources) return console.failed(config->file, sources.error());
  auto folder = DataFolder::open_to_work(*config);
  if (!folder) return console.failed(folder.error());

  std::vector<Outcome> outcomes;
  bool full_disk = false;
  for (ReadySource& source : *sources) {
    const auto& wanted = arguments.sources;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), source.config->name) == wanted.end())
      continue;
    if (full_disk) {
      Outcome outcome;
      outcome.source = source.config->name;
      outcome.error = Error{Code::kDiskFull, "not started, because the disk is full"};
      outcomes.push_back(std::move(outcome));
      continue;
    }
    outcomes.push_back(run(folder->store(), source, command, arguments, *config));
    full_disk = outcomes.back().error && outcomes.back().error->code() == Code::kDiskFull;
    print(command, folder->store(), outcomes.back(), source.config->kind);
    source.adapter = nullptr;  // closes its files before the next one opens its own
  }
  ordered_json list = ordered_json::array();
  for (const Outcome& outcome : outcomes) {
    complain(command, outcome);
    list.push_back(to_json(outcome));
  }
  // A dataset that failed counts none here; what lies in quarantine of it is still there.
  const bool lacking = std::any_of(outcomes.begin(), outcomes.end(), [](const Outcome& o) {
    return !o.report || !o.report->complete || !o.report->problems.empty();
  });
  if (const auto seen = overview(folder->store()); lacking && seen && seen->quarantined > 0)
    console.line("quarantine in all: " + counted(seen->quarantined, "row", "rows") + ": " +
                 command.program() + " quarantine list");
  const int code = exit_code(outcomes);
  console.result({{"schema_version", kSchemaVersion},
                  {"school", config->school_urn},
                  {"sources", std::move(list)},
                  {"cpu_seconds", platform::cpu_seconds()},
                  {"peak_memory_bytes", platform::peak_memory_bytes()},
                  {"exit_code", code}});
  return code;
}

}  // namespace towpath::cli
