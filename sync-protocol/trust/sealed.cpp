#include "trust/sealed.hpp"

#include <sodium.h>

#include <algorithm>

#include "bundle/texts.hpp"

namespace towpath {
namespace {

using Magic = std::array<std::uint8_t, 4>;
constexpr Magic kBundleMagic{'T', 'P', 'b', 'd'};
constexpr Magic kQuestionMagic{'T', 'P', 'c', 'q'};
constexpr Magic kCardMagic{'T', 'P', 'c', 'a'};
constexpr Magic kNoticeMagic{'T', 'P', 'n', 'o'};

// Every version begins with magic, version, sender and recipient, and ends with the signature.
constexpr std::size_t kOpeningBytes = 4 + 2 + 8 + 8;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kSealBytes = crypto_secretstream_xchacha20poly1305_ABYTES;
static_assert(kSealBytes == 17);

constexpr std::uint8_t kAnswers = 1;
constexpr std::uint8_t kIntroduces = 2;

constexpr std::string_view kBundleDomain = "towpath bundle";
constexpr std::string_view kCardDomain = "towpath card";
constexpr std::string_view kNoticeDomain = "towpath notice";
constexpr std::string_view kNewKeyDomain = "towpath new key";
constexpr std::string_view kRefusedDomain = "towpath refused";

bool begins(ByteView bytes, const Magic& magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}
template <std::size_t N>
void read(Reader& r, std::array<std::uint8_t, N>& out) {
  const ByteView b = r.bytes(N);
  std::copy(b.begin(), b.end(), out.begin());
}
// The end of the year 9999: whoever computes with a clock from elsewhere need not fear an overflow.
constexpr std::uint64_t kInstantMax = 253'402'300'799'999;
Instant read_instant(Reader& r) {
  const std::uint64_t ms = r.u64();
  if (ms > kInstantMax) r.fail();
  return r.ok() ? Instant{std::chrono::milliseconds{static_cast<std::int64_t>(ms)}} : Instant{};
}
// A clock that is beyond what the format can say is wrong anyhow, and must not stop its machine.
void write_instant(Writer& w, Instant at) {
  const std::int64_t ms = at.time_since_epoch().count();
  w.u64(std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)), kInstantMax));
}

tl::unexpected<Error> damaged(std::string what) {
  return fail(Code::kDamaged, "A bundle is damaged: " + std::move(what),
              "Nothing of it was taken; it can be sent again as it is");
}
tl::unexpected<Error> not_signed(std::string_view what) {
  return fail(Code::kNotSigned,
              std::string(what) +
                  " is not as its sender signed it: it was cut or changed on its way, or somebody "
                  "else made it",
              "Nothing of it was taken; it can be sent again as it is");
}
tl::unexpected<Error> unknown_version(std::string_view what, std::uint16_t version) {
  return fail(
      Code::kUnknownVersion,
      std::string(what) + " is written in format version " + std::to_string(version) +
          "; this program reads " + std::to_string(kSealedVersion),
      version < kSealedVersion ? "Update towpath at the other end" : "Update towpath on this machine");
}

// Appends a signature over all that is there.
void sign(Bytes& out, std::string_view domain, const PartySecret& by) {
  const Signature s = by.sign(domain, out);
  out.insert(out.end(), s.bytes.begin(), s.bytes.end());
}
bool is_signed(ByteView bytes, std::string_view domain, const PartyKey& by) {
  if (bytes.size() < kSignatureBytes) return false;
  Signature s;
  std::copy(bytes.end() - kSignatureBytes, bytes.end(), s.bytes.begin());
  return by.signed_this(domain, bytes.first(bytes.size() - kSignatureBytes), s);
}

// The key of one bundle, and its stream's header: both follow from what the two agreed on, and
// no two bundles agree on the same, because each makes a key pair of its own.
class OneTimeKey {
 public:
  OneTimeKey(std::span<const std::uint8_t, 32> agreed, const std::array<std::uint8_t, 32>& one_time,
             const PartyKey& sender, const PartyKey& recipient) {
    const auto derive = [&](std::string_view domain) {
      Hasher h(domain);
      h.update(agreed).update(one_time).update(sender.bytes()).update(recipient.bytes());
      return h.finish();
    };
    Hash256 key = derive("towpath seal key");
    key_ = key.bytes;
    wipe(key.bytes);
    const Hash256 head = derive("towpath seal hdr");
    std::copy_n(head.bytes.begin(), header_.size(), header_.begin());
  }
  OneTimeKey(const OneTimeKey&) = delete;
  OneTimeKey& operator=(const OneTimeKey&) = delete;
  ~OneTimeKey() {
    wipe(key_);
    sodium_memzero(&state_, sizeof state_);
  }
  // libsodium begins both directions of a stream from key and header alike; init_push would only draw
  // the header by chance, and it would then travel (tests/trust holds that they are alike).
  crypto_secretstream_xchacha20poly1305_state* begin() {
    const int done = crypto_secretstream_xchacha20poly1305_init_pull(&state_, header_.data(), key_.data());
    TP_ASSERT(done == 0);
    return &state_;
  }

 private:
  std::array<std::uint8_t, crypto_secretstream_xchacha20poly1305_KEYBYTES> key_{};
  std::array<std::uint8_t, crypto_secretstream_xchacha20poly1305_HEADERBYTES> header_{};
  crypto_secretstream_xchacha20poly1305_state state_{};
};

struct Outside {
  Envelope envelope;
  std::array<std::uint8_t, 32> one_time{};
  std::size_t sealed_at = 0;
};

Result<Outside> read_outside(ByteView bytes) {
  if (bytes.size() > kBundleBytesMax)
    return fail(Code::kTooLarge,
                "A bundle is too large: " + std::to_string(bytes.size()) + " bytes, the limit is " +
                    std::to_string(kBundleBytesMax),
                "Its sender has to send less at once");
  if (!begins(bytes, kBundleMagic)) return damaged("it does not begin like one");
  if (bytes.size() < kOpeningBytes + kSignatureBytes) return damaged("it ends within its header");
  Reader r(bytes.first(bytes.size() - kSignatureBytes));
  Outside out;
  Envelope& e = out.envelope;
  (void)r.u32();
  const std::uint16_t version = r.u16();
  read(r, e.sender.bytes);
  read(r, e.recipient.bytes);
  if (version != kSealedVersion) return unknown_version("A bundle", version);
  const std::uint8_t flags = r.u8();
  if (r.ok() && (flags & ~(kAnswers | kIntroduces)) != 0) return damaged("its header contradicts itself");
  e.sent = read_instant(r);
  read(r, e.id.uuid.bytes);
  if ((flags & kAnswers) != 0) read(r, e.answers.emplace().uuid.bytes);
  read(r, out.one_time);
  const bool introduces = (flags & kIntroduces) != 0;
  if (introduces) e.introduces = PartyKey::from(r.bytes(kPartyKeyBytes));
  if (!r.ok() || r.left() < kSealBytes)
    return damaged("it ends within its header, or its time is none that there is");
  if (introduces && (!e.introduces || e.introduces->id() != e.sender))
    return damaged("its header contradicts itself");
  out.sealed_at = r.position();
  return out;
}

}  // namespace

MessageKind message_kind(ByteView bytes) {
  if (begins(bytes, kBundleMagic)) return MessageKind::kBundle;
  if (begins(bytes, kQuestionMagic)) return MessageKind::kCardQuestion;
  if (begins(bytes, kCardMagic)) return MessageKind::kCard;
  if (begins(bytes, kNoticeMagic)) return MessageKind::kNotice;
  return MessageKind::kNone;
}

// --- bundles --------------------------------------------------------------------------------
Result<Envelope> Envelope::read(ByteView bytes) {
  auto outside = read_outside(bytes);
  if (!outside) return fail(std::move(outside).error());
  return std::move(outside->envelope);
}

Result<Bytes> seal(const Bundle& bundle, const PartySecret& sender, const PartyKey& recipient, Random& random,
                   bool introduce) {
  auto frames = encode_frames(bundle.frames);
  if (!frames) return fail(std::move(frames).error());
  Bytes out;
  out.reserve(frames->size() + kSealedOverheadMax);
  Writer w(out);
  w.bytes(kBundleMagic);
  w.u16(kSealedVersion);
  w.bytes(sender.key().id().bytes);
  w.bytes(recipient.id().bytes);
  w.u8(static_cast<std::uint8_t>((bundle.answers ? kAnswers : 0) | (introduce ? kIntroduces : 0)));
  write_instant(w, bundle.sent);
  w.bytes(bundle.id.uuid.bytes);
  if (bundle.answers) w.bytes(bundle.answers->uuid.bytes);
  Bytes about = out;
  about.insert(about.end(), frames->begin(), frames->end());
  const PartySecret once = sender.once(random, about);
  w.bytes(once.key().seal);
  if (introduce) w.bytes(sender.key().bytes());

  std::array<std::uint8_t, 32> agreed{};
  if (!once.agree(recipient.seal, agreed))
    return fail(Code::kDamaged, "the recipient's key is not one that can be sealed to",
                "Enrol again with a new invitation code");
  OneTimeKey key(agreed, once.key().seal, sender.key(), recipient);
  wipe(agreed);
  const Bytes header = out;
  out.resize(header.size() + frames->size() + kSealBytes);
  const int done = crypto_secretstream_xchacha20poly1305_push(
      key.begin(), out.data() + header.size(), nullptr, frames->data(), frames->size(), header.data(),
      header.size(), crypto_secretstream_xchacha20poly1305_TAG_FINAL);
  TP_ASSERT(done == 0);
  sign(out, kBundleDomain, sender);
  if (out.size() > kBundleBytesMax)
    return fail(Code::kTooLarge,
                "A bundle is too large: more than " + std::to_string(kBundleBytesMax) + " bytes",
                "Its sender has to send less at once");
  return out;
}

Result<Bundle> open(ByteView bytes, const PartySecret& recipient, const PartyKey& sender) {
  // In this order: a version number that was damaged on its way must not send anybody to update a
  // program, and nothing unsigned is decrypted.
  if (bytes.size() > kBundleBytesMax || !begins(bytes, kBundleMagic) ||
      bytes.size() < kOpeningBytes + kSignatureBytes) {
    auto refused = read_outside(bytes);
    TP_ASSERT(!refused);
    return fail(std::move(refused).error());
  }
  if (!is_signed(bytes, kBundleDomain, sender)) return not_signed("A bundle");
  auto outside = read_outside(bytes);
  if (!outside) return fail(std::move(outside).error());
  const Envelope& e = outside->envelope;
  if (e.recipient != recipient.key().id())
    return fail(Code::kOtherRecipient,
                "A bundle is sealed for somebody else (key " + e.recipient.text() + ")",
                "Give it to the one it was made for");
  if (e.sender != sender.id()) return damaged("its header contradicts itself");
  std::array<std::uint8_t, 32> agreed{};
  if (!recipient.agree(outside->one_time, agreed)) return damaged("its one-time key is none");
  OneTimeKey key(agreed, outside->one_time, sender, recipient.key());
  wipe(agreed);
  const ByteView header = bytes.first(outside->sealed_at);
  const ByteView sealed = bytes.subspan(header.size(), bytes.size() - header.size() - kSignatureBytes);
  Bytes frames(sealed.size() - kSealBytes);
  unsigned char tag = 0;
  if (crypto_secretstream_xchacha20poly1305_pull(key.begin(), frames.data(), nullptr, &tag, sealed.data(),
                                                 sealed.size(), header.data(), header.size()) != 0 ||
      tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL)
    return damaged("it is not sealed as it should be");
  Bundle out;
  out.id = e.id;
  out.answers = e.answers;
  out.sent = e.sent;
  auto read = decode_frames(frames);
  if (!read) return fail(std::move(read).error());
  out.frames = std::move(*read);
  return out;
}

Result<Bytes> PeerSealer::seal(const Bundle& bundle) { return towpath::seal(bundle, own_, peer_, random_); }
Result<Bundle> PeerSealer::open(ByteView bytes) { return towpath::open(bytes, own_, peer_); }

// --- the hub's card ---------------------------------------------------------------------------
Bytes card_question(const CardNonce& nonce) {
  Bytes out;
  Writer w(out);
  w.bytes(kQuestionMagic);
  w.u16(kSealedVersion);
  w.bytes(nonce);
  return out;
}

Result<CardNonce> read_card_question(ByteView bytes) {
  Reader r(bytes);
  if (!begins(bytes, kQuestionMagic)) return damaged("it does not begin like a question for the hub's card");
  (void)r.u32();
  const std::uint16_t version = r.u16();
  CardNonce nonce{};
  read(r, nonce);
  if (!r.ok()) return damaged("a question for the hub's card is too short");
  if (version != kSealedVersion) return unknown_version("A question for the hub's card", version);
  if (!r.at_end()) return damaged("something follows a question for the hub's card");
  return nonce;
}

Bytes card(const PartySecret& hub, const CardNonce& nonce, Instant now, const std::string& software) {
  Bytes out;
  Writer w(out);
  w.bytes(kCardMagic);
  w.u16(kSealedVersion);
  w.bytes(nonce);
  w.bytes(hub.key().bytes());
  write_instant(w, now);
  w.sized(fitting(software));
  sign(out, kCardDomain, hub);
  return out;
}

Result<HubCard> read_card(ByteView bytes, const CardNonce& nonce) {
  if (!begins(bytes, kCardMagic) || bytes.size() < kSignatureBytes)
    return fail(Code::kDamaged, "what came is not a hub's card", "Check [hub] url in the configuration");
  Reader r(bytes.first(bytes.size() - kSignatureBytes));
  (void)r.u32();
  const std::uint16_t version = r.u16();
  CardNonce answered{};
  read(r, answered);
  HubCard out;
  const auto key = PartyKey::from(r.bytes(kPartyKeyBytes));
  // The signature first, as everywhere.
  if (!key || !is_signed(bytes, kCardDomain, *key)) return not_signed("The hub's card");
  if (version != kSealedVersion) return unknown_version("The hub's card", version);
  if (answered != nonce)
    return fail(Code::kNotSigned, "The hub's card is an old one, kept by something between here and the hub",
                "Ask for the hub's address to be let through without caching");
  out.key = *key;
  out.now = read_instant(r);
  const ByteView software = r.sized();
  if (!r.ok() || !r.at_end() || software.size() > kSentenceBytesMax)
    return damaged("the hub's card is not made as it should be");
  out.software = without_controls(text_of(software));
  return out;
}

// --- new keys ---------------------------------------------------------------------------------
namespace {
// Both halves of both keys: the new one's sealing half must be its holder's word too.
Bytes from_to(const PartyKey& old, const PartyKey& next) {
  Bytes both = next.bytes();
  const Bytes before = old.bytes();
  both.insert(both.end(), before.begin(), before.end());
  return both;
}
}  // namespace

NewKeyFrame new_key(const PartySecret& next, const PartyKey& old) {
  const Signature proof = next.sign(kNewKeyDomain, from_to(old, next.key()));
  return {next.key().bytes(), Bytes(proof.bytes.begin(), proof.bytes.end())};
}

std::optional<PartyKey> proven(const NewKeyFrame& frame, const PartyKey& old) {
  const auto key = PartyKey::from(frame.key);
  Signature proof;
  if (!key || frame.proof.size() != proof.bytes.size()) return std::nullopt;
  std::copy(frame.proof.begin(), frame.proof.end(), proof.bytes.begin());
  if (*key == old || !key->signed_this(kNewKeyDomain, from_to(old, *key), proof)) return std::nullopt;
  return key;
}

// --- notices ----------------------------------------------------------------------------------
namespace {
std::array<std::uint8_t, 16> name_of(ByteView body) {
  const Hash256 hash = hash256(kRefusedDomain, body);
  std::array<std::uint8_t, 16> out{};
  std::copy_n(hash.bytes.begin(), out.size(), out.begin());
  return out;
}
}  // namespace

bool Notice::is_about(ByteView body) const { return name_of(body) == about; }

Bytes notice(const Notice& n, const PartySecret& hub, ByteView refused) {
  Bytes out;
  Writer w(out);
  w.bytes(kNoticeMagic);
  w.u16(kSealedVersion);
  w.bytes(hub.key().id().bytes);
  w.bytes(n.answers.uuid.bytes);
  w.bytes(name_of(refused));
  write_instant(w, n.now);
  w.varint(n.later_seconds);
  w.sized(name(n.code));
  w.sized(fitting(n.text));
  sign(out, kNoticeDomain, hub);
  return out;
}

Result<Notice> read_notice(ByteView bytes, const PartyKey& hub) {
  if (!begins(bytes, kNoticeMagic)) return damaged("what came is not a hub's notice");
  if (!is_signed(bytes, kNoticeDomain, hub)) return not_signed("The hub's notice");
  Reader r(bytes.first(bytes.size() - kSignatureBytes));
  (void)r.u32();
  const std::uint16_t version = r.u16();
  if (version != kSealedVersion) return unknown_version("The hub's notice", version);
  KeyId by;
  read(r, by.bytes);
  Notice out;
  read(r, out.answers.uuid.bytes);
  read(r, out.about);
  out.now = read_instant(r);
  const std::uint64_t later = r.varint();
  if (later > UINT32_MAX) r.fail();
  out.later_seconds = static_cast<std::uint32_t>(later);
  const ByteView code = r.sized(), text = r.sized();
  if (!r.ok() || !r.at_end() || text.size() > kSentenceBytesMax || by != hub.id())
    return damaged("the hub's notice is not made as it should be");
  out.code = code_named(text_of(code)).value_or(Code::kRefused);
  out.text = without_controls(text_of(text));
  return out;
}

}  // namespace towpath
