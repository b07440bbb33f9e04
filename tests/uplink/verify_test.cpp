// Comparing with the hub: what differs is named by dataset and by key.
#include "agent/uplink/verify.hpp"

#include <catch2/catch.hpp>

#include "replica/compare.hpp"
#include "tests/agent/school_source.hpp"
#include "tests/uplink/scripted_hub.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::ScriptedHub;

// A school that has sent everything, and a hub that answers as another publisher would: `other`
// stands for what the hub holds.
struct Pair {
  Pair()
      : publisher(school.store, {"borough", {}}),
        held(other.store, {"borough", {}}),
        line(school.store),
        hub(keys) {
    for (test::School* s : {&school, &other}) {
      for (int i = 0; i < 10; ++i) s->pupil("p" + std::to_string(i), "Name" + std::to_string(i));
      for (int i = 0; i < 10; ++i) s->mark("2026-11-16", "AM", "p" + std::to_string(i), "/");
    }
  }
  void read() {
    school.read();
    other.read();
    ExchangeOptions options;
    options.school_urn = "100001";
    Exchange exchange(publisher, line, keys.peer, hub, clock, random, options);
    REQUIRE(exchange.run());
  }
  VerifyReport verify() {
    hub.script.assign(
        10, [this](ScriptedHub& h, const Bundle& asked) -> Result<Reply> { return answer(h, asked); });
    ExchangeOptions options;
    options.school_urn = "100001";
    auto report =
        verify_with_hub(publisher, school.dictionary, {}, line, keys.peer, hub, clock, random, options);
    if (!report) FAIL(report.error().sentence());
    return *report;
  }
  Reply answer(ScriptedHub& h, const Bundle& asked) {
    std::vector<Frame> frames{HeadFrame{h.stream, h.head}};
    for (const Frame& frame : asked.frames) {
      if (std::holds_alternative<DigestsFrame>(frame)) {
        DigestsFrame digests{h.stream, {}};
        const auto states = held.states();
        REQUIRE(states);
        for (const auto& s : *states) digests.entries.push_back({s.dataset, s.rows, s.digest});
        frames.emplace_back(digests);
      } else if (const auto* unknown = std::get_if<UnknownFrame>(&frame)) {
        const auto question = BucketsQuestion::from(*unknown);
        REQUIRE(question);
        const Dataset& dataset = *school.dictionary.find(question->dataset);
        const EachHash rows = [&](const HashVisitor& visit) { return held.each_hash(dataset, visit); };
        frames.emplace_back(BucketsAnswer::to(*question, rows)->frame());
      }
    }
    return h.answer(asked, std::move(frames));
  }

  test::School school, other;
  Publisher publisher, held;
  LineState line;
  test::Keys keys;
  ScriptedHub hub;
  test::TestClock clock;
  test::CountingRandom random;
};

TEST_CASE("equal ends are found equal, dataset by dataset") {
  Pair pair;
  pair.read();
  const VerifyReport report = pair.verify();
  CHECK(report.equal);
  CHECK(report.up_to_date);
  CHECK(report.keys.empty());
  CHECK(report.datasets.size() >= 3);
  for (const DatasetComparison& d : report.datasets) CHECK(d.equal);
  CHECK(pair.hub.asked.size() == 2);  // the sync's exchange, and one question
}

TEST_CASE("one row that differs is named by its dataset and key, in numbers") {
  Pair pair;
  pair.other.set("session_mark", pair.other.source.file("session_mark").records[3], "code", "I");
  pair.read();
  const VerifyReport report = pair.verify();
  CHECK_FALSE(report.equal);
  for (const DatasetComparison& d : report.datasets) CHECK(d.equal == (d.dataset != "session_mark"));
  REQUIRE(report.keys.size() == 1);
  CHECK_THAT(report.keys[0],
             Contains("session_mark " + std::to_string(Date::parse("2026-11-16")->days) + "/0/"));
}

TEST_CASE("a row that the hub lacks is counted and named") {
  Pair pair;
  pair.other.source.file("session_mark").records.pop_back();
  pair.read();
  const VerifyReport report = pair.verify();
  CHECK_FALSE(report.equal);
  const auto marks = std::find_if(report.datasets.begin(), report.datasets.end(),
                                  [](const auto& d) { return d.dataset == "session_mark"; });
  REQUIRE(marks != report.datasets.end());
  CHECK(marks->rows_here == 10);
  CHECK(marks->rows_hub == 9);
  CHECK(report.keys.size() == 1);
}

TEST_CASE("changes that were not sent are said to be the reason, and their keys are not asked for") {
  Pair pair;
  pair.read();
  pair.school.mark("2026-11-17", "AM", "p1", "/");
  pair.school.read();
  const std::size_t before = pair.hub.asked.size();
  const VerifyReport report = pair.verify();
  CHECK_FALSE(report.equal);
  CHECK_FALSE(report.up_to_date);
  CHECK(report.keys.empty());
  CHECK(pair.hub.asked.size() == before + 1);
}

TEST_CASE("a hub that does not say what it holds is not taken to be equal") {
  Pair pair;
  pair.read();
  ExchangeOptions options;
  options.school_urn = "100001";
  const auto report = verify_with_hub(pair.publisher, pair.school.dictionary, {}, pair.line, pair.keys.peer,
                                      pair.hub, pair.clock, pair.random, options);
  REQUIRE_FALSE(report);
  CHECK(report.error().code() == Code::kTransport);
}

}  // namespace
}  // namespace towpath
