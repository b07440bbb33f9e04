// `towpath extract`: reads the configured sources into the store, one after another.
//
// A source that fails keeps its last good state and does not stop the others.
#pragma once

#include <string>
#include <vector>

#include "agent/cli/command.hpp"

namespace towpath::cli {

struct ExtractArguments {
  std::vector<std::string> sources;  // empty: all
  bool accept_deletions = false;
  bool full = false;
};
[[nodiscard]] int extract(const Command& command, const ExtractArguments& arguments);

}  // namespace towpath::cli
