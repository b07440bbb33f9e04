#include "trust/letters.hpp"

#include "core/result.hpp"
#include "trust/keys.hpp"

namespace towpath::letters {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// GF(32) by x^5 + x^2 + 1, whose root generates all 31 elements but 0.
struct Field {
  std::array<std::uint8_t, 62> power{};  // twice, so that a sum of two logarithms needs no modulo
  std::array<std::uint8_t, 32> log{};
  constexpr Field() {
    std::uint8_t x = 1;
    for (std::uint8_t i = 0; i < 31; ++i) {
      power[i] = power[i + 31U] = x;
      log[x] = i;
      x = static_cast<std::uint8_t>(x << 1);
      if ((x & 32) != 0) x = static_cast<std::uint8_t>(x ^ 37);
    }
  }
  [[nodiscard]] constexpr std::uint8_t times(std::uint8_t a, std::uint8_t b) const {
    return a == 0 || b == 0 ? std::uint8_t{0} : power[static_cast<std::size_t>(log[a]) + log[b]];
  }
  [[nodiscard]] constexpr std::uint8_t over(std::uint8_t a, std::uint8_t b) const {
    return a == 0 ? std::uint8_t{0} : power[static_cast<std::size_t>(log[a]) + 31U - log[b]];
  }
};
constexpr Field kField;

// Sum of c_i and of c_i a^i; both are 0 for a code word.
std::array<std::uint8_t, 2> syndromes(const Symbols& all) {
  std::uint8_t s0 = 0, s1 = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    s0 = static_cast<std::uint8_t>(s0 ^ all[i]);
    s1 = static_cast<std::uint8_t>(s1 ^ kField.times(all[i], kField.power[i]));
  }
  return {s0, s1};
}

}  // namespace

std::string of(const Symbols& symbols) {
  std::string out;
  for (const std::uint8_t s : symbols) {
    TP_ASSERT(s < 32);
    out += kAlphabet[s];
  }
  return out;
}

std::string grouped(std::string_view letters) {
  std::string out;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (i > 0 && i % kGroup == 0) out += '-';
    out += letters[i];
  }
  return out;
}

std::optional<std::uint8_t> symbol(char letter) {
  if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  if (letter == 'I' || letter == 'L') letter = '1';
  if (letter == 'O') letter = '0';
  const std::size_t at = kAlphabet.find(letter);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(at);
}

Symbols fingerprint_symbols(const PartyKey& key) {
  const Hash256 hash = hash256("towpath finger", key.bytes());
  Symbols out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (std::size_t at = 0; out.size() < kFingerprintSymbols;) {
    if (held < 5) {
      bits = bits << 8 | hash.bytes[at++];
      held += 8;
    }
    out.push_back(static_cast<std::uint8_t>(bits >> (held - 5) & 31));
    held -= 5;
  }
  return out;
}

std::array<std::uint8_t, 2> checks(const Symbols& symbols) {
  TP_ASSERT(symbols.size() <= 29);
  // Solve x + y = s0 and x a^n + y a^(n+1) = s1 for the two that follow.
  const auto [s0, s1] = syndromes(symbols);
  const std::uint8_t an = kField.power[symbols.size()], an1 = kField.power[symbols.size() + 1];
  const std::uint8_t y =
      kField.over(static_cast<std::uint8_t>(s1 ^ kField.times(s0, an)), static_cast<std::uint8_t>(an ^ an1));
  return {static_cast<std::uint8_t>(s0 ^ y), y};
}

std::optional<Fault> check(const Symbols& all) {
  TP_ASSERT(all.size() <= 31);
  const auto [s0, s1] = syndromes(all);
  if (s0 == 0 && s1 == 0) return std::nullopt;
  if (s0 == 0 || s1 == 0) return Fault{};
  const std::uint8_t where = kField.log[kField.over(s1, s0)];
  if (where >= all.size()) return Fault{};
  return Fault{where, static_cast<std::uint8_t>(all[where] ^ s0)};
}

}  // namespace towpath::letters
