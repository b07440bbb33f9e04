// What goes by hand between a school and the hub: sticks with bundles, and the hub's answers.
//
// A stick is carried late, twice, or with its files out of order; some answers never come back.
#pragma once

#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "tests/simulation/sim_hub.hpp"
#include "tests/simulation/sim_random.hpp"

namespace towpath::sim {

class SimSticks {
 public:
  SimSticks(std::string urn, SimHub& hub, SimRandom random, Trace& trace, const Mishaps& mishaps)
      : urn_(std::move(urn)), hub_(hub), random_(random), trace_(trace), mishaps_(mishaps) {}

  // The school has written one.
  void written(std::vector<Bytes> bundles);
  // Some stick comes to the hub; what it answers lies ready.
  void carry();
  [[nodiscard]] bool on_their_way() const { return !sticks_.empty(); }
  [[nodiscard]] bool answered() const { return !answers_.empty(); }
  // The answers that lie ready, in any order.
  [[nodiscard]] std::vector<ByteView> answers();
  // They have been read, and are mostly thrown away.
  void read();

 private:
  std::string urn_;
  SimHub& hub_;
  SimRandom random_;
  Trace& trace_;
  const Mishaps& mishaps_;  // the machine's: they may end
  std::vector<std::vector<Bytes>> sticks_;
  std::vector<Bytes> answers_;
};

}  // namespace towpath::sim
