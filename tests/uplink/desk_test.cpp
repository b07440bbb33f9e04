// Several streams and post in one exchange: what goes first, what waits for what, and what one
// stream's trouble is to the others.
#include <catch2/catch.hpp>

#include "tests/uplink/line.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::CountingRandom;
using test::Line;
using test::ScriptedHub;

// A school with the borough's stream and two federations', and a desk that does as it is told.
struct Counter final : Desk {
  std::vector<Publisher*> speak;
  std::vector<Frame> out;       // goes with each bundle
  std::deque<Taken> will_take;  // of each answer; then nothing
  std::vector<Bundle> took;
  std::vector<std::string> order;  // what was done
  std::function<void(const Bundle&)> then = [](const Bundle&) {};

  Result<std::vector<Publisher*>> streams() override { return speak; }
  Result<void> published() override {
    order.emplace_back("published");
    return {};
  }
  Result<std::vector<Frame>> outgoing() override { return out; }
  Result<Taken> take(const Bundle& answer) override {
    order.emplace_back("took");
    took.push_back(answer);
    Taken taken;
    if (!will_take.empty()) {
      taken = will_take.front();
      will_take.pop_front();
    }
    then(answer);
    return taken;
  }
};

struct Streams {
  Line line;
  Publisher kentish{line.school.store, {"federation:kentish", {}}};
  Publisher canal{line.school.store, {"federation:canal", {}}};
  Counter desk;
  SyncReport last;

  Streams() {
    desk.speak = {&line.publisher, &kentish, &canal};
    line.hub.others = {{kentish.stream(), {}}, {canal.stream(), {}}};
  }
  Result<SyncReport> sync(std::size_t body_bytes = kBundleBytesDefault) {
    ExchangeOptions options;
    options.school_urn = "100001";
    options.software = "test";
    options.body_bytes = body_bytes;
    options.exchanges_max = 100;
    Exchange exchange(desk, line.line, line.keys.peer, line.hub, line.clock, line.random, options);
    auto report = exchange.run();
    last = exchange.report();
    return report;
  }
  SyncReport good() {
    auto report = sync();
    if (!report) FAIL(report.error().sentence());
    CHECK(report->equal);
    CHECK(report->up_to_date);
    return *report;
  }
  static std::vector<StreamId> segments_of(const Bundle& bundle) {
    std::vector<StreamId> out;
    for (const Frame& frame : bundle.frames)
      if (const auto* segment = std::get_if<SegmentFrame>(&frame))
        out.push_back(open_segment(segment->bytes)->header.stream);
    return out;
  }
};

Desk::Taken moved(bool more = false) {
  Desk::Taken taken;
  taken.moved = true;
  taken.more = more;
  return taken;
}
Frame a_deed() { return DeedFrame{Bytes(40, 7)}; }

TEST_CASE("several streams of a school travel in one exchange, and each ends equal") {
  Streams school;
  const SyncReport report = school.good();
  CHECK(report.exchanges == 1);
  REQUIRE(report.streams.size() == 3);
  for (const StreamReport& stream : report.streams) {
    CHECK(stream.equal);
    CHECK(stream.segments == 1);
    CHECK(stream.problem.empty());
  }
  CHECK(report.streams[0].audience == "borough");
  CHECK(report.streams[1].audience == "federation:kentish");
  CHECK(report.segments == 3);
  CHECK(report.head == school.line.publisher.head().value());
  school.line.next_day();
  CHECK(school.good().exchanges == 1);
  CHECK(school.last.segments == 3);
}

TEST_CASE("post goes before heads, and heads before segments") {
  Streams school;
  school.desk.out = {a_deed(), PostMarkFrame{}};
  school.good();
  const auto& frames = school.line.hub.asked.front().frames;
  REQUIRE(frames.size() == 9);
  CHECK(std::holds_alternative<HelloFrame>(frames[0]));
  CHECK(std::holds_alternative<DeedFrame>(frames[1]));
  CHECK(std::holds_alternative<PostMarkFrame>(frames[2]));
  for (const std::size_t i : {3U, 4U, 5U}) CHECK(std::holds_alternative<HeadFrame>(frames[i]));
  for (const std::size_t i : {6U, 7U, 8U}) CHECK(std::holds_alternative<SegmentFrame>(frames[i]));
}

TEST_CASE(
    "what is published makes its orders before the bundle leaves, and an answer's post is taken before "
    "anything is published again") {
  Streams school;
  school.desk.will_take = {moved(true)};
  school.good();
  CHECK(school.desk.order == std::vector<std::string>{"published", "took", "published", "took"});
}

TEST_CASE("a first load does not starve the other streams, whichever of them it is") {
  Streams school;
  // A body holds one segment: nine wait of each.
  for (int day = 0; day < 9; ++day) {
    for (Publisher* publisher : school.desk.speak) REQUIRE(publisher->publish());
    school.line.next_day();
  }
  const auto report = school.sync(1);
  REQUIRE(report);
  CHECK(report->equal);
  std::vector<StreamId> order;
  for (const Bundle& asked : school.line.hub.asked) {
    const auto sent = Streams::segments_of(asked);
    REQUIRE(sent.size() == 1);
    order.push_back(sent.front());
  }
  REQUIRE(order.size() == 30);
  for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == school.desk.speak[i % 3]->stream());
}

TEST_CASE("post that fills a body goes without segments") {
  Streams school;
  school.desk.out = {DeedFrame{Bytes(60'000, 7)}};
  school.desk.then = [&](const Bundle&) { school.desk.out.clear(); };
  school.desk.will_take = {moved()};
  const auto report = school.sync(64'000);
  REQUIRE(report);
  CHECK(report->equal);
  CHECK(Streams::segments_of(school.line.hub.asked.front()).empty());
  CHECK(school.line.hub.asked.size() == 2);
}

TEST_CASE("post is taken from an answer that refuses the bundle") {
  Streams school;
  school.good();
  school.desk.took.clear();
  PostMark mark;
  mark.number = 1;
  school.line.hub.script = {[&](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(asked, {PostFrame{mark, Bytes{1}}, HeadFrame{hub.stream, hub.head},
                              ProblemFrame{Code::kForked, hub.stream, {}, "turn 1 is another", {}}});
  }};
  school.desk.order.clear();
  school.good();
  REQUIRE_FALSE(school.desk.took.empty());
  CHECK(std::holds_alternative<PostFrame>(school.desk.took.front().frames.front()));
  // Nothing more was published between the refusal and the post.
  CHECK(school.desk.order[0] == "published");
  CHECK(school.desk.order[1] == "took");
}

TEST_CASE("post is taken from an answer that says that this machine's key is not to be used any more") {
  Streams school;
  school.line.hub.script = {[&](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(
        asked, {PostFrame{{1, {}}, Bytes{1}}, ProblemFrame{Code::kRevoked, hub.stream, {}, "revoked", {}}});
  }};
  REQUIRE_FALSE(school.sync());
  CHECK(school.desk.took.size() == 1);
}

TEST_CASE("a school that shares nothing yet still exchanges and gets its post") {
  Streams school;
  school.desk.speak.clear();
  school.desk.out = {PostMarkFrame{}};
  school.desk.will_take = {moved(true), moved()};
  const SyncReport report = school.good();
  CHECK(report.exchanges == 2);
  CHECK(report.streams.empty());
  CHECK(report.segments == 0);
  CHECK(school.line.hub.head.seq.number == 0);
}

TEST_CASE("the hub is asked again for as long as it has more") {
  Streams school;
  school.desk.will_take = {moved(true), moved(true), moved(true), moved()};
  CHECK(school.good().exchanges == 4);
}

TEST_CASE("a hub that has more and never gives it is not asked without end") {
  Streams school;
  Desk::Taken nothing;
  nothing.more = true;
  school.desk.will_take.assign(50, nothing);
  const SyncReport report = school.good();
  CHECK(report.exchanges <= 1 + kStalledMax);
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("nothing of it can be taken"));
}

TEST_CASE(
    "what an answer makes us say goes at once, and what a hub does not take is not sent again and again") {
  Streams school;
  school.desk.will_take = {moved(), Desk::Taken{}};
  school.desk.then = [&](const Bundle&) { school.desk.out = {a_deed()}; };
  CHECK(school.good().exchanges == 2);
  CHECK(school.good().exchanges == 1);
}

TEST_CASE("a stream that the post begins is sent in the same sync") {
  Streams school;
  school.desk.speak.pop_back();
  school.desk.will_take = {moved()};
  school.desk.will_take.front().streams_changed = true;
  school.desk.then = [&](const Bundle&) {
    school.desk.speak = {&school.line.publisher, &school.kentish, &school.canal};
  };
  const SyncReport report = school.good();
  CHECK(report.exchanges == 2);
  REQUIRE(report.streams.size() == 3);
  CHECK(report.streams[2].equal);
}

TEST_CASE("nothing more is made of a stream that the post ends, whatever the answer says of it") {
  Streams school;
  school.good();
  school.line.next_day();
  const Head before = school.canal.head().value();
  school.desk.will_take = {moved()};
  school.desk.will_take.front().streams_changed = true;
  Head after;
  school.desk.then = [&](const Bundle&) {
    school.desk.speak = {&school.line.publisher, &school.kentish};
    after = school.canal.head().value();
    school.line.hub.others[school.canal.stream()] = Head{Epoch{9}, {}, {}, {}, false};
  };
  const SyncReport report = school.good();
  CHECK(report.streams.size() == 2);
  CHECK(after.seq.number == before.seq.number + 1);  // was made before the answer
  CHECK(school.canal.head().value() == after);
}

TEST_CASE("a stream that the hub refuses does not keep the others from being sent, and the sync says so") {
  Streams school;
  school.line.hub.extra = {
      ProblemFrame{Code::kRefused, school.kentish.stream(), StreamSeq{1}, "not a member", {}}};
  const auto report = school.sync();
  REQUIRE_FALSE(report);
  CHECK_THAT(report.error().what(), Contains("federation:kentish: segment 1: not a member"));
  REQUIRE(school.last.streams.size() == 3);
  CHECK(school.last.streams[0].equal);
  CHECK_FALSE(school.last.streams[1].problem.empty());
  CHECK(school.last.streams[2].equal);
  CHECK_FALSE(school.last.equal);
}

TEST_CASE(
    "a hub asks for a snapshot of a federation's stream by standing at its beginning; only that begins "
    "anew") {
  Streams school;
  school.good();
  const Head borough = school.line.publisher.head().value();
  school.line.hub.others[school.kentish.stream()] = Head{Epoch{1}, {}, {}, {}, false};
  const SyncReport report = school.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("federation:kentish: the hub asks for a snapshot"));
  CHECK(school.kentish.head()->epoch.number == 2);
  CHECK(school.line.hub.others[school.kentish.stream()].epoch.number == 2);
  CHECK(school.line.publisher.head().value() == borough);
  CHECK_FALSE(school.line.line.restore_pending().value());
}

TEST_CASE(
    "a federation's stream that stands beyond what we sent brings nothing back: it holds nothing of ours "
    "alone") {
  Streams school;
  school.good();
  school.line.hub.others[school.kentish.stream()] = Head{Epoch{4}, {3}, {}, {}, true};
  school.good();
  CHECK(school.kentish.head()->epoch.number == 5);
  for (const Bundle& asked : school.line.hub.asked)
    for (const Frame& frame : asked.frames) CHECK_FALSE(std::holds_alternative<RestoreQuestionFrame>(frame));
}

TEST_CASE("what the hub says about a deed is told, and nothing follows from it") {
  Streams school;
  school.line.hub.post = {ProblemFrame{
      Code::kRefused, {}, {}, "approval of a version that is no more", {"00112233445566778899aabbccddeeff"}}};
  const SyncReport report = school.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("approval of a version that is no more"));
}

TEST_CASE("what is wrong with a bundle as a whole ends the sync") {
  Streams school;
  school.line.hub.post = {ProblemFrame{Code::kRefused, {}, {}, "not today", {}}};
  const auto report = school.sync();
  REQUIRE_FALSE(report);
  CHECK_THAT(report.error().what(), Contains("not today"));
}

TEST_CASE("a hub that takes nothing of one stream is not asked without end, and the others are equal") {
  Streams school;
  school.line.hub.others.erase(school.canal.stream());  // it says nothing of it at all
  const StreamId canal = school.canal.stream();
  school.line.hub.script.assign(20, [canal](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    Bundle without = asked;
    std::erase_if(without.frames, [&](const Frame& frame) {
      const auto* segment = std::get_if<SegmentFrame>(&frame);
      return segment != nullptr && open_segment(segment->bytes)->header.stream == canal;
    });
    return hub.usual(without);
  });
  const auto report = school.sync();
  REQUIRE_FALSE(report);
  CHECK_THAT(report.error().what(), Contains("federation:canal: the hub has answered 3 times"));
  CHECK(school.last.streams[0].equal);
  CHECK(school.line.hub.asked.size() == kStalledMax);
}

TEST_CASE("a stick carries the post first and every stream, and its answers are taken for each") {
  Streams school;
  school.desk.out = {a_deed(), PostMarkFrame{}};
  ExchangeOptions options;
  options.school_urn = "100001";
  Exchange exchange(school.desk, school.line.line, school.line.keys.peer, school.line.hub, school.line.clock,
                    school.line.random, options);
  const auto bundles = exchange.export_bundles();
  REQUIRE(bundles);
  REQUIRE(bundles->size() == 1);
  const auto reply = school.line.hub.exchange(bundles->front());
  REQUIRE(reply);
  const Bundle& asked = school.line.hub.asked.front();
  CHECK(std::holds_alternative<DeedFrame>(asked.frames[1]));
  CHECK(Streams::segments_of(asked).size() == 3);
  Exchange later(school.desk, school.line.line, school.line.keys.peer, school.line.hub, school.line.clock,
                 school.line.random, options);
  const auto taken = later.import_answers({ByteView(reply->body)});
  REQUIRE(taken);
  CHECK(taken->answers == 1);
  CHECK(school.desk.took.size() == 1);
  for (Publisher* publisher : school.desk.speak) CHECK(publisher->waiting_count().value() == 0);
  // The same again is old; its post is taken all the same.
  REQUIRE(later.import_answers({ByteView(reply->body)}));
  CHECK(school.desk.took.size() == 2);
}

TEST_CASE("a stick's bundles are small enough, and one of post alone comes before large segments") {
  Streams school;
  school.desk.out = {DeedFrame{Bytes(60'000, 7)}};
  ExchangeOptions options;
  options.school_urn = "100001";
  options.body_bytes = 1;
  Exchange exchange(school.desk, school.line.line, school.line.keys.peer, school.line.hub, school.line.clock,
                    school.line.random, options);
  const auto bundles = exchange.export_bundles();
  REQUIRE(bundles);
  REQUIRE(bundles->size() == 4);
  for (const Bytes& bundle : *bundles) REQUIRE(school.line.hub.exchange(bundle));
  CHECK(Streams::segments_of(school.line.hub.asked[0]).empty());
  for (const std::size_t i : {1U, 2U, 3U}) CHECK(Streams::segments_of(school.line.hub.asked[i]).size() == 1);
}

}  // namespace
}  // namespace towpath
