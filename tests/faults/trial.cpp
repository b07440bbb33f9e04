#include "tests/faults/trial.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/simulation/sim_vfs.hpp"

namespace towpath::faults {

bool all_of_them() {
  const char* wish = std::getenv("TOWPATH_FAULTS");
  return wish != nullptr && std::string_view(wish) == "all";
}

void Tally::print(const std::string& what) const {
  std::printf(
      "%s, %zu runs: %zu ended with errors, %zu by the hub's word to come later, %zu as if nothing had "
      "been\n",
      what.c_str(), runs, noticed, later, nothing);
  if (std::getenv("TOWPATH_FAULTS_PRINT") != nullptr)
    for (const std::string& line : said) std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
}

Trial::Trial(int day) : day_(day) {
  sim::seed_sqlite(1);
  Night night(disks, school_vfs, hub_vfs, mis_);
  night.make_hub();
  for (int d = 1; d < day_; ++d) {
    mis_.be(d);
    const Said said = night.run();
    REQUIRE(said.errors.empty());
    REQUIRE(said.equal);
  }
  night.stop();
  before_ = disks.image();
  mis_.be(day_);
}

void Trial::run_whole(const std::function<void()>& begin, const std::function<void()>& end) {
  disks.restore(before_);
  Night night(disks, school_vfs, hub_vfs, mis_, stage);
  begin();
  const Said said = night.run();
  night.stop();
  end();
  REQUIRE(said.errors.empty());
  REQUIRE(said.equal);
  const Seen seen = look(disks, true);
  CHECK(seen.school == mis_.lists(day_));
  CHECK(seen.hub == mis_.lists(day_));
}

void Trial::run(const Fault& fault, Tally& tally) {
  disks.restore(before_);
  INFO("failed: " << fault.what);
  Night night(disks, school_vfs, hub_vfs, mis_, stage);
  fault.arm();
  const Said said = night.run();
  if (fault.struck()) {
    fault.heal();
    check(said, night, fault.sector_lost, tally);
    go_on(night, fault.sector_lost);
  } else {  // it was the night's last: closing the hub's files
    night.stop();
    CHECK(fault.struck());  // otherwise this run has been about nothing
    fault.heal();
    Night again(disks, school_vfs, hub_vfs, mis_, stage);
    go_on(again, fault.sector_lost);
  }
}

void Trial::check(const Said& said, const Night& night, bool sector_lost, Tally& tally) {
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
  const Lists& before = mis_.lists(day_ - 1);
  const Lists& after = mis_.lists(day_);
  CHECK((seen.school == before || seen.school == after));
  CHECK((seen.hub == before || seen.hub == after));
  if (said.extracted) CHECK(seen.school == after);
  if (said.equal) CHECK(seen.hub == seen.school);
  // Nothing acknowledged is missing.
  if (seen.acknowledged.seq.number > 0 && !sector_lost) {
    CHECK(seen.acknowledged.epoch == seen.hub_head.epoch);
    CHECK(seen.acknowledged.seq <= seen.hub_head.seq);
    if (seen.acknowledged.seq == seen.hub_head.seq) CHECK(seen.acknowledged.segment == seen.hub_head.segment);
  }
}

// What failed works again, and the programs are those that ran: the next night does what was to do.
void Trial::go_on(Night& night, bool sector_lost) {
  const Said said = night.run();
  for (const Error& error : said.errors) FAIL_CHECK("the next night: " << error.sentence());
  CHECK(said.extracted);
  CHECK(said.equal);
  if (!sector_lost)
    for (const std::string& event : said.events) FAIL_CHECK("the next night: " << event);
  const Said verified = night.verify();
  for (const Error& error : verified.errors) FAIL_CHECK("verify: " << error.sentence());
  CHECK(verified.equal);
  night.stop();
  CHECK(disks.school.open_files == 0);
  CHECK(disks.hub.open_files == 0);
  const Seen seen = look(disks, true);
  CHECK(seen.school == mis_.lists(day_));
  CHECK(seen.hub == mis_.lists(day_));
  // A new epoch sends everything again: only where the disk itself says that what was there is gone.
  if (!sector_lost) CHECK(seen.hub_head.epoch.number == 1);
  CHECK(seen.acknowledged.segment == seen.hub_head.segment);
}

}  // namespace towpath::faults
