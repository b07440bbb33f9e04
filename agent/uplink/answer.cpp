#include "agent/uplink/answer.hpp"

#include <algorithm>
#include <cctype>

namespace towpath {
namespace {

// A title stands near the top; what follows is not searched.
constexpr std::size_t kTitleWithin = 16 * 1024;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

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

// What a web server says that knows nothing of what was asked; filters say 403, 200 or the like.
bool says_no_such_thing(int status) {
  return status == 400 || status == 404 || status == 405 || status == 501;
}

std::string status_text(int status) { return "HTTP status " + std::to_string(status); }

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

Result<Bundle> read_answer(const Reply& reply, Sealer& sealer, const BundleId& ours, std::string_view url) {
  // A bundle is recognised by its own bytes: filters rewrite content types and statuses.
  auto bundle = sealer.open(reply.body);
  if (bundle) {
    if (!bundle->answers || *bundle->answers != ours)
      return fail(
          Code::kTransport, "the answer is to another bundle than the one sent",
          "Something between here and the hub keeps old answers; run sync again, and if it happens again "
          "let the web filter pass the hub without caching");
    return bundle;
  }
  if (is_html(reply)) {
    const std::string title = html_title(text_of(reply.body));
    if (says_no_such_thing(reply.status))
      return fail(Code::kBlocked,
                  (url.empty() ? std::string("the address") : std::string(url)) +
                      " answered, but not as a towpath hub (HTTP " + std::to_string(reply.status) + ", " +
                      (title.empty() ? std::string("a page without a title") : "page '" + title + "'") +
                      "): a wrong address or port, or a web filter in between",
                  "Check [hub] url in the configuration; if it is right, ask for it to be let through "
                  "without inspection");
    return fail(Code::kBlocked,
                "blocked by a web filter: '" +
                    (title.empty() ? std::string("a page without a title") : title) + "' (" +
                    status_text(reply.status) + ")",
                "Ask for the hub's address to be let through without inspection");
  }
  const bool ours_by_type = lower(reply.content_type).starts_with(kBundleMediaType);
  if (reply.status == 200 && ours_by_type) {
    if (bundle.error().code() == Code::kUnknownVersion)
      return fail(std::move(bundle.error()).during("reading the hub's answer"));
    return fail(Code::kTransport, "the hub's answer was damaged on the way: " + bundle.error().what(),
                "Run sync again; what was applied is not sent twice");
  }
  switch (reply.status) {
    case 404:
      return fail(Code::kTransport, "no hub at this address (" + status_text(404) + ")",
                  "Check [hub] url in the configuration");
    case 407:
      return fail(Code::kTransport, "the proxy asks for a name and a password (" + status_text(407) + ")",
                  "Set them in the https_proxy environment variable, or let the hub pass without");
    case 413:
      return fail(Code::kTransport,
                  "the bundle is too large for something on the way (" + status_text(413) + ")",
                  "Let bodies of 1 MB pass to the hub's address");
    case 429:
    case 502:
    case 503:
    case 504:
      return fail(Code::kTransport, "the hub cannot answer now (" + status_text(reply.status) + ")",
                  "Try later");
    default:
      return fail(
          Code::kTransport,
          "the answer is not from a hub (" + status_text(reply.status) + ", " +
              std::to_string(reply.body.size()) + " bytes" +
              (reply.content_type.empty() ? std::string() : " of " + safe_line(reply.content_type, 60)) + ")",
          "Check [hub] url in the configuration, and the proxy");
  }
}

}  // namespace towpath
