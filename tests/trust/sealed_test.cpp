#include "trust/sealed.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "trust_world.hpp"

using namespace towpath;

namespace {

struct Line {
  SeededRandom random{2026};
  PartySecret school = PartySecret::make(random);
  PartySecret hub = PartySecret::make(random);
  PartySecret other = PartySecret::make(random);

  Bundle bundle() {
    Bundle b;
    random.fill(b.id.uuid.bytes);
    b.sent = Instant{std::chrono::milliseconds{1795421700000}};
    b.frames.emplace_back(HelloFrame{"school:100001", "towpath 0.1.0", 1, 77, 3});
    b.frames.emplace_back(SegmentFrame{Bytes(1200, 7)});
    return b;
  }
};

}  // namespace

TEST_CASE("a sealed bundle opens for its recipient with everything that was bound in") {
  Line line;
  Bundle b = line.bundle();
  b.answers = BundleId{Uuid::named(kTowpathSpace, "question")};
  const Bytes bytes = seal(b, line.school, line.hub.key(), line.random).value();
  const auto opened = open(bytes, line.hub, line.school.key());
  REQUIRE(opened);
  CHECK(opened->id == b.id);
  CHECK(opened->answers == b.answers);
  CHECK(opened->sent == b.sent);
  REQUIRE(opened->frames.size() == 2);
  CHECK(std::get<SegmentFrame>(opened->frames[1]).bytes == Bytes(1200, 7));
  const auto outside = Envelope::read(bytes).value();
  CHECK(outside.sender == line.school.key().id());
  CHECK(outside.recipient == line.hub.key().id());
  CHECK(outside.id == b.id);
}

TEST_CASE(
    "a clock before 1970 or beyond the year 9999 makes a bundle and a notice that can be read all the same") {
  Line line;
  constexpr Instant kFirst{};
  constexpr Instant kLast{std::chrono::milliseconds{253'402'300'799'999}};
  for (const auto& [clock, said] :
       {std::pair{kFirst - std::chrono::milliseconds{1}, kFirst}, std::pair{Instant::min(), kFirst},
        std::pair{kLast + std::chrono::milliseconds{1}, kLast}, std::pair{Instant::max(), kLast}}) {
    Bundle b = line.bundle();
    b.sent = clock;
    const Bytes bytes = seal(b, line.school, line.hub.key(), line.random).value();
    const auto opened = open(bytes, line.hub, line.school.key());
    REQUIRE(opened);
    CHECK(opened->sent == said);
    Notice n;
    n.now = clock;
    const auto told = read_notice(notice(n, line.hub, bytes), line.hub.key());
    REQUIRE(told);
    CHECK(told->now == said);
  }
}

TEST_CASE("a bundle flipped at any bit or cut at any byte is refused before it is decrypted") {
  Line line;
  Bundle b = line.bundle();
  b.frames.pop_back();
  const Bytes good = seal(b, line.school, line.hub.key(), line.random).value();
  for (std::size_t n = 0; n < good.size(); ++n) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[n] = static_cast<std::uint8_t>(bad[n] ^ (1 << bit));
      const auto opened = open(bad, line.hub, line.school.key());
      REQUIRE_FALSE(opened);
      CHECK(opened.error().code() == (n < 4 ? Code::kDamaged : Code::kNotSigned));
    }
    CHECK_FALSE(open(ByteView(good).first(n), line.hub, line.school.key()));
  }
}

TEST_CASE("a bundle for somebody else, or signed by somebody else, is told apart and refused") {
  Line line;
  const Bundle b = line.bundle();
  const Bytes to_other = seal(b, line.school, line.other.key(), line.random).value();
  CHECK(open(to_other, line.hub, line.school.key()).error().code() == Code::kOtherRecipient);
  const Bytes by_other = seal(b, line.other, line.hub.key(), line.random).value();
  CHECK(open(by_other, line.hub, line.school.key()).error().code() == Code::kNotSigned);
}

TEST_CASE("the hub's card is believed for the question that was asked, and not from a cache") {
  Line line;
  CardNonce nonce{}, later{};
  line.random.fill(nonce);
  line.random.fill(later);
  CHECK(read_card_question(card_question(nonce)).value() == nonce);
  const Instant now{std::chrono::milliseconds{1795421700000}};
  const Bytes bytes = card(line.hub, nonce, now, "towpath-hub 0.1.0");
  const auto read = read_card(bytes, nonce);
  REQUIRE(read);
  CHECK(read->key == line.hub.key());
  CHECK(read->now == now);
  CHECK(read->software == "towpath-hub 0.1.0");
  CHECK(read_card(bytes, later).error().code() == Code::kNotSigned);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    Bytes bad = bytes;
    bad[n] ^= 1;
    CHECK_FALSE(read_card(bad, nonce));
    CHECK_FALSE(read_card(ByteView(bytes).first(n), nonce));
  }
}

TEST_CASE("a notice is believed only with the pinned hub's signature") {
  Line line;
  const Notice n{Code::kRevoked,
                 {Uuid::named(kTowpathSpace, "b")},
                 Instant{std::chrono::milliseconds{5}},
                 60,
                 "ended",
                 {}};
  const Bytes bytes = notice(n, line.hub, bytes_of("a body"));
  const auto read = read_notice(bytes, line.hub.key());
  REQUIRE(read);
  CHECK(read->code == Code::kRevoked);
  CHECK(read->answers == n.answers);
  CHECK(read->later_seconds == 60);
  CHECK(read->text == "ended");
  CHECK(read_notice(bytes, line.other.key()).error().code() == Code::kNotSigned);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes bad = bytes;
    bad[i] ^= 1;
    CHECK_FALSE(read_notice(bad, line.hub.key()));
    CHECK_FALSE(read_notice(ByteView(bytes).first(i), line.hub.key()));
  }
}

TEST_CASE("a notice fetched by a stranger with a school's bundle id is not about that school's bundle") {
  Line line;
  const Bytes schools = seal(line.bundle(), line.school, line.hub.key(), line.random).value();
  Bytes strangers = schools;
  strangers[6] ^= 1;  // another sender: the hub says that it does not know the key
  Notice n;
  n.code = Code::kUnknownKey;
  n.answers = Envelope::read(strangers).value().id;
  const auto read = read_notice(notice(n, line.hub, strangers), line.hub.key()).value();
  CHECK(read.answers == Envelope::read(schools).value().id);
  CHECK(read.is_about(strangers));
  CHECK_FALSE(read.is_about(schools));
}

TEST_CASE("a right hand cannot lie about whose bundle it is") {
  // Signed with the right key, but the header names another sender.
  Line line;
  Bytes bytes = seal(line.bundle(), line.school, line.hub.key(), line.random).value();
  bytes[6] ^= 1;
  const ByteView whole(bytes);
  const Signature again = line.school.sign("towpath bundle", whole.first(bytes.size() - 64));
  std::copy(again.bytes.begin(), again.bytes.end(), bytes.end() - 64);
  CHECK(open(bytes, line.hub, line.school.key()).error().code() == Code::kDamaged);
}

TEST_CASE("a bundle cannot be taken over: what another signs anew does not open") {
  Line line;
  Bytes bytes = seal(line.bundle(), line.school, line.hub.key(), line.random).value();
  const KeyId thief = line.other.key().id();
  std::copy(thief.bytes.begin(), thief.bytes.end(), bytes.begin() + 6);
  const Signature again = line.other.sign("towpath bundle", ByteView(bytes).first(bytes.size() - 64));
  std::copy(again.bytes.begin(), again.bytes.end(), bytes.end() - 64);
  CHECK(open(bytes, line.hub, line.other.key()).error().code() == Code::kDamaged);
}

TEST_CASE("the second form of a right signature, and keys and points of small order, are refused") {
  Line line;
  const Bytes data{1, 2, 3};
  Signature s = line.school.sign("towpath bundle", data);
  REQUIRE(line.school.key().signed_this("towpath bundle", data, s));
  CHECK_FALSE(line.school.key().signed_this("towpath card", data, s));
  // S + L says the same to a verifier that does not look (RFC 8032, 5.1.7).
  constexpr std::array<std::uint8_t, 32> kOrder{
      0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += static_cast<unsigned>(s.bytes[32 + i]) + kOrder[i];
    s.bytes[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  CHECK_FALSE(line.school.key().signed_this("towpath bundle", data, s));

  // The identity as key, identity and 0 as signature: right for every text if nobody looks.
  PartyKey nobody = line.school.key();
  nobody.sign = {1};
  Signature empty;
  empty.bytes[0] = 1;
  CHECK_FALSE(nobody.signed_this("towpath bundle", data, empty));

  // Everybody can agree with these on zero.
  for (const std::uint8_t low : {std::uint8_t{0}, std::uint8_t{1}}) {
    Bytes key = line.school.key().bytes();
    std::fill(key.begin() + 32, key.end(), std::uint8_t{0});
    key[32] = low;
    CHECK_FALSE(PartyKey::from(key));
    PartyKey forced = line.school.key();
    forced.seal = {low};
    CHECK_FALSE(seal(line.bundle(), line.school, forced, line.random));
  }
  CHECK(PartyKey::from(line.school.key().bytes()) == line.school.key());
  CHECK_FALSE(PartyKey::from(ByteView(line.school.key().bytes()).first(63)));
}

TEST_CASE("a machine whose chance repeats does not seal two bundles under one key") {
  Line line;
  SeededRandom once{5}, same{5}, other_machine{5}, again{5};
  const Bundle one = line.bundle();
  Bundle two = one;
  std::get<SegmentFrame>(two.frames[1]).bytes[0] = 8;
  const Bytes a = seal(one, line.school, line.hub.key(), once).value();
  const Bytes b = seal(two, line.school, line.hub.key(), same).value();
  const Bytes c = seal(one, line.other, line.hub.key(), other_machine).value();
  const auto one_time = [](const Bytes& x) { return Bytes(x.begin() + 47, x.begin() + 79); };
  CHECK(one_time(a) != one_time(b));
  CHECK(one_time(a) != one_time(c));
  CHECK(one_time(a) == one_time(seal(one, line.school, line.hub.key(), again).value()));
}

TEST_CASE("a bundle of another version says so once it is known to be signed, and who has to update") {
  Line line;
  for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{3}}) {
    Bytes bytes = seal(line.bundle(), line.school, line.hub.key(), line.random).value();
    bytes[4] = version;
    CHECK(open(bytes, line.hub, line.school.key()).error().code() == Code::kNotSigned);
    const Signature again = line.school.sign("towpath bundle", ByteView(bytes).first(bytes.size() - 64));
    std::copy(again.bytes.begin(), again.bytes.end(), bytes.end() - 64);
    const Error error = open(bytes, line.hub, line.school.key()).error();
    CHECK(error.code() == Code::kUnknownVersion);
    CHECK_THAT(error.next(), Catch::Contains(version == 1 ? "at the other end" : "on this machine"));
  }
}

TEST_CASE("a time that no calendar has is refused, the last one is not") {
  Line line;
  Bundle b = line.bundle();
  b.sent = Instant{std::chrono::milliseconds{253'402'300'799'999}};
  CHECK(open(seal(b, line.school, line.hub.key(), line.random).value(), line.hub, line.school.key())->sent ==
        b.sent);
  constexpr std::size_t kSentAt = 4 + 2 + 8 + 8 + 1;  // after magic, version, both ids and the flags
  for (const std::int64_t ms : {253'402'300'800'000, std::int64_t{-1}, INT64_MIN, INT64_MAX}) {
    Bytes bytes = seal(b, line.school, line.hub.key(), line.random).value();
    for (std::size_t i = 0; i < 8; ++i)
      bytes[kSentAt + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(ms) >> (8 * i));
    const Signature again = line.school.sign("towpath bundle", ByteView(bytes).first(bytes.size() - 64));
    std::copy(again.bytes.begin(), again.bytes.end(), bytes.end() - 64);
    const Error error = open(bytes, line.hub, line.school.key()).error();
    CHECK(error.code() == Code::kDamaged);
    CHECK_THAT(error.what(), Catch::Contains("its time is none that there is"));
  }
}

TEST_CASE("an introduction must be of the key that the header names, and of a key that can be sealed to") {
  Line line;
  const Bytes good = seal(line.bundle(), line.school, line.hub.key(), line.random, true).value();
  REQUIRE(Envelope::read(good).value().introduces == line.school.key());
  CHECK(open(good, line.hub, *Envelope::read(good)->introduces));
  Bytes bad = good;
  bad[79] ^= 1;
  CHECK(Envelope::read(bad).error().code() == Code::kDamaged);
  PartyKey low = line.school.key();
  low.seal = {};
  bad = good;
  const Bytes key = low.bytes();
  const KeyId id = low.id();
  std::copy(id.bytes.begin(), id.bytes.end(), bad.begin() + 6);
  std::copy(key.begin(), key.end(), bad.begin() + 79);
  CHECK(Envelope::read(bad).error().code() == Code::kDamaged);
}

TEST_CASE("any bundle survives being sealed and opened, either way round") {
  CHECK(rc::check([] {
    SeededRandom random{*rc::gen::arbitrary<std::uint64_t>()};
    const PartySecret school = PartySecret::make(random), hub = PartySecret::make(random);
    Bundle b;
    random.fill(b.id.uuid.bytes);
    if (*rc::gen::arbitrary<bool>()) random.fill(b.answers.emplace().uuid.bytes);
    b.sent = Instant{std::chrono::milliseconds{*rc::gen::inRange<std::int64_t>(0, 4'000'000'000'000)}};
    for (int i = *rc::gen::inRange(0, 6); i > 0; --i)
      b.frames.emplace_back(
          UnknownFrame{*rc::gen::inRange<std::uint8_t>(100, 255), *rc::gen::arbitrary<Bytes>()});
    const bool introduce = *rc::gen::arbitrary<bool>();
    const auto bytes = seal(b, school, hub.key(), random, introduce);
    RC_ASSERT(bytes.has_value());
    const auto envelope = Envelope::read(*bytes);
    RC_ASSERT(envelope.has_value());
    RC_ASSERT(envelope->introduces.has_value() == introduce);
    const auto opened = open(*bytes, hub, school.key());
    RC_ASSERT(opened.has_value());
    RC_ASSERT(opened->id == b.id && opened->answers == b.answers && opened->sent == b.sent);
    RC_ASSERT(opened->frames == b.frames);
    RC_ASSERT(bytes->size() <= encode_frames(b.frames)->size() + kSealedOverheadMax);
    RC_ASSERT(!open(*bytes, school, hub.key()).has_value());
  }));
}

TEST_CASE("telling words stand nowhere in a sealed bundle, and only the recipient's secret opens it") {
  Line line;
  Bundle b = line.bundle();
  const std::string telling = "Zebedee Quixote-Brown";
  b.frames.emplace_back(SegmentFrame{Bytes(telling.begin(), telling.end())});
  b.frames.emplace_back(EnrolFrame{Bytes{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9}, telling});
  const Bytes bytes = seal(b, line.school, line.hub.key(), line.random).value();
  const auto holds = [&](std::string_view words) {
    return std::search(bytes.begin(), bytes.end(), words.begin(), words.end()) != bytes.end();
  };
  for (std::size_t at = 0; at + 4 <= telling.size(); ++at)
    CHECK_FALSE(holds(std::string_view(telling).substr(at, 4)));
  CHECK_FALSE(holds("100001"));
  CHECK_FALSE(holds("\3\1\4\1\5"));
  // Not the sender's, not a stranger's, whoever is said to have signed it.
  for (const PartySecret* who : {&line.school, &line.other})
    for (const PartyKey& by : {line.school.key(), line.hub.key(), line.other.key()})
      CHECK_FALSE(open(bytes, *who, by));
  CHECK(open(bytes, line.hub, line.school.key()));
}

TEST_CASE("a new key is taken with its own word for the old one, and with nobody else's") {
  Line line;
  const PartySecret next = PartySecret::make(line.random);
  const NewKeyFrame frame = new_key(next, line.school.key());
  CHECK(proven(frame, line.school.key()) == next.key());
  CHECK_FALSE(proven(frame, line.other.key()));  // another's old key
  NewKeyFrame stolen = frame;
  stolen.key = line.other.key().bytes();  // "the other's key is now mine"
  CHECK_FALSE(proven(stolen, line.school.key()));
  for (std::size_t n = 0; n < 64; ++n) {
    NewKeyFrame bad = frame;
    bad.proof[n] ^= 1;
    CHECK_FALSE(proven(bad, line.school.key()));
    bad = frame;
    bad.key[n] ^= 1;
    CHECK_FALSE(proven(bad, line.school.key()));
  }
  CHECK_FALSE(proven({frame.key, Bytes(63)}, line.school.key()));
  CHECK_FALSE(proven({Bytes(), frame.proof}, line.school.key()));
  CHECK_FALSE(proven(new_key(line.school, line.school.key()), line.school.key()));  // not a new one
}

TEST_CASE(
    "what a machine says of itself cannot move a terminal's cursor, and long texts keep whole letters") {
  Line line;
  CardNonce nonce{};
  const auto seen = read_card(card(line.hub, nonce, {}, "a\x1b[2Jb\nc"), nonce);
  CHECK(seen.value().software == "a?[2Jb?c");
  Notice n;
  n.text = std::string(1023, 'x') + "\xc3\xa9";  // an e with an accent over the limit
  CHECK(read_notice(notice(n, line.hub, {}), line.hub.key())->text == std::string(1023, 'x'));
}

TEST_CASE("something that follows a question or is of another version is no question for the card") {
  CardNonce nonce{3};
  Bytes bytes = card_question(nonce);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    CHECK(read_card_question(ByteView(bytes).first(n)).error().code() == Code::kDamaged);
  bytes.push_back(0);
  CHECK(read_card_question(bytes).error().code() == Code::kDamaged);
  bytes.pop_back();
  bytes[4] = 9;
  CHECK(read_card_question(bytes).error().code() == Code::kUnknownVersion);
}

TEST_CASE("four kinds of message are told by their first four bytes, and a page is none of them") {
  Line line;
  CardNonce nonce{};
  CHECK(message_kind(seal(line.bundle(), line.school, line.hub.key(), line.random).value()) ==
        MessageKind::kBundle);
  CHECK(message_kind(card_question(nonce)) == MessageKind::kCardQuestion);
  CHECK(message_kind(card(line.hub, nonce, {}, "x")) == MessageKind::kCard);
  CHECK(message_kind(notice({}, line.hub, {})) == MessageKind::kNotice);
  CHECK(message_kind(bytes_of("<html>")) == MessageKind::kNone);
  CHECK(message_kind(bytes_of("TPb")) == MessageKind::kNone);
  CHECK(message_kind({}) == MessageKind::kNone);
}

TEST_CASE("a secret key comes back from its file, and not from a damaged one") {
  Line line;
  const std::string text = line.school.file_text();
  CHECK(PartySecret::from_file_text(text).value().key() == line.school.key());
  for (std::size_t n = 0; n < text.size(); ++n) {
    CHECK_FALSE(PartySecret::from_file_text(text.substr(0, n)));
    std::string bad = text;
    bad[n] = '\0';
    CHECK_FALSE(PartySecret::from_file_text(bad));
  }
  CHECK_FALSE(PartySecret::from_file_text(text + "\n"));
  const Error error = PartySecret::from_file_text(text.substr(1)).error();
  CHECK(error.sentence().find(text.substr(text.size() - 20, 8)) == std::string::npos);
}
