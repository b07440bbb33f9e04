#include "domain/upn.hpp"

#include <algorithm>

namespace towpath {
namespace {

// Without I, O and S, which are taken for digits. A letter's place is its value.
constexpr std::string_view kLetters = "ABCDEFGHJKLMNPQRTUVWXYZ";
static_assert(kLetters.size() == 23);

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<char> upn_check_letter(std::string_view twelve) {
  if (twelve.size() != 12) return std::nullopt;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < twelve.size(); ++i) {
    const std::size_t weight = i + 2;  // the position in the whole number, from 1
    if (is_digit(twelve[i])) {
      sum += weight * static_cast<std::size_t>(twelve[i] - '0');
      continue;
    }
    const std::size_t value = kLetters.find(twelve[i]);
    if (value == std::string_view::npos || i != 11) return std::nullopt;  // only the last may be a letter
    sum += weight * value;
  }
  return kLetters[sum % kLetters.size()];
}

tl::expected<Upn, UpnFault> Upn::parse(std::string_view text) {
  if (text.size() != 13 || kLetters.find(text[0]) == std::string_view::npos)
    return tl::unexpected(UpnFault::kForm);
  const auto letter = upn_check_letter(text.substr(1));
  if (!letter) return tl::unexpected(UpnFault::kForm);
  if (*letter != text[0]) return tl::unexpected(UpnFault::kCheckLetter);
  Upn upn;
  std::copy(text.begin(), text.end(), upn.text_.begin());
  return upn;
}

bool is_upn_absence(std::string_view text) {
  return text.size() == 3 && text.substr(0, 2) == "UN" && text[2] >= '1' && text[2] <= '5';
}

}  // namespace towpath
