// A world that breaks, made smaller, and told to a person.
//
// In: the world, what became of it, and a way to live others. Out: the smallest that was found in
// which the same check breaks, and a report: how to make it again, what broke, what came before.
// Who lives the worlds decides whether they share this process (live) or not (towpath-sim).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tests/simulation/world.hpp"

namespace towpath::sim {

using Live = std::function<Outcome(const WorldOptions&)>;

struct Smaller {
  WorldOptions options;
  Outcome outcome;
  unsigned runs = 0;  // it took
};
[[nodiscard]] Smaller shrink(WorldOptions options, Outcome broken, const Live& lives);

[[nodiscard]] std::string report(const WorldOptions& options, const Outcome& outcome);

// Lives a world, in this process; a report of it and of the smallest like it if a check broke.
[[nodiscard]] std::optional<std::string> run_world(const WorldOptions& options);

}  // namespace towpath::sim
