// One end knows another dictionary than the other, or than it did yesterday.
#include <catch2/catch.hpp>

#include "agent/intake/intake.hpp"
#include "agent/publish/publisher.hpp"
#include "hub/registry/registry.hpp"
#include "replica/replica.hpp"
#include "tests/agent/school_source.hpp"
#include "tests/hub/hub_fixture.hpp"
#include "tests/versions/kept.hpp"
#include "tests/versions/other_dictionary.hpp"

namespace towpath::versions {
namespace {

constexpr Field text_field(std::uint8_t id, std::string_view name, std::string_view grant) {
  return {id, name, {}, Type::kText, Sensitivity::kOperational, false, 10, grant, {}, {}, {}, {}, {}};
}

Database::Options file_at(const std::string& path) {
  Database::Options o;
  o.path = path;
  return o;
}

// A school's store and its hub's copy, each under whatever dictionary its program has that day.
struct Line {
  Place place;
  test::TestClock clock;
  test::SchoolSource source{built_in_dictionary()};

  [[nodiscard]] Store store(const Dictionary& dictionary) const {
    auto opened = Store::open({place / "school.db", "", kUrn, false}, dictionary);
    INFO((opened ? std::string() : opened.error().sentence()));
    REQUIRE(opened);
    return std::move(*opened);
  }
  [[nodiscard]] Replica hub(const Dictionary& dictionary, Epoch epoch) const {
    auto opened = Replica::open(file_at(place / ("hub-" + std::to_string(epoch.number) + ".db")), dictionary,
                                stream_id(kUrn, kBorough), epoch);
    INFO((opened ? std::string() : opened.error().sentence()));
    REQUIRE(opened);
    return std::move(*opened);
  }
  void pupil(const std::string& id, const std::string& forename) {
    test::SourceFile& file = source.file("pupil");
    const Dataset& dataset = *built_in_dictionary().find("pupil");
    std::erase_if(file.records, [&](const test::Record& r) { return r[0] == id; });
    test::Record record(dataset.fields.size());
    const auto set = [&](const char* field, const std::string& value) {
      record[dataset.position(field).value()] = value;
    };
    record[0] = id;
    set("Surname", "Testname");
    set("Forename", forename);
    set("PreferredForename", "Pref " + forename);
    set("DOB", "2016-05-04");
    set("Sex", "F");
    set("NCyearActual", "5");
    file.records.push_back(record);
  }
  void read(Store& store) {
    const AdapterContext context{store.dictionary(), kUrn, "Test School", "mis",
                                 Date::parse("2026-11-20").value()};
    auto report = run_extract(store, source, context, clock, {});
    INFO((report ? std::string() : report.error().sentence()));
    REQUIRE(report);
  }
  // Everything that waits goes to the hub and is acknowledged; the hub's head.
  Head send(Store& store, const Dictionary& at_hub) const {
    Publisher publisher(store, {"borough", {}});
    auto made = publisher.publish();
    INFO((made ? std::string() : made.error().sentence()));
    REQUIRE(made);
    Replica replica = hub(at_hub, publisher.head()->epoch);
    REQUIRE(replica.begin());
    const auto waiting = publisher.waiting(1 << 30);
    REQUIRE(waiting);
    for (const Bytes& bytes : *waiting) {
      const auto segment = open_segment(bytes);
      REQUIRE(segment);
      auto counts = replica.apply(*segment);
      INFO((counts ? std::string() : counts.error().sentence()));
      REQUIRE(counts);
    }
    REQUIRE(replica.commit());
    CHECK(replica.states().value() == replica.running_states());
    CHECK(replica.head().digest == publisher.head()->digest);
    REQUIRE(publisher.heard(replica.head()).value() == Publisher::Next::kGoOn);
    return replica.head();
  }
};

TEST_CASE(
    "changes that no segment has yet are sent as they were, whatever field the next version puts between") {
  // The change log holds images by place; a field that never leaves does not begin an epoch by itself.
  OtherDictionary newer(built_in_dictionary().version + 1);
  newer.with("pupil", text_field(200, "house_point_name", {}), 2);
  Line line;
  {
    Store store = line.store(built_in_dictionary());
    line.pupil("p1", "Ada");
    line.pupil("p2", "Bo");
    line.read(store);
    line.send(store, built_in_dictionary());
    line.pupil("p1", "Adah");  // and is not sent
    line.read(store);
  }
  Store store = line.store(newer.get());
  line.send(store, built_in_dictionary());
}

TEST_CASE("a field that a newer version adds at the end goes on in the same stream where it never leaves") {
  OtherDictionary newer(built_in_dictionary().version + 1);
  newer.with("pupil", text_field(200, "house_point_name", {}));
  Line line;
  Head before;
  {
    Store store = line.store(built_in_dictionary());
    line.pupil("p1", "Ada");
    line.read(store);
    before = line.send(store, built_in_dictionary());
  }
  Store store = line.store(newer.get());
  CHECK(line.send(store, built_in_dictionary()) == before);
}

TEST_CASE("what a newer school sends is kept aside by an older hub, and there once the hub is replaced") {
  OtherDictionary older(built_in_dictionary().version - 1);
  older.without("pupil", "PreferredForename").without("school");
  Line line;
  Store store = line.store(built_in_dictionary());
  line.pupil("p1", "Ada");
  line.read(store);
  const Head head = line.send(store, older.get());
  {
    Replica held = line.hub(older.get(), head.epoch);
    CHECK(held.fields_aside() == 1);
  }
  Replica held = line.hub(built_in_dictionary(), head.epoch);
  CHECK(held.fields_aside() == 0);
  CHECK(held.head() == head);  // the same epoch: nothing is sent again
  const Dataset& pupil = *built_in_dictionary().find("pupil");
  std::string preferred;
  REQUIRE(held.each_row(pupil, [&](RowView row) -> Result<void> {
    preferred = std::string(row[pupil.position("PreferredForename").value()].as_text());
    return {};
  }));
  CHECK(preferred == "Pref Ada");
}

TEST_CASE("a hub that is replaced brings up every school's file, so that who reads beside it can") {
  OtherDictionary older(built_in_dictionary().version - 1);
  older.without("language").without("pupil", "PreferredForename");
  const Place place;
  unpack("hub-v2/hub.tar.zst", place.path());
  RegistryOptions options;
  options.data = place / "hub";
  test::FixedClock clock;
  {
    // As the hub's older version had it.
    const std::string file = place / "hub/schools/100001/borough-1.db";
    fs::remove(file);
    auto held = Replica::open(file_at(file), older.get(), stream_id(kUrn, kBorough), Epoch{1});
    REQUIRE(held);
    const std::string bytes = kept("segment-v1/snapshot.seg");
    REQUIRE(held->begin());
    REQUIRE(held->apply(open_segment(bytes_of(bytes)).value()));
    REQUIRE(held->commit());
  }
  // The registry is brought up by whoever opens it to write; the schools' files wait for bring_up.
  REQUIRE(Registry::open(options, built_in_dictionary(), clock));
  options.may_write = false;
  {
    auto reader = Registry::open(options, built_in_dictionary(), clock);
    REQUIRE(reader);
    const auto refused = (*reader)->current(kUrn);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kUnknownVersion);
  }
  options.may_write = true;
  auto hub = Registry::open(options, built_in_dictionary(), clock);
  REQUIRE(hub);
  CHECK((*hub)->bring_up().value().empty());
  options.may_write = false;
  auto reader = Registry::open(options, built_in_dictionary(), clock);
  REQUIRE(reader);
  auto seen = (*reader)->current(kUrn);
  REQUIRE(seen);
  REQUIRE(*seen);
  CHECK((*seen)->rows(*built_in_dictionary().find("language")).value() > 20);
}

TEST_CASE("a school's file that cannot be brought up is told, and the others are all the same") {
  const Place place;
  unpack("hub-v2/hub.tar.zst", place.path());
  REQUIRE(Database::open(file_at(place / "hub/schools/100001/borough-1.db"))
              ->exec("UPDATE meta SET dictionary=99"));
  RegistryOptions options;
  options.data = place / "hub";
  test::FixedClock clock;
  auto hub = Registry::open(options, built_in_dictionary(), clock);
  REQUIRE(hub);
  const auto left = (*hub)->bring_up();
  REQUIRE(left);
  REQUIRE(left->size() == 1);
  CHECK_THAT(left->front(), Catch::Contains("school 100001") && Catch::Contains("dictionary version 99"));
}

}  // namespace
}  // namespace towpath::versions
