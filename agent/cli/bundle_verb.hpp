// `towpath bundle export FILE` and `bundle import FILE`: the line to the hub, by a stick.
//
// The same bytes as over the line, sealed for the hub. Any number of times, in any order, mixed with
// exchanges over the line.
#pragma once

#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

[[nodiscard]] int bundle_export(const Command& command, const std::string& file);
[[nodiscard]] int bundle_import(const Command& command, const std::string& file);

}  // namespace towpath::cli
