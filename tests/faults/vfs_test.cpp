// Every call that SQLite makes of its file system, at both ends, failed in turn.
//
// TOWPATH_FAULTS=all: each call with each of its errors (minutes); otherwise of the calls that are alike
// (kind, file, machine, stage) the first and the last.
#include <catch2/catch.hpp>
#include <map>

#include "tests/faults/fault_vfs.hpp"
#include "tests/faults/trial.hpp"

namespace towpath::faults {
namespace {

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

class VfsTrial {
 public:
  explicit VfsTrial(int day) : trial_(day) {
    trial_.school_vfs = school_.name();
    trial_.hub_vfs = hub_.name();
    trial_.stage = [this](Stage s) { plan_.stage = s; };
    trial_.run_whole([this] { plan_.count(); },
                     [this] {
                       calls_ = plan_.calls();
                       plan_.heal();
                     });
  }
  [[nodiscard]] const std::vector<Call>& calls() const { return calls_; }
  void fail(std::size_t at, int error, Until until, Tally& tally) {
    trial_.run({"call " + std::to_string(at) + ", " + text(calls_[at]) + ", with " + sqlite3_errstr(error) +
                    " (" + std::to_string(error) + "), " + name(until),
                [&] { plan_.fail(at, error, until); }, [&] { plan_.heal(); },
                [&] { return plan_.struck().has_value(); }, error == SQLITE_IOERR_CORRUPTFS},
               tally);
  }

 private:
  Trial trial_;
  FaultPlan plan_;
  FaultVfs school_{plan_, 0, trial_.disks.school.vfs()}, hub_{plan_, 1, trial_.disks.hub.vfs()};
  std::vector<Call> calls_;
};

void every_call(int day, Until until) {
  VfsTrial trial(day);
  CHECK(trial.calls().size() > 100);
  Tally tally;
  for (const std::size_t at : chosen(trial.calls(), until))
    for (const int error : errors_of(trial.calls()[at].kind)) trial.fail(at, error, until, tally);
  tally.print("day " + std::to_string(day) + ", " + std::to_string(trial.calls().size()) + " calls, " +
              name(until));
  CHECK(tally.noticed > tally.runs / 10);  // a harness in which nothing is noticed tests nothing
}

}  // namespace

TEST_CASE("a read that fails once at the hub has the school come again, and costs it no new epoch") {
  VfsTrial trial(2);
  const Call read{Call::Kind::kRead, Call::File::kDatabase, 1, kExchanges};
  std::size_t struck = 0;
  for (std::size_t at = 0; at < trial.calls().size(); ++at) {
    if (trial.calls()[at] != read) continue;
    ++struck;
    Tally tally;
    trial.fail(at, SQLITE_IOERR_READ, Until::kOnce, tally);
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
