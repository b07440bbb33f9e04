#include "tests/simulation/sim_site.hpp"

#include <utility>

namespace towpath::sim {
namespace {

// The hub hears the copy, the original again, and then knows; a turn later for each that one of them
// has counted and the line has lost, for until they use the same number both look like one.
constexpr unsigned kSwitchesMax = 6;

}  // namespace

SimSite::SimSite(const SimSchool::Options& options, std::unique_ptr<SimSchool> machine, SimHub& hub,
                 Trace& trace)
    : days_(options.seed, machine->urn() + " site"),
      random_(days_.split()),
      hub_(hub),
      trace_(trace),
      mishaps_(options.mishaps),
      machine_(std::move(machine)) {}

void SimSite::begin_day() {
  random_ = days_.split();
  if (mishaps_.strikes(Mishap::kSchoolDies, random_) && other_ && machine_->technician().undecided()) {
    trace_.mishap(Mishap::kSchoolDies);
    let_go(std::move(other_));
  }
  machine_->begin_day();
  if (other_) other_->begin_day();
  copy_due_ = mishaps_.strikes(Mishap::kSchoolCopy, random_);
}

void SimSite::upgrade(const Dictionary& dictionary) {
  for (SimSchool* machine : {machine_.get(), other_.get()})
    if (machine != nullptr && !machine->knows(dictionary)) machine->upgrade(dictionary);
}

bool SimSite::turn() {
  if (copy_due_ && random_.chance(20)) copy();
  if (other_ == nullptr) return machine_->turn();
  const bool other_first = random_.chance(50);
  static_cast<void>(machine_->take_equal());
  static_cast<void>(other_->take_equal());
  SimSchool& first = other_first ? *other_ : *machine_;
  SimSchool& second = other_first ? *machine_ : *other_;
  const bool did = first.turn() || second.turn();
  if (!machine_->technician().undecided()) return did;
  const bool other = other_->take_equal();
  if ((other || machine_->take_equal()) && last_was_other_ != other) {
    last_was_other_ = other;
    // A former machine may recover once a week by the hub's clock (decision 0007): who moves that clock
    // may allow it once more.
    if (++switches_ > kSwitchesMax + 2 * (hub_.clock().jumps() - hub_jumps_))
      throw Broken(Promise::kLive, "two machines speak as one school, and neither is refused");
  }
  if (machine_->technician().refused() || other_->technician().refused()) decide();
  return did;
}

void SimSite::copy() {
  copy_due_ = false;
  if (other_) return;
  trace_.mishap(Mishap::kSchoolCopy);
  other_ = machine_->copied();
  for (auto [one, beside] : {std::pair{machine_.get(), other_.get()}, {other_.get(), machine_.get()}}) {
    one->keep_beside(beside);
    one->technician().disorder(2);
    one->technician().undecided(true);
  }
  switches_ = 0;
  hub_jumps_ = hub_.clock().jumps();
  last_was_other_ = false;
}

// One of two was refused: a person looks which is to stay, and enrols that one anew.
void SimSite::decide() {
  const bool heir = random_.chance(50);
  trace_.event(heir ? "technician: the copy stays" : "technician: the original stays");
  if (heir) std::swap(machine_, other_);
  machine_->technician().decided();
  other_->technician().decided();
  machine_->technician().enrol();
  other_->technician().retire();
  if (!random_.chance(50)) return;
  trace_.event("technician: the other is shut down");
  other_->shut_down();
}

void SimSite::hub_set_back() {
  machine_->technician().hub_set_back();
  if (other_) other_->technician().hub_set_back();
  switches_ = 0;
}

// Of two this one goes on alone.
void SimSite::let_go(std::unique_ptr<SimSchool> stays) {
  stays->keep_beside(nullptr);
  machine_ = std::move(stays);
  other_.reset();
  const bool refused = machine_->technician().refused();
  machine_->technician().decided();
  if (refused) machine_->technician().enrol();
}

void SimSite::settle() {
  copy_due_ = false;
  if (other_) let_go(std::move(machine_));  // a person has found the copy
  machine_->settle();
}

}  // namespace towpath::sim
