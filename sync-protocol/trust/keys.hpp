// Who somebody is: a pair of keys, made on the machine that uses them.
//
// A party (a school's agent, a hub) has one secret of 32 bytes; a signing key (Ed25519) and a key
// to seal to (X25519) are derived from it. What others may know is PartyKey; a KeyId names it
// in a bundle's header, a fingerprint in an invitation. Secrets are never copied, printed or
// compared, and are wiped when they go. Files: agent/identity and hub/trust keep them.
// Together with sealed.hpp and invitation.hpp the only user of libsodium's keys.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// Names a key where 64 bytes would be a tenth of a bundle. Not a proof: the signature is.
struct KeyId {
  std::array<std::uint8_t, 8> bytes{};
  friend auto operator<=>(const KeyId&, const KeyId&) = default;
  [[nodiscard]] std::string text() const;  // 16 hex digits
  [[nodiscard]] static std::optional<KeyId> parse(std::string_view text);
};

struct Signature {
  std::array<std::uint8_t, 64> bytes{};
  friend bool operator==(const Signature&, const Signature&) = default;
};

inline constexpr std::size_t kPartyKeyBytes = 64;

// The public half.
struct PartyKey {
  std::array<std::uint8_t, 32> sign{};  // Ed25519
  std::array<std::uint8_t, 32> seal{};  // X25519
  friend auto operator<=>(const PartyKey&, const PartyKey&) = default;

  [[nodiscard]] KeyId id() const;
  [[nodiscard]] Bytes bytes() const;  // sign, then seal
  // None for another length, and for a sealing key of small order: whatever is sealed to such a
  // "key", everybody can open. (A signing key of small order verifies nothing, see signed_this.)
  [[nodiscard]] static std::optional<PartyKey> from(ByteView bytes);
  // What a person can compare: "K7QF2-9XM4B-TD0AE" (75 bits).
  [[nodiscard]] std::string fingerprint() const;
  // True if `signature` is this party's over `domain` and `data`. False for keys and signatures of
  // small order and for a second form of a right signature.
  [[nodiscard]] bool signed_this(std::string_view domain, ByteView data, const Signature& signature) const;
};

class PartySecret {
 public:
  [[nodiscard]] static PartySecret make(Random& random);
  // A key pair for one thing, `about`, which is all of what it will protect. It hangs on chance, on this
  // secret and on `about`, so that a copied machine, whose chance repeats, does not use it twice.
  [[nodiscard]] PartySecret once(Random& random, ByteView about) const;
  // From what `file_text` wrote; kDamaged for anything else.
  // kDamaged; kUnknownVersion where a newer program wrote it.
  [[nodiscard]] static Result<PartySecret> from_file_text(std::string_view text);
  PartySecret(PartySecret&& other) noexcept;
  PartySecret& operator=(PartySecret&& other) noexcept;
  PartySecret(const PartySecret&) = delete;
  PartySecret& operator=(const PartySecret&) = delete;
  ~PartySecret();

  [[nodiscard]] const PartyKey& key() const { return key_; }
  // Ed25519 over hash256(domain, data), so that a signature for one thing is none for another.
  [[nodiscard]] Signature sign(std::string_view domain, ByteView data) const;
  // X25519 of our sealing key with another's; none if that is not a point one can agree on.
  // `out` is secret: the caller wipes it.
  [[nodiscard]] bool agree(const std::array<std::uint8_t, 32>& other, std::span<std::uint8_t, 32> out) const;
  // For its file (0600) and nothing else.
  [[nodiscard]] std::string file_text() const;

 private:
  explicit PartySecret(std::span<const std::uint8_t, 32> seed);
  std::array<std::uint8_t, 32> seed_{};
  std::array<std::uint8_t, 64> sign_{};
  std::array<std::uint8_t, 32> seal_{};
  PartyKey key_;
};

// Of a file of ours that begins with a line "NAME VERSION": why this program cannot use it, where a newer one
// wrote it ("was written by a newer towpath (version 2, this program knows 1)"). None: not newer.
[[nodiscard]] std::optional<std::string> newer_file(std::string_view text, std::string_view name,
                                                    unsigned known);

// Overwrites memory that held a secret, in a way that no compiler leaves out.
void wipe(std::span<std::uint8_t> secret);
void wipe(std::string& secret);

}  // namespace towpath
