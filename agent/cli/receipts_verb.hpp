// `towpath receipts` and `towpath audit`: what was ordered, who has done it, and that none of it was changed
// since.
#pragma once

#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int receipts_list(const Command& command);
[[nodiscard]] int receipts_verify(const Command& command);
[[nodiscard]] int audit_show(const Command& command);
// `head`: "NUMBER:HASH" as an earlier verify gave it; empty: none.
[[nodiscard]] int audit_verify(const Command& command, const std::string& head);

}  // namespace towpath::cli
