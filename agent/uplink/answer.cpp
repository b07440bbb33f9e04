#include "agent/uplink/answer.hpp"

#include "agent/uplink/refusal.hpp"
#include "core/ascii.hpp"

namespace towpath {
namespace {

// What a web server says that knows nothing of what was asked; filters say 403, 200 or the like.
bool says_no_such_thing(int status) {
  return status == 400 || status == 404 || status == 405 || status == 501;
}

std::string status_text(int status) { return "HTTP status " + std::to_string(status); }

// The hub's web server says why in a sentence; anything on the way may, too.
std::string words_of(const Reply& reply) {
  if (reply.body.empty() || reply.body.size() > 1000 || !lower(reply.content_type).starts_with("text/plain"))
    return {};
  return ": \"" + safe_line(text_of(reply.body), 200) + "\"";
}

Error by_status(const Reply& reply) {
  const std::string later = reply.retry_after > 0 ? "Try again " + in_time(reply.retry_after) : "Try later";
  switch (reply.status) {
    case 400:
      // Also what a hub of an earlier version says, to which our bundle is no bundle.
      if (words_of(reply).empty()) break;
      return Error(Code::kTransport,
                   "what answers there does not take what this program sent (" + status_text(400) + ")" +
                       words_of(reply),
                   "Check [hub] url in the configuration, and the proxy; if they are right, the hub is older "
                   "than this program: ask its operator to update towpath-hub");
    case 404:
      return Error(Code::kTransport, "no hub at this address (" + status_text(404) + ")",
                   "Check [hub] url in the configuration");
    case 407:
      return Error(Code::kTransport, "the proxy asks for a name and a password (" + status_text(407) + ")",
                   "Set them in the https_proxy environment variable, or let the hub pass without");
    case 413:
      return Error(
          Code::kTransport,
          "the bundle is too large for the hub or something on the way (" + status_text(413) + ")" +
              words_of(reply),
          "Let bodies of 1 MB pass to the hub's address, or set [hub] body_kib = 64 in the configuration");
    case 429:
      return Error(
          Code::kTransport,
          "too many requests came from here for the hub (" + status_text(429) + ")" + words_of(reply), later);
    case 502:
    case 503:
    case 504:
      return Error(Code::kTransport,
                   "the hub cannot answer now (" + status_text(reply.status) + ")" + words_of(reply), later);
    default:
      break;
  }
  return Error(Code::kTransport,
               "the answer is not from a hub (" + status_text(reply.status) + ", " +
                   std::to_string(reply.body.size()) + " bytes" +
                   (reply.content_type.empty() ? std::string() : " of " + safe_line(reply.content_type, 60)) +
                   ")",
               "Check [hub] url in the configuration, and the proxy");
}

}  // namespace

Result<HubWord> read_answer(const Reply& reply, HubPeer& peer, const BundleId& ours, ByteView sent,
                            std::string_view url) {
  const auto old = [] {
    return fail(
        Code::kTransport, "the answer is to another bundle than the one sent",
        "Something between here and the hub keeps old answers; run sync again, and if it happens again "
        "let the web filter pass the hub without caching");
  };
  // A message is recognised by its own bytes: filters rewrite content types and statuses.
  if (message_kind(reply.body) == MessageKind::kNotice) {
    auto notice = peer.notice(reply.body);
    if (!notice) return fail(no_answer(reply, notice.error(), url));
    if (!notice->is_about(sent))
      return fail(
          Code::kTransport,
          "the hub refuses a bundle that is not as this machine sent it: it was changed on its way, or "
          "the refusal is an old one",
          "Run it again. If it happens each time, something here rewrites what is sent: ask for the "
          "hub's address to be let through without inspection");
    return HubWord(std::move(*notice));
  }
  auto bundle = peer.open(reply.body);
  if (!bundle) return fail(no_answer(reply, bundle.error(), url));
  if (!bundle->answers || *bundle->answers != ours) return old();
  return HubWord(std::move(*bundle));
}

Error no_answer(const Reply& reply, const Error& why, std::string_view url) {
  if (is_html(reply)) {
    const std::string title = html_title(text_of(reply.body));
    if (says_no_such_thing(reply.status))
      return Error(Code::kBlocked,
                   (url.empty() ? std::string("the address") : std::string(url)) +
                       " answered, but not as a towpath hub (HTTP " + std::to_string(reply.status) + ", " +
                       (title.empty() ? std::string("a page without a title") : "page '" + title + "'") +
                       "): a wrong address or port, or a web filter in between",
                   "Check [hub] url in the configuration; if it is right, ask for it to be let through "
                   "without inspection");
    return Error(Code::kBlocked,
                 "blocked by a web filter: '" +
                     (title.empty() ? std::string("a page without a title") : title) + "' (" +
                     status_text(reply.status) + ")",
                 "Ask for the hub's address to be let through without inspection");
  }
  switch (message_kind(reply.body)) {
    case MessageKind::kNone:
      if (reply.status == 200 && lower(reply.content_type).starts_with(kBundleMediaType)) break;
      return by_status(reply);
    case MessageKind::kBundle:
    case MessageKind::kCardQuestion:
    case MessageKind::kCard:
    case MessageKind::kNotice:
      break;
  }
  switch (why.code()) {
    case Code::kUnknownVersion:
      return Error(why).during("reading the hub's answer");
    case Code::kNotSigned:
      return {
          Code::kTransport,
          "the answer is not signed by the hub that this school is enrolled with: it was changed on the way, "
          "or another hub answers" +
              (url.empty() ? std::string() : " at " + std::string(url)),
          "Run it again; what was applied is not sent twice. If it happens each time, check [hub] url, and "
          "ask for the hub's address to be let through without inspection"};
    default:
      return {Code::kTransport, "the hub's answer was damaged on the way: " + why.what(),
              "Run sync again; what was applied is not sent twice"};
  }
}

}  // namespace towpath
