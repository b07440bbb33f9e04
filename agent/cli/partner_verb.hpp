// `towpath partner list|export`: what this school holds of its partners, from its own disk.
//
// Needs no line and no hub. What is held of who is no partner today (the agreement has ended, the school has
// left) is not shown and not exported: it goes at the next exchange.
#pragma once

#include <optional>
#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

struct PartnerExport {
  std::string dataset;
  std::optional<std::string> urn, federation;
  std::string format = "csv";
};

[[nodiscard]] int partner_list(const Command& command);
// Rows go to standard output, each with its school's URN; how old they are, to standard error, as a JSON
// document with --json.
[[nodiscard]] int partner_export(const Command& command, const PartnerExport& wish);

}  // namespace towpath::cli
