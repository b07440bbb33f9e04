// A school as the world has it: its machine, and the copy of it that may live beside it.
//
// Both have keys and data, and speak as the school. Of two one must be refused before they have taken
// turns often; then a person decides which is to stay, enrols that one anew, and shuts the other
// down or does not. The one that was given up must get no further.
#pragma once

#include <memory>
#include <string>

#include "tests/simulation/sim_school.hpp"

namespace towpath::sim {

class SimSite {
 public:
  SimSite(const SimSchool::Options& options, std::unique_ptr<SimSchool> machine, SimHub& hub, Trace& trace);

  void begin_day();
  // One bounded piece of the day. False: nothing is left to do.
  bool turn();
  void hub_set_back();
  void upgrade(const Dictionary& dictionary);
  [[nodiscard]] bool knows(const Dictionary& dictionary) const {
    return machine_->knows(dictionary) && (!other_ || other_->knows(dictionary));
  }
  // No faults from here on.
  void settle();
  void check_equal() { machine_->check_equal(); }
  [[nodiscard]] const std::string& urn() const { return machine_->urn(); }
  [[nodiscard]] std::uint64_t syncs() const { return machine_->syncs(); }

 private:
  void copy();
  void decide();
  void let_go(std::unique_ptr<SimSchool> stays);

  SimRandom days_;
  SimRandom random_;  // of today
  SimHub& hub_;
  Trace& trace_;
  const Mishaps mishaps_;
  std::unique_ptr<SimSchool> machine_;  // the one that counts
  std::unique_ptr<SimSchool> other_;
  bool copy_due_ = false;
  bool last_was_other_ = false;
  unsigned hub_jumps_ = 0;  // of its clock, when the two began
  unsigned switches_ = 0;   // from one to the other being taken by the hub
};

}  // namespace towpath::sim
