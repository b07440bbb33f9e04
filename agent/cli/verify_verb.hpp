// `towpath verify`: is the store sound, and does the hub hold the same?
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int verify(const Command& command);

}  // namespace towpath::cli
