// What the hub's refusals mean for the person at the school, and what to do about each.
//
// In: a code and the hub's own sentence (a notice, or a problem in an answer). Out: an Error whose
// advice can be pasted. The words are ours where the code is known; what the hub adds (when, which
// limit) follows them.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace towpath {

// A hub's sentence is shown on one line.
inline constexpr std::size_t kHubTextMax = 300;

// `program`: what advised commands begin with. `hub`: its address, may be empty.
[[nodiscard]] Error refusal(Code code, std::string_view hub_says, const std::string& program,
                            const std::string& hub);
// The hub will not work with this machine's key before a person has done something.
[[nodiscard]] bool ends_the_key(Code code);
// "in 30 seconds", "in 5 minutes"
[[nodiscard]] std::string in_time(std::uint32_t seconds);

}  // namespace towpath
