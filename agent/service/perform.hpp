// Does one task of the service with the jobs that the verbs use, and writes down what came of it:
// the agenda and an event, in the school's store.
#pragma once

#include <map>
#include <string>

#include "agent/service/jobs.hpp"
#include "agent/service/task.hpp"

namespace towpath {

// Whether there is a hub to speak to: configured, or known by enrolment.
[[nodiscard]] bool speaks_to_hub(const AgentConfig& config);
// What the store remembers of this school's schedule; nothing where there is no store yet, or where
// it cannot be read (the task that needs it will say so).
[[nodiscard]] std::map<std::string, AgendaItem> remembered(const AgentConfig& config);

[[nodiscard]] TaskEnd perform(const Task& task, const JobWorld& world,
                              const cli::OpenUplink& open = cli::open_uplink);

}  // namespace towpath
