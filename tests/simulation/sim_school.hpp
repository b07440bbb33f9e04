// One machine of a school: the real intake, store, publisher and exchange on a simulated disk, its
// source, and the books that say what must come of it.
//
// Its line is the product's: it enrols with an invitation's code, restores, syncs, carries sticks. Its
// technician does what an error asks for, and may do it only where there is a reason.
// A copy of it may live beside it (sim_site.hpp).
//
// A day is a list of things to do (extract, sync, nothing at all); turn() does one bounded piece
// of it, so that schools take turns in any order. A machine that goes down is started again at
// its next turn; then its store must be as before the run that was cut off, or as after it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/identity/identity.hpp"
#include "agent/intake/intake.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/store/line_state.hpp"
#include "agent/store/store.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/hub_peer.hpp"
#include "tests/simulation/sim_keys.hpp"
#include "tests/simulation/sim_link.hpp"
#include "tests/simulation/sim_source.hpp"
#include "tests/simulation/sim_sticks.hpp"
#include "tests/simulation/store_books.hpp"
#include "tests/simulation/technician.hpp"

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
  [[nodiscard]] Technician& technician() { return technician_; }
  // The program is replaced by a newer one, between two runs.
  void upgrade(const Dictionary& dictionary);
  [[nodiscard]] bool knows(const Dictionary& dictionary) const { return dictionary_ == &dictionary; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  // A sync ended with both ends equal since the last time this was asked.
  [[nodiscard]] bool take_equal() { return std::exchange(equal_, false); }

  // --- two machines of one school (sim_site.hpp) -----------------------------------------------
  // As it is now, disk and keys and all.
  [[nodiscard]] std::unique_ptr<SimSchool> copied() const {
    return std::unique_ptr<SimSchool>(new SimSchool(*this));
  }
  // The other one; null: it is alone.
  void keep_beside(SimSchool* other) { beside_ = other; }
  // Nothing is done with it from here on.
  void shut_down();

 private:
  enum class Act : std::uint8_t {
    kExtract,
    kExtractClubs,
    kSync,
    kPowerCut,
    kGrants,
    kBackup,
    kRollBack,
    kLose,
    kLoseData,
    kLoseKeys,
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

  bool start();  // false: the machine went down again while starting
  void close();
  void extract_at_night(std::size_t source);
  void extract(const SimExport& night, bool accept_deletions);
  // What people are told holds no word of a record.
  void check_told(const ExtractReport& report);
  void change_agreement(Mishap mishap);
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
  void lose();
  void lose_data();
  void export_stick();
  void import_answers();
  void sync_until_equal();
  void after_sync(bool equal);
  // The mishaps of a machine that works, within about so many changes on its disk.
  void risk(std::size_t changes);
  void disarm();
  [[nodiscard]] Around around() const { return {disk_.struck().has_value(), disturbed_}; }

  const std::string urn_;
  Options options_;
  Mishaps& mishaps_ = options_.mishaps;
  SimTime& time_;
  SimHub& hub_;
  Trace& trace_;
  const Dictionary* dictionary_;
  SimRandom days_;
  SimRandom random_;  // what is done today, and when
  SimRandom chance_;  // what the agent draws
  SimClock clock_;
  SimDisk disk_;
  SimSource source_;
  StoreBooks books_;
  SimLink link_;
  SimKeys keys_;
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<HubPeer> peer_;
  Audience audience_;
  // Grants of earlier agreements: until an order about them is carried out, which nobody here gives, the hub
  // has what was sent under them among its references and in its file's free pages.
  [[nodiscard]] std::vector<std::string> granted_once() const;
  std::set<std::string> granted_before_;
  bool all_granted_once_ = false;
  SimSticks sticks_;
  Technician technician_;
  SimSchool* beside_ = nullptr;

  std::unique_ptr<Store> store_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<LineState> line_;
  std::unique_ptr<Exchange> exchange_;
  std::deque<Act> plan_;
  bool held_ = false;  // the last run left deletions waiting
  std::uint64_t syncs_ = 0;
  bool disturbed_ = false;    // the sync in hand
  bool equal_ = false;        // the last one
  unsigned calm_ = 0;         // syncs in a row that nothing disturbed and that did not end equal
  bool new_key_due_ = false;  // the next sync is to replace our key
  Head believed_;             // acknowledged, when it was last looked at
  struct Backup {
    SimDisk::Image disk;
    StoreBooks books;
    std::map<std::string, std::string> keys;
  };
  std::optional<Backup> backup_;
  bool restore_due_ = false;  // enrolled, and the hub has records of the pledge that are not here
};

}  // namespace towpath::sim
