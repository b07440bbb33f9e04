// An agreement as the world's people know it: what the operator wrote, before any program read it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/sim_random.hpp"

namespace towpath::sim::fed {

struct Paper {
  std::string id, audience;
  unsigned version = 1;
  std::vector<std::string> parties;  // URNs
  std::vector<std::string> grants, without;
  enum class Scope : std::uint8_t { kEveryone, kOnRoll, kNamed } scope = Scope::kEveryone;
  std::vector<std::string> year_groups;
  std::map<std::string, int> retention;
  int start = 0, end = 0;  // days since 1970

  [[nodiscard]] bool in_force(int day) const { return start <= day && day <= end; }
  [[nodiscard]] bool names(const std::string& urn) const;
  [[nodiscard]] bool federal() const { return audience != "borough"; }
  [[nodiscard]] std::string text() const;  // TOML
  // Counts and names only: for the trace.
  [[nodiscard]] std::string says() const;
};

// Anything that an operator may write for this audience.
[[nodiscard]] Paper draw_paper(SimRandom& random, std::string id, std::string audience, unsigned version,
                               std::vector<std::string> parties, int today);
// Everything that may be granted, to everyone who is a party, for a year.
[[nodiscard]] Paper widest_paper(std::string id, std::string audience, unsigned version,
                                 std::vector<std::string> parties, int today);

}  // namespace towpath::sim::fed
