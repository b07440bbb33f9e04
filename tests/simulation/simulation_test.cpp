#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "tests/simulation/shrink.hpp"

using namespace towpath::sim;

namespace {

// TOWPATH_SIM_SEED=7 runs that seed, TOWPATH_SIM_SEEDS=1..2000 those; otherwise `usual`.
struct Seeds {
  std::uint64_t first, last;
};

std::optional<std::uint64_t> number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::nullopt : std::optional(std::strtoull(text, nullptr, 10));
}

Seeds seeds_or(Seeds usual) {
  if (const auto one = number("TOWPATH_SIM_SEED")) return {*one, *one};
  if (const char* range = std::getenv("TOWPATH_SIM_SEEDS")) {
    char* end = nullptr;
    const std::uint64_t first = std::strtoull(range, &end, 10);
    const std::string_view rest = end;
    if (rest.starts_with("..")) return {first, std::strtoull(end + 2, nullptr, 10)};
    return {1, first};
  }
  return usual;
}

}  // namespace

TEST_CASE("ten schools and a hub end equal, whatever happens to lines and machines") {
  const Seeds seeds = seeds_or({1, 40});
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    WorldOptions options;
    options.seed = seed;
    INFO(options.text());  // shown where an assertion of the product's own ends the program
    const auto broken = run_world(options);
    if (broken) FAIL_CHECK(*broken);
  }
  SUCCEED();
}

TEST_CASE("a first load of several segments is resumed wherever it was cut off") {
  const Seeds seeds = seeds_or({1, 2});
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    WorldOptions options;
    options.seed = seed;
    options.schools = 1;
    options.days = 3;
    options.pupils = 700;
    options.days_before = 45;
    INFO(options.text());  // shown where an assertion of the product's own ends the program
    const auto broken = run_world(options);
    if (broken) FAIL_CHECK(*broken);
  }
  SUCCEED();
}

TEST_CASE("the same seed makes the same world, event by event; another seed another") {
  WorldOptions options;
  options.schools = 4;
  options.days = 4;
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
