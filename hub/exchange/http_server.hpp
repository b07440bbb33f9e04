// The hub on the network: POST /v1/exchange, one bundle in, one bundle out; with TLS or without.
//
// Reads no more of a request than a bundle may have, gives no client longer than its line needs,
// and answers with as few header bytes as HTTP allows. Bundles protect themselves; TLS is there
// because school networks let little else pass, and because addresses and sizes are nobody's business.
// Without TLS it listens on loopback, and elsewhere only behind a proxy that ends TLS.
// One address, however many connections it opens, leaves threads for the others.
// hub/http is the only target of the hub that sees Poco::Net. Made by the CLI, which says what
// answers: HubService.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "hub/exchange/limits.hpp"

namespace towpath {

struct HttpOptions {
  std::string listen;  // "127.0.0.1:8440", "[::1]:8440", "localhost:0"; port 0: any free one
  // PEM files: the certificate with its chain, and its key. Both or none. They are read again when
  // they change; one that does not work leaves the old one in force.
  std::string tls_certificate, tls_key;
  std::chrono::milliseconds tls_look_every{2'000};
  // A proxy that ends TLS stands before this hub. Then plain HTTP may be listened for on any address,
  // and the last address in X-Forwarded-For is who asks.
  bool behind_proxy = false;
  // Only these addresses may connect, besides loopback; empty: any (a firewall sees to it).
  std::vector<std::string> proxies;

  // Each exchange is a few milliseconds of work and, on a slow line, minutes of waiting.
  int threads = 32;
  int queued = 96;  // beyond that a connection is closed at once, and the agent tries later
  // A trust's schools often share one address. More than this many of its connections wait for a
  // thread, so that three quarters of the threads are always for the others.
  int address_threads = 8;
  // Connections of one address: at once, then in a row, and a minute from then on. 50 schools behind
  // one address that all come in the same minute pass.
  LimitOptions address_connections{32, 0, 300, 300, 5};
  // Requests of one address: a first load of 1,000 bundles in a row and some schools beside it pass.
  LimitOptions address_requests{0, 0, 1500, 600, 5};
  // Loopback is a proxy, or a technician on the machine itself: not limited. Tests say otherwise.
  bool spare_loopback = true;

  // From accepting a connection, or from the last answer, to the end of the next request's header.
  std::chrono::milliseconds header_time{10'000};
  // A body may take this long, and a second for each so many bytes: 32 kbit/s is the slowest
  // line that we know of in a school. An answer as well.
  std::chrono::milliseconds body_time{10'000};
  std::size_t body_bytes_a_second = 4 * 1024;
  // Who was refused in mid-sentence may go on this long, so that it can hear why.
  std::chrono::milliseconds drain_time{5'000};
  // What stop() gives answers that are being made. systemd would wait longer.
  std::chrono::milliseconds stop_time{9'000};
  // One line for each thing that an operator should see: certificates, refusals (once a minute).
  std::function<void(const std::string& line)> log;
};

class HttpServer {
 public:
  // A bundle in, a bundle out; an error becomes status 400, or 500 where it is the hub's own.
  // Called from any of the server's threads.
  using Answer = std::function<Result<Bytes>(ByteView)>;
  // kConfig where the address is not one to listen on or the certificate does not work, kBusy
  // where another program has the port.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(Answer answer, const HttpOptions& options);
  ~HttpServer();  // stops
  // Accepts no more, ends waiting connections, lets answers finish. Returns when all have ended.
  void stop();
  [[nodiscard]] std::string address() const;  // "127.0.0.1:8440", the real port
  [[nodiscard]] bool tls() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace towpath
