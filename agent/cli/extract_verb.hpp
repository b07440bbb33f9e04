// `towpath extract`: reads the configured sources into the store, one after another.
//
// A source that fails keeps its last good state and does not stop the others.
#pragma once

#include "agent/cli/command.hpp"
#include "agent/service/jobs.hpp"

namespace towpath::cli {

[[nodiscard]] int extract(const Command& command, const ExtractWish& wish);

}  // namespace towpath::cli
