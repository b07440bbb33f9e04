#include "hub/exchange/refusals.hpp"

#include <algorithm>

namespace towpath {

std::optional<std::string> Refusals::note(const std::string& who, Code code, const std::string& text,
                                          Instant now) {
  const std::lock_guard lock(mutex_);
  const auto key = std::pair(who, code);
  auto at = kinds_.find(key);
  if (at == kinds_.end()) {
    if (kinds_.size() >= kRefusalKindsMax) {
      std::erase_if(kinds_, [&](const auto& k) { return now - k.second.said >= kRefusalsEvery; });
      if (kinds_.size() >= kRefusalKindsMax) kinds_.erase(kinds_.begin());
    }
    at = kinds_.emplace(key, Kind{}).first;
  } else if (now >= at->second.said && now - at->second.said < kRefusalsEvery) {
    ++at->second.unsaid;
    return std::nullopt;
  }
  std::string line =
      (who.empty() ? "" : "school " + who + ": ") + "refused (" + std::string(name(code)) + "): " + text;
  if (at->second.unsaid > 0)
    line += " (and " + std::to_string(at->second.unsaid) + " more of this kind since it was last said)";
  at->second = {now, 0};
  return line;
}

}  // namespace towpath
