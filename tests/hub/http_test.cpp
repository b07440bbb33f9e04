#include <catch2/catch.hpp>
#include <thread>

#include "hub/exchange/http_server.hpp"
#include "tests/hub/hub_fixture.hpp"
#include "tests/hub/line.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

struct HttpFixture : HubFixture {
  HttpFixture() { open({}); }
  void open(HttpOptions options) {
    options.listen = "127.0.0.1:0";
    server.reset();
    auto started = HttpServer::start(answer(), options);
    if (!started) FAIL(started.error().sentence());
    server = std::move(*started);
  }
  HttpServer::Answer answer() {
    return [this](ByteView bundle) { return service->answer(bundle); };
  }
  // What an agent would POST.
  std::string bundle(const std::vector<SealedSegment>& segments) {
    Bundle b;
    random.fill(b.id.uuid.bytes);
    b.frames.emplace_back(HelloFrame{"school:" + kUrn, "agent 1", 1});
    for (const SealedSegment& s : segments) b.frames.emplace_back(SegmentFrame{s.bytes});
    return std::string(text_of(*sealer.seal(b)));
  }
  static std::string post(const std::string& body, const std::string& more = {}) {
    return "POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle\r\n" +
           more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::string ask(const std::string& request) {
    Line line(*server);
    line.say(request);
    return line.hear();
  }
  // A question that is answered: the server is alive and well.
  bool alive() {
    Line line(*server);
    line.say(post(bundle({})));
    return line.hear_answer().starts_with("HTTP/1.1 200 OK\r\n");
  }

  std::unique_ptr<HttpServer> server;
};

std::string body_of(const std::string& answer) {
  const std::size_t at = answer.find("\r\n\r\n");
  return at == std::string::npos ? std::string() : answer.substr(at + 4);
}

}  // namespace

TEST_CASE("a bundle is answered with few header bytes, on a connection that stays") {
  HttpFixture hub;
  hub.add();
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  Line line(*hub.server);
  for (int n = 0; n < 3; ++n) {
    line.say(HttpFixture::post(hub.bundle({n == 0 ? writer.snapshot() : writer.delta()})));
    const std::string answer = line.hear_answer();
    REQUIRE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    const std::size_t headers = answer.size() - body_of(answer).size();
    CHECK(headers <= 150);
    CHECK_THAT(answer.substr(0, headers),
               Catch::Contains("Content-Type: application/vnd.towpath.bundle\r\n"));
    CHECK_THAT(answer.substr(0, headers), Catch::Contains("Cache-Control: no-store\r\n"));
    CHECK_THAT(answer.substr(0, headers), Catch::Contains("Towpath: 1\r\n"));
    auto opened = hub.sealer.open(bytes_of(body_of(answer)));
    REQUIRE(opened);
    CHECK(head_of(*opened) == writer.head());
  }
}

TEST_CASE("a body in chunks is taken as well") {
  HttpFixture hub;
  hub.add();
  const std::string body = hub.bundle({});
  std::string request =
      "POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle; x=y\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  std::array<char, 16> size{};
  for (std::size_t at = 0; at < body.size(); at += 10) {
    const std::string piece = body.substr(at, 10);
    std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
    request += size.data() + piece + "\r\n";
  }
  Line line(*hub.server);
  line.say(request + "0\r\n\r\n");
  CHECK(line.hear_answer().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("what is no exchange is refused in a sentence") {
  HttpFixture hub;
  hub.add();
  CHECK(hub.ask("GET / HTTP/1.1\r\nHost: hub\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(hub.ask("GET /x HTTP/1.1\r\nHost: hub\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(hub.ask("POST /v1/exchange/ HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n")
            .starts_with("HTTP/1.1 404 "));
  const std::string wrong_verb = hub.ask("GET /v1/exchange HTTP/1.1\r\nHost: hub\r\n\r\n");
  CHECK(wrong_verb.starts_with("HTTP/1.1 405 "));
  CHECK_THAT(wrong_verb, Catch::Contains("Allow: POST\r\n"));
  CHECK(hub.ask("POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: text/html\r\nContent-Length: "
                "3\r\n\r\nabc")
            .starts_with("HTTP/1.1 415 "));
  CHECK(hub.ask("POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: "
                "application/vnd.towpath.bundle\r\n\r\n")
            .starts_with("HTTP/1.1 411 "));
  const std::string garbage = hub.ask(HttpFixture::post("this is no bundle"));
  CHECK(garbage.starts_with("HTTP/1.1 400 "));
  CHECK_THAT(garbage, Catch::Contains("damaged"));
  CHECK(hub.alive());
}

TEST_CASE("a body over the limit is refused, declared or not, and not read to its end") {
  HttpFixture hub;
  hub.add();
  const std::string limit = std::to_string(kBundleBytesMax + 1);
  CHECK(hub.ask("POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle\r\n"
                "Content-Length: " +
                limit + "\r\n\r\n")
            .starts_with("HTTP/1.1 413 "));
  for (const char* length : {"99999999999999999999", "-1", "1e3", "x"})
    CHECK_FALSE(
        hub.ask("POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle\r\n"
                "Content-Length: " +
                std::string(length) + "\r\n\r\n")
            .starts_with("HTTP/1.1 200"));
  // A chunk that says it goes on for ever: the answer comes without its end.
  CHECK(hub.ask("POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle\r\n"
                "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" +
                std::string(kBundleBytesMax + 32 * 1024, 'x'))
            .starts_with("HTTP/1.1 413 "));
  CHECK(hub.alive());
}

TEST_CASE("bytes that are not HTTP end their connection and nothing else") {
  HttpFixture hub;
  hub.add();
  std::string noise;
  for (int i = 0; i < 3000; ++i) noise += static_cast<char>(i * 7919 >> 3);
  for (const std::string& request :
       {noise, std::string("\r\n\r\n"), std::string("POST\r\n\r\n"), std::string(100'000, 'A'),
        "GET / HTTP/1.1\r\n" + std::string(70'000, 'h') + ": x\r\n\r\n",
        std::string("\x16\x03\x01\x02\x00\x01", 6)}) {
    Line line(*hub.server);
    line.say(request + "\r\n\r\n");
    const std::string answer = line.hear();
    CHECK((answer.empty() || answer.starts_with("HTTP/1.")));
    CHECK_FALSE(answer.starts_with("HTTP/1.1 200"));
  }
  CHECK(hub.alive());
}

TEST_CASE("a request with headers without end is ended") {
  HttpFixture hub;
  hub.add();
  Line line(*hub.server);
  std::string request = "POST /v1/exchange HTTP/1.1\r\n";
  for (int i = 0; i < 5000; ++i) request += "X-" + std::to_string(i) + ": y\r\n";
  line.say(request);
  CHECK_FALSE(line.hear().starts_with("HTTP/1.1 200"));
  CHECK(hub.alive());
}

TEST_CASE("a client that sends nothing, or stops half way, is let go after its time") {
  HttpFixture hub;
  hub.add();
  HttpOptions hasty;
  hasty.threads = 2;
  hasty.header_time = 200ms;
  hasty.body_time = 200ms;
  hasty.body_bytes_a_second = 100'000'000;
  hub.open(hasty);
  for (const std::string& start :
       {std::string(), std::string("POST /v1/exch"), std::string("POST /v1/exchange HTTP/1.1\r\nHost: h\r\n"),
        std::string(
            "POST /v1/exchange HTTP/1.1\r\nHost: h\r\nContent-Type: application/vnd.towpath.bundle\r\n"
            "Content-Length: 1000\r\n\r\nabc")}) {
    Line line(*hub.server);
    line.say(start);
    CHECK_FALSE(line.hear().starts_with("HTTP/1.1 200"));  // returns when the server has closed
  }
  CHECK(hub.alive());
}

TEST_CASE("clients that hold every thread delay the others, and do not shut them out") {
  HttpFixture hub;
  hub.add();
  HttpOptions few;
  few.threads = 2;
  few.header_time = 300ms;
  hub.open(few);
  std::vector<std::unique_ptr<Line>> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(std::make_unique<Line>(*hub.server));
    idle.back()->say("POST /v1/exchange HTTP/1.1\r\n");
  }
  CHECK(hub.alive());
}

TEST_CASE("a client that has gone before its answer loses nothing") {
  HttpFixture hub;
  hub.add();
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  const SealedSegment first = writer.snapshot();
  { Line(*hub.server).say(HttpFixture::post(hub.bundle({first}))); }
  // It asks again: whether the first came through or not, it is here once.
  Line line(*hub.server);
  line.say(HttpFixture::post(hub.bundle({first})));
  auto answer = hub.sealer.open(bytes_of(body_of(line.hear_answer())));
  REQUIRE(answer);
  CHECK(problems_of(*answer).empty());
  CHECK(head_of(*answer) == writer.head());
}

TEST_CASE("stopping ends waiting connections at once and keeps what was committed") {
  HttpFixture hub;
  hub.add();
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  Line waiting(*hub.server);
  Line kept(*hub.server);
  kept.say(HttpFixture::post(hub.bundle({writer.snapshot()})));
  REQUIRE(kept.hear_answer().starts_with("HTTP/1.1 200"));
  Line half(*hub.server);
  half.say("POST /v1/exchange HTTP/1.1\r\nHost: h\r\n");
  hub.server->stop();
  CHECK(waiting.hear().empty());
  CHECK(half.hear().empty());
  CHECK(hub.registry->current(kUrn).value()->head() == writer.head());
  CHECK_THROWS_AS(Line(*hub.server), Poco::Exception);
}

TEST_CASE("a hub without TLS listens on loopback only, or behind a proxy, and says why") {
  HttpFixture hub;
  const auto refused = [&](const std::string& listen, Code code = Code::kConfig) {
    HttpOptions options;
    options.listen = listen;
    auto server = HttpServer::start(hub.answer(), options);
    REQUIRE_FALSE(server);
    CHECK(server.error().code() == code);
    return server.error().sentence();
  };
  for (const char* open : {"0.0.0.0:8440", "192.168.1.10:8440", "[::]:8440", "[2001:db8::1]:8440"})
    CHECK_THAT(refused(open), Catch::Contains("without TLS") && Catch::Contains("--tls-certificate") &&
                                  Catch::Contains("--behind-proxy"));
  // An address that this machine does not have: asked of the system, so it may be listened on.
  HttpOptions behind;
  behind.listen = "192.0.2.1:8440";
  behind.behind_proxy = true;
  auto server = HttpServer::start(hub.answer(), behind);
  REQUIRE_FALSE(server);
  CHECK(server.error().code() == Code::kIo);
  CHECK_THAT(refused("hub.example.org:8440", Code::kUsage), Catch::Contains("not an IP address"));
  for (const char* bad :
       {"", "8440", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:http", ":8440"})
    CHECK_THAT(refused(bad, Code::kUsage), Catch::Contains("cannot listen on"));
}

TEST_CASE("a port that another server has is said to be taken") {
  HttpFixture hub;
  HttpOptions options;
  options.listen = hub.server->address();
  auto second = HttpServer::start(hub.answer(), options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Code::kBusy);
  CHECK_THAT(second.error().sentence(), Catch::Contains("is taken by another program. Stop it, or choose") &&
                                            !Catch::Contains("Exception"));
}

TEST_CASE("many clients at once are all answered") {
  HttpFixture hub;
  constexpr int kClients = 12;
  hub.service->log_to({});
  for (int c = 0; c < kClients; ++c) hub.add(std::to_string(100001 + c));
  std::vector<int> answered(kClients);
  std::vector<std::thread> threads;
  for (int c = 0; c < kClients; ++c)
    threads.emplace_back([&, c] {
      Bundle b;
      b.frames.emplace_back(HelloFrame{"school:" + std::to_string(100001 + c), "agent", 1});
      const std::string request =
          HttpFixture::post(std::string(text_of(*hub.sealer.seal(b))), "Connection: close\r\n");
      for (int n = 0; n < 5; ++n) {
        Line line(*hub.server);
        line.say(request);
        answered[static_cast<std::size_t>(c)] += line.hear().starts_with("HTTP/1.1 200") ? 1 : 0;
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(answered == std::vector<int>(kClients, 5));
}
