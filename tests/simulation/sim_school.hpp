// A school of a world: its source, its machine with the real intake, store, publisher and
// exchange on a simulated disk, and the model that says what must come of it.
//
// Its line is the product's: it enrols with an invitation's code, restores, syncs, carries sticks. A
// technician does what an error asks for (enrols anew), and may do it only where there is a reason: a
// disorder (somebody was set back, copied, lost or revoked) since both ends were last equal.
// A copy of the machine lives on as a school of its own beside the original until one is refused;
// then the technician keeps either.
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
#include "tests/simulation/sim_keys.hpp"
#include "tests/simulation/sim_link.hpp"
#include "trust/invitation.hpp"

namespace towpath::sim {

class SimSchool {
 public:
  struct Options {
    std::uint64_t seed = 0;
    Mishaps mishaps;
    std::size_t pupils = 0;  // 0: drawn
    int days_before = 1;
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
  void hub_set_back();
  // The copy of it that has been kept in its place, if the technician chose that; it has the original
  // beside it from then on.
  [[nodiscard]] std::unique_ptr<SimSchool> take_heir();
  void keep_beside(std::unique_ptr<SimSchool> loser) { twin_ = std::move(loser); }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

 private:
  enum class Act : std::uint8_t {
    kExtract,
    kSync,
    kPowerCut,
    kGrants,
    kBackup,
    kRollBack,
    kCopy,
    kLose,
    kRevoke,
    kNewKey,
    kAskNewKey,
    kExport,
    kCarry,
    kImport
  };

  // A copy as the machine is now.
  explicit SimSchool(const SimSchool& original);
  void connect();
  bool own_turn();

  bool start();  // false: the machine went down again while starting
  void close();
  void extract(const SimExport& night, bool accept_deletions);
  // What a technician and each run of the program do first; false: no further today.
  bool ready();
  bool enrol();
  void enrolled_anew();
  bool restore();
  [[nodiscard]] ExchangeOptions exchange_options();
  bool went_down(const char* what);
  void begin_sync();
  void step_sync();
  void check_acknowledged();
  void check_forward();
  void check_events(const std::vector<std::string>& events);
  void back_up();
  void roll_back();
  void copy();
  void lose();
  void export_stick();
  void carry_stick();
  void import_answers();
  void decide();
  void sync_until_equal();
  void disorder(unsigned by);
  // The mishaps of a machine that works, within about so many changes on its disk.
  void risk(std::size_t changes);
  void disarm();
  [[nodiscard]] Image stored(const SchoolModel::Outcome& outcome,
                             std::map<std::int64_t, std::string>& numbers);
  // Whether the store is what `outcome` says; then the model takes it over.
  bool take(const SchoolModel::Outcome& outcome, std::string* why = nullptr);
  [[nodiscard]] bool excused(const Error& error);

  const std::string urn_;
  Options options_;
  Mishaps& mishaps_ = options_.mishaps;
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
  SimKeys keys_;
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
  // Somebody was set back, copied or lost since both ends were last equal: a new epoch has a reason.
  bool epoch_due_ = false;
  // How many could make one machine look like two: a hub may take it for that from two on.
  unsigned disorders_ = 0;
  bool enrol_due_ = false;            // a person has to: the hub takes this machine's key no longer
  bool revoke_due_ = false;           // the operator has ended it
  std::optional<Invitation> code_;    // in the technician's hand
  std::optional<KeyId> refused_key_;  // why the technician is here
  bool cut_off_ = false;              // its machine went down while it was used
  bool new_key_due_ = false;          // the next sync is to replace our key
  Head believed_;                     // acknowledged, when it was last looked at

  std::vector<std::vector<Bytes>> sticks_;
  std::vector<Bytes> answers_;

  // A copy beside this one.
  std::unique_ptr<SimSchool> twin_;
  bool is_twin_ = false;
  bool taken_ = false;       // the last sync ended equal
  bool undecided_ = false;   // both live, and nobody has been refused yet
  bool refused_ = false;     // while undecided
  bool retired_ = false;     // the technician has given this one up, and it runs on
  bool superseded_ = false;  // and the other has been enrolled since
  bool heir_ = false;        // the copy is to stay
  bool last_was_twin_ = false;
  unsigned switches_ = 0;  // from one to the other being taken by the hub
  // Every entity that a machine of this school has introduced, by UUID; shared with its copies.
  std::shared_ptr<std::map<std::string, std::string>> ever_ =
      std::make_shared<std::map<std::string, std::string>>();
  struct Backup {
    SimDisk::Image disk;
    SchoolModel model;
    std::map<std::int64_t, std::string> numbers;
    std::map<std::string, std::string> keys;
  };
  std::optional<Backup> backup_;
};

}  // namespace towpath::sim
