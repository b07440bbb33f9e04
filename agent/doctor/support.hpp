// The support bundle: what a helper elsewhere needs, and nothing of anybody.
//
// In: the configuration's values, doctor's findings, counts from the store. Out: named texts, each
// made by a function of its own out of Safe values: there is no way in for a file, a sentence or a
// cell. Sources are numbered in the configuration's order; paths are told by length and kind.
// Reads only; the caller writes the zip.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.hpp"
#include "agent/doctor/findings.hpp"
#include "agent/doctor/literal.hpp"
#include "agent/store/store.hpp"
#include "core/date.hpp"
#include "platform/inspect.hpp"

namespace towpath::doctor {

// A fortnight of a busy schedule.
inline constexpr std::size_t kRunsTold = 500;

struct SupportEntry {
  Literal name;   // "status.json"
  Literal story;  // one line
  std::string content;
};
struct SupportFacts {
  std::vector<Finding> findings;
  const AgentConfig* config = nullptr;  // null: it is wrong
  Store* store = nullptr;               // null: there is none, or it does not open
  platform::MachineSeen machine;
  ProxyEnvironment environment;
  Instant now{};
};
[[nodiscard]] std::vector<SupportEntry> support_entries(const SupportFacts& facts, Literal version);

}  // namespace towpath::doctor
