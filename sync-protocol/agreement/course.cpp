#include "agreement/course.hpp"

#include <algorithm>

namespace towpath {

Course course_of(std::span<const DecidedOnce> decisions, Date today) {
  std::vector<std::size_t> live;  // approvals, neither replaced nor taken back
  const auto begun = [&](std::size_t i, Date day) {
    return !decisions[i].start || *decisions[i].start <= day;
  };
  // Whatever has begun has replaced what was approved before it.
  const auto replace = [&](Date day) {
    const auto last = std::find_if(live.rbegin(), live.rend(), [&](std::size_t i) { return begun(i, day); });
    if (last != live.rend()) live.erase(live.begin(), std::prev(last.base()));
  };
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const DecidedOnce& d = decisions[i];
    replace(d.day);
    if (d.what == DecidedOnce::What::kApproved) {
      live.push_back(i);
      continue;
    }
    std::erase_if(live, [&](std::size_t one) {
      return decisions[one].agreement == d.agreement &&
             (d.what == DecidedOnce::What::kWithdrawn || decisions[one].version == d.version);
    });
  }
  replace(today);
  Course out;
  for (const std::size_t i : live) {
    if (begun(i, today)) {
      out.now = i;
      continue;
    }
    // One that was approved later and begins no later leaves it no day.
    std::erase_if(out.next, [&](std::size_t one) { return *decisions[one].start >= *decisions[i].start; });
    out.next.push_back(i);
  }
  return out;
}

}  // namespace towpath
