#include "agent/line/route.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/uplink/page.hpp"
#include "core/ascii.hpp"

namespace towpath {
namespace {

// What a person is shown of a script's answer.
constexpr std::size_t kAnswerCharactersMax = 120;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

struct HostPort {
  std::string host;
  std::uint16_t port = 0;  // 0: none was written
};
// "host", "host:port", "[::1]:port". Only characters that names and addresses have.
std::optional<HostPort> host_port(std::string_view text) {
  HostPort out;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = lower(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') return std::nullopt;
    if (!text.empty()) port = text.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    out.host = lower(text.substr(0, colon));
    if (colon != std::string_view::npos) port = text.substr(colon + 1);
  }
  const bool good = std::all_of(out.host.begin(), out.host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':' ||
           c == '[' || c == ']';
  });
  if (out.host.empty() || out.host.size() > 255 || !good) return std::nullopt;
  if (!port.empty()) {
    const auto done = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (done.ec != std::errc{} || done.ptr != port.data() + port.size() || out.port == 0) return std::nullopt;
  }
  return out;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string Route::address() const {
  const std::string at = host + ":" + std::to_string(port);
  switch (kind) {
    case RouteKind::kDirect:
      return {};
    case RouteKind::kHttp:
      return "http://" + at;
    case RouteKind::kHttps:
      return "https://" + at;
    // The proxy looks up the hub's name: the school's DNS may not know the world.
    case RouteKind::kSocks4:
      return "socks4a://" + at;
    case RouteKind::kSocks5:
      return "socks5h://" + at;
  }
  return {};
}

std::string Route::shown() const { return kind == RouteKind::kDirect ? "direct" : "proxy " + address(); }

std::string Route::said_by() const {
  switch (origin) {
    case RouteOrigin::kOnly:
      return {};
    case RouteOrigin::kConfigured:
      return "configured";
    case RouteOrigin::kEnvironment:
      return "environment";
    case RouteOrigin::kScript:
      return "proxy script";
    case RouteOrigin::kLastResort:
      return "last resort";
  }
  return {};
}

std::string Route::key() const {
  const std::string by = said_by();
  return by.empty() ? shown() : shown() + " (" + by + ")";
}

HubAddress hub_address(std::string_view url) {
  HubAddress out;
  out.tls = lower(url.substr(0, 8)) == "https://";
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  std::string_view at = url.substr(begin);
  at = at.substr(0, at.find_first_of("/?#"));
  out.shown = at;
  if (const auto parts = host_port(at)) {
    out.host = parts->host.starts_with('[') ? parts->host.substr(1, parts->host.size() - 2) : parts->host;
    out.port = parts->port;
  }
  if (out.port == 0) out.port = out.tls ? 443 : 80;
  return out;
}

bool HubAddress::loopback() const {
  const bool digits =
      std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return (digits && host.starts_with("127.")) || host == "localhost" || host == "::1";
}

std::optional<Route> parse_proxy(std::string_view text, RouteOrigin origin) {
  text = trimmed(text);
  Route route;
  route.origin = origin;
  route.kind = RouteKind::kHttp;
  std::uint16_t usual = 80;
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    const std::string name = lower(text.substr(0, scheme));
    text.remove_prefix(scheme + 3);
    if (name == "https") {
      route.kind = RouteKind::kHttps;
      usual = 443;
    } else if (name == "socks4" || name == "socks4a") {
      route.kind = RouteKind::kSocks4;
      usual = 1080;
    } else if (name == "socks" || name == "socks5" || name == "socks5h") {
      route.kind = RouteKind::kSocks5;
      usual = 1080;
    } else if (name != "http") {
      return std::nullopt;
    }
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = text.substr(0, at);
    const std::size_t colon = who.find(':');
    route.user.emplace(percent_decoded(who.substr(0, colon)), colon == std::string_view::npos
                                                                  ? std::string()
                                                                  : percent_decoded(who.substr(colon + 1)));
    text.remove_prefix(at + 1);
  }
  const auto parts = host_port(text.substr(0, text.find('/')));
  if (!parts) return std::nullopt;
  route.host = parts->host;
  route.port = parts->port == 0 ? usual : parts->port;
  return route;
}

Result<std::vector<Route>> parse_script_answer(std::string_view answer) {
  std::vector<Route> routes;
  for (std::string_view rest = answer; !rest.empty() && routes.size() < kRoutesMax;) {
    const std::size_t end = rest.find(';');
    const std::string_view entry = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const std::size_t space = entry.find_first_of(" \t");
    const std::string word = lower(entry.substr(0, space));
    if (word == "direct" && space == std::string_view::npos) {
      Route direct;
      direct.origin = RouteOrigin::kScript;
      routes.push_back(std::move(direct));
      continue;
    }
    const char* scheme = word == "proxy" || word == "http"     ? "http://"
                         : word == "https"                     ? "https://"
                         : word == "socks" || word == "socks5" ? "socks5://"
                         : word == "socks4"                    ? "socks4://"
                                                               : nullptr;
    if (scheme == nullptr || space == std::string_view::npos) continue;
    const std::string_view where = trimmed(entry.substr(space));
    // A script names places; it has no say in who we are there.
    if (where.find_first_of("@/") != std::string_view::npos) continue;
    if (auto route = parse_proxy(scheme + std::string(where), RouteOrigin::kScript))
      routes.push_back(std::move(*route));
  }
  if (routes.empty())
    return fail(
        Code::kBadInput,
        "the proxy script answered '" + safe_line(answer, kAnswerCharactersMax) + "', which names no proxy",
        "Ask whoever keeps the script; or name the proxy itself in [hub] proxy");
  return routes;
}

bool excepted(std::string_view no_proxy, std::string_view host) {
  const std::string name = lower(host);
  for (std::string_view rest = no_proxy; !rest.empty();) {
    const std::size_t end = rest.find_first_of(", \t");
    std::string entry = lower(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (entry == "*") return true;
    if (entry.starts_with('.')) entry.erase(0, 1);
    if (entry.empty() || entry.size() > name.size() || !name.ends_with(entry)) continue;
    if (entry.size() == name.size() || name[name.size() - entry.size() - 1] == '.') return true;
  }
  return false;
}

RoutePlan::RoutePlan(const LineOptions& options, std::function<Result<std::string>()> ask_script)
    : ask_script_(std::move(ask_script)) {
  routes_.reserve(kRoutesMax);
  const HubAddress hub = hub_address(options.url);
  if (options.proxy == "none" || hub.loopback()) {
    add(Route{});
    return;
  }
  const bool any_way = options.proxy.empty() || options.proxy == "auto";
  if (!any_way)
    if (auto route = parse_proxy(options.proxy, RouteOrigin::kConfigured)) add(std::move(*route));
  const ProxyEnvironment& environment = options.environment;
  const std::string& first = hub.tls ? environment.https_proxy : environment.http_proxy;
  const std::string& named = first.empty() ? environment.all_proxy : first;
  if (excepted(environment.no_proxy, hub.host)) {
    Route direct;
    direct.origin = RouteOrigin::kEnvironment;
    add(std::move(direct));
  } else if (auto route = parse_proxy(named, RouteOrigin::kEnvironment)) {
    add(std::move(*route));
  }
  script_waits_ = !options.pac_url.empty();
  script_is_plain_ = lower(std::string_view(options.pac_url).substr(0, 5)) == "http:";
  direct_waits_ = any_way;
}

void RoutePlan::add(Route route) {
  if (routes_.size() == kRoutesMax) return;
  if (std::none_of(routes_.begin(), routes_.end(), [&](const Route& known) { return known.same_way(route); }))
    routes_.push_back(std::move(route));
}

void RoutePlan::extend() {
  if (std::exchange(script_waits_, false)) {
    const auto answer = ask_script_();
    if (!answer) {
      script_error_ = answer.error();
      return;
    }
    script_answer_ = safe_line(*answer, kAnswerCharactersMax);
    auto routes = parse_script_answer(*answer);
    if (!routes) {
      script_error_ = routes.error();
      return;
    }
    for (Route& route : *routes) {
      route.over_plain_http = script_is_plain_;
      add(std::move(route));
    }
    return;
  }
  if (std::exchange(direct_waits_, false)) {
    Route direct;
    if (!routes_.empty() || script_error_) direct.origin = RouteOrigin::kLastResort;
    add(std::move(direct));
  }
}

const Route* RoutePlan::at(std::size_t index) {
  while (index >= routes_.size() && (script_waits_ || direct_waits_)) extend();
  return index < routes_.size() ? &routes_[index] : nullptr;
}

std::optional<std::size_t> RoutePlan::find(std::string_view key) {
  for (std::size_t i = 0; const Route* route = at(i); ++i)
    if (route->key() == key) return i;
  return std::nullopt;
}

}  // namespace towpath
