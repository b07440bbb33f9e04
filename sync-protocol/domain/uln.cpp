#include "domain/uln.hpp"

#include <algorithm>

namespace towpath {

std::optional<char> uln_check_digit(std::string_view nine) {
  if (nine.size() != 9) return std::nullopt;
  int sum = 0, weight = 10;
  for (const char c : nine) {
    if (c < '0' || c > '9') return std::nullopt;
    sum += weight-- * (c - '0');
  }
  const int rest = sum % 11;
  if (rest == 0) return std::nullopt;
  return static_cast<char>('0' + (10 - rest));
}

tl::expected<Uln, UlnFault> Uln::parse(std::string_view text) {
  if (text.size() != 10 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return tl::unexpected(UlnFault::kForm);
  if (text == "9999999999") return tl::unexpected(UlnFault::kPlaceholder);
  if (uln_check_digit(text.substr(0, 9)) != text[9]) return tl::unexpected(UlnFault::kCheckDigit);
  Uln uln;
  std::copy(text.begin(), text.end(), uln.text_.begin());
  return uln;
}

}  // namespace towpath
