// What the line shows: the name, each way to the hub, who opens the TLS, whose key answers.
#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "agent/doctor/findings.hpp"
#include "agent/school/words.hpp"
#include "agent/uplink/answer.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/page.hpp"
#include "core/ascii.hpp"

namespace towpath::doctor {
namespace {

// Names that filters' certificates carry, in small letters; the second is what people call it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kFilters{{
    {"smoothwall", "Smoothwall"},
    {"securly", "Securly"},
    {"lightspeed", "Lightspeed"},
    {"netsweeper", "Netsweeper"},
    {"senso", "Senso"},
    {"schools broadband", "Schools Broadband"},
    {"lgfl", "LGfL"},
    {"sophos", "Sophos"},
    {"fortinet", "Fortinet"},
    {"fortigate", "Fortinet"},
    {"palo alto", "Palo Alto"},
    {"zscaler", "Zscaler"},
    {"cisco umbrella", "Cisco Umbrella"},
    {"iboss", "iboss"},
    {"barracuda", "Barracuda"},
    {"forcepoint", "Forcepoint"},
    {"websense", "Forcepoint"},
    {"watchguard", "WatchGuard"},
    {"sonicwall", "SonicWall"},
    {"check point", "Check Point"},
    {"contentkeeper", "ContentKeeper"},
    {"linewize", "Linewize"},
    {"squid", "squid"},
    {"mitmproxy", "mitmproxy"},
}};
// Authorities that public servers have their certificates from.
constexpr std::array<std::string_view, 22> kAuthorities{
    "let's encrypt", "isrg",    "digicert", "sectigo",   "comodo",  "usertrust", "globalsign", "google trust",
    "amazon",        "godaddy", "go daddy", "starfield", "entrust", "identrust", "zerossl",    "buypass",
    "ssl.com",       "certum",  "harica",   "quovadis",  "thawte",  "microsoft"};

std::string quoted(const std::string& text) { return "'" + text + "'"; }

std::string host_alone(const std::string& host) { return host.substr(0, host.rfind(':')); }

// What the ways have in common, once found.
struct Way {
  std::size_t works = SIZE_MAX;  // the first that does
  [[nodiscard]] bool any() const { return works != SIZE_MAX; }
};

// A page came where the hub should have answered.
bool is_page(const RouteSeen& route) { return route.status != 0 && !route.works(); }
bool is_portal(const RouteSeen& route) {
  return route.status == 511 || (route.status >= 300 && route.status < 400);
}

Reply reply_of(const RouteSeen& route) {
  Reply reply;
  reply.status = route.status;
  reply.content_type = route.content_type;
  reply.body = route.body;
  return reply;
}
// No page for people, with a status that a hub, or the web server before it, answers with.
bool is_server_word(const RouteSeen& route) {
  constexpr std::array kTheirs{400, 404, 405, 411, 413, 415, 429, 500, 502, 503, 504};
  return std::find(kTheirs.begin(), kTheirs.end(), route.status) != kTheirs.end() &&
         !is_html(reply_of(route));
}
// The machine is there, and nothing listens: no proxy would change that.
bool refused_at_once(const Error& why) {
  return why.what().find(std::generic_category().message(ECONNREFUSED)) != std::string::npos;
}

std::string page_name(const RouteSeen& route) {
  if (!route.title.empty()) return "a page titled " + quoted(route.title);
  if (!route.location.empty()) return "a redirection to " + route.location;
  return "a page without a title";
}

void judge_name(const LineSeen& seen, const Way& way, std::vector<Finding>& out) {
  if (seen.name_error && way.any())
    out.push_back({"name",
                   "only-proxy-knows",
                   Light::kGreen,
                   "not known here, and the proxy knows it: that is enough",
                   seen.host,
                   {}});
  else if (seen.name_error)
    out.push_back({"name", "unknown", Light::kRed, "the hub's name is not known here", seen.host,
                   "Check hub.url; then whether this machine's name server (DNS) answers: getent hosts " +
                       host_alone(seen.host) +
                       ". Where names are a proxy's business, name it: hub.proxy or hub.pac_url"});
  else if (!seen.addresses.empty())
    out.push_back({"name",
                   "known",
                   Light::kGreen,
                   "the hub's name has the address " + seen.addresses.front(),
                   seen.host,
                   {},
                   {{"addresses", static_cast<std::int64_t>(seen.addresses.size())}}});
}

// One way that does not work: how far it came, and what would help there.
Finding failed_way(const RouteSeen& route, std::int64_t number, Light light, const Facts& facts) {
  const std::vector<Figure> figures{
      {"number", number}, {"status", route.status}, {"proxy_status", route.proxy_status}};
  const bool direct = route.route == "direct";
  const auto say = [&](Literal kind, std::string what, std::string next) {
    return Finding{"route", kind, light, route.route + ": " + what, {}, std::move(next), figures};
  };
  if (route.proxy_status == 407 && route.user_said)
    return say("proxy-refuses-user",
               "the proxy does not accept our user and password" +
                   (route.proxy_offers.empty() ? std::string() : " (it asks for " + route.proxy_offers + ")"),
               route.error && !route.error->next().empty()
                   ? route.error->next()
                   : "Check the line in the file that hub.proxy_user_file names");
  if (route.proxy_status == 407)
    return say(
        "proxy-asks-user",
        "the proxy asks for a user and a password" +
            (route.proxy_offers.empty() ? std::string() : " (" + route.proxy_offers + ")"),
        "Write user:password into a file, chmod 600, and name it as hub.proxy_user_file; or have the hub "
        "let through without");
  if (!route.connected) {
    std::string next = "Check that the hub is running, and that no firewall is in the way";
    if (!direct)
      next = "Check the proxy's name and port" +
             (route.origin == "configured" ? std::string(" in hub.proxy") : std::string());
    else if (facts.line->seen.name_error)
      next = "See name, above";
    else if (!route.error || !refused_at_once(*route.error))
      next += "; where this network reaches the web by a proxy only, name it: hub.proxy or hub.pac_url";
    return say("no-connection",
               route.error ? route.error->what()
               : direct    ? std::string("no connection to the hub")
                           : std::string("no connection to the proxy"),
               std::move(next));
  }
  if (route.proxy_status >= 502 && route.proxy_status <= 504)
    return say("proxy-cannot-reach",
               "the proxy does not reach the hub (status " + std::to_string(route.proxy_status) +
                   (route.title.empty() ? std::string() : ", a page titled " + quoted(route.title)) + ")",
               "Ask the hub's operator whether it runs; if it does, have the proxy's operator let " +
                   facts.line->seen.host + " through");
  if (route.proxy_status >= 400)
    return say("proxy-refuses",
               "the proxy refuses the hub with status " + std::to_string(route.proxy_status) +
                   (route.title.empty() ? std::string() : ", on a page titled " + quoted(route.title)),
               "Have " + facts.line->seen.host + " allowed there");
  if (route.tls == TlsSeen::kUntrusted)
    return say("tls-untrusted", "the certificate that is presented is not trusted", "See tls, below");
  if (route.tls == TlsSeen::kFailed)
    return say("tls-failed",
               "something that does not speak TLS answers there" +
                   (route.tls_fault.empty() ? std::string() : " (" + route.tls_fault + ")"),
               "Check the port in hub.url; a web filter that cuts TLS must let the hub through");
  if (is_portal(route))
    return say(
        "captive-portal",
        page_name(route) + " came instead of the hub: a portal that wants a login in a browser, or a filter",
        "Log in there once from this machine, or have the hub let through without");
  if (is_page(route) && is_server_word(route)) {
    // The same words as an exchange would have.
    const Error why = no_answer(reply_of(route), Error{Code::kTransport, {}}, facts.config.hub_url);
    const bool away = route.status >= 502;
    return say(
        away                  ? Literal("hub-away")
        : route.status == 404 ? Literal("no-hub")
                              : Literal("hub-refuses"),
        why.what(),
        away ? "Ask the hub's operator whether it runs; what is here is sent when it does" : why.next());
  }
  if (is_page(route))
    return say("blocked",
               page_name(route) + " came instead of the hub, with status " + std::to_string(route.status),
               "Have " + facts.line->seen.host + " put on the web filter's list of allowed sites");
  return say("no-answer", route.error ? route.error->what() : std::string("no answer came"),
             route.error ? route.error->next() : std::string());
}

void judge_routes(const LineFacts& line, const Way& way, const Facts& facts, std::vector<Finding>& out) {
  const LineSeen& seen = line.seen;
  if (seen.script_error)
    out.push_back({"proxy-script",
                   "failed",
                   way.any() ? Light::kAmber : Light::kRed,
                   seen.script_error->what(),
                   {},
                   seen.script_error->next().empty() ? "Check hub.pac_url" : seen.script_error->next()});
  else if (!seen.script.empty())
    out.push_back({"proxy-script", "answered", Light::kGreen, "the proxy script answers", seen.script, {}});
  for (std::size_t i = 0; i < seen.routes.size(); ++i) {
    const RouteSeen& route = seen.routes[i];
    const auto number = static_cast<std::int64_t>(i + 1);
    if (route.works()) {
      const bool used = i == way.works;
      out.push_back({"route",
                     used ? Literal("works") : Literal("works-too"),
                     Light::kGreen,
                     route.route + (used ? ": works, and is what is used" : ": works too") +
                         (route.origin.empty() ? std::string() : " (" + route.origin + ")"),
                     std::to_string(route.took.count()) + " ms",
                     {},
                     {{"number", number}, {"ms", route.took.count()}}});
      continue;
    }
    // A way that fails in front of one that works costs its waiting; one behind it costs nothing.
    const Light light = !way.any() ? Light::kRed : i < way.works ? Light::kAmber : Light::kGreen;
    Finding finding = failed_way(route, number, light, facts);
    // One cause, one red.
    if (light == Light::kRed && !route.connected && route.route == "direct" && seen.name_error)
      finding.light = Light::kAmber;
    if (light == Light::kAmber)
      finding.next = "Another way works. To spare the waiting, name it: hub.proxy = \"" +
                     (seen.routes[way.works].route == "direct"
                          ? std::string("none")
                          : seen.routes[way.works].route.substr(std::string_view("proxy ").size())) +
                     "\"";
    if (light == Light::kGreen) {
      finding.what += "; it is not needed";
      finding.next.clear();
    }
    out.push_back(std::move(finding));
  }
}

// Of the way that works, else of the first on which a certificate was presented.
void judge_tls(const LineFacts& line, const Way& way, const Facts& facts, std::vector<Finding>& out) {
  const auto& routes = line.seen.routes;
  auto route = routes.end();
  if (way.any())
    route = routes.begin() + static_cast<std::ptrdiff_t>(way.works);
  else
    route = std::find_if(routes.begin(), routes.end(), [](const RouteSeen& r) { return !r.chain.empty(); });
  if (route == routes.end() || route->chain.empty()) {
    if (way.any() && route->tls == TlsSeen::kNone)
      out.push_back(
          {"tls", "none", Light::kGreen, "plain http, as on this machine itself it may be", {}, {}});
    return;
  }
  // The issuer of the first one names whoever made it; an intermediate of a filter may say less
  // than its root.
  const Certificate& first = route->chain.front();
  std::string_view filter;
  bool authority = false;
  for (const Certificate& certificate : route->chain) {
    const std::string whole = certificate.issuer + " " + certificate.issuer_name;
    if (filter.empty()) filter = known_filter(whole);
    authority = authority || public_authority(whole);
  }
  const std::string issuer = first.issuer.empty() ? std::string("nobody") : first.issuer;
  const std::string who = filter.empty() || lower(issuer).find(lower(filter)) != std::string::npos
                              ? quoted(issuer)
                              : quoted(issuer) + " (" + std::string(filter) + ")";
  const std::vector<Figure> figures{{"certificates", static_cast<std::int64_t>(route->chain.size())}};
  if (route->tls == TlsSeen::kTrusted && filter.empty() && authority) {
    out.push_back({"tls",
                   "public",
                   Light::kGreen,
                   "the certificate is trusted, from " + quoted(issuer),
                   "valid until " + first.until,
                   {},
                   figures});
    return;
  }
  if (route->tls == TlsSeen::kTrusted && !filter.empty()) {
    out.push_back(
        {"tls", "opened-trusted", Light::kGreen,
         "your web filter " + who + " opens this connection; that is safe here, because bundles are sealed",
         "valid until " + first.until,
         "If exchanges are cut or slow, add " + host_alone(line.seen.host) + " to its do-not-inspect list",
         figures});
    return;
  }
  if (route->tls == TlsSeen::kTrusted) {
    out.push_back(
        {"tls",
         "private-trusted",
         Light::kGreen,
         "the certificate is trusted, from " + who +
             ", which is no public authority: the hub's own, "
             "or a web filter that opens this connection; both are safe, because bundles are sealed",
         "valid until " + first.until,
         {},
         figures});
    return;
  }
  const std::string add_ca = facts.config.extra_ca.empty()
                                 ? "or save its certificate as a PEM file and name that as hub.extra_ca"
                                 : "or put its certificate into " + facts.config.extra_ca;
  if (!filter.empty()) {
    out.push_back({"tls", "opened-untrusted", Light::kRed,
                   "your web filter " + who +
                       " opens this connection, and this machine does not trust it; letting "
                       "it is safe here, because bundles are sealed",
                   route->tls_fault,
                   "Add " + host_alone(line.seen.host) + " to its do-not-inspect list, " + add_ca, figures});
    return;
  }
  out.push_back({"tls", authority ? Literal("public-untrusted") : Literal("untrusted"), Light::kRed,
                 "the certificate, issued by " + who + ", is not trusted", route->tls_fault,
                 authority
                     ? "Check this machine's clock and hub.url; renew its certificates: sudo apt install "
                       "ca-certificates"
                     : "If this is your web filter, add " + host_alone(line.seen.host) +
                           " to its do-not-inspect list, " + add_ca,
                 figures});
}

std::string clock_distance(std::chrono::milliseconds distance) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(distance).count();
  if (minutes < 120) return cli::counted(static_cast<std::uint64_t>(minutes), "minute", "minutes");
  if (minutes < 48 * 60) return std::to_string(minutes / 60) + " hours";
  return std::to_string(minutes / 60 / 24) + " days";
}

void judge_clock(Instant ours, Instant hubs, std::vector<Finding>& out) {
  const auto ahead = ours - hubs;
  const auto distance = ahead < ahead.zero() ? -ahead : ahead;
  const std::vector<Figure> figures{
      {"ahead_s", std::chrono::duration_cast<std::chrono::seconds>(ahead).count()}};
  if (distance <= kClockSkewMax)
    out.push_back(
        {"clock",
         "fine",
         Light::kGreen,
         "agrees with the hub's",
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(distance).count()) + " s apart",
         {},
         figures});
  else
    out.push_back({"clock", "off", Light::kAmber,
                   std::string("this machine's clock is ") + clock_distance(distance) +
                       (ahead > ahead.zero() ? " ahead of" : " behind") +
                       " the hub's; data still travels, but times in it are wrong",
                   iso(ours) + " here, " + iso(hubs) + " there",
                   "Set the clock: sudo timedatectl set-ntp true", figures});
}

void judge_card(const LineFacts& line, const Way& way, const Facts& facts, std::vector<Finding>& out) {
  if (!way.any() || way.works >= line.cards.size()) return;
  const CardSeen& seen = line.cards[way.works];
  if (!seen.card) {
    out.push_back({"hub-key", seen.forged ? Literal("forged") : Literal("no-card"), Light::kRed,
                   seen.forged
                       ? "what answers is not signed as a hub's answer is: changed on its way, or an old "
                         "one from a cache"
                       : "what answers there is no towpath hub",
                   line.seen.host,
                   seen.forged ? "Have the hub put on the web filter's do-not-inspect and do-not-cache lists"
                               : "Check hub.url, its port and path; the hub's operator knows them"});
    return;
  }
  if (line.heard) judge_clock(*line.heard, seen.card->now, out);
  const std::string print = seen.card->key.fingerprint();
  if (!facts.identity || !facts.identity->hub)
    out.push_back({"hub-key",
                   "not-pinned",
                   Light::kGreen,
                   "a hub answers; enrolment will compare its key with the code's",
                   print,
                   {}});
  else if (*facts.identity->hub == seen.card->key)
    out.push_back(
        {"hub-key", "fits", Light::kGreen, "the hub proves the key that was pinned at enrolment", print, {}});
  else if (facts.credential && facts.credential->pinned_hub)
    out.push_back({"hub-key",
                   "new",
                   Light::kGreen,
                   "the hub has a new key, and proves the old one too; the next exchange takes it",
                   print,
                   {}});
  else
    out.push_back({"hub-key", "another", Light::kRed,
                   "another hub answers under this name: its key is not the one pinned at enrolment, " +
                       facts.identity->hub->fingerprint(),
                   print,
                   "Ask the hub's operator to compare. If the hub is new, enrol again with a new code: " +
                       facts.program + " enrol --force"});
}

// What the hub says now of this machine's key, and what it said at the last exchange. Of two machines
// with one key it knows by their exchanges only: what is asked here cannot clear that.
void judge_credential(const Facts& facts, std::vector<Finding>& out) {
  const auto refused = [&](Literal kind, const Error& why, const std::string& when) {
    out.push_back({"credential", kind, Light::kRed, why.what(), when,
                   why.next().empty()
                       ? "Ask the hub's operator for a new code, then: " + facts.program + " enrol --force"
                       : why.next()});
  };
  const auto& now = facts.credential;
  const bool enrolled = facts.identity && facts.identity->enrolled;
  const auto& before = facts.refused;
  if (now && now->error && (now->pinned_hub || !before)) return refused("refused", *now->error, {});
  if (before && enrolled) {
    const std::string when = "at an exchange, " + cli::age(before->when, facts.now);
    if (now && now->accepted && before->why.code() != Code::kTwoMachines)
      out.push_back({"credential", "accepted-again", Light::kAmber,
                     "the hub accepts this machine's key, which it refused", when,
                     "Exchange with it: " + facts.program + " sync"});
    else
      refused("refused-before", before->why, when);
    return;
  }
  if (now && now->accepted)
    out.push_back({"credential", "accepted", Light::kGreen, "the hub accepts this machine's key", {}, {}});
}

}  // namespace

std::string_view known_filter(std::string_view issuer) {
  const std::string small = lower(issuer);
  for (const auto& [part, name] : kFilters)
    if (small.find(part) != std::string::npos) return name;
  return {};
}

bool public_authority(std::string_view issuer) {
  const std::string small = lower(issuer);
  return std::any_of(kAuthorities.begin(), kAuthorities.end(),
                     [&](std::string_view name) { return small.find(name) != std::string::npos; });
}

void judge_line(const Facts& facts, std::vector<Finding>& out) {
  if (facts.config.hub_url.empty()) {
    if (facts.config.problems.empty() && (!facts.identity || !facts.identity->pending))
      out.push_back({"hub",
                     "none",
                     Light::kAmber,
                     "no hub is configured: nothing leaves this machine",
                     {},
                     "Enrol with the code from the hub's operator: " + facts.program + " enrol CODE"});
    return;
  }
  if (!facts.line) return judge_credential(facts, out);
  const LineFacts& line = *facts.line;
  if (line.seen.setup_error) {
    out.push_back(
        {"route", "setup", Light::kRed, line.seen.setup_error->what(), {}, line.seen.setup_error->next()});
    judge_credential(facts, out);
    return;
  }
  Way way;
  for (std::size_t i = 0; i < line.seen.routes.size() && !way.any(); ++i)
    if (line.seen.routes[i].works()) way.works = i;
  judge_name(line.seen, way, out);
  judge_routes(line, way, facts, out);
  judge_tls(line, way, facts, out);
  judge_card(line, way, facts, out);
  judge_credential(facts, out);
}

}  // namespace towpath::doctor
