#include "replica/restore.hpp"

#include "tests/hub/hub_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

// A row with its first cells, the rest null.
Cells row_of(const Dictionary& dictionary, std::string_view dataset, Cells first) {
  first.resize(dictionary.find(dataset)->fields.size());
  return first;
}

struct Pledged : HubFixture {
  Pledged() : HubFixture(built_in_dictionary()) { add(); }

  std::uint16_t id(std::string_view name) const { return dictionary.find(name)->id; }
  // A pupil, an activity, and that the one took part in the other so many days.
  SealedSegment snapshot(std::int64_t days) {
    writer.emplace(stream(), Epoch{1}, all_shapes(dictionary));
    writer->put(id("entity"), Cells{std::int64_t{1}, std::int64_t{id("pupil")}, std::string(16, 'p')});
    writer->put(id("entity"), Cells{std::int64_t{2}, std::int64_t{id("activity")}, std::string(16, 'a')});
    writer->put(id("pupil"), row_of(dictionary, "pupil", {std::int64_t{1}}));
    writer->put(id("activity"), row_of(dictionary, "activity", {std::int64_t{2}, std::string("Museum")}));
    take_part(0, days);
    return writer->snapshot();
  }
  RestorePartFrame part(std::uint64_t n) {
    const auto parts = frames_of<RestorePartFrame>(ask({RestoreQuestionFrame{stream(), n}}));
    REQUIRE(parts.size() == 1);
    CHECK(parts.front().part == n);
    return parts.front();
  }
  void take_part(std::int64_t from, std::int64_t to) {
    for (std::int64_t day = from; day < to; ++day)
      writer->put(id("participation"),
                  row_of(dictionary, "participation",
                         {std::int64_t{2}, 20'000 + day, std::int64_t{1}, std::int64_t{2}}));
  }
  std::optional<TestWriter> writer;
};

}  // namespace

TEST_CASE("a school that asks for what only the hub has gets the pledge and its entities, and nothing else") {
  Pledged hub;
  REQUIRE(problems_of(hub.send({hub.snapshot(3)})).empty());
  const RestorePartFrame part = hub.part(0);
  CHECK(part.parts == 1);
  CHECK(part.head == hub.writer->head());
  std::map<std::string, int> rows;
  REQUIRE(
      each_restored_row(part.content, hub.dictionary, [&](const Dataset& dataset, RowView) -> Result<void> {
        ++rows[std::string(dataset.name)];
        return {};
      }));
  CHECK(rows == std::map<std::string, int>{{"entity", 2}, {"activity", 1}, {"participation", 3}});
  CHECK(problems_of(hub.ask({RestoreQuestionFrame{stream(), 1}})) == std::vector{Code::kNotFound});
}

TEST_CASE("a large record comes in parts that each fit a body and together are all of it") {
  Pledged hub;
  constexpr std::int64_t kDays = 80'000;
  // Applied where it lies: what is asked is how it comes back.
  const SealedSegment first = hub.snapshot(kDays / 2);
  hub.take_part(kDays / 2, kDays);
  const SealedSegment second = hub.writer->delta();
  auto replica = hub.registry->open_epoch(kUrn, Epoch{1});
  REQUIRE(replica);
  REQUIRE(replica->begin());
  REQUIRE(replica->apply(open_segment(first.bytes).value()));
  REQUIRE(replica->apply(open_segment(second.bytes).value()));
  REQUIRE(replica->commit());
  std::int64_t rows = 0;
  std::int64_t last = 0;
  const std::uint64_t parts = hub.part(0).parts;
  CHECK(parts > 1);
  for (std::uint64_t n = 0; n < parts; ++n) {
    const RestorePartFrame part = hub.part(n);
    CHECK(part.parts == parts);
    CHECK(part.content.size() < kBundleBytesDefault);
    REQUIRE(each_restored_row(part.content, hub.dictionary,
                              [&](const Dataset& dataset, RowView row) -> Result<void> {
                                if (dataset.name != "participation") return {};
                                ++rows;
                                CHECK(row[1].as_int() > last);
                                last = row[1].as_int();
                                return {};
                              }));
  }
  CHECK(rows == kDays);
}

TEST_CASE("a school of which the hub has nothing gets one empty part; another's stream is not answered") {
  Pledged hub;
  const RestorePartFrame part = hub.part(0);
  CHECK(part.parts == 1);
  CHECK(part.head == Head{});
  CHECK(each_restored_row(part.content, hub.dictionary, [](const Dataset&, RowView) -> Result<void> {
    return fail(Code::kInternal, "there is no row");
  }));
  const Bundle other = hub.ask({RestoreQuestionFrame{stream_id("100002", kBorough), 0}});
  CHECK(frames_of<RestorePartFrame>(other).empty());
}

TEST_CASE(
    "a hub that cannot look at a school's copy asks an enrolling machine to come back, instead of saying "
    "that "
    "there is nothing") {
  Pledged hub;
  REQUIRE(problems_of(hub.send({hub.snapshot(3)})).empty());
  const std::string file = hub.folder.path() + "/schools/" + kUrn + "/borough-1.db";
  hub.service->close_files();
  std::filesystem::rename(file, file + ".away");
  std::filesystem::create_directory(file);

  const PartySecret machine = PartySecret::make(hub.random);
  Bundle bundle;
  bundle.sent = hub.clock.time;
  bundle.frames.emplace_back(HelloFrame{"school:" + kUrn, "agent 1", 1, 7, 1});
  bundle.frames.emplace_back(EnrolFrame{hub.invite(kUrn).secret(), "server-2"});
  const auto enrol = [&] {
    hub.random.fill(bundle.id.uuid.bytes);
    return seal(bundle, machine, hub.sealer.hub, hub.random, true).value();
  };
  const Notice said = hub.notice_of(enrol());
  CHECK(said.code == Code::kBusy);
  CHECK(said.later_seconds > 0);

  std::filesystem::remove(file);
  std::filesystem::rename(file + ".away", file);
  const auto answer = open(hub.service->answer(enrol()).value(), machine, hub.sealer.hub);
  REQUIRE(answer);
  const auto welcome = frames_of<WelcomeFrame>(*answer);
  REQUIRE(welcome.size() == 1);
  CHECK(welcome.front().rows == 7);
}
