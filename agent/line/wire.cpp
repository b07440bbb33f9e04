#include "agent/line/wire.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "agent/line/easy.hpp"
#include "agent/line/pac/pac_child.hpp"
#include "agent/line/pac/pac_script.hpp"
#include "agent/uplink/page.hpp"
#include "bundle/bundle.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

// A hub's answer fits a bundle; a filter's page may be larger, and only its title matters.
constexpr std::size_t kAnswerBytesMax = kBundleBytesMax + 64 * 1024;
// A proxy's own page when it refuses us; its title stands near the top.
constexpr std::size_t kRefusalBytesMax = 16 * 1024;
// To look closer at what went wrong, for a better sentence: not worth a longer wait.
constexpr std::chrono::seconds kCloserLookMax{5};
// A script's server stands in the school.
constexpr std::chrono::seconds kScriptFetchMax{10};
// Certificates of a trust store, and more, fit.
constexpr std::size_t kExtraCaBytesMax = 4 * 1024 * 1024;
// libcurl holds back between pieces of this size and not within one: 16 KB is the smallest it has.
constexpr long kCeilingPieceBytes = 16 * 1024;

// A hub that asks to be left alone for longer than a day is not one.
constexpr curl_off_t kRetryAfterMax = 24 * 60 * 60;

// X509_V_ERR_*: OpenSSL's numbers, which libcurl hands on.
constexpr long kUnspecified = 1;  // libcurl's own start value: it did not come to ask OpenSSL
constexpr long kNotYetValid = 9;
constexpr long kExpired = 10;

const char* const kSentNextTime = "what waits is sent next time";

std::string seconds(std::chrono::seconds n) { return std::to_string(n.count()) + " s"; }

std::string schemes(long offered) {
  std::string out;
  const auto add = [&](unsigned long bit, const char* name) {
    if ((static_cast<unsigned long>(offered) & bit) == 0) return;
    out += (out.empty() ? "" : ", ") + std::string(name);
  };
  add(CURLAUTH_BASIC, "Basic");
  add(CURLAUTH_DIGEST, "Digest");
  add(CURLAUTH_NTLM, "NTLM");
  add(CURLAUTH_NEGOTIATE, "Negotiate");
  return out;
}

bool is_tls_failure(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return true;
    default:
      return false;
  }
}

// Where a person would change a route's proxy.
std::string where_named(const Route& route) {
  switch (route.origin) {
    case RouteOrigin::kConfigured:
      return "[hub] proxy in the configuration";
    case RouteOrigin::kEnvironment:
      return "the environment variables https_proxy and all_proxy";
    case RouteOrigin::kScript:
      return "the proxy script";
    default:
      return "the network";
  }
}

}  // namespace

struct Wire::State {
  LineOptions options;
  HubAddress hub;
  Easy easy;
  std::string url;
  std::optional<Result<std::optional<ProxyUser>>> user;  // read once
  std::uint64_t aside_sent = 0, aside_received = 0;      // by looks and scripts

  const Result<std::optional<ProxyUser>>& proxy_user() {
    if (!user) {
      if (options.proxy_user_file.empty()) {
        user.emplace(std::nullopt);
      } else if (auto read = read_proxy_user(options.proxy_user_file)) {
        user.emplace(std::optional<ProxyUser>(std::move(*read)));
      } else {
        user.emplace(fail(std::move(read).error()));
      }
    }
    return *user;
  }
  void add(const Easy& other) {
    aside_sent += other.sent();
    aside_received += other.received();
  }

  [[nodiscard]] std::vector<Certificate> presented(const Route& route);
  [[nodiscard]] std::string refusal_title(const Route& route, long status);
  [[nodiscard]] Error error(CURLcode code, const Route& route, UserSent sent, RouteSeen* seen);
  [[nodiscard]] Error tls_error(CURLcode code, const Route& route, RouteSeen* seen);
  [[nodiscard]] Error refused_by_proxy(long status, const Route& route, UserSent sent, RouteSeen* seen);
};

// What certificate the other side shows, whoever it is: a handshake without trust, over which
// nothing is sent.
std::vector<Certificate> Wire::State::presented(const Route& route) {
  Easy look;
  LineOptions quick = options;
  quick.connect_timeout = std::min(quick.connect_timeout, kCloserLookMax);
  set_up(look, quick);
  const auto& who = proxy_user();
  set_route(look, route, who ? *who : std::nullopt);
  look.count();
  look.set(CURLOPT_URL, url.c_str());
  look.set(CURLOPT_CONNECT_ONLY, 1L);
  look.set(CURLOPT_SSL_VERIFYPEER, 0L);
  look.set(CURLOPT_SSL_VERIFYHOST, 0L);
  look.set(CURLOPT_CERTINFO, 1L);
  look.set(CURLOPT_TIMEOUT, static_cast<long>(kCloserLookMax.count()));
  const CURLcode done = look.perform(options.stop);
  add(look);
  return done == CURLE_OK ? look.chain() : std::vector<Certificate>{};
}

// The title of the page with which a proxy refuses CONNECT. libcurl throws that page away, so it
// is asked for once more by hand, without a name or password.
std::string Wire::State::refusal_title(const Route& route, long status) {
  if (route.kind != RouteKind::kHttp) return {};
  Easy look;
  LineOptions quick = options;
  quick.connect_timeout = std::min(quick.connect_timeout, kCloserLookMax);
  set_up(look, quick);
  look.set(CURLOPT_URL, route.address().c_str());
  look.set(CURLOPT_CONNECT_ONLY, 1L);
  look.hold();
  if (look.perform(options.stop) != CURLE_OK) return {};
  const std::string at = (hub.host.find(':') == std::string::npos ? hub.host : "[" + hub.host + "]") + ":" +
                         std::to_string(hub.port);
  const std::string ask = "CONNECT " + at + " HTTP/1.1\r\nHost: " + at + "\r\nConnection: close\r\n\r\n";
  std::size_t n = 0;
  if (curl_easy_send(look.get(), ask.data(), ask.size(), &n) != CURLE_OK || n != ask.size()) return {};
  aside_sent += n;
  std::string answer;
  std::array<char, 4096> piece;
  const auto until = std::chrono::steady_clock::now() + kCloserLookMax;
  while (answer.size() < kRefusalBytesMax) {
    const CURLcode read = curl_easy_recv(look.get(), piece.data(), piece.size(), &n);
    if (read == CURLE_AGAIN) {
      if ((options.stop != nullptr && *options.stop) || std::chrono::steady_clock::now() >= until) break;
      (void)look.readable(std::chrono::milliseconds(200));
      continue;
    }
    if (read != CURLE_OK || n == 0) break;
    answer.append(piece.data(), n);
  }
  aside_received += answer.size();
  // "HTTP/1.1 403 ...": another status than before is another story.
  if (!answer.starts_with("HTTP/1.") ||
      answer.substr(std::min<std::size_t>(9, answer.size()), 3) != std::to_string(status))
    return {};
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : html_title(std::string_view(answer).substr(end));
}

Error Wire::State::tls_error(CURLcode code, const Route& route, RouteSeen* seen) {
  const std::string said = easy.said(code);
  const bool direct = route.kind == RouteKind::kDirect;
  const std::string by = direct ? std::string() : " by " + route.shown();
  if (code == CURLE_SSL_CACERT_BADFILE)
    return {Code::kConfig, "the certificates cannot be read: " + said,
            options.extra_ca.empty() ? "Install the package ca-certificates"
                                     : "Check [hub] extra_ca, " + options.extra_ca};
  std::vector<Certificate> chain = presented(route);
  if (seen != nullptr) {
    seen->tls = chain.empty() ? TlsSeen::kFailed : TlsSeen::kUntrusted;
    seen->tls_fault = said;
    seen->chain = chain;
  }
  if (chain.empty())
    return {Code::kTransport, "no TLS connection to the hub at " + hub.shown + by + ": " + said,
            "Something between here and the hub may cut TLS: ask for " + hub.host +
                " to be let through; check "
                "[hub] url in the configuration"};
  const Certificate& shown = chain.front();
  const std::string issuer = "'" + shown.issuer + "'";
  const long fault = easy.number(CURLINFO_SSL_VERIFYRESULT);
  if (fault == kNotYetValid || fault == kExpired)
    return {
        Code::kTransport,
        "the certificate shown for the hub at " + hub.shown + by + ", issued by " + issuer +
            ", is not valid at this machine's time (it is from " + shown.from + " until " + shown.until + ")",
        "Check this machine's clock; if it is right, the certificate must be renewed where it was issued"};
  if (fault <= kUnspecified)  // the chain is good, so it was the name
    return {
        Code::kTransport,
        "the certificate shown for the hub at " + hub.shown + by + " is for '" + shown.subject +
            "' (issued by " + issuer + ")",
        "A web filter or a page to log in at answers in the hub's place, or [hub] url names another host: "
        "open the hub's address in a browser on this machine"};
  if (shown.issuer_name == shown.subject_name)
    return {Code::kTransport,
            "the certificate shown for the hub at " + hub.shown + by + " was issued by itself, " + issuer +
                ", and this machine does not trust it",
            "If it is your web filter's or your hub's own, install it on this machine, or name its file in "
            "[hub] extra_ca"};
  return {Code::kTransport,
          "the certificate shown for the hub at " + hub.shown + by + " was issued by " + issuer +
              ", which this machine does not trust",
          "If " + issuer +
              " is your web filter, which opens this connection, install its certificate authority on "
              "this machine or name its file in [hub] extra_ca: what is sent is sealed for the hub alone"};
}

Error Wire::State::refused_by_proxy(long status, const Route& route, UserSent sent, RouteSeen* seen) {
  const std::string proxy = "the " + route.shown();
  const std::string http = "HTTP " + std::to_string(status);
  if (status == 407) {
    const std::string offers = schemes(easy.number(CURLINFO_PROXYAUTH_AVAIL));
    const std::string offered = offers.empty() ? std::string() : " (it asks for " + offers + ")";
    if (seen != nullptr) {
      seen->proxy_offers = offers;
      seen->user_said = sent != UserSent::kNobody;
    }
    switch (sent) {
      case UserSent::kNobody:
        return {
            Code::kTransport, proxy + " asks for a name and a password" + offered,
            "Write user:password into a file that only this program's user can read, and name it in [hub] "
            "proxy_user_file"};
      case UserSent::kNamed:
        return {
            Code::kTransport, proxy + " does not accept our name and password" + offered,
            route.user ? "Check them in " + where_named(route) : "Check them in " + options.proxy_user_file};
      case UserSent::kMachine:
        return {Code::kTransport, proxy + " does not accept this machine's own account" + offered,
                "Check that the machine has a Kerberos ticket (klist); or write user:password into " +
                    options.proxy_user_file};
      case UserSent::kNotInClear:
        return {Code::kTransport,
                proxy + " does not accept our name and password by NTLM" + offered +
                    "; Basic is not used, because the proxy was named by a script fetched without TLS",
                "Name this proxy in [hub] proxy, or fetch the script over https"};
    }
  }
  const std::string title = refusal_title(route, status);
  if (seen != nullptr) seen->title = title;
  const std::string page = title.empty() ? std::string() : ", page '" + title + "'";
  if (status >= 500)
    return {
        Code::kTransport,
        proxy + " does not get through to the hub at " + hub.shown + " (" + http + page + ")",
        "Check [hub] url in the configuration, and that the hub is running; " + std::string(kSentNextTime)};
  return {Code::kBlocked,
          proxy + " does not let us through to the hub at " + hub.shown + " (" + http + page + ")",
          "Ask whoever runs the proxy to let " + hub.host + " through without inspection"};
}

Error Wire::State::error(CURLcode code, const Route& route, UserSent sent, RouteSeen* seen) {
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return {Code::kStopped, "asked to stop while talking to the hub at " + hub.shown,
            std::string(1, 'W') + std::string(kSentNextTime).substr(1)};
  const bool direct = route.kind == RouteKind::kDirect;
  const bool went_out = easy.time(CURLINFO_PRETRANSFER_TIME_T).count() > 0;
  const std::string said = easy.said(code);
  const long os_error = easy.number(CURLINFO_OS_ERRNO);
  const std::string system =
      os_error != 0 ? std::system_category().message(static_cast<int>(os_error)) : said;
  const std::string proxy = "the " + route.shown();
  const std::string through = direct ? std::string() : " (by " + route.shown() + ")";
  const std::string the_hub = "the hub at " + hub.shown;

  if (!direct && !went_out)
    if (const long status = easy.number(CURLINFO_HTTP_CONNECTCODE); status != 0 && status / 100 != 2)
      return refused_by_proxy(status, route, sent, seen);
  if (is_tls_failure(code)) return tls_error(code, route, seen);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::kTransport, "the name of the hub, " + hub.shown + ", is not known to DNS here",
              "Check [hub] url in the configuration, and that this machine can look up names"};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Code::kTransport, "the name of " + proxy + " is not known to DNS here",
              "Check " + where_named(route)};
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_URL_MALFORMAT:
      if (!direct)
        return {Code::kTransport, "'" + route.address() + "' is no address of a proxy",
                "Correct " + where_named(route) + "; for example: http://proxy.example:3128"};
      return {Code::kTransport, "'" + options.url + "' is no address of a hub",
              "Correct [hub] url in the configuration; for example: https://hub.example"};
    case CURLE_COULDNT_CONNECT:
      if (!direct)
        return {Code::kTransport, "no connection to " + proxy + ": " + system,
                "Check " + where_named(route) + ", and that the proxy is running; " + kSentNextTime};
      return {
          Code::kTransport, "no connection to " + the_hub + ": " + system,
          "Check that the hub is running and that no firewall is in the way; " + std::string(kSentNextTime)};
    case CURLE_PROXY:
      return {Code::kTransport, proxy + " does not get through to " + the_hub + ": " + said,
              "Check " + where_named(route)};
    case CURLE_OPERATION_TIMEDOUT:
      if (!went_out) {
        const bool reached = easy.time(CURLINFO_CONNECT_TIME_T).count() > 0;
        return {Code::kTransport,
                (direct ? the_hub : proxy) +
                    (reached ? " took the connection but did not open a way within "
                             : " did not take the connection within ") +
                    seconds(options.connect_timeout),
                "Check the network and the firewall; " + std::string(kSentNextTime)};
      }
      return {Code::kTransport,
              "no answer from " + the_hub + through + ": nothing came for " + seconds(options.stall_timeout) +
                  ", or the whole took more than " + seconds(options.whole_timeout),
              "Run sync again; what was applied is not sent twice"};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
      if (!direct && !went_out)
        return {Code::kTransport,
                proxy + " cut the connection before it opened a way to " + the_hub + ": " + said,
                "Check that " + where_named(route) + " names a proxy"};
      return {Code::kTransport,
              "the connection to " + hub.shown + through + " was cut before the answer was whole: " + said,
              "Run sync again; what was applied is not sent twice"};
    case CURLE_WRITE_ERROR:
      if (easy.too_large())
        return {Code::kTransport,
                "the answer of " + hub.shown + through + " is larger than " +
                    std::to_string(kAnswerBytesMax) + " bytes",
                "This is not a hub; check [hub] url in the configuration, and the proxy"};
      [[fallthrough]];
    default:
      return {Code::kTransport, "talking to " + the_hub + through + " failed: " + said,
              "Check [hub] url in the configuration, and the network"};
  }
}

Wire::Wire(const LineOptions& options) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.options = options;
  state.hub = hub_address(options.url);
  state.url = options.url + "/v1/exchange";
  Easy& easy = state.easy;
  set_up(easy, state.options);
  easy.count();
  easy.keep_body(kAnswerBytesMax);
  easy.add_header(("Content-Type: " + std::string(kBundleMediaType)).c_str());
  // Caches between here and the hub: some keep even what they may not, unless told.
  easy.add_header("Cache-Control: no-store");
  easy.add_header("Accept:");
  easy.add_header("Expect:");
  easy.add_header("User-Agent: towpath");
  easy.set(CURLOPT_URL, state.url.c_str());
  easy.set(CURLOPT_FOLLOWLOCATION, 0L);
  easy.set(CURLOPT_POST, 1L);
  if (options.line_kbit > 0) {
    easy.set(CURLOPT_MAX_SEND_SPEED_LARGE, static_cast<curl_off_t>(options.line_kbit * 1000 / 8));
    easy.set(CURLOPT_UPLOAD_BUFFERSIZE, kCeilingPieceBytes);
  }
}

Wire::~Wire() = default;

Result<void> Wire::ready() {
  State& state = *state_;
  if (const auto& user = state.proxy_user(); !user) return fail(user.error());
  if (!state.options.extra_ca.empty()) {
    const auto text = platform::read_file(state.options.extra_ca, kExtraCaBytesMax);
    if (!text) return fail(Error(text.error()).during("[hub] extra_ca"));
    if (text->find("-----BEGIN CERTIFICATE-----") == std::string::npos)
      return fail(Code::kConfig,
                  "[hub] extra_ca is " + state.options.extra_ca + ", which holds no certificate in PEM form",
                  "Convert it: openssl x509 -inform der -in FILE -out FILE.pem");
  }
  return {};
}

Attempt Wire::attempt(const Route& route, ByteView body, RouteSeen* seen) {
  State& state = *state_;
  Easy& easy = state.easy;
  const auto began = std::chrono::steady_clock::now();
  const auto& who = state.proxy_user();
  const UserSent sent = set_route(easy, route, who ? *who : std::nullopt);
  easy.set(CURLOPT_CERTINFO, seen != nullptr ? 1L : 0L);
  auto whole = state.options.whole_timeout;
  if (state.options.line_kbit > 0)  // twice what the ceiling itself needs
    whole = std::max(whole, state.options.stall_timeout +
                                std::chrono::seconds(body.size() * 2 / (state.options.line_kbit * 125)));
  easy.set(CURLOPT_TIMEOUT, static_cast<long>(whole.count()));
  easy.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  easy.set(CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(body.data()));  // borrowed for the call
  CURLcode done = easy.perform(state.options.stop);
  if (done == CURLE_OK && !easy.header_whole()) done = CURLE_PARTIAL_FILE;
  easy.set(CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));

  Attempt attempt;
  attempt.went_out = easy.time(CURLINFO_PRETRANSFER_TIME_T).count() > 0;
  if (seen != nullptr) {
    seen->connect = easy.time(CURLINFO_CONNECT_TIME_T);
    seen->tls_done = easy.time(CURLINFO_APPCONNECT_TIME_T);
    if (route.kind != RouteKind::kDirect)
      seen->proxy_status = static_cast<int>(easy.number(CURLINFO_HTTP_CONNECTCODE));
    seen->connected = seen->connect.count() > 0 || seen->proxy_status != 0;
    if (seen->connected)
      seen->address =
          easy.text(CURLINFO_PRIMARY_IP) + " port " + std::to_string(easy.number(CURLINFO_PRIMARY_PORT));
    if (state.hub.tls && attempt.went_out) {
      seen->tls = TlsSeen::kTrusted;
      seen->chain = easy.chain();
    }
  }
  if (done != CURLE_OK) {
    attempt.error = state.error(done, route, sent, seen);
  } else {
    Reply reply;
    reply.status = static_cast<int>(easy.number(CURLINFO_RESPONSE_CODE));
    reply.content_type = easy.text(CURLINFO_CONTENT_TYPE);
    reply.body = std::exchange(easy.body(), {});
    curl_off_t wait = 0;  // seconds, also where the header gives a date
    if (curl_easy_getinfo(easy.get(), CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
      reply.retry_after = static_cast<std::uint32_t>(std::min(wait, kRetryAfterMax));
    if (seen != nullptr) {
      seen->status = reply.status;
      seen->content_type = safe_line(reply.content_type, 80);
      seen->location = easy.header("Location");
      seen->date = easy.header("Date");
      if (is_html(reply)) seen->title = html_title(text_of(reply.body));
      seen->body = reply.body;
    }
    attempt.reply = std::move(reply);
  }
  if (seen != nullptr) {
    seen->error = attempt.error;
    seen->took = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  }
  return attempt;
}

Result<std::string> Wire::ask_script() {
  State& state = *state_;
  const std::string& url = state.options.pac_url;
  if (state.options.pac_program.empty())
    return fail(Code::kTransport, "the proxy script " + url + " cannot be evaluated here");
  Easy fetch;
  LineOptions quick = state.options;
  quick.connect_timeout = std::min(quick.connect_timeout, kScriptFetchMax);
  set_up(fetch, quick);
  fetch.count();
  fetch.keep_body(kPacScriptBytesMax);
  fetch.set(CURLOPT_URL, url.c_str());
  fetch.set(CURLOPT_PROTOCOLS_STR, "http,https,file");
  fetch.set(CURLOPT_FOLLOWLOCATION, 1L);
  fetch.set(CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https:") ? "https" : "http,https");
  fetch.set(CURLOPT_MAXREDIRS, 3L);  // a moved server, not a maze
  fetch.set(CURLOPT_TIMEOUT, static_cast<long>(kScriptFetchMax.count()));
  fetch.add_header("User-Agent: towpath");
  const CURLcode done = fetch.perform(state.options.stop);
  state.add(fetch);
  const char* const kNext = "Check [hub] pac_url in the configuration";
  if (done == CURLE_ABORTED_BY_CALLBACK)
    return fail(Code::kStopped, "asked to stop while fetching the proxy script " + url);
  if (fetch.too_large())
    return fail(
        Code::kTransport,
        "the proxy script " + url + " is larger than " + std::to_string(kPacScriptBytesMax) + " bytes",
        kNext);
  if (done == CURLE_OPERATION_TIMEDOUT)
    return fail(Code::kTransport,
                "the proxy script " + url + " did not come within " + seconds(kScriptFetchMax), kNext);
  if (done != CURLE_OK)
    return fail(Code::kTransport, "the proxy script " + url + " could not be fetched: " + fetch.said(done),
                kNext);
  const long status = fetch.number(CURLINFO_RESPONSE_CODE);  // 0: of a file
  if (status != 0 && status != 200)
    return fail(Code::kTransport,
                "the proxy script " + url + " could not be fetched (HTTP " + std::to_string(status) + ")",
                kNext);
  // As browsers ask: a script need not know which page is wanted.
  const std::string host =
      state.hub.host.find(':') == std::string::npos ? state.hub.host : "[" + state.hub.host + "]";
  const std::string wanted = (state.hub.tls ? "https://" : "http://") + host + "/";
  return evaluate_in_child(state.options.pac_program, text_of(fetch.body()), wanted, state.hub.host,
                           state.options.stop);
}

const HubAddress& Wire::hub() const { return state_->hub; }
std::uint64_t Wire::bytes_sent() const { return state_->easy.sent() + state_->aside_sent; }
std::uint64_t Wire::bytes_received() const { return state_->easy.received() + state_->aside_received; }

}  // namespace towpath
