#include "agent/doctor/support.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>

#include "adapters/api/source_config.hpp"
#include "agent/doctor/safe.hpp"
#include "agent/store/agenda.hpp"
#include "agent/store/events.hpp"
#include "agent/store/overview.hpp"
#include "bundle/bundle.hpp"
#include "dictionary/dictionary.hpp"
#include "segment/segment.hpp"
#include "sqlite/table.hpp"
#include "trust/sealed.hpp"

namespace towpath::doctor {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string_view>;

// Changes only when a key goes or changes its meaning.
constexpr int kSupportSchema = 1;

constexpr Literal kReadme =
    "What towpath tells about itself on this machine, for whoever helps.\n"
    "\n"
    "It holds numbers, times and the program's own words. It holds no row of any pupil, no\n"
    "name, no address, no path, no sentence of a log, no key and no password: sources are\n"
    "numbered in the configuration's order, paths are told by length and kind, and errors\n"
    "by their code. Each file can be read before it is handed on.\n";

// Why rows go to quarantine, as intake and adapters say it.
constexpr std::array<std::string_view, 30> kRules{
    "Q01", "Q02",    "Q03",   "Q04",       "Q05",    "Q06",      "Q07",    "Q08",      "Q09",   "Q10",
    "Q11", "Q12",    "Q13",   "Q14",       "Q15",    "Q16",      "type",   "required", "code",  "reference",
    "key", "length", "range", "duplicate", "ragged", "encoding", "quotes", "order",    "roles", "delta"};
constexpr std::array<std::string_view, 2> kAudiences{"borough", "federation"};
// As the service writes them: what it did, and how that ended.
constexpr std::array<std::string_view, 12> kEventKinds{
    "extract",         "extract-failed",     "extract-later",    "extract-busy",
    "extract-stopped", "extract-not-needed", "exchange",         "exchange-failed",
    "exchange-later",  "exchange-busy",      "exchange-stopped", "exchange-not-needed"};
constexpr std::array<std::string_view, 9> kEventCounts{
    "rows", "changed", "quarantined", "held", "ms", "exchanges", "segments", "bytes_sent", "bytes_received"};

Words dataset_names() {
  Words out;
  for (const Dataset& dataset : built_in_dictionary().datasets) out.push_back(dataset.name);
  return out;
}
Words grant_names() {
  Words out;
  for (const Dataset& dataset : built_in_dictionary().datasets)
    for (const Field& field : dataset.fields)
      if (!field.grant.empty() && std::find(out.begin(), out.end(), field.grant) == out.end())
        out.push_back(field.grant);
  return out;
}
Words kind_names() {
  const auto kinds = adapter_kinds();
  return {kinds.begin(), kinds.end()};
}

Safe header() { return Safe::object().set("schema_version", kSupportSchema); }

// "3.40.1" as numbers.
Safe numbers(std::string_view version) {
  Safe out = Safe::list();
  const char* at = version.data();
  const char* const end = at + version.size();
  while (at < end) {
    int number = 0;
    const auto done = std::from_chars(at, end, number);
    if (done.ec != std::errc{}) break;
    out.add(number);
    at = done.ptr + (done.ptr < end ? 1 : 0);
  }
  return out;
}

Safe versions(const SupportFacts& facts, Literal version) {
  Safe out = header();
  out.set("program", version)
      .set("made", facts.now)
      .set("dictionary", built_in_dictionary().version)
      .set("segment_format", kSegmentVersion)
      .set("bundle_format", kSealedVersion)
      .set("sealed_format", kSealedVersion);
  if (facts.store != nullptr) {
    const auto sqlite = facts.store->db().text("SELECT sqlite_version()");
    if (sqlite) out.set("sqlite", numbers(*sqlite));
  }
  return out;
}

// --- configuration ------------------------------------------------------------------------------
Safe url_class(const std::string& url) {
  if (url.empty()) return {};
  const bool tls = url.starts_with("https:");
  std::string_view rest = url;
  const std::size_t scheme = rest.find("://");
  rest.remove_prefix(scheme == std::string_view::npos ? 0 : scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const std::size_t colon = authority.rfind(':');
  int port = 0;
  if (colon != std::string_view::npos)
    std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
  Safe out = Safe::object();
  out.set("tls", tls)
      .set("characters", url.size())
      .set("port", port)
      .set("path", authority.size() != rest.size())
      .set("loopback", authority.starts_with("127.") || authority.starts_with("localhost") ||
                           authority.starts_with("[::1]"));
  return out;
}

Safe windows(const std::vector<Window>& windows) {
  Safe out = Safe::list();
  for (const Window& window : windows)
    out.add(Safe::object()
                .set("days", window.days)
                .set("from_minute", window.from)
                .set("to_minute", window.to)
                .set("every_minutes", window.every));
  return out;
}

Safe table(const TableMapping& mapping) {
  constexpr std::array<std::string_view, 2> kModes{"full", "append"}, kEncodings{"utf-8", "windows-1252"};
  constexpr std::array<std::string_view, 4> kDelimiters{",", ";", "\t", "|"};
  const Dataset* dataset = built_in_dictionary().find(mapping.dataset);
  Words fields;
  if (dataset != nullptr)
    for (const Field& field : dataset->fields) fields.push_back(field.name);
  Safe columns = Safe::list();
  for (const ColumnMapping& column : mapping.columns)
    columns.add(Safe::object()
                    .set("field", Safe::known(column.field, fields))
                    .set("from_column", !column.column.empty())
                    .set("format_characters", column.format.size())
                    .set("values_mapped", column.values.size())
                    .set("matched_by", column.by.empty() ? Safe() : Safe(true)));
  Safe out = Safe::object();
  out.set("dataset", Safe::known(mapping.dataset, dataset_names()))
      .set("file_characters", mapping.file.size())
      .set("mode", Safe::known(mapping.mode, kModes))
      .set("encoding", Safe::known(mapping.encoding, kEncodings))
      .set("delimiter",
           mapping.delimiter == "\t" ? Safe(Literal("tab")) : Safe::known(mapping.delimiter, kDelimiters))
      .set("conditions", mapping.where.size())
      .set("columns", std::move(columns));
  return out;
}

Safe source(const SourceConfig& config, std::int64_t number, const AgentConfig& all) {
  Safe tables = Safe::list();
  for (const TableMapping& mapping : config.tables) tables.add(table(mapping));
  Safe out = Safe::object();
  out.set("number", number)
      .set("kind", Safe::known(config.kind, kind_names()))
      .set("path", path_class(config.path))
      .set("org_given", !config.org.empty())
      .set("id_space_given", !config.id_space.empty() && config.id_space != config.name)
      .set("windows", windows(extract_windows(all, config.name)))
      .set("tables", std::move(tables));
  return out;
}

Safe configuration(const SupportFacts& facts) {
  Safe out = header();
  out.set("valid", facts.config != nullptr);
  if (facts.config == nullptr) return out;  // doctor.json has the lines
  const AgentConfig& config = *facts.config;
  std::int64_t urn = 0;
  std::from_chars(config.school_urn.data(), config.school_urn.data() + config.school_urn.size(), urn);
  out.set("school_urn", urn)  // six digits: a school, nobody
      .set("school_name_characters", config.school_name.size())
      .set("data", path_class(config.data))
      .set("min_free_mb", config.min_free_bytes / 1'000'000);
  Safe grants = Safe::list();
  for (const std::string& grant : config.grants) grants.add(Safe::known(grant, grant_names()));
  Safe hub = Safe::object();
  hub.set("url", url_class(config.hub_url));
  if (config.line.proxy == "auto" || config.line.proxy == "none")
    hub.set("proxy", config.line.proxy == "auto" ? Literal("auto") : Literal("none"));
  else
    hub.set("proxy", url_class(config.line.proxy));
  hub.set("pac_url", url_class(config.line.pac_url))
      .set("proxy_user_file", path_class(config.line.proxy_user_file))
      .set("extra_ca", path_class(config.line.extra_ca))
      .set("line_kbit", config.line.kbit)
      .set("body_kib", config.body_bytes / 1024)
      .set("grants", std::move(grants));
  out.set("hub", std::move(hub)).set("exchange_windows", windows(config.schedule.exchange));
  Safe holidays = Safe::list();
  for (const Holiday& holiday : config.calendar.holidays)
    holidays.add(Safe::object().set("first", holiday.first).set("last", holiday.last));
  out.set("holidays", std::move(holidays));
  Safe sources = Safe::list();
  std::int64_t number = 0;
  for (const SourceConfig& one : config.sources) sources.add(source(one, ++number, config));
  out.set("sources", std::move(sources));
  std::int64_t lines = 0;
  for (const Setting& setting : config.settings) lines += setting.line > 0 ? 1 : 0;
  out.set("settings_in_file", lines);
  return out;
}

Safe findings(const SupportFacts& facts) {
  Safe list = Safe::list();
  for (const Finding& finding : facts.findings) {
    Safe figures = Safe::object();
    for (const Figure& figure : finding.figures) figures.set(figure.name, figure.value);
    list.add(Safe::object()
                 .set("check", finding.check)
                 .set("kind", finding.kind)
                 .set("light", finding.light == Light::kGreen   ? Literal("GREEN")
                               : finding.light == Light::kAmber ? Literal("AMBER")
                                                                : Literal("RED"))
                 .set("figures", std::move(figures)));
  }
  Safe out = header();
  out.set("exit_code", exit_code(facts.findings)).set("findings", std::move(list));
  return out;
}

Safe environment(const SupportFacts& facts) {
  Safe proxies = Safe::object();
  proxies.set("https_proxy", !facts.environment.https_proxy.empty())
      .set("http_proxy", !facts.environment.http_proxy.empty())
      .set("all_proxy", !facts.environment.all_proxy.empty())
      .set("no_proxy", !facts.environment.no_proxy.empty());
  Safe out = header();
  out.set("machine", Safe::machine(facts.machine)).set("proxy_variables", std::move(proxies));
  return out;
}

// --- the store -----------------------------------------------------------------------------------
// Numbers of the configuration for the store's sources; 0: one that is no longer configured.
class SourceNumbers {
 public:
  explicit SourceNumbers(const SupportFacts& facts) {
    if (facts.config != nullptr)
      for (const SourceConfig& one : facts.config->sources)
        by_name_[one.name] = static_cast<std::int64_t>(by_name_.size()) + 1;
    if (facts.store == nullptr) return;
    // A store that cannot be read has no sources to tell of.
    (void)facts.store->db().each("SELECT id,name FROM source",
                                 [&](Statement::Use& use) { by_id_[use.integer(0)] = of(use.text(1)); });
  }
  [[nodiscard]] std::int64_t of(std::string_view name) const {
    const auto found = by_name_.find(std::string(name));
    return found == by_name_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::int64_t of(std::int64_t id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, std::int64_t> by_name_;
  std::map<std::int64_t, std::int64_t> by_id_;
};

Safe dataset_name(std::int64_t id) {
  const Dataset* dataset = built_in_dictionary().find(static_cast<std::uint16_t>(id));
  return Safe::known(dataset == nullptr ? std::string_view() : dataset->name, dataset_names());
}

Instant at_ms(std::int64_t ms) { return Instant{std::chrono::milliseconds{ms}}; }

// What a query could not give is told by the error's code.
void done(Safe& out, const Result<void>& result) {
  if (!result) out.set("error", Safe::code(result.error().code()));
}

Safe status(const SupportFacts& facts) {
  Safe out = header();
  if (facts.store == nullptr) return out;
  const auto seen = overview(*facts.store);
  if (!seen) {
    out.set("error", Safe::code(seen.error().code()));
    return out;
  }
  if (facts.config != nullptr) {
    const cli::Health health = cli::health(*seen, *facts.config, facts.now);
    const auto many = [&](Light light) {
      return std::count_if(health.reasons.begin(), health.reasons.end(),
                           [&](const cli::Reason& reason) { return reason.light == light; });
    };
    out.set("reasons_amber", many(Light::kAmber)).set("reasons_red", many(Light::kRed));
  }
  const SourceNumbers numbers_of(facts);
  Safe sources = Safe::list();
  for (const SourceOverview& s : seen->sources)
    sources.add(Safe::object()
                    .set("number", numbers_of.of(s.name))
                    .set("last_run", s.last_run)
                    .set("last_success", Safe(s.last_success))
                    .set("last_attempt", Safe(s.last_attempt))
                    .set("last_part", Safe(s.last_part))
                    .set("problems", s.problems.size()));
  Safe datasets = Safe::list();
  for (const DatasetOverview& d : seen->datasets)
    datasets.add(Safe::object()
                     .set("dataset", Safe::known(d.name, dataset_names()))
                     .set("rows", d.rows)
                     .set("last_read", Safe(d.last_read))
                     .set("last_changed", Safe(d.last_changed))
                     .set("held", d.held)
                     .set("quarantined", d.quarantined));
  Safe streams = Safe::list();
  for (const StreamOverview& s : seen->streams)
    streams.add(Safe::object()
                    .set("audience", Safe::known(std::string_view(s.audience).substr(0, s.audience.find(':')),
                                                 kAudiences))
                    .set("epoch", s.head.epoch.number)
                    .set("seq", s.head.seq.number)
                    .set("acknowledged", s.acknowledged)
                    .set("waiting_segments", s.waiting_segments)
                    .set("waiting_bytes", s.waiting_bytes)
                    .set("last_exchange", Safe(s.last_exchange))
                    .set("equal", s.equal)
                    .set("pending", s.pending));
  out.set("sources", std::move(sources))
      .set("datasets", std::move(datasets))
      .set("streams", std::move(streams))
      .set("exchange_failed", seen->failed_exchange ? Safe(seen->failed_exchange->when) : Safe())
      .set("quarantined", seen->quarantined)
      .set("held", seen->held);
  return out;
}

Safe runs(const SupportFacts& facts) {
  Safe out = header();
  if (facts.store == nullptr) return out;
  const SourceNumbers numbers_of(facts);
  Safe list = Safe::list();
  const auto read = facts.store->db().each(
      "SELECT id,source,started,finished,ok,length(summary)>0 FROM run ORDER BY id DESC LIMIT " +
          std::to_string(kRunsTold),
      [&](Statement::Use& use) {
        list.add(Safe::object()
                     .set("run", use.integer(0))
                     .set("source", numbers_of.of(use.integer(1)))
                     .set("started", at_ms(use.integer(2)))
                     .set("ms", use.is_null(3) ? Safe() : Safe(use.integer(3) - use.integer(2)))
                     .set("ok", use.integer(4) != 0)
                     .set("said_something", use.integer(5) != 0));
      });
  done(out, read);
  const auto all = facts.store->db().integer("SELECT count(*) FROM run");
  out.set("runs_in_all", all ? Safe(*all) : Safe()).set("runs", std::move(list));
  return out;
}

Safe quarantine(const SupportFacts& facts) {
  Safe out = header();
  if (facts.store == nullptr) return out;
  const SourceNumbers numbers_of(facts);
  Safe list = Safe::list();
  const auto read = facts.store->db().each(
      "SELECT source,dataset,rule,count(*),min(run),max(run) FROM quarantine GROUP BY source,dataset,rule",
      [&](Statement::Use& use) {
        list.add(Safe::object()
                     .set("source", numbers_of.of(use.integer(0)))
                     .set("dataset", dataset_name(use.integer(1)))
                     .set("rule", Safe::known(use.text(2), kRules))
                     .set("rows", use.integer(3))
                     .set("first_run", use.integer(4))
                     .set("last_run", use.integer(5)));
      });
  done(out, read);
  out.set("counts", std::move(list));
  return out;
}

Safe store(const SupportFacts& facts) {
  Safe out = header();
  out.set("opens", facts.store != nullptr);
  if (facts.store == nullptr) return out;
  Database& db = facts.store->db();
  const auto number = [&](const std::string& sql) -> Safe {
    const auto n = db.integer(sql);
    return n ? Safe(*n) : Safe::code(n.error().code());
  };
  const auto bytes = [&](const char* after) -> Safe {
    std::error_code unknown;
    const auto n = fs::file_size(db.path() + after, unknown);
    return unknown ? Safe() : Safe(n);
  };
  const auto sound = db.text("PRAGMA quick_check(1)");
  out.set("tables_version", number("PRAGMA user_version"))
      .set("sound", !sound ? Safe::code(sound.error().code()) : Safe(*sound == "ok"))
      .set("pages", number("PRAGMA page_count"))
      .set("page_bytes", number("PRAGMA page_size"))
      .set("free_pages", number("PRAGMA freelist_count"))
      .set("file_bytes", bytes(""))
      .set("log_bytes", bytes("-wal"));
  Safe rows = Safe::object();
  constexpr std::array<Literal, 17> kTables{"meta",   "source", "identity",      "restored",    "change",
                                            "print",  "run",    "dataset_state", "source_file", "quarantine",
                                            "stream", "outbox", "content",       "event",       "agenda",
                                            "line",   "sent"};
  for (const Literal name : kTables)
    rows.set(name, number("SELECT count(*) FROM " + std::string(name.text())));
  const Words datasets = dataset_names();
  for (const Dataset& dataset : built_in_dictionary().datasets)
    rows.set_known(dataset.name, datasets, number("SELECT count(*) FROM " + table_name(dataset)));
  out.set("rows", std::move(rows));
  return out;
}

Safe events(const SupportFacts& facts) {
  Safe out = header();
  if (facts.store == nullptr) return out;
  const auto recent = recent_events(*facts.store);
  if (!recent) {
    out.set("error", Safe::code(recent.error().code()));
    return out;
  }
  Safe list = Safe::list();
  for (const Event& event : *recent) {
    Safe counts = Safe::object();
    for (const auto& [name, count] : event.counts) counts.set_known(name, kEventCounts, count);
    list.add(Safe::object()
                 .set("kind", Safe::known(event.kind, kEventKinds))
                 .set("first", event.first)
                 .set("last", event.last)
                 .set("times", event.times)
                 .set("counts", std::move(counts)));
  }
  out.set("events", std::move(list));
  const auto agenda = read_agenda(*facts.store);
  const SourceNumbers numbers_of(facts);
  Safe items = Safe::list();
  if (agenda)
    for (const auto& [name, item] : *agenda) {
      constexpr std::string_view kSource = "source ";
      items.add(Safe::object()
                    .set("source", name.starts_with(kSource)
                                       ? Safe(numbers_of.of(std::string_view(name).substr(kSource.size())))
                                       : Safe())
                    .set("begun", Safe(item.begun))
                    .set("done", Safe(item.done))
                    .set("failures", item.failures)
                    .set("not_before", Safe(item.not_before)));
    }
  out.set("agenda", std::move(items));
  return out;
}

}  // namespace

std::vector<SupportEntry> support_entries(const SupportFacts& facts, Literal version) {
  return {
      {"README.txt", "what this is, and what is not in it", std::string(kReadme.text())},
      {"versions.json", "of the program and its formats", versions(facts, version).text()},
      {"machine.json", "kernel, memory, time zone, which proxy variables are set", environment(facts).text()},
      {"configuration.json", "its values; paths and names by length and kind only",
       configuration(facts).text()},
      {"doctor.json", "doctor's findings, as codes and figures", findings(facts).text()},
      {"status.json", "age and counts of sources, datasets and streams", status(facts).text()},
      {"runs.json", "when each source was read, and whether it went well", runs(facts).text()},
      {"quarantine.json", "counts by source, dataset and reason", quarantine(facts).text()},
      {"events.json", "what happened lately, by kind, and what is due", events(facts).text()},
      {"store.json", "size, soundness, and rows of each table", store(facts).text()},
  };
}

}  // namespace towpath::doctor
