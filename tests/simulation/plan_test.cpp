#include "tests/simulation/plan.hpp"

#include <catch2/catch.hpp>
#include <iterator>
#include <sstream>

using namespace towpath;
using namespace towpath::sim;

namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

WorldOptions world_of(const std::string& text) {
  const auto plan = read_plan(words(text));
  REQUIRE(plan);
  REQUIRE(plan->first);
  return plan->world(*plan->first);
}

}  // namespace

TEST_CASE("the options that a report begins with make the same world again") {
  SimRandom random(2026, "plan");
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    WorldOptions options;
    options.seed = seed;
    options.swarm = random.chance(50);
    options.mishaps = options.usual_mishaps();
    options.days = static_cast<unsigned>(random.between(1, 30));
    options.schools = static_cast<unsigned>(random.between(1, 12));
    for (unsigned i = 0; i < options.schools; ++i)
      if (random.chance(20)) options.only_schools.push_back(i);
    if (random.chance(30)) options.pupils = random.between(1, 700);
    if (random.chance(30)) options.days_before = static_cast<int>(random.between(0, 40));
    // As a shrinking world's: groups and single ones left out, some at another rate.
    const unsigned mood = static_cast<unsigned>(random.between(0, 100));
    for (const std::string_view group : Mishaps::groups())
      if (random.chance(mood)) CHECK(options.mishaps.set(group, 0));
    for (const MishapKind& kind : kMishaps)
      if (random.chance(mood / 2))
        CHECK(options.mishaps.set(kind.name,
                                  random.chance(70) ? 0 : static_cast<unsigned>(random.below(1000))));
    INFO(options.text());
    CHECK(world_of(options.text()) == options);
  }
}

TEST_CASE("mishaps are left out and set by name or group, on the usual rates or a seed's own mix") {
  CHECK(world_of("--seed 3").mishaps == Mishaps());
  CHECK(world_of("--seed 3 --swarm").mishaps == Mishaps::swarm(3));
  CHECK(world_of("--seed 3 --swarm --only-faults none").mishaps == Mishaps::none());
  const Mishaps few =
      world_of("--seed 3 --only-faults hub,line.cut --without hub.kill --fault line.lost=7").mishaps;
  CHECK(few.rate(Mishap::kHubKill) == 0);
  CHECK(few.rate(Mishap::kHubPower) == kind_of(Mishap::kHubPower).usual);
  CHECK(few.rate(Mishap::kLineCut) == kind_of(Mishap::kLineCut).usual);
  CHECK(few.rate(Mishap::kLineLost) == 7);
  CHECK(few.rate(Mishap::kLinePage) == 0);
  CHECK(world_of("--seed 3 --fault line.lost=1 --fault line.cut=2").mishaps.rate(Mishap::kLineCut) == 2);
}

TEST_CASE("a command line that makes no sense is told in a sentence") {
  for (const char* text : {"", "--seeds 5..2", "--seeds 5-7", "--seed x", "--seed 1 --fault line.lost",
                           "--seed 1 --fault line.lost=1001", "--seed 1 --without rain", "--seed 1 --only 10",
                           "--seed 1 --schools 0", "--seed 1 --only-faults rain", "--speed 3"}) {
    INFO(text);
    const auto plan = read_plan(words(text));
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code() == Code::kUsage);
  }
  const auto many = read_plan(words("--seeds 5..7"));
  REQUIRE(many);
  CHECK((many->first == 5 && many->count == 3));
}
