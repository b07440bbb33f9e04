// Hashes and identifiers. Hash256 is BLAKE2b-256 (libsodium) and is what anything
// compared with another machine uses; Fingerprint is XXH3-64 and never leaves
// the machine: it only decides whether a source row has to be parsed again.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace towpath {

struct Hash256 {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const Hash256&, const Hash256&) = default;
  [[nodiscard]] bool is_zero() const { return *this == Hash256{}; }
  [[nodiscard]] std::string hex() const;
};

// `domain` (at most 16 characters) keeps hashes of different things apart.
[[nodiscard]] Hash256 hash256(std::string_view domain, ByteView data);

// Hashes what comes in pieces.
class Hasher {
 public:
  explicit Hasher(std::string_view domain);
  Hasher& update(ByteView data);
  [[nodiscard]] Hash256 finish();

 private:
  alignas(64) std::array<std::uint8_t, 512> state_;  // crypto_generichash_state
};

using Fingerprint = std::uint64_t;
[[nodiscard]] Fingerprint fingerprint(std::string_view data, std::uint64_t seed = 0);

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  [[nodiscard]] std::string text() const;  // 8-4-4-4-12, lower case
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
  // RFC 9562 version 5: the same (space, name) is the same UUID for ever.
  [[nodiscard]] static Uuid named(const Uuid& space, std::string_view name);
};

// towpath's own name space; every name-based UUID begins here.
extern const Uuid kTowpathSpace;

}  // namespace towpath
