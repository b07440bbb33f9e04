#include <map>
#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/words.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

struct Verdict {
  std::string urn;
  Head head;
  std::uint64_t rows = 0;
  std::vector<std::string> differing;  // datasets
  std::optional<Error> error;
  [[nodiscard]] bool good() const { return differing.empty() && !error; }
};

// The tables against what was counted while applying, which every segment's digest confirmed.
Result<void> check(Replica& replica, const Dictionary& dictionary, Verdict& v) {
  TP_TRY(replica.begin_reading());
  v.head = replica.head();
  TP_TRY(replica.database().integrity_check());
  auto states = replica.states();
  if (!states) return fail(std::move(states).error());
  std::map<std::uint16_t, DatasetState> there, counted_before;
  StateDigest total;
  for (const DatasetState& s : *states) {
    there[s.dataset] = s;
    v.rows += s.rows;
  }
  for (const DatasetState& s : replica.running_states()) {
    counted_before[s.dataset] = s;
    total.add(s.digest);
  }
  std::map<std::uint16_t, DatasetState> all = there;
  all.insert(counted_before.begin(), counted_before.end());
  for (const auto& [id, ignored] : all) {
    const auto a = there.find(id), b = counted_before.find(id);
    if (a != there.end() && b != counted_before.end() && a->second == b->second) continue;
    const Dataset* d = dictionary.find(id);
    v.differing.push_back(d != nullptr ? std::string(d->name) : "dataset " + std::to_string(id));
  }
  replica.end_reading();
  if (v.differing.empty() && total.value() != v.head.digest)
    return fail(Code::kDigestDiffers, "the datasets do not add up to the digest of the last segment");
  return {};
}

}  // namespace

int verify(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  if (auto done = look->registry().check(); !done) return console.failed(done.error());
  auto schools = look->registry().schools();
  if (!schools) return console.failed(schools.error());
  bool good = true;
  ordered_json list = ordered_json::array();
  for (const School& school : *schools) {
    auto epochs = look->registry().epoch_numbers(school.urn);
    if (!epochs) return console.failed(epochs.error());
    bool any = false;
    for (const Epoch epoch : *epochs) {
      Verdict v;
      v.urn = school.urn;
      v.head.epoch = epoch;
      auto replica = look->registry().open_to_read(school.urn, epoch);
      if (!replica) {
        v.error = replica.error();
      } else if (!*replica) {
        continue;  // not begun, or just removed
      } else if (auto done = check(**replica, command.dictionary, v); !done) {
        v.error = done.error();
      }
      any = true;
      good = good && v.good();
      std::string line = "school " + v.urn + ", epoch " + std::to_string(v.head.epoch.number) + ", segment " +
                         std::to_string(v.head.seq.number) + ": ";
      if (v.good()) {
        line += counted(v.rows, "row", "rows") + ", digest as the school's" +
                (v.head.complete ? "" : " (loading)");
      } else if (v.error) {
        line += v.error->sentence();
      } else {
        line += "the rows are not those that were received, in";
        for (const std::string& d : v.differing) line += " " + d;
        line +=
            ". Run towpath verify at the school to see the keys, then move the file away: the school's next "
            "exchange sends everything again";
      }
      console.line(line);
      if (console.json() && !v.good()) console.note(line);
      list.push_back({{"urn", v.urn},
                      {"epoch", v.head.epoch.number},
                      {"seq", v.head.seq.number},
                      {"complete", v.head.complete},
                      {"rows", v.rows},
                      {"digest", v.head.digest.hex()},
                      {"good", v.good()},
                      {"differing", v.differing},
                      {"error", v.error ? ordered_json(v.error->sentence()) : ordered_json(nullptr)}});
    }
    if (!any) console.line("school " + school.urn + ": no data yet");
  }
  const int code = good ? kFine : kFailed;
  console.result({{"schema_version", kSchemaVersion},
                  {"good", good},
                  {"replicas", std::move(list)},
                  {"exit_code", code}});
  return code;
}

}  // namespace towpath::hub_cli
