// A borough in one process: a hub, its schools, simulated days, everything from one seed.
//
// run() lives the days with faults, then lets the faults stop and checks that all became equal.
// A check that does not hold comes out as Broken, with seed, place, what happened before it, and
// the smallest neighbours of this world in which it breaks as well.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/mishaps.hpp"
#include "tests/simulation/sim_hub.hpp"
#include "tests/simulation/sim_school.hpp"
#include "tests/simulation/trace.hpp"

namespace towpath::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  unsigned schools = 10;
  unsigned days = 7;
  std::optional<unsigned> only_school;  // the others are left out
  Mishaps mishaps;
  std::size_t pupils = 0;  // of each school; 0: drawn, some ten
  int days_before = 1;     // of registers, when the world begins
  bool print = false;      // every event, to stderr
  // What towpath-sim takes to make it again.
  [[nodiscard]] std::string text() const;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  void run();
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_.hash(); }
  [[nodiscard]] std::uint64_t events() const { return trace_.events(); }
  [[nodiscard]] std::uint64_t syncs() const;
  // After Broken: where it broke.
  [[nodiscard]] std::string place() const { return trace_.about(); }
  [[nodiscard]] unsigned day() const { return day_; }
  [[nodiscard]] std::optional<unsigned> school_in_hand() const { return in_hand_; }
  [[nodiscard]] std::string last_events() const { return trace_.last(); }

 private:
  void live_day();
  void settle();
  void about(std::optional<unsigned> school);

  WorldOptions options_;
  SimTime time_;
  Trace trace_;
  SimRandom random_;
  SimHub hub_;
  std::vector<std::unique_ptr<SimSchool>> schools_;
  unsigned day_ = 0;
  std::optional<unsigned> in_hand_;
};

// Runs a world; the text of what broke, with all that helps to find out why. None if all held.
[[nodiscard]] std::optional<std::string> run_world(const WorldOptions& options);

}  // namespace towpath::sim
