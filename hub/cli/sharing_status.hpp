// What about sharing needs a person, for `status`.
//
// In: the registry and the day. Out: agreements that a school has not decided about, that end soon without a
// next version, and orders that somebody has not carried out for long; ids and counts only. Changes nothing.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "hub/cli/command.hpp"

namespace towpath::hub_cli {

// Post reaches a school at its next exchange; half-term and its two weekends are 9 days without one.
inline constexpr std::chrono::hours kOrderLate{10 * 24};

struct SharingMatter {
  enum class What : std::uint8_t { kNotApproved, kEnding, kOrdersLate };
  What what{};
  std::string text, next;
  std::string id;                    // of the agreement; of orders the federation, or "borough"
  std::vector<std::string> schools;  // whom it waits for; "hub" for the hub itself
};
[[nodiscard]] Result<std::vector<SharingMatter>> sharing_matters(Registry& registry, const Command& command);
[[nodiscard]] nlohmann::ordered_json to_json(const std::vector<SharingMatter>& matters);

}  // namespace towpath::hub_cli
