// Hostile requests to the hub's server, over a socket on loopback, as bytes come from the network. Each
// gets answers that are HTTP, or none; a body reaches the hub only whole; and the server goes on.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>

#include "check.hpp"
#include "hub/exchange/http_server.hpp"

namespace towpath::fuzz {
namespace {

struct World {
  World() {
    HttpOptions options;
    options.listen = "127.0.0.1:0";
    options.threads = 2;
    options.behind_proxy = true;  // addresses are read from a header, too
    options.header_time = options.body_time = std::chrono::milliseconds(300);
    options.drain_time = std::chrono::milliseconds(50);
    options.log = [](const std::string& line) { harmless(line); };
    server = good(HttpServer::start(
                      [this](ByteView body) -> Result<Bytes> {
                        ++bodies;
                        if (body.empty()) return fail(Code::kDamaged, "no message");
                        return Bytes(body.begin(), body.end());
                      },
                      options),
                  "a server");
    const std::string at = server->address();
    std::from_chars(at.data() + at.rfind(':') + 1, at.data() + at.size(), port);
  }
  std::atomic<std::uint64_t> bodies = 0;
  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0;
};

// What comes back to these bytes, to the end.
std::string answer_to(const World& w, ByteView bytes) {
  const int handle = ::socket(AF_INET, SOCK_STREAM, 0);
  FUZZ_CHECK(handle >= 0);
  // No connection stays behind, and each comes from another of loopback's addresses.
  static std::uint32_t from = 0;
  const linger none{1, 0};
  ::setsockopt(handle, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(0x7f010000U + ++from % 0xffff);
  FUZZ_CHECK(::bind(handle, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(w.port);
  FUZZ_CHECK(::connect(handle, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::send(handle, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  ::shutdown(handle, SHUT_WR);
  std::string out;
  char block[4096];
  for (ssize_t n = 0; (n = ::recv(handle, block, sizeof block, 0)) > 0;)
    out.append(block, static_cast<std::size_t>(n));
  ::close(handle);
  return out;
}

}  // namespace
}  // namespace towpath::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towpath;
  using namespace towpath::fuzz;
  static World& w = *new World;  // its threads are there to the end
  const std::uint64_t before = w.bodies;
  const std::string said = answer_to(w, {data, size});
  if (!said.empty()) {
    FUZZ_CHECK(said.starts_with("HTTP/1.1 ") || said.starts_with("HTTP/1.0 "));
    FUZZ_CHECK(said.find("\r\n\r\n") != std::string::npos);
  }
  if (said.find("\r\nContent-Type: application/vnd.towpath.bundle\r\n") != std::string::npos)
    FUZZ_CHECK(w.bodies > before);
  return 0;
}
