// Numbers and times as people read and write them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/date.hpp"

namespace towpath::hub_cli {

[[nodiscard]] std::string number(std::uint64_t n);  // 570,000
[[nodiscard]] std::string counted(std::uint64_t n, std::string_view one, std::string_view many);
[[nodiscard]] std::string age(Instant then, Instant now);  // "3 h ago"
// "7d", "12h": from an hour to 90 days; none for anything else.
[[nodiscard]] std::optional<std::chrono::hours> span_of(std::string_view text);

}  // namespace towpath::hub_cli
