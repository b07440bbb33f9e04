// `towpath status`: one line of health and why, then what it is made of.
//
// Looks only: works while another process extracts or syncs, and needs no network.
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int status(const Command& command);

}  // namespace towpath::cli
