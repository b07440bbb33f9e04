// A client at the lowest level: it sends exactly the bytes that a test tells it to.
#pragma once

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/StreamSocketImpl.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "bundle/bundle.hpp"
#include "hub/exchange/http_server.hpp"

namespace towpath::test {

// A client that sends exactly the bytes it is told to.
class Line {
 public:
  explicit Line(const HttpServer& server, const std::string& from = "127.0.0.1")
      : Line(server.address(), from) {}
  explicit Line(const std::string& address, const std::string& from = "127.0.0.1") {
    socket_.impl()->bind(Poco::Net::SocketAddress(from, 0), true);
    socket_.connect(Poco::Net::SocketAddress(address));
    socket_.setReceiveTimeout(Poco::Timespan(30, 0));  // a test that hangs fails
    socket_.setSendTimeout(Poco::Timespan(30, 0));
  }
  // Whether all of it was taken.
  bool say(std::string_view bytes) {
    try {
      while (!bytes.empty())
        bytes.remove_prefix(
            static_cast<std::size_t>(socket_.sendBytes(bytes.data(), static_cast<int>(bytes.size()))));
      return true;
    } catch (const Poco::Exception&) {
      return false;  // the server has heard enough; what it said is still to be read
    }
  }
  int socket() const { return socket_.impl()->sockfd(); }
  // All that comes until the server closes.
  std::string hear() {
    std::string all;
    std::array<char, 4096> piece{};
    try {
      for (int n = 0; (n = socket_.receiveBytes(piece.data(), static_cast<int>(piece.size()))) > 0;)
        all.append(piece.data(), static_cast<std::size_t>(n));
    } catch (const Poco::TimeoutException&) {
      FAIL("the server neither answers nor closes");
    } catch (const Poco::Exception&) {
      // Closed with something of ours unread.
    }
    return all;
  }
  // One answer of a connection that stays open.
  std::string hear_answer() {
    std::string all;
    std::array<char, 4096> piece{};
    for (;;) {
      const std::size_t end = all.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t at = all.find("Content-Length: ");
        REQUIRE(at != std::string::npos);
        if (all.size() >= end + 4 + std::stoul(all.substr(at + 16))) return all;
      }
      const int n = socket_.receiveBytes(piece.data(), static_cast<int>(piece.size()));
      REQUIRE(n > 0);
      all.append(piece.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  Poco::Net::StreamSocket socket_;
};

// What comes back as it was sent, or not at all: a server without a hub behind it.
inline std::string post(const std::string& body, const std::string& more = {}) {
  return "POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle\r\n" +
         more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline Result<Bytes> echo(ByteView bundle) { return Bytes(bundle.begin(), bundle.end()); }
inline std::unique_ptr<HttpServer> serve(HttpServer::Answer answer, HttpOptions options) {
  options.listen = "127.0.0.1:0";
  auto server = HttpServer::start(std::move(answer), options);
  if (!server) FAIL(server.error().sentence());
  return std::move(*server);
}

}  // namespace towpath::test
