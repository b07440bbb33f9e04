// Agreements at the school: offered, approved, withdrawn, ended; orders, receipts and partners.
#include "agent/sharing/sharing.hpp"

#include "tests/sharing/sharing_world.hpp"

namespace towpath {
namespace {

using Catch::Matchers::Contains;
using test::AgreementText;
using test::SharingWorld;

AgreementText federal() {
  AgreementText text;
  text.id = "kentish-2026";
  text.audience = "federation:kentish";
  return text;
}

TEST_CASE("nothing goes to an audience before its agreement is approved, and only from start to end") {
  SharingWorld world;
  world.offer({});
  CHECK(world.audiences().empty());
  REQUIRE(world.approve("borough-2026"));
  CHECK(world.audiences() == std::vector<std::string>{"borough"});
  const auto audience = world.sharing().audiences(world.today()).value().front();
  CHECK(audience.grants == std::vector<std::string>{"ROLL", "ATT-CAT"});
  CHECK(world.sharing().audiences(Date::parse("2026-08-31").value()).value().empty());
  CHECK(world.sharing().audiences(Date::parse("2027-08-31").value()).value().size() == 1);
  CHECK(world.sharing().audiences(Date::parse("2027-09-01").value()).value().empty());
}

TEST_CASE("the decision is a deed about exactly the text that was shown, and waits until the hub has it") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026", "head, A. Example"));
  const auto deeds = world.waiting();
  REQUIRE(deeds.size() == 1);
  CHECK(deeds[0].issuer == "school:100001");
  const auto paper = DecisionPaper::read(deeds[0].body).value();
  CHECK(paper.what == DecisionPaper::What::kApproved);
  CHECK(paper.text == agreement_hash(AgreementText{}.toml()));
  CHECK(paper.by == "head, A. Example");
  world.hub_takes_all();
  CHECK(world.waiting().empty());
  CHECK_THAT(world.audit(), Contains("agreement-approved") && Contains("head, A. Example"));
}

TEST_CASE("what cannot be approved is refused with the reason, and nothing is said to the hub") {
  SharingWorld world;
  SECTION("unknown") { CHECK_THAT(world.approved("nothing"), Contains("no agreement 'nothing'")); }
  SECTION("an older version") {
    world.offer({});
    const Offer old = world.sharing().offer("borough-2026").value();
    AgreementText newer;
    newer.version = 2;
    world.offer(newer);
    const auto done = world.sharing().approve(old, "head");
    REQUIRE_FALSE(done);
    CHECK(done.error().code() == Code::kRefused);
    CHECK_THAT(done.error().sentence(), Contains("version 2"));
  }
  SECTION("twice") {
    world.offer({});
    REQUIRE(world.approve("borough-2026"));
    world.hub_takes_all();
    const auto done = world.approve("borough-2026");
    REQUIRE_FALSE(done);
    CHECK(done.error().code() == Code::kRepeated);
    CHECK_THAT(done.error().what(), Contains("2026-11-19") && Contains("head, A. Example"));
  }
  SECTION("ended") {
    world.offer({});
    world.clock.day("2027-09-01");
    CHECK_THAT(world.approved("borough-2026"), Contains("ended on 2027-08-31"));
  }
  SECTION("without this school") {
    AgreementText text;
    text.urns = {"100002"};
    world.offer(text);
    CHECK_THAT(world.approved("borough-2026"), Contains("does not name this school (100001)"));
  }
  SECTION("not understood") {
    AgreementText text;
    text.grants = "\"FROM-THE-FUTURE\"";
    world.offer(text);
    const auto done = world.approve("borough-2026");
    REQUIRE_FALSE(done);
    CHECK(done.error().code() == Code::kUnknownVersion);
    CHECK_THAT(done.error().what(), Contains("FROM-THE-FUTURE"));
  }
  SECTION("for a federation that this school is not in") {
    world.offer(federal());
    CHECK_THAT(world.approved("kentish-2026"), Contains("not in it"));
  }
  SECTION("by nobody") {
    world.offer({});
    CHECK(world.approve("borough-2026", "").error().code() == Code::kUsage);
    CHECK(world.approve("borough-2026", "head\nand somebody").error().code() == Code::kUsage);
    CHECK(world.approve("borough-2026", std::string(201, 'x')).error().code() == Code::kUsage);
  }
  CHECK(world.waiting().empty());
  if (world.count("decision") == 0) CHECK(world.audiences().empty());
}

TEST_CASE("a newer version changes nothing until it is approved, and then replaces the one before") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  AgreementText newer;
  newer.version = 2;
  newer.grants = "\"ROLL\"";
  world.offer(newer);
  CHECK(world.sharing().audiences(world.today()).value().front().grants.size() == 2);
  REQUIRE(world.approve("borough-2026"));
  CHECK(world.sharing().audiences(world.today()).value().front().grants == std::vector<std::string>{"ROLL"});
  CHECK(world.orders_waiting().empty());  // the publisher works out what is to be recalled
}

TEST_CASE("the configuration can narrow what the borough gets, to nothing even, and never widen it") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  auto options = world.options();
  options.borough_grants = {"ROLL", "PLEDGE"};
  CHECK(Sharing(world.school.store, world.clock, options).audiences(world.today()).value().front().grants ==
        std::vector<std::string>{"ROLL"});
  options.borough_grants = {"PLEDGE"};
  CHECK(Sharing(world.school.store, world.clock, options).audiences(world.today()).value().empty());
}

TEST_CASE("withdrawing stops at once, orders everything removed, and leaves nothing to send") {
  SharingWorld world;
  world.school.pupil("1", "Zebedee");
  world.school.read();
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  REQUIRE(world.count("outbox") > 0);
  world.hub_takes_all();
  REQUIRE(world.sharing().withdraw("borough-2026", "governor, B. Example"));
  CHECK(world.audiences().empty());
  for (const char* table : {"outbox", "content", "stream", "recall"}) {
    INFO(table);
    CHECK(world.count(table) == 0);
  }
  const auto orders = world.orders_waiting();
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].all);
  CHECK(orders[0].audience == "borough");
  CHECK(orders[0].school_urn == "100001");
  const auto deeds = world.waiting();
  CHECK(DecisionPaper::read(deeds.front().body).value().what == DecisionPaper::What::kWithdrawn);
  CHECK_THAT(world.audit(), Contains("agreement-withdrawn") && Contains("order-issued"));

  const auto again = world.sharing().withdraw("borough-2026", "governor");
  REQUIRE_FALSE(again);
  CHECK(again.error().code() == Code::kRepeated);
  CHECK_THAT(again.error().what(), Contains("B. Example"));
  REQUIRE(world.approve("borough-2026"));
  CHECK(world.audiences().size() == 1);
}

TEST_CASE("a machine that knows of no approval, as after a lost disk, can say stop all the same, once") {
  SharingWorld world;
  CHECK(world.sharing().withdraw("borough-2026", "head").error().code() == Code::kNotFound);
  world.offer({});
  REQUIRE(world.sharing().withdraw("borough-2026", "head"));
  const auto deeds = world.waiting();
  REQUIRE(deeds.size() == 2);
  const auto paper = DecisionPaper::read(deeds[0].body).value();
  CHECK(paper.what == DecisionPaper::What::kWithdrawn);
  CHECK(paper.version == 1);
  CHECK(paper.text == agreement_hash(AgreementText{}.toml()));
  REQUIRE(world.orders_waiting().size() == 1);
  CHECK(world.orders_waiting()[0].all);
  CHECK(world.sharing().decided(world.today()).value().front().standing == Standing::kWithdrawn);
  CHECK(world.sharing().withdraw("borough-2026", "head").error().code() == Code::kRepeated);
  // Unless the store was set back since: what was approved after it may be unknown here.
  world.post(world.deed(
      DeedKind::kDecision,
      DecisionPaper{"borough-2026", 1, {}, DecisionPaper::What::kApproved, "head, A. Example"}.encode(),
      "school:100001"));
  REQUIRE(world.sharing().withdraw("borough-2026", "head"));
  CHECK(world.orders_waiting().size() == 2);
}

TEST_CASE("what was replaced by another agreement is not what is to be withdrawn, and it is said which is") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  AgreementText other;
  other.id = "borough-2027";
  world.offer(other);
  REQUIRE(world.approve("borough-2027"));
  CHECK(world.audiences().size() == 1);
  CHECK_THAT(world.sharing().withdraw("borough-2026", "head").error().what(),
             Contains("replaced by agreement borough-2027"));
}

TEST_CASE("the version before goes on until the first day of one that begins later, which then takes over") {
  SharingWorld world;
  world.school.pupil("1", "Zebedee");
  world.school.read();
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  AgreementText newer;
  newer.version = 2;
  newer.start = "2027-09-01";
  newer.end = "2028-08-31";
  newer.grants = "\"ROLL\"";
  world.offer(newer);
  world.clock.day("2027-07-10");
  REQUIRE(world.approve("borough-2026", "deputy, B. Example"));
  CHECK(world.approve("borough-2026").error().code() == Code::kRepeated);
  const auto now = world.sharing().decided(world.today()).value().at(0);
  CHECK(now.standing == Standing::kInForce);
  CHECK(now.version == 1);
  REQUIRE(now.next.size() == 1);
  CHECK(now.next[0].by == "deputy, B. Example");
  CHECK(words(now) == "approved, in force until 2027-08-31; version 2 approved, begins 2027-09-01");
  CHECK(now.lasts() == Date::parse("2028-08-31").value());
  SECTION("without a gap and without an order") {
    world.clock.day("2027-08-31");
    CHECK(world.in_force().at(0).grants.size() == 2);
    CHECK(world.sharing().settle().value().orders == 0);
    world.clock.day("2027-09-01");
    CHECK(world.sharing().settle().value().orders == 0);
    CHECK(world.in_force().at(0).grants == std::vector<std::string>{"ROLL"});
    CHECK(world.count("stream") == 1);
    CHECK(world.sharing().decided(world.today()).value().at(0).next.empty());
  }
  SECTION("one that begins sooner and was approved after it leaves it no day") {
    newer.version = 3;
    newer.start = "2027-08-01";
    world.offer(newer);
    REQUIRE(world.approve("borough-2026"));
    world.clock.day("2027-10-01");
    CHECK(world.sharing().decided(world.today()).value().at(0).version == 3);
  }
  SECTION("withdrawing ends both") {
    REQUIRE(world.sharing().withdraw("borough-2026", "head"));
    CHECK(world.orders_waiting().size() == 1);
    CHECK(world.audiences().empty());
    world.clock.day("2027-09-01");
    CHECK(world.audiences().empty());
  }
  SECTION("a store that was set back shares neither until a person has looked again") {
    world.post(world.deed(DeedKind::kOrder, OrderPaper{"100001", "borough", true, {}, {}}.encode(),
                          "school:100001"));
    CHECK(world.audiences().empty());
    world.clock.day("2027-09-01");
    CHECK(world.audiences().empty());
    REQUIRE(world.approve("borough-2026"));
    CHECK(world.audiences().size() == 1);
  }
}

TEST_CASE("where the old version ends before the new one begins, it is recalled, and the new one begins") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  AgreementText newer;
  newer.version = 2;
  newer.start = "2027-10-01";
  newer.end = "2028-08-31";
  world.offer(newer);
  REQUIRE(world.approve("borough-2026"));
  CHECK(world.sharing().decided(world.today()).value().at(0).lasts() == Date::parse("2027-08-31").value());
  world.clock.day("2027-09-01");
  CHECK(world.sharing().settle().value().orders == 1);
  CHECK(world.sharing().settle().value().orders == 0);
  CHECK(world.sharing().decided(world.today()).value().at(0).standing == Standing::kNotYet);
  CHECK(world.audiences().empty());
  world.clock.day("2027-10-01");
  CHECK(world.audiences() == std::vector<std::string>{"borough"});
  CHECK(world.sharing().settle().value().orders == 0);
}

TEST_CASE("another agreement that begins later is taken back alone, and goes on alone") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  AgreementText other;
  other.id = "borough-2027";
  other.start = "2027-09-01";
  other.end = "2028-08-31";
  world.offer(other);
  REQUIRE(world.approve("borough-2027"));
  CHECK(world.sharing().decided(world.today()).value().at(0).agreement == "borough-2026");
  const bool later = GENERATE(true, false);
  REQUIRE(world.sharing().withdraw(later ? "borough-2027" : "borough-2026", "head"));
  CHECK(world.orders_waiting().size() == (later ? 0 : 1));
  CHECK(world.audiences().size() == (later ? 1 : 0));
  world.clock.day("2027-09-01");
  CHECK(world.audiences().size() == (later ? 0 : 1));
}

TEST_CASE("whoever leaves a federation has no agreement that could begin in it") {
  SharingWorld world;
  world.federate({"100001", "100002"});
  world.offer(federal());
  REQUIRE(world.approve("kentish-2026"));
  AgreementText newer = federal();
  newer.version = 2;
  newer.start = "2027-09-01";
  newer.end = "2028-08-31";
  world.offer(newer);
  REQUIRE(world.approve("kentish-2026"));
  world.federate({"100002", "100003"});
  CHECK(world.sharing().settle().value().orders == 1);
  CHECK(world.sharing().settle().value().orders == 0);
  world.federate({"100001", "100002"});
  world.clock.day("2027-09-01");
  CHECK(world.audiences().empty());
}

TEST_CASE("at its end an agreement stops by itself, once, with an order to remove everything") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  world.hub_takes_all();
  world.clock.day("2027-08-31");
  CHECK(world.sharing().settle().value().orders == 0);
  world.clock.day("2027-09-01");
  const auto settled = world.sharing().settle().value();
  CHECK(settled.ended == std::vector<std::string>{"borough"});
  CHECK(world.orders_waiting().size() == 1);
  CHECK(world.count("outbox") == 0);
  CHECK(world.sharing().settle().value().orders == 0);
  CHECK(world.orders_waiting().size() == 1);
  CHECK(world.sharing().decided(world.today()).value().front().standing == Standing::kEnded);
  CHECK_THAT(world.sharing().withdraw("borough-2026", "head").error().what(), Contains("ended on"));
}

TEST_CASE("leaving a federation ends its agreement, recalls our data and gives up the partners'") {
  SharingWorld world;
  world.federate({"100001", "100002"});
  world.offer(federal());
  CHECK(world.sharing().partners(world.today()).value().empty());
  REQUIRE(world.approve("kentish-2026"));
  const auto partners = world.sharing().partners(world.today()).value();
  REQUIRE(partners.size() == 1);
  CHECK(partners[0].urn == "100002");
  CHECK(partners[0].federation_name == "Kentish");
  CHECK(partners[0].keys == std::vector<PartyKey>{world.partner.key()});
  world.holdings.held = {"100002 federation:kentish"};
  CHECK(world.sharing().settle().value().receipts == 0);
  world.hub_takes_all();

  world.federate({"100002", "100003"});
  CHECK(world.audiences().empty());
  const auto settled = world.sharing().settle().value();
  CHECK(settled.orders == 1);
  CHECK(settled.receipts == 1);
  CHECK(world.holdings.held.empty());
  std::vector<DeedKind> kinds;
  for (const Deed& d : world.waiting()) kinds.push_back(d.kind);
  CHECK(kinds == std::vector<DeedKind>{DeedKind::kOrder, DeedKind::kReceipt});
  const auto receipt = ReceiptPaper::read(world.waiting().back().body).value();
  CHECK(receipt.about == world.sharing().offer("kentish-2026").value().deed);
}

TEST_CASE("an older word about a federation does not undo a newer one") {
  SharingWorld world;
  FederationPaper older;
  older.id = "kentish";
  older.name = "Kentish";
  older.members = {{"100001", "us", {}}};
  const Deed late = world.deed(DeedKind::kFederation, older.encode());
  world.federate({"100002", "100003"});
  world.post(late);
  CHECK_FALSE(world.sharing().federations().value().front().member);
}

TEST_CASE("recalls become one order for each audience when they are due, and not before") {
  SharingWorld world;
  Database& db = world.school.store.db();
  const auto recall = [&](const std::string& audience, int epoch, int seq, std::chrono::hours in) {
    REQUIRE(db.exec("INSERT INTO recall VALUES('" + audience + "'," + std::to_string(epoch) + "," +
                    std::to_string(seq) + "," +
                    std::to_string((world.clock.now() + in).time_since_epoch().count()) + ")"));
  };
  using std::chrono::hours;
  recall("borough", 1, 5, hours{0});
  recall("borough", 1, 9, hours{-1});
  recall("borough", 2, 1, hours{28 * 24});
  recall("federation:kentish", 3, 4, hours{-5});
  CHECK(world.sharing().settle().value().orders == 2);
  auto orders = world.orders_waiting();
  REQUIRE(orders.size() == 2);
  CHECK(orders[0].audience == "borough");
  CHECK((orders[0].epoch.number == 1 && orders[0].seq.number == 9));
  CHECK_FALSE(orders[0].all);
  CHECK(orders[1].audience == "federation:kentish");
  CHECK(world.count("recall") == 1);
  CHECK(world.sharing().settle().value().orders == 0);
  world.clock.later(hours{28 * 24});
  CHECK(world.sharing().settle().value().orders == 1);
  CHECK(world.orders_waiting().back().epoch.number == 2);
}

TEST_CASE("post is taken in its order, once, and from the start again where the hub has another log") {
  SharingWorld world;
  AgreementText second;
  second.version = 2;
  const auto first_entry = world.entry(world.offer_deed({}));
  const auto second_entry = world.entry(world.offer_deed(second));
  CHECK(world.take({second_entry}).entries == 0);
  CHECK(world.sharing().mark().value().number == 0);
  CHECK(world.take({first_entry, second_entry}).entries == 2);
  CHECK(world.sharing().mark().value() == world.post_mark);
  CHECK(world.take({second_entry}).entries == 0);
  CHECK(world.count("agreement") == 2);

  world.post_mark = {};  // a hub restored from its backup
  AgreementText third;
  third.version = 3;
  const auto again =
      world.take({world.entry(read_deed(first_entry.deed).value()), world.entry(world.offer_deed(third))});
  CHECK(again.entries == 2);
  CHECK(world.sharing().mark().value() == world.post_mark);
  CHECK(world.sharing().offers().value().size() == 3);

  auto wrong = world.entry(world.offer_deed({"borough-2026", 4}));
  wrong.mark.chain[0] ^= 1;
  CHECK(world.take({wrong}).entries == 0);
}

TEST_CASE("a deed that is not signed by its issuer is passed over, and the post goes on") {
  SharingWorld world;
  Deed forged = world.offer_deed({});
  Deed as_hub;
  as_hub.kind = DeedKind::kAgreement;
  as_hub.issuer = "hub";
  as_hub.number = 1;
  as_hub.body = forged.body;
  forged = sign_deed(std::move(as_hub), world.partner);
  const auto taken = world.post(forged);
  CHECK(taken.entries == 1);
  CHECK(taken.events.size() == 1);
  CHECK(world.count("agreement") == 0);
  world.offer({});
  CHECK(world.count("agreement") == 1);
}

TEST_CASE("a second text under the same version does not replace what people may have read") {
  SharingWorld world;
  world.offer({});
  AgreementText other;
  other.grants = "\"ROLL\"";
  const auto taken = world.post(world.offer_deed(other));
  REQUIRE(taken.events.size() == 1);
  CHECK_THAT(taken.events[0], Contains("another text"));
  CHECK(world.sharing().offer("borough-2026").value().text == AgreementText{}.toml());
}

TEST_CASE("a kind of deed from the future is kept, and the post goes on") {
  SharingWorld world;
  const auto taken = world.post(world.deed(static_cast<DeedKind>(99), {1, 2, 3}));
  CHECK(taken.entries == 1);
  CHECK(world.count("deed_seen WHERE bytes IS NOT NULL") == 1);
}

TEST_CASE("a partner's order is carried out and answered; expired, forged or foreign ones are not") {
  SharingWorld world;
  world.federate({"100001", "100002"});
  OrderPaper order;
  order.school_urn = "100002";
  order.audience = "federation:kentish";
  order.all = true;
  SECTION("carried out, once") {
    const Deed deed = world.deed(DeedKind::kOrder, order.encode(), "school:100002");
    world.post(deed);
    world.post(deed);  // the hub's log may name it again
    CHECK(world.holdings.carried_out.size() == 1);
    const auto deeds = world.waiting();
    REQUIRE(deeds.size() == 1);
    const auto receipt = ReceiptPaper::read(deeds[0].body).value();
    CHECK(receipt.about == deed.id);
    CHECK(receipt.stream == order.stream());
    CHECK(receipt.rows.front().rows == 7);
  }
  SECTION("expired") {
    world.post(world.deed(DeedKind::kOrder, order.encode(), "school:100002",
                          world.clock.now() - std::chrono::hours{1}));
    CHECK(world.holdings.carried_out.empty());
    CHECK(ReceiptPaper::read(world.waiting().at(0).body).value().outcome == ReceiptPaper::Outcome::kExpired);
  }
  SECTION("about somebody else's data") {
    order.school_urn = "100003";
    world.post(world.deed(DeedKind::kOrder, order.encode(), "school:100002"));
    CHECK(world.holdings.carried_out.empty());
    CHECK(world.waiting().empty());
  }
  SECTION("about our own: nobody else says what this school keeps") {
    order.school_urn = "100001";
    world.post(world.deed(DeedKind::kOrder, order.encode()));
    CHECK(world.holdings.carried_out.empty());
  }
  SECTION("a machine that fails while it carries one out says nothing, and does it the next time") {
    world.holdings.fails = true;
    const auto entry = world.entry(world.deed(DeedKind::kOrder, order.encode(), "school:100002"));
    const PartyKey key = world.hub.key();
    CHECK_FALSE(world.sharing().take_post({&entry, 1}, {&key, 1}));
    CHECK(world.waiting().empty());
    world.holdings.fails = false;
    world.take({entry});
    CHECK(world.waiting().size() == 1);
  }
}

TEST_CASE("receipts are kept with what proves them; one about an order that we never gave suspends sharing") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.federate({"100001", "100002"});
  AgreementText text = federal();
  world.offer(text);
  REQUIRE(world.approve("kentish-2026"));
  REQUIRE(world.school.store.db().exec("INSERT INTO recall VALUES('borough',1,2,0)"));
  REQUIRE(world.sharing().settle());
  const auto order = world.sharing().orders().value().at(0);
  ReceiptPaper paper;
  paper.about = order.deed;
  paper.stream = stream_id("100001", "borough");
  paper.outcome = ReceiptPaper::Outcome::kRemoved;
  paper.backups_gone = Date::parse("2026-12-24").value();

  SECTION("ours") {
    world.post(world.deed(DeedKind::kReceipt, paper.encode()));
    const auto held = world.sharing().receipts().value();
    REQUIRE(held.size() == 1);
    CHECK(held[0].issuer == "hub");
    CHECK(held[0].signature_good);
    CHECK(held[0].paper.about == order.deed);
    CHECK(world.audiences().size() == 2);
    // Bytes changed on this machine's disk show.
    REQUIRE(world.school.store.db().exec("UPDATE receipt SET key=zeroblob(64)"));
    CHECK_FALSE(world.sharing().receipts().value().front().signature_good);
  }
  SECTION("a partner's, about an agreement that was never offered here") {
    paper.about.bytes[0] ^= 1;
    paper.stream = stream_id("100001", "federation:kentish");
    CHECK_FALSE(world.post(world.deed(DeedKind::kReceipt, paper.encode(), "school:100002")).streams_changed);
    CHECK(world.audiences().size() == 2);
    CHECK(world.sharing().receipts().value().size() == 1);
  }
  SECTION("not known here") {
    paper.about.bytes[0] ^= 1;
    const auto taken = world.post(world.deed(DeedKind::kReceipt, paper.encode()));
    CHECK(taken.streams_changed);
    CHECK(world.audiences().empty());
    CHECK(world.sharing().decided(world.today()).value().front().standing == Standing::kSuspended);
    CHECK(world.sharing().partners(world.today()).value().size() == 1);
    // A second one about the same says nothing new.
    REQUIRE(world.approve("borough-2026"));
    world.post(world.deed(DeedKind::kReceipt, paper.encode(), "school:100002"));
    CHECK(world.audiences() == std::vector<std::string>{"borough"});
    CHECK_THAT(world.audit(), Contains("sharing-suspended"));
  }
}

TEST_CASE(
    "what this school has said comes back in its post; what it does not know of suspends sharing, once") {
  SharingWorld world;
  world.offer({});
  const auto own = [&](DeedKind kind, Bytes body) {
    return world.deed(kind, std::move(body), "school:100001");
  };
  const Bytes decision =
      DecisionPaper{"borough-2026", 1, {}, DecisionPaper::What::kWithdrawn, "head, A. Example"}.encode();
  SECTION("a store that has decided nothing has nothing to ask about") {
    world.post(own(DeedKind::kDecision, decision));
    REQUIRE(world.approve("borough-2026"));
    CHECK(world.audiences() == std::vector<std::string>{"borough"});
  }
  SECTION("known") {
    REQUIRE(world.approve("borough-2026"));
    const auto taken = world.post(world.waiting().at(0));
    CHECK(taken.entries == 1);
    CHECK(taken.events.empty());
    CHECK(world.audiences() == std::vector<std::string>{"borough"});
  }
  SECTION("a receipt of ours that is not known here says nothing about what is set") {
    REQUIRE(world.approve("borough-2026"));
    world.post(own(DeedKind::kReceipt, ReceiptPaper{}.encode()));
    CHECK(world.audiences() == std::vector<std::string>{"borough"});
  }
  SECTION("a decision or an order from after this store") {
    REQUIRE(world.approve("borough-2026"));
    const bool order = GENERATE(false, true);
    const PostFrame entry =
        world.entry(order ? own(DeedKind::kOrder, OrderPaper{"100001", "borough", true, {}, {}}.encode())
                          : own(DeedKind::kDecision, decision));
    const auto taken = world.take({entry});
    CHECK(taken.streams_changed);
    REQUIRE(taken.events.size() == 1);
    CHECK_THAT(taken.events[0], Contains("approved again"));
    CHECK(world.audiences().empty());
    REQUIRE(world.approve("borough-2026"));
    CHECK(world.audiences() == std::vector<std::string>{"borough"});
    // The hub's log from its beginning brings it again.
    const Deed again = read_deed(entry.deed).value();
    world.post_mark = {};
    world.post(again);
    CHECK(world.audiences() == std::vector<std::string>{"borough"});
  }
}

TEST_CASE("what the hub has not taken is said under the key of today, as the same deed") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  const Deed before = world.waiting().at(0);
  world.own = PartySecret::make(world.random);
  const Deed now = world.waiting().at(0);  // checks the signature
  CHECK(now.id == before.id);
  CHECK(now.bytes != before.bytes);
}

TEST_CASE("a machine that is not enrolled can decide nothing, and says why") {
  SharingWorld world;
  world.offer({});
  Sharing nobody(world.school.store, world.clock, {});
  const auto done = nobody.approve(nobody.offer("borough-2026").value(), "head");
  REQUIRE_FALSE(done);
  CHECK(done.error().code() == Code::kNotEnrolled);
  CHECK(world.count("decision") == 0);
}

TEST_CASE("a store set back, or begun anew, gives its deeds other numbers than before") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  const std::uint64_t before = world.waiting().front().number;
  world.clock.later(std::chrono::hours{1});
  SharingWorld anew;
  anew.clock = world.clock;
  anew.offer({});
  REQUIRE(anew.approve("borough-2026"));
  CHECK(anew.waiting().front().number > before);
}

TEST_CASE("the audit log of all that holds") {
  SharingWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  REQUIRE(world.sharing().withdraw("borough-2026", "head"));
  CHECK(Audit(world.school.store.db()).verify());
}

}  // namespace
}  // namespace towpath
