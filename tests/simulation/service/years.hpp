// A machine whose service runs for years: the real Loop, Schedule, agenda and Journal, several schools in
// one process, everything else simulated from a seed.
//
// In: a seed, how many schools and days, rates of troubles. Out: what was tallied; Amiss where the model
// (service_model.hpp) says that the service did what it must not, or not what it must.
// The work itself is drawn: how long it takes and how it ends. What the service remembers is kept in a
// map, or by the real store on a simulated disk, and power may go at any moment.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "agent/service/loop.hpp"
#include "tests/simulation/service/service_model.hpp"
#include "tests/simulation/service/story.hpp"
#include "tests/simulation/service/troubles.hpp"
#include "tests/simulation/sim_disk.hpp"

namespace towpath::sim {

struct YearsOptions {
  std::uint64_t seed = 1;
  unsigned schools = 3;
  unsigned days = 365;
  Troubles troubles;
  bool store = false;  // the agenda is kept by the real store
  bool print = false;
  bool shrink = true;  // where something breaks
  // How long the service may rest without looking at the clock. The real one looks each minute; in
  // between nothing changes but what this world tells it of.
  std::chrono::seconds look = std::chrono::hours{12};
};

struct YearsOutcome {
  std::optional<std::string> broke;
  std::string before;  // the last events
  std::uint64_t trace_hash = 0, events = 0;
  ServiceModel::Tally tally;
};
[[nodiscard]] YearsOutcome live_years(const YearsOptions& options);
// What broke, with all that helps to find out why and to see it again; none if all held.
[[nodiscard]] std::optional<std::string> run_years(const YearsOptions& options, YearsOutcome* out = nullptr);

}  // namespace towpath::sim
