// Small letters of A to Z, whatever the locale; every other byte stays. For protocol names, host
// names and keywords, not for names of people.
#pragma once

#include <string>
#include <string_view>

namespace towpath {

[[nodiscard]] constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

}  // namespace towpath
