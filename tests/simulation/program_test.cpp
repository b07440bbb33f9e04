#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "tests/simulation/world.hpp"

using namespace towpath::sim;

// The program as a person runs it.
namespace {

struct Ran {
  int code = -1;
  std::string said;
};

Ran run(const std::string& options) {
  const char* bin = std::getenv("TOWPATH_BIN");
  REQUIRE(bin != nullptr);
  std::FILE* pipe = popen((std::string(bin) + "/towpath-sim " + options + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ran ran;
  std::array<char, 4096> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe))
    ran.said.append(piece.data(), n);
  const int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("the same seed makes the same events in every process, byte for byte, whatever was lived before") {
  const std::string options = "--seed 2026 --schools 4 --days 4 --swarm";
  // Without the last line, which tells of real time.
  const auto events_of = [&] {
    const Ran ran = run(options + " --print");
    CHECK(ran.code == 0);
    return ran.said.substr(0, ran.said.rfind('\n', ran.said.size() - 2) + 1);
  };
  const std::string events = events_of();
  CHECK(std::count(events.begin(), events.end(), '\n') > 40);
  CHECK((events_of() == events));
  // In this process, behind another world.
  WorldOptions world;
  world.schools = world.days = 4;
  world.swarm = true;
  for (world.seed = 2025; world.seed <= 2026; ++world.seed) {
    world.mishaps = world.usual_mishaps();
    World here(world);
    here.run();
    if (world.seed == 2026) CHECK((here.trace().text() == events));
    if (world.seed == 2025) CHECK((here.trace().text() != events));
  }
}

TEST_CASE("a world that ends in an assertion is told of with its seed, made smaller, and ends no other") {
  const Ran ran = run("--seeds 1..3 --schools 1 --days 1 --assert-at 10");
  INFO(ran.said);
  CHECK(ran.code == 1);
  for (const char* seed : {"--seed 1 ", "--seed 2 ", "--seed 3 "}) CHECK(mentions(ran.said, seed));
  CHECK(mentions(ran.said, "the program ends by signal"));
  CHECK(mentions(ran.said, "events().size()"));  // the assertion's own words
  CHECK(mentions(ran.said, "--only-faults none"));
  CHECK(mentions(ran.said, "request of"));  // what happened before it
  CHECK(mentions(ran.said, "3 seeds, 3 broken"));

  const Ran first = run("--seeds 1..3 --schools 1 --days 1 --assert-at 10 --stop-at-first --no-shrink");
  CHECK(first.code == 1);
  CHECK(mentions(first.said, "1 seeds, 1 broken"));
}

TEST_CASE("towpath-sim ends with 0 where all held and with 2 where it was asked for nonsense") {
  const Ran held = run("--seeds 1..2 --schools 2 --days 2 --jobs 2 --trace-hash");
  INFO(held.said);
  CHECK(held.code == 0);
  CHECK(mentions(held.said, "seed 1: "));
  CHECK(mentions(held.said, "2 seeds, 0 broken, 8 school-days"));
  CHECK(run("--seed 1 --speed 3").code == 2);
  CHECK(run("--help").code == 0);
  const Ran listed = run("--list-faults");
  for (const MishapKind& kind : kMishaps) CHECK(mentions(listed.said, std::string(kind.says)));
}
