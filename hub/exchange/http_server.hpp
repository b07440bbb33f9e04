// The hub on the network: POST /v1/exchange, one bundle in, one bundle out.
//
// Reads no more of a request than a bundle may have, gives no client longer than its line needs,
// and answers with as few header bytes as HTTP allows. Loopback only: bundles are not sealed yet,
// and whoever could reach the port could speak for any school.
// The only unit of the hub that sees Poco::Net. Made by the CLI; its threads call HubService.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "hub/exchange/service.hpp"

namespace towpath {

struct HttpOptions {
  std::string listen;  // "127.0.0.1:8440", "[::1]:8440", "localhost:0"; port 0: any free one
  // Each exchange is a few milliseconds of work and, on a slow line, minutes of waiting.
  int threads = 16;
  int queued = 64;  // beyond that a connection is closed at once, and the agent tries later
  // From accepting a connection, or from the last answer, to the end of the next request's header.
  std::chrono::milliseconds header_time{10'000};
  // A body may take this long, and a second for each so many bytes: 32 kbit/s is the slowest
  // line that we know of in a school.
  std::chrono::milliseconds body_time{10'000};
  std::size_t body_bytes_a_second = 4 * 1024;
  // What stop() gives answers that are being made. systemd would wait longer.
  std::chrono::milliseconds stop_time{9'000};
};

class HttpServer {
 public:
  // kConfig where the address is not one to listen on, kBusy where another program does.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(HubService& service,
                                                                 const HttpOptions& options);
  ~HttpServer();  // stops
  // Accepts no more, ends waiting connections, lets answers finish. Returns when all have ended.
  void stop();
  [[nodiscard]] std::string address() const;  // "127.0.0.1:8440", the real port

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace towpath
