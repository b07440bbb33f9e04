#include "tests/simulation/world.hpp"

#include <algorithm>
#include <utility>

#include "tests/simulation/sim_vfs.hpp"
#include "tests/versions/other_dictionary.hpp"

namespace towpath::sim {
namespace {

// A machine that is started again and again has to come up in the end: faults are drawn, not forced.
constexpr int kStartsMax = 100;
constexpr std::size_t kNobody = ~std::size_t{0};

// What programs knew before: a dataset less, two texts (one of which stays in the school), a date and a code.
// Not of the pledge: what an older program may do with that is tests/versions' matter.
const Dictionary& older_dictionary() {
  static versions::OtherDictionary older(built_in_dictionary().version - 1);
  [[maybe_unused]] static const bool made = [] {
    older.without("fsm")
        .without("pupil", "MiddleNames")
        .without("pupil", "PreferredForename")
        .without("enrolment", "LeavingDate")
        .without_code("attendance", "M");
    return true;
  }();
  return older.get();
}

std::string urn_of(unsigned school) { return std::to_string(100'001 + school); }

}  // namespace

std::string WorldOptions::text() const {
  std::string text = "--seed " + std::to_string(seed) + " --schools " + std::to_string(schools) + " --days " +
                     std::to_string(days);
  for (std::size_t i = 0; i < only_schools.size(); ++i)
    text += (i == 0 ? " --only " : ",") + std::to_string(only_schools[i]);
  if (pupils > 0) text += " --pupils " + std::to_string(pupils);
  if (days_before != 1) text += " --days-before " + std::to_string(days_before);
  if (swarm) text += " --swarm";
  if (assert_at > 0) text += " --assert-at " + std::to_string(assert_at);
  return text + mishaps.text(usual_mishaps());
}

World::World(const WorldOptions& options, const Watching& watching)
    : options_(options),
      also_(watching.also),
      random_(options.seed, "world"),
      hub_(options.seed, time_, trace_, first_dictionary(Mishap::kHubUpgrade, "the hub")) {
  if (options.print) trace_.print_all();
  trace_.each = [this, each = watching.each](const Event& event) {
    if (each) each(event);
    TP_ASSERT(options_.assert_at == 0 || trace_.events().size() < options_.assert_at);
  };
}

const Dictionary& World::first_dictionary(Mishap older, const std::string& whose) {
  SimRandom random(options_.seed, "version of " + whose);
  if (!options_.mishaps.strikes(older, random)) return built_in_dictionary();
  trace_.mishap(older);
  return older_dictionary();
}

void World::about(std::optional<unsigned> school) { trace_.about(day_, school); }

void World::run() {
  seed_sqlite(static_cast<unsigned>(options_.seed));
  about({});
  if (!hub_.start()) throw Broken("the hub cannot be made");
  for (unsigned i = 0; i < options_.schools; ++i) {
    const auto& only = options_.only_schools;
    if (!only.empty() && std::find(only.begin(), only.end(), i) == only.end()) continue;
    numbers_.push_back(i);
    about(i);
    SimSchool::Options school;
    school.seed = options_.seed;
    school.mishaps = options_.mishaps;
    school.pupils = options_.pupils;
    school.days_before = options_.days_before;
    hub_.add_school(urn_of(i));
    schools_.push_back(std::make_unique<SimSite>(
        school,
        std::make_unique<SimSchool>(urn_of(i), school, time_, hub_, trace_,
                                    first_dictionary(Mishap::kSchoolUpgrade, urn_of(i))),
        hub_, trace_));
  }
  while (day_ < options_.days) {
    ++day_;
    live_day();
  }
  settle();
}

void World::live_day() {
  time_.pass(std::chrono::hours{24});
  about({});
  // A day's chance does not hang on what the days and schools before it have drawn: leaving one out
  // changes little of the others.
  random_ = SimRandom(options_.seed, "world day " + std::to_string(day_));
  const Mishaps& mishaps = options_.mishaps;
  if (random_.chance(30) && mishaps.rate(Mishap::kHubBack) > 0 && !hub_.down()) hub_.back_up();
  const bool set_back = mishaps.strikes(Mishap::kHubBack, random_);
  if (set_back && hub_.set_back()) {
    trace_.mishap(Mishap::kHubBack);
    for (const auto& school : schools_) school->hub_set_back();
  }
  if (mishaps.strikes(Mishap::kHubRotate, random_)) {
    trace_.mishap(Mishap::kHubRotate);
    hub_.rotate_key();
  }
  const bool far = random_.chance(40);
  if (mishaps.strikes(Mishap::kHubClock, random_))
    trace_.mishap(Mishap::kHubClock, hub_.clock().jump_somewhere(random_, far));
  const std::size_t whose = random_.below(options_.schools);
  if (mishaps.strikes(Mishap::kHubFile, random_))
    for (std::size_t i = 0; i < schools_.size(); ++i)
      if (numbers_[i] == whose) {
        trace_.mishap(Mishap::kHubFile, "school " + std::to_string(whose));
        hub_.lose_files(schools_[i]->urn());
        schools_[i]->hub_set_back();
      }
  hub_.disk().on_change = nullptr;
  const auto each = std::chrono::milliseconds{random_.skewed(5000)};
  if (mishaps.strikes(Mishap::kHubSlow, random_)) {
    trace_.mishap(Mishap::kHubSlow, std::to_string(each.count()) + " ms");
    hub_.disk().on_change = [this, each] { time_.pass(each); };
  }
  SimRandom versions(options_.seed, "versions day " + std::to_string(day_));
  const bool hub_upgrade = versions.chance(20);
  if (&hub_.dictionary() != &built_in_dictionary() && hub_upgrade) hub_.upgrade(built_in_dictionary());
  // In the order of --only's numbers, those left out as well: whose turn it is does not hang on them.
  std::vector<std::size_t> of(options_.schools, kNobody);
  std::vector<bool> upgrade;
  while (upgrade.size() < of.size()) upgrade.push_back(versions.chance(20));
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(numbers_[i]);
    if (!schools_[i]->knows(built_in_dictionary()) && upgrade[numbers_[i]])
      schools_[i]->upgrade(built_in_dictionary());
    schools_[i]->begin_day();
    of[numbers_[i]] = i;
  }
  std::size_t busy = schools_.size();
  while (busy > 0) {
    about({});
    const bool starts = random_.chance(60);
    if (hub_.down() && starts) hub_.start();
    if (mishaps.strikes(Mishap::kHubRest, random_) && !hub_.down()) {
      trace_.mishap(Mishap::kHubRest);
      hub_.disk().stop(Fault::kPowerCut);
    }
    const std::size_t number = random_.below(of.size());
    const std::size_t i = of[number];
    if (i == kNobody) continue;
    about(static_cast<unsigned>(number));
    const bool did = schools_[i]->turn();
    if (also_) also_(trace_);
    if (did) continue;
    of[number] = kNobody;
    --busy;
  }
}

void World::settle() {
  about({});
  trace_.event("no faults from here on");
  hub_.disk().on_change = nullptr;
  become_equal();
  // Who is still older than the others is replaced as well; what was kept aside is there then.
  bool newer = &hub_.dictionary() != &built_in_dictionary();
  if (newer) hub_.upgrade(built_in_dictionary());
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(numbers_[i]);
    if (newer) schools_[i]->check_equal();
    if (schools_[i]->knows(built_in_dictionary())) continue;
    schools_[i]->upgrade(built_in_dictionary());
    newer = true;
  }
  about({});
  if (newer) become_equal();
}

void World::become_equal() {
  for (int i = 0; hub_.down(); ++i) {
    if (i == kStartsMax) throw Broken(Promise::kLive, "the hub does not come up");
    hub_.start();
  }
  ++day_;
  std::vector<std::string> urns;
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(numbers_[i]);
    schools_[i]->settle();
    urns.push_back(schools_[i]->urn());
  }
  // What one school's sync did must not have touched another's rows.
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(numbers_[i]);
    schools_[i]->check_equal();
  }
  about({});
  hub_.check_whole(urns);
  if (also_) also_(trace_);
}

Outcome World::outcome() const {
  Outcome outcome;
  outcome.where = trace_.here();
  outcome.events = trace_.events();
  outcome.trace_hash = trace_.hash();
  for (const auto& school : schools_) outcome.syncs += school->syncs();
  return outcome;
}

Outcome live(const WorldOptions& options, const Watching& watching) {
  World world(options, watching);
  std::optional<std::string> broke;
  Promise promise = Promise::kSound;
  try {
    world.run();
  } catch (const Broken& broken) {
    broke = broken.what();
    promise = broken.promise;
  } catch (const std::exception& thrown) {
    broke = std::string("an exception: ") + thrown.what();
  }
  Outcome outcome = world.outcome();
  outcome.broke = std::move(broke);
  outcome.promise = promise;
  return outcome;
}

}  // namespace towpath::sim
