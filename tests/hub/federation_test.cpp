#include "hub/exchange/shelf.hpp"
#include "hub/exchange/visit.hpp"
#include "hub/relay/relay.hpp"
#include "tests/hub/federation_fixture.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

bool taken(const Bundle& answer, const Deed& deed) {
  for (const DeedsTakenFrame& f : frames_of<DeedsTakenFrame>(answer))
    for (const auto& id : f.ids)
      if (id == deed.id.bytes) return true;
  return false;
}
OrderPaper order_in(const Deed& deed) { return OrderPaper::read(deed.body).value(); }
ReceiptPaper receipt_in(const Deed& deed) { return ReceiptPaper::read(deed.body).value(); }

}  // namespace

TEST_CASE("a school is told of its federation, then of the agreement offered to it, each once") {
  FederationFixture hub;
  const std::string text = agreement_text("kentish-2026", 1, kKentish);
  hub.offer(text);
  hub.visit(kFirst);
  const auto post = hub.new_post(kFirst);
  REQUIRE(post.size() == 2);
  const auto paper = FederationPaper::read(post[0].body).value();
  CHECK(paper.id == "kentish");
  REQUIRE(paper.members.size() == 3);
  CHECK(paper.members[1].urn == kSecond);
  CHECK(paper.members[1].keys == std::vector<PartyKey>{hub.sealer.of(kSecond).secret.key()});
  CHECK(AgreementPaper::read(post[1].body).value().text == text);
  hub.visit(kFirst);
  CHECK(hub.new_post(kFirst).empty());
}

TEST_CASE("a mark that is not on the hub's chain brings the post from its beginning") {
  FederationFixture hub;
  hub.offer(agreement_text("kentish-2026", 1, kKentish));
  hub.visit(kFirst);
  hub.marks[kFirst].chain[0] ^= 1;
  hub.visit(kFirst);
  CHECK(hub.new_post(kFirst).size() == 4);
  CHECK(hub.marks[kFirst].number == 2);
}

TEST_CASE("post also reaches a school whose bundle is refused, and one without a mark gets none") {
  FederationFixture hub;
  hub.offer(agreement_text("kentish-2026", 1, kKentish));
  CHECK(frames_of<PostFrame>(hub.ask({})).empty());
  // The machine was set back: it uses a turn twice.
  hub.visit(kFirst);
  hub.visit(kFirst);
  hub.marks[kFirst] = {};
  hub.sealer.of(kFirst).turn = 1;
  const Bundle answer = hub.visit(kFirst);
  CHECK(problems_of(answer) == std::vector{Code::kForked});
  CHECK(frames_of<PostFrame>(answer).size() == 2);
}

TEST_CASE("a school that makes new keys is known to its partners by both; a revoked one by none") {
  FederationFixture hub;
  hub.visit(kSecond);
  static_cast<void>(hub.new_post(kSecond));
  Machine& machine = hub.sealer.of(kFirst);
  const PartyKey old = machine.secret.key();
  PartySecret next = PartySecret::make(hub.random);
  const PartyKey fresh = next.key();
  hub.visit(kFirst, {new_key(next, old)});
  machine.secret = std::move(next);
  hub.visit(kSecond);
  auto post = hub.new_post(kSecond);
  REQUIRE(post.size() == 1);
  CHECK(FederationPaper::read(post[0].body).value().members[0].keys == std::vector<PartyKey>{fresh, old});
  REQUIRE(hub.registry->agents().revoke(kFirst, hub.clock.time));
  hub.visit(kSecond);
  const auto after = hub.new_post(kSecond);
  REQUIRE(after.size() == 1);
  CHECK(FederationPaper::read(after[0].body).value().members[0].keys.empty());
  CHECK(after[0].number > post[0].number);
}

TEST_CASE("the hub's deeds are signed with the key that the school knows the hub by, whatever it is now") {
  FederationFixture hub;
  hub.offer(agreement_text("kentish-2026", 1, kKentish));
  REQUIRE(hub.keys->rotate(hub.random, hub.clock.time));
  hub.visit(kFirst);  // checks each signature by the former key
  const auto before = hub.new_post(kFirst);
  hub.sealer.hub = hub.hub_key().key();
  hub.marks[kFirst] = {};
  hub.visit(kFirst);  // and by the new one
  const auto after = hub.new_post(kFirst);
  REQUIRE(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(before[i].id == after[i].id);
}

TEST_CASE(
    "an agreement that does not fit the hub's books is refused, with the line where it is of the text") {
  FederationFixture hub;
  const auto refused = [&](const std::string& text, const std::string& why) {
    const auto faults = hub.faults(text);
    INFO((faults.empty() ? std::string("(none)") : faults.front()));
    REQUIRE_FALSE(faults.empty());
    CHECK_THAT(faults.front(), Catch::Contains(why));
  };
  refused(agreement_text("kentish-2026", 1, kKentish, "2026-09-01", "2027-08-31", {"100001", "100009"}),
          "26: school 100009 is not registered");
  REQUIRE(hub.registry->add_school("100004", "Elsewhere"));
  refused(agreement_text("kentish-2026", 1, kKentish, "2026-09-01", "2027-08-31", {"100001", "100004"}),
          "26: school 100004 is not in federation kentish");
  refused(agreement_text("other-2026", 1, "federation:other"), "4: there is no federation other");
  refused(agreement_text("kentish-2026", 2, kKentish), "2: agreement kentish-2026 is new here");
  hub.offer(agreement_text("kentish-2026", 1, kKentish));
  refused(agreement_text("kentish-2026", 1, kKentish), "is offered already");
  refused(agreement_text("kentish-2026", 3, kKentish), "has to be version 2");
  refused(agreement_text("kentish-two", 1, kKentish, "2027-08-31", "2028-08-30"), "one agreement at a time");
  hub.offer(agreement_text("kentish-2026", 2, kKentish, "2026-09-01", "2026-12-31"));
  hub.offer(agreement_text("kentish-two", 1, kKentish, "2027-01-01", "2027-08-31"));
  CHECK(hub.faults("nonsense").size() >= 1);
}

TEST_CASE("a federation's segments are taken from who has approved, and handed to who has") {
  FederationFixture hub;
  const std::string text = agreement_text("kentish-2026", 1, kKentish);
  hub.offer(text);
  TestWriter first = hub.stream_of(kFirst);
  first.put(kPupil, {std::int64_t{1}, std::string("a")});
  const SealedSegment snapshot = first.snapshot();
  // Nobody has approved.
  CHECK(problems_of(hub.send_to(kFirst, {snapshot})) == std::vector{Code::kRefused});
  const Deed approved = hub.decision(kFirst, text, "kentish-2026", 1);
  const Bundle answer = hub.visit(kFirst, {DeedFrame{approved.bytes}, SegmentFrame{snapshot.bytes}});
  CHECK(taken(answer, approved));
  CHECK(problems_of(answer).empty());
  CHECK(head_for(answer, first.stream()) == first.head());
  // Its partner has not.
  CHECK(segments_of(hub.visit(kSecond), first.stream()).empty());
  const Bundle came = hub.hand_in(kSecond, hub.decision(kSecond, text, "kentish-2026", 1));
  CHECK(segments_of(came, first.stream()) == std::vector<std::uint64_t>{1});
  CHECK(frames_of<SegmentFrame>(came).front().bytes == snapshot.bytes);
  hub.stands(kSecond, first.stream(), first.head());
  CHECK(segments_of(hub.visit(kSecond), first.stream()).empty());
  const SealedSegment day = first.delta();
  hub.send_to(kFirst, {day});
  CHECK(segments_of(hub.visit(kSecond), first.stream()) == std::vector<std::uint64_t>{2});
  // A former key of the partner's replica, or another chain: from the snapshot on.
  Head other = first.head();
  other.segment.bytes[0] ^= 1;
  hub.stands(kSecond, first.stream(), other);
  CHECK(segments_of(hub.visit(kSecond), first.stream()) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a decision about another text, by another's key or from another school is refused for good") {
  FederationFixture hub;
  const std::string text = agreement_text("kentish-2026", 1, kKentish);
  hub.offer(text);
  const Deed other = hub.decision(kFirst, text + "\n", "kentish-2026", 1);
  Bundle answer = hub.hand_in(kFirst, other);
  CHECK(taken(answer, other));
  REQUIRE(problems_of(answer) == std::vector{Code::kRefused});
  CHECK(frames_of<ProblemFrame>(answer)[0].keys == std::vector{other.id.text()});
  const Deed stranger = hub.decision(kSecond, text, "kentish-2026", 1);
  answer = hub.hand_in(kFirst, stranger);
  CHECK(problems_of(answer) == std::vector{Code::kWrongStream});
  Deed forged = hub.decision(kFirst, text, "kentish-2026", 1);
  forged = sign_deed(std::move(forged), hub.sealer.of(kSecond).secret);
  answer = hub.hand_in(kFirst, forged);
  CHECK(problems_of(answer) == std::vector{Code::kNotSigned});
  CHECK_FALSE(hub.agreements().in_force(kFirst, kKentish, utc_date(hub.clock.time)).value());
  // Cut off: it has no id that could be acknowledged.
  Deed cut = hub.decision(kFirst, text, "kentish-2026", 1);
  cut.bytes.pop_back();
  answer = hub.hand_in(kFirst, cut);
  CHECK(problems_of(answer) == std::vector{Code::kDamaged});
  CHECK(frames_of<DeedsTakenFrame>(answer).empty());
}

TEST_CASE("an approval that comes late does not undo a withdrawal") {
  FederationFixture hub;
  const std::string text = agreement_text("kentish-2026", 1, kKentish);
  hub.offer(text);
  const Deed approved = hub.decision(kFirst, text, "kentish-2026", 1);
  hub.clock.time += 1h;
  const Deed withdrawn = hub.decision(kFirst, text, "kentish-2026", 1, DecisionPaper::What::kWithdrawn);
  hub.hand_in(kFirst, withdrawn);
  CHECK(taken(hub.hand_in(kFirst, approved), approved));
  CHECK_FALSE(hub.agreements().in_force(kFirst, kKentish, utc_date(hub.clock.time)).value());
  // And again, later: a new decision.
  hub.clock.time += 1h;
  hub.hand_in(kFirst, hub.decision(kFirst, text, "kentish-2026", 1));
  CHECK(hub.agreements().in_force(kFirst, kKentish, utc_date(hub.clock.time)).value());
}

TEST_CASE("an order is written down, carried out at the hub, posted to partners, and answered by receipts") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  first.put(kPupil, {std::int64_t{1}, std::string("a")});
  hub.send_to(kFirst, {first.snapshot(), first.delta()});
  first.erase(kPupil, {std::int64_t{1}});
  const SealedSegment after = first.delta();
  const Deed order = hub.order(kFirst, kKentish, false, 1, 3);
  // The order and the segment that it names come in one bundle. The answer asks for a new snapshot at once:
  // who carries the order out later finds it there.
  const Bundle answer = hub.visit(kFirst, {DeedFrame{order.bytes}, SegmentFrame{after.bytes}});
  CHECK(taken(answer, order));
  CHECK(head_for(answer, first.stream()) == Head{Epoch{1}, {}, {}, {}, false});
  auto post = hub.new_post(kFirst);
  REQUIRE(post.size() == 1);
  CHECK(post[0].issuer == "hub");
  const ReceiptPaper said = receipt_in(post[0]);
  CHECK(said.about == order.id);
  CHECK(said.outcome == ReceiptPaper::Outcome::kRemoved);
  CHECK(said.segments == 2);
  CHECK(said.backups_gone.days == utc_date(hub.clock.time).days + kBackupDaysDefault);
  // A partner gets the order; the stream has no beginning until the school has sent one.
  Bundle partner = hub.visit(kSecond);
  post = hub.new_post(kSecond);
  REQUIRE(post.size() == 1);
  CHECK(post[0].id == order.id);
  CHECK(segments_of(partner, first.stream()).empty());
  const auto states = hub.orders().all().value();
  REQUIRE(states.size() == 1);
  REQUIRE(states[0].tasks.size() == 3);
  CHECK(states[0].tasks[0].done);        // the hub
  CHECK_FALSE(states[0].tasks[1].done);  // 100002
  hub.hand_in(kSecond, hub.receipt(kSecond, order.id, first.stream()));
  CHECK(hub.orders().all().value()[0].tasks[1].done);
  const Bundle asked = hub.visit(kFirst);
  CHECK(hub.kinds(kFirst) == std::vector{DeedKind::kReceipt});
  CHECK(head_for(asked, first.stream()) == Head{Epoch{1}, {}, {}, {}, false});
  // The same again is nothing new.
  CHECK(taken(hub.hand_in(kFirst, order), order));
  CHECK(hub.orders().all().value().size() == 1);
  TestWriter second = hub.stream_of(kFirst, 2);
  hub.send_to(kFirst, {second.snapshot()});
  CHECK(segments_of(hub.visit(kSecond), first.stream()) == std::vector<std::uint64_t>{1});
}

TEST_CASE(
    "an order about the borough's stream removes older contents; one that the hub has not reached, all") {
  FederationFixture hub;
  TestWriter writer = hub.stream_of(kFirst, 1, std::string(kBorough));
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  hub.send_to(kFirst, {writer.snapshot(), writer.delta()});
  writer.erase(kPupil, {std::int64_t{1}});
  const SealedSegment after = writer.delta();
  const Deed order = hub.order(kFirst, std::string(kBorough), false, 1, 3);
  Bundle answer = hub.visit(kFirst, {DeedFrame{order.bytes}, SegmentFrame{after.bytes}});
  CHECK(head_for(answer, writer.stream()) == writer.head());
  auto post = hub.new_post(kFirst);
  REQUIRE_FALSE(post.empty());
  CHECK(receipt_in(post.back()).references == 2);
  // A reference to what was removed is refused; without one the stream goes on.
  CHECK(problems_of(hub.send_to(kFirst, {writer.seal({.reference = StreamSeq{2}})})) ==
        std::vector{Code::kMissingReference});

  const Deed beyond = hub.order(kFirst, std::string(kBorough), false, 1, 9);
  answer = hub.hand_in(kFirst, beyond);
  CHECK(head_for(answer, writer.stream()) == Head{Epoch{1}, {}, {}, {}, false});
  CHECK_FALSE(hub.registry->current(kFirst).value());
  TestWriter anew = hub.stream_of(kFirst, 2, std::string(kBorough));
  anew.put(kPupil, {std::int64_t{2}, std::string("b")});
  CHECK(head_for(hub.send_to(kFirst, {anew.snapshot()}), writer.stream()) == anew.head());
}

TEST_CASE("an order that comes after its term is answered so, and nothing is removed") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  hub.send_to(kFirst, {first.snapshot()});
  const Deed late = hub.order(kFirst, kKentish, true, 0, 0, hub.clock.time - 1h);
  const Bundle answer = hub.hand_in(kFirst, late);
  CHECK(taken(answer, late));
  CHECK(head_for(answer, first.stream()) == first.head());
  const auto post = hub.new_post(kFirst);
  REQUIRE(post.size() == 1);
  CHECK(receipt_in(post[0]).outcome == ReceiptPaper::Outcome::kExpired);
  hub.visit(kSecond);
  CHECK(hub.new_post(kSecond).empty());
}

TEST_CASE("what a school has handed in stands in its post: a hub that has lost it shows by the mark") {
  FederationFixture hub;
  const std::string text = agreement_text("kentish-2026", 1, kKentish);
  hub.offer(text);
  hub.visit(kFirst);
  const PostMark before = hub.marks[kFirst];
  const Deed decision = hub.decision(kFirst, text, "kentish-2026", 1);
  const Bundle answer = hub.hand_in(kFirst, decision);
  CHECK(taken(answer, decision));
  const auto came = frames_of<PostFrame>(answer);
  REQUIRE(came.size() == 1);
  CHECK(read_deed(came[0].deed).value().id == decision.id);
  CHECK(hub.marks[kFirst].number == before.number + 1);
  // Once; and what is refused does not come back.
  CHECK(frames_of<PostFrame>(hub.hand_in(kFirst, decision)).empty());
  CHECK(frames_of<PostFrame>(hub.hand_in(kFirst, hub.decision(kSecond, text, "kentish-2026", 1))).empty());
}

TEST_CASE("an order that comes again to a hub that was set back counts the answer that is here already") {
  FederationFixture hub;
  hub.everyone_approved();
  const Deed order = hub.order(kFirst, kKentish, true);
  hub.hand_in(kSecond, hub.receipt(kSecond, order.id, stream_id(kFirst, kKentish)));
  CHECK(taken(hub.hand_in(kFirst, order), order));
  const auto states = hub.orders().all().value();
  REQUIRE(states.size() == 1);
  REQUIRE(states[0].tasks.size() == 3);
  CHECK(states[0].tasks[1].urn == kSecond);
  CHECK(states[0].tasks[1].done);
  CHECK(states[0].tasks[2].urn == kThird);
  CHECK_FALSE(states[0].tasks[2].done);
}

TEST_CASE("an order about another school's data is refused, and removes nothing") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  hub.send_to(kFirst, {first.snapshot()});
  const Deed wrong = hub.deed(kSecond, DeedKind::kOrder, OrderPaper{kFirst, kKentish, true, {}, {}}.encode());
  CHECK(problems_of(hub.hand_in(kSecond, wrong)) == std::vector{Code::kWrongStream});
  const Deed nowhere =
      hub.deed(kSecond, DeedKind::kOrder, OrderPaper{kSecond, "federation:other", true, {}, {}}.encode());
  CHECK(problems_of(hub.hand_in(kSecond, nowhere)) == std::vector{Code::kNotFound});
  CHECK(segments_of(hub.visit(kSecond), first.stream()).size() == 1);
}

TEST_CASE("a problem with a deed names the deed, so that it is not taken for one with the whole bundle") {
  FederationFixture hub;
  hub.everyone_approved();
  const Deed wrong = hub.deed(kSecond, DeedKind::kOrder, OrderPaper{kFirst, kKentish, true, {}, {}}.encode());
  Bytes damaged = wrong.bytes;
  damaged.resize(20);
  TestWriter writer = hub.stream_of(kSecond);
  const Bundle answer =
      hub.visit(kSecond, {DeedFrame{damaged}, DeedFrame{wrong.bytes}, SegmentFrame{writer.snapshot().bytes}});
  const auto problems = frames_of<ProblemFrame>(answer);
  REQUIRE(problems.size() == 2);
  for (const ProblemFrame& p : problems) {
    CHECK(p.stream == StreamId{});
    CHECK(p.seq.number == 0);
    CHECK(p.keys.size() == 1);
  }
  CHECK(problems[1].keys.front() == wrong.id.text());
  CHECK(taken(answer, wrong));
  CHECK(head_for(answer, writer.stream()) == writer.head());  // the rest is taken
}

TEST_CASE("an order that was taken and not carried out before a kill is carried out after it") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  hub.send_to(kFirst, {first.snapshot()});
  // As the first transaction leaves it.
  const Deed order = hub.order(kFirst, kKentish, true);
  const DeedFrame frame{order.bytes};
  REQUIRE(hub.orders().take(kFirst, {&frame}, hub.hub_key(), hub.clock.time));
  CHECK(hub.orders().open_at_hub(kFirst).value().size() == 1);
  hub.start();
  REQUIRE(hub.service->finish_orders());
  CHECK(hub.orders().open_at_hub(kFirst).value().empty());
  CHECK(segments_of(hub.visit(kSecond), first.stream()).empty());
  hub.visit(kFirst);
  CHECK(hub.kinds(kFirst) == std::vector{DeedKind::kReceipt});
}

TEST_CASE("a kill between a removal at the hub and its receipt does not make the receipt say less") {
  FederationFixture hub;
  hub.everyone_approved();
  const std::string borough(kBorough);
  TestWriter shared = hub.stream_of(kFirst), whole = hub.stream_of(kFirst, 1, borough);
  whole.put(kPupil, {std::int64_t{1}, std::string("a")});
  hub.send_to(kFirst, {shared.snapshot(), shared.delta()});
  hub.send_to(kFirst, {whole.snapshot()});
  const Deed partners = hub.order(kFirst, kKentish, true), places = hub.order(kFirst, borough, true);
  const DeedFrame one{partners.bytes}, two{places.bytes};
  REQUIRE(hub.orders().take(kFirst, {&one, &two}, hub.hub_key(), hub.clock.time));
  {
    Relays relays(*hub.registry);
    Shelf shelf;
    Visit visit(
        *hub.registry, shelf, kNewDictionary, [](const std::string&) {}, [](Code, const std::string&) {},
        kFirst);
    const auto all = hub.orders().open_at_hub(kFirst).value();
    for (const OpenOrder& open : all) {
      const BeforeRemoval note = [&](const ReceiptPaper& receipt) {
        return hub.orders().removing(open.deed, kFirst, open.order.audience, receipt);
      };
      REQUIRE((open.order.audience == borough ? visit.carry_out(open.order, note)
                                              : relays.carry_out(open.order, note)));
    }
  }
  hub.start();
  REQUIRE(hub.service->finish_orders());
  hub.visit(kFirst);
  const auto post = hub.new_post(kFirst);
  REQUIRE(post.size() == 2);
  for (const Deed& deed : post) {
    const ReceiptPaper said = receipt_in(deed);
    CHECK(said.outcome == ReceiptPaper::Outcome::kRemoved);
    if (said.about == partners.id)
      CHECK(said.segments == 2);
    else
      CHECK((said.rows.size() == 1 && said.rows[0].rows == 1));
  }
  CHECK_FALSE(hub.orders().untold(kFirst, kKentish).value());
}

TEST_CASE("a school that hands in deeds without end fills no disk: the rest is taken another day") {
  FederationFixture hub;
  hub.everyone_approved();
  std::vector<Frame> frames;
  std::vector<Deed> deeds;
  for (std::size_t i = 0; i < kSchoolDeedsADayMax; ++i) {
    deeds.push_back(hub.receipt(kSecond,
                                DeedId{{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)}},
                                stream_id(kFirst, kKentish)));
    frames.emplace_back(DeedFrame{deeds.back().bytes});
  }
  Bundle answer = hub.visit(kSecond, frames);
  CHECK(taken(answer, deeds.front()));
  CHECK_FALSE(taken(answer, deeds.back()));  // its decision was one, too
  hub.clock.time += 25h;
  CHECK(taken(hub.hand_in(kSecond, deeds.back()), deeds.back()));
}

TEST_CASE(
    "an order that begins a new epoch counts what was there, not what its bundle has replaced already") {
  FederationFixture hub;
  hub.everyone_approved();
  for (const std::string& audience : {kKentish, std::string(kBorough)}) {
    TestWriter old = hub.stream_of(kFirst, 1, audience), anew = hub.stream_of(kFirst, 2, audience);
    old.put(kPupil, {std::int64_t{1}, std::string("a")});
    anew.put(kPupil, {std::int64_t{2}, std::string("b")});
    hub.send_to(kFirst, {old.snapshot(), old.delta()});
    static_cast<void>(hub.new_post(kFirst));
    const Deed order = hub.order(kFirst, audience, false, 2, 1);
    const Bundle answer = hub.visit(kFirst, {DeedFrame{order.bytes}, SegmentFrame{anew.snapshot().bytes}});
    CHECK(problems_of(answer).empty());
    CHECK(head_for(answer, anew.stream()) == anew.head());
    const auto post = hub.new_post(kFirst);
    REQUIRE(post.size() == 1);
    const ReceiptPaper said = receipt_in(post[0]);
    CHECK(said.outcome == ReceiptPaper::Outcome::kRemoved);
    if (audience == kKentish)
      CHECK(said.segments == 2);
    else
      CHECK((said.rows.size() == 1 && said.rows[0].rows == 1));
  }
}

TEST_CASE("a receipt closes its order only where something was done about it, and about that stream") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  hub.send_to(kFirst, {first.snapshot()});
  const Deed order = hub.order(kFirst, kKentish, false, 1, 2);
  hub.hand_in(kFirst, order);
  const auto open = [&](const DeedId& about) {
    const auto all = hub.orders().all().value();
    for (const OrderState& state : all)
      if (state.deed == about)
        for (const OrderTask& task : state.tasks)
          if (task.urn == kSecond) return !task.done;
    return false;
  };
  const Deed other = hub.receipt(kSecond, order.id, stream_id(kThird, kKentish));
  CHECK(problems_of(hub.hand_in(kSecond, other)) == std::vector{Code::kWrongStream});
  CHECK(open(order.id));
  ReceiptPaper late;
  late.about = order.id;
  late.stream = first.stream();
  late.outcome = ReceiptPaper::Outcome::kExpired;
  hub.hand_in(kSecond, hub.deed(kSecond, DeedKind::kReceipt, late.encode()));
  CHECK(open(order.id));
  // Ordered again, and carried out: now the first is done as well.
  const Deed again = hub.order(kFirst, kKentish, true, 1);
  hub.hand_in(kFirst, again);
  hub.hand_in(kSecond, hub.receipt(kSecond, again.id, first.stream()));
  CHECK_FALSE(open(again.id));
  CHECK_FALSE(open(order.id));
}

TEST_CASE(
    "a school that leaves is told to remove its partners' data, they to remove its, and gets nothing more") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst), second = hub.stream_of(kSecond);
  hub.send_to(kFirst, {first.snapshot()});
  hub.send_to(kSecond, {second.snapshot()});
  CHECK(hub.federations().leave("kentish", kThird, hub.hub_key(), hub.clock.time).value() == 3);
  CHECK(hub.federations().leave("kentish", kThird, hub.hub_key(), hub.clock.time).error().code() ==
        Code::kNotFound);
  CHECK(segments_of(hub.visit(kThird), first.stream()).empty());
  auto post = hub.new_post(kThird);
  REQUIRE(post.size() == 5);
  // To remove what it holds of two partners; and, to know of it, that they are to remove what is its own.
  std::vector<std::string> about;
  for (int i = 0; i < 3; ++i) {
    CHECK(order_in(post[static_cast<std::size_t>(i)]).all);
    about.push_back(order_in(post[static_cast<std::size_t>(i)]).school_urn);
  }
  CHECK(about == std::vector<std::string>{kFirst, kSecond, kThird});
  // What the hub had stored of it: a look at an empty shelf is told, too.
  CHECK(receipt_in(post[3]).outcome == ReceiptPaper::Outcome::kNothingHeld);
  const auto paper = FederationPaper::read(post[4].body).value();
  CHECK(paper.members.size() == 2);
  REQUIRE(paper.former.size() == 1);
  CHECK(paper.former[0].urn == kThird);
  hub.visit(kFirst);
  post = hub.new_post(kFirst);
  REQUIRE(post.size() == 3);
  CHECK(order_in(post[0]).school_urn == kFirst);  // what the third is to remove
  CHECK(order_in(post[1]).school_urn == kThird);
  CHECK(post[2].kind == DeedKind::kFederation);
  // What it sends is taken no more, which ends nothing but that stream; what its partners send goes on
  // between them.
  TestWriter third = hub.stream_of(kThird);
  CHECK(problems_of(hub.send_to(kThird, {third.snapshot()})) == std::vector{Code::kRefused});
  CHECK(segments_of(hub.visit(kFirst), second.stream()).size() == 1);
  // And it may come back.
  REQUIRE(hub.federations().join("kentish", kThird, hub.clock.time + 1h));
  hub.visit(kThird);
  CHECK(hub.kinds(kThird) == std::vector{DeedKind::kFederation});
}

TEST_CASE("when an agreement ends, what is stored for it is removed and nothing is taken or handed on") {
  FederationFixture hub;
  hub.everyone_approved();
  const std::string borough = agreement_text("borough-2026", 1, std::string(kBorough));
  hub.offer(borough);
  hub.hand_in(kFirst, hub.decision(kFirst, borough, "borough-2026", 1));
  TestWriter first = hub.stream_of(kFirst), to_hub = hub.stream_of(kFirst, 1, std::string(kBorough));
  to_hub.put(kPupil, {std::int64_t{1}, std::string("a")});
  hub.send_to(kFirst, {first.snapshot(), to_hub.snapshot()});
  REQUIRE(hub.registry->current(kFirst).value());
  static_cast<void>(hub.new_post(kFirst));
  hub.clock.time = *parse_instant("2027-08-31T23:59:59Z");  // the last day counts
  REQUIRE(hub.service->tend());
  CHECK(segments_of(hub.visit(kSecond), first.stream()).size() == 1);
  hub.clock.time = *parse_instant("2027-09-01T00:00:00Z");
  REQUIRE(hub.service->tend());
  CHECK(segments_of(hub.visit(kSecond), first.stream()).empty());
  CHECK_FALSE(hub.registry->current(kFirst).value());
  const Bundle answer = hub.send_to(kFirst, {first.delta(), to_hub.delta()});
  CHECK(problems_of(answer) == std::vector{Code::kRefused, Code::kRefused});
  const auto post = hub.new_post(kFirst);
  REQUIRE(post.size() == 2);
  for (const Deed& d : post) CHECK(receipt_in(d).outcome == ReceiptPaper::Outcome::kRemoved);
  const auto audited = hub.audited();
  CHECK(std::count(audited.begin(), audited.end(), "stream-removed") == 2);
  // Again: there is nothing left to do.
  REQUIRE(hub.service->tend());
  CHECK(hub.audited().size() == audited.size());
}

TEST_CASE("while an approved version begins later the one before counts; at its own end that is removed") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  hub.send_to(kFirst, {first.snapshot()});
  const bool gap = GENERATE(false, true);
  const std::string newer =
      agreement_text("kentish-2026", 2, kKentish, gap ? "2027-10-01" : "2027-08-01", "2028-08-31");
  hub.offer(newer);
  hub.clock.time = *parse_instant("2027-07-10T12:00:00Z");
  hub.hand_in(kFirst, hub.decision(kFirst, newer, "kentish-2026", 2));
  const auto version = [&](const char* day) {
    const auto found = hub.agreements().in_force(kFirst, kKentish, *Date::parse(day)).value();
    return found ? static_cast<int>(found->version) : 0;
  };
  CHECK(version("2027-07-31") == 1);
  CHECK(version("2027-08-31") == (gap ? 1 : 2));
  CHECK(version("2027-09-01") == (gap ? 0 : 2));
  CHECK(version("2027-10-01") == 2);
  REQUIRE(hub.service->tend());
  CHECK(problems_of(hub.send_to(kFirst, {first.delta()})).empty());
  CHECK(segments_of(hub.visit(kSecond), first.stream()).size() == 2);
  SECTION("over") {
    hub.clock.time = *parse_instant("2027-09-01T12:00:00Z");
    REQUIRE(hub.service->tend());
    const auto audited = hub.audited();
    CHECK(std::count(audited.begin(), audited.end(), "stream-removed") == (gap ? 1 : 0));
  }
  SECTION("withdrawing ends both, also where the approval comes after it") {
    const bool late = GENERATE(false, true);
    hub.clock.time += 1h;
    const Deed again = hub.decision(kFirst, newer, "kentish-2026", 2);
    hub.clock.time += 1h;
    const Deed stop = hub.decision(kFirst, newer, "kentish-2026", 2, DecisionPaper::What::kWithdrawn);
    hub.hand_in(kFirst, late ? stop : again);
    hub.hand_in(kFirst, late ? again : stop);
    for (const char* day : {"2027-07-31", "2027-08-31", "2027-10-01"}) CHECK(version(day) == 0);
  }
}

TEST_CASE("a school that has never decided about the borough sends as before there were agreements") {
  FederationFixture hub;
  hub.offer(agreement_text("borough-2026", 1, std::string(kBorough)));
  TestWriter writer = hub.stream_of(kFirst, 1, std::string(kBorough));
  CHECK(problems_of(hub.send_to(kFirst, {writer.snapshot()})).empty());
  CHECK(hub.registry->current(kFirst).value());
}

TEST_CASE("an answer holds what filters let through, and says that there is more") {
  FederationFixture hub;
  hub.everyone_approved();
  TestWriter first = hub.stream_of(kFirst);
  std::vector<SealedSegment> segments{first.seal({.snapshot = true})};
  std::uint64_t n = 1;
  for (int i = 0; i < 4; ++i) {
    for (int row = 0; row < 6'000; ++row) {
      std::string text;
      for (int c = 0; c < 12; ++c)
        text += static_cast<char>('a' +
                                  (n = n * 6364136223846793005u + 1442695040888963407u) / (1ull << 58) % 26);
      first.put(kPupil, {std::int64_t{i * 10'000 + row}, text});
    }
    segments.push_back(first.seal({.snapshot = true, .snapshot_end = i == 3}));
  }
  for (const SealedSegment& s : segments) CHECK(problems_of(hub.send_to(kFirst, {s})).empty());
  std::uint64_t next = 1;
  for (int visits = 0; next <= 5; ++visits) {
    REQUIRE(visits < 6);
    const Bundle answer = hub.visit(kSecond);
    std::size_t bytes = 0;
    for (const SegmentFrame& s : frames_of<SegmentFrame>(answer)) bytes += s.bytes.size();
    CHECK(bytes <= 240u * 1024);
    for (const std::uint64_t seq : segments_of(answer, first.stream())) CHECK(seq == next++);
    CHECK(frames_of<MoreFrame>(answer).empty() == (next == 6));
    hub.stands(kSecond, first.stream(), {Epoch{1}, StreamSeq{next - 1}, segments[next - 2].hash, {}, false});
  }
}
