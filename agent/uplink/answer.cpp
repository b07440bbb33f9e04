#include "agent/uplink/answer.hpp"

#include <algorithm>
#include <cctype>

namespace towpath {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// What a web server says that knows nothing of what was asked; filters say 403, 200 or the like.
bool says_no_such_thing(int status) {
  return status == 400 || status == 404 || status == 405 || status == 501;
}

std::string status_text(int status) { return "HTTP status " + std::to_string(status); }

}  // namespace

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
