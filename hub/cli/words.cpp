#include "hub/cli/words.hpp"

#include <charconv>

namespace towpath::hub_cli {

std::string number(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string counted(std::uint64_t n, std::string_view one, std::string_view many) {
  return number(n) + " " + std::string(n == 1 ? one : many);
}

std::string age(Instant then, Instant now) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  if (s < 0) return "in the future (check the clock)";
  if (s < 60) return "just now";
  if (s < 2 * 3600) return std::to_string(s / 60) + " min ago";
  if (s < 2 * 86400) return std::to_string(s / 3600) + " h ago";
  return std::to_string(s / 86400) + " days ago";
}

std::optional<std::chrono::hours> span_of(std::string_view text) {
  if (text.size() < 2 || (text.back() != 'd' && text.back() != 'h')) return std::nullopt;
  int n = 0;
  const char* end = text.data() + text.size() - 1;
  const auto done = std::from_chars(text.data(), end, n);
  if (done.ec != std::errc{} || done.ptr != end || n < 1 || n > 90 * 24) return std::nullopt;
  const std::chrono::hours span{text.back() == 'd' ? n * 24 : n};
  if (span > std::chrono::hours{90 * 24}) return std::nullopt;
  return span;
}

}  // namespace towpath::hub_cli
