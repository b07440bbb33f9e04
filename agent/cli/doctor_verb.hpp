// `towpath doctor`: what stands in the way, and what to do about it.
//
// What needs no line is looked at and said first; then each way to the hub is tried.
#pragma once

#include "agent/cli/command.hpp"
#include "agent/config/config.hpp"
#include "agent/doctor/facts.hpp"

namespace towpath::cli {

[[nodiscard]] int doctor(const Command& command);
// Whether a service runs for this data folder, and answers.
[[nodiscard]] doctor::ServiceFacts service_of(const AgentConfig& config);

}  // namespace towpath::cli
