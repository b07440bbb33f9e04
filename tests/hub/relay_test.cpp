#include "hub/relay/relay.hpp"

#include "tests/hub/federation_fixture.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

// A relay of one stream, without the hub around it.
struct Store : FederationFixture {
  Relays relays{*registry};
  std::vector<PartyKey> school_keys() { return {sealer.of(kFirst).secret.key()}; }

  Relays::Taken store(const std::vector<SealedSegment>& segments) {
    std::vector<RelaySegment> all;
    for (const SealedSegment& s : segments) all.push_back({open_segment(s.bytes).value(), s.bytes});
    auto taken = relays.store(kFirst, "kentish", all, school_keys());
    if (!taken) FAIL(taken.error().sentence());
    return *taken;
  }
  std::vector<Code> problems(const std::vector<SealedSegment>& segments) {
    std::vector<Code> codes;
    for (const ProblemFrame& p : store(segments).problems) codes.push_back(p.code);
    return codes;
  }
  Head head() { return relays.head(kFirst, "kentish", school_keys()).value(); }
  Relays::Following from(std::uint32_t epoch = 0, std::uint64_t seq = 0, const Hash256& hash = {}) {
    PartnersFrame::Entry e{stream_id(kFirst, kKentish), Epoch{epoch}, StreamSeq{seq}, {}};
    std::copy_n(hash.bytes.begin(), e.segment.size(), e.segment.begin());
    return relays.following(kFirst, "kentish", e, 240 * 1024, true).value();
  }
};
Result<void> unnoted(const ReceiptPaper&) { return {}; }
const Head kAsksInEpoch1{Epoch{1}, {}, {}, {}, false};

}  // namespace

TEST_CASE("a relay takes segments in order, and a repeated one is no problem") {
  Store hub;
  TestWriter w = hub.stream_of(kFirst);
  const auto a = w.snapshot(), b = w.delta(), c = w.delta();
  CHECK(hub.head() == Head{});
  CHECK(hub.problems({a, b}).empty());
  CHECK(hub.problems({a, b, c}).empty());
  CHECK(hub.head() == w.head());
  CHECK(hub.from().segments.size() == 3);
  CHECK(hub.from(1, 2, b.hash).segments.size() == 1);
  CHECK(hub.from(1, 3, c.hash).segments.empty());
}

TEST_CASE("who sends anew what it has lost, in an epoch that the hub wants no more, is told so") {
  Store hub;
  TestWriter w = hub.stream_of(kFirst);
  const auto a = w.snapshot(), b = w.delta();
  CHECK(hub.problems({a, b}).empty());
  REQUIRE(hub.relays.carry_out(OrderPaper{kFirst, kKentish, false, Epoch{1}, StreamSeq{2}}, unnoted));
  CHECK(hub.from().lacks);
  CHECK(hub.head() == kAsksInEpoch1);
  TestWriter anew = hub.stream_of(kFirst);
  anew.put(kPupil, {std::int64_t{9}, std::string("z")});
  CHECK(hub.problems({anew.snapshot()}) == std::vector{Code::kForked});
  TestWriter next = hub.stream_of(kFirst, 2);
  CHECK(hub.problems({next.snapshot()}).empty());
  CHECK(hub.head() == next.head());
}

TEST_CASE(
    "a relay refuses what is unsigned, forked, out of order or no beginning, and holds on to what it has") {
  Store hub;
  TestWriter w = hub.stream_of(kFirst);
  const auto a = w.snapshot();
  w.put(kPupil, {std::int64_t{1}, std::string("a")});
  const auto b = w.delta(), c = w.delta();
  TestWriter unsigned_one = hub.stream_of(kFirst);
  unsigned_one.signer = {};
  CHECK(hub.problems({unsigned_one.snapshot()}) == std::vector{Code::kNotSigned});
  TestWriter stranger = hub.stream_of(kFirst);
  stranger.signer = segment_signer(hub.sealer.of(kSecond).secret);
  CHECK(hub.problems({stranger.snapshot()}) == std::vector{Code::kNotSigned});
  CHECK(hub.problems({b}) == std::vector{Code::kOutOfOrder});
  CHECK(hub.problems({a, c}) == std::vector{Code::kOutOfOrder});
  TestWriter copy = hub.stream_of(kFirst);
  copy.put(kPupil, {std::int64_t{9}, std::string("z")});
  const auto other = copy.snapshot();
  CHECK(hub.problems({other}) == std::vector{Code::kForked});
  CHECK(hub.problems({copy.delta()}) == std::vector{Code::kForked});
  TestWriter far = hub.stream_of(kFirst, 2'000);
  CHECK(hub.problems({far.snapshot()}) == std::vector{Code::kRefused});
  TestWriter no_snapshot = hub.stream_of(kFirst, 2);
  CHECK(hub.problems({no_snapshot.delta()}) == std::vector{Code::kDamaged});
  CHECK(hub.problems({w.snapshot()}) == std::vector{Code::kOutOfOrder});
  CHECK(hub.from().segments.size() == 1);
}

TEST_CASE("partners read the old epoch until the new one's snapshot is whole; then it is gone") {
  Store hub;
  TestWriter old = hub.stream_of(kFirst);
  hub.store({old.snapshot(), old.delta()});
  TestWriter fresh = hub.stream_of(kFirst, 2);
  hub.store({fresh.seal({.snapshot = true})});
  CHECK(hub.head().epoch == Epoch{2});
  CHECK(hub.from().segments.size() == 2);
  CHECK(hub.problems({old.delta()}) == std::vector{Code::kForked});
  hub.store({fresh.seal({.snapshot = true, .snapshot_end = true})});
  const auto now = hub.from(1, 2, old.head().segment);
  REQUIRE(now.segments.size() == 2);
  CHECK(open_segment(now.segments[0])->header.epoch == Epoch{2});
}

TEST_CASE("a log that outgrows its snapshot is replaced: the hub asks, and bears only so much more") {
  Store hub;
  TestWriter w = hub.stream_of(kFirst);
  hub.store({w.snapshot()});
  std::uint64_t n = 1;
  const auto day = [&](int from) {
    for (int row = 0; row < 1'500; ++row) {
      std::string text;
      for (int c = 0; c < 12; ++c)
        text += static_cast<char>('a' +
                                  (n = n * 6364136223846793005u + 1442695040888963407u) / (1ull << 58) % 26);
      w.put(kPupil, {std::int64_t{from + row}, text});
    }
    return w.delta();
  };
  std::size_t log = 0;
  int days = 0;
  while (hub.head() == w.head()) {
    const auto segment = day(days++ * 1'500);
    log += segment.bytes.size();
    CHECK(hub.problems({segment}).empty());
    REQUIRE(days < 100);
  }
  CHECK(log > kRelayLogBytesMin);
  CHECK(hub.head() == kAsksInEpoch1);
  while (log < 2 * kRelayLogFactor * kRelayLogBytesMin) {
    const auto segment = day(days++ * 1'500);
    log += segment.bytes.size();
    if (hub.problems({segment}) == std::vector{Code::kTooLarge}) break;
  }
  CHECK(log < (kRelayLogFactor + 1) * kRelayLogBytesMin);
  TestWriter fresh = hub.stream_of(kFirst, 2);
  CHECK(hub.problems({fresh.snapshot()}).empty());
  CHECK(hub.head() == fresh.head());
}

TEST_CASE("an order takes away what is older than its place, or everything where the place is not reached") {
  Store hub;
  TestWriter w = hub.stream_of(kFirst);
  hub.store({w.snapshot(), w.delta(), w.delta()});
  OrderPaper order{kFirst, kKentish, false, Epoch{1}, StreamSeq{3}};
  CHECK(hub.relays.carry_out(order, unnoted)->segments == 2);
  CHECK(hub.relays.carry_out(order, unnoted)->outcome == ReceiptPaper::Outcome::kNothingHeld);
  // Who stands at the place goes on; for everybody else the school is asked for a beginning.
  CHECK_FALSE(hub.from(1, 3, w.head().segment).lacks);
  CHECK(hub.from().lacks);
  CHECK(hub.head() == kAsksInEpoch1);
  order.seq = StreamSeq{7};
  CHECK(hub.relays.carry_out(order, unnoted)->segments == 1);
  CHECK(hub.problems({w.delta()}) == std::vector{Code::kForked});
  CHECK_FALSE(hub.relays.holds(kFirst, "kentish").value());
}

TEST_CASE("what a key signed that holds no more, or that a partner doubts, is asked for anew") {
  Store hub;
  TestWriter w = hub.stream_of(kFirst);
  hub.store({w.snapshot()});
  REQUIRE(hub.relays.doubted(kFirst, "kentish", hub.clock.time));
  CHECK(hub.head() == kAsksInEpoch1);
  TestWriter second = hub.stream_of(kFirst, 2);
  hub.store({second.snapshot()});
  REQUIRE(hub.relays.doubted(kFirst, "kentish", hub.clock.time + 1h));  // once a day
  CHECK(hub.head() == second.head());
  REQUIRE(hub.relays.doubted(kFirst, "kentish", hub.clock.time + 25h));
  CHECK(hub.head().seq.number == 0);
  TestWriter third = hub.stream_of(kFirst, 3);
  hub.store({third.snapshot()});
  CHECK(hub.relays.head(kFirst, "kentish", {}).value() == Head{Epoch{3}, {}, {}, {}, false});
}
