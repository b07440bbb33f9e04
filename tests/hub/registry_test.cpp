#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/hub/hub_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

TEST_CASE("a registry remembers its schools") {
  HubFixture hub;
  REQUIRE(hub.registry->add_school("100002", "Second"));
  REQUIRE(hub.registry->add_school("100001", "First"));
  hub.start();
  const auto schools = hub.registry->schools().value();
  REQUIRE(schools.size() == 2);
  CHECK(schools[0].urn == "100001");
  CHECK(schools[0].name == "First");
  CHECK(schools[0].added == hub.clock.time);
  CHECK(hub.registry->school("100002").value()->name == "Second");
  CHECK_FALSE(hub.registry->school("100003").value());
}

TEST_CASE("a URN that is none never becomes a folder") {
  HubFixture hub;
  for (const char* urn : {"", "10001", "1000011", "../../", "10000a", "000001", "100001/"}) {
    auto added = hub.registry->add_school(urn, "x");
    REQUIRE_FALSE(added);
    CHECK(added.error().code() == Code::kUsage);
    CHECK_FALSE(hub.registry->school(urn).value());
  }
  for (const std::string& name : {std::string(), std::string(300, 'x'), std::string("a\nb")})
    CHECK_FALSE(hub.registry->add_school("100001", name));
  REQUIRE(hub.registry->add_school("100001", "x"));
  CHECK(hub.registry->add_school("100001", "y").error().code() == Code::kRepeated);
}

TEST_CASE("a folder without a hub is not made into one by looking") {
  const TempFolder folder;
  FixedClock clock;
  RegistryOptions options;
  options.data = folder.path();
  auto registry = Registry::open(options, kNewDictionary, clock);
  REQUIRE_FALSE(registry);
  CHECK(registry.error().code() == Code::kConfig);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("readers are given the newest epoch that is complete") {
  HubFixture hub;
  hub.add();
  CHECK_FALSE(hub.registry->current(kUrn).value());
  for (std::uint32_t epoch : {1U, 2U, 4U}) {
    TestWriter writer(stream(), Epoch{epoch}, all_shapes(kNewDictionary));
    writer.put(kPupil, {std::int64_t{epoch}, std::string("a")});
    auto replica = hub.registry->open_epoch(kUrn, Epoch{epoch});
    REQUIRE(replica);
    const SealedSegment segment = writer.seal({.snapshot = true, .snapshot_end = epoch != 4});
    REQUIRE(replica->begin());
    REQUIRE(replica->apply(*open_segment(segment.bytes)));
    REQUIRE(replica->commit());
  }
  CHECK(hub.registry->current(kUrn).value()->head().epoch == Epoch{2});
  const auto heads = hub.registry->epochs(kUrn).value();
  REQUIRE(heads.size() == 3);
  CHECK(heads[2].epoch == Epoch{4});
  CHECK(heads[2].seq == StreamSeq{1});

  REQUIRE(hub.registry->drop_epochs_before(kUrn, Epoch{2}));
  CHECK(hub.registry->epoch_numbers(kUrn).value() == std::vector<Epoch>{Epoch{2}, Epoch{4}});
  CHECK_FALSE(std::filesystem::exists(hub.folder.path() + "/schools/" + kUrn + "/borough-1.db"));
  CHECK(std::filesystem::exists(hub.folder.path() + "/schools/" + kUrn + "/borough-2.db"));
}

TEST_CASE("an epoch whose file is missing or was being made counts as empty") {
  HubFixture hub;
  hub.add();
  { REQUIRE(hub.registry->open_epoch(kUrn, Epoch{3})); }
  const std::string file = hub.folder.path() + "/schools/" + kUrn + "/borough-3.db";
  SECTION("missing") { std::filesystem::remove(file); }
  SECTION("cut off while it was made") { std::filesystem::resize_file(file, 0); }
  CHECK_FALSE(hub.registry->current(kUrn).value());
  CHECK(hub.registry->epochs(kUrn).value() == std::vector<Head>{Head{Epoch{3}, {}, {}, {}, false}});
  auto again = hub.registry->open_epoch(kUrn, Epoch{3});
  REQUIRE(again);
  CHECK(again->head().seq == StreamSeq{0});
}

TEST_CASE("an epoch whose file is there but cannot be opened does not count as empty") {
  HubFixture hub;
  hub.add();
  { REQUIRE(hub.registry->open_epoch(kUrn, Epoch{3})); }
  const std::string file = hub.folder.path() + "/schools/" + kUrn + "/borough-3.db";
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);  // as with too many open files: it is there, and does not open
  CHECK_FALSE(hub.registry->epochs(kUrn));
}

TEST_CASE("when a school was heard is remembered") {
  HubFixture hub;
  hub.add();
  CHECK_FALSE(hub.registry->last_heard(kUrn).value());
  hub.ask({});
  hub.start();
  CHECK(hub.registry->last_heard(kUrn).value() == hub.clock.time);
}
