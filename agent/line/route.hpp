// The ways to the hub, in the order in which they are tried.
//
// In: the options, and what a proxy script answered. Out: routes. Pure but for the script, which
// is asked only when the ways before it have failed. Nothing here is shown with a password.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/line/line_options.hpp"
#include "agent/line/proxy_user.hpp"
#include "core/result.hpp"

namespace towpath {

// A dead proxy costs 15 seconds; more ways than these would take longer than a technician waits.
inline constexpr std::size_t kRoutesMax = 8;

enum class RouteKind : std::uint8_t { kDirect, kHttp, kHttps, kSocks4, kSocks5 };
enum class RouteOrigin : std::uint8_t { kOnly, kConfigured, kEnvironment, kScript, kLastResort };

struct Route {
  RouteKind kind = RouteKind::kDirect;
  RouteOrigin origin = RouteOrigin::kOnly;
  std::string host;  // of the proxy; an IPv6 address in brackets
  std::uint16_t port = 0;
  std::optional<ProxyUser> user;  // from the proxy's variable
  bool over_plain_http = false;   // named by a script that anybody on the network could have changed

  [[nodiscard]] std::string address() const;  // "http://proxy:8080"; empty: direct
  [[nodiscard]] std::string shown() const;    // "direct", "proxy http://proxy:8080"
  [[nodiscard]] std::string said_by()
      const;                              // "configured", "environment", "proxy script", "last resort", ""
  [[nodiscard]] std::string key() const;  // shown and said_by: what a RouteMemory keeps
  [[nodiscard]] bool same_way(const Route& other) const {
    return kind == other.kind && host == other.host && port == other.port;
  }
};

// The hub's address, taken apart.
struct HubAddress {
  bool tls = false;
  std::string host;  // without brackets, in small letters
  std::uint16_t port = 0;
  std::string shown;  // as the configuration has it: "hub.example:8440"
  [[nodiscard]] bool loopback() const;
};
[[nodiscard]] HubAddress hub_address(std::string_view url);

// "http://user:password@proxy:8080", or without a scheme; none if it is no proxy's address.
[[nodiscard]] std::optional<Route> parse_proxy(std::string_view text, RouteOrigin origin);
// "PROXY a:8080; SOCKS b:1080; DIRECT". What is not understood is passed over; kBadInput where nothing is
// left.
[[nodiscard]] Result<std::vector<Route>> parse_script_answer(std::string_view answer);
// Does no_proxy name this host? "*", names with what ends in them, addresses as they are written.
[[nodiscard]] bool excepted(std::string_view no_proxy, std::string_view host);

// The routes of one set of options. Asks the script at most once.
class RoutePlan {
 public:
  // `ask_script`: fetches and evaluates; only called where a script is configured.
  RoutePlan(const LineOptions& options, std::function<Result<std::string>()> ask_script);

  // The route at `index`; null after the last. Pointers stay good.
  [[nodiscard]] const Route* at(std::size_t index);
  // The place of a route that was remembered; none if it is no longer among them.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view key);
  // Why the script gave no route; none if it was not asked or did.
  [[nodiscard]] const std::optional<Error>& script_error() const { return script_error_; }
  [[nodiscard]] const std::string& script_answer() const { return script_answer_; }

 private:
  void add(Route route);
  void extend();
  std::vector<Route> routes_;  // room for all is reserved
  std::function<Result<std::string>()> ask_script_;
  bool script_waits_ = false, direct_waits_ = false;
  bool script_is_plain_ = false;
  std::optional<Error> script_error_;
  std::string script_answer_;
};

}  // namespace towpath
