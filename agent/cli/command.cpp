#include "agent/cli/command.hpp"

#include <algorithm>
#include <cctype>

namespace towpath::cli {
namespace {

// A word as a shell takes it, in quotes only where it has to be.
std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 ||
           std::string_view("/._-+:,=@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string Command::program() const {
  return config == kDefaultConfig ? "towpath" : "towpath --config " + shell_word(config);
}

}  // namespace towpath::cli
