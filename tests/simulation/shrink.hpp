// A world that breaks, made smaller, and told to a person.
//
// In: the world, what became of it, and a way to live others. Out: the smallest that was found in
// which the same check breaks, and a report: how to make it again, what broke and why it matters,
// what came before, in words. Who lives the worlds decides whether they share this process (live) or
// not (towpath-sim).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tests/simulation/world.hpp"

namespace towpath::sim {

using Live = std::function<Outcome(const WorldOptions&)>;

// Most that it tries; each is a world that is mostly smaller than the first, so some ten seconds. Ten
// schools, a month and forty mishaps need about two hundred.
inline constexpr unsigned kShrinkRunsMax = 300;

struct Smaller {
  WorldOptions options;
  Outcome outcome;
  unsigned runs = 0;      // it took
  bool given_up = false;  // more could have been tried
};
// Fewer days, schools, pupils, mishaps, again and again until nothing more can be left out.
[[nodiscard]] Smaller shrink(WorldOptions options, Outcome broken, const Live& lives,
                             unsigned runs_max = kShrinkRunsMax);

// Which check it was: its sentence without the numbers in it and without what follows a colon.
[[nodiscard]] std::string check_of(const std::string& broke);

// First line: the command that makes it again. `from`: of which world it is the smallest.
[[nodiscard]] std::string report(const WorldOptions& options, const Outcome& outcome);
[[nodiscard]] std::string report(const Smaller& found, const WorldOptions& from);

// Lives a world, in this process; a report of the smallest like it if a check broke.
[[nodiscard]] std::optional<std::string> run_world(const WorldOptions& options);

}  // namespace towpath::sim
