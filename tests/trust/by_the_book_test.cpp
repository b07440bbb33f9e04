// Opens the golden messages with nothing but docs/protocol.md and libsodium: none of our code.
// Whoever changes the format has to change the page and this test with it.
#include <sodium.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "golden_world.hpp"  // for the files and their keys' seeds only

namespace {

using Bytes = std::vector<unsigned char>;
using Key = std::array<unsigned char, 32>;

Bytes file(const char* name) { return towpath::golden::file(name); }

// "Conventions": hash(domain, data).
Key hash(const std::string& domain, const Bytes& data) {
  std::array<unsigned char, 16> personal{};
  std::copy(domain.begin(), domain.end(), personal.begin());
  Key out{};
  crypto_generichash_blake2b_salt_personal(out.data(), out.size(), data.data(), data.size(), nullptr, 0,
                                           nullptr, personal.data());
  return out;
}
Bytes part(const Bytes& b, std::size_t at, std::size_t n) {
  return {b.begin() + static_cast<std::ptrdiff_t>(at), b.begin() + static_cast<std::ptrdiff_t>(at + n)};
}
Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Bytes bytes(const Key& k) { return {k.begin(), k.end()}; }
std::uint64_t little(const Bytes& b, std::size_t at, std::size_t n) {
  std::uint64_t v = 0;
  for (std::size_t i = n; i-- > 0;) v = v << 8 | b[at + i];
  return v;
}

// "Keys": from the file's 64 hex digits.
struct Party {
  Key sign_public{}, seal_public{}, seal_secret{};
  std::array<unsigned char, 64> sign_secret{};
  explicit Party(const Bytes& key_file) {
    const std::string text(key_file.begin(), key_file.end());
    const std::size_t line = text.find('\n') + 1;
    Bytes seed(32);
    REQUIRE(sodium_hex2bin(seed.data(), 32, text.data() + line, 64, nullptr, nullptr, nullptr) == 0);
    crypto_sign_seed_keypair(sign_public.data(), sign_secret.data(), hash("towpath signing", seed).data());
    seal_secret = hash("towpath sealing", seed);
    crypto_scalarmult_base(seal_public.data(), seal_secret.data());
  }
  [[nodiscard]] Bytes key() const { return bytes(sign_public) + bytes(seal_public); }
  [[nodiscard]] Bytes id() const { return part(bytes(hash("towpath key id", key())), 0, 8); }
};

bool is_signed(const Bytes& message, const std::string& domain, const Party& by) {
  const Bytes data = part(message, 0, message.size() - 64), signature = part(message, data.size(), 64);
  const Key h = hash(domain, data);
  return crypto_sign_verify_detached(signature.data(), h.data(), h.size(), by.sign_public.data()) == 0;
}

// "Sealed bundle": the frames' bytes.
Bytes open(const Bytes& b, const Party& recipient, const Party& sender) {
  REQUIRE(std::string(b.begin(), b.begin() + 4) == "TPbd");
  REQUIRE(little(b, 4, 2) == 2);
  REQUIRE(is_signed(b, "towpath bundle", sender));
  REQUIRE(part(b, 6, 8) == sender.id());
  REQUIRE(part(b, 14, 8) == recipient.id());
  const unsigned flags = b[22];
  const std::size_t one_time_at = 47 + (flags & 1 ? 16U : 0U);
  const std::size_t header = one_time_at + 32 + (flags & 2 ? 64U : 0U);
  const Bytes one_time = part(b, one_time_at, 32);
  Key agreed{};
  REQUIRE(crypto_scalarmult(agreed.data(), recipient.seal_secret.data(), one_time.data()) == 0);
  const Bytes from = bytes(agreed) + one_time + sender.key() + recipient.key();
  const Key key = hash("towpath seal key", from), head = hash("towpath seal hdr", from);
  crypto_secretstream_xchacha20poly1305_state state;
  REQUIRE(crypto_secretstream_xchacha20poly1305_init_pull(&state, head.data(), key.data()) == 0);
  Bytes frames(b.size() - 64 - header - 17);
  unsigned char tag = 0;
  REQUIRE(crypto_secretstream_xchacha20poly1305_pull(&state, frames.data(), nullptr, &tag, b.data() + header,
                                                     b.size() - 64 - header, b.data(), header) == 0);
  REQUIRE(tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL);
  return frames;
}

}  // namespace

TEST_CASE("a golden bundle opens with docs/protocol.md and libsodium alone") {
  const Party school(file("v1-school.key")), hub(file("v1-hub.key"));
  CHECK(open(file("v2-up.bundle"), hub, school) == file("v2-up.frames"));
  CHECK(open(file("v2-answer.bundle"), school, hub) == file("v2-answer.frames"));
  // Three frames: hello, head, segment.
  const Bytes frames = file("v2-up.frames");
  CHECK(frames[0] == 3);
  CHECK(frames[1] == 1);
  CHECK(std::string(frames.begin() + 4, frames.begin() + 17) == "school:100001");
}

TEST_CASE("an enrolment carries its sender's key and the secret of the printed code") {
  const Party school(file("v1-school.key")), hub(file("v1-hub.key"));
  const Bytes b = file("v2-enrolment.bundle");
  CHECK(b[22] == 2);
  CHECK(part(b, 79, 64) == school.key());
  const Bytes frames = open(b, hub, school);
  // The code's letters, five bits each.
  const std::string alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const Bytes printed = file("v1-invitation.txt");
  Bytes symbols;
  for (const unsigned char c : printed) {
    if (c == '@') break;
    if (c != '-') symbols.push_back(static_cast<unsigned char>(alphabet.find(static_cast<char>(c))));
  }
  REQUIRE(symbols.size() == 30);
  const Bytes secret = Bytes{13} + part(symbols, 0, 13);
  CHECK(std::search(frames.begin(), frames.end(), secret.begin(), secret.end()) != frames.end());
  // The next 15: the first 75 bits of the hub's fingerprint.
  const Key finger = hash("towpath finger", hub.key());
  for (std::size_t i = 0; i < 15; ++i) {
    unsigned symbol = 0;
    for (std::size_t bit = 5 * i; bit < 5 * i + 5; ++bit)
      symbol = symbol << 1 | (static_cast<unsigned>(finger[bit / 8]) >> (7 - bit % 8) & 1U);
    CHECK(symbols[13 + i] == symbol);
  }
}

TEST_CASE("a golden card and a golden notice are what docs/protocol.md says") {
  const Party hub(file("v1-hub.key"));
  const Bytes card = file("v2-hub.card"), question = file("v2-question.card");
  CHECK(question.size() == 22);
  CHECK(std::string(card.begin(), card.begin() + 4) == "TPca");
  CHECK(part(card, 6, 16) == part(question, 6, 16));
  CHECK(part(card, 22, 64) == hub.key());
  CHECK(little(card, 86, 8) == 1795421700000);
  CHECK(is_signed(card, "towpath card", hub));

  const Bytes notice = file("v2-hub.notice"), up = file("v2-up.bundle");
  CHECK(std::string(notice.begin(), notice.begin() + 4) == "TPno");
  CHECK(part(notice, 6, 8) == hub.id());
  CHECK(part(notice, 14, 16) == part(up, 31, 16));
  CHECK(part(notice, 30, 16) == part(bytes(hash("towpath refused", up)), 0, 16));
  CHECK(little(notice, 46, 8) == 1795421700000);
  CHECK(notice[54] == 90);
  CHECK(is_signed(notice, "towpath notice", hub));
}

TEST_CASE("a golden segment is signed by the school as docs/segment-format.md says") {
  const Party school(file("v1-school.key"));
  const Bytes b = file("v1-signed.segment");
  CHECK(std::string(b.begin(), b.begin() + 4) == "TPsg");
  // Five varints of one byte after the stream (no reference), then three hashes.
  const std::size_t length_at = 4 + 2 + 1 + 16 + 5 + 3 * 32;
  CHECK(b[length_at] == 64);
  const Bytes header = part(b, 0, length_at + 1), signature = part(b, header.size(), 64);
  const Key h = hash("towpath seg sign", header);
  CHECK(crypto_sign_verify_detached(signature.data(), h.data(), h.size(), school.sign_public.data()) == 0);
  CHECK(part(b, header.size() + 64, 8) == part(bytes(hash("towpath header", header + signature)), 0, 8));
  const std::size_t body = b[27];
  CHECK(part(b, header.size() + 72, body).size() == b.size() - header.size() - 72);
  CHECK(part(b, length_at - 64, 32) == bytes(hash("towpath body", part(b, b.size() - body, body))));
}

// Both ends begin the stream by init_pull with a header that follows from the key.
TEST_CASE("libsodium begins a stream to write as it begins one to read") {
  Key key{};
  randombytes_buf(key.data(), key.size());
  std::array<unsigned char, crypto_secretstream_xchacha20poly1305_HEADERBYTES> header{};
  crypto_secretstream_xchacha20poly1305_state push, pull;
  REQUIRE(crypto_secretstream_xchacha20poly1305_init_push(&push, header.data(), key.data()) == 0);
  REQUIRE(crypto_secretstream_xchacha20poly1305_init_pull(&pull, header.data(), key.data()) == 0);
  CHECK(sodium_memcmp(push.k, pull.k, sizeof push.k) == 0);
  CHECK(sodium_memcmp(push.nonce, pull.nonce, sizeof push.nonce) == 0);
}

TEST_CASE("the primitives are those of RFC 7748, RFC 8032 and RFC 7693") {
  const auto from_hex = [](const std::string& text) {
    Bytes out(text.size() / 2);
    REQUIRE(sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, nullptr, nullptr) == 0);
    return out;
  };
  // RFC 7748, 5.2
  const Bytes scalar = from_hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const Bytes point = from_hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  Bytes out(32);
  REQUIRE(crypto_scalarmult(out.data(), scalar.data(), point.data()) == 0);
  CHECK(out == from_hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
  // RFC 8032, 7.1, test 1
  const Bytes seed = from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  Bytes open_key(32), secret_key(64), signature(64);
  crypto_sign_seed_keypair(open_key.data(), secret_key.data(), seed.data());
  CHECK(open_key == from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  crypto_sign_detached(signature.data(), nullptr, nullptr, 0, secret_key.data());
  CHECK(signature ==
        from_hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e"
                 "39701cf9b46bd25bf5f0595bbe24655141438e7a100b"));
  // RFC 7693, appendix A
  Bytes digest(64);
  const std::string abc = "abc";
  crypto_generichash_blake2b(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(abc.data()),
                             3, nullptr, 0);
  CHECK(digest ==
        from_hex("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de"
                 "4533cc9518d38aa8dbf1925ab92386edd4009923"));
}
