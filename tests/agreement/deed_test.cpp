#include "agreement/deed.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>

#include "agreement/papers.hpp"
#include "tests/trust/trust_world.hpp"

using namespace towpath;

namespace {

PartySecret secret(std::uint64_t seed) {
  SeededRandom random{seed};
  return PartySecret::make(random);
}
constexpr Instant kNow{std::chrono::milliseconds{1795421700000}};

Deed order_of(std::uint64_t number) {
  Deed d;
  d.kind = DeedKind::kOrder;
  d.issuer = "school:100001";
  d.number = number;
  d.made = kNow;
  d.expires = kNow + std::chrono::hours{24};
  d.body = OrderPaper{"100001", "federation:kentish", false, {2}, {7}}.encode();
  return sign_deed(d, secret(1));
}

std::string any_line() {
  auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>('!', '~'));
  return "x" + text.substr(0, 50);
}
Hash256 any_hash() {
  Hash256 h;
  for (auto& b : h.bytes) b = *rc::gen::arbitrary<std::uint8_t>();
  return h;
}
std::string any_urn() { return std::to_string(*rc::gen::inRange(100000, 1000000)); }

// Every body of each kind, with who reads it: true where it was taken.
struct Sample {
  DeedKind kind;
  Bytes body;
  bool (*taken)(ByteView);
};
template <class Paper>
bool taken(ByteView body) {
  return Paper::read(body).has_value();
}
std::vector<Sample> samples() {
  FederationPaper federation{"kentish", "Kentish Federation", {}, {}};
  federation.members.push_back({"100001", "Example Primary", {secret(1).key(), secret(2).key()}});
  federation.members.push_back({"100002", "Other School", {}});
  ReceiptPaper receipt;
  receipt.about = order_of(1).id;
  receipt.stream = stream_id("100001", kBorough);
  receipt.outcome = ReceiptPaper::Outcome::kRemoved;
  receipt.rows = {{3, 1, hash256("test", bytes_of("a"))}, {8, 380, hash256("test", bytes_of("b"))}};
  receipt.segments = 12;
  receipt.references = 1;
  receipt.backups_gone = *Date::from_ymd(2027, 1, 3);
  return {{DeedKind::kAgreement, AgreementPaper{"id = \"kentish\"\n"}.encode(), taken<AgreementPaper>},
          {DeedKind::kFederation, federation.encode(), taken<FederationPaper>},
          {DeedKind::kDecision,
           DecisionPaper{"kentish-2026", 2, hash256("test", bytes_of("text")), DecisionPaper::What::kApproved,
                         "Headteacher, A. Example"}
               .encode(),
           taken<DecisionPaper>},
          {DeedKind::kOrder, OrderPaper{"100001", "borough", false, {2}, {7}}.encode(), taken<OrderPaper>},
          {DeedKind::kReceipt, receipt.encode(), taken<ReceiptPaper>}};
}

}  // namespace

TEST_CASE("a deed is read as what was signed, and whose it is can be told by anybody with the key") {
  CHECK(rc::check([] {
    Deed d;
    d.kind = static_cast<DeedKind>(*rc::gen::inRange(1, 6));
    d.issuer = *rc::gen::arbitrary<bool>() ? "hub" : "school:" + any_urn();
    d.number = *rc::gen::inRange<std::uint64_t>(1, UINT64_MAX);
    d.made = kNow + std::chrono::milliseconds{*rc::gen::arbitrary<std::int32_t>()};
    d.expires = Instant{std::chrono::milliseconds{*rc::gen::inRange<std::int64_t>(0, 253'402'300'799'999)}};
    d.body = *rc::gen::arbitrary<Bytes>();
    const PartySecret us = secret(1), other = secret(2);
    const Deed made = sign_deed(d, us);
    const auto read = read_deed(made.bytes);
    if (!read) RC_FAIL(read.error().sentence());
    RC_ASSERT(read->id == made.id);
    RC_ASSERT(read->kind == d.kind);
    RC_ASSERT(read->issuer == d.issuer);
    RC_ASSERT(read->number == d.number);
    RC_ASSERT(read->made == d.made);
    RC_ASSERT(read->expires == d.expires);
    RC_ASSERT(read->body == d.body);
    RC_ASSERT(read->signature == made.signature);
    RC_ASSERT(read->bytes == made.bytes);
    const std::vector<PartyKey> keys{other.key(), us.key()};
    RC_ASSERT(signed_by(*read, keys));
    RC_ASSERT(!signed_by(*read, std::span(keys).first(1)));
    RC_ASSERT(!signed_by(*read, {}));
  }));
}

TEST_CASE("a deed changed at any bit is refused, or nobody's word any more") {
  const Deed made = order_of(3);
  const std::vector<PartyKey> keys{secret(1).key()};
  for (std::size_t bit = 0; bit < made.bytes.size() * 8; ++bit) {
    INFO("bit " << bit % 8 << " of byte " << bit / 8);
    Bytes bytes = made.bytes;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto read = read_deed(bytes);
    if (bit / 8 == 4) CHECK(read.error().code() == Code::kUnknownVersion);
    if (read) CHECK_FALSE(signed_by(*read, keys));
    if (read && bit / 8 < bytes.size() - 64) CHECK(read->id != made.id);
  }
}

TEST_CASE("a deed cut anywhere, or followed by something, is refused") {
  const Deed made = order_of(3);
  for (std::size_t n = 0; n < made.bytes.size(); ++n) {
    INFO("cut after " << n << " bytes");
    CHECK(read_deed(ByteView(made.bytes).first(n)).error().code() == Code::kDamaged);
  }
  Bytes longer = made.bytes;
  longer.push_back(0);
  CHECK(read_deed(longer).error().code() == Code::kDamaged);
  CHECK(read_deed(Bytes(kDeedBytesMax + 1, 'T')).error().code() == Code::kTooLarge);
}

TEST_CASE("two deeds of one issuer that differ in anything have different names") {
  const Deed a = order_of(3), b = order_of(4);
  CHECK(a.id != b.id);
  CHECK(order_of(3).id == a.id);
  CHECK(DeedId::parse(a.id.text()) == a.id);
  CHECK_FALSE(DeedId::parse(a.id.text().substr(1)));
  CHECK_FALSE(DeedId::parse("+" + a.id.text().substr(1)));
}

TEST_CASE("a deed of a kind that is not known here is read as it is") {
  Deed d;
  d.kind = static_cast<DeedKind>(77);
  d.issuer = "hub";
  d.number = 1;
  d.body = {1, 2, 3};
  const auto read = read_deed(sign_deed(d, secret(1)).bytes);
  REQUIRE(read);
  CHECK(static_cast<int>(read->kind) == 77);
}

TEST_CASE("who issued a deed is a school or the hub, and it has a number") {
  const auto forged = [](std::string_view issuer, std::uint64_t number) {
    Bytes out;
    Writer w(out);
    w.bytes(bytes_of("TPdd"));
    w.u8(1);
    w.u8(4);
    w.sized(issuer);
    w.varint(number);
    w.u64(0);
    w.u64(0);
    w.sized(ByteView{});
    w.bytes(Bytes(64, 0));
    return read_deed(out).has_value();
  };
  CHECK(forged("hub", 1));
  CHECK(forged("school:100001", 1));
  CHECK_FALSE(forged("hub", 0));
  for (const char* bad : {"", "hub ", "Hub", "school:", "school:10000", "school:1000011", "school:10000x",
                          "school:100001\n", "100001"})
    CHECK_FALSE(forged(bad, 1));
}

TEST_CASE("each body is read as it was written") {
  CHECK(rc::check([] {
    FederationPaper p{"f-" + any_urn(), any_line(), {}};
    std::string urn;
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
      FederationPaper::Member m{std::to_string(200000 - i), any_line(), {}};
      for (int k = *rc::gen::inRange(0, 4); k > 0; --k)
        m.keys.push_back(secret(static_cast<std::uint64_t>(100 * i + k)).key());
      p.members.push_back(m);
    }
    for (int i = *rc::gen::inRange(0, 3); i > 0; --i)
      p.former.push_back({std::to_string(300000 - i), {secret(static_cast<std::uint64_t>(i)).key()}});
    const auto read = FederationPaper::read(p.encode());
    RC_ASSERT(read.has_value());
    RC_ASSERT(read->former.size() == p.former.size());
    for (std::size_t i = 0; i < p.former.size(); ++i) {
      RC_ASSERT(read->former[i].urn == p.former[i].urn);
      RC_ASSERT(read->former[i].keys == p.former[i].keys);
    }
    RC_ASSERT(read->id == p.id);
    RC_ASSERT(read->name == p.name);
    RC_ASSERT(read->members.size() == p.members.size());
    for (std::size_t i = 0; i < p.members.size(); ++i) {
      RC_ASSERT(read->members[i].urn == p.members[i].urn);
      RC_ASSERT(read->members[i].name == p.members[i].name);
      RC_ASSERT(read->members[i].keys == p.members[i].keys);
    }
    const DecisionPaper d{
        "a-1", *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX), any_hash(),
        *rc::gen::arbitrary<bool>() ? DecisionPaper::What::kApproved : DecisionPaper::What::kWithdrawn,
        any_line()};
    const auto decision = DecisionPaper::read(d.encode());
    RC_ASSERT(decision.has_value());
    RC_ASSERT(std::tie(decision->agreement, decision->version, decision->text, decision->by) ==
              std::tie(d.agreement, d.version, d.text, d.by));
    RC_ASSERT(decision->what == d.what);
    OrderPaper o{any_urn(),
                 *rc::gen::arbitrary<bool>() ? "borough" : "federation:x",
                 *rc::gen::arbitrary<bool>(),
                 {},
                 {}};
    o.epoch.number = *rc::gen::arbitrary<std::uint32_t>();
    if (!o.all) o.seq.number = *rc::gen::arbitrary<std::uint64_t>();
    const auto order = OrderPaper::read(o.encode());
    RC_ASSERT(order.has_value());
    RC_ASSERT(std::tie(order->school_urn, order->audience, order->all, order->epoch, order->seq) ==
              std::tie(o.school_urn, o.audience, o.all, o.epoch, o.seq));
    ReceiptPaper r;
    r.outcome = static_cast<ReceiptPaper::Outcome>(*rc::gen::inRange(1, 4));
    std::uint16_t dataset = 0;
    for (int i = *rc::gen::inRange(0, 5); i > 0; --i) {
      dataset = static_cast<std::uint16_t>(dataset + *rc::gen::inRange(1, 1000));
      r.rows.push_back({dataset, *rc::gen::arbitrary<std::uint64_t>(), any_hash()});
    }
    r.segments = *rc::gen::arbitrary<std::uint64_t>();
    r.references = *rc::gen::arbitrary<std::uint64_t>();
    r.backups_gone = Date{*rc::gen::inRange(0, 2'932'897)};
    const auto receipt = ReceiptPaper::read(r.encode());
    RC_ASSERT(receipt.has_value());
    RC_ASSERT(receipt->outcome == r.outcome);
    RC_ASSERT(std::tie(receipt->rows, receipt->segments, receipt->references, receipt->backups_gone) ==
              std::tie(r.rows, r.segments, r.references, r.backups_gone));
  }));
}

TEST_CASE("each body is refused when it is cut or goes on after its end") {
  for (const Sample& s : samples()) {
    INFO("kind " << static_cast<int>(s.kind));
    CHECK(s.taken(s.body));
    for (std::size_t n = 0; n < s.body.size(); ++n) CHECK_FALSE(s.taken(ByteView(s.body).first(n)));
    Bytes longer = s.body;
    longer.push_back(0);
    CHECK_FALSE(s.taken(longer));
  }
}

TEST_CASE("texts that would disguise what is decided are refused where they are read") {
  for (const char* text : {"Head\x1b[2Jteacher", "Head\nteacher", "  Head",
                           "Head\xe2\x80\xae"
                           "retsam",
                           "\xff", "", "a\x7f"}) {
    INFO(text);
    Bytes body;
    Writer w(body);
    w.sized(std::string_view("a-1"));
    w.varint(1);
    w.bytes(Hash256{}.bytes);
    w.u8(1);
    w.sized(std::string_view(text));
    CHECK(DecisionPaper::read(body).error().code() == Code::kDamaged);
  }
  for (const char* text : {"id = \"\x1b[2J\"", "id\r= 1", "# \xe2\x80\xae", "\xc0\x80"}) {
    Bytes body;
    Writer(body).sized(std::string_view(text));
    CHECK_FALSE(AgreementPaper::read(body).has_value());
  }
  CHECK(AgreementPaper::read(AgreementPaper{"# caf\xc3\xa9\r\n\tid = 1\n"}.encode()).has_value());
}

TEST_CASE("whatever was typed as name is written as one line that can be read") {
  for (const std::string& by : std::vector<std::string>{"", " \n ", "A\x1b[1mB\tC", std::string(500, 'x'),
                                                        std::string(199, 'x') + "\xc3\xa9", "\xff\xfe"}) {
    const auto read =
        DecisionPaper::read(DecisionPaper{"a-1", 1, {}, DecisionPaper::What::kApproved, by}.encode());
    REQUIRE(read);
    CHECK(read->by.size() <= 200);
  }
}

TEST_CASE("members out of order, keys twice, keys that everybody can open are refused") {
  const auto read = [](const std::vector<FederationPaper::Member>& members) {
    return FederationPaper::read(FederationPaper{"f", "F", members}.encode()).has_value();
  };
  const PartyKey a = secret(1).key();
  CHECK(read({{"100001", "A", {a}}, {"100002", "B", {}}}));
  CHECK_FALSE(read({{"100002", "B", {}}, {"100001", "A", {a}}}));
  CHECK_FALSE(read({{"100001", "A", {}}, {"100001", "A", {}}}));
  CHECK_FALSE(read({{"100001", "A", {a, a}}}));
  PartyKey open = a;
  open.seal = {};
  CHECK_FALSE(read({{"100001", "A", {open}}}));
  const auto left = [](const std::vector<FederationPaper::Former>& former) {
    return FederationPaper::read(FederationPaper{"f", "F", {{"100001", "A", {}}}, former}.encode())
        .has_value();
  };
  CHECK(left({{"100002", {a}}, {"100003", {a}}}));
  CHECK_FALSE(left({{"100003", {a}}, {"100002", {a}}}));
  CHECK_FALSE(left({{"100001", {a}}}));  // it is a member
  CHECK_FALSE(left({{"100002", {}}}));
}

TEST_CASE("the largest federation and the largest receipt fit a deed") {
  FederationPaper f{std::string(40, 'f'), std::string(200, 'n'), {}};
  std::vector<PartyKey> keys;
  for (std::uint64_t k = 1; k <= kMemberKeysMax + 2; ++k) keys.push_back(secret(k).key());
  for (std::size_t i = 0; i < kPartiesMax; ++i)
    f.members.push_back({std::to_string(100000 + i), std::string(300, 's'), keys});
  Deed d;
  d.kind = DeedKind::kFederation;
  d.issuer = "hub";
  d.number = UINT64_MAX;
  d.body = f.encode();
  const Deed made = sign_deed(d, secret(9));
  CHECK(FederationPaper::read(read_deed(made.bytes)->body)->members.back().keys.size() == kMemberKeysMax);
  ReceiptPaper r;
  r.outcome = ReceiptPaper::Outcome::kRemoved;
  for (std::size_t i = 0; i < kReceiptDatasetsMax; ++i)
    r.rows.push_back({static_cast<std::uint16_t>(60000 + i), UINT64_MAX, {}});
  d.kind = DeedKind::kReceipt;
  d.body = r.encode();
  CHECK(ReceiptPaper::read(read_deed(sign_deed(d, secret(9)).bytes)->body)->rows.size() ==
        kReceiptDatasetsMax);
}

TEST_CASE("random bytes are no deed and no body, and never crash their readers") {
  CHECK(rc::check([] {
    Bytes noise = *rc::gen::arbitrary<Bytes>();
    (void)read_deed(noise);
    for (const Sample& s : samples()) (void)s.taken(noise);
    // Bytes of a right body, some changed.
    for (const Sample& s : samples()) {
      Bytes body = s.body;
      for (const std::uint8_t b : noise) body[*rc::gen::inRange<std::size_t>(0, body.size())] = b;
      (void)s.taken(body);
    }
  }));
}
