// Which ways to the hub there are, in which order: the rules of agent/line/README.md.
#include "agent/line/route.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace towpath {
namespace {

using Catch::Contains;
using Strings = std::vector<std::string>;

struct Case {
  LineOptions options;
  int asked = 0;  // how often the script was
  Result<std::string> script = std::string("PROXY script:8080; DIRECT");

  Case() { options.url = "https://hub.example"; }
  Strings routes() {
    RoutePlan plan(options, [this] {
      ++asked;
      return script;
    });
    Strings keys;
    for (std::size_t i = 0; const Route* route = plan.at(i); ++i) keys.push_back(route->key());
    return keys;
  }
};

TEST_CASE("with nothing configured there is one way, direct") { CHECK(Case().routes() == Strings{"direct"}); }

TEST_CASE("auto tries the environment, then the script, then direct") {
  Case c;
  c.options.environment.https_proxy = "http://env:3128";
  c.options.pac_url = "http://wpad/proxy.pac";
  c.script = std::string("PROXY script:8080");
  CHECK(c.routes() == Strings{"proxy http://env:3128 (environment)",
                              "proxy http://script:8080 (proxy script)", "direct (last resort)"});
}

TEST_CASE("a configured proxy comes first, and is not passed by directly unless somebody says so") {
  Case c;
  c.options.proxy = "http://own:8080";
  CHECK(c.routes() == Strings{"proxy http://own:8080 (configured)"});

  c.options.environment.https_proxy = "env:3128";
  c.options.pac_url = "http://wpad/proxy.pac";
  c.script = std::string("PROXY script:8080");
  CHECK(c.routes() == Strings{"proxy http://own:8080 (configured)", "proxy http://env:3128 (environment)",
                              "proxy http://script:8080 (proxy script)"});
  c.script = std::string("PROXY script:8080; DIRECT");
  CHECK(c.routes().back() == "direct (proxy script)");

  c.options.pac_url.clear();
  c.options.environment.no_proxy = "example";
  CHECK(c.routes() == Strings{"proxy http://own:8080 (configured)", "direct (environment)"});
}

TEST_CASE("none is direct only, whatever the environment and the script say") {
  Case c;
  c.options.proxy = "none";
  c.options.environment.https_proxy = "http://env:3128";
  c.options.pac_url = "http://wpad/proxy.pac";
  CHECK(c.routes() == Strings{"direct"});
  CHECK(c.asked == 0);
}

TEST_CASE("a hub on loopback is never proxied; one that only looks like it is") {
  for (const char* url :
       {"http://127.0.0.1:8440", "http://localhost:8440", "http://[::1]:8440", "http://127.9.9.9"}) {
    Case c;
    c.options.url = url;
    c.options.proxy = "http://own:8080";
    CHECK(c.routes() == Strings{"direct"});
  }
  for (const char* url : {"https://localhost.example", "https://127.0.0.1.example", "https://127.example"}) {
    Case c;
    c.options.url = url;
    c.options.proxy = "http://own:8080";
    CHECK(c.routes() == Strings{"proxy http://own:8080 (configured)"});
  }
}

TEST_CASE("the script is asked once, and only when the ways before it are used up") {
  Case c;
  c.options.environment.https_proxy = "http://env:3128";
  c.options.pac_url = "http://wpad/proxy.pac";
  RoutePlan plan(c.options, [&] {
    ++c.asked;
    return c.script;
  });
  CHECK(plan.at(0)->host == "env");
  CHECK(c.asked == 0);
  CHECK(plan.at(1)->host == "script");
  CHECK(plan.at(2)->key() == "direct (proxy script)");
  CHECK(plan.at(3) == nullptr);
  CHECK(c.asked == 1);
  CHECK(plan.find("proxy http://script:8080 (proxy script)") == 1U);
  CHECK_FALSE(plan.find("proxy http://script:8081 (proxy script)"));
}

TEST_CASE("a script that fails costs its way only, and is told of") {
  Case c;
  c.options.pac_url = "http://wpad/proxy.pac";
  c.script = fail(Code::kTransport, "it broke");
  RoutePlan plan(c.options, [&] { return c.script; });
  CHECK(plan.at(0)->key() == "direct (last resort)");
  CHECK(plan.at(1) == nullptr);
  REQUIRE(plan.script_error());
  CHECK(plan.script_error()->what() == "it broke");
}

TEST_CASE("the same proxy named twice is tried once") {
  Case c;
  c.options.proxy = "http://proxy:3128";
  c.options.environment.https_proxy = "PROXY:3128";
  c.options.pac_url = "http://wpad/proxy.pac";
  c.script = std::string("PROXY proxy:3128; PROXY proxy:3129; DIRECT; DIRECT");
  CHECK(c.routes().size() == 3);
}

TEST_CASE("all_proxy counts where https_proxy is not set; http_proxy never for https") {
  Case c;
  c.options.environment.http_proxy = "http://http:1";
  CHECK(c.routes() == Strings{"direct"});
  c.options.environment.all_proxy = "socks5://all:1080";
  CHECK(c.routes().front() == "proxy socks5h://all:1080 (environment)");
  c.options.environment.https_proxy = "https:1";
  CHECK(c.routes().front() == "proxy http://https:1 (environment)");
}

TEST_CASE("a proxy's address is read with its scheme, port and user; the user is not shown") {
  const auto read = [](const char* text) { return parse_proxy(text, RouteOrigin::kEnvironment); };
  CHECK(read("http://proxy:8080")->address() == "http://proxy:8080");
  CHECK(read(" Proxy.School.example:8080/ ")->address() == "http://proxy.school.example:8080");
  CHECK(read("https://proxy")->address() == "https://proxy:443");
  CHECK(read("socks4://proxy")->address() == "socks4a://proxy:1080");
  CHECK(read("http://[fe80::1]:8080")->address() == "http://[fe80::1]:8080");
  const auto route = read("http://us%40er:p%3Aa@ss@proxy:8080");
  REQUIRE(route);
  REQUIRE(route->user);
  CHECK(route->user->secret_name() == "us@er");
  CHECK(route->user->secret_password() == "p:a@ss");
  for (const std::string& text : {route->key(), route->shown(), route->address()}) {
    CHECK(text.find("ss") == std::string::npos);
    CHECK(text.find("us@er") == std::string::npos);
  }
  for (const char* text : {"", "ftp://proxy:1", "http://", "http://:8080", "proxy:0", "proxy:65536",
                           "proxy:80a", "pro xy:80", "proxy\n:80", "[::1:80", "[::1]80"})
    CHECK_FALSE(read(text));
}

TEST_CASE("a script's answer is read as browsers read it") {
  const auto read = [](const std::string& text) {
    Strings keys;
    const auto routes = parse_script_answer(text);
    if (!routes) return Strings{"error: " + routes.error().what()};
    for (const Route& route : *routes) keys.push_back(route.shown());
    return keys;
  };
  CHECK(read("DIRECT") == Strings{"direct"});
  CHECK(read("proxy a:8080 ;  Direct ;") == Strings{"proxy http://a:8080", "direct"});
  CHECK(read("PROXY a:1; HTTP b:2; HTTPS c:3; SOCKS d:4; SOCKS4 e:5; SOCKS5 f:6") ==
        Strings{"proxy http://a:1", "proxy http://b:2", "proxy https://c:3", "proxy socks5h://d:4",
                "proxy socks4a://e:5", "proxy socks5h://f:6"});
  CHECK(read("QUIC a:1; PROXY; PROXY b:99999; PROXY c:1") == Strings{"proxy http://c:1"});
  // It may not say who we are, nor hide a place in a path.
  CHECK(read("PROXY me:secret@a:1; PROXY b:1/c; PROXY d:1") == Strings{"proxy http://d:1"});
  for (const char* text : {"", ";;;", "NONSENSE", "DIRECT nowhere", "\x1b[31mPROXY"})
    CHECK_THAT(read(text).front(), Contains("names no proxy") && !Contains("\x1b"));
  std::string many;
  for (int i = 1; i < 100; ++i) many += "PROXY p:" + std::to_string(i) + ";";
  CHECK(read(many).size() == kRoutesMax);
}

TEST_CASE("no_proxy names hosts, what they end in, and everything") {
  CHECK(excepted("hub.example", "hub.example"));
  CHECK(excepted("a, .EXAMPLE ,b", "hub.example"));
  CHECK(excepted("example", "Hub.Example"));
  CHECK(excepted("*", "hub.example"));
  CHECK(excepted("10.0.0.7", "10.0.0.7"));
  CHECK_FALSE(excepted("", "hub.example"));
  CHECK_FALSE(excepted("ub.example", "hub.example"));
  CHECK_FALSE(excepted("hub.example.org", "hub.example"));
}

}  // namespace
}  // namespace towpath
