// Letters that a person can read out over a telephone: Crockford's base 32, five bits each,
// without I, L, O and U. Read in either case; I and L are read as 1, O as 0.
// Used by invitation codes and fingerprints only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace towpath {
struct PartyKey;
}
namespace towpath::letters {

using Symbols = std::vector<std::uint8_t>;  // each below 32

inline constexpr std::size_t kGroup = 5;
// 75 bits: nobody makes another key with the same by trying.
inline constexpr std::size_t kFingerprintSymbols = 15;

[[nodiscard]] std::string of(const Symbols& symbols);
[[nodiscard]] std::string grouped(std::string_view letters);  // "K7QF2-9XM4B"
[[nodiscard]] std::optional<std::uint8_t> symbol(char letter);
[[nodiscard]] Symbols fingerprint_symbols(const PartyKey& key);

// Two check symbols (Reed-Solomon over GF(32), positions 0..30) for at most 29 symbols: any two
// wrong letters are noticed, and a single wrong one is found.
[[nodiscard]] std::array<std::uint8_t, 2> checks(const Symbols& symbols);
struct Fault {
  std::optional<std::size_t> position;  // of the one wrong letter; none: more than one is wrong
  std::uint8_t meant = 0;               // what it should be
};
// `all`: symbols and their two checks. None if they agree.
[[nodiscard]] std::optional<Fault> check(const Symbols& all);

}  // namespace towpath::letters
