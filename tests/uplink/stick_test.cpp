// The line by a stick: any order, any number of times, mixed with exchanges over the line.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/uplink/line.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::Line;
using test::ScriptedHub;

struct Stick : Line {
  Exchange make(std::size_t body_bytes = kBundleBytesDefault) {
    ExchangeOptions options;
    options.school_urn = "100001";
    options.body_bytes = body_bytes;
    return Exchange(publisher, line, keys.peer, hub, clock, random, options);
  }
  std::vector<Bytes> exported(std::size_t body_bytes = kBundleBytesDefault) {
    auto exchange = make(body_bytes);
    auto bundles = exchange.export_bundles();
    REQUIRE(bundles);
    return std::move(*bundles);
  }
  // At the hub.
  Bytes answered(const Bytes& bundle) { return hub.exchange(bundle)->body; }
  StickReport import(std::vector<Bytes> answers) {
    auto exchange = make();
    std::vector<ByteView> views(answers.begin(), answers.end());
    auto report = exchange.import_answers(views);
    REQUIRE(report);
    last = exchange.report();
    return *report;
  }
};

TEST_CASE("what waits goes by stick, and the answer makes both ends equal") {
  Stick at;
  at.segments_wait();
  const auto bundles = at.exported(1);
  CHECK(bundles.size() == 5);
  std::vector<Bytes> answers;
  for (const Bytes& bundle : bundles) answers.push_back(at.answered(bundle));
  std::reverse(answers.begin(), answers.end());
  const StickReport report = at.import(answers);
  CHECK(report.answers == 5);
  CHECK(report.refused.empty());
  CHECK(at.last.equal);
  CHECK(at.hub.head.segment == at.publisher.head()->segment);
  at.good();
}

TEST_CASE("the same stick twice, at either end, changes nothing") {
  Stick at;
  const auto bundles = at.exported();
  REQUIRE(bundles.size() == 1);
  const Bytes first = at.answered(bundles[0]), second = at.answered(bundles[0]);
  CHECK(at.import({first}).old == 0);
  CHECK(at.last.equal);
  const StickReport again = at.import({first, second});
  CHECK(again.answers == 2);
  CHECK(again.old == 2);
  CHECK(again.refused.empty());
  CHECK(at.good().events.empty());
}

TEST_CASE("a stick that comes back after the line has worked again means nothing any more") {
  Stick at;
  at.good();
  at.next_day();
  const auto bundles = at.exported();
  const Bytes early = at.answered(bundles[0]);
  at.next_day();
  at.good();
  const std::uint64_t acknowledged = at.publisher.acknowledged()->seq.number;
  CHECK(at.import({early}).old == 1);
  CHECK(at.publisher.acknowledged()->seq.number == acknowledged);
  CHECK(at.last.events.empty());
  at.good();
}

TEST_CASE("an old answer may say that more has been taken, and its problems mean nothing") {
  Stick at;
  at.good();
  at.next_day();
  const auto bundles = at.exported();
  (void)at.answered(bundles[0]);
  const auto asked = at.hub.asked.back();
  // A later exchange is heard of first, in which the hub took nothing.
  at.hub.script = {
      [](ScriptedHub& hub, const Bundle& to) -> Result<Reply> { return hub.answer(to, {LaterFrame{60}}); }};
  REQUIRE(at.sync());
  CHECK(at.publisher.waiting_count().value() == 1);
  const Bytes old =
      at.hub
          .answer(asked, {HeadFrame{at.hub.stream, at.hub.head},
                          ProblemFrame{Code::kDigestDiffers, at.hub.stream, StreamSeq{1}, "", {}}})
          .body;
  const StickReport report = at.import({old});
  CHECK(report.old == 1);
  CHECK(report.refused.empty());
  CHECK(at.publisher.waiting_count().value() == 0);
  CHECK(at.last.events.empty());
}

TEST_CASE("answers to an epoch that is over are old, whenever they come") {
  Stick at;
  at.good();
  at.next_day();
  const auto bundles = at.exported();
  const Bytes late = at.answered(bundles[0]);
  at.hub.head = {};
  const SyncReport report = at.good();
  REQUIRE(report.events.size() == 1);
  CHECK(at.import({late}).old == 1);
  CHECK(at.good().events.empty());
}

TEST_CASE("an answer to a bundle that was never made here is refused with a reason") {
  Stick at, other;
  const Bytes answer = other.answered(other.exported()[0]);
  const StickReport report = at.import({answer});
  CHECK(report.answers == 0);
  REQUIRE(report.refused.size() == 1);
  CHECK_THAT(report.refused[0], Contains("a bundle that this machine has not made"));
}

TEST_CASE("what is no answer is refused with a reason, and the answers beside it are taken") {
  Stick at;
  const auto bundles = at.exported();
  Bytes answer = at.answered(bundles[0]);
  Bytes flipped = answer;
  flipped[flipped.size() / 2] ^= 1;
  const StickReport report = at.import({bundles[0], flipped, Bytes{1, 2, 3}, answer});
  CHECK(report.answers == 1);
  REQUIRE(report.refused.size() == 3);
  CHECK(std::any_of(report.refused.begin(), report.refused.end(), [](const std::string& why) {
    return why.find("what this machine has exported") != std::string::npos;
  }));
  CHECK(at.last.equal);
}

TEST_CASE("a notice on a stick is told, and nothing follows from it") {
  Stick at;
  const auto bundles = at.exported();
  const auto id = Envelope::read(bundles[0])->id;
  at.hub.last = bundles[0];
  const StickReport report = at.import({at.hub.refuse(id, Code::kRevoked).body});
  REQUIRE(report.refused.size() == 1);
  CHECK_THAT(report.refused[0], Contains("has ended this machine's key"));
  CHECK_FALSE(at.line.credential()->refused);
}

TEST_CASE("an answer on a stick from before the hub's key changed is still taken") {
  Stick at;
  const auto bundles = at.exported();
  const Bytes answer = at.answered(bundles[0]);
  const auto id = Envelope::read(bundles[0])->id;
  at.hub.last = bundles[0];
  const Bytes notice = at.hub.refuse(id, Code::kRevoked).body;
  const PartySecret next = PartySecret::make(at.keys.random);
  REQUIRE(at.keys.identity.pin(new_key(next, at.keys.hub.key())));
  const StickReport report = at.import({answer, notice});
  CHECK(report.answers == 1);
  REQUIRE(report.refused.size() == 1);
  CHECK_THAT(report.refused[0], Contains("has ended this machine's key"));
  CHECK(at.last.equal);
  // Of two changes back nothing is known any more.
  const PartySecret third = PartySecret::make(at.keys.random);
  REQUIRE(at.keys.identity.pin(new_key(third, next.key())));
  CHECK(at.import({answer}).answers == 0);
}

TEST_CASE("with nothing to send, a stick asks where the hub stands") {
  Stick at;
  at.good();
  const auto bundles = at.exported();
  REQUIRE(bundles.size() == 1);
  at.import({at.answered(bundles[0])});
  CHECK(at.last.equal);
}

}  // namespace
}  // namespace towpath
