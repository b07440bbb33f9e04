// The light of `towpath status`: what lowers it, and that it names what did.
#include "agent/school/health.hpp"

#include <catch2/catch.hpp>

namespace towpath::cli {
namespace {

using Catch::Contains;
using namespace std::chrono_literals;

const Instant kNow{std::chrono::hours(490'000)};

// A school where all is well: one source, a hub, everything sent.
struct Well {
  Well() {
    SourceConfig source;
    source.name = "mis";
    config.sources.push_back(source);
    config.hub_url = "http://127.0.0.1:8440";
    SourceOverview read;
    read.name = "mis";
    read.last_attempt = kNow - 1h;
    read.last_success = kNow - 1h;
    overview.sources.push_back(read);
    DatasetOverview pupils;
    pupils.name = "pupil";
    overview.datasets.push_back(pupils);
    StreamOverview stream;
    stream.audience = "borough";
    stream.last_exchange = kNow - 30min;
    stream.equal = true;
    overview.streams.push_back(stream);
  }
  [[nodiscard]] Health judge() const { return health(overview, config, kNow); }
  // The only reason for a light that is not green.
  [[nodiscard]] Reason why() const {
    const Health judged = judge();
    REQUIRE(judged.reasons.size() == 1);
    CHECK(judged.light == judged.reasons[0].light);
    CHECK_FALSE(judged.reasons[0].next.empty());
    return judged.reasons[0];
  }
  AgentConfig config;
  Overview overview;
};

TEST_CASE("a school where all is well is green, and a few rows in quarantine do not change that") {
  Well school;
  CHECK(school.judge().light == Light::kGreen);
  CHECK(school.judge().reasons.empty());
  school.overview.quarantined = 12;
  CHECK(school.judge().light == Light::kGreen);
}

TEST_CASE("a source that was never read is amber, and one that never could be is red") {
  Well school;
  school.overview.sources.clear();
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("source mis has not been read yet"));
  SourceOverview failed;
  failed.name = "mis";
  failed.last_attempt = kNow - 1h;
  failed.problems = {"the folder is gone"};
  school.overview.sources = {failed};
  CHECK(school.why().light == Light::kRed);
  CHECK_THAT(school.why().text, Contains("source mis has never been read: the folder is gone"));
}

TEST_CASE("a source whose last attempt failed is red, and says when and why") {
  Well school;
  school.overview.sources[0].last_success = kNow - 25h;
  school.overview.sources[0].problems = {"the zip is damaged"};
  CHECK(school.why().light == Light::kRed);
  CHECK_THAT(school.why().text, Contains("source mis failed 60 min ago: the zip is damaged"));
  CHECK(school.why().next == "towpath extract --source mis");
}

TEST_CASE("a source that was read in part, and never whole, is amber and names the part") {
  Well school;
  school.overview.sources[0].last_part = school.overview.sources[0].last_success;
  school.overview.sources[0].last_success.reset();
  school.overview.sources[0].problems = {"users.csv is missing"};
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("source mis was read in part: users.csv is missing"));
  school.overview.sources[0].last_attempt = kNow - 5min;
  CHECK(school.why().light == Light::kRed);
  CHECK_THAT(school.why().text, Contains("source mis failed 5 min ago"));
}

TEST_CASE("a sync that failed is amber until one succeeds, and its own remedy comes next") {
  Well school;
  school.overview.failed_exchange = FailedExchange{kNow - 2min, "no connection to the hub", "Start the hub"};
  CHECK(school.why().light == Light::kAmber);
  CHECK(school.why().text == "last sync failed 2 min ago: no connection to the hub");
  CHECK(school.why().next == "Start the hub");
  school.overview.streams.clear();
  const Health judged = school.judge();
  REQUIRE(judged.reasons.size() == 2);
  for (const Reason& reason : judged.reasons) CHECK(reason.next == "Start the hub");
}

TEST_CASE("quarantine is amber from five rows and a hundredth of a dataset on") {
  Well school;
  DatasetOverview& pupils = school.overview.datasets[0];
  pupils.rows = 10;
  pupils.quarantined = 4;
  CHECK(school.judge().light == Light::kGreen);
  pupils.quarantined = 5;
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("5 rows of pupil in quarantine"));
  pupils.rows = 990;
  pupils.quarantined = 10;
  CHECK(school.judge().light == Light::kGreen);
  pupils.quarantined = 11;
  CHECK(school.why().light == Light::kAmber);
}

TEST_CASE("advised commands begin as the program was called") {
  Well school;
  school.overview.sources.clear();
  const Health judged = health(school.overview, school.config, kNow, "towpath --config a.toml");
  REQUIRE(judged.reasons.size() == 1);
  CHECK(judged.reasons[0].next == "towpath --config a.toml extract --source mis");
}

TEST_CASE("a source that was read in part is amber, and names the part") {
  Well school;
  school.overview.sources[0].problems = {"marks.csv is missing"};
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("read in part: marks.csv is missing"));
}

TEST_CASE("a long weekend is no alarm, and five days without reading are") {
  Well school;
  school.overview.sources[0].last_attempt = school.overview.sources[0].last_success = kNow - 95h;
  CHECK(school.judge().light == Light::kGreen);
  school.overview.sources[0].last_attempt = school.overview.sources[0].last_success = kNow - 120h;
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("5 days ago"));
}

TEST_CASE("held deletions are amber and name the dataset") {
  Well school;
  school.overview.datasets[0].held = 60;
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("60 deletions of pupil held"));
  CHECK_THAT(school.why().next, Contains("--accept-deletions"));
}

TEST_CASE("what waits for the hub is amber, and red when the hub has been silent for days") {
  Well school;
  school.overview.streams[0].waiting_segments = 1;
  CHECK(school.why().light == Light::kAmber);
  school.overview.streams[0].last_exchange = kNow - 200h;
  CHECK(school.why().light == Light::kRed);
  CHECK_THAT(school.why().text, Contains("8 days ago"));
  school.overview.streams[0].waiting_segments = 0;
  CHECK(school.judge().light == Light::kGreen);  // in the holidays nothing changes
  school.overview.streams[0].pending = true;
  CHECK(school.why().light == Light::kRed);
}

TEST_CASE("a hub that never answered is amber, and one that holds something else is red") {
  Well school;
  school.overview.streams[0].equal = false;
  CHECK(school.why().light == Light::kRed);
  school.overview.streams.clear();
  CHECK(school.why().light == Light::kAmber);
  CHECK(school.why().next == "towpath sync");
  school.config.hub_url.clear();
  CHECK(school.judge().light == Light::kGreen);
}

TEST_CASE("the worst reason comes first and gives the light; the others are said too") {
  Well school;
  school.overview.datasets[0].held = 1;
  school.overview.sources[0].last_success = kNow - 25h;
  const Health judged = school.judge();
  CHECK(judged.light == Light::kRed);
  REQUIRE(judged.reasons.size() == 2);
  CHECK_THAT(judged.reasons[0].text, Contains("source mis"));
  CHECK_THAT(judged.reasons[1].text, Contains("held"));
}

TEST_CASE("days of holiday do not make data old, and days of term do") {
  Well school;
  auto& read = school.overview.sources[0];
  read.last_attempt = read.last_success = kNow - 12 * 24h;
  school.overview.streams[0].last_exchange = kNow - 12 * 24h;
  CHECK_THAT(school.why().text, Contains("was last read 12 days ago"));
  const Date today = utc_date(kNow);
  school.config.calendar.holidays.push_back({today.plus(-10), today});
  CHECK(school.judge().light == Light::kGreen);
  school.config.calendar.holidays[0] = {today.plus(-10), today.plus(-4)};
  CHECK(school.why().light == Light::kAmber);
  // What waits is told; that the hub is silent in holidays is no alarm.
  school.overview.streams[0].pending = true;
  school.config.calendar.holidays[0] = {today.plus(-10), today};
  CHECK(school.why().light == Light::kAmber);
}

TEST_CASE("holidays that could not be read are told, for they would be found out at Christmas") {
  Well school;
  school.config.calendar.unread = "calendar.holidays_file: there is no file /srv/days.txt";
  CHECK(school.why().light == Light::kAmber);
  CHECK_THAT(school.why().text, Contains("holidays are not known") && Contains("/srv/days.txt"));
}

TEST_CASE("what a running service is about to send needs nobody; what it could not send does") {
  Well school;
  school.overview.streams[0].pending = true;
  CHECK(school.judge().light == Light::kAmber);
  const auto served = [&] { return health(school.overview, school.config, kNow, "towpath", {true, ""}); };
  CHECK(served().light == Light::kGreen);
  school.overview.streams[0].last_exchange = kNow - 30h;
  CHECK(served().light == Light::kAmber);
  school.overview.streams[0].last_exchange = kNow - 1h;
  school.overview.failed_exchange = {kNow - 1min, "no connection", "look"};
  CHECK(served().light == Light::kAmber);
}

TEST_CASE("a service that goes on with an older configuration says so") {
  Well school;
  const Health judged =
      health(school.overview, school.config, kNow, "towpath", {true, "line 3: unknown key"});
  REQUIRE(judged.reasons.size() == 1);
  CHECK(judged.light == Light::kAmber);
  CHECK_THAT(judged.reasons[0].text, Contains("line 3: unknown key"));
  CHECK_THAT(judged.reasons[0].next, Contains("reload"));
}

// What the school has agreed to, as status sees it: the borough's agreement in force for another year.
struct Agreed : Well {
  Agreed() {
    sharing.known = true;
    sharing.offered = 1;
    sharing.shared.push_back({"borough", "borough-2026", 1, utc_date(kNow).plus(365), 10});
  }
  [[nodiscard]] Health judged() const { return health(overview, config, kNow, "towpath", {}, sharing); }
  [[nodiscard]] Reason only() const {
    const Health all = judged();
    REQUIRE(all.reasons.size() == 1);
    CHECK_FALSE(all.reasons[0].next.empty());
    return all.reasons[0];
  }
  SharingSeen sharing;
};

TEST_CASE("where nothing is shared, the light says whether the hub or this school has to act") {
  Agreed school;
  CHECK(school.judged().light == Light::kGreen);
  school.sharing.shared.clear();
  school.overview.streams.clear();
  school.sharing.offered = 0;
  CHECK(school.only().light == Light::kAmber);
  CHECK_THAT(school.only().text, Contains("the hub has not offered an agreement yet"));
  school.sharing.offered = 1;
  school.sharing.waiting.emplace_back("borough", "borough-2026");
  CHECK(school.only().light == Light::kAmber);
  CHECK_THAT(school.only().text, Contains("agreement borough-2026 waits for this school's decision"));
  CHECK(school.only().next == "towpath agreement show borough-2026");
  school.sharing.waiting.clear();
  school.sharing.ended.emplace_back("borough", "borough-2026");
  CHECK(school.only().light == Light::kRed);
  CHECK_THAT(school.only().text, Contains("has ended"));
  school.sharing.ended.clear();
  school.sharing.suspended = true;
  CHECK(school.only().light == Light::kRed);
  CHECK_THAT(school.only().text, Contains("set back"));
}

TEST_CASE("a school that has withdrawn from the borough is green: that is what it decided") {
  Agreed school;
  school.sharing.shared.clear();
  school.overview.streams.clear();
  school.sharing.withdrawn.emplace_back("borough", "borough-2026");
  CHECK(school.judged().reasons.empty());
  // A federation's decision says nothing of the borough.
  school.sharing.withdrawn.front().first = "federation:canal";
  CHECK(school.only().light == Light::kAmber);
}

TEST_CASE("an agreement is amber for its last thirty days") {
  Agreed school;
  school.sharing.shared[0].end = utc_date(kNow).plus(31);
  CHECK(school.judged().reasons.empty());
  school.sharing.shared[0].end = utc_date(kNow).plus(30);
  CHECK(school.only().light == Light::kAmber);
  CHECK_THAT(school.only().text, Contains("in 30 days"));
}

TEST_CASE("a federation's stream is judged like the borough's, and named") {
  Agreed school;
  school.sharing.shared.push_back({"federation:canal", "canal", 1, utc_date(kNow).plus(365), 10});
  CHECK_THAT(school.only().text, Contains("nothing has been sent to the hub yet (federation:canal)"));
  school.overview.streams.push_back(school.overview.streams[0]);
  school.overview.streams[1].audience = "federation:canal";
  CHECK(school.judged().reasons.empty());
  school.overview.streams[1].pending = true;
  CHECK(school.only().light == Light::kAmber);
  CHECK_THAT(school.only().text, Contains("changes wait to be sent (federation:canal)"));
  school.overview.streams[1].last_exchange = kNow - 24h * 5;
  CHECK(school.only().light == Light::kRed);
}

TEST_CASE("an order that nobody has answered for a fortnight is amber, and says who") {
  Agreed school;
  school.sharing.orders.push_back({"0123456789abcdef", "borough", kNow - 24h * 13, {"the hub"}});
  CHECK(school.judged().reasons.empty());
  school.sharing.orders[0].made = kNow - 24h * 15;
  CHECK(school.only().light == Light::kAmber);
  CHECK_THAT(school.only().text, Contains("order 01234567") && Contains("not yet answered by the hub"));
}

}  // namespace
}  // namespace towpath::cli
