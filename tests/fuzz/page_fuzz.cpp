// Hostile answers from what stands between school and hub: titles of pages, and a proxy script's answer.
#include <cstdlib>

#include "agent/line/route.hpp"
#include "agent/uplink/page.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(ByteView(data, size));
  Reply reply;
  reply.body.assign(data, data + size);
  static_cast<void>(is_html(reply));
  const std::string title = html_title(text);
  // At most four bytes a letter, and three dots.
  if (title.size() > 4 * kTitleCharactersMax + 3) std::abort();
  for (const char c : title)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) std::abort();
  if (safe_line(title, kTitleCharactersMax + 3) != title) std::abort();

  if (const auto routes = parse_script_answer(text)) {
    if (routes->empty()) std::abort();
    for (const Route& route : *routes) {
      if (route.kind != RouteKind::kDirect && route.host.empty()) std::abort();
      for (const char c : route.shown())
        if (static_cast<unsigned char>(c) < 0x20) std::abort();
    }
  }
  if (const auto route = parse_proxy(text, RouteOrigin::kConfigured))
    if (route->user && route->shown().find('@') != std::string::npos) std::abort();
  static_cast<void>(hub_address(text));
  const std::size_t half = size / 2;
  static_cast<void>(excepted(text.substr(0, half), text.substr(half)));
  return 0;
}
