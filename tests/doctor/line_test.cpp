// `towpath doctor` where the line is a school's: squid that asks who is there, mitmproxy that opens
// TLS, a page in the hub's place, a proxy script, and a hub that is stopped.
#include <catch2/catch.hpp>

#include "tests/line/servers.hpp"

namespace towpath::test {
namespace {

using Catch::Contains;

// A hub with a borough's certificate, known as hub.test to proxies only, and a school that is
// configured to reach it.
struct School {
  School()
      : hub(folder, {"--tls-certificate", signed_hub(), "--tls-key", borough.key("hub")}), agent(folder) {}

  [[nodiscard]] std::string url() const { return "https://hub.test:" + std::to_string(hub.port()); }
  // `line`: keys of [hub] beside its url.
  void configure(const std::string& line) const {
    agent.configure(Agent::head(url()) + line +
                    "[[source]]\nname = \"demo\"\nkind = \"demo\"\nseed = 5\npupils = 20\n");
  }
  // Enrols by the line that is configured.
  void enrol_here() const { enrol(hub, agent); }
  [[nodiscard]] std::string ca(const std::string& file) const { return "extra_ca = \"" + file + "\"\n"; }
  void user(const std::string& line) const {
    folder.write("user", line);
    fs::permissions(folder / "user", fs::perms(0600));
  }

  Folder folder;
  Authority borough{folder, "Borough CA"};
  Hub hub;
  Agent agent;

 private:
  std::string signed_hub() const {
    borough.sign("hub", "hub.test", "DNS:hub.test");
    return borough.pem("hub");
  }
};

std::string proxy(const std::string& url) { return "proxy = \"" + url + "\"\n"; }

// What doctor said, found by check.
class Said {
 public:
  explicit Said(const Agent& agent) {
    const Ended ended = agent.call({"doctor", "--json"});
    document_ = ended.json();
    CHECK(ended.code == document_["exit_code"]);
    CHECK((ended.out + ended.err).find("telling-password") == std::string::npos);
    for (const Json& finding : document_["findings"])
      if (finding["light"] != "GREEN") {
        INFO(finding.dump());
        CHECK_FALSE(finding["next"].get<std::string>().empty());
      }
  }
  [[nodiscard]] Json of(const std::string& check, std::size_t number = 0) const {
    for (const Json& finding : document_["findings"])
      if (finding["check"] == check && number-- == 0) return finding;
    return {{"kind", "none"}, {"what", ""}, {"next", ""}, {"value", ""}, {"light", ""}};
  }
  [[nodiscard]] std::string kind(const std::string& check, std::size_t number = 0) const {
    return text(check, "kind", number);
  }
  [[nodiscard]] std::string text(const std::string& check, const std::string& key,
                                 std::size_t number = 0) const {
    return of(check, number)[key].get<std::string>();
  }
  [[nodiscard]] int code() const { return document_["exit_code"].get<int>(); }
  // From the line's first finding to its last, all is well.
  void check_reaches_hub() const {
    INFO(document_.dump(2));
    CHECK(text("route", "light") == "GREEN");
    CHECK(kind("hub-key") == "fits");
    CHECK(kind("credential") == "accepted");
    CHECK(kind("clock") == "fine");
    CHECK(code() != 1);
  }

 private:
  Json document_;
};

TEST_CASE("doctor at a proxy that asks who is there: no user, a wrong one, the right one") {
  const School at;
  const Squid squid(at.folder, Squid::Asks::kBasic);
  const std::string line = proxy(squid.url()) + at.ca(at.borough.certificate());
  at.configure(line);
  {
    const Said said(at.agent);
    CHECK(said.code() == 1);
    CHECK(said.kind("route") == "proxy-asks-user");
    CHECK_THAT(said.text("route", "what"), Contains(squid.url()) && Contains("Basic"));
    CHECK_THAT(said.text("route", "next"), Contains("hub.proxy_user_file"));
  }
  at.configure(line + "proxy_user_file = \"user\"\n");
  at.user("towpath:wrong-telling-password\n");
  {
    const Said said(at.agent);
    CHECK(said.code() == 1);
    CHECK(said.kind("route") == "proxy-refuses-user");
    CHECK_THAT(said.text("route", "what"), Contains("does not accept our user and password"));
    CHECK_THAT(said.text("route", "next"), Contains(at.folder / "user"));
    CHECK(said.kind("hub-key") == "none");
  }
  at.user("towpath:telling-password\n");
  CHECK(Said(at.agent).kind("hub-key") == "not-pinned");
  at.enrol_here();
  const Said said(at.agent);
  said.check_reaches_hub();
  CHECK_THAT(said.text("route", "what"), Contains("proxy " + squid.url()) && Contains("is what is used"));
  // Nobody but the proxy knows the name, and the certificate is the borough's own.
  CHECK(said.kind("name") == "only-proxy-knows");
  CHECK(said.kind("tls") == "private-trusted");
  CHECK_THAT(said.text("tls", "what"), Contains("'Borough CA'"));
}

TEST_CASE("doctor behind a web filter that opens TLS names it, and says what is safe and what is missing") {
  const School at;
  const Filter filter(at.folder, at.hub.port());
  at.configure(proxy(filter.url()));
  {
    const Said said(at.agent);
    CHECK(said.code() == 1);
    CHECK(said.kind("route") == "tls-untrusted");
    CHECK(said.kind("tls") == "opened-untrusted");
    CHECK_THAT(said.text("tls", "what"), Contains("your web filter 'mitmproxy' opens this connection") &&
                                             Contains("does not trust it") && Contains("safe here"));
    CHECK_THAT(said.text("tls", "next"), Contains("hub.test") && Contains("hub.extra_ca"));
  }
  at.configure(proxy(filter.url()) + at.ca(filter.certificate()));
  at.enrol_here();
  const Said said(at.agent);
  said.check_reaches_hub();
  CHECK(said.kind("tls") == "opened-trusted");
  CHECK_THAT(said.text("tls", "what"),
             Contains("your web filter 'mitmproxy' opens this connection; that is safe here"));
}

TEST_CASE("doctor where a page with status 200 comes in the hub's place names the page") {
  const School at;
  const Filter filter(
      at.folder, at.hub.port(),
      "from mitmproxy import http\ndef request(flow):\n    flow.response = http.Response.make(200, "
      "b'<html><title>SchoolGuard: category unknown</title>', {'Content-Type': 'text/html'})\n");
  at.configure(proxy(filter.url()) + at.ca(filter.certificate()));
  const Said said(at.agent);
  CHECK(said.code() == 1);
  CHECK(said.kind("route") == "blocked");
  CHECK_THAT(
      said.text("route", "what"),
      Contains("a page titled 'SchoolGuard: category unknown' came instead of the hub, with status 200"));
  CHECK_THAT(said.text("route", "next"), Contains("hub.test"));
  CHECK(said.kind("hub-key") == "none");
  CHECK(said.kind("credential") == "none");
}

TEST_CASE("doctor with a proxy script says what the script answered, and which way works") {
  const School at;
  const Squid squid(at.folder, Squid::Asks::kNobody);
  const std::string through = "PROXY 127.0.0.1:" + std::to_string(squid.port());
  const Server school(answering([&](const Request&) {
    return http(
        "200 OK", "application/x-ns-proxy-autoconfig",
        "function FindProxyForURL(url, host) { return dnsDomainIs(host, '.test') ? 'PROXY 127.0.0.1:9; " +
            through + "' : 'DIRECT'; }");
  }));
  at.configure("pac_url = \"" + school.url() + "/proxy.pac\"\n" + at.ca(at.borough.certificate()));
  at.enrol_here();
  const Said said(at.agent);
  CHECK(said.kind("proxy-script") == "answered");
  CHECK_THAT(said.text("proxy-script", "value"), Contains(through));
  // The first way of the script leads nowhere; that costs its waiting, and is told.
  CHECK(said.kind("route", 0) == "no-connection");
  CHECK(said.text("route", "light", 0) == "AMBER");
  CHECK(said.kind("route", 1) == "works");
  CHECK_THAT(said.text("route", "what", 1), Contains("proxy " + squid.url()) && Contains("script"));
  CHECK(said.kind("hub-key") == "fits");
  CHECK(said.kind("credential") == "accepted");
  CHECK(said.code() == 4);

  at.configure("pac_url = \"http://127.0.0.1:" + std::to_string(free_port()) + "/proxy.pac\"\n");
  const Said gone(at.agent);
  CHECK(gone.kind("proxy-script") == "failed");
  CHECK_THAT(gone.text("proxy-script", "what"), Contains("could not be fetched"));
  CHECK(gone.code() == 1);
}

TEST_CASE("doctor with a key that cannot be used, or that is gone, is red and changes nothing") {
  School at;
  const Squid squid(at.folder, Squid::Asks::kNobody);
  at.configure(proxy(squid.url()) + at.ca(at.borough.certificate()));
  at.enrol_here();
  const std::string key = at.folder / "data/identity/agent.key";
  REQUIRE(fs::exists(key));
  at.folder.write("data/identity/agent.key", "garbage");
  {
    const Said said(at.agent);
    CHECK(said.code() == 1);
    CHECK(said.kind("identity") == "not-usable");
    CHECK(said.text("identity", "light") == "RED");
    CHECK(said.kind("credential") == "none");
  }
  fs::remove(key);
  const Said said(at.agent);
  CHECK(said.code() == 1);
  CHECK_THAT(said.text("identity", "what"), Contains("agent.key"));
  CHECK_FALSE(fs::exists(key));
}

TEST_CASE("doctor on the hub's own machine, with the hub stopped, asks whether it runs and names no proxy") {
  const Folder folder;
  const Agent agent(folder);
  agent.configure(Agent::head("http://127.0.0.1:" + std::to_string(free_port())) +
                  "[[source]]\nname = \"demo\"\nkind = \"demo\"\nseed = 5\npupils = 20\n");
  const Said said(agent);
  CHECK(said.code() == 1);
  CHECK(said.kind("route") == "no-connection");
  CHECK_THAT(said.text("route", "what"), Contains("Connection refused"));
  CHECK(said.text("route", "next") == "Check that the hub is running, and that no firewall is in the way");
}

TEST_CASE("doctor with a hub that is stopped says how far each way came") {
  School at;
  const Squid squid(at.folder, Squid::Asks::kNobody);
  at.configure(proxy(squid.url()) + at.ca(at.borough.certificate()));
  at.enrol_here();
  Said(at.agent).check_reaches_hub();
  at.hub.stop();
  const Said said(at.agent);
  CHECK(said.code() == 1);
  CHECK(said.kind("route") == "proxy-cannot-reach");
  CHECK_THAT(said.text("route", "what"), Contains("status 503"));
  CHECK_THAT(said.text("route", "next"), Contains("whether it runs"));
  CHECK(said.kind("hub-key") == "none");
}

}  // namespace
}  // namespace towpath::test
