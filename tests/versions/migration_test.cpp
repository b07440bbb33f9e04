// A file of an earlier version is brought up whole or not at all, wherever the machine stops.
#include <catch2/catch.hpp>

#include "agent/store/store.hpp"
#include "hub/registry/registry.hpp"
#include "replica/replica.hpp"
#include "segment/segment.hpp"
#include "tests/hub/hub_fixture.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/versions/kept.hpp"
#include "tests/versions/other_dictionary.hpp"

namespace towpath::versions {
namespace {

using sim::Fault;
using sim::SimDisk;
using sim::SimRandom;

// All that is in a database, and how its tables are made.
std::vector<std::string> all_of(Database& db) {
  std::vector<std::string> all, tables;
  REQUIRE(db.each("SELECT name,coalesce(sql,'') FROM sqlite_schema ORDER BY name", [&](Statement::Use& row) {
    all.emplace_back(std::string(row.text(0)) + ": " + std::string(row.text(1)));
  }));
  REQUIRE(db.each("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name",
                  [&](Statement::Use& row) { tables.emplace_back(row.text(0)); }));
  all.push_back("version " + std::to_string(db.integer("PRAGMA user_version").value()));
  for (const std::string& table : tables) {
    if (table == "audit_secret") {  // by chance: another each time it is made
      all.push_back(table + " " +
                    std::to_string(db.integer("SELECT length(secret) FROM audit_secret").value()));
      continue;
    }
    std::string columns;
    REQUIRE(db.each("SELECT name FROM pragma_table_info('" + table + "')", [&](Statement::Use& row) {
      columns += (columns.empty() ? "quote(\"" : "||','||quote(\"") + std::string(row.text(0)) + "\")";
    }));
    REQUIRE(db.each("SELECT " + columns + " FROM " + table + " ORDER BY 1",
                    [&](Statement::Use& row) { all.emplace_back(table + " " + std::string(row.text(0))); }));
  }
  return all;
}

// One file on a simulated disk, and what a program does first of all when it opens it.
struct Upgrade {
  std::string file;
  std::string bytes;  // as the earlier version left it
  std::function<Result<void>(SimDisk&)> open;

  [[nodiscard]] Database raw(SimDisk& disk) const {
    Database::Options o;
    o.path = file;
    o.vfs = disk.vfs();
    o.create = false;
    auto db = Database::open(o);
    REQUIRE(db);
    return std::move(*db);
  }
  void put(SimDisk& disk) const {
    const ByteView view = bytes_of(bytes);
    disk.restore({{file, Bytes(view.begin(), view.end())}});
  }
};

// Stops at each change in turn. In: how it was, and (worked out here) how it is in the end.
void stop_everywhere(const Upgrade& upgrade) {
  std::vector<std::string> old, present;
  {
    SimDisk disk(SimRandom(1, "disk"));
    upgrade.put(disk);
    {
      Database db = upgrade.raw(disk);
      old = all_of(db);
    }
    auto done = upgrade.open(disk);
    INFO((done ? std::string() : done.error().sentence()));
    REQUIRE(done);
    Database db = upgrade.raw(disk);
    present = all_of(db);
  }
  REQUIRE(old != present);
  for (const Fault fault : {Fault::kKill, Fault::kPowerCut, Fault::kFull, Fault::kFlaky}) {
    int as_before = 0, as_after = 0;
    bool struck = true;
    for (std::uint64_t at = 1; struck; ++at) {
      CAPTURE(sim::name(fault), at);
      SimDisk disk(SimRandom(at, "disk"));
      upgrade.put(disk);
      disk.arm(fault, at);
      const auto first = upgrade.open(disk);
      struck = disk.struck().has_value();
      if (fault == Fault::kKill || fault == Fault::kPowerCut) disk.stop(fault);
      if (!first && !disk.down()) CHECK_FALSE(first.error().what().empty());
      disk.disarm();
      disk.heal();
      if (disk.down()) disk.reboot();
      {
        Database db = upgrade.raw(disk);
        const auto now = all_of(db);
        REQUIRE((now == old || now == present));
        as_before += now == old ? 1 : 0;
        as_after += now == present ? 1 : 0;
        // Who was told that it is done finds it done.
        if (first) CHECK(now == present);
        CHECK(db.integrity_check());
      }
      REQUIRE(upgrade.open(disk));
      Database db = upgrade.raw(disk);
      CHECK(all_of(db) == present);
    }
    CHECK(as_before > 0);  // otherwise nothing has been stopped
    CHECK(as_after > 0);
  }
}

TEST_CASE(
    "a store of an earlier version, stopped at any change while it is brought up, is as before or as after") {
  for (const Release& release : kReleases) {
    if (release.store == kPresent.store) continue;
    INFO("store " << release.store);
    const Place place;
    unpack("store-v" + std::to_string(release.store) + "/school.tar.zst", place.path());
    stop_everywhere({"school.db", bytes_in(place / "data/school.db"), [](SimDisk& disk) -> Result<void> {
                       StoreOptions options;
                       options.path = "school.db";
                       options.vfs = disk.vfs();
                       options.school_urn = kUrn;
                       auto store = Store::open(options, built_in_dictionary());
                       if (!store) return fail(std::move(store).error());
                       return {};
                     }});
  }
}

TEST_CASE("a store that a newer dictionary opens, stopped at any change, is as before or as after") {
  OtherDictionary newer(built_in_dictionary().version + 1);
  static constexpr Field kMore{200, "more", {}, Type::kText, Sensitivity::kOperational, false, 10, "ROLL", {},
                               {},  {},     {}, {}};
  newer.with("pupil", kMore);
  const Place place;
  unpack("store-v4/school.tar.zst", place.path());
  stop_everywhere({"school.db", bytes_in(place / "data/school.db"), [&](SimDisk& disk) -> Result<void> {
                     StoreOptions options;
                     options.path = "school.db";
                     options.vfs = disk.vfs();
                     options.school_urn = kUrn;
                     auto store = Store::open(options, newer.get());
                     if (!store) return fail(std::move(store).error());
                     return {};
                   }});
}

TEST_CASE("a hub's registry of an earlier version, stopped at any change, is as before or as after") {
  const std::string version = GENERATE("hub-v1", "hub-v2");
  INFO(version);
  const Place place;
  unpack(version + "/hub.tar.zst", place.path());
  stop_everywhere({"hub/registry.db", bytes_in(place / "hub/registry.db"), [](SimDisk& disk) -> Result<void> {
                     test::FixedClock clock;
                     RegistryOptions options;
                     options.data = "hub";
                     options.vfs = disk.vfs();
                     auto registry = Registry::open(options, built_in_dictionary(), clock);
                     if (!registry) return fail(std::move(registry).error());
                     return {};
                   }});
}

TEST_CASE(
    "a school's file at a hub, brought up to a newer dictionary, has in its tables what was kept aside, "
    "wherever it was stopped") {
  // The hub was older than the school: it did not know languages, nor what a session's minutes are.
  OtherDictionary older(0);
  older.without("language").without("session_mark", "minutes_late").without("pupil", "PreferredSurname");
  const StreamId stream = stream_id(kUrn, kBorough);
  const Place place;
  Database::Options file;
  file.path = place / "a.db";
  {
    auto held = Replica::open(file, older.get(), stream, Epoch{1});
    REQUIRE(held);
    const std::string snapshot = kept("segment-v1/snapshot.seg");
    const auto segment = open_segment(bytes_of(snapshot));
    REQUIRE(segment);
    REQUIRE(held->begin());
    REQUIRE(held->apply(*segment));
    REQUIRE(held->commit());
    REQUIRE(held->rows_aside().value() > 20);
    REQUIRE(held->fields_aside() > 0);
    REQUIRE(held->database().checkpoint());
  }
  stop_everywhere({"a.db", bytes_in(file.path), [&](SimDisk& disk) -> Result<void> {
                     Database::Options o;
                     o.path = "a.db";
                     o.vfs = disk.vfs();
                     auto held = Replica::open(o, built_in_dictionary(), stream, Epoch{1});
                     if (!held) return fail(std::move(held).error());
                     CHECK(held->rows_aside().value() == 0);
                     CHECK(held->fields_aside() == 0);
                     CHECK(held->rows(*built_in_dictionary().find("language")).value() > 20);
                     CHECK(held->states().value() == held->running_states());
                     return {};
                   }});
}

}  // namespace
}  // namespace towpath::versions
