// The words that deeds and agreements are made of, and what each may look like. Private to this module.
//
// What is read here is shown to people before they decide, so a text that could look like another
// (control characters, marks of direction, broken UTF-8) is refused, not repaired.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "agreement/agreement.hpp"
#include "core/text.hpp"
#include "segment/segment.hpp"

namespace towpath::words {

// Of an agreement, of a federation: what a person types.
inline constexpr std::size_t kIdMax = 40;
// Bytes of a school's or federation's name, as in the hub's registry.
inline constexpr std::size_t kNameMax = 200;
// Bytes: role and name of who decided.
inline constexpr std::size_t kByMax = 200;

[[nodiscard]] inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] inline bool is_urn(std::string_view text) {
  return text.size() == 6 && std::all_of(text.begin(), text.end(), is_digit);
}
// a-z 0-9 -, beginning with a letter or digit.
[[nodiscard]] inline bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdMax && text.front() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-'; });
}
[[nodiscard]] inline bool is_audience(std::string_view text) {
  return text == kBorough ||
         (text.starts_with(kFederationPrefix) && is_id(text.substr(kFederationPrefix.size())));
}
// One line that looks like what it is: single blanks, nothing that a terminal would act on.
[[nodiscard]] inline bool is_line(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && safe_line(text, bytes_max) == text;
}
// Any text made such a line, cut after a whole character.
[[nodiscard]] inline std::string line(std::string_view text, std::size_t bytes_max) {
  std::string out = safe_line(text, bytes_max);
  if (out.size() > bytes_max) {
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
    out.resize(end);
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}
// Several lines; CR only before LF, where editors put it.
[[nodiscard]] inline bool is_page(std::string_view text) {
  std::string without(text);
  for (std::size_t at = 0; (at = without.find("\r\n", at)) != std::string::npos;) without.erase(at, 1);
  return without.find('\r') == std::string::npos && safe_text(without) == without;
}

}  // namespace towpath::words
