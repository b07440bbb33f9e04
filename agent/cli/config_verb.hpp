// `towpath config check` and `config show`: offline, starts nothing.
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int config_check(const Command& command);
[[nodiscard]] int config_show(const Command& command);

}  // namespace towpath::cli
