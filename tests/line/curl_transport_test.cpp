// libcurl's door against a real server on loopback: what goes over the line, and how each way
// of failing is told.
#include "agent/line/curl_transport.hpp"

#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Timespan.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bundle/bundle.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using Poco::Net::StreamSocket;

// Reads one request: its header, then as many bytes as it promises.
struct Request {
  std::string header, body;
};
std::optional<Request> read_request(StreamSocket& socket) {
  Request request;
  std::string all;
  char piece[65536];
  std::size_t end = std::string::npos;
  while ((end = all.find("\r\n\r\n")) == std::string::npos) {
    const int n = socket.receiveBytes(piece, sizeof piece);
    if (n <= 0) return std::nullopt;
    all.append(piece, static_cast<std::size_t>(n));
  }
  request.header = all.substr(0, end + 4);
  request.body = all.substr(end + 4);
  const std::size_t at = request.header.find("Content-Length: ");
  const std::size_t length = at == std::string::npos ? 0 : std::stoul(request.header.substr(at + 16));
  while (request.body.size() < length) {
    const int n = socket.receiveBytes(piece, sizeof piece);
    if (n <= 0) return std::nullopt;
    request.body.append(piece, static_cast<std::size_t>(n));
  }
  return request;
}

std::string http(const std::string& status, const std::string& type, const std::string& body,
                 const std::string& more = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

void send_all(StreamSocket& socket, const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const int n = socket.sendBytes(text.data() + at, static_cast<int>(text.size() - at));
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

// A server of a few lines: hands each connection to `serve`, one after another.
class Server {
 public:
  explicit Server(std::function<void(StreamSocket&)> serve)
      : socket_(Poco::Net::SocketAddress("127.0.0.1", 0)),
        serve_(std::move(serve)),
        thread_([this] { run(); }) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(socket_.address().port());
  }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void run() {
    while (!stop_) {
      if (!socket_.poll(Poco::Timespan(20'000), Poco::Net::Socket::SELECT_READ)) continue;
      StreamSocket connection = socket_.acceptConnection();
      ++connections_;
      try {
        serve_(connection);
      } catch (const Poco::Exception&) {
        // The other side went away: the test sees what it made of it.
      }
    }
  }
  Poco::Net::ServerSocket socket_;
  std::function<void(StreamSocket&)> serve_;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

LineOptions options(const std::string& url) {
  LineOptions made;
  made.url = url;
  return made;
}

Error failure(const std::string& url, LineOptions with = {}) {
  with.url = url;
  CurlTransport line(with);
  const auto reply = line.exchange(bytes_of("body"));
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code() == Code::kTransport);
  return reply.error();
}

TEST_CASE("one connection carries several exchanges, with few header bytes, all counted") {
  std::vector<Request> seen;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  {
    Server server([&](StreamSocket& socket) {
      while (auto request = read_request(socket)) {
        in += request->header.size() + request->body.size();
        const std::string answer = http("200 OK", std::string(kBundleMediaType), "echo:" + request->body);
        out += answer.size();
        seen.push_back(std::move(*request));
        send_all(socket, answer);
      }
    });
    CurlTransport line(options(server.url()));
    for (const std::string& body :
         std::vector<std::string>{"first", std::string("\0\r\n\xff", 4), std::string(300'000, 'x')}) {
      const auto reply = line.exchange(bytes_of(body));
      REQUIRE(reply);
      CHECK(reply->status == 200);
      CHECK(reply->content_type == kBundleMediaType);
      CHECK(text_of(reply->body) == "echo:" + body);
    }
    CHECK(server.connections() == 1);
    CHECK(line.bytes_sent() == in);
    CHECK(line.bytes_received() == out);
  }
  REQUIRE(seen.size() == 3);
  CHECK_THAT(seen[0].header, Catch::StartsWith("POST /v1/exchange HTTP/1.1\r\n") &&
                                 Contains("Content-Type: application/vnd.towpath.bundle\r\n") &&
                                 !Contains("Expect") && !Contains("Accept"));
  CHECK_THAT(seen[2].header, !Contains("Expect"));
  CHECK(seen[0].header.size() <= 180);
}

TEST_CASE("any status is an answer, and a redirect is not followed") {
  int asked = 0;
  Server server([&](StreamSocket& socket) {
    while (read_request(socket)) {
      ++asked;
      send_all(socket, asked == 1 ? http("403 Forbidden", "text/html", "<html>")
                                  : http("302 Found", "text/html", "", "Location: /elsewhere\r\n"));
    }
  });
  CurlTransport line(options(server.url()));
  CHECK(line.exchange(bytes_of("x"))->status == 403);
  CHECK(line.exchange(bytes_of("x"))->status == 302);
  CHECK(asked == 2);
}

TEST_CASE("nobody listening is said as that, with the address") {
  std::string url;
  {
    Server server([](StreamSocket&) {});
    url = server.url();
  }
  const Error error = failure(url);
  CHECK_THAT(error.what(), Contains("no connection to the hub at " + url.substr(7)) && Contains("refused"));
  CHECK_THAT(error.next(), Contains("hub is running"));
}

TEST_CASE("a name that is not known is said as that") {
  const Error error = failure("http://no-such-host.invalid:8440");
  CHECK_THAT(error.what(), Contains("no-such-host.invalid") && Contains("not known to DNS"));
}

TEST_CASE("a connection cut before, in and after the header is one that can be repeated") {
  const std::string whole = http("200 OK", "text/plain", "0123456789");
  for (const std::size_t cut : {std::size_t{0}, std::size_t{5}, whole.size() - 3}) {
    Server server([&](StreamSocket& socket) {
      if (read_request(socket)) send_all(socket, whole.substr(0, cut));
      socket.shutdown();
    });
    const Error error = failure(server.url());
    CHECK_THAT(error.what(), Contains("was cut before the answer was whole") || Contains("failed"));
  }
}

TEST_CASE("an answer without an end is not taken into memory") {
  Server server([](StreamSocket& socket) {
    if (!read_request(socket)) return;
    send_all(socket, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
    const std::string piece(256 * 1024, 'x');
    for (int i = 0; i < 400; ++i) send_all(socket, piece);
  });
  CHECK_THAT(failure(server.url()).what(), Contains("is larger than"));
}

TEST_CASE("a hub that says nothing is given up on") {
  std::atomic<bool> over{false};
  Server server([&](StreamSocket& socket) {
    (void)read_request(socket);
    while (!over && !socket.poll(Poco::Timespan(20'000), Poco::Net::Socket::SELECT_READ)) {
    }
  });
  LineOptions quick;
  quick.stall_timeout = std::chrono::seconds(1);
  quick.whole_timeout = std::chrono::seconds(1);
  CHECK_THAT(failure(server.url(), quick).what(), Contains("no answer from the hub"));
  over = true;
}

TEST_CASE("a transport works again after a failure") {
  std::atomic<int> n{0};
  Server server([&](StreamSocket& socket) {
    while (read_request(socket)) {
      if (++n == 1) {
        socket.shutdown();
        return;
      }
      send_all(socket, http("200 OK", "text/plain", "fine"));
    }
  });
  CurlTransport line(options(server.url()));
  CHECK_FALSE(line.exchange(bytes_of("x")));
  const auto reply = line.exchange(bytes_of("x"));
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "fine");
}

TEST_CASE("loopback is never asked of a proxy") {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  Server server([](StreamSocket& socket) {
    if (read_request(socket)) send_all(socket, http("200 OK", "text/plain", "direct"));
  });
  CurlTransport line(options(server.url()));
  const auto reply = line.exchange(bytes_of("x"));
  ::unsetenv("http_proxy");
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "direct");
}

}  // namespace
}  // namespace towpath
