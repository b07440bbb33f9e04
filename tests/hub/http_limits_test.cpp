#include <sys/socket.h>

#include <atomic>
#include <semaphore>

#include "tests/hub/line.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kOther = "127.0.0.2";  // another address that comes to the same server

// A hub that answers "held" only when it is told to; at the latest when the test ends, which
// declares it after the server.
class Held {
 public:
  explicit Held(const HttpOptions& options)
      : server(serve(
            [go = go_, in = in_](ByteView bundle) {
              if (text_of(bundle) == "held") {
                in->release();
                go->wait(false);
              }
              return echo(bundle);
            },
            options)) {}
  ~Held() { go(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  void go() {
    *go_ = true;
    go_->notify_all();
  }
  // Until one more has come to the hub itself.
  [[nodiscard]] bool comes() { return in_->try_acquire_for(30s); }

 private:
  std::shared_ptr<std::atomic<bool>> go_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::counting_semaphore<>> in_ = std::make_shared<std::counting_semaphore<>>(0);

 public:
  const std::unique_ptr<HttpServer> server;
};
bool answered(const HttpServer& server, const std::string& from = "127.0.0.1", const std::string& more = {}) {
  Line line(server, from);
  line.say(post("hello", more));
  return line.hear_answer().starts_with("HTTP/1.1 200 ");
}
HttpOptions strict() {
  HttpOptions options;
  options.spare_loopback = false;
  return options;
}
const std::string kTooMuch(3 * kBundleBytesMax, 'x');

}  // namespace

TEST_CASE("a refusal reaches a client that is still sending, whose bytes are taken meanwhile") {
  const auto server = serve(echo, {});
  const std::string kind = "Content-Type: application/vnd.towpath.bundle\r\n";
  for (const std::string& request :
       {post(kTooMuch),
        "POST /v1/exchange HTTP/1.1\r\nHost: h\r\n" + kind +
            "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" + kTooMuch,
        "POST /elsewhere HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" +
            kTooMuch.substr(0, 3'000'000)}) {
    Line line(*server);
    CHECK(line.say(request));
    const std::string heard = line.hear();
    CHECK((heard.starts_with("HTTP/1.1 413 ") || heard.starts_with("HTTP/1.1 404 ")));
    CHECK_THAT(heard, Catch::Contains("Connection: close\r\n"));
  }
  CHECK(answered(*server));
}

TEST_CASE("a client that never ends after a refusal is ended") {
  HttpOptions options;
  options.threads = 1;
  options.drain_time = 200ms;
  const auto server = serve(echo, options);
  Line line(*server);
  line.say(
      "POST /v1/exchange HTTP/1.1\r\nHost: h\r\nContent-Type: application/vnd.towpath.bundle\r\n"
      "Content-Length: 9000000\r\n\r\nand then nothing");
  CHECK(line.hear().starts_with("HTTP/1.1 413 "));
  CHECK(answered(*server));  // the only thread is free again, although that line is still open
}

TEST_CASE("who asks before sending a body is told at once whether it is wanted") {
  const auto server = serve(echo, {});
  const std::string start =
      "POST /v1/exchange HTTP/1.1\r\nHost: h\r\nContent-Type: application/vnd.towpath.bundle\r\n"
      "Expect: 100-continue\r\nContent-Length: ";
  Line fine(*server);
  fine.say(start + "5\r\n\r\n");
  std::array<char, 25> go{};
  REQUIRE(::recv(fine.socket(), go.data(), go.size(), MSG_WAITALL) == 25);
  CHECK(std::string_view(go.data(), go.size()) == "HTTP/1.1 100 Continue\r\n\r\n");
  fine.say("hello");
  CHECK_THAT(fine.hear_answer(), Catch::EndsWith("hello"));
  Line large(*server);
  large.say(start + "9000000\r\n\r\n");
  CHECK(large.hear().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a request that states its length twice, or by a coding nobody knows, is refused") {
  const auto server = serve(echo, {});
  for (const char* lengths :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 6\r\n", "Content-Length: +5\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: xchunked\r\n"}) {
    Line line(*server);
    line.say("POST /v1/exchange HTTP/1.1\r\nHost: h\r\nContent-Type: application/vnd.towpath.bundle\r\n" +
             std::string(lengths) + "\r\nhello");
    const std::string heard = line.hear();
    CAPTURE(lengths, heard);
    CHECK((heard.starts_with("HTTP/1.1 400 ") || heard.starts_with("HTTP/1.1 501 ")));
  }
}

TEST_CASE("a header has a size, and more is refused in a sentence") {
  const auto server = serve(echo, {});
  Line line(*server);
  CHECK(line.say("GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + std::string(20'000, 'x') + "\r\n\r\n"));
  CHECK(line.hear().starts_with("HTTP/1.1 431 "));
  CHECK(answered(*server));
}

TEST_CASE("one address may open so many connections at once, and other addresses do not feel it") {
  HttpOptions options = strict();
  options.address_connections.at_once = 4;
  std::string log;
  options.log = [&](const std::string& line) { log += line + "\n"; };
  auto server = serve(echo, options);
  std::vector<std::unique_ptr<Line>> open;
  for (int n = 0; n < 4; ++n) {
    open.push_back(std::make_unique<Line>(*server));
    open.back()->say(post("hello"));
    REQUIRE(open.back()->hear_answer().starts_with("HTTP/1.1 200 "));
  }
  Line fifth(*server);
  fifth.say(post("hello"));
  CHECK(fifth.hear().empty());
  CHECK(answered(*server, kOther));
  server->stop();
  CHECK_THAT(log, Catch::Contains("more than one address may open: 1 in a minute, the last from 127.0.0.1"));
}

TEST_CASE("a connection that has ended makes room for the next of its address") {
  HttpOptions options = strict();
  options.address_connections.at_once = 8;
  const auto server = serve(echo, options);
  for (int n = 0; n < 40; ++n) {
    Line line(*server);
    line.say(post("hello", "Connection: close\r\n"));
    // Its end is seen here a moment before the server has put it away: some may overlap.
    CHECK(line.hear().starts_with("HTTP/1.1 200 "));
  }
}

TEST_CASE("one address, however many connections it has, leaves threads for the others") {
  HttpOptions options = strict();
  options.threads = 4;
  options.address_threads = 3;
  Held held(options);
  const auto& server = held.server;
  std::vector<std::unique_ptr<Line>> flood;
  for (int n = 0; n < 12; ++n) {
    flood.push_back(std::make_unique<Line>(*server));
    flood.back()->say(post("held", "Connection: close\r\n"));
  }
  // Would wait for the flood, which waits for us, if it had the threads.
  for (int n = 0; n < 5; ++n) CHECK(answered(*server, kOther));
  held.go();
  for (const auto& line : flood) CHECK(line->hear_answer().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("connections that say nothing give way to those that wait") {
  HttpOptions options;
  options.threads = 2;
  options.header_time = 60s;  // alone, they might stay for a minute
  const auto server = serve(echo, options);
  std::vector<std::unique_ptr<Line>> idle;
  for (int n = 0; n < 4; ++n) idle.push_back(std::make_unique<Line>(*server));
  CHECK(answered(*server));
}

TEST_CASE("where all places are taken, a client is told to come back") {
  HttpOptions options;
  options.threads = 1;
  options.queued = 1;
  Held held(options);
  std::vector<std::unique_ptr<Line>> lines;
  for (int n = 0; n < 3; ++n) {
    lines.push_back(std::make_unique<Line>(*held.server));
    lines.back()->say(post("held"));
    if (n == 0) REQUIRE(held.comes());  // it has the only thread, and the place to wait is free
  }
  const std::string refused = lines.back()->hear();
  CHECK(refused.starts_with("HTTP/1.1 503 "));
  CHECK_THAT(refused, Catch::Contains("Retry-After: 30\r\n"));
  held.go();
  CHECK(lines.front()->hear_answer().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a client that does not take its answer is let go") {
  HttpOptions options;
  options.threads = 1;
  options.body_time = 200ms;
  options.body_bytes_a_second = 1'000'000'000;
  const auto server = serve(
      [](ByteView bundle) -> Result<Bytes> {
        return text_of(bundle) == "much" ? Bytes(64 * 1024 * 1024) : Bytes();
      },
      options);
  Line deaf(*server);
  deaf.say(post("much"));
  CHECK(answered(*server));
}

TEST_CASE("behind a proxy, the address that the proxy saw is the one that counts") {
  HttpOptions options = strict();
  options.behind_proxy = true;
  options.address_requests.burst = 2;
  options.address_connections.at_once = 1;  // the proxy's own connections are not counted
  const auto server = serve(echo, options);
  Line first(*server), second(*server);
  const auto from = [](const std::string& list) { return "X-Forwarded-For: " + list + "\r\n"; };
  CHECK(answered(*server, "127.0.0.1", from("192.0.2.7")));
  CHECK(answered(*server, "127.0.0.1", from("203.0.113.1, 192.0.2.7")));  // whatever it says of itself
  Line third(*server);
  third.say(post("hello", from("192.0.2.7")));
  const std::string refused = third.hear();
  CHECK(refused.starts_with("HTTP/1.1 429 "));
  CHECK_THAT(refused, Catch::Contains("Retry-After: ") && Catch::Contains("Too many requests"));
  CHECK(answered(*server, "127.0.0.1", from("192.0.2.8")));
  // One network of IPv6 is one who asks.
  CHECK(answered(*server, "127.0.0.1", from("2001:db8::1")));
  CHECK(answered(*server, "127.0.0.1", from("2001:db8::2")));
  Line sixth(*server);
  sixth.say(post("hello", from("2001:db8::3")));
  CHECK(sixth.hear().starts_with("HTTP/1.1 429 "));
}

TEST_CASE("without a proxy, nobody is believed to be somebody else") {
  HttpOptions options = strict();
  options.address_requests.burst = 2;
  const auto server = serve(echo, options);
  for (int n = 0; n < 2; ++n)
    CHECK(answered(*server, "127.0.0.1", "X-Forwarded-For: 192.0.2." + std::to_string(n) + "\r\n"));
  Line third(*server);
  third.say(post("hello", "X-Forwarded-For: 192.0.2.99\r\n"));
  CHECK(third.hear().starts_with("HTTP/1.1 429 "));
}

TEST_CASE("behind a named proxy, nobody else gets in") {
  HttpOptions options = strict();
  options.behind_proxy = true;
  options.proxies = {"127.0.0.1"};
  const auto server = serve(echo, options);
  CHECK(answered(*server));
  Line stranger(*server, kOther);
  stranger.say(post("hello"));
  CHECK(stranger.hear().empty());
}
