#include "trust/sealed.hpp"

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
  Notice n{
      Code::kRevoked, {Uuid::named(kTowpathSpace, "b")}, Instant{std::chrono::milliseconds{5}}, 60, "ended"};
  const Bytes bytes = notice(n, line.hub);
  const auto read = read_notice(bytes, line.hub.key());
  REQUIRE(read);
  CHECK(read->code == Code::kRevoked);
  CHECK(read->answers == n.answers);
  CHECK(read->later_seconds == 60);
  CHECK(read->text == "ended");
  CHECK(read_notice(bytes, line.other.key()).error().code() == Code::kNotSigned);
}

TEST_CASE("a secret key comes back from its file, and not from a damaged one") {
  Line line;
  const std::string text = line.school.file_text();
  CHECK(PartySecret::from_file_text(text).value().key() == line.school.key());
  for (std::size_t n = 0; n < text.size(); ++n) CHECK_FALSE(PartySecret::from_file_text(text.substr(0, n)));
}
