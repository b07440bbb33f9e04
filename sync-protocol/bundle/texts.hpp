// Texts for people inside bundles, cards and notices: bounded where they are written, harmless on a
// terminal where they are read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace towpath {

// Sentences, names and keys. A longer one is cut by its writer and refused by its reader.
inline constexpr std::size_t kSentenceBytesMax = 1024;

// As much as fits, ending with a whole UTF-8 character.
[[nodiscard]] inline std::string_view fitting(std::string_view text) {
  if (text.size() <= kSentenceBytesMax) return text;
  std::size_t end = kSentenceBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// Control characters become '?': a school's machine name must not move an operator's cursor.
[[nodiscard]] inline std::string without_controls(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

}  // namespace towpath
