// The exchange's steps, against a hub and a line that misbehave in every way they can.
#include "agent/uplink/exchange.hpp"

#include <catch2/catch.hpp>

#include "tests/uplink/line.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::ScriptedHub;

using test::Line;

TEST_CASE("a first load ends with both ends equal") {
  Line line;
  const SyncReport report = line.good();
  CHECK(report.exchanges == 1);
  CHECK(report.segments >= 1);
  CHECK(report.events.empty());
  CHECK(report.bytes_sent == line.hub.bytes_sent());
  CHECK(report.bytes_received == line.hub.bytes_received());
  CHECK(report.segment_bytes > 0);
  CHECK(report.segment_bytes < report.bytes_sent);
}

TEST_CASE("a day is one exchange with one segment") {
  Line line;
  line.good();
  line.next_day();
  const SyncReport report = line.good();
  CHECK(report.exchanges == 1);
  CHECK(report.segments == 1);
}

TEST_CASE("with nothing to send, one exchange asks whether both ends are equal") {
  Line line;
  line.good();
  const SyncReport report = line.good();
  CHECK(report.exchanges == 1);
  CHECK(report.segments == 0);
  CHECK(report.segment_bytes == 0);
}

TEST_CASE("a bundle says who speaks and what the hub is believed to have") {
  Line line;
  line.good();
  line.next_day();
  line.good();
  const Bundle& bundle = line.hub.asked.back();
  const auto& hello = std::get<HelloFrame>(bundle.frames.at(0));
  CHECK(hello.sender == "school:100001");
  CHECK(hello.software == "test");
  const auto& head = std::get<HeadFrame>(bundle.frames.at(1));
  CHECK(head.stream == line.publisher.stream());
  CHECK(head.head.seq.number == 1);
  CHECK_FALSE(bundle.answers);
  CHECK(bundle.id != line.hub.asked.front().id);
  CHECK(bundle.id.uuid.text().at(14) == '4');
}

TEST_CASE("when the line is down the error says so, nothing is lost, and the next sync sends it all") {
  Line line;
  line.good();
  line.next_day();
  line.hub.script = {test::line_is_down};
  const auto failed = line.sync();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Code::kTransport);
  CHECK_FALSE(line.last.equal);
  line.next_day();
  const SyncReport report = line.good();
  CHECK(report.exchanges == 1);
  CHECK(report.segments == 2);
}

TEST_CASE("a lost answer costs one repetition and is no trouble") {
  Line line;
  line.good();
  line.next_day();
  line.hub.script = {test::answer_is_lost};
  REQUIRE_FALSE(line.sync());
  const SyncReport report = line.good();
  CHECK(report.exchanges == 1);
  CHECK(report.segments == 1);
  CHECK(report.events.empty());
}

TEST_CASE("answers lost again and again, with changes between, lose nothing") {
  Line line;
  for (int i = 0; i < 8; ++i) {
    line.next_day();
    line.hub.script = {i % 2 == 0 ? test::answer_is_lost : test::line_is_down};
    REQUIRE_FALSE(line.sync());
  }
  CHECK(line.good().events.empty());
}

TEST_CASE("a large first load goes in bodies of the configured size, and each is made of whole segments") {
  Line line;
  line.segments_wait();
  const auto report = line.sync(100, 1);
  REQUIRE(report);
  CHECK(report->equal);
  CHECK(report->exchanges == report->segments);
  for (const Bundle& bundle : line.hub.asked) CHECK(ScriptedHub::segments_in(bundle) == 1);
}

TEST_CASE("a first load cut in the middle goes on from what was acknowledged") {
  Line line;
  line.segments_wait();
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> { return hub.usual(asked); },
                     test::line_is_down};
  const auto first = line.sync(100, 1);
  const std::uint64_t whole = line.publisher.head()->seq.number;
  REQUIRE(whole > 1);
  REQUIRE_FALSE(first);
  CHECK(line.last.segments == 1);
  CHECK(line.last.exchanges == 1);  // the one that got no answer is none
  const auto rest = line.sync(100, 1);
  REQUIRE(rest);
  CHECK(rest->equal);
  CHECK(rest->segments == whole - 1);
}

TEST_CASE("a hub that was restored from an old backup gets a new epoch, and the event says why") {
  Line line;
  line.good();
  line.next_day();
  const Head old = line.hub.head;
  line.good();
  line.hub.head = old;
  const SyncReport report = line.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("does not follow") && Contains("new epoch"));
  CHECK(report.head.epoch.number == old.epoch.number + 1);
}

TEST_CASE("a hub that has lost everything gets everything") {
  Line line;
  line.good();
  line.hub.head = {};
  const SyncReport report = line.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("holds nothing of this school"));
}

TEST_CASE("a machine restored from an image finds the hub ahead and begins a new epoch") {
  Line line;
  line.good();
  line.hub.head.seq.number += 5;
  line.hub.head.segment.bytes[0] ^= 1;
  const SyncReport report = line.good();
  CHECK(report.events.size() == 1);
  CHECK(report.head.epoch == line.hub.head.epoch);
}

TEST_CASE("a cloned machine that wrote a number twice is told of the fork, and begins a new epoch") {
  Line line;
  line.good();
  line.next_day();
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    hub.head.seq.number += 1;  // the clone's segment of this number
    hub.head.segment.bytes.fill(7);
    hub.head.digest.bytes.fill(7);
    return hub.usual(asked);
  }};
  const SyncReport report = line.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("restored or copied"));
}

TEST_CASE("a hub whose state differs though the number is right gets a new epoch") {
  Line line;
  line.good();
  line.hub.head.digest.bytes[5] ^= 1;
  CHECK(line.good().events.size() == 1);
}

TEST_CASE("a digest that differs at a segment gets a new epoch, and the event says so") {
  Line line;
  line.good();
  line.next_day();
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    const auto stream = hub.stream;
    return hub.answer(asked, {HeadFrame{stream, hub.head},
                              ProblemFrame{Code::kDigestDiffers, stream, StreamSeq{2}, "digest", {}}});
  }};
  const SyncReport report = line.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("state differs from ours at segment 2"));
}

TEST_CASE("a missing reference is answered with the segment whole") {
  Line line;
  line.good();
  line.next_day();
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(asked, {HeadFrame{hub.stream, hub.head},
                              ProblemFrame{Code::kMissingReference, hub.stream, StreamSeq{2}, "gone", {}}});
  }};
  const SyncReport report = line.good();
  CHECK(report.exchanges == 2);
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("lacks what segment 2 builds on"));
  for (const Frame& frame : line.hub.asked.back().frames)
    if (const auto* segment = std::get_if<SegmentFrame>(&frame))
      CHECK_FALSE(open_segment(segment->bytes)->header.reference);
}

TEST_CASE("what was sealed under a key that no longer holds is sealed anew, in a new epoch") {
  Line line;
  line.good();
  line.next_day();
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(asked, {HeadFrame{hub.stream, hub.head},
                              ProblemFrame{Code::kNotSigned, hub.stream, StreamSeq{2}, "not signed", {}}});
  }};
  const SyncReport report = line.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("segment 2 was signed with a key that no longer holds"));
  CHECK(line.hub.head.epoch == Epoch{2});
}

TEST_CASE("a missing reference that is not kept here either begins a new epoch") {
  Line line;
  line.good();
  for (int day = 0; day < 5; ++day) {  // more than contents are kept: the oldest's reference is gone
    line.next_day();
    REQUIRE(line.publisher.publish());
  }
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(asked, {HeadFrame{hub.stream, hub.head},
                              ProblemFrame{Code::kMissingReference, hub.stream, StreamSeq{2}, "gone", {}}});
  }};
  const SyncReport report = line.good();
  REQUIRE(report.events.size() == 1);
  CHECK_THAT(report.events[0], Contains("lacks what segment 2 builds on, and so does this machine"));
  CHECK_THAT(report.events[0], Contains("new epoch"));
  CHECK(line.hub.head.epoch == Epoch{2});
}

TEST_CASE("a hub that asks for new epochs again and again ends in an error, not in a loop") {
  Line line;
  line.good();
  const ScriptedHub::Mishap always = [](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(asked, {HeadFrame{hub.stream, hub.head},
                              ProblemFrame{Code::kDigestDiffers, hub.stream, StreamSeq{1}, "digest", {}}});
  };
  line.hub.script.assign(50, always);
  const auto failed = line.sync();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Code::kRefused);
  CHECK_THAT(failed.error().what(), Contains("new epochs"));
  CHECK(line.last.exchanges == kNewEpochsMax + 1);
}

TEST_CASE("a hub that takes nothing and says nothing ends in an error, not in a loop") {
  Line line;
  line.hub.takes_nothing = true;
  const auto failed = line.sync();
  REQUIRE_FALSE(failed);
  CHECK_THAT(failed.error().what(), Contains("without taking anything"));
  CHECK(line.last.exchanges == kStalledMax);
  line.hub.takes_nothing = false;
  line.good();
}

TEST_CASE("the number of exchanges has an end") {
  Line line;
  line.segments_wait();
  const auto failed = line.sync(1, 1);
  REQUIRE_FALSE(failed);
  CHECK_THAT(failed.error().what(), Contains("no end after 1 exchanges"));
  line.good();
}

TEST_CASE("what the hub refuses is an error with the hub's words, made safe") {
  Line line;
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(
        asked, {ProblemFrame{Code::kRefused, hub.stream, {}, "school 100001 is not\x1b[2J registered", {}}});
  }};
  const auto failed = line.sync();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Code::kRefused);
  CHECK_THAT(failed.error().what(), Contains("school 100001 is not?[2J registered"));
  line.good();
}

TEST_CASE("a hub that says what its operator has to do is quoted once") {
  Line line;
  line.hub.script = {[](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    return hub.answer(asked, {ProblemFrame{Code::kRefused,
                                           hub.stream,
                                           {},
                                           "school 100001 is not registered; its operator runs: add it",
                                           {}}});
  }};
  const auto failed = line.sync();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().what() == "the hub did not take the bundle: school 100001 is not registered");
  CHECK(failed.error().next() == "The hub's operator runs: add it");
}

TEST_CASE("a hub that is too old says so once, without a new epoch") {
  Line line;
  line.hub.extra = {ProblemFrame{Code::kUnknownVersion, line.hub.stream, StreamSeq{1}, "version 1", {}}};
  const auto failed = line.sync();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code() == Code::kUnknownVersion);
  CHECK(line.hub.asked.size() == 1);
}

TEST_CASE("a hub that asks to come back later is left in peace") {
  Line line;
  line.segments_wait();
  line.hub.takes_nothing = true;
  line.hub.extra = {LaterFrame{600}};
  const auto report = line.sync();
  REQUIRE(report);
  CHECK(report->later_seconds == 600);
  CHECK(report->exchanges == 1);
  CHECK_FALSE(report->equal);
  CHECK_FALSE(report->up_to_date);
  line.hub.takes_nothing = false;
  line.hub.extra.clear();
  line.good();
}

TEST_CASE("a hub that is busy with our school is asked again later, not called broken") {
  Line line;
  line.hub.takes_nothing = true;
  line.hub.extra = {ProblemFrame{Code::kBusy, line.hub.stream, {}, "busy", {}}};
  const auto report = line.sync();
  REQUIRE(report);
  CHECK(report->later_seconds > 0);
  CHECK_FALSE(report->equal);
}

TEST_CASE("a web filter's page, an old answer and a cut one end the sync with a reason, and harm nothing") {
  Line line;
  const ScriptedHub::Mishap filter = [](ScriptedHub&, const Bundle&) -> Result<Reply> {
    return test::page(200, "<html><title>Blocked</title>");
  };
  const ScriptedHub::Mishap old = [](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    Bundle other = asked;
    other.id.uuid.bytes[3] ^= 1;
    return hub.usual(other);
  };
  const ScriptedHub::Mishap cut = [](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
    Reply reply = hub.usual(asked);
    reply.body.resize(reply.body.size() / 2);
    return reply;
  };
  for (const auto& [mishap, code] : {std::pair{filter, Code::kBlocked}, std::pair{old, Code::kTransport},
                                     std::pair{cut, Code::kTransport}}) {
    line.next_day();
    line.hub.script = {mishap};
    const auto failed = line.sync();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code() == code);
    CHECK_FALSE(line.last.equal);
    line.good();
  }
}

TEST_CASE("an answer that does not say where the hub stands is no answer") {
  Line line;
  line.hub.script = {
      [](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> { return hub.answer(asked, {}); },
      [](ScriptedHub& hub, const Bundle& asked) -> Result<Reply> {
        return hub.answer(asked, {HeadFrame{stream_id("999999", kBorough), {}}});
      }};
  for (int i = 0; i < 2; ++i) {
    const auto failed = line.sync();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code() == Code::kTransport);
  }
  line.good();
}

TEST_CASE("frames of kinds that are not known are passed over") {
  Line line;
  line.hub.extra = {UnknownFrame{200, Bytes{1, 2, 3}}};
  line.good();
}

TEST_CASE("a clock that is wrong is mentioned once, and changes nothing") {
  Line line;
  line.segments_wait();
  line.clock.offset = std::chrono::minutes(61);
  const auto report = line.sync(100, 1);
  REQUIRE(report);
  CHECK(report->equal);
  REQUIRE(report->events.size() == 1);
  CHECK_THAT(report->events[0], Contains("61 minutes ahead of the hub's"));
  line.clock.offset = -std::chrono::minutes(9);
  CHECK(line.good().events.empty());
}

TEST_CASE("no event, error or report holds a pupil's name") {
  Line line;
  line.good();
  line.hub.head = {};
  const SyncReport report = line.good();
  for (const std::string& event : report.events) CHECK_THAT(event, !Contains("Name1"));
}

}  // namespace
}  // namespace towpath
