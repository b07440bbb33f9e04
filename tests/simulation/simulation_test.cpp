#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "tests/simulation/shrink.hpp"

using namespace towpath::sim;

namespace {

// Worlds of seeds 1 to `count`, fewer where TOWPATH_SIM_PART says that every n-th is enough (under
// sanitizers, which take several times as long). More of them: towpath-sim.
template <typename Make>
void worlds(std::uint64_t count, Make&& make) {
  const char* text = std::getenv("TOWPATH_SIM_PART");
  const std::uint64_t part = text == nullptr ? 1 : std::max(1ULL, std::strtoull(text, nullptr, 10));
  for (std::uint64_t seed = 1; seed <= count; seed += part) {
    WorldOptions options;
    options.seed = seed;
    make(options);
    options.mishaps = options.usual_mishaps();
    INFO("towpath-sim " << options.text());  // shown where an assertion of the product's own ends the program
    const auto broken = run_world(options);
    if (broken) FAIL_CHECK(*broken);
  }
  SUCCEED();
}

}  // namespace

TEST_CASE("ten schools and a hub end equal, whatever happens to lines and machines") {
  worlds(16, [](WorldOptions&) {});
}

TEST_CASE("ten schools and a hub end equal, whichever mix of mishaps each seed has drawn") {
  worlds(12, [](WorldOptions& options) { options.swarm = true; });
}

TEST_CASE("a first load of several segments is resumed wherever it was cut off") {
  worlds(2, [](WorldOptions& options) {
    options.schools = 1;
    options.days = 3;
    options.pupils = 700;
    options.days_before = 45;
  });
}

TEST_CASE("the same seed makes the same world, event by event; another seed another") {
  WorldOptions options;
  options.schools = 3;
  options.days = 3;
  const auto text = [&](std::uint64_t seed) {
    options.seed = seed;
    World world(options);
    world.run();
    CHECK(world.trace().events().size() > 40);
    return world.trace().text();
  };
  const std::string first = text(2026);
  const std::string other = text(2027);
  CHECK((text(2026) == first));
  CHECK((other != first));
}
