// A school in a world of federations: its machine with the real store, intake, sharing, partners and exchange
// on a simulated disk; its MIS; and its people, who approve, withdraw, protect and name pupils.
//
// What the people have decided stands in `Decisions` (oracle.hpp), as the store has it: a decision that a
// crash fell into is read from the store afterwards, and is as before or as decided; anything else that
// differs has to have its reason (an agreement that has ended, a membership that is over, a machine that was
// set back).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/identity/identity.hpp"
#include "agent/partners/partners.hpp"
#include "agent/sharing/hub_desk.hpp"
#include "agent/sharing/sharing.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/store.hpp"
#include "agent/uplink/exchange.hpp"
#include "tests/simulation/federation/link.hpp"
#include "tests/simulation/federation/oracle.hpp"
#include "tests/simulation/federation/source.hpp"
#include "tests/simulation/sim_keys.hpp"

namespace towpath::sim::fed {

// Every text that was ever offered: id, version.
using Papers = std::map<std::pair<std::string, unsigned>, Paper>;

class School {
 public:
  struct Around {
    std::uint64_t seed;
    SimTime& time;
    Hub& hub;
    Trace& trace;
    Words& words;
    Witness& witness;
    const Papers& papers;
    const Mishaps& mishaps;
  };
  School(std::string urn, const Around& around, std::size_t pupils);
  ~School();

  void begin_day();
  // The next thing of its day. False: nothing is left to do.
  bool turn();
  // Its people are told by the operator: these are no partners of yours any more.
  void removed_from(const std::string& federation) { left_.insert(federation); }
  void hub_set_back();

  // --- once nothing fails ------------------------------------------------------------------------
  void heal();
  // Up, its MIS read, nothing undecided that a person has to look at.
  void tidy();
  // A person looks at what is suspended: approves it again where that can be, otherwise withdraws it.
  void look_again();
  // One sync, to its end. True: it ended with nothing left to do.
  bool sync_once();
  void deliver_late() {
    while (link_.deliver_late()) continue;
  }
  void cut_power();

  // --- what is to be checked -----------------------------------------------------------------------
  [[nodiscard]] const std::string& urn() const { return urn_; }
  [[nodiscard]] const Decisions& decisions() const { return decisions_; }
  [[nodiscard]] const Image& rows() const { return rows_; }
  [[nodiscard]] const std::map<std::string, std::string>& entities() const { return entities_; }
  [[nodiscard]] int today();
  // This store has lost its decision, and the hub has an approval: it may hold what it has until somebody
  // decides anew. (Nothing more leaves for it: witness.hpp looks at each bundle.)
  [[nodiscard]] bool unknown(const std::string& audience) {
    const auto found = unknown_.find(audience);
    return found != unknown_.end() && today() < found->second && around_.witness.approves(urn_, audience);
  }
  [[nodiscard]] SimDisk& disk() { return disk_; }
  [[nodiscard]] Sharing& sharing() { return *sharing_; }
  [[nodiscard]] Partners& partners() { return *partners_; }
  [[nodiscard]] bool offline() const { return link_.offline(); }
  [[nodiscard]] bool up() const { return store_ != nullptr && !disk_.down(); }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  void close();
  void check_sound();

 private:
  enum class Act : std::uint8_t {
    kExtract,
    kSync,
    kRest,
    kBackup,
    kRollBack,
    kLose,
    kOffline,
    kApprove,
    kWithdraw,
    kRule,
    kNamed
  };
  bool start();
  void risk(std::size_t changes);
  void disarm();
  bool went_down(const char* what);
  // After an action of the program: true if it is done; otherwise the machine is down, or had a reason.
  bool settled(const Result<void>& result, const char* what);
  void extract();
  void take_run();
  void approve(bool again);
  void approve(const Offer& offer);
  void withdraw();
  void withdraw(const std::string& audience, const Paper& paper);
  void rule();
  void name_pupils();
  void roll_back();
  void lose();
  bool enrol();
  bool begin_sync();
  void step_sync();
  // What the store has of people's decisions, and whether that may be.
  void adopt();
  // Tells the witness what is sealed and waits.
  void note_sealed();
  [[nodiscard]] Decisions stored();
  [[nodiscard]] std::optional<std::int64_t> number_of(const std::string& pupil);
  void open_identity();
  void forget_machine();
  void read_numbers();

  const std::string urn_;
  Around around_;
  SimTime& time_;
  Hub& hub_;
  Trace& trace_;
  Mishaps mishaps_;
  SimRandom days_, random_, chance_;
  SimClock clock_;
  SimDisk disk_;
  Source source_;
  Link link_;
  SimKeys keys_;

  SchoolModel model_;
  Image rows_;  // of the model, without those who are erased
  Decisions decisions_;
  std::map<std::string, std::string> entities_;  // by UUID, ever
  std::map<std::int64_t, std::string> numbers_;  // of this store
  std::optional<SchoolModel::Outcome> run_;      // of which nobody knows whether it was committed
  std::int64_t runs_before_ = 0;
  std::optional<Decisions> undecided_;  // what a decision in hand leads to
  // Audiences whose decision a loss has taken away, until the day on which one that was taken since begins.
  std::map<std::string, int> unknown_;
  std::set<std::string> left_;  // federations that this school was taken out of
  bool set_back_ = false;       // since all was last well, this machine or the hub
  bool enrol_due_ = true;
  std::optional<Invitation> code_;

  std::unique_ptr<Identity> identity_;
  std::unique_ptr<HubPeer> peer_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LineState> line_;
  std::unique_ptr<Partners> partners_;
  std::unique_ptr<Sharing> sharing_;
  std::unique_ptr<HubDesk> desk_;
  std::unique_ptr<Exchange> exchange_;
  std::deque<Act> plan_;
  bool disturbed_ = false;
  std::uint64_t syncs_ = 0;

  struct Backup {
    SimDisk::Image disk;
    SchoolModel model;
    Image rows;
    Decisions decisions;
    std::map<std::int64_t, std::string> numbers;
    std::map<std::string, std::string> keys;
  };
  std::optional<Backup> backup_;
};

}  // namespace towpath::sim::fed
