// Looks at this machine, the hub and the way between: the facts that doctor judges.
//
// Changes nothing: no folder, store or key is made, nothing waits for the lock of a service that
// runs, and what is posted to the hub leaves nothing there.
#pragma once

#include <string>

#include "agent/config/config.hpp"
#include "agent/doctor/facts.hpp"
#include "core/world.hpp"
#include "platform/inspect.hpp"

namespace towpath::doctor {

struct World {
  Clock& clock;
  Random& random;
  platform::UserSeen started;  // whom the program was started as, before it became anybody else
  std::string program = "towpath";
};

// Where the configuration is wrong, there is nothing else to look at.
[[nodiscard]] Facts gather(const std::string& file, const ConfigProblems& problems, const World& world);
// Without the line. Quick: the slowest part reads the store once.
[[nodiscard]] Facts gather_here(const AgentConfig& config, const World& world);
// Adds what the line shows. Takes as long as the ways to the hub do.
void gather_line(Facts& facts, const AgentConfig& config, const World& world);

}  // namespace towpath::doctor
