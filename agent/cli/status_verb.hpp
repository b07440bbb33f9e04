// `towpath status`: one line of health and why, then what it is made of.
//
// Looks only: works while another process extracts or syncs, and needs no network. Where the
// service runs it is asked what it is at and what comes next.
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

// `wait_seconds`: so long for the service to run, exit code 5 if it does not; negative: it need not.
[[nodiscard]] int status(const Command& command, int wait_seconds = -1);

}  // namespace towpath::cli
