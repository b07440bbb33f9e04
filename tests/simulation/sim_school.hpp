// A school of a world: its source, its machine with the real intake, store, publisher and
// exchange on a simulated disk, and the model that says what must come of it.
//
// A day is a list of things to do (extract, sync, nothing at all); turn() does one bounded piece
// of it, so that schools take turns in any order. A machine that goes down is started again at
// its next turn; then its store must be as before the run that was cut off, or as after it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/identity/identity.hpp"
#include "agent/intake/intake.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/store.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/hub_peer.hpp"
#include "tests/simulation/model.hpp"
#include "tests/simulation/sim_link.hpp"

namespace towpath::sim {

class SimSchool {
 public:
  struct Options {
    std::uint64_t seed = 0;
    bool machine_faults = true;  // kills, power cuts, full and failing disks
    bool source_faults = true;
    bool rollbacks = true;   // the machine is set back to a backup
    std::size_t pupils = 0;  // 0: drawn
    int days_before = 1;
    SimLink::Faults line;
  };
  SimSchool(std::string urn, const Options& options, SimTime& time, SimHub& hub, Trace& trace,
            const Dictionary& dictionary);
  ~SimSchool();

  void begin_day();
  // False: nothing is left to do today.
  bool turn();
  // No faults from here on: reads the truth, and syncs until both ends are equal.
  void settle();
  // Both ends and the model, compared whole.
  void check_equal();
  [[nodiscard]] const std::string& urn() const { return urn_; }
  // The hub was set back to a backup: what it had acknowledged since is lost, with reason.
  void hub_set_back() { epoch_due_ = true; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

 private:
  enum class Act : std::uint8_t { kExtract, kSync, kPowerCut, kGrants, kBackup, kRollBack };

  bool start();  // false: the machine went down again while starting
  void close();
  void extract(const SimExport& night, bool accept_deletions);
  void make_keys();
  // With a new key, as a person would once the hub asks for it.
  void enrol();
  void begin_sync();
  void step_sync();
  void check_acknowledged();
  void back_up();
  void roll_back();
  void arm(std::size_t at_most);
  void disarm();
  [[nodiscard]] Image stored(const SchoolModel::Outcome& outcome,
                             std::map<std::int64_t, std::string>& numbers);
  // Whether the store is what `outcome` says; then the model takes it over.
  bool take(const SchoolModel::Outcome& outcome, std::string* why = nullptr);
  [[nodiscard]] bool excused(const Error& error);

  const std::string urn_;
  Options options_;
  SimTime& time_;
  SimHub& hub_;
  Trace& trace_;
  const Dictionary& dictionary_;
  SimRandom random_;  // what is done, and when
  SimRandom chance_;  // what the agent draws
  SimClock clock_;
  SimDisk disk_;
  SimSource source_;
  SchoolModel model_;
  SimLink link_;
  KeyMemory keys_;  // a machine that is set back keeps them: only its data is
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<HubPeer> peer_;
  Audience audience_;

  std::unique_ptr<Store> store_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<LineState> line_;
  std::unique_ptr<Exchange> exchange_;
  std::deque<Act> plan_;
  // A run whose end is not known: cut off, or failed at its commit, which a crash may yet complete.
  std::optional<SchoolModel::Outcome> unsure_;
  std::map<std::int64_t, std::string> numbers_;  // every number ever seen, and whose it is
  bool held_ = false;                            // the last run left deletions waiting
  std::uint64_t syncs_ = 0;
  bool disturbed_ = false;  // the sync in hand
  // Somebody was set back since both ends were last equal: a new epoch has a reason.
  bool epoch_due_ = false;
  bool enrol_due_ = false;  // the hub takes this machine's key no longer, for such a reason
  // Enrolments so far: each has a code of its own.
  std::uint8_t enrolments_ = 0;
  struct Backup {
    SimDisk::Image disk;
    SchoolModel model;
    std::map<std::int64_t, std::string> numbers;
  };
  std::optional<Backup> backup_;
};

}  // namespace towpath::sim
