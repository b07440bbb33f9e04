#include "agent/service/perform.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/school/data_folder.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/school/words.hpp"
#include "agent/store/events.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/overview.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;
using cli::counted;
using Counts = std::vector<std::pair<std::string, std::int64_t>>;

struct Verdict {
  Ending ending = Ending::kDone;
  std::string sentence;
  Counts counts;
  std::chrono::seconds later{0};
};

Ending ending_of(const Error& error) {
  switch (error.code()) {
    case Code::kBusy:
      return Ending::kBusy;
    case Code::kStopped:
      return Ending::kStopped;
    default:
      return Ending::kFailed;
  }
}

Verdict judged(const SourceOutcome& one) {
  if (one.error) return {ending_of(*one.error), one.error->sentence(), {}, {}};
  const ExtractReport& report = *one.report;
  std::uint64_t read = 0, changed = 0, quarantined = 0, held = 0;
  for (const auto& [name, counts] : report.datasets) {
    read += counts.read;
    changed += counts.added + counts.changed + counts.removed;
    quarantined += counts.quarantined;
    held += counts.held;
  }
  std::string sentence = counted(read, "row", "rows") + " read, " + cli::number(changed) + " changed";
  if (quarantined > 0) sentence += ", " + cli::number(quarantined) + " to quarantine";
  if (held > 0) sentence += ", " + counted(held, "deletion", "deletions") + " held for a person";
  for (const std::string& problem : report.problems) sentence += "; " + problem;
  return {Ending::kDone,
          sentence,
          {{"rows", static_cast<std::int64_t>(read)},
           {"changed", static_cast<std::int64_t>(changed)},
           {"quarantined", static_cast<std::int64_t>(quarantined)},
           {"held", static_cast<std::int64_t>(held)},
           {"ms", static_cast<std::int64_t>(one.seconds * 1000)}},
          {}};
}

Verdict judged(const SyncOutcome& outcome) {
  if (outcome.error) return {ending_of(*outcome.error), outcome.error->sentence(), {}, {}};
  const SyncReport& report = outcome.report;
  Verdict out;
  out.counts = {{"exchanges", static_cast<std::int64_t>(report.exchanges)},
                {"segments", static_cast<std::int64_t>(report.segments)},
                {"bytes_sent", static_cast<std::int64_t>(report.bytes_sent)},
                {"bytes_received", static_cast<std::int64_t>(report.bytes_received)}};
  if (report.later_seconds > 0) {
    out.ending = Ending::kLater;
    out.later = std::chrono::seconds{report.later_seconds};
    out.sentence = "the hub asks to come back in " + counted(report.later_seconds, "second", "seconds");
  } else {
    out.sentence = std::string(report.streams.empty() ? "nothing is shared yet"
                               : report.equal         ? "both ends equal"
                                                      : "not known to be equal") +
                   "; " + counted(report.segments, "segment", "segments") + " in " +
                   counted(report.exchanges, "exchange", "exchanges") + ", " + cli::size(report.bytes_sent) +
                   " sent";
  }
  for (const std::string& event : report.events) out.sentence += "; " + event;
  return out;
}

// Nothing waits, and the hub has heard of us today: no need to call.
bool exchange_needed(const AgentConfig& config, Clock& clock) {
  const Instant now = clock.now();
  if (!cli::has_store(config)) return false;  // nothing has been read yet
  auto folder = cli::DataFolder::open_to_look(config);
  if (!folder) return true;  // whoever tries will say why
  const auto seen = overview(folder->store());
  if (!seen || seen->failed_exchange) return true;
  const auto due = cli::sharing_is_due(config, folder->store(), clock);
  if (!due || *due) return true;
  const auto credential = LineState(folder->store()).credential();
  if (!credential || !credential->accepted || *credential->accepted > now ||
      platform::local_date(*credential->accepted) != platform::local_date(now))
    return true;
  return std::any_of(seen->streams.begin(), seen->streams.end(), [&](const StreamOverview& stream) {
    return stream.waiting_segments > 0 || stream.pending || !stream.equal || !stream.last_exchange ||
           *stream.last_exchange > now ||
           platform::local_date(*stream.last_exchange) != platform::local_date(now);
  });
}

// Where it cannot be written, the service remembers it until it ends.
void write_down(const AgentConfig& config, const std::map<std::string, AgendaItem>& agenda,
                const std::vector<std::pair<std::string, Verdict>>& events, Instant now) {
  if (!cli::has_store(config)) return;
  auto folder = cli::DataFolder::open_to_work(config);
  if (!folder) return;
  Store& store = folder->store();
  auto transaction = store.db().begin();
  if (!transaction) return;
  for (const auto& [name, item] : agenda)
    if (!write_agenda(store, name, item)) return;
  for (const auto& [kind, result] : events) {
    const std::string suffix = result.ending == Ending::kDone ? "" : "-" + std::string(name(result.ending));
    if (!record_event(store, now, kind + suffix, result.sentence, result.counts)) return;
  }
  (void)transaction->commit();
}

}  // namespace

bool speaks_to_hub(const AgentConfig& config) {
  std::error_code ignored;
  return !config.hub_url.empty() || fs::exists(fs::path(config.data) / "identity", ignored);
}

std::map<std::string, AgendaItem> remembered(const AgentConfig& config) {
  if (!cli::has_store(config)) return {};
  auto folder = cli::DataFolder::open_to_look(config);
  if (!folder) return {};
  auto agenda = read_agenda(folder->store());
  return agenda ? std::move(*agenda) : std::map<std::string, AgendaItem>{};
}

TaskEnd perform(const Task& task, const JobWorld& world, const cli::OpenUplink& open) {
  const AgentConfig& config = *task.config;
  const Instant began = world.clock.now();
  TaskEnd end;
  end.id = task.id;
  std::vector<std::pair<std::string, Verdict>> events;  // what happened, for the list of events
  const auto settle_item = [&](const std::string& item, const Verdict& result, const Manners& manners) {
    const auto before = task.before.find(item);
    if (before == task.before.end()) return;
    end.after.insert_or_assign(item, settle(before->second, result.ending, began, world.clock.now(), manners,
                                            result.later, world.random));
  };

  if (task.work == Work::kExchange) {
    if (!task.by_hand && !exchange_needed(config, world.clock)) {
      settle_item(kExchangeItem, {Ending::kNotNeeded, {}, {}, {}}, kExchangeManners);
      end.ending = Ending::kNotNeeded;
      return end;
    }
    const SyncOutcome outcome = run_sync_job(config, world, open);
    const Verdict result = judged(outcome);
    settle_item(kExchangeItem, result, kExchangeManners);
    end.ending = result.ending;
    end.sentence = result.sentence;
    events.emplace_back("exchange", result);
    if (task.by_hand) end.told = tell(outcome);
  } else {
    const ExtractOutcome outcome = run_extract_job(config, task.wish, world);
    if (outcome.error || !outcome.problems.empty()) {
      const Error error = outcome.error
                              ? *outcome.error
                              : Error{Code::kConfig, outcome.problems.front().sentence(config.file)};
      const Verdict result{ending_of(error), error.sentence(), {}, {}};
      for (const auto& [item, before] : task.before) settle_item(item, result, kExtractManners);
      end.ending = result.ending;
      end.sentence = result.sentence;
      // A source's name mistyped by a person is nothing that happened here.
      if (error.code() != Code::kUsage) events.emplace_back("extract", result);
    }
    for (const SourceOutcome& one : outcome.sources) {
      Verdict result = judged(one);
      settle_item(source_item(one.source), result, kExtractManners);
      if (result.ending != Ending::kDone) end.ending = result.ending;
      result.sentence = one.source + ": " + result.sentence;
      end.sentence += (end.sentence.empty() ? "" : "; ") + result.sentence;
      events.emplace_back("extract", std::move(result));
    }
    if (task.by_hand) end.told = tell(outcome, config, task.program);
  }
  // A folder in somebody's hands cannot be written to, and is nothing to remember.
  if (end.ending != Ending::kBusy) write_down(config, end.after, events, world.clock.now());
  return end;
}

}  // namespace towpath
