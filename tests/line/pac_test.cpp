// Proxy scripts: what they may ask, and each way in which one can be broken or hostile.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <string>

#include "agent/line/pac/pac_child.hpp"
#include "agent/line/pac/pac_script.hpp"

namespace towpath {
namespace {

using Catch::Contains;

class FakeWorld final : public PacWorld {
 public:
  int lookups = 0;
  // Monday, 23 November 2026, 10:30:15 UTC.
  Instant time{std::chrono::milliseconds(1795429815000)};
  [[nodiscard]] std::string ipv4_of(const std::string& name) override {
    ++lookups;
    if (name == "hub.example") return "203.0.113.7";
    if (name == "intranet") return "10.1.2.3";
    return {};
  }
  [[nodiscard]] std::string own_ipv4() override { return "10.1.2.99"; }
  [[nodiscard]] Instant now() override { return time; }
};

Result<std::string> answer(const std::string& script, const std::string& host = "hub.example") {
  FakeWorld world;
  return evaluate_pac(script, "https://" + host + "/", host, world);
}

// The value of one expression, as text.
std::string value(const std::string& expression) {
  const auto said = answer("function FindProxyForURL(url, host) { return String(" + expression + "); }");
  return said ? *said : "error: " + said.error().what();
}

TEST_CASE("a script chooses a proxy by host and url") {
  const std::string script =
      "function FindProxyForURL(url, host) {\n"
      "  if (isPlainHostName(host)) return 'DIRECT';\n"
      "  if (shExpMatch(url, 'https://*.example/*')) return 'PROXY proxy:8080; DIRECT';\n"
      "  return 'DIRECT';\n}";
  CHECK(*answer(script) == "PROXY proxy:8080; DIRECT");
  CHECK(*answer(script, "intranet") == "DIRECT");
  CHECK(*answer("function FindProxyForURL(u, h) { return u + ' ' + h; }") ==
        "https://hub.example/ hub.example");
}

TEST_CASE("the standard functions say what browsers' say") {
  const auto [expression, wanted] = GENERATE(table<const char*, const char*>({
      {"isPlainHostName('intranet')", "true"},
      {"isPlainHostName('hub.example')", "false"},
      {"dnsDomainIs('www.hub.example', '.hub.example')", "true"},
      {"dnsDomainIs('WWW.Hub.Example', '.hub.example')", "true"},
      {"dnsDomainIs('hub.example.org', '.example')", "false"},
      {"dnsDomainIs('a', 'longer.than.the.host')", "false"},
      {"localHostOrDomainIs('www', 'www.hub.example')", "true"},
      {"localHostOrDomainIs('www.hub.example', 'www.hub.example')", "true"},
      {"localHostOrDomainIs('www.other.example', 'www.hub.example')", "false"},
      {"localHostOrDomainIs('ww', 'www.hub.example')", "false"},
      {"isResolvable('hub.example')", "true"},
      {"isResolvable('nowhere.example')", "false"},
      {"dnsResolve('hub.example')", "203.0.113.7"},
      {"dnsResolve('10.9.8.7')", "10.9.8.7"},
      {"dnsResolve('nowhere.example')", "null"},
      {"myIpAddress()", "10.1.2.99"},
      {"isInNet('intranet', '10.1.0.0', '255.255.0.0')", "true"},
      {"isInNet('10.1.2.3', '10.1.2.3', '255.255.255.255')", "true"},
      {"isInNet('hub.example', '10.0.0.0', '255.0.0.0')", "false"},
      {"isInNet('nowhere.example', '0.0.0.0', '0.0.0.0')", "false"},
      {"isInNet(myIpAddress(), '10.1.2.0', '255.255.255.0')", "true"},
      {"isInNet('10.1.2.3', 'nonsense', '255.0.0.0')", "false"},
      {"dnsDomainLevels('www')", "0"},
      {"dnsDomainLevels('www.hub.example')", "2"},
      {"convert_addr('104.16.41.2')", "1745889538"},
      {"convert_addr('255.255.255.255')", "4294967295"},
      {"convert_addr('256.1.1.1')", "0"},
      {"shExpMatch('http://home/people/a.html', '*/people/*')", "true"},
      {"shExpMatch('http://home/people/a.html', '*/men/*')", "false"},
      {"shExpMatch('hub.example', 'hub.?xample')", "true"},
      {"shExpMatch('hubXexample', 'hub.example')", "false"},
      {"shExpMatch('a+b(c)[d]{e}^$|', 'a+b(c)[d]{e}^$|')", "true"},
      {"shExpMatch('', '*')", "true"},
      {"shExpMatch('a', '')", "false"},
      {"shExpMatch('aXbXc', 'a*b*c*')", "true"},
      {"weekdayRange('MON', 'GMT')", "true"},
      {"weekdayRange('TUE', 'GMT')", "false"},
      {"weekdayRange('MON', 'FRI', 'GMT')", "true"},
      {"weekdayRange('SAT', 'MON', 'GMT')", "true"},
      {"weekdayRange('SAT', 'SUN', 'GMT')", "false"},
      {"weekdayRange('nonsense', 'GMT')", "false"},
      {"timeRange(10, 'GMT')", "true"},
      {"timeRange(11, 'GMT')", "false"},
      {"timeRange(8, 18, 'GMT')", "true"},
      {"timeRange(22, 6, 'GMT')", "false"},
      {"timeRange(22, 11, 'GMT')", "true"},
      {"timeRange(10, 30, 10, 30, 'GMT')", "true"},
      {"timeRange(10, 31, 12, 0, 'GMT')", "false"},
      {"timeRange(10, 30, 15, 10, 30, 16, 'GMT')", "true"},
      {"timeRange(10, 30, 16, 10, 30, 20, 'GMT')", "false"},
      {"timeRange(1, 2, 3, 'GMT')", "false"},
      {"dateRange(23, 'GMT')", "true"},
      {"dateRange(24, 'GMT')", "false"},
      {"dateRange('NOV', 'GMT')", "true"},
      {"dateRange(2026, 'GMT')", "true"},
      {"dateRange(20, 25, 'GMT')", "true"},
      {"dateRange('SEP', 'JUL', 'GMT')", "true"},
      {"dateRange('APR', 'AUG', 'GMT')", "false"},
      {"dateRange(1, 'NOV', 30, 'NOV', 'GMT')", "true"},
      {"dateRange(24, 'NOV', 5, 'JAN', 'GMT')", "false"},
      {"dateRange('NOV', 2026, 'JAN', 2027, 'GMT')", "true"},
      {"dateRange(24, 'NOV', 2025, 22, 'NOV', 2026, 'GMT')", "false"},
      {"dateRange(24, 'NOV', 2025, 23, 'NOV', 2026, 'GMT')", "true"},
      {"dateRange(1, 'NOV', 2, 'GMT')", "false"},
      {"alert('no harm')", "undefined"},
  }));
  INFO(expression);
  CHECK(value(expression) == wanted);
}

TEST_CASE("no answer means direct, and any other answer that is no text is refused") {
  CHECK(*answer("function FindProxyForURL() {}") == "DIRECT");
  CHECK(*answer("function FindProxyForURL() { return null; }") == "DIRECT");
  for (const char* wrong : {"42", "{}", "['PROXY a:1']", "function () {}", "true"}) {
    const auto said = answer(std::string("function FindProxyForURL() { return ") + wrong + "; }");
    REQUIRE_FALSE(said);
    CHECK_THAT(said.error().what(), Contains("is no text"));
  }
}

TEST_CASE("a script that is wrong is told of in its own words") {
  CHECK_THAT(answer("function FindProxyForURL( {").error().what(), Contains("SyntaxError"));
  CHECK_THAT(answer("").error().what(), Contains("no function FindProxyForURL"));
  CHECK_THAT(answer("var FindProxyForURL = 1;").error().what(), Contains("no function FindProxyForURL"));
  CHECK_THAT(answer("function FindProxyForURL() { return nonsense(); }").error().what(),
             Contains("nonsense"));
  CHECK_THAT(answer("throw 'by itself';").error().what(), Contains("by itself"));
  CHECK_THAT(answer("function FindProxyForURL() { return 1 + FindProxyForURL(); }").error().what(),
             Contains("RangeError"));
  CHECK_FALSE(answer("function FindProxyForURL() { throw { toString: function () { throw 1; } }; }"));
  CHECK_THAT(
      answer("Object.defineProperty(this, 'FindProxyForURL', { get: function () { throw Error('mine'); } });")
          .error()
          .what(),
      Contains("mine"));
  CHECK_FALSE(answer(std::string("\0\xff\xfe(", 4)));
}

TEST_CASE("an old script with a byte order mark or Latin-1 comments is read") {
  const std::string body = "function FindProxyForURL() { return 'DIRECT'; }";
  CHECK(*answer("\xef\xbb\xbf" + body) == "DIRECT");
  CHECK(*answer("// Caf\xe9\n" + body) == "DIRECT");
  CHECK(*answer("// Caf\xc3\xa9\n" + body) == "DIRECT");
}

TEST_CASE("a script that wants all memory is stopped at its heap's end") {
  for (const char* hog :
       {"var a = []; for (;;) a.push(new Uint8Array(1e6));", "var s = 'x'; for (;;) s += s;",
        "var a = new Uint8Array(1e9);", "var a = []; a.length = 1e9; for (;;) a.push([a]);"}) {
    const auto said = answer(std::string("function FindProxyForURL() { ") + hog + " }");
    REQUIRE_FALSE(said);
    INFO(hog << said.error().what());
    CHECK((said.error().code() == Code::kTooLarge || said.error().code() == Code::kBadInput));
  }
  CHECK_THAT(answer("function FindProxyForURL() { var a = []; for (;;) a.push(new Uint8Array(1e6)); }")
                 .error()
                 .what(),
             Contains("64 MB"));
}

TEST_CASE("a script cannot use this machine to flood somebody's DNS") {
  FakeWorld world;
  const auto said = evaluate_pac(
      "function FindProxyForURL() { for (var i = 0; i < 1000; ++i) dnsResolve('n' + i + '.example'); return "
      "'DIRECT'; }",
      "https://hub.example/", "hub.example", world);
  CHECK(*said == "DIRECT");
  CHECK(world.lookups == kPacLookupsMax);
}

TEST_CASE("a script cannot reach the world behind its helpers, and an answer has an end") {
  CHECK(value("typeof require + typeof process + typeof print + typeof load") ==
        "undefinedundefinedundefinedundefined");
  CHECK_THAT(value("new Array(10000).join('x')"), Contains("longer than 4096"));
}

Result<std::string> in_child(const std::string& script, const std::atomic<bool>* stop = nullptr) {
  return evaluate_in_child({TOWPATH_PAC_CHILD}, script, "https://hub.example/", "hub.example", stop);
}

TEST_CASE("a script in a child process gives its answer, or its fault as a sentence") {
  CHECK(*in_child("function FindProxyForURL(u, h) { return 'PROXY ' + h + ':1'; }") == "PROXY hub.example:1");
  const std::string padding(900'000, ' ');
  CHECK(*in_child("function FindProxyForURL(u, h) { return u; }" + padding) == "https://hub.example/");
  CHECK_THAT(in_child("function FindProxyForURL() { return 1; }").error().what(),
             Contains("the proxy script is of no use: its answer is no text"));
  CHECK_THAT(in_child(std::string(2'000'000, ' ')).error().what(), Contains("larger than 1048576 bytes"));
  CHECK_THAT(in_child("throw '\x1b[2J\\nfine';").error().what(), !Contains("\x1b") && !Contains("\n"));
}

TEST_CASE("an endless loop costs two seconds of processor time and no more") {
  const auto began = std::chrono::steady_clock::now();
  const auto said = in_child("function FindProxyForURL() { for (;;); }");
  const auto took = std::chrono::steady_clock::now() - began;
  REQUIRE_FALSE(said);
  CHECK(said.error().code() == Code::kTransport);
  CHECK_THAT(said.error().what(), Contains("did not come to an end within"));
  CHECK(took < kPacWallMax + std::chrono::seconds(2));
  // The same where the engine itself loops, out of reach of any check between two statements.
  CHECK_THAT(in_child("function FindProxyForURL() { return /^(a+)+$/.test(new Array(60).join('a') + 'b'); }")
                 .error()
                 .what(),
             Contains("the proxy script"));
}

TEST_CASE("a memory hog in a child process ends with a sentence") {
  CHECK_THAT(in_child("function FindProxyForURL() { var a = []; for (;;) a.push(new Uint8Array(1e6)); }")
                 .error()
                 .what(),
             Contains("wants more than 64 MB of memory"));
}

TEST_CASE("a stop ends an endless script at once") {
  std::atomic<bool> stop{true};
  const auto began = std::chrono::steady_clock::now();
  const auto said = in_child("function FindProxyForURL() { for (;;); }", &stop);
  REQUIRE_FALSE(said);
  CHECK(said.error().code() == Code::kStopped);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
}

TEST_CASE("a program that cannot evaluate, or is not there, is told of") {
  const auto with = [](const char* program) {
    return evaluate_in_child({program}, "", "https://hub.example/", "hub.example", nullptr);
  };
  CHECK_THAT(with("/nonexistent/towpath").error().what(), Contains("/nonexistent/towpath"));
  CHECK_THAT(with("/bin/true").error().what(), Contains("could not be evaluated"));
  CHECK_THAT(with("/usr/bin/yes").error().what(), Contains("broke the program"));
}

TEST_CASE("the child gets nothing of ours but the time zone") {
  ::setenv("TOWPATH_TEST_SECRET", "telling", 1);
  const auto said = evaluate_in_child({"/usr/bin/env"}, "", "u", "h", nullptr);
  ::unsetenv("TOWPATH_TEST_SECRET");
  REQUIRE_FALSE(said);
  CHECK_THAT(said.error().what(), !Contains("telling"));
}

}  // namespace
}  // namespace towpath
