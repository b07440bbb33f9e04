// What the line to the hub needs to know, all of it: no global is read behind it.
//
// `agent/school/hub_line` makes it from the configuration and the world; enrolment, exchange and
// doctor all begin with the same, so that what doctor tries is what an exchange will do.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace towpath {

// The variables that name proxies, as they stood when the program began. A value may hold
// user:password@, so it is never shown; a Route shows its proxy without.
struct ProxyEnvironment {
  std::string https_proxy;  // https_proxy or HTTPS_PROXY
  std::string http_proxy;   // http_proxy only: HTTP_PROXY can be set by anybody's request header (CGI)
  std::string all_proxy;    // all_proxy or ALL_PROXY
  std::string no_proxy;     // no_proxy or NO_PROXY
  [[nodiscard]] static ProxyEnvironment of_process();
};

// The way that worked last, kept from one run to the next, so that a dead proxy in front of a
// living one costs its 15 seconds once and not at every exchange.
class RouteMemory {
 public:
  virtual ~RouteMemory() = default;
  // Route::key() of what worked; none if nothing is remembered or it is too old to trust.
  [[nodiscard]] virtual std::optional<std::string> recall() = 0;
  virtual void worked(const std::string& key) = 0;
};

struct LineOptions {
  std::string url;  // the hub's address, without /v1/exchange
  // "auto": whatever gets through. "none": direct only. Else the proxy's address; then nothing goes
  // direct unless no_proxy or the script says so (README.md, "Which way").
  std::string proxy = "auto";
  std::string pac_url;          // a proxy script; empty: none
  std::string proxy_user_file;  // holds user:password; empty: the proxies ask for none
  std::string extra_ca;         // PEM, beside the operating system's trust store
  // A ceiling for what is sent, in kilobits a second; 0: none.
  std::uint64_t line_kbit = 0;
  ProxyEnvironment environment;
  // How a proxy script is evaluated: this program's own file and hidden verb. Empty: PAC does not work here.
  std::vector<std::string> pac_program;
  // Set to true to end whatever is under way, within a fraction of a second. May be null.
  const std::atomic<bool>* stop = nullptr;
  RouteMemory* memory = nullptr;  // may be null: what worked is then remembered by the transport only

  // A line that takes longer to connect is down as far as people are concerned.
  std::chrono::seconds connect_timeout{15};
  // Nothing moves for so long: dead. The hub needs a few seconds at most for a bundle.
  std::chrono::seconds stall_timeout{60};
  // 1 MB at 16 kbit/s, the slowest line that is of any use. Longer where line_kbit asks for it.
  std::chrono::seconds whole_timeout{600};
};

}  // namespace towpath
