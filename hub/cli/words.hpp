// Numbers and times as people read them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/date.hpp"

namespace towpath::hub_cli {

[[nodiscard]] std::string number(std::uint64_t n);  // 570,000
[[nodiscard]] std::string counted(std::uint64_t n, std::string_view one, std::string_view many);
[[nodiscard]] std::string age(Instant then, Instant now);  // "3 h ago"

}  // namespace towpath::hub_cli
