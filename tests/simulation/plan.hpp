// What towpath-sim is asked to do: its command line, and the worlds that follow from it.
//
// In: words. Out: a Plan; world(seed) gives the world of one seed. Stays true: what
// WorldOptions::text() writes makes, read here, the same world again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "tests/simulation/world.hpp"

namespace towpath::sim {

struct Plan {
  // What every world has in common; seed and mishaps come with world().
  WorldOptions common;
  std::optional<std::uint64_t> first;  // none: a fresh one
  std::uint64_t count = 1;             // seeds from the first on
  unsigned minutes = 0;                // instead of a count: until time is up
  std::optional<std::vector<std::string>> only_faults;
  std::vector<std::string> without;
  std::vector<std::pair<std::string, unsigned>> faults;
  unsigned jobs = 1;
  bool trace_hash = false, list_faults = false, shrink = true, stop_at_first = false, in_process = false;
  std::string help;  // not empty: to be shown, and nothing else done

  // In order: the usual rates or the seed's own mix, those that are left out, those that are set.
  [[nodiscard]] WorldOptions world(std::uint64_t seed) const;
};

// Without the program's name. Error kUsage, with a sentence, where it makes no sense.
[[nodiscard]] Result<Plan> read_plan(std::vector<std::string> words);
// name, usual rate, what happens; a line each.
[[nodiscard]] std::string fault_table();

}  // namespace towpath::sim
