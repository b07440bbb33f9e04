#include "agent/cli/status_verb.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "agent/cli/ask_service.hpp"
#include "agent/cli/console.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/health.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/school/words.hpp"
#include "agent/store/events.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/overview.hpp"
#include "platform/daemon.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

ordered_json when(const std::optional<Instant>& instant) {
  return instant ? ordered_json(iso(*instant)) : ordered_json(nullptr);
}
// An error's advice begins a sentence elsewhere; after "next: " it goes on. "TLS ..." stays.
std::string lower_first(std::string text) {
  const auto upper = [&](std::size_t i) { return i < text.size() && text[i] >= 'A' && text[i] <= 'Z'; };
  if (upper(0) && !upper(1)) text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}
std::string when(const std::optional<Instant>& instant, Instant now) {
  return instant ? age(*instant, now) : "never";
}

ordered_json to_json(const Overview& overview) {
  ordered_json sources = ordered_json::array();
  for (const SourceOverview& s : overview.sources)
    sources.push_back({{"source", s.name},
                       {"last_run", s.last_run},
                       {"last_success", when(s.last_success)},
                       {"last_attempt", when(s.last_attempt)},
                       {"problems", s.problems}});
  ordered_json datasets = ordered_json::array();
  for (const DatasetOverview& d : overview.datasets)
    datasets.push_back({{"dataset", d.name},
                        {"rows", d.rows},
                        {"last_read", when(d.last_read)},
                        {"last_changed", when(d.last_changed)},
                        {"held", d.held},
                        {"quarantined", d.quarantined}});
  ordered_json streams = ordered_json::array();
  for (const StreamOverview& s : overview.streams)
    streams.push_back({{"audience", s.audience},
                       {"epoch", s.head.epoch.number},
                       {"seq", s.head.seq.number},
                       {"acknowledged", s.acknowledged},
                       {"waiting_segments", s.waiting_segments},
                       {"waiting_bytes", s.waiting_bytes},
                       {"pending", s.pending},
                       {"last_exchange", when(s.last_exchange)},
                       {"equal", s.equal}});
  const auto& failed = overview.failed_exchange;
  return {
      {"sources", std::move(sources)},
      {"datasets", std::move(datasets)},
      {"streams", std::move(streams)},
      {"quarantined", overview.quarantined},
      {"held", overview.held},
      {"store_bytes", overview.file_bytes},
      {"failed_exchange",
       failed ? ordered_json{{"when", iso(failed->when)}, {"message", failed->what}, {"next", failed->remedy}}
              : ordered_json(nullptr)}};
}

void print(const Command& command, const AgentConfig& config, const Overview& overview, std::int64_t holder,
           Instant now) {
  const Console& console = command.console;
  console.line("school " + config.school_urn + ", " + config.school_name);
  for (const SourceOverview& s : overview.sources)
    console.line(
        "source " + s.name + ": read " + when(s.last_part, now) +
        (s.last_part && s.last_success < s.last_part ? " in part" : "") +
        (s.last_attempt && s.last_part < s.last_attempt ? ", tried " + age(*s.last_attempt, now) : "") +
        ", run " + std::to_string(s.last_run));
  Table table({"dataset", "rows", "read", "changed", "quarantined", "held"});
  for (const DatasetOverview& d : overview.datasets)
    table.row({d.name, number(d.rows), when(d.last_read, now), when(d.last_changed, now),
               number(d.quarantined), number(d.held)});
  if (!table.empty()) table.print(console, "  ");
  for (const StreamOverview& s : overview.streams)
    console.line("hub (" + s.audience + "): last exchange " + when(s.last_exchange, now) + ", " +
                 (s.equal ? "both ends equal" : "not known to be equal") +
                 (overview.failed_exchange && overview.failed_exchange->when >= s.last_exchange
                      ? " then; last sync failed " + age(overview.failed_exchange->when, now)
                      : std::string()) +
                 "; waiting: " + counted(s.waiting_segments, "segment", "segments") +
                 (s.waiting_segments > 0 ? " (" + size(s.waiting_bytes) + ")" : "") +
                 (s.pending ? ", and changes not yet made into one" : ""));
  if (config.hub_url.empty()) console.line("hub: none configured");
  console.line("quarantine: " + counted(overview.quarantined, "row", "rows") +
               (overview.quarantined > 0 ? ": " + command.program() + " quarantine list" : std::string()));
  console.line("store: " + size(overview.file_bytes) + " in " + config.data +
               (holder != 0 ? ", in use by " + (holder > 0 ? "process " + std::to_string(holder)
                                                           : std::string("another process"))
                            : std::string()));
  console.line("configuration: " + config.file);
}

// The service starts in a second or so.
constexpr std::chrono::milliseconds kAskAgain{200};

// Waits until it answers, or the time is over.
Result<ordered_json> service_of(const AgentConfig& config, int wait_seconds) {
  const auto until = platform::steady_now() + std::chrono::seconds{std::max(wait_seconds, 0)};
  for (;;) {
    auto answer = ask_status(config);
    if (answer || answer.error().code() != Code::kNotFound || platform::steady_now() >= until) return answer;
    std::this_thread::sleep_for(kAskAgain);
  }
}

std::string in_time(Instant when, Instant now) {
  const auto m = std::chrono::duration_cast<std::chrono::minutes>(when - now).count();
  if (m < 1) return "now";
  if (m < 120) return "in " + std::to_string(m) + " min";
  return m < 48 * 60 ? "in " + std::to_string(m / 60) + " h" : "in " + std::to_string(m / 1440) + " days";
}
// A text of the service's document; empty where there is none.
std::string text_at(const ordered_json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string()
             ? object[key].get<std::string>()
             : std::string();
}
std::uint64_t number_at(const ordered_json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_number_unsigned()
             ? object[key].get<std::uint64_t>()
             : 0;
}

void print_service(const Console& console, const Result<ordered_json>& service, Instant now) {
  if (!service) {
    console.line(service.error().code() == Code::kNotFound
                     ? "service: not running; nothing is read or sent by itself"
                     : "service: " + service.error().sentence());
    return;
  }
  const auto since = parse_instant(text_at(*service, "since"));
  console.line("service: running, started " + (since ? age(*since, now) : std::string("some time ago")) +
               ", process " + std::to_string(number_at(*service, "pid")) + ", " +
               size(number_at(*service, "memory_bytes")) + " of memory");
  if (const auto task = service->find("task"); task != service->end() && task->is_object()) {
    const std::string moves = text_at(*task, "moves");
    console.line("  now: " + text_at(*task, "what") + (moves.empty() ? "" : ": " + moves));
  }
  const auto items = service->find("items");
  if (items == service->end() || !items->is_array()) return;
  for (const ordered_json& item : *items) {
    const auto next = parse_instant(text_at(item, "next"));
    const std::uint64_t failures = number_at(item, "failures");
    const std::string because = text_at(item, "because");
    std::string line = "  " + text_at(item, "item") + ": ";
    line += next ? "next " + in_time(*next, now) : std::string("only by hand");
    if (because == "missed") line += ", to catch up";
    if (failures > 0) line += ", again after " + counted(failures, "failure", "failures") + " in a row";
    if (const std::string windows = text_at(item, "windows"); !windows.empty()) line += " (" + windows + ")";
    console.line(line);
  }
}

ordered_json events_json(const std::vector<Event>& events) {
  ordered_json out = ordered_json::array();
  for (const Event& event : events) {
    ordered_json counts = ordered_json::object();
    for (const auto& [name, count] : event.counts) counts[name] = count;
    out.push_back({{"when", iso(event.last)},
                   {"first", iso(event.first)},
                   {"times", event.times},
                   {"kind", event.kind},
                   {"text", event.text},
                   {"counts", std::move(counts)}});
  }
  return out;
}

// Without a key that the hub takes, nothing else about the hub matters.
std::optional<Reason> about_key(const std::optional<Enrolment>& enrolment, const Credential& credential,
                                const AgentConfig& config, Instant now, const std::string& program) {
  if (!enrolment && !config.hub_url.empty())
    return Reason{Light::kAmber, "this machine is not enrolled at a hub",
                  "ask the hub's operator for an invitation code and run: " + program + " enrol CODE"};
  if (!enrolment || !credential.refused) return std::nullopt;
  return Reason{Light::kRed, credential.what + ", " + age(*credential.refused, now), credential.next};
}
ordered_json key_to_json(const std::optional<Enrolment>& enrolment, const Credential& credential) {
  if (!enrolment) return nullptr;
  return {{"school", enrolment->urn},           {"name", enrolment->name},
          {"hub", enrolment->hub_url},          {"hub_key", enrolment->hub.fingerprint()},
          {"since", iso(enrolment->when)},      {"accepted", when(credential.accepted)},
          {"refused", when(credential.refused)}};
}
void print_key(const Console& console, const std::optional<Enrolment>& enrolment,
               const Credential& credential, Instant now) {
  if (!enrolment) return;
  console.line("enrolled: " + enrolment->name + " at " + enrolment->hub_url + ", key " +
               (credential.refused ? "refused " + age(*credential.refused, now)
                                   : "accepted " + when(credential.accepted, now)));
}

ordered_json sharing_to_json(const SharingSeen& seen) {
  if (!seen.known) return nullptr;
  ordered_json shared = ordered_json::array(), waiting = ordered_json::array(),
               orders = ordered_json::array(), partners = ordered_json::array();
  for (const auto& one : seen.shared)
    shared.push_back({{"audience", one.audience},
                      {"agreement", one.agreement},
                      {"version", one.version},
                      {"end", one.end.iso()},
                      {"rows_sent", one.rows}});
  ordered_json withdrawn = ordered_json::array();
  for (const auto& [audience, agreement] : seen.withdrawn)
    withdrawn.push_back({{"audience", audience}, {"agreement", agreement}});
  for (const auto& [audience, agreement] : seen.waiting)
    waiting.push_back({{"audience", audience}, {"agreement", agreement}});
  for (const auto& one : seen.orders)
    orders.push_back(
        {{"order", one.id}, {"audience", one.audience}, {"made", iso(one.made)}, {"missing", one.missing}});
  for (const auto& one : seen.partners)
    partners.push_back({{"federation", one.federation},
                        {"urn", one.urn},
                        {"name", one.name},
                        {"state", one.state},
                        {"rows", one.rows},
                        {"heard", when(one.heard)}});
  return {{"shared", std::move(shared)},         {"waiting_decisions", std::move(waiting)},
          {"withdrawn", std::move(withdrawn)},   {"suspended", seen.suspended},
          {"deeds_waiting", seen.deeds_waiting}, {"orders_unanswered", std::move(orders)},
          {"partners", std::move(partners)}};
}
void print_sharing(const Console& console, const SharingSeen& seen, Instant now) {
  for (const auto& one : seen.shared)
    console.line("agreed (" + one.audience + "): " + one.agreement + " version " +
                 std::to_string(one.version) + ", until " + one.end.iso() + "; " +
                 counted(one.rows, "row", "rows") + " sent");
  for (const auto& [audience, agreement] : seen.withdrawn)
    console.line("agreed (" + audience + "): nothing; agreement " + agreement + " is withdrawn");
  for (const auto& one : seen.orders) {
    std::string who;
    for (const std::string& missing : one.missing) who += (who.empty() ? "" : ", ") + missing;
    console.line("order " + one.id.substr(0, 8) + " (" + one.audience + "), " + age(one.made, now) +
                 ": not yet answered by " + who);
  }
  for (const auto& one : seen.partners)
    console.line("partner (" + one.federation + ") " + one.urn + ", " + one.name + ": " + one.state + ", " +
                 counted(one.rows, "row", "rows") + ", last changed " + when(one.heard, now));
  if (seen.deeds_waiting > 0)
    console.line("for the hub: " + counted(seen.deeds_waiting, "decision, order or receipt waits",
                                           "decisions, orders or receipts wait"));
}

}  // namespace

int status(const Command& command, int wait_seconds) {
  const Console& console = command.console;
  auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto may = may_look(*config); !may) return console.failed(may.error());
  const auto enrolment = enrolment_of(*config);
  if (config->hub_url.empty() && enrolment) config->hub_url = enrolment->hub_url;
  const auto service = service_of(*config, wait_seconds);
  const Instant now = command.clock.now();
  Overview seen;
  std::vector<Event> events;
  Credential credential;
  SharingSeen sharing;
  if (has_store(*config)) {
    auto folder = DataFolder::open_to_look(*config);
    if (!folder && folder.error().code() != Code::kNotFound) return console.failed(folder.error());
    if (folder) {  // else its first extract was stopped: there is nothing to show yet
      auto overview_now = overview(folder->store());
      if (!overview_now) return console.failed(overview_now.error());
      seen = std::move(*overview_now);
      // A store that an older program has left knows nothing of it.
      if (auto told = LineState(folder->store()).credential()) credential = std::move(*told);
      if (auto agreed = see_sharing(*config, folder->store(), command.clock)) sharing = std::move(*agreed);
      constexpr std::size_t kEventsShown = 20;  // a day's
      if (auto recent = recent_events(folder->store(), kEventsShown)) events = std::move(*recent);
    }
  }
  const std::int64_t holder = platform::FolderLock::holder(config->data);
  ServiceSeen service_seen;
  if (service) service_seen = {true, text_at(*service, "config_problem")};
  Health now_health = health(seen, *config, now, command.program(), service_seen, sharing);
  if (const auto reason = about_key(enrolment, credential, *config, now, command.program())) {
    now_health.reasons.insert(now_health.reasons.begin(), *reason);
    now_health.light = std::max(now_health.light, reason->light);
    std::stable_sort(now_health.reasons.begin(), now_health.reasons.end(),
                     [](const Reason& a, const Reason& b) { return a.light > b.light; });
  }
  ordered_json reasons = ordered_json::array();
  for (const Reason& reason : now_health.reasons)
    reasons.push_back({{"light", name(reason.light)}, {"text", reason.text}, {"next", reason.next}});
  if (now_health.reasons.empty()) {
    const std::string withdrawn = sharing.withdrawn_from(kBorough);
    console.line("GREEN: every source read" +
                 (config->hub_url.empty() ? std::string()
                  : withdrawn.empty()
                      ? ", and both ends equal"
                      : "; nothing is shared with the borough (agreement " + withdrawn + " withdrawn)") +
                 (seen.quarantined == 0 ? std::string()
                                        : "; " + counted(seen.quarantined, "row", "rows") +
                                              " in quarantine (" + command.program() + " quarantine list)"));
  } else {
    console.line(std::string(name(now_health.light)) + ": " + now_health.reasons.front().text);
    for (std::size_t i = 1; i < now_health.reasons.size(); ++i)
      console.line("  and " + now_health.reasons[i].text);
  }
  print(command, *config, seen, holder, now);
  print_sharing(console, sharing, now);
  print_key(console, enrolment, credential, now);
  print_service(console, service, now);
  console.line("next: " + (now_health.reasons.empty() ? std::string("nothing to do")
                                                      : lower_first(now_health.reasons.front().next)));
  int code = now_health.light == Light::kGreen ? kFine : kDegraded;
  if (wait_seconds >= 0 && !service) {
    console.error({}, Error(service.error()).advise("Start it: systemctl start towpath"));
    code = kNotRunning;
  }
  ordered_json document{{"schema_version", kSchemaVersion},
                        {"school", config->school_urn},
                        {"name", config->school_name},
                        {"health", name(now_health.light)},
                        {"reasons", std::move(reasons)}};
  document.update(to_json(seen));
  document["sharing"] = sharing_to_json(sharing);
  document["data"] = config->data;
  document["in_use_by"] = holder;
  document["hub"] = config->hub_url;
  document["enrolled"] = key_to_json(enrolment, credential);
  document["config"] = config->file;
  document["service"] = service ? *service : ordered_json(nullptr);
  document["events"] = events_json(events);
  document["exit_code"] = code;
  console.result(document);
  return code;
}

}  // namespace towpath::cli
