// Numbers, sizes and times as people read them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/date.hpp"

namespace towpath::cli {

inline constexpr const char* kDefaultConfig = "/etc/towpath/towpath.toml";

[[nodiscard]] std::string number(std::uint64_t n);  // 570,000
[[nodiscard]] std::string counted(std::uint64_t n, std::string_view one, std::string_view many);
[[nodiscard]] std::string size(std::uint64_t bytes);       // 812 B, 2.3 kB, 14 MB
[[nodiscard]] std::string age(Instant then, Instant now);  // "3 h ago"
// What advised commands begin with, so that they can be pasted: "towpath --config FILE".
[[nodiscard]] std::string program_for(const std::string& config);
[[nodiscard]] std::string seconds(double s);  // 0.24 s

}  // namespace towpath::cli
