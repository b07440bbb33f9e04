// `towpath doctor`: what stands in the way, and what to do about it.
//
// What needs no line is looked at and said first; then each way to the hub is tried.
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int doctor(const Command& command);

}  // namespace towpath::cli
