#include "tests/simulation/shrink.hpp"

#include <algorithm>

namespace towpath::sim {

Smaller shrink(WorldOptions options, Outcome broken, const Live& lives) {
  Smaller best{std::move(options), std::move(broken), 0};
  const auto attempt = [&](const WorldOptions& candidate) {
    if (candidate == best.options) return;
    ++best.runs;
    Outcome outcome = lives(candidate);
    if (!outcome.broke) return;
    best.options = candidate;
    best.outcome = std::move(outcome);
  };
  WorldOptions candidate = best.options;
  candidate.days = std::min(best.options.days, best.outcome.day);
  attempt(candidate);
  if (best.outcome.school && best.options.only_schools.empty()) {
    candidate = best.options;
    candidate.only_schools = {*best.outcome.school};
    attempt(candidate);
  }
  for (const std::string_view group : Mishaps::groups()) {
    candidate = best.options;
    static_cast<void>(candidate.mishaps.set(group, 0));
    attempt(candidate);
  }
  return best;
}

std::string report(const WorldOptions& options, const Outcome& outcome) {
  return "towpath-sim " + options.text() + "\n" + outcome.place + ": " + outcome.broke.value_or("all held") +
         "\nbefore it:\n" + outcome.before;
}

std::optional<std::string> run_world(const WorldOptions& options) {
  const Outcome outcome = live(options);
  if (!outcome.broke) return std::nullopt;
  const Smaller found = shrink(options, outcome, live);
  std::string text = report(options, outcome);
  if (found.options != options)
    text += "a smaller world breaks, too:\n" + report(found.options, found.outcome);
  return text;
}

}  // namespace towpath::sim
