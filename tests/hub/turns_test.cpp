#include "hub/registry/turns.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <deque>
#include <map>

using namespace towpath;
using namespace std::chrono_literals;

namespace {

BundleId bundle(std::uint64_t n) {
  BundleId id;
  for (int i = 0; i < 8; ++i)
    id.uuid.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(n >> (8 * i));
  return id;
}

// The books of one key, as the registry keeps them in its tables.
struct Books {
  TurnState state;
  std::map<std::uint64_t, BundleId> turns;
  std::map<std::uint64_t, std::uint64_t> former;
  Instant now = *parse_instant("2026-11-23T08:15:00Z");

  TurnVerdict hear(std::uint64_t instance, std::uint64_t number, std::uint64_t id) {
    TurnSeen seen;
    seen.former_lives = former.size();
    if (instance == state.current.instance) {
      if (const auto at = turns.find(number); at != turns.end()) seen.recorded = at->second;
    } else if (const auto at = former.find(instance); at != former.end()) {
      seen.former = Life{instance, at->second};
    }
    const Life before = state.current;
    const TurnVerdict verdict = judge(state, seen, {instance, number, bundle(id)}, now);
    if (state.current.instance != before.instance) {
      turns.clear();
      if (before.instance != 0) former[before.instance] = before.last;
    } else if (seen.former && number > seen.former->last) {
      former[instance] = number;
    }
    if (verdict == TurnVerdict::kFresh || verdict == TurnVerdict::kLate) turns[number] = bundle(id);
    std::erase_if(turns, [&](const auto& t) { return state.current.last - t.first >= kTurnsKept; });
    return verdict;
  }
};

using enum TurnVerdict;

// A machine, as the agent behaves: it counts, and begins a new instance when it is told that it forked.
struct Speaker {
  std::uint64_t instance, turn = 0;
  std::uint64_t last_bundle = 0;
};
struct World {
  Books books;
  std::uint64_t ids = 0, instances = 100;

  struct Sent {
    std::uint64_t instance, turn, id;
  };
  Sent send(Speaker& s) {
    s.last_bundle = ++ids;
    return {s.instance, ++s.turn, ids};
  }
  TurnVerdict arrive(Speaker& s, const Sent& sent, bool answer_lost) {
    const TurnVerdict verdict = books.hear(sent.instance, sent.turn, sent.id);
    if (verdict == kForked && !answer_lost && sent.id == s.last_bundle) s.instance = ++instances;
    return verdict;
  }
};

}  // namespace

TEST_CASE("turns that count up are fresh, and the same bundle again is a repetition") {
  Books books;
  CHECK(books.hear(1, 1, 11) == kFresh);
  CHECK(books.hear(1, 2, 12) == kFresh);
  CHECK(books.hear(1, 2, 12) == kRepeated);
  CHECK(books.hear(1, 1, 11) == kRepeated);
  CHECK(books.hear(1, 3, 13) == kFresh);
}

TEST_CASE("a stick that comes late is taken, and one that comes very late is too old") {
  Books books;
  CHECK(books.hear(1, 1, 11) == kFresh);
  CHECK(books.hear(1, 70, 80) == kFresh);
  CHECK(books.hear(1, 69, 79) == kLate);
  CHECK(books.hear(1, 69, 79) == kRepeated);
  CHECK(books.hear(1, 7, 17) == kLate);
  CHECK(books.hear(1, 6, 16) == kForked);
}

TEST_CASE("a machine that is set back is told so, and its new instance takes over") {
  Books books;
  for (std::uint64_t n = 1; n <= 10; ++n) CHECK(books.hear(1, n, 10 + n) == kFresh);
  CHECK(books.hear(1, 8, 100) == kForked);
  CHECK(books.hear(1, 9, 101) == kForked);  // the answer was lost
  CHECK(books.hear(2, 10, 102) == kFresh);
  CHECK(books.hear(2, 11, 103) == kFresh);
  CHECK(books.hear(1, 9, 19) == kForked);  // what the line repeats of before changes nothing
  CHECK(books.hear(2, 12, 104) == kFresh);
  CHECK_FALSE(books.state.recovered);
}

TEST_CASE("an original whose copy spoke first recovers, and the copy that goes on is the second machine") {
  Books books;
  CHECK(books.hear(1, 1, 11) == kFresh);
  CHECK(books.hear(2, 2, 12) == kFresh);   // the copy, after its own recovery
  CHECK(books.hear(1, 2, 13) == kForked);  // the original goes on: it may recover
  CHECK(books.hear(1, 3, 14) == kForked);  // its answer was lost
  CHECK(books.hear(3, 4, 15) == kFresh);
  CHECK(books.hear(3, 5, 16) == kFresh);
  SECTION("within a week") {
    books.now += 6 * 24h;
    CHECK(books.hear(2, 3, 17) == kTwoMachines);
    CHECK(books.hear(3, 6, 18) == kTwoMachines);  // until one is enrolled anew
    CHECK(books.hear(4, 7, 19) == kTwoMachines);
  }
  SECTION("after more than a week that is another story") {
    books.now += 8 * 24h;
    CHECK(books.hear(2, 3, 17) == kForked);
  }
}

TEST_CASE("a key with more lives than a machine can have had is spoken with by several") {
  Books books;
  for (std::uint64_t n = 1; n <= kInstancesMax + 1; ++n) REQUIRE(books.hear(n, n, n) == kFresh);
  CHECK(books.hear(kInstancesMax + 2, 1, 1) == kTwoMachines);
}

TEST_CASE("law: whatever the line does to one machine that is set back once, it is never called two") {
  REQUIRE(rc::check([] {
    World world;
    Speaker machine{1}, image = machine;
    std::deque<World::Sent> sticks;
    const int imaged = *rc::gen::inRange(1, 40), set_back = imaged + *rc::gen::inRange(1, 40);
    const auto events =
        *rc::gen::container<std::vector<int>>(120, rc::gen::element(0, 0, 0, 1, 1, 2, 2, 2, 3));
    for (int n = 0; n < static_cast<int>(events.size()); ++n) {
      if (n == imaged) image = machine;
      if (n == set_back) machine = {image.instance, image.turn, 0};
      const int what = events[static_cast<std::size_t>(n)];
      if (what == 0)  // over the line
        RC_ASSERT(world.arrive(machine, world.send(machine), *rc::gen::inRange(0, 3) == 0) != kTwoMachines);
      else if (what == 1)  // onto a stick, or lost
        sticks.push_back(world.send(machine));
      else if (what == 2 && !sticks.empty())  // a stick arrives, and may arrive again
        RC_ASSERT(world.arrive(machine, sticks[*rc::gen::inRange<std::size_t>(0, sticks.size())], true) !=
                  kTwoMachines);
      else if (what == 3)
        world.books.now += 6h;
    }
    // And in the end it is heard.
    for (int n = 0; n < 200 && world.arrive(machine, world.send(machine), false) != kFresh; ++n) {
    }
    RC_ASSERT(world.arrive(machine, world.send(machine), false) == kFresh);
  }));
}

TEST_CASE("law: two machines that both go on with one key are found after a few exchanges of each") {
  REQUIRE(rc::check([] {
    World world;
    Speaker original{1};
    const int before = *rc::gen::inRange(1, 100);
    for (int n = 0; n < before; ++n) static_cast<void>(world.arrive(original, world.send(original), false));
    Speaker copy = original;
    const int ahead = *rc::gen::inRange(0, 100);
    for (int n = 0; n < ahead; ++n) static_cast<void>(world.arrive(original, world.send(original), false));
    int rounds = 0;
    for (;; ++rounds) {
      RC_ASSERT(rounds < 12);
      const bool copy_first = *rc::gen::arbitrary<bool>();
      Speaker& first = copy_first ? copy : original;
      Speaker& second = copy_first ? original : copy;
      if (world.arrive(first, world.send(first), false) == kTwoMachines) break;
      if (world.arrive(second, world.send(second), false) == kTwoMachines) break;
    }
  }));
}
