// libcurl's door against a real server on loopback: what goes over the line, and how each way
// of failing is told.
#include "agent/line/curl_transport.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "tests/line/servers.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::http;
using test::Line;
using test::Request;
using test::Server;

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
    Server server([&](Line& line) {
      while (auto request = line.request()) {
        in += request->header.size() + request->body.size();
        const std::string answer = http("200 OK", std::string(kBundleMediaType), "echo:" + request->body);
        out += answer.size();
        seen.push_back(std::move(*request));
        line.send(answer);
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
  Server server([&](Line& line) {
    while (line.request()) {
      ++asked;
      line.send(asked == 1 ? http("403 Forbidden", "text/html", "<html>")
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
    Server server([](Line&) {});
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
    Server server([&](Line& line) {
      if (line.request()) line.send(whole.substr(0, cut));
      line.cut();
    });
    const Error error = failure(server.url());
    CHECK_THAT(error.what(), Contains("was cut before the answer was whole") || Contains("failed"));
  }
}

TEST_CASE("an answer without an end is not taken into memory") {
  Server server([](Line& line) {
    if (!line.request()) return;
    line.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
    const std::string piece(256 * 1024, 'x');
    for (int i = 0; i < 400; ++i) line.send(piece);
  });
  CHECK_THAT(failure(server.url()).what(), Contains("is larger than"));
}

TEST_CASE("a hub that says nothing is given up on") {
  Server server([](Line& line) {
    (void)line.request();
    line.wait();
  });
  LineOptions quick;
  quick.stall_timeout = std::chrono::seconds(1);
  quick.whole_timeout = std::chrono::seconds(1);
  CHECK_THAT(failure(server.url(), quick).what(), Contains("no answer from the hub"));
}

TEST_CASE("a transport works again after a failure") {
  std::atomic<int> n{0};
  Server server([&](Line& line) {
    while (line.request()) {
      if (++n == 1) {
        line.cut();
        return;
      }
      line.send(http("200 OK", "text/plain", "fine"));
    }
  });
  CurlTransport line(options(server.url()));
  CHECK_FALSE(line.exchange(bytes_of("x")));
  const auto reply = line.exchange(bytes_of("x"));
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "fine");
}

TEST_CASE("loopback is never asked of a proxy") {
  const std::string nobody = "http://127.0.0.1:1";
  ::setenv("http_proxy", nobody.c_str(), 1);
  Server server([](Line& line) {
    if (line.request()) line.send(http("200 OK", "text/plain", "direct"));
  });
  LineOptions with = options(server.url());
  with.proxy = nobody;
  with.environment = ProxyEnvironment::of_process();
  CHECK(with.environment.http_proxy == nobody);
  CurlTransport line(with);
  const auto reply = line.exchange(bytes_of("x"));
  ::unsetenv("http_proxy");
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "direct");
  CHECK(line.route() == "direct");
}

}  // namespace
}  // namespace towpath
