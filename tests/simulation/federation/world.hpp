// Federations in one process: a hub with its operator, three to five schools with their people, simulated
// days, everything from one seed.
//
// run() lives the days with mishaps, then lets them stop, lets everybody sync, and checks what must hold:
// each copy is a fresh projection and is where it may be, what was recalled is in no byte, every order has
// its receipts. What must hold at every step is checked by witness.hpp. A check that does not hold is Broken.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/federation/school.hpp"

namespace towpath::sim::fed {

struct WorldOptions {
  std::uint64_t seed = 1;
  unsigned schools = 0;  // 0: drawn, 3 to 5
  unsigned days = 0;     // 0: drawn, 6 to 12
  bool swarm = false;
  Mishaps mishaps;
  bool print = false;
  [[nodiscard]] Mishaps usual_mishaps() const { return swarm ? Mishaps::swarm(seed) : Mishaps(); }
  // What towpath-fed-sim takes to make it again.
  [[nodiscard]] std::string text() const;
};

struct Outcome {
  std::optional<std::string> broke;
  Promise promise = Promise::kSound;
  Event where;
  std::vector<Event> events;
  std::uint64_t trace_hash = 0, syncs = 0, segments = 0, orders = 0;
  unsigned school_days = 0;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  void run();
  [[nodiscard]] Outcome outcome() const;

 private:
  void live_day();
  void operate();
  // What the operator has decided and the hub's books do not have (again).
  bool reconcile();
  void offer(const std::string& audience, bool widest);
  void settle();
  void sync_all(unsigned rounds);
  void start_hub();
  void people_look_again();
  void check_equal();
  // `all`: what was due later as well.
  void check_gone(bool all);
  void check_done();
  void check_receipts();
  void about(std::optional<unsigned> school) { trace_.about(day_, school); }
  [[nodiscard]] School* school(const std::string& urn);
  [[nodiscard]] std::vector<std::string> urns() const;
  [[nodiscard]] int today();

  WorldOptions options_;
  SimTime time_;
  Trace trace_;
  SimRandom random_;
  Words words_;
  Witness witness_;
  Hub hub_;
  Papers papers_;
  std::vector<std::pair<std::string, unsigned>> written_;  // in order
  std::map<std::string, std::set<std::string>> members_;   // as the operator wants them
  std::vector<std::unique_ptr<School>> schools_;
  unsigned day_ = 0;
};

// Lives it to its end, or to where it breaks.
[[nodiscard]] Outcome live(const WorldOptions& options);
// What a person reads of a world that broke; its first line makes it again.
[[nodiscard]] std::string report(const WorldOptions& options, const Outcome& outcome);

}  // namespace towpath::sim::fed
