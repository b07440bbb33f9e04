// What a scheduler learns from how towpath ends (OPERATIONS.md, section 3). Stable.
#pragma once

#include "core/result.hpp"

namespace towpath::cli {

inline constexpr int kFine = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotEnrolled = 3;  // or no longer: a person has to enrol this machine
inline constexpr int kDegraded = 4;     // it ran, and there is something to look at
inline constexpr int kNotRunning = 5;   // the service, for a verb that was to wait for it
inline constexpr int kNotPermitted = 6;
inline constexpr int kConfigInvalid = 78;  // nothing was started; the same as sysexits' EX_CONFIG

[[nodiscard]] int exit_code_of(Code code);

}  // namespace towpath::cli
