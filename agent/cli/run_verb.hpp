// `towpath run`: the service. Stays until it is stopped.
#pragma once

#include <string>
#include <vector>

#include "agent/cli/command.hpp"

namespace towpath::cli {

// Where packages put configurations: one file a school.
inline constexpr const char* kConfigFolder = "/etc/towpath";

// `configs`: files, and folders of *.toml; none: those of kConfigFolder.
[[nodiscard]] int run(const Command& command, std::vector<std::string> configs);

}  // namespace towpath::cli
