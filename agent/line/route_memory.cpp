#include "agent/line/route_memory.hpp"

#include <charconv>
#include <string_view>

#include "core/bytes.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

// "1795429815000 proxy http://proxy:8080 (configured)\n": since when, and what.
constexpr std::size_t kFileBytesMax = 1024;

}  // namespace

std::optional<std::string> FileRouteMemory::recall() {
  recalled_.reset();
  const auto text = platform::read_file(path_, kFileBytesMax);
  if (!text) return std::nullopt;
  std::int64_t since = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), since);
  const std::size_t end = text->find('\n');
  if (read.ec != std::errc{} || end == std::string::npos) return std::nullopt;
  const auto begin = static_cast<std::size_t>(read.ptr - text->data());
  if (begin + 1 >= end || (*text)[begin] != ' ') return std::nullopt;
  const std::chrono::milliseconds age = clock_.now().time_since_epoch() - std::chrono::milliseconds(since);
  // From the future: a clock was put right; it may be any age.
  if (age < std::chrono::milliseconds(0) || age > kRouteKept) return std::nullopt;
  recalled_ = text->substr(begin + 1, end - begin - 1);
  return recalled_;
}

void FileRouteMemory::worked(const std::string& key) {
  if (recalled_ == key) return;  // its day began when it was first found
  recalled_ = key;
  const std::string text = std::to_string(clock_.now().time_since_epoch().count()) + " " + key + "\n";
  (void)platform::write_file(path_, bytes_of(text));  // see above: nothing is lost
}

}  // namespace towpath
