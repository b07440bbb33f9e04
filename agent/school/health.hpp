// Green, amber or red, and why: a pure function of what is known.
//
// Every reason names the item that lowered the light and what to do about it; the overall light
// is the worst of them. A few rows in quarantine do not lower it, since a school always has some; many
// of one dataset do.
#pragma once

#include <string>
#include <string_view>
#include <utility>
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
// What is agreed and what is held, as far as status shows it. No personal data.
struct SharingSeen {
  struct Shared {
    std::string audience, agreement;
    std::uint32_t version = 0;
    Date end;                // of what is in force, and of what follows it without a day between
    std::uint64_t rows = 0;  // as last sent
  };
  struct Order {
    std::string id, audience;
    Instant made{};
    std::vector<std::string> missing;  // who has not answered yet: "the hub", "school 100002"
  };
  struct Held {
    std::string federation, urn, name, state;
    std::uint64_t rows = 0;
    std::optional<Instant> heard;
  };
  bool known = false;  // a store that an older program has left, or none, knows nothing of it
  std::vector<Shared> shared;
  std::vector<std::pair<std::string, std::string>> waiting;  // audience, agreement that waits for a decision
  std::vector<std::pair<std::string, std::string>> ended;    // audience, agreement that ended by its date
  std::vector<std::pair<std::string, std::string>> withdrawn;  // audience, agreement: last decided so
  std::size_t offered = 0;                                     // agreements, in all their versions
  bool suspended = false;
  std::uint64_t deeds_waiting = 0;  // for the hub
  std::vector<Order> orders;        // to which somebody has not answered
  std::vector<Held> partners;
  [[nodiscard]] bool shares(std::string_view audience) const;
  // Nothing is shared with it, as this school wants it; empty: that is not so. Else the agreement.
  [[nodiscard]] std::string withdrawn_from(std::string_view audience) const;
};
// A partner's machine may be off for a fortnight of holidays; then somebody should ask after it.
inline constexpr std::chrono::days kReceiptAwaited{14};

// What the running service adds; nothing where none runs.
struct ServiceSeen {
  bool runs = false;
  std::string config_problem;  // its file cannot be used any more: what was in force stays
};
// `program`: what advised commands begin with, as "towpath --config FILE".
[[nodiscard]] Health health(const Overview& overview, const AgentConfig& config, Instant now,
                            const std::string& program = "towpath", const ServiceSeen& service = {},
                            const SharingSeen& sharing = {});
// What a person has to decide, what ends, and who has not answered: worst first. Part of health().
[[nodiscard]] std::vector<Reason> sharing_reasons(const SharingSeen& sharing, Instant now,
                                                  const std::string& program);
// How long that is in days of term: data may grow old in holidays.
[[nodiscard]] std::chrono::milliseconds age_in_term(Instant then, Instant now,
                                                    const CalendarConfig& calendar);

}  // namespace towpath::cli
