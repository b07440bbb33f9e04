// Agent and hub: a first load, a day, and days on which something is wrong.
#include <catch2/catch.hpp>

#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

using Catch::Contains;

struct Borough {
  Borough() : hub(folder), agent(folder) {
    agent.demo(hub.url(), "2026-11-17", 20);
    enrol(hub, agent);
  }
  // The hub holds what the agent holds, recomputed from the rows at both ends.
  void check_equal() const {
    const Json verified = agent.json({"verify"});
    CHECK(verified["hub"]["equal"] == true);
    CHECK(hub.call({"verify"}).code == 0);
  }
  Folder folder;
  Hub hub;
  Agent agent;
};

TEST_CASE("a school's extract reaches the hub, and the next day one exchange carries what changed") {
  Borough at;
  at.agent.demo(at.hub.url(), "2026-11-19", 90);
  const Json first = at.agent.json({"extract"});
  const std::uint64_t pupils = count(first, "pupil", "added");
  CHECK(pupils > 60);
  CHECK(count(first, "session_mark", "added") > pupils * 50);
  const Json load = at.agent.json({"sync"});
  CHECK(load["equal"] == true);
  CHECK(load["up_to_date"] == true);
  CHECK(at.hub.rows("pupil").size() == agreed_rows(at.agent, "pupil"));
  CHECK(at.hub.rows("pupil").size() > pupils * 3 / 4);  // leavers of two years ago stay here
  CHECK(at.hub.rows("session_mark").size() == count(first, "session_mark", "added"));
  at.check_equal();

  at.agent.demo(at.hub.url(), "2026-11-20", 90);
  const Json day = at.agent.json({"extract"});
  CHECK(count(day, "session_mark", "added") >= pupils);
  CHECK(count(day, "session_mark", "added") < pupils * 4);
  const Json sent = at.agent.json({"sync"});
  CHECK(sent["equal"] == true);
  CHECK(sent["exchanges"] == 1);
  CHECK(sent["segments"] == 1);
  CHECK(sent["bytes_sent"].get<std::uint64_t>() < 2000);
  CHECK(sent["bytes_received"].get<std::uint64_t>() < 600);
  CHECK(sent["bytes_sent"].get<std::uint64_t>() - sent["segment_bytes"].get<std::uint64_t>() < 600);
  at.check_equal();

  const Json idle = at.agent.json({"sync"});
  CHECK(idle["exchanges"] == 1);
  CHECK(idle["segments"] == 0);
  CHECK(idle["equal"] == true);
  CHECK_THAT(at.agent.call({"status"}).out,
             Catch::StartsWith("GREEN: every source read, and both ends equal"));
}

TEST_CASE("status says what waits: amber before the first sync and after each extract") {
  Borough at;
  at.agent.demo(at.hub.url(), "2026-11-19", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const Ended before = at.agent.call({"status"});
  CHECK(before.code == 4);
  CHECK_THAT(before.out, Catch::StartsWith("AMBER: nothing has been sent to the hub yet") &&
                             Contains("next: towpath --config " + (at.folder / "towpath.toml") + " sync"));
  REQUIRE(at.agent.call({"sync"}).code == 0);
  CHECK(at.agent.call({"status"}).code == 0);
  at.agent.demo(at.hub.url(), "2026-11-20", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  CHECK_THAT(at.agent.call({"status"}).out, Catch::StartsWith("AMBER: changes wait to be sent"));
}

TEST_CASE("while the hub is down sync says so, and afterwards everything arrives") {
  Borough at;
  at.agent.demo(at.hub.url(), "2026-11-19", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  at.hub.stop();
  const Ended down = at.agent.call({"sync"});
  CHECK(down.code == 1);
  CHECK_THAT(down.err, Contains("no connection to the hub") && Contains("Check that the hub is running"));
  const Json failed = at.agent.json({"sync"}, 1);
  CHECK(failed["equal"] == false);
  CHECK(failed["error"]["code"] == "transport");
  CHECK(failed["exchanges"] == 0);
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 4);
  CHECK_THAT(status.out, Catch::StartsWith("AMBER: last sync failed just now: no connection to the hub") &&
                             Contains("next: check that the hub is running"));
  CHECK(at.agent.json({"status"}, 4)["failed_exchange"]["message"] == failed["error"]["message"]);
  at.agent.demo(at.hub.url(), "2026-11-20", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  at.hub.start();
  CHECK(at.agent.json({"sync"})["equal"] == true);
  CHECK(at.agent.json({"status"})["failed_exchange"].is_null());
  at.check_equal();
}

TEST_CASE("another school's configuration over a folder that is enrolled is told so") {
  Borough at;
  fs::remove(at.folder / "data/school.db");
  std::string text = Agent::head(at.hub.url()) +
                     "[[source]]\nname = \"d\"\nkind = \"demo\"\npupils = 20\nday = 2026-11-19\n";
  text.replace(text.find("100001"), 6, "100009");
  at.agent.configure(text);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const Ended refused = at.agent.call({"sync"});
  CHECK(refused.code == 78);
  CHECK_THAT(refused.err, Contains("holds the keys of school 100001, but the configuration says 100009"));
}

TEST_CASE("an address where something else answers is said to be no hub") {
  Borough at;
  at.agent.demo(at.hub.url() + "/elsewhere", "2026-11-19", 20);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const Ended ended = at.agent.call({"sync"});
  CHECK(ended.code == 1);
  CHECK_THAT(ended.err, Contains("no hub at this address (HTTP status 404)"));
}

TEST_CASE("only what the configured grants allow reaches the hub, and a wider grant sends the rest") {
  Borough at;
  const std::string source = "[[source]]\nname = \"d\"\nkind = \"demo\"\npupils = 30\nday = 2026-11-19\n";
  at.agent.configure(Agent::head(at.hub.url()) + "grants = [\"ROLL\", \"ATT-CAT\"]\n" + source);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  CHECK(at.agent.json({"sync"})["equal"] == true);
  CHECK(at.hub.rows("pupil").size() > 10);
  CHECK(at.hub.rows("fsm").empty());
  at.check_equal();
  at.agent.configure(Agent::head(at.hub.url()) + source);
  CHECK(at.agent.json({"sync"})["equal"] == true);
  CHECK_FALSE(at.hub.rows("fsm").empty());
  at.check_equal();
}

TEST_CASE("a hub restored from an old backup is brought up to date by the next sync") {
  Borough at;
  at.agent.demo(at.hub.url(), "2026-11-18", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  REQUIRE(at.agent.call({"sync"}).code == 0);
  at.hub.stop();
  fs::copy(at.folder / "hub", at.folder / "backup", fs::copy_options::recursive);
  at.hub.start();
  at.agent.demo(at.hub.url(), "2026-11-19", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  REQUIRE(at.agent.call({"sync"}).code == 0);
  at.hub.stop();
  fs::remove_all(at.folder / "hub");
  fs::rename(at.folder / "backup", at.folder / "hub");
  at.hub.start();
  const Json sync = at.agent.json({"sync"});
  CHECK(sync["equal"] == true);
  CHECK(sync["head"]["epoch"] == 2);
  CHECK(sync["events"].size() == 1);
  at.check_equal();
}

TEST_CASE("an agent restored from an old image begins a new epoch, and nothing is mixed") {
  Borough at;
  at.agent.demo(at.hub.url(), "2026-11-18", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  REQUIRE(at.agent.call({"sync"}).code == 0);
  fs::copy(at.folder / "data", at.folder / "image", fs::copy_options::recursive);
  at.agent.demo(at.hub.url(), "2026-11-19", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  REQUIRE(at.agent.call({"sync"}).code == 0);
  fs::remove_all(at.folder / "data");
  fs::rename(at.folder / "image", at.folder / "data");
  at.agent.demo(at.hub.url(), "2026-11-20", 40);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const Json sync = at.agent.json({"sync"});
  CHECK(sync["equal"] == true);
  CHECK(sync["head"]["epoch"] == 2);
  at.check_equal();
}

}  // namespace
}  // namespace towpath::test
