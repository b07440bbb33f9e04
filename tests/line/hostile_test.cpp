// What stands between a school and its hub, at its worst: pages with status 200, answers that are
// cut, kept, packed, endless or late, and TLS that is somebody else's.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "agent/line/curl_transport.hpp"
#include "agent/line/probe.hpp"
#include "bundle/bundle.hpp"
#include "tests/line/servers.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::answering;
using test::Authority;
using test::Folder;
using test::http;
using test::kSelf;
using test::Line;
using test::Request;
using test::Server;
using test::TlsServer;

LineOptions to(const std::string& url) {
  LineOptions options;
  options.url = url;
  return options;
}

Result<Reply> ask(const LineOptions& options, const std::string& body = "body") {
  CurlTransport line(options);
  return line.exchange(bytes_of(body));
}

Error failure(const LineOptions& options) {
  auto reply = ask(options);
  REQUIRE_FALSE(reply);
  INFO(reply.error().sentence());
  CHECK(reply.error().what().find('\n') == std::string::npos);
  return reply.error();
}

Server::Serve good() {
  return answering([](const Request& request) {
    return http("200 OK", std::string(kBundleMediaType), "echo:" + request.body);
  });
}

TEST_CASE("an answer is handed on as it came: page, redirect, wrong type, packed or old") {
  const std::string packed("\x1f\x8b\x08\x00packed", 10);
  struct Case {
    std::string answer;
    int status;
    std::string type, body;
  };
  const std::string page = "<html><title>Blocked</title>";
  for (const Case& c :
       {Case{http("200 OK", "text/html", page), 200, "text/html", page},
        Case{http("302 Found", "text/html", "", "Location: http://portal.test/\r\n"), 302, "text/html", ""},
        Case{http("200 OK", "image/png", "x"), 200, "image/png", "x"},
        Case{http("200 OK", std::string(kBundleMediaType), packed, "Content-Encoding: gzip\r\n"), 200,
             std::string(kBundleMediaType), packed},
        Case{http("200 OK", "", ""), 200, "", ""}}) {
    Server server(answering([&](const Request&) { return c.answer; }));
    const auto reply = ask(to(server.url()));
    REQUIRE(reply);
    CHECK(reply->status == c.status);
    CHECK(reply->content_type == c.type);
    CHECK(text_of(reply->body) == c.body);
  }
}

TEST_CASE("how long to wait is handed on, up to a day") {
  for (const auto& [header, seconds] : {std::pair<const char*, unsigned>{"Retry-After: 90\r\n", 90},
                                        {"Retry-After: 99999999999\r\n", 86'400},
                                        {"Retry-After: nonsense\r\n", 0},
                                        {"Retry-After: -5\r\n", 0},
                                        {"", 0}}) {
    Server server(
        answering([&](const Request&) { return http("429 Too Many Requests", "text/plain", "", header); }));
    const auto reply = ask(to(server.url()));
    REQUIRE(reply);
    CHECK(reply->status == 429);
    CHECK(reply->retry_after == seconds);
  }
}

TEST_CASE("an answer cut at each tenth byte is an error that can be repeated, never half an answer") {
  const std::string whole = http("200 OK", std::string(kBundleMediaType), std::string(200, 'x'));
  for (std::size_t cut = 0; cut < whole.size(); cut += 10) {
    Server server([&](Line& line) {
      if (line.request()) line.send(whole.substr(0, cut));
      line.cut();
    });
    INFO(cut);
    const Error error = failure(to(server.url()));
    CHECK(error.code() == Code::kTransport);
  }
}

TEST_CASE("an answer that stops in its middle is given up on") {
  Server server([](Line& line) {
    if (!line.request()) return;
    line.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes ");
    line.wait();
  });
  LineOptions options = to(server.url());
  options.stall_timeout = std::chrono::seconds(1);
  options.whole_timeout = std::chrono::seconds(2);
  CHECK_THAT(failure(options).what(), Contains("no answer from the hub") && Contains("nothing came for 1 s"));
}

TEST_CASE("a stop ends a transfer within a second, wherever it is") {
  std::atomic<bool> stop{false};
  Server server([](Line& line) {
    (void)line.request();
    line.wait();
  });
  LineOptions options = to(server.url());
  options.stop = &stop;
  CurlTransport line(options);
  std::atomic<bool> over{false};
  std::optional<Error> error;
  std::thread work([&] {
    auto reply = line.exchange(bytes_of("body"));
    if (!reply) error = reply.error();
    over = true;
  });
  while (server.connections() == 0) std::this_thread::yield();
  const auto began = std::chrono::steady_clock::now();
  stop = true;
  work.join();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
  REQUIRE(error);
  CHECK(error->code() == Code::kStopped);
  CHECK_THAT(error->what(), Contains("asked to stop"));
}

TEST_CASE("the ceiling holds back what is sent") {
  Server server(good());
  LineOptions options = to(server.url());
  options.line_kbit = 1600;  // 200 000 bytes a second
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(ask(options, std::string(200'000, 'x')));
  // A second, less what may go out at once; without a ceiling it takes milliseconds.
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(700));
}

TEST_CASE("a request asks caches to keep nothing") {
  std::string seen;
  {
    Server server(answering([&](const Request& request) {
      seen = request.header;
      return http("200 OK", "text/plain", "x");
    }));
    REQUIRE(ask(to(server.url())));
  }
  CHECK_THAT(seen, Contains("Cache-Control: no-store\r\n"));
}

TEST_CASE("TLS: a certificate of the borough's own authority is trusted by extra_ca only") {
  const Folder folder;
  const Authority borough(folder, "Borough CA");
  borough.sign("hub", "hub", "IP:127.0.0.1,IP:::ffff:127.0.0.1");
  TlsServer server(borough, "hub", good());
  LineOptions options = to(server.url(kSelf));

  const Error error = failure(options);
  CHECK(error.code() == Code::kTransport);
  CHECK_THAT(error.what(), Contains("issued by 'Borough CA', which this machine does not trust"));
  CHECK_THAT(error.next(), Contains("[hub] extra_ca"));

  options.extra_ca = borough.certificate();
  CHECK(ask(options));
  // On loopback TLS is no less TLS.
  options.url = server.url();
  CHECK(ask(options));
}

TEST_CASE("TLS: who answers in the hub's place is named") {
  const Folder folder;
  const Authority filter(folder,
                         "School\xc2\xa0"
                         "Filter \x1b[31m");
  filter.sign("other", "portal.test", "DNS:portal.test");
  filter.sign("old", "hub", "IP:::ffff:127.0.0.1", "-days -1");
  const Authority self(folder, "Appliance", "self");
  const std::string trusted = filter.certificate();

  const auto told = [&](const Authority& authority, const std::string& file, const std::string& extra_ca) {
    TlsServer server(authority, file, good());
    LineOptions options = to(server.url(kSelf));
    options.extra_ca = extra_ca;
    const Error error = failure(options);
    CHECK(error.sentence().find('\x1b') == std::string::npos);
    return error.sentence();
  };
  CHECK_THAT(told(filter, "other", trusted), Contains("is for 'portal.test'") && Contains("log in"));
  CHECK_THAT(told(filter, "old", trusted), Contains("not valid at this machine's time") && Contains("clock"));
  CHECK_THAT(told(self, "self", trusted), Contains("issued by itself, 'Appliance'"));
}

TEST_CASE("TLS: what speaks no TLS is told of, and nothing is sent to it") {
  std::atomic<bool> posted{false};
  Server server([&](Line& line) {
    char piece[4096];
    const int n = line.receive(piece, sizeof piece);
    posted = std::string(piece, static_cast<std::size_t>(n)).find("POST") != std::string::npos;
    line.send(http("400 Bad Request", "text/html", "<html>"));
  });
  const Error error = failure(to("https://" + std::string(kSelf) + ":" + std::to_string(server.port())));
  CHECK(error.code() == Code::kTransport);
  CHECK_FALSE(posted);
}

TEST_CASE("an extra_ca that is no certificate is the configuration's fault, before anything is asked") {
  const Folder folder;
  folder.write("ca.pem", "nonsense");
  Server server(good());
  LineOptions options = to(server.url());
  options.extra_ca = folder / "ca.pem";
  CHECK(failure(options).code() == Code::kConfig);
  options.extra_ca = folder / "missing.pem";
  CHECK_THAT(failure(options).what(), Contains("extra_ca") && Contains("missing.pem"));
  CHECK(server.connections() == 0);
}

TEST_CASE("the probe of a page in the hub's place gives its title, status and target") {
  Server server(answering([](const Request&) {
    return http("302 Found", "text/html", "<html><title>Log in\x1b[2J here</title>",
                "Location: http://portal.test/login\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\n");
  }));
  const LineSeen seen = probe_line(to(server.url()), bytes_of("card?"));
  CHECK_FALSE(seen.name_error);
  CHECK(seen.addresses == std::vector<std::string>{"127.0.0.1"});
  REQUIRE(seen.routes.size() == 1);
  const RouteSeen& route = seen.routes.front();
  CHECK(route.route == "direct");
  CHECK(route.connected);
  CHECK(route.tls == TlsSeen::kNone);
  CHECK(route.status == 302);
  CHECK(route.title == "Log in?[2J here");
  CHECK(route.location == "http://portal.test/login");
  CHECK(route.date == "Mon, 23 Nov 2026 10:00:00 GMT");
  CHECK_FALSE(route.works());
  CHECK_FALSE(route.error);
}

TEST_CASE("the probe hands back the hub's answer, and the chain that was shown") {
  const Folder folder;
  const Authority borough(folder, "Borough CA");
  borough.sign("hub", "hub.example", "IP:::ffff:127.0.0.1");
  TlsServer server(borough, "hub", good());
  LineOptions options = to(server.url(kSelf));
  {
    const LineSeen seen = probe_line(options, bytes_of("card?"));
    REQUIRE(seen.routes.size() == 1);
    const RouteSeen& route = seen.routes.front();
    CHECK(route.tls == TlsSeen::kUntrusted);
    REQUIRE_FALSE(route.chain.empty());
    CHECK(route.chain.front().subject == "hub.example");
    CHECK(route.chain.front().issuer == "Borough CA");
    CHECK_THAT(route.chain.front().issuer_name, Contains("O = Borough"));
    CHECK_THAT(route.chain.front().until, Contains("GMT"));
    CHECK(route.error);
    CHECK_FALSE(route.works());
  }
  options.extra_ca = borough.certificate();
  const LineSeen seen = probe_line(options, bytes_of("card?"));
  REQUIRE(seen.routes.size() == 1);
  const RouteSeen& route = seen.routes.front();
  CHECK(route.works());
  CHECK(route.tls == TlsSeen::kTrusted);
  CHECK(route.chain.front().issuer == "Borough CA");
  CHECK(text_of(route.body) == "echo:card?");
  CHECK_THAT(route.address, Contains("127.0.0.1 port " + std::to_string(server.port())));
  CHECK(route.took.count() > 0);
}

TEST_CASE("the probe of a name that is not known says so, with the same error as an exchange") {
  const LineOptions options = to("https://no-such-host.invalid");
  const LineSeen seen = probe_line(options, bytes_of("card?"));
  REQUIRE(seen.name_error);
  REQUIRE(seen.routes.size() == 1);
  REQUIRE(seen.routes.front().error);
  CHECK(seen.routes.front().error->what() == failure(options).what());
}

}  // namespace
}  // namespace towpath
