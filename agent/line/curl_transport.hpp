// The real line: one POST to the hub's /v1/exchange over libcurl.
//
// One connection, kept between exchanges. The fewest headers that proxies accept, because a
// school's day is some two kilobytes. Redirects are not followed: a hub does not move by
// itself, and a web filter's block page is then seen for what it is. Proxies come from the
// environment; loopback is never proxied. The only module that sees libcurl.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/uplink/transport.hpp"
#include "core/result.hpp"

namespace towpath {

struct CurlOptions {
  std::string url;  // the hub's address, without /v1/exchange
  // A line that takes longer to connect is down as far as people are concerned.
  std::chrono::seconds connect_timeout{15};
  // Nothing moves for so long: dead. The hub needs a few seconds at most for a bundle.
  std::chrono::seconds stall_timeout{60};
  // 1 MB at 16 kbit/s, the slowest line that is of any use.
  std::chrono::seconds whole_timeout{600};
};

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(const CurlOptions& options);
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;
  ~CurlTransport() override;

  [[nodiscard]] Result<Reply> exchange(ByteView body) override;
  // HTTP as it goes over the line, proxies' included; TLS and TCP framing not.
  [[nodiscard]] std::uint64_t bytes_sent() const override;
  [[nodiscard]] std::uint64_t bytes_received() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace towpath
