// `towpath sync`: sends what has changed to the hub, until both ends are equal.
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int sync(const Command& command);

}  // namespace towpath::cli
