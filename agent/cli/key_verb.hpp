// `towpath key rotate`: a new key for this machine, on the old one's word, in one exchange.
#pragma once

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int key_rotate(const Command& command);

}  // namespace towpath::cli
