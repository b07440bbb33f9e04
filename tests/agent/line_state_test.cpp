// Turns, lives and answers of the line, as the store keeps them.
#include "agent/store/line_state.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/agent/school_source.hpp"
#include "tests/trust/trust_world.hpp"

namespace towpath {
namespace {

BundleId id(std::uint64_t n) {
  BundleId made;
  for (std::size_t i = 0; i < 8; ++i) made.uuid.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
  return made;
}

TEST_CASE("a turn is never given twice, and a bundle's turn is known until it is too old") {
  test::School school;
  LineState line(school.store);
  SeededRandom random{1};
  const TurnTaken first = *line.next_turn(id(1), random);
  CHECK(first.number == 1);
  CHECK(first.instance != 0);
  for (std::uint64_t n = 2; n <= kSentKept + 1; ++n) {
    const TurnTaken next = *line.next_turn(id(n), random);
    CHECK(next.number == n);
    CHECK(next.instance == first.instance);
  }
  CHECK_FALSE(*line.turn_of(id(1)));
  CHECK(*line.turn_of(id(2)) == 2);
  CHECK_FALSE(*line.turn_of(id(999'999)));
}

TEST_CASE("a new life has another instance, goes on counting, and old answers count no more") {
  test::School school;
  LineState line(school.store);
  SeededRandom random{1};
  const TurnTaken before = *line.next_turn(id(1), random);
  REQUIRE(line.new_life(random));
  CHECK(*line.newest_heard() == 1);
  const TurnTaken after = *line.next_turn(id(2), random);
  CHECK(after.instance != before.instance);
  CHECK(after.number == 2);
}

TEST_CASE("a file of before the line was kept is brought up, and knows nothing of it yet") {
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("towpath-line-" + std::to_string(::getpid()))).string();
  std::filesystem::create_directories(folder);
  StoreOptions options;
  options.path = folder + "/school.db";
  options.school_urn = "100001";
  {
    auto made = Store::open(options, built_in_dictionary());
    REQUIRE(made);
    REQUIRE(made->db().exec("DROP TABLE line"));
    REQUIRE(made->db().exec("DROP TABLE sent"));
    REQUIRE(made->db().exec("PRAGMA user_version=3"));
  }
  auto again = Store::open(options, built_in_dictionary());
  REQUIRE(again);
  LineState line(*again);
  CHECK_FALSE(line.credential()->accepted);
  CHECK_FALSE(*line.restore_pending());
  SeededRandom random{1};
  CHECK(line.next_turn(id(1), random)->number == 1);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace towpath
