// One night in which something fails, and what has to hold after it, whatever it was.
//
// In: a day, and how a fault is armed and healed. Out: a tally; what does not hold is a failed check of the
// test in hand. The next night runs in the same processes: nothing may need a restart.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>

#include "tests/faults/night.hpp"

namespace towpath::faults {

// TOWPATH_FAULTS=all: each call in turn, instead of a few of those that are alike.
[[nodiscard]] bool all_of_them();

struct Tally {
  std::size_t runs = 0, noticed = 0, later = 0, nothing = 0;
  std::set<std::string> said;
  // TOWPATH_FAULTS_PRINT=1: with every sentence.
  void print(const std::string& what) const;
};

class Trial {
 public:
  // Day 1 begins with nothing at either end, day 2 after the first.
  explicit Trial(int day);

  struct Fault {
    std::string what;
    std::function<void()> arm, heal;
    std::function<bool()> struck;
    bool sector_lost = false;  // the disk says so: then the hub may have to be sent everything again
  };
  // The night as it goes without a fault; `begin` and `end` around it.
  void run_whole(const std::function<void()>& begin, const std::function<void()>& end);
  void run(const Fault& fault, Tally& tally);

  Disks disks;
  // Set before the first run, where something is to be between the night and its disks.
  std::string school_vfs = disks.school.vfs(), hub_vfs = disks.hub.vfs();
  std::function<void(Stage)> stage = [](Stage) {};

 private:
  void check(const Said& said, const Night& night, bool sector_lost, Tally& tally);
  void go_on(Night& night, bool sector_lost);

  const int day_;
  Mis mis_;
  Disks::Image before_;
};

}  // namespace towpath::faults
