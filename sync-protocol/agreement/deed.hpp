// A deed: one signed statement that outlives the bundle which brought it.
//
// Agreements, memberships, decisions, orders and receipts are deeds. A bundle's seal proves who
// spoke to whom today; a deed proves to a third party (a partner school, a data protection officer
// years later) who said what. It never changes; its id is the hash of all that is signed.
// In: a body (papers.hpp) and who says it. Out: bytes, and back. Structure, limits and signature
// are checked apart: whose key it has to be is the caller's knowledge.
// Layout: docs/protocol.md, "Deeds". Used by agent/sharing, agent/partners and hub/federation.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "agreement/agreement.hpp"
#include "core/bytes.hpp"
#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "trust/keys.hpp"

namespace towpath {

inline constexpr std::uint8_t kDeedVersion = 1;
// A federation of 200 schools, each with a long name and four keys; an agreement's text fits, too.
inline constexpr std::size_t kDeedBytesMax = 96 * 1024;

struct DeedId {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const DeedId&, const DeedId&) = default;
  [[nodiscard]] std::string text() const;  // 32 hex digits
  [[nodiscard]] static std::optional<DeedId> parse(std::string_view text);
};

enum class DeedKind : std::uint8_t {
  kAgreement = 1,   // hub: this version is offered to you
  kFederation = 2,  // hub: who is in it, and their keys
  kDecision = 3,    // school: approved, or withdrawn
  kOrder = 4,       // school or hub: remove this
  kReceipt = 5,     // school or hub: removed, so much
};

struct Deed {
  DeedId id;  // start of hash("towpath deed", everything before the signature)
  DeedKind kind{};
  std::string issuer;        // "school:100001" or "hub"
  std::uint64_t number = 0;  // the issuer's own count, from 1: never used twice
  Instant made{};            // its clock; shown, never trusted
  Instant expires{};         // not carried out after; 0: never
  Bytes body;
  Signature signature;
  Bytes bytes;  // the whole, as it travels
};

// `deed`'s kind, issuer, number, made, expires, body are used; the rest is filled in.
[[nodiscard]] Deed sign_deed(Deed deed, const PartySecret& issuer);
// kDamaged, kTooLarge, kUnknownVersion. The signature has not been looked at. A kind that is not
// known is kDamaged only to those who must act on it: it is returned as it is. The id does not cover
// the signature: ask signed_by before an id means anything.
[[nodiscard]] Result<Deed> read_deed(ByteView bytes);
// By one of these keys: an issuer's current one, and those that it replaced by itself.
[[nodiscard]] bool signed_by(const Deed& deed, std::span<const PartyKey> keys);

}  // namespace towpath
