// Two schools that share as a federation, and their hub, with the real programs: what is agreed arrives, what
// is not is in no byte elsewhere, and what is taken back is gone, with receipts.
#include <catch2/catch.hpp>
#include <chrono>

#include "core/date.hpp"
#include "platform/platform.hpp"
#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

using Catch::Contains;

const std::string kFiles =
    "[[source]]\nname = \"files\"\nkind = \"csv\"\npath = \"exports\"\n"
    "[[source.table]]\ndataset = \"pupil\"\nfile = \"pupils.csv\"\n[source.table.columns]\n"
    "pupil = \"Id\"\nSurname = \"Last\"\nForename = \"First\"\nUPN = \"UPN\"\nDOB = \"Born\"\n"
    "[[source.table]]\ndataset = \"session_mark\"\nfile = \"marks.csv\"\n[source.table.columns]\n"
    "date = \"Date\"\nsession = \"Session\"\npupil = \"Pupil\"\ncode = \"Mark\"\n";

// Words that stand nowhere else: a surname is agreed on, a UPN is not.
std::string surname(int pupil) { return "Zzyzx" + std::to_string(1000 + pupil) + "wood"; }
std::string upn(int pupil) { return "A80123456789" + std::to_string(pupil); }

// One with this text in any file at or below the folder, or none.
std::string found(const std::string& text, const std::string& below) {
  if (!fs::exists(below)) return {};
  for (const auto& entry : fs::recursive_directory_iterator(below))
    if (entry.is_regular_file() && content_of(entry.path()).find(text) != std::string::npos)
      return entry.path();
  return {};
}

struct School {
  School(std::string its_urn, const Hub& hub) : urn(std::move(its_urn)), agent(folder) {
    std::string head = Agent::head(hub.url());
    head.replace(head.find("100001"), 6, urn);
    agent.configure(head + kFiles);
  }
  // Each day some marks more.
  void day(int pupils, int days = 1) const {
    platform::SystemClock now;
    std::string rows = "Id,Last,First,UPN,Born\r\n", marks = "Date,Session,Pupil,Mark\r\n";
    for (int i = 0; i < pupils; ++i) {
      const std::string id = "p" + std::to_string(i);
      const bool ours = urn == "100001";
      rows += id + "," + (ours ? surname(i) : "Other" + std::to_string(i)) + ",Ada," + (ours ? upn(i) : "") +
              ",2014-03-09\r\n";
      for (int d = 1; d <= days; ++d) marks += utc_date(now.now()).plus(-d).iso() + ",AM," + id + ",/\r\n";
    }
    folder.write("exports/pupils.csv", rows);
    folder.write("exports/marks.csv", marks);
    const Ended read = agent.call({"extract"});
    INFO(read.out << read.err);
    REQUIRE(read.code == 0);
  }
  void enrol(const Hub& hub) const { REQUIRE(agent.call({"enrol", invite(hub, urn)}).code == 0); }
  Ended sync(int code = 0) const {
    Ended ended = agent.call({"sync"});
    INFO(urn << ": " << ended.out << ended.err);
    CHECK(ended.code == code);
    return ended;
  }
  Ended decide(const std::vector<std::string>& words, int code = 0) const {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--by", kBy});
    Ended ended = agent.call(all);
    INFO(ended.out << ended.err);
    CHECK(ended.code == code);
    return ended;
  }
  // A partner's pupils, as they are held here.
  [[nodiscard]] std::string partners_pupils() const {
    const Ended ended = agent.call({"partner", "export", "pupil"});
    INFO(ended.err);
    CHECK(ended.code == 0);
    return ended.out;
  }
  std::string urn;
  Folder folder;
  Agent agent;
};

struct Federation {
  Federation() : hub(folder), a("100001", hub), b("100002", hub) {
    REQUIRE(hub.call({"school", "add", "100002", "--name", "Second School"}).code == 0);
    REQUIRE(
        hub.call({"federation", "add", "canal", "--name", "Canal", "--member", "100001", "100002"}).code ==
        0);
    offer("borough", 1);
    offer("canal", 1);
    a.day(4);
    b.day(2);
    for (const School* school : {&a, &b}) school->enrol(hub);
  }
  void offer(const std::string& id, int version) const {
    Paper paper;
    paper.id = id;
    paper.version = version;
    paper.audience = id == "borough" ? "borough" : "federation:" + id;
    paper.grants = R"("ROLL", "ATT-CAT")";
    paper.more = "without = [\"pupil.UPN\"]\n";
    paper.urns = {"100001", "100002"};
    hub.offer(paper);
  }
  void both_approve() const {
    for (const School* school : {&a, &b})
      for (const char* id : {"borough", "canal"}) approve(school->agent, id);
  }
  // Until whatever was ordered has been heard of, answered, and brought again.
  void rounds(int n = 2) const {
    for (int i = 0; i < n; ++i)
      for (const School* school : {&a, &b}) school->sync();
  }
  // In no byte at the hub or the partner, and in nothing that they logged.
  void nowhere_outside(const std::string& text) const {
    INFO(text);
    CHECK(found(text, folder / "hub") == "");
    CHECK(found(text, b.folder / "data") == "");
    for (const std::string& at : {folder / "", b.folder / ""})
      for (const auto& entry : fs::directory_iterator(at))
        if (entry.path().extension() == ".err") CHECK_THAT(content_of(entry.path()), !Contains(text));
  }
  // Who has answered the school's orders, all of them.
  void all_answered(const School& by, const std::string& partner) const {
    const Json list = by.agent.json({"receipts", "list"});
    REQUIRE_FALSE(list["orders"].empty());
    int removed = 0;
    for (const Json& order : list["orders"]) {
      std::vector<std::string> who;
      for (const Json& receipt : order["receipts"]) who.push_back(receipt["by"]);
      INFO(order.dump());
      CHECK(std::count(who.begin(), who.end(), "hub") == 1);
      if (order["audience"] != "borough") CHECK(std::count(who.begin(), who.end(), "school:" + partner) == 1);
      for (const Json& receipt : order["receipts"])
        if (receipt["by"] == "school:" + partner)
          removed += receipt["rows"].get<int>() + receipt["references"].get<int>();
    }
    CHECK(removed > 0);  // it had held the stream, and says so
    CHECK(by.agent.call({"receipts", "verify"}).code == 0);
    CHECK(hub.call({"receipt", "verify"}).code == 0);
    CHECK(hub.call({"audit", "verify"}).code == 0);
    for (const School* school : {&a, &b}) CHECK(school->agent.call({"audit", "verify"}).code == 0);
  }
  Folder folder;
  Hub hub;
  School a, b;
};

TEST_CASE("nothing goes before it is approved, then exactly that, and partners read it while the hub is down",
          "[federation]") {
  Federation at;
  at.a.sync(4);
  CHECK(at.hub.rows("pupil").empty());
  at.nowhere_outside(surname(0));
  CHECK_THAT(at.a.agent.call({"status"}).out, Catch::StartsWith("AMBER: nothing is shared with borough yet"));
  at.both_approve();
  at.rounds();
  CHECK(at.hub.rows("pupil").size() == 6);
  at.hub.stop();
  const Ended held = at.b.agent.call({"partner", "export", "pupil", "--school", "100001"});
  CHECK(held.code == 0);
  CHECK_THAT(held.out, Contains(surname(0)) && Contains(surname(3)));
  CHECK_THAT(held.err, Contains("4 rows, last changed just now"));
  CHECK(at.b.agent.json({"partner", "list"})["partners"][0]["complete"] == true);
  const Json status = at.b.agent.json({"status"});
  CHECK(status["sharing"]["shared"].size() == 2);
  CHECK(status["sharing"]["partners"][0]["urn"] == "100001");
  for (int i = 0; i < 4; ++i) at.nowhere_outside(upn(i));
  CHECK(found(upn(0), at.a.folder / "data") != "");  // it is here
}

TEST_CASE("a protected, restricted or erased pupil is gone at hub and partner, with receipts at both ends",
          "[federation]") {
  Federation at;
  at.both_approve();
  at.rounds();
  REQUIRE_THAT(at.b.partners_pupils(), Contains(surname(0)));
  for (const std::string& place : {at.folder / "hub", at.b.folder / "data"})
    for (int i = 0; i < 3; ++i) REQUIRE(found(surname(i), place) != "");
  at.a.decide({"protect", upn(0), "--level", "R2"});
  at.a.decide({"restrict", upn(1)});
  at.a.decide({"erase", upn(2), "--reason", "request of 3 March", "--yes"});
  at.rounds();
  for (int i = 0; i < 3; ++i) at.nowhere_outside(surname(i));
  CHECK(found(surname(2), at.a.folder / "data") == "");
  CHECK_THAT(at.b.partners_pupils(), Contains(surname(3)));
  CHECK(at.hub.rows("pupil").size() == 3);
  at.all_answered(at.a, "100002");
  CHECK(at.a.agent.json({"verify"})["hub"]["equal"] == true);

  at.a.decide({"restrict", upn(1), "--lift"});
  at.rounds();
  CHECK_THAT(at.b.partners_pupils(), Contains(surname(1)) && !Contains(surname(0)));
  CHECK_THAT(at.a.decide({"erase", "A999999999999", "--reason", "request", "--yes"}, 1).err,
             Contains("no pupil"));
  const Json report = at.a.agent.json({"subject-report", upn(1)});
  CHECK(report["shared"].size() == 2);
  CHECK_THAT(report.dump(), Contains(surname(1)) && !Contains(surname(3)));
  // What the MIS still says of an erased pupil does not come back.
  at.a.day(4, 2);
  at.rounds();
  at.nowhere_outside(surname(2));
}

TEST_CASE(
    "withdrawn, all is gone at hub and partner, nothing more is sent, and old or repeated decisions are "
    "answered clearly",
    "[federation]") {
  Federation at;
  at.both_approve();
  at.rounds();
  at.offer("canal", 2);
  at.a.sync();
  CHECK_THAT(at.a.decide({"agreement", "approve", "canal", "--version", "1", "--yes"}, 1).err,
             Contains("version 2"));
  at.a.decide({"agreement", "withdraw", "canal"});
  CHECK_THAT(at.a.decide({"agreement", "withdraw", "canal"}, 1).err, Contains("already"));
  at.rounds();
  CHECK(found(surname(0), at.b.folder / "data") == "");
  CHECK_THAT(at.b.partners_pupils(), !Contains("Zzyzx"));
  // What the other school shares is for partners.
  CHECK(at.a.agent.json({"partner", "list"})["partners"].empty());
  CHECK(found("Other0", at.a.folder / "data") == "");
  CHECK(at.hub.rows("pupil").size() == 6);
  at.all_answered(at.a, "100002");

  at.a.decide({"agreement", "withdraw", "borough"});
  CHECK_THAT(at.a.sync().out, Contains("nothing is shared: agreement borough (borough) withdrawn"));
  at.a.day(5, 3);
  at.rounds();
  CHECK(at.hub.rows("pupil").size() == 2);
  at.nowhere_outside("Zzyzx");
  CHECK(at.a.agent.call({"verify"}).code == 0);
}

TEST_CASE("a school that leaves its federation is forgotten by it; it comes back by approving again",
          "[federation]") {
  Federation at;
  at.both_approve();
  at.rounds();
  REQUIRE(at.hub.call({"federation", "leave", "canal", "100001"}).code == 0);
  at.rounds();
  CHECK(found("Zzyzx", at.b.folder / "data") == "");
  CHECK(found("Other0", at.a.folder / "data") == "");
  CHECK(at.hub.rows("pupil").size() == 6);  // the borough has its own agreement
  REQUIRE(at.hub.call({"federation", "join", "canal", "100001"}).code == 0);
  at.rounds();
  CHECK_THAT(at.b.partners_pupils(), !Contains("Zzyzx"));  // nobody has approved that yet
  approve(at.a.agent, "canal");
  at.rounds();
  CHECK_THAT(at.b.partners_pupils(), Contains(surname(0)));
  CHECK_THAT(at.a.partners_pupils(), Contains("Other0"));
}

TEST_CASE("a partner's machine killed while it carries out an order finishes at its next start",
          "[federation]") {
  Federation at;
  at.both_approve();
  at.rounds();
  int killed = 0;
  for (int pupil = 0; pupil < 3; ++pupil) {
    at.a.decide({"protect", upn(pupil), "--level", "R2"});
    at.a.sync();
    Process syncing(at.b.folder, at.b.agent.words({"sync"}));
    // At its first write, with the order noted, and when a replica's file has gone or changed.
    const auto place = at.b.folder / (pupil == 0 ? "data/school.db-wal" : "data/partners");
    const auto seen = [&] {
      std::uintmax_t sum = 0;
      std::error_code ignored;
      if (pupil == 0) return fs::file_size(place, ignored);
      for (const auto& entry : fs::directory_iterator(place, ignored)) {
        const auto size = entry.file_size(ignored);
        sum = sum * 31 + (ignored ? 7 : size) + 1;
      }
      return sum;
    };
    const auto before = seen();
    while (syncing.running())
      if (seen() != before) {
        syncing.kill();
        break;
      }
    const Ended ended = syncing.wait();
    CHECK((ended.code == -SIGKILL || ended.code == 0));
    killed += ended.code == -SIGKILL ? 1 : 0;
    at.rounds(1);
    at.rounds(1);
    at.nowhere_outside(surname(pupil));
  }
  CHECK(killed > 0);
  CHECK_THAT(at.b.partners_pupils(), Contains(surname(3)));
  at.all_answered(at.a, "100002");
}

}  // namespace
}  // namespace towpath::test
