#include "core/text.hpp"

namespace towpath {
namespace {

// Length of the UTF-8 sequence that begins at `at`; 0 if it is broken or not to be shown.
std::size_t shown_sequence(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 && first <= 0xf4   ? 4
                             : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xc2 && first <= 0xdf ? 2
                                                              : 0;
  if (length == 0 || at + length > text.size()) return 0;
  char32_t point = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte(at + i) & 0x3fU);
  }
  if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000) || point > 0x10ffff) return 0;
  if (point >= 0xd800 && point <= 0xdfff) return 0;
  // C1 controls, and marks that turn the direction of writing: both can disguise a line.
  if (point < 0xa0 || point == 0x61c || point == 0x200e || point == 0x200f ||
      (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff)
    return 0;
  return length;
}

}  // namespace

std::string safe_line(std::string_view text, std::size_t characters_max) {
  std::string out;
  std::size_t characters = 0;
  bool space = true;  // leading white space is dropped
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (!space) {
        out += ' ';
        ++characters;
      }
      space = true;
      ++at;
      continue;
    }
    if (characters >= characters_max) {
      while (!out.empty() && out.back() == ' ') out.pop_back();
      return out + "...";
    }
    space = false;
    const std::size_t length = shown_sequence(text, at);
    if (length == 0) {
      out += '?';
      ++at;
    } else {
      out += text.substr(at, length);
      at += length;
    }
    ++characters;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string safe_text(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::size_t length = c == '\n' || c == '\t' ? 1 : shown_sequence(text, at);
    if (length > 0)
      out += text.substr(at, length);
    else if (c != '\r')
      out += '?';
    at += length > 0 ? length : 1;
  }
  return out;
}

}  // namespace towpath
