// Every call that SQLite makes of its file system, at both ends, failed in turn.
//
// TOWPATH_FAULTS=all: each call with each of its errors (minutes); otherwise of the calls that are alike
// (kind, file, machine, stage) the first and the last. TOWPATH_FAULTS_PRINT=1 prints every
// sentence that was said.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/faults/fault_vfs.hpp"
#include "tests/faults/night.hpp"
#include "tests/simulation/sim_vfs.hpp"

namespace towpath::faults {
namespace {

bool all_of_them() {
  const char* wish = std::getenv("TOWPATH_FAULTS");
  return wish != nullptr && std::string_view(wish) == "all";
}

// Which of the calls are failed: all, or from each group of like ones a few.
std::vector<std::size_t> chosen(const std::vector<Call>& calls, Until until) {
  std::vector<std::size_t> all;
  std::map<Call, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < calls.size(); ++i) groups[calls[i]].push_back(i);
  for (const auto& [call, at] : groups)
    for (std::size_t i = 0; i < at.size(); ++i)
      if (all_of_them() || i == 0 || (until == Until::kOnce && i + 1 == at.size())) all.push_back(at[i]);
  return all;
}

struct Tally {
  std::size_t runs = 0, noticed = 0, later = 0, nothing = 0;
  std::set<std::string> said;
};

class World {
 public:
  explicit World(int day) : day_(day) {
    sim::seed_sqlite(1);
    Night night(disks, disks.school.vfs(), disks.hub.vfs(), mis);
    night.make_hub();
    for (int d = 1; d < day_; ++d) {
      mis.be(d);
      const Said said = night.run();
      REQUIRE(said.errors.empty());
      REQUIRE(said.equal);
    }
    night.stop();
    before_ = disks.image();
    mis.be(day_);
  }

  // The night as it goes without a fault: what calls it makes.
  std::vector<Call> calls() {
    disks.restore(before_);
    Night night(disks, school.name(), hub.name(), mis, [&](Stage s) { plan.stage = s; });
    plan.count();
    const Said said = night.run();
    night.stop();
    const std::vector<Call> all = plan.calls();
    plan.heal();
    REQUIRE(said.errors.empty());
    REQUIRE(said.equal);
    const Seen seen = look(disks, true);
    CHECK(seen.school == mis.lists(day_));
    CHECK(seen.hub == mis.lists(day_));
    return all;
  }

  // A night in which a call fails, and what comes after it.
  void fail(std::size_t at, int error, Until until, Tally& tally) {
    disks.restore(before_);
    Night night(disks, school.name(), hub.name(), mis, [&](Stage s) { plan.stage = s; });
    plan.fail(at, error, until);
    const bool gone = error == SQLITE_IOERR_CORRUPTFS;  // the disk says that a sector is lost
    const Said said = night.run();
    if (plan.struck()) {
      INFO("failed " << name(until) << " with " << sqlite3_errstr(error) << ": call " << at << ", "
                     << text(*plan.struck()));
      plan.heal();
      check(said, night, gone, tally);
      go_on(night, gone);
    } else {  // it was the night's last: closing the hub's files
      night.stop();
      plan.heal();
      Night again(disks, school.name(), hub.name(), mis, [&](Stage s) { plan.stage = s; });
      go_on(again, gone);
    }
  }

  Mis mis;
  Disks disks;
  FaultPlan plan;
  FaultVfs school{plan, 0, disks.school.vfs()}, hub{plan, 1, disks.hub.vfs()};

 private:
  void check(const Said& said, const Night& night, bool gone, Tally& tally) {
    ++tally.runs;
    tally.noticed += said.errors.empty() ? 0U : 1U;
    tally.later += said.later_seconds > 0 ? 1U : 0U;
    tally.nothing += said.errors.empty() && said.equal ? 1U : 0U;
    for (const Error& error : said.errors) {
      check_sentence(error);
      CHECK(error.code() != Code::kConfig);  // nothing is wrong with what people have set up
      tally.said.insert(std::string(towpath::name(error.code())) + ": " + error.sentence());
    }
    for (const std::string& line : night.log()) {
      check_nothing_told(line);
      tally.said.insert("hub: " + line);
    }
    for (const std::string& event : said.events) {
      check_nothing_told(event);
      CHECK(event.find("restored or copied") == std::string::npos);  // nobody was
      tally.said.insert("event: " + event);
    }
    // A sync that goes through has both ends equal, or the hub's word that it is to come again.
    if (said.synced) CHECK((said.equal || said.later_seconds > 0));

    const Seen seen = look(disks, false);
    const Lists& before = mis.lists(day_ - 1);
    const Lists& after = mis.lists(day_);
    CHECK((seen.school == before || seen.school == after));
    CHECK((seen.hub == before || seen.hub == after));
    if (said.extracted) CHECK(seen.school == after);
    if (said.equal) CHECK(seen.hub == seen.school);
    // Nothing acknowledged is missing.
    if (seen.acknowledged.seq.number > 0 && !gone) {
      CHECK(seen.acknowledged.epoch == seen.hub_head.epoch);
      CHECK(seen.acknowledged.seq <= seen.hub_head.seq);
      if (seen.acknowledged.seq == seen.hub_head.seq)
        CHECK(seen.acknowledged.segment == seen.hub_head.segment);
    }
  }

  // The disk is whole again, and the programs are those that ran: the next night does what was to do.
  void go_on(Night& night, bool gone) {
    const Said said = night.run();
    for (const Error& error : said.errors) FAIL_CHECK("the next night: " << error.sentence());
    CHECK(said.extracted);
    CHECK(said.equal);
    if (!gone)
      for (const std::string& event : said.events) FAIL_CHECK("the next night: " << event);
    const Said verified = night.verify();
    for (const Error& error : verified.errors) FAIL_CHECK("verify: " << error.sentence());
    CHECK(verified.equal);
    night.stop();
    CHECK(disks.school.open_files == 0);
    CHECK(disks.hub.open_files == 0);
    const Seen seen = look(disks, true);
    CHECK(seen.school == mis.lists(day_));
    CHECK(seen.hub == mis.lists(day_));
    // A new epoch sends everything again: only where the disk itself says that what was there is gone.
    if (!gone) CHECK(seen.hub_head.epoch.number == 1);
    CHECK(seen.acknowledged.segment == seen.hub_head.segment);
  }

  const int day_;
  Disks::Image before_;
};

void every_call(int day, Until until) {
  World world(day);
  const std::vector<Call> calls = world.calls();
  CHECK(calls.size() > 100);
  Tally tally;
  for (const std::size_t at : chosen(calls, until))
    for (const int error : errors_of(calls[at].kind)) world.fail(at, error, until, tally);
  std::printf(
      "day %d, %s: of %zu calls in %zu runs, %zu ended with errors, %zu by the hub's word to come later, "
      "%zu as if nothing had been\n",
      day, name(until), calls.size(), tally.runs, tally.noticed, tally.later, tally.nothing);
  if (std::getenv("TOWPATH_FAULTS_PRINT") != nullptr)
    for (const std::string& line : tally.said) std::printf("  %s\n", line.c_str());
  // A harness in which nothing is noticed tests nothing.
  CHECK(tally.noticed > tally.runs / 10);
}

}  // namespace

TEST_CASE("a read that fails once at the hub has the school come again, and costs it no new epoch") {
  World world(2);
  const std::vector<Call> calls = world.calls();
  const Call read{Call::Kind::kRead, Call::File::kDatabase, 1, kExchanges};
  std::size_t struck = 0;
  for (std::size_t at = 0; at < calls.size(); ++at) {
    if (calls[at] != read) continue;
    ++struck;
    Tally tally;
    world.fail(at, SQLITE_IOERR_READ, Until::kOnce, tally);
    INFO("call " << at);
    for (const std::string& said : tally.said) CHECK(said.find("new epoch") == std::string::npos);
    CHECK(tally.later == 1);
  }
  CHECK(struck > 0);
}
TEST_CASE("whichever file call fails once on a first load, no row is lost and the next night is equal") {
  every_call(1, Until::kOnce);
}
TEST_CASE("whichever kind of file call fails from some point of a first load, no row is lost") {
  every_call(1, Until::kKindHealed);
}
TEST_CASE("wherever a disk dies during a first load, no row is lost once it is back") {
  every_call(1, Until::kDiskReplaced);
}
TEST_CASE("whichever file call fails once on a day, no row is lost and the next night is equal") {
  every_call(2, Until::kOnce);
}
TEST_CASE("whichever kind of file call fails from some point of a day, no row is lost") {
  every_call(2, Until::kKindHealed);
}
TEST_CASE("wherever a disk dies during a day, no row is lost once it is back") {
  every_call(2, Until::kDiskReplaced);
}

}  // namespace towpath::faults
