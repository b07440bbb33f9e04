// Green, amber or red, and why: a pure function of what is known.
//
// Every reason names the item that lowered the light and what to do about it; the overall light
// is the worst of them. A few rows in quarantine do not lower it, since a school always has some; many
// of one dataset do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/config.hpp"
#include "agent/store/overview.hpp"
#include "core/date.hpp"

namespace towpath::cli {

enum class Light : std::uint8_t { kGreen, kAmber, kRed };
[[nodiscard]] std::string_view name(Light light);

// A source is read each school morning; over a long weekend four days pass without fault.
inline constexpr std::chrono::days kDataOld{4};
// As long without a word from the hub while something waits: nobody at the borough sees it.
inline constexpr std::chrono::days kHubSilent{4};

// A running service sends what waits within its windows; over a night and a morning that is no fault.
inline constexpr std::chrono::days kGoesByItself{1};

// Rows in quarantine that are more than a school's usual: a hundredth of a dataset, and not just the
// one or two bad records of a small one.
inline constexpr std::uint64_t kQuarantineShare = 100;
inline constexpr std::uint64_t kQuarantineLeast = 5;

struct Reason {
  Light light = Light::kGreen;
  std::string text;  // "source mis has not been read for 6 days"
  std::string next;  // a command, or what to check
};
struct Health {
  Light light = Light::kGreen;
  std::vector<Reason> reasons;  // worst first; empty when green
};
// What the running service adds; nothing where none runs.
struct ServiceSeen {
  bool runs = false;
  std::string config_problem;  // its file cannot be used any more: what was in force stays
};
// `program`: what advised commands begin with, as "towpath --config FILE".
[[nodiscard]] Health health(const Overview& overview, const AgentConfig& config, Instant now,
                            const std::string& program = "towpath", const ServiceSeen& service = {});
// How long that is in days of term: data may grow old in holidays.
[[nodiscard]] std::chrono::milliseconds age_in_term(Instant then, Instant now,
                                                    const CalendarConfig& calendar);

}  // namespace towpath::cli
