#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "tests/simulation/federation/world.hpp"

using namespace towpath::sim::fed;

namespace {

// Fewer where TOWPATH_SIM_PART says that every n-th is enough (under sanitizers). More: towpath-fed-sim.
void worlds(std::uint64_t first, std::uint64_t last, bool swarm) {
  const char* text = std::getenv("TOWPATH_SIM_PART");
  const std::uint64_t part = text == nullptr ? 1 : std::max(1ULL, std::strtoull(text, nullptr, 10));
  for (std::uint64_t seed = first; seed <= last; seed += part) {
    WorldOptions options;
    options.seed = seed;
    options.swarm = swarm;
    options.mishaps = options.usual_mishaps();
    INFO("towpath-fed-sim " << options.text());
    const Outcome outcome = live(options);
    if (outcome.broke) FAIL_CHECK(report(options, outcome));
  }
  SUCCEED();
}

}  // namespace

TEST_CASE("schools of federations have what was agreed and no more, whatever happens to lines and machines") {
  worlds(21, 30, false);
}

TEST_CASE("what was recalled is gone everywhere, whichever mix of mishaps each seed has drawn") {
  worlds(53, 58, true);
}

TEST_CASE("the same seed makes the same federations, event by event; another seed others") {
  const auto hash = [](std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.schools = 3;
    options.days = 4;
    const Outcome outcome = live(options);
    CHECK(outcome.events.size() > 40);
    return outcome.trace_hash;
  };
  const std::uint64_t first = hash(2026);
  CHECK(hash(2026) == first);
  CHECK(hash(2027) != first);
}
