// The real line: one POST to the hub's /v1/exchange over libcurl, by whichever way gets through.
//
// One connection, kept between exchanges. The fewest headers that proxies accept, because a
// school's day is some two kilobytes. Redirects are not followed: a hub does not move by
// itself, and a web filter's block page is then seen for what it is.
// The ways are tried in order (route.hpp) until one carries the request; what worked is tried
// first the next time. An error names every way and why it failed.
#pragma once

#include <memory>
#include <string>

#include "agent/line/line_options.hpp"
#include "agent/uplink/transport.hpp"
#include "core/result.hpp"

namespace towpath {

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(const LineOptions& options);
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;
  ~CurlTransport() override;

  // kStopped where the options' stop ended it; kBlocked where proxies refuse the hub.
  [[nodiscard]] Result<Reply> exchange(ByteView body) override;
  // HTTP as it goes over the line, proxies' included; TLS and TCP framing not.
  [[nodiscard]] std::uint64_t bytes_sent() const override;
  [[nodiscard]] std::uint64_t bytes_received() const override;
  // The way of the last exchange that had an answer: "proxy http://proxy:8080 (configured)"; empty: none yet.
  [[nodiscard]] const std::string& route() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace towpath
