#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/sharing_status.hpp"
#include "hub/cli/words.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

// School PCs drift by minutes; beyond this the rows' times are wrong, and so is the machine's.
constexpr std::chrono::minutes kClockOffMax{10};

// A school exchanges each school day; over a long weekend, from Friday to Tuesday, it is silent
// for less than this. Holidays are longer: then the hub says how long, and leaves it at amber.
constexpr std::chrono::hours kSilenceMax{5 * 24};

enum class Light : std::uint8_t { kGreen, kAmber, kRed };
const char* word(Light light) {
  return light == Light::kGreen ? "GREEN" : light == Light::kAmber ? "AMBER" : "RED";
}

struct Reason {
  Light light;
  std::string text, next;
};

struct SchoolStatus {
  School school;
  std::optional<Instant> heard;
  std::optional<Agent> agent;      // whose key speaks for it; none current: the latest of them
  std::optional<Instant> invited;  // a code is open until then
  std::optional<Head> complete, loading;
  std::uint64_t rows = 0, rows_aside = 0;
  std::size_t fields_aside = 0;
  std::vector<std::pair<std::string, std::uint64_t>> datasets;
  std::optional<Error> error;
};

Result<void> look_at_epochs(Registry& registry, const Dictionary& dictionary, SchoolStatus& s) {
  auto numbers = registry.epoch_numbers(s.school.urn);
  if (!numbers) return fail(std::move(numbers).error());
  for (const Epoch epoch : *numbers) {
    auto replica = registry.open_to_read(s.school.urn, epoch);
    if (!replica) return fail(std::move(replica).error());
    if (!*replica) continue;
    Replica& r = **replica;
    if (!r.head().complete) {
      s.loading = r.head();
      continue;
    }
    s.complete = r.head();
    s.loading.reset();  // an older one; it is about to be removed
    s.rows = 0;
    s.datasets.clear();
    for (const DatasetState& d : r.running_states()) {
      const Dataset* known = dictionary.find(d.dataset);
      s.datasets.emplace_back(
          known != nullptr ? std::string(known->name) : "dataset " + std::to_string(d.dataset), d.rows);
      s.rows += d.rows;
    }
    auto aside = r.rows_aside();
    if (!aside) return fail(std::move(aside).error());
    s.rows_aside = *aside;
    s.fields_aside = r.fields_aside();
  }
  return {};
}

std::string clock_words(std::chrono::milliseconds off) {
  const auto minutes =
      std::chrono::duration_cast<std::chrono::minutes>(off < off.zero() ? -off : off).count();
  return (minutes < 120        ? counted(static_cast<std::uint64_t>(minutes), "minute", "minutes")
          : minutes < 2 * 1440 ? counted(static_cast<std::uint64_t>(minutes / 60), "hour", "hours")
                               : counted(static_cast<std::uint64_t>(minutes / 1440), "day", "days")) +
         (off < off.zero() ? " behind" : " ahead");
}

void judge(const SchoolStatus& s, Instant now, const std::string& program, std::vector<Reason>& reasons) {
  const std::string who = "school " + s.school.urn;
  if (s.error) {
    reasons.push_back({Light::kRed, who + ": " + s.error->what(), s.error->next()});
    return;
  }
  if (s.agent && s.agent->two_machines) {
    reasons.push_back(
        {Light::kRed, who + ": two machines speak with its key",
         "stop one of them, then enrol the other anew: " + program + " school invite " + s.school.urn});
    return;
  }
  if (!s.agent || s.agent->standing != KeyStanding::kCurrent) {
    const std::string why = s.agent ? who + " has no machine that may speak for it (its key was " +
                                          std::string(name(s.agent->standing)) + ")"
                                    : who + " has no machine enrolled yet";
    reasons.push_back({Light::kAmber, why,
                       s.invited ? "at the school: towpath enrol; its code is good until " +
                                       iso(*s.invited).substr(0, 16) + " UTC"
                                 : program + " school invite " + s.school.urn});
    return;
  }
  if (s.agent->clock_off && (*s.agent->clock_off > kClockOffMax || *s.agent->clock_off < -kClockOffMax))
    reasons.push_back({Light::kAmber, who + ": its machine's clock is " + clock_words(*s.agent->clock_off),
                       "set the clock at the school, or switch its time service on"});
  if (!s.heard)
    reasons.push_back(
        {Light::kAmber, who + " has not been heard from yet", "run towpath sync at the school"});
  else if (now - *s.heard > kSilenceMax)
    reasons.push_back({Light::kAmber, who + " was last heard " + age(*s.heard, now),
                       "ask the school for the first line of towpath status"});
  else if (!s.complete)
    reasons.push_back({Light::kAmber, who + " has not sent all of its first load yet",
                       "wait, or run towpath sync at the school"});
}

ordered_json to_json(const SchoolStatus& s) {
  const auto head = [](const std::optional<Head>& h) {
    return h ? ordered_json{{"epoch", h->epoch.number}, {"seq", h->seq.number}, {"digest", h->digest.hex()}}
             : ordered_json(nullptr);
  };
  ordered_json datasets = ordered_json::object();
  for (const auto& [name, rows] : s.datasets) datasets[name] = rows;
  return {{"urn", s.school.urn},
          {"name", s.school.name},
          {"last_heard", s.heard ? ordered_json(iso(*s.heard)) : ordered_json(nullptr)},
          {"agent", s.agent ? agent_json(*s.agent) : ordered_json(nullptr)},
          {"invited_until", s.invited ? ordered_json(iso(*s.invited)) : ordered_json(nullptr)},
          {"complete", s.complete.has_value()},
          {"head", head(s.complete)},
          {"loading", head(s.loading)},
          {"rows", s.rows},
          {"datasets", std::move(datasets)},
          {"rows_aside", s.rows_aside},
          {"fields_aside", s.fields_aside},
          {"error", s.error ? ordered_json(s.error->sentence()) : ordered_json(nullptr)}};
}

std::string line_of(const SchoolStatus& s, Instant now) {
  std::string text = s.school.urn + "  " + s.school.name + ": ";
  if (s.error) return text + "cannot be read";
  text += s.heard ? "heard " + age(*s.heard, now) : std::string("never heard");
  if (!s.agent)
    text += "; not enrolled";
  else if (s.agent->standing != KeyStanding::kCurrent)
    text += "; its key is " + std::string(name(s.agent->standing));
  else if (s.agent->two_machines)
    text += "; TWO MACHINES";
  const auto at = [](const Head& h) {
    return "epoch " + std::to_string(h.epoch.number) + ", segment " + std::to_string(h.seq.number);
  };
  if (s.complete) text += "; " + counted(s.rows, "row", "rows") + " at " + at(*s.complete);
  if (s.loading) text += "; loading " + at(*s.loading);
  if (!s.complete && !s.loading) text += "; no data yet";
  if (s.rows_aside > 0 || s.fields_aside > 0)
    text += "; kept aside for a newer dictionary: " + counted(s.rows_aside, "row", "rows") + ", " +
            counted(s.fields_aside, "field", "fields");
  return text;
}

}  // namespace

int status(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  const Instant now = command.clock.now();
  const bool running = look->server() != 0;
  std::vector<Reason> reasons;
  if (!running)
    reasons.push_back({Light::kRed, "the hub is not running",
                       "towpath-hub --data " + command.data + " serve --listen 127.0.0.1:8440"});
  const std::string program = "towpath-hub --data " + command.data;
  std::string fingerprint;
  if (auto keys = hub_keys(command); keys)
    fingerprint = (*keys)->keys()->front().secret.key().fingerprint();
  else
    reasons.push_back({Light::kRed, keys.error().what(), keys.error().next()});
  auto url = look->registry().url();
  if (!url) return console.failed(url.error());
  auto agents = look->registry().agents().all();
  if (!agents) return console.failed(agents.error());
  auto invited = look->registry().agents().open_invitations(now);
  if (!invited) return console.failed(invited.error());
  auto schools = look->registry().schools();
  if (!schools) return console.failed(schools.error());
  if (schools->empty())
    reasons.push_back({Light::kAmber, "no school is registered",
                       "towpath-hub --data " + command.data + " school add URN --name \"...\""});
  std::vector<SchoolStatus> all;
  for (School& school : *schools) {
    SchoolStatus s;
    s.school = std::move(school);
    auto heard = look->registry().last_heard(s.school.urn);
    if (!heard) return console.failed(heard.error());
    s.heard = *heard;
    for (const Agent& a : *agents)  // a school's current key, or its latest, is its first
      if (a.urn == s.school.urn && !s.agent) s.agent = a;
    for (const Invited& i : *invited)
      if (i.urn == s.school.urn) s.invited = i.expires;
    if (auto done = look_at_epochs(look->registry(), command.dictionary, s); !done) s.error = done.error();
    judge(s, now, program, reasons);
    all.push_back(std::move(s));
  }
  auto sharing = sharing_matters(look->registry(), command);
  if (!sharing) return console.failed(sharing.error());
  for (const SharingMatter& m : *sharing) reasons.push_back({Light::kAmber, m.text, m.next});

  Light light = Light::kGreen;
  for (const Reason& r : reasons) light = std::max(light, r.light);
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.light > b.light; });
  const int code = !running ? kNotRunning : light == Light::kGreen ? kFine : kDegraded;
  if (reasons.empty())
    console.line("GREEN: running as process " + std::to_string(look->server()) + "; " +
                 counted(all.size(), "school", "schools") + ", each complete and heard from");
  else
    console.line(std::string(word(light)) + ": " + reasons.front().text);
  // The lines below show each school; a few reasons are enough here.
  constexpr std::size_t kReasonsShown = 5;
  for (std::size_t i = 1; i < std::min(reasons.size(), kReasonsShown); ++i)
    console.line("  and " + reasons[i].text);
  if (reasons.size() > kReasonsShown)
    console.line("  and " + number(reasons.size() - kReasonsShown) + " more");
  ordered_json list = ordered_json::array(), why = ordered_json::array();
  for (const SchoolStatus& s : all) {
    console.line(line_of(s, now));
    list.push_back(to_json(s));
  }
  for (const Reason& r : reasons)
    why.push_back({{"light", word(r.light)}, {"text", r.text}, {"next", r.next}});
  console.line("next: " + (reasons.empty() ? std::string("nothing to do") : reasons.front().next));
  console.result({{"schema_version", kSchemaVersion},
                  {"health", word(light)},
                  {"reasons", std::move(why)},
                  {"running", running},
                  {"pid", running ? ordered_json(look->server()) : ordered_json(nullptr)},
                  {"version", command.software},
                  {"dictionary_version", command.dictionary.version},
                  {"data", command.data},
                  {"hub_key", fingerprint.empty() ? ordered_json(nullptr) : ordered_json(fingerprint)},
                  {"url", *url},
                  {"schools", std::move(list)},
                  {"sharing", to_json(*sharing)},
                  {"exit_code", code}});
  return code;
}

}  // namespace towpath::hub_cli
