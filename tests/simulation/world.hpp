// A borough in one process: a hub, its schools, simulated days, everything from one seed.
//
// run() lives the days with faults, then lets the faults stop and checks that all became equal.
// A check that does not hold comes out as Broken; live() says where, and what happened before it.
// What makes a world that breaks smaller, and tells a person of it: shrink.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/mishaps.hpp"
#include "tests/simulation/sim_hub.hpp"
#include "tests/simulation/sim_site.hpp"
#include "tests/simulation/trace.hpp"

namespace towpath::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  unsigned schools = 10;
  unsigned days = 7;
  std::vector<unsigned> only_schools;  // in order; the others are left out. Empty: all
  bool swarm = false;                  // its seed has drawn a mix of its own
  Mishaps mishaps;
  std::size_t pupils = 0;     // of each school; 0: drawn, some ten
  int days_before = 1;        // of registers, when the world begins
  std::size_t assert_at = 0;  // an assertion fails at this event, as one of the product's might
  bool print = false;         // every event, as it happens
  // The rates that it would have if nobody had changed them.
  [[nodiscard]] Mishaps usual_mishaps() const { return swarm ? Mishaps::swarm(seed) : Mishaps(); }
  // What towpath-sim takes to make it again.
  [[nodiscard]] std::string text() const;
  bool operator==(const WorldOptions&) const = default;
};

// What became of a world.
struct Outcome {
  std::optional<std::string> broke;  // the check that did not hold; none: all held
  Promise promise = Promise::kSound;
  Event where;  // it broke: day and school
  std::vector<Event> events;
  std::uint64_t trace_hash = 0, syncs = 0;
};

struct Watching {
  std::function<void(const Event&)> each;  // told of each event
  std::function<void(const Trace&)> also;  // a check of a test's own, made after each turn; it throws Broken
};

class World {
 public:
  explicit World(const WorldOptions& options, const Watching& watching = {});
  void run();
  [[nodiscard]] const Trace& trace() const { return trace_; }
  // How it stands.
  [[nodiscard]] Outcome outcome() const;

 private:
  void live_day();
  void settle();
  void become_equal();
  // Of a machine that this mishap may strike.
  const Dictionary& first_dictionary(Mishap older, const std::string& whose);
  void about(std::optional<unsigned> school);

  WorldOptions options_;
  std::function<void(const Trace&)> also_;
  SimTime time_;
  Trace trace_;
  SimRandom random_;
  SimHub hub_;
  std::vector<std::unique_ptr<SimSite>> schools_;
  std::vector<unsigned> numbers_;  // of the same, as --only counts
  unsigned day_ = 0;
};

// Lives it to its end, or to where it breaks.
[[nodiscard]] Outcome live(const WorldOptions& options, const Watching& watching = {});

}  // namespace towpath::sim
