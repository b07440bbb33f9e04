// Segments, bundles, sticks and hubs' files of every released version, read by today's code or refused.
#include <catch2/catch.hpp>

#include "agent/store/store.hpp"
#include "bundle/stick.hpp"
#include "hub/exchange/service.hpp"
#include "replica/replica.hpp"
#include "segment/segment.hpp"
#include "tests/hub/hub_fixture.hpp"
#include "tests/versions/kept.hpp"

namespace towpath::versions {
namespace {

using Catch::Contains;

StreamId stream() { return stream_id(kUrn, kBorough); }

Database::Options file_at(const std::string& path) {
  Database::Options o;
  o.path = path;
  return o;
}
ByteView view(const std::string& text) { return bytes_of(text); }

void must_take(Replica& replica, const std::string& bytes) {
  const auto segment = open_segment(view(bytes));
  REQUIRE(segment);
  REQUIRE(replica.begin());
  auto counts = replica.apply(*segment);
  INFO((counts ? std::string() : counts.error().sentence()));
  REQUIRE(counts);
  REQUIRE(replica.commit());
  CHECK(replica.head().segment == segment->hash);
}

// The first segment that waits in a store: of the day after those that its hub has.
std::string waiting(const fs::path& store) {
  auto db = Database::open(file_at(store));
  REQUIRE(db);
  std::string bytes;
  REQUIRE(db->each("SELECT bytes FROM outbox ORDER BY seq LIMIT 1", [&](Statement::Use& row) {
    const ByteView b = row.blob(0);
    bytes.assign(b.begin(), b.end());
  }));
  return bytes;
}

std::vector<std::string> folders(const std::string& what) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fixtures()))
    if (entry.path().filename().string().starts_with(what + "-v"))
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  REQUIRE_FALSE(names.empty());
  return names;
}

TEST_CASE("what the present build writes is among what is kept, so that the next one has it") {
  const Place place;
  StoreOptions options;
  options.path = place / "school.db";
  options.school_urn = kUrn;
  auto store = Store::open(options, built_in_dictionary());
  REQUIRE(store);
  const auto tables = store->db().integer("PRAGMA user_version").value();
  INFO("run tests/versions/make-fixture build/dev/bin, and add a line to kReleases in kept.hpp");
  CHECK(tables == kPresent.store);
  CHECK(fs::exists(fixtures() / ("store-v" + std::to_string(tables))));
  CHECK(fs::exists(fixtures() / ("segment-v" + std::to_string(kSegmentVersion))));
  CHECK(fs::exists(fixtures() / ("bundle-v" + std::to_string(kSealedVersion))));
  CHECK(fs::exists(fixtures() / ("stick-v" + std::to_string(kStickVersion))));
  test::FixedClock clock;
  RegistryOptions hub;
  hub.data = place / "hub";
  hub.create = true;
  REQUIRE(Registry::open(hub, built_in_dictionary(), clock));
  const auto format =
      Database::open(file_at(place / "hub/registry.db"))->integer("SELECT format FROM hub").value();
  CHECK(format == kPresent.hub);
  CHECK(fs::exists(fixtures() / ("hub-v" + std::to_string(format))));
}

TEST_CASE("segments of every version are applied: a snapshot to nothing, a day to the hub of its time") {
  for (const std::string& folder : folders("segment")) {
    INFO(folder);
    const Place place;
    auto fresh = Replica::open(file_at(place / "a.db"), built_in_dictionary(), stream(), Epoch{1});
    REQUIRE(fresh);
    must_take(*fresh, kept(folder + "/snapshot.seg"));
    CHECK(fresh->head().complete);
    CHECK(fresh->states().value() == fresh->running_states());
  }
  for (const Release& release : kReleases) {
    INFO("hub " << release.hub);
    const Place place;
    unpack("hub-v" + std::to_string(release.hub) + "/hub.tar.zst", place.path());
    auto held = Replica::open(file_at(place / "hub/schools/100001/borough-1.db"), built_in_dictionary(),
                              stream(), Epoch{1});
    REQUIRE(held);
    CHECK(held->head().seq.number == 2);
    CHECK(held->states().value() == held->running_states());
    unpack("store-v" + std::to_string(release.store) + "/school.tar.zst", place.path());
    must_take(*held, waiting(place.path() / "data/school.db"));
    CHECK(held->head().seq.number == 3);
    CHECK(held->states().value() == held->running_states());
  }
}

TEST_CASE("a segment of a newer version is refused as such, and what is held stays") {
  std::string bytes = kept("segment-v1/day.seg");
  bytes[4] = 99;
  const auto segment = open_segment(view(bytes));
  REQUIRE_FALSE(segment);
  CHECK(segment.error().code() == Code::kUnknownVersion);
  CHECK_THAT(segment.error().sentence(), Contains("99") && Contains("pdate"));
}

TEST_CASE("an unsealed bundle is not taken: whoever reads the refusal learns which end has to be updated") {
  test::HubFixture hub;
  hub.add();
  const auto before = hub.registry->epoch_numbers(kUrn).value();
  const auto answered = hub.service->take(view(kept("bundle-v1/up.bundle")), Way::kLine);
  REQUIRE(answered);
  CHECK(answered->refused == Code::kUnknownVersion);
  CHECK(answered->urn.empty());
  CHECK_THAT(answered->text, Contains("format version 1") && Contains("this hub reads 2") &&
                                 Contains("update towpath there") && Contains("invitation"));
  CHECK_THAT(hub.log, Contains("format version 1"));
  CHECK(hub.registry->epoch_numbers(kUrn).value() == before);
  // The same on a stick.
  const auto carried = hub.service->take(view(kept("bundle-v1/up.bundle")), Way::kStick);
  REQUIRE(carried);
  CHECK(carried->refused == Code::kUnknownVersion);
}

TEST_CASE("a bundle of a version to come is refused in words for a hub that is too old") {
  test::HubFixture hub;
  hub.add();
  std::string bytes = kept("bundle-v2/up.bundle");
  bytes[4] = 99;
  const auto answered = hub.service->take(view(bytes), Way::kLine);
  REQUIRE(answered);
  CHECK(answered->refused == Code::kUnknownVersion);
  CHECK_THAT(answered->text, Contains("towpath-hub has to be updated"));
}

TEST_CASE("an unsealed answer is not believed") {
  test::HubFixture hub;
  const std::string answer = kept("bundle-v1/answer.bundle");
  const auto opened = open(view(answer), hub.sealer.add(kUrn).secret, hub.sealer.hub);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == Code::kNotSigned);
}

TEST_CASE("a stick of a newer version is refused as such") {
  std::string bytes = kept("stick-v1/up.stick");
  CHECK(read_stick_file(view(bytes)).value().size() == 1);
  bytes[4] = 2;
  const auto read = read_stick_file(view(bytes));
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == Code::kUnknownVersion);
  CHECK_THAT(read.error().sentence(),
             Contains("format version 2") && Contains("Update towpath on this machine"));
}

TEST_CASE(
    "a school's file at the hub of a newer version is refused with what to do, and no byte of it changes") {
  const std::string newer = GENERATE("UPDATE meta SET format=99", "UPDATE meta SET dictionary=99");
  CAPTURE(newer);
  const Place place;
  unpack("hub-v2/hub.tar.zst", place.path());
  const Database::Options file = file_at(place / "hub/schools/100001/borough-1.db");
  REQUIRE(Database::open(file)->exec(newer));
  const auto before = all_files(place.path());
  const auto held = Replica::open(file, built_in_dictionary(), stream(), Epoch{1});
  REQUIRE_FALSE(held);
  CHECK(held.error().code() == Code::kUnknownVersion);
  CHECK_THAT(held.error().sentence(), Contains("Install the"));
  CHECK(differing(before, all_files(place.path())) == "");
}

}  // namespace
}  // namespace towpath::versions
