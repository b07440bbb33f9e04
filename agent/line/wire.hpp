// One try to reach the hub on one route, and everything that was seen on the way.
//
// CurlTransport and the probe are both made of it, so that doctor sees what an exchange sees.
// Not thread-safe; keeps its connection between tries.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/line/line_options.hpp"
#include "agent/line/probe.hpp"
#include "agent/line/route.hpp"
#include "agent/uplink/transport.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath {

struct Attempt {
  std::optional<Reply> reply;  // or `error`
  std::optional<Error> error;  // Code::kStopped where a stop ended it
  bool went_out = false;       // something of the request may have reached the other side
};

class Wire {
 public:
  explicit Wire(const LineOptions& options);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();

  // Are the files that the options name readable? kConfig or kNotPermitted.
  [[nodiscard]] Result<void> ready();
  // `seen`: null, or told in detail.
  [[nodiscard]] Attempt attempt(const Route& route, ByteView body, RouteSeen* seen);
  // Fetches the proxy script and evaluates it for the hub's address.
  [[nodiscard]] Result<std::string> ask_script();

  [[nodiscard]] const HubAddress& hub() const;
  [[nodiscard]] std::uint64_t bytes_sent() const;
  [[nodiscard]] std::uint64_t bytes_received() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace towpath
