// Real proxies as schools have them: squid that asks who is there, mitmproxy that opens TLS, and
// scripts that name them.
#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/line/curl_transport.hpp"
#include "agent/line/probe.hpp"
#include "bundle/bundle.hpp"
#include "tests/line/servers.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::answering;
using test::Authority;
using test::Filter;
using test::Folder;
using test::http;
using test::Request;
using test::Server;
using test::Squid;
using test::TlsServer;

// A hub with TLS, known as hub.test to proxies only: what reaches it came through one.
struct Hub {
  Folder folder;
  Authority borough{folder, "Borough CA"};
  std::optional<TlsServer> server;
  Hub() {
    borough.sign("hub", "hub.test", "DNS:hub.test");
    server.emplace(borough, "hub", answering([](const Request& request) {
                     return http("200 OK", std::string(kBundleMediaType), "echo:" + request.body);
                   }));
  }
  [[nodiscard]] LineOptions options() const {
    LineOptions options;
    options.url = server->url("hub.test");
    options.extra_ca = borough.certificate();
    options.pac_program = {TOWPATH_PAC_CHILD};
    return options;
  }
  // A file that only we may read.
  [[nodiscard]] std::string secret(const std::string& name, const std::string& content) const {
    folder.write(name, content);
    std::filesystem::permissions(folder / name, std::filesystem::perms(0600));
    return folder / name;
  }
  [[nodiscard]] std::string script(const std::string& body) const {
    folder.write("proxy.pac", "function FindProxyForURL(url, host) { " + body + " }");
    return "file://" + folder / "proxy.pac";
  }
};

class Memory final : public RouteMemory {
 public:
  std::optional<std::string> key;
  int changes = 0;
  [[nodiscard]] std::optional<std::string> recall() override { return key; }
  void worked(const std::string& found) override {
    key = found;
    ++changes;
  }
};

Result<Reply> ask(const LineOptions& options) {
  CurlTransport line(options);
  return line.exchange(bytes_of("body"));
}

Error failure(const LineOptions& options) {
  auto reply = ask(options);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().sentence().find("telling-password") == std::string::npos);
  return reply.error();
}

TEST_CASE("a proxy that asks who is there: Basic") {
  const Hub hub;
  const Squid squid(hub.folder, Squid::Asks::kBasic);
  LineOptions options = hub.options();
  options.proxy = squid.url();
  const std::string shown = "proxy " + squid.url();

  SECTION("the right user of the file gets through, with or without an end of line") {
    for (const char* line :
         {"towpath:telling-password", "towpath:telling-password\n", "towpath:telling-password\r\n"}) {
      options.proxy_user_file = hub.secret("user", line);
      CurlTransport transport(options);
      const auto reply = transport.exchange(bytes_of("body"));
      INFO((reply ? std::string() : reply.error().sentence()));
      REQUIRE(reply);
      CHECK(text_of(reply->body) == "echo:body");
      CHECK(transport.route() == shown + " (configured)");
      // The way stays open: the second exchange asks the proxy nothing.
      const auto sent = transport.bytes_sent();
      REQUIRE(transport.exchange(bytes_of("body")));
      CHECK(transport.bytes_sent() - sent < 250);
    }
  }
  SECTION("no user, or a wrong one, is told apart, with what the proxy asks for") {
    const Error none = failure(options);
    CHECK_THAT(none.what(), Contains("the " + shown + " asks for a name and a password (it asks for Basic)"));
    CHECK_THAT(none.next(), Contains("[hub] proxy_user_file"));
    options.proxy_user_file = hub.secret("user", "towpath:wrong-telling-password\n");
    const Error wrong = failure(options);
    CHECK_THAT(wrong.what(), Contains("does not accept our name and password"));
    CHECK_THAT(wrong.next(), Contains(options.proxy_user_file));
  }
  SECTION("the environment's own user is used, and never shown") {
    options.proxy = "auto";
    options.environment.https_proxy =
        "http://towpath:telling-password@127.0.0.1:" + std::to_string(squid.port());
    CHECK(ask(options));
    options.environment.https_proxy =
        "http://towpath:telling-password-2@127.0.0.1:" + std::to_string(squid.port());
    const Error error = failure(options);
    CHECK_THAT(error.what(), Contains("does not accept our name and password") && Contains("last resort"));
  }
  SECTION("a file that others can read is refused before anything is sent") {
    options.proxy_user_file = hub.secret("user", "towpath:telling-password\n");
    std::filesystem::permissions(options.proxy_user_file, std::filesystem::perms(0644));
    const Error error = failure(options);
    CHECK(error.code() == Code::kNotPermitted);
    CHECK_THAT(error.next(), Contains("chmod 600"));
    CHECK(hub.server->connections() == 0);
  }
  SECTION("a file that is no user and password is refused without being shown") {
    for (const char* content : {"telling-password\n", "", "a:telling-password\nb:telling-password\n"}) {
      options.proxy_user_file = hub.secret("user", content);
      CHECK(failure(options).code() == Code::kConfig);
    }
  }
  SECTION("a script fetched in clear cannot make us say the password in clear") {
    Server school(answering([&](const Request&) {
      return http(
          "200 OK", "application/x-ns-proxy-autoconfig",
          "function FindProxyForURL() { return 'PROXY 127.0.0.1:" + std::to_string(squid.port()) + "'; }");
    }));
    options.proxy = "auto";
    options.pac_url = school.url() + "/proxy.pac";
    options.proxy_user_file = hub.secret("user", "towpath:telling-password\n");
    CHECK_THAT(failure(options).what(), Contains("Basic is not used"));
    // From a file of this machine, or over https, it is as good as the configuration.
    options.pac_url = hub.script("return 'PROXY 127.0.0.1:" + std::to_string(squid.port()) + "';");
    CHECK(ask(options));
  }
  SECTION("the probe says what the proxy asked for") {
    const LineSeen seen = probe_line(options, bytes_of("card?"));
    REQUIRE(seen.routes.size() == 1);
    CHECK(seen.routes[0].route == shown);
    CHECK(seen.routes[0].origin == "configured");
    CHECK(seen.routes[0].connected);
    CHECK(seen.routes[0].proxy_status == 407);
    CHECK(seen.routes[0].proxy_offers == "Basic");
    CHECK(seen.routes[0].tls == TlsSeen::kNone);
    CHECK(seen.name_error);  // only the proxy knows the name
  }
}

TEST_CASE("a proxy that asks who is there: NTLM, its whole handshake") {
  const Hub hub;
  const Squid squid(hub.folder, Squid::Asks::kNtlm);
  LineOptions options = hub.options();
  options.proxy = squid.url();
  CHECK_THAT(failure(options).what(), Contains("it asks for NTLM"));
  options.proxy_user_file = hub.secret("user", "SCHOOL\\towpath:telling-password\n");
  const auto reply = ask(options);
  INFO((reply ? std::string() : reply.error().sentence()));
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "echo:body");
  // The machine's own account is for Negotiate only, which this proxy does not speak.
  options.proxy_user_file = hub.secret("user", ":\n");
  CHECK_THAT(failure(options).what(), Contains("does not accept this machine's own account"));
}

TEST_CASE("a proxy that does not let through to the hub is told of, with its page") {
  const Hub hub;
  const Squid squid(hub.folder, Squid::Asks::kNobody);
  LineOptions options = hub.options();
  options.proxy = squid.url();
  options.url = hub.server->url("blocked.test");
  const Error blocked = failure(options);
  CHECK(blocked.code() == Code::kBlocked);
  CHECK_THAT(blocked.what(),
             Contains("does not let us through") && Contains("HTTP 403") && Contains("page '"));
  CHECK_THAT(blocked.next(), Contains("blocked.test"));
  const LineSeen seen = probe_line(options, bytes_of("card?"));
  CHECK(seen.routes.front().proxy_status == 403);
  CHECK_FALSE(seen.routes.front().title.empty());

  options.url = "https://unknown.invalid";
  CHECK_THAT(failure(options).what(),
             Contains("does not get through to the hub at unknown.invalid (HTTP 50"));
  options.url = "https://hub.test:" + std::to_string(test::free_port());
  CHECK_THAT(failure(options).what(), Contains("HTTP 503"));
}

TEST_CASE(
    "the ways are tried in order, what worked comes first the next time, and all are named if none does") {
  const Hub hub;
  const Squid squid(hub.folder, Squid::Asks::kNobody);
  const std::string dead = "http://127.0.0.1:" + std::to_string(test::free_port());
  LineOptions options = hub.options();
  options.proxy = dead;
  options.environment.https_proxy = "http://no-such-proxy.invalid:3128";
  Memory memory;
  options.memory = &memory;

  const Error error = failure(options);
  CHECK_THAT(error.what(),
             Contains("no way to the hub at hub.test:") &&
                 Contains("proxy " + dead + " (configured): no connection to the proxy " + dead) &&
                 Contains("refused") &&
                 Contains("no-such-proxy.invalid:3128 (environment): the name of the proxy") &&
                 !Contains("direct"));
  CHECK_THAT(error.next(), Contains("[hub] proxy"));
  CHECK_FALSE(memory.key);

  options.pac_url = hub.script("return 'PROXY 127.0.0.1:" + std::to_string(squid.port()) + "; DIRECT';");
  const std::string through = "proxy " + squid.url() + " (proxy script)";
  {
    CurlTransport line(options);
    REQUIRE(line.exchange(bytes_of("body")));
    REQUIRE(line.exchange(bytes_of("body")));
    CHECK(line.route() == through);
    CHECK(memory.key == through);
    CHECK(memory.changes == 1);
  }
  // Remembered by the next run: the dead ones are not asked again.
  options.proxy = "http://192.0.2.1:9";  // would take the whole time to connect
  options.connect_timeout = std::chrono::seconds(60);
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(ask(options));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));

  const LineSeen seen = probe_line(
      [&] {
        LineOptions all = options;
        all.proxy = dead;
        return all;
      }(),
      bytes_of("card?"));
  REQUIRE(seen.routes.size() == 4);
  CHECK_FALSE(seen.routes[0].connected);
  CHECK(seen.routes[2].works());
  CHECK(seen.routes[2].proxy_status == 200);
  CHECK(seen.routes[3].route == "direct");
  CHECK_THAT(seen.script, Contains("PROXY 127.0.0.1:"));
}

TEST_CASE("a hostile or broken script costs its way only, and is named") {
  const Hub hub;
  LineOptions options = hub.options();
  options.pac_url = hub.script("for (;;);");
  CHECK_THAT(failure(options).what(), Contains("direct (last resort): the name of the hub, hub.test:") &&
                                          Contains("proxy script: the proxy script did not come to an end"));
  options.pac_url = hub.script("return 5;");
  CHECK_THAT(failure(options).what(), Contains("its answer is no text"));
  options.pac_url = "http://127.0.0.1:" + std::to_string(test::free_port()) + "/proxy.pac";
  CHECK_THAT(failure(options).what(), Contains("could not be fetched"));
  Server school(answering([](const Request& request) {
    if (request.header.find("/missing") != std::string::npos)
      return http("404 Not Found", "text/html", "<html>");
    return http("200 OK", "text/plain", std::string(2'000'000, ' '));
  }));
  options.pac_url = school.url() + "/huge";
  CHECK_THAT(failure(options).what(), Contains("larger than 1048576 bytes"));
  options.pac_url = school.url() + "/missing";
  CHECK_THAT(failure(options).what(), Contains("HTTP 404"));
  CHECK_THAT(probe_line(options, bytes_of("x")).script_error->what(), Contains("HTTP 404"));
}

TEST_CASE(
    "a page in place of the hub's answer on one way leads to the next; where all ways end so, it is handed "
    "on") {
  const Hub hub;
  const Squid squid(hub.folder, Squid::Asks::kNobody);
  // A filter whose authority the machine trusts: it answers every request by itself.
  const Filter filter(
      hub.folder, hub.server->port(),
      "from mitmproxy import http\ndef request(flow):\n    flow.response = http.Response.make(200, "
      "b'<html><title>Category: unknown</title>', {'Content-Type': 'text/html'})\n");
  LineOptions options = hub.options();
  const std::string both =
      test::content_of(hub.borough.certificate()) + test::content_of(filter.certificate());
  hub.folder.write("both.pem", both);
  options.extra_ca = hub.folder / "both.pem";
  options.proxy = filter.url();
  {
    const auto reply = ask(options);
    INFO((reply ? std::string() : reply.error().sentence()));
    REQUIRE(reply);
    CHECK(reply->status == 200);
    CHECK_THAT(std::string(text_of(reply->body)), Contains("Category: unknown"));
  }
  options.environment.https_proxy = squid.url();
  CurlTransport line(options);
  const auto reply = line.exchange(bytes_of("body"));
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "echo:body");
  CHECK(line.route() == "proxy " + squid.url() + " (environment)");
}

TEST_CASE(
    "a web filter that opens TLS is named; with its authority in extra_ca the exchange works through it") {
  const Hub hub;
  const Filter filter(hub.folder, hub.server->port());
  LineOptions options = hub.options();
  options.proxy = filter.url();
  const Error error = failure(options);
  CHECK_THAT(error.what(), Contains("was issued by 'mitmproxy', which this machine does not trust") &&
                               Contains("by proxy " + filter.url()));
  CHECK_THAT(error.next(), Contains("web filter") && Contains("[hub] extra_ca"));
  {
    const LineSeen seen = probe_line(options, bytes_of("card?"));
    const RouteSeen& route = seen.routes.front();
    CHECK(route.tls == TlsSeen::kUntrusted);
    CHECK(route.proxy_status == 200);
    REQUIRE_FALSE(route.chain.empty());
    CHECK(route.chain.front().issuer == "mitmproxy");
    CHECK(route.chain.front().subject == "hub.test");
  }
  options.extra_ca = filter.certificate();
  const auto reply = ask(options);
  INFO((reply ? std::string() : reply.error().sentence()));
  REQUIRE(reply);
  CHECK(text_of(reply->body) == "echo:body");
  // The probe shows who opened it, also where it is trusted.
  const LineSeen seen = probe_line(options, bytes_of("card?"));
  CHECK(seen.routes.front().works());
  CHECK(seen.routes.front().chain.front().issuer == "mitmproxy");
}

}  // namespace
}  // namespace towpath
