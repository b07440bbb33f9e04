#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "replica/compare.hpp"
#include "tests/hub/hub_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

TestWriter school(std::uint32_t epoch = 1, const Dictionary& dictionary = kNewDictionary) {
  return {stream(), Epoch{epoch}, all_shapes(dictionary)};
}

std::string file_of(const HubFixture& hub, std::uint32_t epoch) {
  return hub.folder.path() + "/schools/" + kUrn + "/borough-" + std::to_string(epoch) + ".db";
}

}  // namespace

TEST_CASE("a registered school's segments are applied and acknowledged by their head") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  const SealedSegment first = writer.snapshot();
  writer.put(kMark, mark_row(20000, 1, "/"));
  const Bundle answer = hub.send({first, writer.delta()});
  CHECK(head_of(answer) == writer.head());
  CHECK(problems_of(answer).empty());
  CHECK(frames_of<HelloFrame>(answer).at(0).sender == "hub");
  CHECK(hub.registry->last_heard(kUrn).value() == hub.clock.time);
  auto replica = hub.registry->current(kUrn).value();
  REQUIRE(replica);
  CHECK(replica->head() == writer.head());
  CHECK(replica->rows(kNewDatasets[1]).value() == 1);
}

TEST_CASE("a bundle without segments is a question, answered by the head") {
  HubFixture hub;
  hub.add();
  CHECK(head_of(hub.ask({})) == Head{});
  TestWriter writer = school();
  hub.send({writer.snapshot()});
  CHECK(head_of(hub.ask({})) == writer.head());
  hub.start();  // and after a restart
  CHECK(head_of(hub.ask({})) == writer.head());
}

TEST_CASE("a replica's file removed under a serving hub is lost, and is not acknowledged from memory") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  hub.send({writer.snapshot()});
  CHECK(head_of(hub.ask({})) == writer.head());
  for (const char* with : {"", "-wal", "-shm"}) std::filesystem::remove(file_of(hub, 1) + with);
  CHECK_FALSE(head_of(hub.ask({})) == writer.head());
}

TEST_CASE("a segment of another school is refused by name") {
  HubFixture hub;
  hub.add();
  TestWriter other(stream_id("100002", kBorough), Epoch{1}, all_shapes(kNewDictionary));
  const Bundle answer = hub.send({other.snapshot()});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kWrongStream});
  CHECK(head_of(answer) == Head{});
}

TEST_CASE("good segments of a bundle stay when a later one is refused") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  const SealedSegment first = writer.snapshot();
  const Head after_first = writer.head();
  writer.put(kPupil, {std::int64_t{2}, std::string("b")});
  TestWriter liar = writer;
  const Bundle answer = hub.send({first, liar.seal({.lie_about_digest = true}), liar.delta()});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kDigestDiffers});
  CHECK(head_of(answer) == after_first);
  CHECK(head_of(hub.send({writer.delta()})) == writer.head());
}

TEST_CASE("a damaged segment inside a whole bundle is named, the rest is taken") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  const SealedSegment first = writer.snapshot();
  const Head after_first = writer.head();
  SealedSegment second = writer.delta();
  second.bytes.back() ^= 1;
  const Bundle answer = hub.send({first, second});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kDamaged});
  CHECK(head_of(answer) == after_first);
}

TEST_CASE("segments sent again are no problem") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  const SealedSegment first = writer.snapshot();
  const SealedSegment second = writer.delta();
  hub.send({first, second});
  const Bundle answer = hub.send({first, second, writer.delta()});
  CHECK(problems_of(answer).empty());
  CHECK(head_of(answer) == writer.head());
  const Bundle shuffled = hub.send({second, first, first});
  CHECK(problems_of(shuffled).empty());
  CHECK(head_of(shuffled) == writer.head());
}

TEST_CASE("a gap is answered by where to go on from") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  hub.send({writer.snapshot()});
  const Head before = writer.head();
  static_cast<void>(writer.delta());
  const Bundle answer = hub.send({writer.delta()});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kOutOfOrder});
  CHECK(head_of(answer) == before);
}

TEST_CASE("a cloned machine is told that it forked") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  const SealedSegment first = writer.snapshot();
  TestWriter clone = writer;
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  hub.send({first, writer.delta()});
  clone.put(kPupil, {std::int64_t{1}, std::string("b")});
  const Bundle answer = hub.send({clone.delta()});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kForked});
  CHECK(head_of(answer) == writer.head());
}

TEST_CASE("a reference that is not held is asked for by name") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  std::vector<SealedSegment> all{writer.snapshot()};
  for (int i = 0; i < 5; ++i) {
    writer.put(kPupil, {std::int64_t{i}, std::string("some content that makes a prefix")});
    all.push_back(writer.delta());
  }
  hub.send(all);
  writer.put(kPupil, {std::int64_t{9}, std::string("some content that makes a prefix")});
  const Bundle answer = hub.send({writer.seal({.reference = StreamSeq{2}})});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kMissingReference});
  CHECK(frames_of<ProblemFrame>(answer)[0].seq == StreamSeq{7});
}

TEST_CASE("readers switch to a new epoch with its last snapshot segment, and the old one goes") {
  HubFixture hub;
  hub.add();
  TestWriter old = school(1);
  old.put(kPupil, {std::int64_t{1}, std::string("old")});
  hub.send({old.snapshot()});

  TestWriter fresh = school(2);
  fresh.put(kPupil, {std::int64_t{1}, std::string("new")});
  CHECK(head_of(hub.send({fresh.seal({.snapshot = true})})) == fresh.head());
  CHECK(hub.registry->current(kUrn).value()->head().epoch == Epoch{1});
  CHECK(std::filesystem::exists(file_of(hub, 1)));

  // The old epoch is over for its writer, too.
  const Bundle late = hub.send({old.delta()});
  CHECK(problems_of(late) == std::vector<Code>{Code::kForked});
  CHECK(head_of(late) == fresh.head());

  fresh.put(kPupil, {std::int64_t{2}, std::string("new")});
  CHECK(head_of(hub.send({fresh.seal({.snapshot = true, .snapshot_end = true})})) == fresh.head());
  CHECK(hub.registry->current(kUrn).value()->head() == fresh.head());
  for (const char* suffix : {"", "-wal", "-shm"})
    CHECK_FALSE(std::filesystem::exists(file_of(hub, 1) + suffix));
  CHECK(hub.registry->epoch_numbers(kUrn).value() == std::vector<Epoch>{Epoch{2}});
}

TEST_CASE("an unfinished epoch that another overtakes is removed, the complete one stays readable") {
  HubFixture hub;
  hub.add();
  TestWriter old = school(1);
  hub.send({old.snapshot()});
  TestWriter second = school(2);
  hub.send({second.seal({.snapshot = true})});
  TestWriter third = school(3);
  hub.send({third.seal({.snapshot = true})});
  CHECK(hub.registry->epoch_numbers(kUrn).value() == std::vector<Epoch>{Epoch{1}, Epoch{3}});
  CHECK(hub.registry->current(kUrn).value()->head() == old.head());
}

TEST_CASE("an epoch that does not begin well has not begun") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school(1);
  hub.send({writer.snapshot()});
  SECTION("in the middle") {
    TestWriter fresh = school(2);
    static_cast<void>(fresh.snapshot());
    const Bundle answer = hub.send({fresh.delta()});
    CHECK(problems_of(answer) == std::vector<Code>{Code::kOutOfOrder});
    CHECK(head_of(answer) == writer.head());
  }
  SECTION("with a lie") {
    TestWriter fresh = school(1'001);
    fresh.put(kPupil, {std::int64_t{1}, std::string("x")});
    const Bundle answer =
        hub.send({fresh.seal({.snapshot = true, .snapshot_end = true, .lie_about_digest = true})});
    CHECK(problems_of(answer) == std::vector<Code>{Code::kDigestDiffers});
    CHECK(head_of(answer) == writer.head());
  }
  SECTION("with number 0") {
    TestWriter fresh = school(0);
    CHECK(problems_of(hub.send({fresh.snapshot()})) == std::vector<Code>{Code::kForked});
  }
  CHECK(hub.registry->epoch_numbers(kUrn).value() == std::vector<Epoch>{Epoch{1}});
  CHECK(head_of(hub.send({writer.delta()})) == writer.head());
}

TEST_CASE("an epoch far above the newest is refused, alone or in steps, and the next one can be begun") {
  HubFixture hub;
  hub.add();
  TestWriter right = school();
  hub.send({right.snapshot()});
  const Bundle refused = hub.send({school(4294967295U).snapshot()});
  CHECK(problems_of(refused) == std::vector<Code>{Code::kRefused});
  CHECK(head_of(refused) == right.head());
  CHECK_FALSE(std::filesystem::exists(file_of(hub, 4294967295U)));
  // One bundle goes no further by bringing the steps between.
  const Bundle steps = hub.send({school(1001).snapshot(), school(1002).snapshot()});
  CHECK(problems_of(steps) == std::vector<Code>{Code::kRefused});
  CHECK(head_of(steps).epoch == Epoch{1001});
  TestWriter again = school(1002);
  CHECK(head_of(hub.send({again.snapshot()})) == again.head());
}

TEST_CASE("two epochs in one bundle are both taken") {
  HubFixture hub;
  hub.add();
  TestWriter first = school(1);
  TestWriter second = school(2);
  const Bundle answer = hub.send({second.snapshot(), first.snapshot()});
  CHECK(problems_of(answer).empty());
  CHECK(head_of(answer) == second.head());
}

TEST_CASE("a hub whose copy is damaged asks for a new epoch and takes it") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school(1);
  hub.send({writer.snapshot()});
  hub.service->close_files();
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(file_of(hub, 1) + suffix);
  std::ofstream(file_of(hub, 1)) << std::string(8192, 'x');
  const Bundle answer = hub.send({writer.delta()});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kForked});
  CHECK(head_of(answer) == Head{Epoch{1}, {}, {}, {}, false});
  TestWriter fresh = school(2);
  CHECK(head_of(hub.send({fresh.snapshot()})) == fresh.head());
  CHECK(hub.registry->current(kUrn).value()->head() == fresh.head());
}

TEST_CASE("a copy that turns out damaged while a segment is applied is the hub's fault, and is begun anew") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school(1);
  for (std::int64_t n = 0; n < 2000; ++n) writer.put(kPupil, {n, std::string("some name")});
  hub.send({writer.snapshot()});
  hub.service->close_files();
  std::int64_t page = 0, page_bytes = 0;
  {
    Database::Options file;
    file.path = file_of(hub, 1);
    auto database = Database::open(file);
    REQUIRE(database);
    REQUIRE(database->checkpoint());
    page = database->integer("SELECT rootpage FROM sqlite_schema WHERE name='d_pupil'").value();
    page_bytes = database->integer("PRAGMA page_size").value();
  }
  {
    std::fstream file(file_of(hub, 1), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp((page - 1) * page_bytes);
    file << std::string(static_cast<std::size_t>(page_bytes), 'x');
  }
  writer.put(kPupil, {std::int64_t{1}, std::string("another name")});
  const Bundle answer = hub.send({writer.delta()});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kForked});
  CHECK(head_of(answer) == Head{Epoch{1}, {}, {}, {}, false});
  CHECK_THAT(frames_of<ProblemFrame>(answer).at(0).text, !Catch::Contains(hub.folder.path()));
  TestWriter fresh = school(2);
  CHECK(head_of(hub.send({fresh.snapshot()})) == fresh.head());
}

TEST_CASE("a frame of a kind that is not known is passed over") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  std::vector<Frame> frames;
  frames.emplace_back(UnknownFrame{200, Bytes{1, 2, 3}});
  frames.emplace_back(UnknownFrame{kBucketsQuestionFrame, Bytes{1, 2, 3}});
  frames.emplace_back(SegmentFrame{writer.snapshot().bytes});
  const Bundle answer = hub.ask(std::move(frames));
  CHECK(problems_of(answer).empty());
  CHECK(head_of(answer) == writer.head());
}

TEST_CASE("verify names the datasets that differ, and then their keys") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  for (std::int64_t pupil = 0; pupil < 50; ++pupil) {
    writer.put(kPupil, {pupil, std::string("a")});
    writer.put(kMark, mark_row(20000, pupil, "/"));
  }
  hub.send({writer.snapshot()});
  const auto digests = [&] {
    DigestsFrame frame{stream(), {}};
    for (const std::uint16_t dataset : {kPupil, kMark}) {
      StateDigest total;
      for (const auto& [key, rest] : writer.rows(dataset)) total.add(writer.hash(dataset, key, rest));
      frame.entries.push_back({dataset, writer.rows(dataset).size(), total.value()});
    }
    return frame;
  };
  const Bundle equal = hub.ask({digests()});
  CHECK(problems_of(equal).empty());
  REQUIRE(frames_of<DigestsFrame>(equal).size() == 1);
  CHECK(frames_of<DigestsFrame>(equal)[0].entries.size() == 2);

  // The writer's rows change without a word to the hub.
  writer.put(kMark, mark_row(20000, 7, "I"));
  const Bundle differs = hub.ask({digests()});
  REQUIRE(problems_of(differs) == std::vector<Code>{Code::kDigestDiffers});
  CHECK_THAT(frames_of<ProblemFrame>(differs)[0].text, Catch::EndsWith("differ in mark"));

  const EachHash own = [&](const HashVisitor& visit) -> Result<void> {
    for (const auto& [key, rest] : writer.rows(kMark))
      TP_TRY(visit(values_of(key), writer.hash(kMark, key, rest)));
    return {};
  };
  const Bundle keys = hub.ask({BucketsQuestion::about(stream(), kMark, own)->frame()});
  REQUIRE(frames_of<UnknownFrame>(keys).size() == 1);
  const auto answer = BucketsAnswer::from(frames_of<UnknownFrame>(keys)[0]);
  REQUIRE(answer);
  CHECK(name_differences(*answer, "mark", own, 20).value() ==
        std::vector<std::string>{"mark 20000/0/7 differs"});
}

TEST_CASE("schools are served at the same time, each in its order") {
  HubFixture hub;
  constexpr int kSchools = 6, kDays = 10;
  std::vector<std::thread> threads;
  std::vector<Head> heads(kSchools);
  for (int s = 0; s < kSchools; ++s) hub.add(std::to_string(100001 + s));
  hub.service->log_to({});
  for (int s = 0; s < kSchools; ++s)
    threads.emplace_back([&, s] {
      const std::string urn = std::to_string(100001 + s);
      TestWriter writer(stream_id(urn, kBorough), Epoch{1}, all_shapes(kNewDictionary));
      for (int day = 0; day < kDays; ++day) {
        writer.put(kMark, mark_row(20000 + day, s, "/"));
        Bundle bundle;
        bundle.id.uuid.bytes = {static_cast<std::uint8_t>(s), static_cast<std::uint8_t>(day)};
        bundle.frames.emplace_back(HelloFrame{"school:" + urn, "agent", 1, 0, 0});
        bundle.frames.emplace_back(SegmentFrame{(day == 0 ? writer.snapshot() : writer.delta()).bytes});
        static_cast<void>(hub.service->answer(hub.sealer.seal(bundle).value()));
      }
      heads[static_cast<std::size_t>(s)] = writer.head();
    });
  for (std::thread& t : threads) t.join();
  hub.service->close_files();
  for (int s = 0; s < kSchools; ++s)
    CHECK(hub.registry->current(std::to_string(100001 + s)).value()->head() ==
          heads[static_cast<std::size_t>(s)]);
}

TEST_CASE("whatever is lost, repeated or shuffled on the way, the hub ends where the school is") {
  const bool holds = rc::check("hub equals school", [] {
    HubFixture hub;
    hub.add();
    TestWriter writer = school();
    std::vector<SealedSegment> sent;
    const int days = *rc::gen::inRange(1, 6);
    for (int d = 0; d < days; ++d) {
      writer.put(kMark, mark_row(20000 + d, *rc::gen::inRange(0, 4), "/"));
      sent.push_back(d == 0 ? writer.snapshot() : writer.delta());
    }
    Head head = head_of(hub.ask({}));
    int tries = 0;
    while (head != writer.head() && ++tries < 60) {
      // From where the hub says it stands, with some left out, repeated, or out of order.
      std::vector<SealedSegment> bundle;
      for (std::size_t i = static_cast<std::size_t>(head.seq.number); i < sent.size(); ++i)
        for (int n = *rc::gen::element(0, 1, 1, 1, 2); n > 0; --n) bundle.push_back(sent[i]);
      if (*rc::gen::inRange(0, 4) == 0) bundle.push_back(sent.front());
      if (*rc::gen::arbitrary<bool>()) std::reverse(bundle.begin(), bundle.end());
      const Bundle answer = hub.send(bundle);
      for (const Code code : problems_of(answer)) RC_ASSERT(code == Code::kOutOfOrder);
      if (*rc::gen::arbitrary<bool>()) head = head_of(answer);  // else the answer is lost
      if (*rc::gen::inRange(0, 5) == 0) hub.start();
    }
    RC_ASSERT(head == writer.head());
    RC_ASSERT(hub.registry->current(kUrn).value()->states().value() ==
              hub.registry->current(kUrn).value()->running_states());
  });
  CHECK(holds);
}

TEST_CASE("the hub's log names schools, numbers and reasons, and never a cell") {
  HubFixture hub;
  hub.add();
  TestWriter writer = school();
  writer.put(kPupil, {std::int64_t{1}, std::string("TELLING-NAME")});
  const SealedSegment first = writer.snapshot();
  writer.put(kPupil, {std::int64_t{1}, std::string("TELLING-NAME-2")});
  const SealedSegment lie = writer.seal({.lie_about_digest = true});
  hub.send({first, lie});
  CHECK_THAT(hub.log, Catch::Contains("school 100001: epoch 1 at segment 1, rows +1"));
  CHECK_THAT(hub.log, Catch::Contains("refused"));
  CHECK_THAT(hub.log, !Catch::Contains("TELLING"));
}
