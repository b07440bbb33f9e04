// `towpath support-bundle`: a zip for whoever helps, with nothing personal and nothing secret.
#pragma once

#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

// `out`: the zip to make; empty: a name with the time, in the current folder. `list`: only say what
// would go in.
[[nodiscard]] int support_bundle(const Command& command, const std::string& out, bool list);

}  // namespace towpath::cli
