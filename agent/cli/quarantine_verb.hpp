// `towpath quarantine list|show`: rows that could not be taken, and why.
//
// The list holds no personal data. A raw record is personal data and is what the person who
// mends it at the source needs to see: on a terminal, or where it is asked for with --raw.
#pragma once

#include <cstdint>
#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int quarantine_list(const Command& command, const std::string& source);
[[nodiscard]] int quarantine_show(const Command& command, std::int64_t id, bool raw);

}  // namespace towpath::cli
