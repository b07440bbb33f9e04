#include <catch2/catch.hpp>

#include "sqlite/database.hpp"
#include "tests/simulation/sim_disk.hpp"

using namespace towpath;
using namespace towpath::sim;

namespace {

Database open(SimDisk& disk) {
  Database::Options options;
  options.path = "a.db";
  options.vfs = disk.vfs();
  auto db = Database::open(options);
  REQUIRE(db);
  return std::move(*db);
}

std::int64_t rows(SimDisk& disk) { return open(disk).integer("SELECT count(*) FROM t").value(); }

}  // namespace

TEST_CASE("what is committed outlives a power cut") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimDisk disk(SimRandom(seed, "disk"));
    {
      Database db = open(disk);
      REQUIRE(db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB) STRICT"));
      for (int i = 0; i < 5; ++i) REQUIRE(db.exec("INSERT INTO t(b) VALUES(zeroblob(3000))"));
      disk.stop(Fault::kPowerCut);
      CHECK_FALSE(db.exec("INSERT INTO t(b) VALUES(NULL)"));
    }
    disk.reboot();
    CHECK(rows(disk) == 5);
    CHECK(open(disk).integrity_check());
  }
}

TEST_CASE("a disk that is not asked to sync does lose and tear, and so is worth testing on") {
  int lost = 0, damaged = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimDisk disk(SimRandom(seed, "disk"));
    {
      Database db = open(disk);
      REQUIRE(
          db.exec("PRAGMA journal_mode=DELETE;PRAGMA synchronous=OFF;"
                  "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB) STRICT"));
      for (int i = 0; i < 30; ++i) REQUIRE(db.exec("INSERT INTO t(b) VALUES(zeroblob(3000))"));
      disk.stop(Fault::kPowerCut);
    }
    disk.reboot();
    Database::Options options;
    options.path = "a.db";
    options.vfs = disk.vfs();
    auto db = Database::open(options);
    if (!db) {
      ++damaged;
      continue;
    }
    const auto n = db->integer("SELECT count(*) FROM t");
    if (!n || !db->integrity_check())
      ++damaged;
    else if (*n < 30)
      ++lost;
  }
  CHECK(lost + damaged > 20);
  CHECK(damaged > 0);
}

TEST_CASE("a killed process loses nothing that it had written, synced or not") {
  SimDisk disk(SimRandom(1, "disk"));
  {
    Database db = open(disk);
    REQUIRE(db.exec("PRAGMA synchronous=OFF;CREATE TABLE t(a) "));
    for (int i = 0; i < 30; ++i) REQUIRE(db.exec("INSERT INTO t VALUES(1)"));
    disk.stop(Fault::kKill);
  }
  disk.reboot();
  CHECK(rows(disk) == 30);
}

TEST_CASE("cut at every change in turn, a transaction is there whole or not at all") {
  for (const Fault fault : {Fault::kKill, Fault::kPowerCut}) {
    bool finished = false;
    for (std::uint64_t at = 1; !finished; ++at) {
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SimDisk disk(SimRandom(seed, "disk"));
        bool done = false;
        {
          Database db = open(disk);
          REQUIRE(db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB) STRICT"));
          REQUIRE(db.exec("INSERT INTO t(b) VALUES(zeroblob(9000)),(zeroblob(9000))"));
          disk.arm(fault, at);
          done = db.exec("BEGIN;INSERT INTO t(b) VALUES(zeroblob(9000)),(zeroblob(9000)),(NULL);COMMIT")
                     .has_value();
          finished = !disk.struck();
        }
        disk.stop(fault);
        disk.reboot();
        const std::int64_t n = rows(disk);
        CHECK((n == 5 || (n == 2 && !done)));
        CHECK(open(disk).integrity_check());
      }
    }
  }
}

// Found by seed 28: the hub acknowledged on top of a commit that a killed process had written but not
// synced; SQLite had read it as committed, and a power cut took both away.
TEST_CASE("what a killed process left written but not synced is on disk once it is read again") {
  int read = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimDisk disk(SimRandom(seed, "disk"));
    {
      Database db = open(disk);
      REQUIRE(db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB) STRICT"));
      disk.arm(Fault::kKill, 2);  // the commit's sync, after its write
      CHECK_FALSE(db.exec("INSERT INTO t(b) VALUES(NULL)"));
    }
    REQUIRE(disk.down());
    disk.reboot();
    std::int64_t seen = 0;
    {
      Database db = open(disk);
      seen = db.integer("SELECT count(*) FROM t").value();
      disk.stop(Fault::kPowerCut);
    }
    disk.reboot();
    CHECK(rows(disk) == seen);
    read += seen == 1 ? 1 : 0;
  }
  CHECK(read > 0);  // otherwise the test has not been about this
}

// Found by seeds 5, 7, 25, 40 and 43: an erased epoch was back after a power cut, and nobody knew of it.
TEST_CASE("a database that has been removed does not come back after a power cut") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimDisk disk(SimRandom(seed, "disk"));
    REQUIRE(open(disk).exec("CREATE TABLE t(a) "));
    Database::Options options;
    options.path = "a.db";
    options.vfs = disk.vfs();
    REQUIRE(Database::remove(options));
    disk.stop(Fault::kPowerCut);
    disk.reboot();
    CHECK(disk.files().empty());
  }
}

TEST_CASE("a full disk refuses, keeps what it had, and goes on when there is room") {
  SimDisk disk(SimRandom(1, "disk"));
  Database db = open(disk);
  REQUIRE(db.exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB) STRICT;INSERT INTO t VALUES(1,NULL)"));
  disk.arm(Fault::kFull, 1);
  auto refused = db.exec("INSERT INTO t(b) VALUES(zeroblob(100000))");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kDiskFull);
  CHECK(db.integer("SELECT count(*) FROM t").value() == 1);
  disk.heal();
  CHECK(db.exec("INSERT INTO t(b) VALUES(zeroblob(100000))"));
}

TEST_CASE("two connections see each other's locks and commits") {
  SimDisk disk(SimRandom(1, "disk"));
  Database a = open(disk), b = open(disk);
  REQUIRE(a.exec("CREATE TABLE t(a) "));
  {
    auto writing = a.begin();
    REQUIRE(writing);
    REQUIRE(a.exec("INSERT INTO t VALUES(1)"));
    CHECK(b.integer("SELECT count(*) FROM t").value() == 0);
    auto refused = b.begin();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kBusy);
    REQUIRE(writing->commit());
  }
  CHECK(b.integer("SELECT count(*) FROM t").value() == 1);
  CHECK(b.begin());
}
