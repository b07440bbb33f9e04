#include "tests/simulation/world.hpp"

#include <algorithm>
#include <utility>

#include "tests/simulation/sim_vfs.hpp"
#include "tests/versions/other_dictionary.hpp"

namespace towpath::sim {
namespace {

// A machine that is started again and again has to come up in the end: faults are drawn, not forced.
constexpr int kStartsMax = 100;

// What programs knew before: a dataset less, a text, a date and a code. Not of the pledge: what an older
// program may do with that is tests/versions' matter.
const Dictionary& older_dictionary() {
  static versions::OtherDictionary older(built_in_dictionary().version - 1);
  [[maybe_unused]] static const bool made = [] {
    older.without("fsm")
        .without("pupil", "MiddleNames")
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
  return text + mishaps.text(usual_mishaps());
}

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed, "world"),
      versions_(options.seed, "versions"),
      hub_(options.seed, time_, trace_, first_dictionary(Mishap::kHubUpgrade)) {
  if (options.print) trace_.print_all();
}

const Dictionary& World::first_dictionary(Mishap older) {
  return options_.mishaps.strikes(older, versions_) ? older_dictionary() : built_in_dictionary();
}

void World::about(std::optional<unsigned> school) {
  in_hand_ = school;
  trace_.about("day " + std::to_string(day_) + (school ? " school " + std::to_string(*school) : ""));
}

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
    schools_.push_back(
        std::make_unique<SimSite>(school,
                                  std::make_unique<SimSchool>(urn_of(i), school, time_, hub_, trace_,
                                                              first_dictionary(Mishap::kSchoolUpgrade)),
                                  trace_));
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
  const Mishaps& mishaps = options_.mishaps;
  if (random_.chance(30) && mishaps.rate(Mishap::kHubBack) > 0 && !hub_.down()) hub_.back_up();
  if (mishaps.strikes(Mishap::kHubBack, random_) && hub_.set_back())
    for (const auto& school : schools_) school->hub_set_back();
  if (mishaps.strikes(Mishap::kHubRotate, random_)) hub_.rotate_key();
  const auto upgrade_due = [&] { return versions_.chance(20); };
  if (&hub_.dictionary() != &built_in_dictionary() && upgrade_due()) hub_.upgrade(built_in_dictionary());
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(numbers_[i]);
    if (!schools_[i]->knows(built_in_dictionary()) && upgrade_due())
      schools_[i]->upgrade(built_in_dictionary());
  }
  about({});
  std::vector<std::size_t> busy;
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    schools_[i]->begin_day();
    busy.push_back(i);
  }
  while (!busy.empty()) {
    about({});
    if (hub_.down() && random_.chance(60)) hub_.start();
    if (mishaps.strikes(Mishap::kHubRest, random_) && !hub_.down()) {
      trace_.event("hub: power cut at rest");
      hub_.disk().stop(Fault::kPowerCut);
    }
    const std::size_t at = random_.below(busy.size());
    const std::size_t i = busy[at];
    about(numbers_[i]);
    const bool did = schools_[i]->turn();
    if (!did) busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void World::settle() {
  about({});
  trace_.event("no faults from here on");
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
    if (i == kStartsMax) throw Broken("the hub does not come up");
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
}

std::uint64_t World::syncs() const {
  std::uint64_t n = 0;
  for (const auto& s : schools_) n += s->syncs();
  return n;
}

Outcome World::outcome() const {
  Outcome outcome;
  outcome.place = trace_.about();
  outcome.before = trace_.last();
  outcome.day = day_;
  outcome.school = in_hand_;
  outcome.trace_hash = trace_.hash();
  outcome.events = trace_.events();
  outcome.syncs = syncs();
  return outcome;
}

Outcome live(const WorldOptions& options) {
  World world(options);
  std::optional<std::string> broke;
  try {
    world.run();
  } catch (const std::exception& broken) {
    broke = broken.what();
  }
  Outcome outcome = world.outcome();
  outcome.broke = std::move(broke);
  return outcome;
}

}  // namespace towpath::sim
