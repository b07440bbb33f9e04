// SQLite's memory gives out: each allocation that it asks for, at both ends, is refused in turn, once and
// from then on. A program of its own, for SQLite takes its allocator before it starts.
//
// TOWPATH_FAULTS=all: every allocation; otherwise one of a number, so that a run takes seconds.
#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <optional>

#include "sqlite/database.hpp"
#include "tests/faults/trial.hpp"

namespace towpath::faults {
namespace {

class Allocator {
 public:
  static Allocator& get() {
    static Allocator one;
    return one;
  }
  std::size_t asked = 0;
  std::optional<std::size_t> refuse_at;
  bool once = true, struck = false;

  [[nodiscard]] bool refuses() {
    const std::size_t now = asked++;
    if (!refuse_at || now < *refuse_at || (once && now > *refuse_at)) return false;
    struck = true;
    return true;
  }

 private:
  Allocator() {
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual());
    sqlite3_mem_methods ours = usual();
    ours.xMalloc = [](int size) -> void* { return get().refuses() ? nullptr : usual().xMalloc(size); };
    ours.xRealloc = [](void* old, int size) -> void* {
      return get().refuses() ? nullptr : usual().xRealloc(old, size);
    };
    TP_ASSERT(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK);
  }
  static sqlite3_mem_methods& usual() {
    static sqlite3_mem_methods methods{};
    return methods;
  }
};
const bool kInstalled = [] {
  static_cast<void>(Allocator::get());
  return true;
}();

// Runs of about half a second a thousand: a prime, so that it does not keep step with what repeats.
void every_allocation(int day, bool once, std::size_t stride) {
  REQUIRE(kInstalled);
  Allocator& memory = Allocator::get();
  Trial trial(day);
  std::size_t count = 0;
  trial.run_whole([&] { memory.asked = 0; }, [&] { count = memory.asked; });
  CHECK(count > 1000);
  Tally tally;
  for (std::size_t at = 0; at < count; at += all_of_them() ? 1 : stride)
    trial.run({"allocation " + std::to_string(at) + (once ? ", once" : " and all after it"),
               [&] {
                 memory.asked = 0;
                 memory.struck = false;
                 memory.once = once;
                 memory.refuse_at = at;
               },
               [&] { memory.refuse_at.reset(); }, [&] { return memory.struck; }},
              tally);
  tally.print("day " + std::to_string(day) + ", " + std::to_string(count) + " allocations, " +
              (once ? "once" : "all from then on"));
  CHECK(tally.noticed > tally.runs / 10);
}

}  // namespace

// It would hold its lock until the program ends, and take with it whatever is written next.
TEST_CASE("a transaction that ends for want of memory is taken back all the same") {
  sim::SimDisk disk(sim::SimRandom(1, "disk"));
  Database::Options options;
  options.path = "a.db";
  options.vfs = disk.vfs();
  auto one = Database::open(options), other = Database::open(options);
  REQUIRE(one);
  REQUIRE(other);
  REQUIRE(one->exec("CREATE TABLE t(a INTEGER) STRICT"));
  Allocator& memory = Allocator::get();
  {
    auto transaction = one->begin();
    REQUIRE(transaction);
    REQUIRE(one->exec("INSERT INTO t VALUES(1)"));
    memory.asked = 0;
    memory.once = false;
    memory.refuse_at = 0;
    auto failed = one->exec("INSERT INTO t SELECT a FROM t");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code() == Code::kNoMemory);
  }
  memory.refuse_at.reset();
  CHECK_FALSE(one->in_transaction());
  CHECK(other->begin());
  CHECK(one->begin());
  CHECK(one->integer("SELECT count(*) FROM t").value() == 0);
}
TEST_CASE("whichever of SQLite's allocations fails once on a first load, no row is lost") {
  every_allocation(1, true, 151);
}
TEST_CASE("wherever SQLite's memory gives out during a first load, no row is lost") {
  every_allocation(1, false, 199);
}
TEST_CASE("whichever of SQLite's allocations fails once on a day, no row is lost") {
  every_allocation(2, true, 151);
}
TEST_CASE("wherever SQLite's memory gives out during a day, no row is lost") {
  every_allocation(2, false, 199);
}

}  // namespace towpath::faults
