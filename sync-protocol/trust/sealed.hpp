// What makes a bundle safe on any line: sealed to its reader, signed by its writer.
//
// In: a Bundle and keys. Out: bytes, and back. Four kinds of message, all told by their first
// four bytes, because web filters answer too:
//   TPbd  a sealed bundle: frames under X25519 + XChaCha20-Poly1305 (secretstream), Ed25519 over
//         header and ciphertext. Sender, recipient, id, time and the answered bundle stand in
//         the header, under the signature and in the seal.
//   TPcq  "who are you?", 16 random bytes;  TPca  the hub's key and clock, signed, with those bytes.
//   TPno  a notice: the hub refuses a bundle without opening or answering it sealed; signed.
// The signature is checked before anything is decrypted, the seal before a frame is parsed.
// Never: says which of two keys would have fitted, or repeats a byte of what it was given.
// Layout: docs/protocol.md. Used by agent/uplink and hub/exchange.
#pragma once

#include <optional>
#include <string>

#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "trust/keys.hpp"

namespace towpath {

inline constexpr std::uint16_t kSealedVersion = 2;
// What sealing adds to the frames: header 79, seal 17, signature 64; 16 more where it answers, 64
// where it introduces its sender.
inline constexpr std::size_t kSealedOverheadMax = 79 + 16 + 64 + 17 + 64;

enum class MessageKind : std::uint8_t { kNone, kBundle, kCardQuestion, kCard, kNotice };
[[nodiscard]] MessageKind message_kind(ByteView bytes);

// --- bundles --------------------------------------------------------------------------------
// The outside of a sealed bundle: what can be known before its signature is checked, and must
// not be believed before.
struct Envelope {
  KeyId sender, recipient;
  std::optional<PartyKey> introduces;  // enrolment: the sender's key itself
  BundleId id;
  std::optional<BundleId> answers;
  Instant sent{};

  // kDamaged, kTooLarge: not a whole bundle. kUnknownVersion: of a later format (or changed on its
  // way: check the signature first where the sender's key is known).
  [[nodiscard]] static Result<Envelope> read(ByteView bytes);
};

// For `recipient`. `introduce`: with our key in the header, for enrolment.
[[nodiscard]] Result<Bytes> seal(const Bundle& bundle, const PartySecret& sender, const PartyKey& recipient,
                                 Random& random, bool introduce = false);
// kNotSigned: not what `sender` signed (cut, changed, forged, another's). kOtherRecipient: sealed
// for another key. kDamaged: signed and sealed, but not made as it should be (the sender's fault).
// kUnknownVersion: signed, in a format that is not this one.
[[nodiscard]] Result<Bundle> open(ByteView bytes, const PartySecret& recipient, const PartyKey& sender);

// One end of a line between two parties that know each other.
class PeerSealer final : public Sealer {
 public:
  PeerSealer(const PartySecret& own, const PartyKey& peer, Random& random)
      : own_(own), peer_(peer), random_(random) {}
  [[nodiscard]] Result<Bytes> seal(const Bundle& bundle) override;
  [[nodiscard]] Result<Bundle> open(ByteView bytes) override;

 private:
  const PartySecret& own_;
  const PartyKey peer_;
  Random& random_;
};

// --- the hub's card ---------------------------------------------------------------------------
using CardNonce = std::array<std::uint8_t, 16>;
[[nodiscard]] Bytes card_question(const CardNonce& nonce);
[[nodiscard]] Result<CardNonce> read_card_question(ByteView bytes);
struct HubCard {
  PartyKey key;
  Instant now{};  // the hub's clock
  std::string software;
};
[[nodiscard]] Bytes card(const PartySecret& hub, const CardNonce& nonce, Instant now,
                         const std::string& software);
// kNotSigned where it is not signed by the key that it shows, or answers another question (an old
// one from a cache).
[[nodiscard]] Result<HubCard> read_card(ByteView bytes, const CardNonce& nonce);

// --- new keys ---------------------------------------------------------------------------------
// What the holder of `next` says to go on under it after `old`; sealed by `old`.
[[nodiscard]] NewKeyFrame new_key(const PartySecret& next, const PartyKey& old);
// The new key, if its holder said so of `old`; else none: somebody else's key, or no key.
[[nodiscard]] std::optional<PartyKey> proven(const NewKeyFrame& frame, const PartyKey& old);

// --- notices ----------------------------------------------------------------------------------
// A hub says these to whoever asks, before it knows who that is. So that nobody can fetch one with
// another's bundle id and hand it to that other, a notice also names the very bytes that it is
// about: believe it only if is_about(what was sent).
struct Notice {
  Code code = Code::kRefused;
  BundleId answers;                 // the bundle that was refused; zeros where even that could not be read
  Instant now{};                    // the hub's clock
  std::uint32_t later_seconds = 0;  // come back after; 0: coming back does not help
  std::string text;                 // a sentence; no personal data
  std::array<std::uint8_t, 16> about{};  // start of a hash over the body that was refused
  [[nodiscard]] bool is_about(ByteView body) const;
};
// About `refused`, the whole body as it came.
[[nodiscard]] Bytes notice(const Notice& notice, const PartySecret& hub, ByteView refused);
[[nodiscard]] Result<Notice> read_notice(ByteView bytes, const PartyKey& hub);

}  // namespace towpath
