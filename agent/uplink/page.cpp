#include "agent/uplink/page.hpp"

#include <algorithm>

#include "core/ascii.hpp"

namespace towpath {
namespace {

// A title stands near the top; what follows is not searched.
constexpr std::size_t kTitleWithin = 16 * 1024;

}  // namespace

bool is_html(const Reply& reply) {
  if (lower(reply.content_type).find("html") != std::string::npos) return true;
  constexpr std::size_t kLook = 512;  // a prologue and a comment may come first
  const std::string start = lower(text_of(ByteView(reply.body).first(std::min(kLook, reply.body.size()))));
  return start.find("<!doctype html") != std::string::npos || start.find("<html") != std::string::npos;
}

std::string html_title(std::string_view page) {
  page = page.substr(0, kTitleWithin);
  const std::string small = lower(page);
  const std::size_t tag = small.find("<title");
  if (tag == std::string::npos) return {};
  const std::size_t begin = small.find('>', tag);
  if (begin == std::string::npos) return {};
  const std::size_t end = small.find('<', begin);
  return safe_line(page.substr(begin + 1, end == std::string::npos ? end : end - begin - 1),
                   kTitleCharactersMax);
}

}  // namespace towpath
