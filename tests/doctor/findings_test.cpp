#include "agent/doctor/findings.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/trust/trust_world.hpp"

namespace towpath::doctor {
namespace {

using Catch::Contains;
using platform::PathKind;
using namespace std::chrono_literals;

const Instant kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 9h;

PartySecret party(std::uint64_t seed) {
  SeededRandom random(seed);
  return PartySecret::make(random);
}

FolderFacts folder(const std::string& path) {
  FolderFacts out{path, {}, true};
  out.seen.kind = PathKind::kFolder;
  out.seen.mode = 0700;
  out.seen.owner = "towpath";
  out.seen.ours = out.seen.may_read = out.seen.may_write = true;
  out.seen.file_system = "ext4";
  return out;
}

RouteSeen working(const std::string& route) {
  RouteSeen out;
  out.route = route;
  out.connected = true;
  out.tls = TlsSeen::kTrusted;
  out.chain = {{"hub.example", "R11", "CN = hub.example", "CN = R11, O = Let's Encrypt", "2026", "2027"}};
  out.status = 200;
  out.content_type = "application/vnd.towpath.bundle";
  out.body = {'T', 'P', 'c', 'a'};
  out.took = 120ms;
  return out;
}

RouteSeen broken(const std::string& route) {
  RouteSeen out;
  out.route = route;
  return out;
}

// A school where everything is as it should be.
Facts fine() {
  Facts f;
  f.now = kNow;
  f.config = {"/etc/towpath/towpath.toml", {}, 1, "https://hub.example", {}};
  f.user = UserFacts{false, "towpath", false, true};
  f.data = folder("/var/lib/towpath");
  f.disk = DiskFacts{90'000'000'000, 500'000'000};
  f.store = StoreFacts{true, {}, {}, 42'000'000};
  f.sources = {{"mis", "oneroster-csv", "/exports/or", {}, 9, kNow - 5h}};
  f.schedule = ScheduleFacts{true, true, 0, Date::from_ymd(2027, 4, 1), {}};
  f.service = ServiceFacts{true, {}};
  IdentityFacts identity;
  identity.folder = folder("/var/lib/towpath/identity");
  identity.files = {folder("/var/lib/towpath/identity/agent.key")};
  identity.files[0].seen.kind = PathKind::kFile;
  identity.files[0].seen.mode = 0600;
  identity.enrolled = true;
  identity.hub = party(1).key();
  f.identity = identity;
  LineFacts line;
  line.seen.host = "hub.example:443";
  line.seen.addresses = {"192.0.2.7"};
  line.seen.routes = {working("direct")};
  line.cards = {{HubCard{party(1).key(), kNow + 3s, "towpath-hub"}, false}};
  line.heard = kNow;
  f.line = line;
  f.credential = CredentialFacts{true, true, {}};
  return f;
}

// The findings of one check, worst first.
std::vector<Finding> of(const Facts& facts, std::string_view check) {
  std::vector<Finding> out;
  for (Finding& finding : judge(facts))
    if (finding.check == check) out.push_back(std::move(finding));
  std::stable_sort(out.begin(), out.end(),
                   [](const Finding& a, const Finding& b) { return a.light > b.light; });
  return out;
}
Finding one(const Facts& facts, std::string_view check) {
  const auto found = of(facts, check);
  INFO(check);
  REQUIRE(found.size() >= 1);
  return found.front();
}
// It is said in this light, of this kind, and a person is told what to do.
void expect(const Facts& facts, std::string_view check, std::string_view kind, Light light) {
  const Finding finding = one(facts, check);
  INFO(finding.what << " / " << finding.next);
  CHECK(finding.kind.text() == kind);
  CHECK(finding.light == light);
  CHECK_FALSE(finding.what.empty());
  if (light != Light::kGreen) CHECK_FALSE(finding.next.empty());
  for (const std::string& line : lines(judge(facts)))
    if (line.find('/') == std::string::npos) CHECK(line.size() <= 80);
}

TEST_CASE("where everything is as it should be, every finding is green and the exit code is 0") {
  const auto findings = judge(fine());
  for (const Finding& finding : findings) {
    INFO(finding.check.text() << " " << finding.what);
    CHECK(finding.light == Light::kGreen);
  }
  CHECK(exit_code(findings) == 0);
  std::vector<std::string_view> checks;
  for (const Finding& finding : findings) checks.push_back(finding.check.text());
  CHECK(checks == std::vector<std::string_view>{"configuration", "user", "data-folder", "disk", "store",
                                                "source", "schedule", "service", "identity", "name", "route",
                                                "tls", "clock", "hub-key", "credential"});
}

TEST_CASE("something to look at is 4, what cannot work is 1, and a wrong configuration is 78") {
  Facts f = fine();
  f.service->running = false;
  CHECK(exit_code(judge(f)) == 4);
  f.disk->free_bytes = 0;
  CHECK(exit_code(judge(f)) == 1);
  f.config.problems = {{7, "agent.dta is not known", "Did you mean 'data'?"}};
  CHECK(exit_code(judge(f)) == 78);
}

TEST_CASE("each problem of the configuration is a finding with its line") {
  Facts f;
  f.now = kNow;
  f.config.file = "t.toml";
  f.config.problems = {{7, "agent.dta is not known", "Did you mean 'data'?"},
                       {0, "there is no [school]", "Add it"}};
  const auto found = of(f, "configuration");
  REQUIRE(found.size() == 2);
  CHECK(found[0].what == "line 7: agent.dta is not known");
  CHECK(found[0].next == "Did you mean 'data'?");
  CHECK(found[1].what == "there is no [school]");
  CHECK(judge(f).size() == 2);
}

TEST_CASE("doctor says as whom it works, and warns where the service could not open root's folder") {
  Facts f = fine();
  f.user = UserFacts{true, "towpath", false, true};
  expect(f, "user", "became-owner", Light::kGreen);
  f.user = UserFacts{true, "root", true, false};
  expect(f, "user", "root", Light::kGreen);
  f.user->service_user_exists = true;
  expect(f, "user", "root-owns", Light::kAmber);
  CHECK_THAT(one(f, "user").next, Contains("chown -R towpath: /var/lib/towpath"));
}

TEST_CASE("a data folder that cannot be used is red, and one that others may read is amber") {
  Facts f = fine();
  f.data->seen.network = true;
  f.data->seen.file_system = "cifs";
  expect(f, "data-folder", "network", Light::kRed);
  CHECK_THAT(one(f, "data-folder").what, Contains("cifs"));
  f = fine();
  f.data->seen.may_write = false;
  f.data->seen.ours = false;
  f.data->seen.owner = "root";
  expect(f, "data-folder", "not-writable", Light::kRed);
  CHECK_THAT(one(f, "data-folder").what, Contains("belongs to root, mode 0700"));
  CHECK(one(f, "data-folder").next == "sudo chown -R towpath: /var/lib/towpath");
  // Anybody else who looks must not be told to take the folder away from the service.
  f.user->user = "nobody";
  f.data->seen.owner = "towpath";
  expect(f, "data-folder", "not-writable", Light::kRed);
  CHECK(one(f, "data-folder").next == "Run this as the user towpath, or with sudo");
  f.data->seen.may_write = true;
  expect(f, "data-folder", "not-ours", Light::kAmber);
  f = fine();
  f.data->seen.mode = 0755;
  expect(f, "data-folder", "open", Light::kAmber);
  CHECK_THAT(one(f, "data-folder").what, Contains("0755"));
  f = fine();
  f.data->seen.link = true;
  expect(f, "data-folder", "link", Light::kAmber);
  f.data->seen.kind = PathKind::kNothing;
  expect(f, "data-folder", "dead-link", Light::kRed);
  f.data->seen.link = false;
  expect(f, "data-folder", "not-yet", Light::kGreen);
  f.data->can_be_made = false;
  expect(f, "data-folder", "cannot-be-made", Light::kRed);
  f.data->seen.hidden = true;
  expect(f, "data-folder", "hidden", Light::kRed);
  f = fine();
  f.data->seen.kind = PathKind::kFile;
  expect(f, "data-folder", "no-folder", Light::kRed);
}

TEST_CASE("disk space is compared with what is asked for, and what is missing is named") {
  Facts f = fine();
  f.disk->free_bytes = 200'000'000;
  expect(f, "disk", "full", Light::kRed);
  CHECK_THAT(one(f, "disk").next, Contains("Free 300 MB"));
  f.disk->free_bytes = 800'000'000;
  expect(f, "disk", "low", Light::kAmber);
}

TEST_CASE("a store that does not open, is damaged, or is not there yet") {
  Facts f = fine();
  f.store->error =
      Error{Code::kUnknownVersion, "school.db was written by a newer towpath", "Install the newer"};
  expect(f, "store", "does-not-open", Light::kRed);
  f = fine();
  f.store->damage = Error{Code::kDamaged, "page 7 is broken"};
  expect(f, "store", "damaged", Light::kRed);
  f = fine();
  f.store->there = false;
  expect(f, "store", "not-yet", Light::kGreen);
}

TEST_CASE("a source that cannot be read, is empty, or has not been written for days is named") {
  Facts f = fine();
  f.sources[0].error = Error{Code::kNotFound, "/exports/or is not there", "Check the path"};
  expect(f, "source", "not-readable", Light::kRed);
  f = fine();
  f.sources[0].files = 0;
  f.sources[0].newest.reset();
  expect(f, "source", "empty", Light::kRed);
  f = fine();
  f.sources[0].newest = kNow - 9 * 24h;
  expect(f, "source", "old", Light::kAmber);
  CHECK_THAT(one(f, "source").what, Contains("mis: ") && Contains("9 days ago"));
  f = fine();
  f.sources[0].missing = {"sen.csv", "meals-*.csv"};
  expect(f, "source", "files-missing", Light::kAmber);
  CHECK_THAT(one(f, "source").what,
             Contains("2 files of the configuration") && Contains("sen.csv, meals-*.csv"));
  f = fine();
  f.sources[0].path.clear();
  expect(f, "source", "no-files", Light::kGreen);
}

TEST_CASE("a schedule that never reads or sends, and a calendar that is over, are amber") {
  Facts f = fine();
  f.schedule->reads = false;
  expect(f, "schedule", "does-not-read", Light::kAmber);
  f = fine();
  f.schedule->unread_sources = 1;
  expect(f, "schedule", "does-not-read", Light::kAmber);
  f = fine();
  f.schedule->sends = false;
  expect(f, "schedule", "does-not-send", Light::kAmber);
  f = fine();
  f.schedule->last_holiday = Date::from_ymd(2026, 8, 31);
  expect(f, "schedule", "calendar-over", Light::kAmber);
  f.schedule->unread_holidays = "there is no file";
  expect(f, "schedule", "holidays-unread", Light::kAmber);
  f.schedule->unread_holidays.clear();
  f.schedule->last_holiday.reset();
  expect(f, "schedule", "fine", Light::kGreen);
}

TEST_CASE("a service that does not run or does not answer is amber") {
  Facts f = fine();
  f.service->running = false;
  expect(f, "service", "stopped", Light::kAmber);
  f.user->service_user_exists = false;
  expect(f, "service", "none", Light::kGreen);
  f.service->error = Error{Code::kIo, "its socket does not answer"};
  expect(f, "service", "does-not-answer", Light::kAmber);
}

TEST_CASE("keys that others may read, that belong to another, or that are not there") {
  Facts f = fine();
  f.identity->files[0].seen.mode = 0644;
  expect(f, "identity", "file-open", Light::kAmber);
  CHECK_THAT(one(f, "identity").next,
             Contains("chmod 600 /var/lib/towpath/identity/agent.key") && Contains("towpath key rotate"));
  f = fine();
  f.identity->files[0].seen.ours = false;
  f.identity->files[0].seen.owner = "root";
  expect(f, "identity", "file-not-ours", Light::kRed);
  CHECK(one(f, "identity").next == "sudo chown towpath: /var/lib/towpath/identity/agent.key");
  f.identity->folder.seen.ours = false;
  f.identity->error = Error{Code::kNotPermitted, "agent.key may not be read"};
  CHECK(one(f, "identity").next == "Run this as the user root, or with sudo");
  for (const Finding& finding : of(f, "identity")) CHECK(finding.kind.text() != "not-usable");
  f = fine();
  f.identity->files[0].seen.link = true;
  expect(f, "identity", "file-link", Light::kAmber);
  f = fine();
  f.identity->folder.seen.mode = 0750;
  expect(f, "identity", "open", Light::kAmber);
  f = fine();
  f.identity->enrolled = false;
  f.identity->hub.reset();
  expect(f, "identity", "not-enrolled", Light::kRed);
  CHECK(one(f, "hub-key").kind.text() == "not-pinned");
  f.identity->pending = true;
  expect(f, "identity", "half-enrolled", Light::kRed);
  f = fine();
  f.identity->error = Error{Code::kDamaged, "enrolment is not what was written"};
  expect(f, "identity", "not-usable", Light::kRed);
}

TEST_CASE("without a hub, that is one amber finding, and the line is not judged") {
  Facts f = fine();
  f.config.hub_url.clear();
  f.line.reset();
  f.identity->enrolled = false;
  expect(f, "hub", "none", Light::kAmber);
  expect(f, "identity", "not-enrolled", Light::kAmber);
  CHECK(of(f, "route").empty());
  CHECK(exit_code(judge(f)) == 4);
}

TEST_CASE("a hub's name that nobody knows is red; that only the proxy knows it is enough") {
  Facts f = fine();
  f.line->seen.addresses.clear();
  f.line->seen.name_error = Error{Code::kTransport, "no such name"};
  expect(f, "name", "only-proxy-knows", Light::kGreen);
  f.line->seen.routes = {broken("direct")};
  expect(f, "name", "unknown", Light::kRed);
  CHECK_THAT(one(f, "name").next, Contains("getent hosts hub.example") && Contains("hub.proxy"));
  expect(f, "route", "no-connection", Light::kAmber);  // one cause, one red
  CHECK(one(f, "route").next == "See name, above");
}

TEST_CASE("each way that was tried is told, and which one is used") {
  Facts f = fine();
  RouteSeen dead = broken("proxy http://old-proxy:8080");
  dead.origin = "environment";
  dead.error = Error{Code::kTransport, "connection timed out"};
  f.line->seen.routes = {dead, working("proxy http://new-proxy:3128"), broken("direct")};
  f.line->cards.insert(f.line->cards.begin(), CardSeen{});
  const auto found = of(f, "route");
  REQUIRE(found.size() == 3);
  CHECK(found[0].light == Light::kAmber);
  CHECK(found[0].kind.text() == "no-connection");
  CHECK_THAT(found[0].what, Contains("proxy http://old-proxy:8080: connection timed out"));
  CHECK_THAT(found[0].next, Contains("hub.proxy = \"http://new-proxy:3128\""));
  CHECK_THAT(found[1].what, Contains("works, and is what is used"));
  CHECK_THAT(found[2].what, Contains("it is not needed"));
  CHECK(one(f, "hub-key").kind.text() == "fits");
}

TEST_CASE("a way that does not work says how far it came") {
  Facts f = fine();
  RouteSeen& route = f.line->seen.routes[0];
  const auto with = [&](RouteSeen seen) {
    route = std::move(seen);
    f.line->cards = {CardSeen{}};
  };
  with(broken("direct"));
  expect(f, "route", "no-connection", Light::kRed);
  CHECK_THAT(one(f, "route").next, Contains("hub.proxy"));
  RouteSeen none = broken("direct");
  none.error =
      Error{Code::kTransport, "no connection to the hub at hub.example:443: Connection refused", "x"};
  with(none);
  expect(f, "route", "no-connection", Light::kRed);
  CHECK(one(f, "route").next == "Check that the hub is running, and that no firewall is in the way");

  RouteSeen seen = broken("proxy http://proxy:8080");
  seen.connected = true;
  seen.proxy_status = 407;
  seen.proxy_offers = "Basic, NTLM";
  with(seen);
  expect(f, "route", "proxy-asks-user", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("Basic, NTLM"));
  CHECK_THAT(one(f, "route").next, Contains("hub.proxy_user_file"));

  seen.user_said = true;
  with(seen);
  expect(f, "route", "proxy-refuses-user", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("does not accept"));
  CHECK_THAT(one(f, "route").next, Contains("Check"));

  seen.proxy_status = 403;
  seen.title = "Blocked: category Other";
  with(seen);
  expect(f, "route", "proxy-refuses", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("'Blocked: category Other'"));
  CHECK_THAT(one(f, "route").next, Contains("hub.example:443"));

  seen.proxy_status = 503;
  with(seen);
  expect(f, "route", "proxy-cannot-reach", Light::kRed);
  CHECK_THAT(one(f, "route").next, Contains("operator") && Contains("hub.example:443"));

  seen = working("direct");
  seen.content_type = "text/html";
  seen.title = "SchoolFilter: this site is blocked";
  seen.body = {'<', 'h', 't', 'm', 'l', '>'};
  with(seen);
  expect(f, "route", "blocked", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("'SchoolFilter: this site is blocked'") && Contains("200"));
  CHECK(of(f, "hub-key").empty());

  seen.status = 302;
  seen.title.clear();
  seen.location = "http://login.wifi/";
  with(seen);
  expect(f, "route", "captive-portal", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("http://login.wifi/") && Contains("login in a browser"));

  seen = broken("direct");
  seen.connected = true;
  seen.tls = TlsSeen::kFailed;
  seen.tls_fault = "wrong version number";
  with(seen);
  expect(f, "route", "tls-failed", Light::kRed);

  seen = broken("direct");
  seen.connected = true;
  seen.error = Error{Code::kTransport, "nothing came for 60 s", "Try again later"};
  with(seen);
  expect(f, "route", "no-answer", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("60 s"));

  f.line->seen.setup_error = Error{Code::kIo, "cannot read proxy-user", "chmod 600 proxy-user"};
  expect(f, "route", "setup", Light::kRed);
}

TEST_CASE("a word of the hub's own web server is told as sync tells it, and is no web filter's") {
  Facts f = fine();
  f.line->cards = {CardSeen{}};
  RouteSeen& route = f.line->seen.routes[0];
  const auto with = [&](int status, std::string_view text) {
    route = working("direct");
    route.status = status;
    route.content_type = "text/plain";
    route.body = Bytes(text.begin(), text.end());
  };
  with(503, "The hub is not running at the moment. Come back in 60 seconds.\n");
  expect(f, "route", "hub-away", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("The hub is not running at the moment"));
  with(404, "There is nothing here; bundles go to /v1/exchange.\n");
  expect(f, "route", "no-hub", Light::kRed);
  CHECK_THAT(one(f, "route").what, Contains("no hub at this address"));
  CHECK_THAT(one(f, "route").next, Contains("[hub] url"));
  with(429, "Too many connections from this address.\n");
  expect(f, "route", "hub-refuses", Light::kRed);
  with(403, "category unknown\n");
  expect(f, "route", "blocked", Light::kRed);
}

TEST_CASE("a proxy script that fails is amber where another way works, else red") {
  Facts f = fine();
  f.line->seen.script_error = Error{Code::kTransport, "the script at http://wpad/ did not come"};
  expect(f, "proxy-script", "failed", Light::kAmber);
  f.line->seen.routes = {broken("direct")};
  expect(f, "proxy-script", "failed", Light::kRed);
  f.line->seen.script_error.reset();
  f.line->seen.script = "PROXY proxy:8080";
  expect(f, "proxy-script", "answered", Light::kGreen);
}

TEST_CASE("who opens the TLS is named, and a web filter that is trusted is safe") {
  Facts f = fine();
  Certificate& certificate = f.line->seen.routes[0].chain[0];
  expect(f, "tls", "public", Light::kGreen);
  certificate.issuer = "Smoothwall-default-root-certificate-authority";
  certificate.issuer_name = "CN = Smoothwall-default-root-certificate-authority";
  expect(f, "tls", "opened-trusted", Light::kGreen);
  CHECK_THAT(
      one(f, "tls").what,
      Contains("your web filter 'Smoothwall-default-root-certificate-authority' opens this connection; that "
               "is safe here, because bundles are sealed"));
  CHECK_THAT(one(f, "tls").next, Contains("hub.example to its do-not-inspect list"));
  certificate.issuer = certificate.issuer_name = "Canal School IT";
  expect(f, "tls", "private-trusted", Light::kGreen);
  CHECK_THAT(one(f, "tls").what, Contains("'Canal School IT'"));
}

TEST_CASE("a certificate that is not trusted is red, with the filter's name and both ways out") {
  Facts f = fine();
  RouteSeen& route = f.line->seen.routes[0];
  route.status = 0;
  route.body.clear();
  route.tls = TlsSeen::kUntrusted;
  route.tls_fault = "self-signed certificate in chain";
  route.chain[0].issuer = "mitmproxy";
  route.chain[0].issuer_name = "CN = mitmproxy";
  f.line->cards = {CardSeen{}};
  expect(f, "route", "tls-untrusted", Light::kRed);
  expect(f, "tls", "opened-untrusted", Light::kRed);
  CHECK_THAT(one(f, "tls").what, Contains("your web filter 'mitmproxy' opens this connection"));
  CHECK_THAT(one(f, "tls").next, Contains("do-not-inspect list") && Contains("hub.extra_ca"));
  f.config.extra_ca = "/etc/towpath/filter.pem";
  CHECK_THAT(one(f, "tls").next, Contains("/etc/towpath/filter.pem"));
  route.chain[0].issuer = route.chain[0].issuer_name = "Canal School IT";
  expect(f, "tls", "untrusted", Light::kRed);
  CHECK_THAT(one(f, "tls").next, Contains("If this is your web filter"));
  route.chain[0].issuer = route.chain[0].issuer_name = "R11, Let's Encrypt";
  expect(f, "tls", "public-untrusted", Light::kRed);
}

TEST_CASE("a filter is known by its maker's name, a public authority by its own") {
  CHECK(known_filter("CN = Fortinet_CA_SSL, O = Fortinet") == "Fortinet");
  CHECK(known_filter("CN = Lightspeed Rocket") == "Lightspeed");
  CHECK(known_filter("CN = R11, O = Let's Encrypt").empty());
  CHECK(public_authority("CN = DigiCert Global G2 TLS RSA SHA256 2020 CA1"));
  CHECK_FALSE(public_authority("CN = Canal School Root"));
}

TEST_CASE("a clock that is days off works and is amber; minutes are fine") {
  Facts f = fine();
  f.line->cards[0].card->now = kNow + 9min;
  expect(f, "clock", "fine", Light::kGreen);
  f.line->cards[0].card->now = kNow - 9 * 24h;
  expect(f, "clock", "off", Light::kAmber);
  CHECK_THAT(one(f, "clock").what, Contains("9 days ahead of the hub's"));
  f.line->cards[0].card->now = kNow + 3h;
  CHECK_THAT(one(f, "clock").what, Contains("3 hours behind the hub's"));
  CHECK(exit_code(judge(f)) == 4);
}

TEST_CASE("another hub's key, a hub's new key, a forged card and no hub at all are told apart") {
  Facts f = fine();
  f.line->cards[0].card->key = party(2).key();
  expect(f, "hub-key", "new", Light::kGreen);
  f.credential->pinned_hub = false;
  expect(f, "hub-key", "another", Light::kRed);
  CHECK_THAT(one(f, "hub-key").what, Contains(party(1).key().fingerprint()));
  CHECK(one(f, "hub-key").value == party(2).key().fingerprint());
  f.line->cards[0] = CardSeen{std::nullopt, true};
  expect(f, "hub-key", "forged", Light::kRed);
  f.line->cards[0] = CardSeen{};
  expect(f, "hub-key", "no-card", Light::kRed);
}

TEST_CASE("a credential that the hub refuses is red, with the hub's own sentence") {
  Facts f = fine();
  f.credential = CredentialFacts{false, true, Error{Code::kRevoked, "the hub has ended this machine's key"}};
  expect(f, "credential", "refused", Light::kRed);
  CHECK(one(f, "credential").what == "the hub has ended this machine's key");
  CHECK_THAT(one(f, "credential").next, Contains("enrol --force"));
}

TEST_CASE("a refusal that the store remembers is told, whatever the hub says of the key alone") {
  Facts f = fine();
  f.refused = RefusedFacts{
      kNow - 2h, Error{Code::kTwoMachines, "two machines speak as this school", "Find the copy and stop it"}};
  expect(f, "credential", "refused-before", Light::kRed);
  CHECK(one(f, "credential").what == "two machines speak as this school");
  CHECK(one(f, "credential").next == "Find the copy and stop it");
  CHECK_THAT(one(f, "credential").value, Contains("2 h"));
  CHECK(exit_code(judge(f)) == 1);
  // Nor does a hub that is not there make it better.
  f.credential.reset();
  f.line->seen.routes = {broken("direct")};
  f.line->cards = {CardSeen{}};
  expect(f, "credential", "refused-before", Light::kRed);
  f = fine();
  f.refused = RefusedFacts{kNow - 2h, Error{Code::kUnknownKey, "the hub does not know this key", "Enrol"}};
  expect(f, "credential", "accepted-again", Light::kAmber);
  f.credential->error = Error{Code::kRevoked, "the hub's operator has ended this machine's key", "Enrol"};
  f.credential->accepted = false;
  expect(f, "credential", "refused", Light::kRed);
  CHECK(of(f, "credential").size() == 1);
}

TEST_CASE("what a person has to decide about sharing, or what ends, is told in the words of status") {
  Facts f = fine();
  cli::SharingSeen sharing;
  sharing.known = true;
  sharing.offered = 1;
  sharing.shared = {{"borough", "borough-2026", 1, utc_date(kNow).plus(200), 50'000}};
  sharing.partners = {{"kentish", "100002", "Lock", "complete", 10, kNow}};
  f.sharing = sharing;
  expect(f, "sharing", "as-agreed", Light::kGreen);
  f.sharing->shared[0].end = utc_date(kNow).plus(20);
  expect(f, "sharing", "look", Light::kAmber);
  CHECK_THAT(one(f, "sharing").what, Contains("ends on 2026-12-13"));
  f.sharing = sharing;
  f.sharing->shared.clear();
  f.sharing->waiting = {{"borough", "borough-2026"}};
  expect(f, "sharing", "look", Light::kAmber);
  CHECK_THAT(one(f, "sharing").next, Contains("agreement show borough-2026"));
  f.sharing->waiting.clear();
  f.sharing->ended = {{"borough", "borough-2026"}};
  expect(f, "sharing", "look", Light::kRed);
  f.sharing = sharing;
  f.sharing->orders = {{"0123456789abcdef", "borough", kNow - std::chrono::hours{24 * 20}, {"the hub"}}};
  CHECK_THAT(one(f, "sharing").what, Contains("01234567") && Contains("not yet answered by the hub"));
  // A school without keys has nothing to share yet; that is said elsewhere.
  f.identity->enrolled = false;
  for (const Finding& finding : judge(f)) CHECK(finding.check.text() != "sharing");
}

TEST_CASE("a finding is a line of at most 80 columns, and so is what to do next") {
  Facts f = fine();
  f.line->seen.routes[0].chain[0].issuer = std::string(70, 'x') + " Ünïcödé filter";
  f.sources[0].error =
      Error{Code::kIo, "cannot read " + std::string(100, 'p') + ": permission denied", "chmod it"};
  const auto said = lines(judge(f));
  for (const std::string& line : said)
    if (line.find("pppp") == std::string::npos && line.find("xxxx") == std::string::npos) {
      INFO(line);
      CHECK(line.size() <= 82);  // two letters of two bytes
    }
  CHECK_THAT(said[0], Catch::StartsWith("GREEN  configuration  "));
  const auto next = std::find_if(said.begin(), said.end(), [](const std::string& line) {
    return line.find("next: ") != std::string::npos;
  });
  REQUIRE(next != said.end());
  CHECK(*next == std::string(22, ' ') + "next: chmod it");
}

}  // namespace
}  // namespace towpath::doctor
