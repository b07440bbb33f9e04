// The service's loop over the true exchange: its tasks do the real work (perform), on real data folders, and
// speak over a line with mishaps to the real hub on a simulated disk. A month; nobody lends a hand, but for
// approving the borough's agreement once it is there.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "agent/school/data_folder.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/service/loop.hpp"
#include "agent/service/perform.hpp"
#include "agent/store/overview.hpp"
#include "agent/uplink/enrol.hpp"
#include "dictionary/dictionary.hpp"
#include "tests/service/worlds.hpp"
#include "tests/simulation/sim_hub.hpp"
#include "tests/simulation/sim_keys.hpp"
#include "tests/simulation/sim_link.hpp"

namespace towpath::sim {
namespace {

using namespace std::chrono_literals;

const std::string kAgreement =
    "id = \"borough-2026\"\nversion = 1\ntitle = \"Everything\"\naudience = \"borough\"\nstart = 2026-09-01\n"
    "end = 2027-08-31\nreview = 2027-08-31\ntext = \"Signed\"\ncontrollers = \"controller-to-controller\"\n"
    "purpose = \"Testing\"\nlawful_basis = \"Article 6(1)(e)\"\nspecial_basis = \"Article 9(2)(g)\"\n"
    "grants = [\"ROLL\", \"ATT-CAT\", \"ATT-CODE\", \"CHAR-BASIC\", \"PLEDGE\"]\nnamed_roles = "
    "[\"Officer\"]\n"
    "frequency = \"Daily\"\nmethod = \"towpath\"\ndisposal = \"towpath\"\nonward_sharing = \"None\"\n"
    "subject_rights_contact = \"a\"\nbreach_contact = \"b\"\n[pupils]\nscope = \"everyone\"\n"
    "[[party]]\nname = \"Borough\"\nrole = \"controller\"\n"
    "[[party]]\nurn = 100001\nname = \"School\"\nrole = \"controller\"\n"
    "[[party]]\nurn = 100002\nname = \"School\"\nrole = \"controller\"\n";

// The product's own idea of a day comes from the environment; without tzdata, too.
void go_to_london() {
  ::setenv("TZ", "GMT0BST,M3.5.0/1,M10.5.0", 1);
  ::tzset();
}

struct School {
  School(const std::filesystem::path& folder, std::string name, std::uint64_t seed, SimHub& hub,
         SimTime& time, Trace& trace)
      : urn(std::move(name)),
        disk(SimRandom(seed, urn + " keys")),
        keys(disk, [&hub](PartySecret secret) { hub.remember(std::move(secret)); }),
        healthy(urn, hub, SimRandom(seed, urn + " line"), time, trace, Mishaps::none(), 90),
        troubled(urn, hub, SimRandom(seed, urn + " bad line"), time, trace, Mishaps(), 90) {
    const std::filesystem::path file = folder / (urn + ".toml");
    std::ofstream(file) << "[school]\nurn = " << urn << "\nname = \"School\"\n[agent]\ndata = \"" << urn
                        << "\"\nmin_free_mb = 1\n[hub]\nurl = \"https://hub.example\"\n[[source]]\n"
                        << "name = \"mis\"\nkind = \"demo\"\nphase = \"primary\"\npupils = 30\nseed = "
                        << seed << "\n";
    auto read = cli::load(file.string(), Paths::kMustExist);
    INFO((read ? std::string() : read.error().front().sentence(file.string())));
    REQUIRE(read);
    config = std::make_shared<const AgentConfig>(std::move(*read));
  }
  std::string urn;
  SimDisk disk;
  SimKeys keys;
  SimLink healthy, troubled;
  Instant away{};  // until then nobody answers
  bool mended = false;
  bool decided = false;  // it has approved what the hub offers
  std::shared_ptr<const AgentConfig> config;
};

// What an exchange of the service speaks over.
class Wire final : public Transport {
 public:
  Wire(School& school, SimHub& hub, const SimTime& time) : school_(school), hub_(hub), time_(time) {}
  Result<Reply> exchange(ByteView body) override {
    if (time_.now < school_.away) return fail(Code::kTransport, "no answer");
    if (hub_.down() && !hub_.start()) return fail(Code::kTransport, "no answer");
    return link().exchange(body);
  }
  [[nodiscard]] std::uint64_t bytes_sent() const override { return link().bytes_sent(); }
  [[nodiscard]] std::uint64_t bytes_received() const override { return link().bytes_received(); }

 private:
  [[nodiscard]] SimLink& link() const { return school_.mended ? school_.healthy : school_.troubled; }
  School& school_;
  SimHub& hub_;
  const SimTime& time_;
};

struct Month final : Worker, Visitors {
  explicit Month(std::uint64_t seed)
      : random(seed, "month"), chance(seed, "service"), hub(seed, time, trace, built_in_dictionary()) {
    go_to_london();
    // In memory where that can be: a month's commits wait for a real disk some ten thousand times.
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    folder = (memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) /
             "towpath-month-XXXXXX";
    std::string made = folder.string();
    REQUIRE(::mkdtemp(made.data()) != nullptr);
    folder = made;
    REQUIRE(hub.start());
    for (const char* urn : {"100001", "100002"}) {
      hub.add_school(urn);
      schools.push_back(std::make_unique<School>(folder, urn, seed, hub, time, trace));
      enrol(*schools.back());
    }
    hub.offer(kAgreement);
    begin();
  }
  ~Month() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void enrol(School& school) {
    const auto code = hub.invite(school.urn);
    REQUIRE(code);
    auto data = cli::DataFolder::open_to_work(*school.config);
    REQUIRE(data);
    LineState line(data->store());
    const auto enrolled = towpath::enrol(*code, "month", speaker(cli::exchange_options(*school.config)),
                                         school.keys, line, school.healthy, clock, chance);
    INFO((enrolled ? std::string() : enrolled.error().sentence()));
    REQUIRE(enrolled);
  }
  // What a person at the school does once: reads what the service has fetched, and approves it. The service
  // runs.
  void decide(School& school) {
    if (school.decided || !cli::has_store(*school.config)) return;
    auto data = cli::DataFolder::open_to_work(*school.config);
    auto identity = Identity::load(school.keys);
    REQUIRE(data);
    REQUIRE(identity);
    Sharing sharing(data->store(), clock, cli::sharing_options(*school.config, &*identity, "towpath"));
    const auto offers = sharing.offers();
    REQUIRE(offers);
    if (offers->empty()) return;
    REQUIRE(sharing.approve(offers->back(), "Head teacher"));
    school.decided = true;
  }
  // The service, with what the stores remember.
  void begin() {
    journal.emplace([](const std::string&) {});
    loop = std::make_unique<Loop>(Loop::Parts{wall, chance, *this, *this, *journal, "towpath", {}, {}, 1h},
                                  time.now);
    for (const auto& school : schools) loop->put(school->config, true, remembered(*school->config), time.now);
  }
  void run_until(Instant then) {
    while (time.now < then) {
      const Instant next = loop->step(time.now);
      if (end) {
        ++(end->ending == Ending::kDone || end->ending == Ending::kNotNeeded ? fine : failed);
        loop->ended(*std::exchange(end, std::nullopt), time.now);
        for (const auto& school : schools) decide(*school);
      } else {
        time.now = std::min(next, then);
      }
    }
  }
  [[nodiscard]] bool free() const override { return true; }
  [[nodiscard]] std::string moves() const override { return {}; }
  void start(Task task) override {
    const auto school = std::find_if(schools.begin(), schools.end(),
                                     [&](const auto& one) { return one->config->file == task.config->file; });
    REQUIRE(school != schools.end());
    end =
        perform(task, {clock, chance},
                [&](const AgentConfig& config, Clock&, Random& any, const StopFlag*) -> Result<cli::Uplink> {
                  cli::Uplink uplink;
                  uplink.options = cli::exchange_options(config);
                  auto identity = Identity::load((*school)->keys);
                  if (!identity) return fail(std::move(identity).error());
                  uplink.identity = std::make_unique<Identity>(std::move(*identity));
                  uplink.peer = std::make_unique<HubPeer>(*uplink.identity, any);
                  uplink.transport = std::make_unique<Wire>(**school, hub, time);
                  return uplink;
                });
  }
  void say(std::uint64_t, const std::string&, bool) override {}
  // Nothing waits at the school, and the hub says the same as its store.
  [[nodiscard]] bool equal(const School& school) {
    auto data = cli::DataFolder::open_to_look(*school.config);
    REQUIRE(data);
    const auto seen = overview(data->store());
    REQUIRE(seen);
    REQUIRE(seen->streams.size() == 1);
    const StreamOverview& stream = seen->streams.front();
    return stream.equal && stream.waiting_segments == 0 && !stream.pending &&
           hub.newest(school.urn) == stream.head;
  }

  SimTime time;
  SimClock clock{time};
  SimRandom random, chance;
  Trace trace;
  SimHub hub;
  LondonTime wall;
  std::filesystem::path folder;
  std::vector<std::unique_ptr<School>> schools;
  std::optional<Journal> journal;
  std::unique_ptr<Loop> loop;
  std::optional<TaskEnd> end;
  unsigned fine = 0, failed = 0;
};

}  // namespace

TEST_CASE(
    "after a month of bad lines the service itself brings both ends together within an hour and a half") {
  Month month(2026);
  const auto at = [&](int day, int minute) {
    return month.wall.at(*Date::parse("2026-09-07"), minute) + day * 24h;
  };
  for (int day = 0; day < 24; ++day) {
    for (const auto& school : month.schools)
      if (month.random.chance(20)) school->away = at(day, 0) + month.random.between(1, 70) * 1h;
    month.run_until(at(day, static_cast<int>(month.random.below(1400))));
    if (month.random.chance(30)) month.begin();  // a restart
  }
  // One school's line was gone for the days before; what was read then waits.
  month.schools.front()->away = at(24, 600);
  month.run_until(at(24, 600));  // Thursday, ten o'clock
  CHECK(month.failed > 20);
  CHECK_FALSE(month.equal(*month.schools.front()));
  for (const auto& school : month.schools) school->mended = true;
  month.run_until(at(24, 690));
  for (const auto& school : month.schools) CHECK(month.equal(*school));
  // And so it goes on with what comes new.
  std::vector<Head> before;
  for (const auto& school : month.schools) before.push_back(*month.hub.newest(school->urn));
  month.run_until(at(25, 720));
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(month.equal(*month.schools[i]));
    CHECK(month.hub.newest(month.schools[i]->urn)->seq.number > before[i].seq.number);
  }
  month.hub.check_whole({"100001", "100002"});
}

}  // namespace towpath::sim
