// Which of the agreements that a school has approved for an audience counts on a day, and which begins later.
//
// In: all that was decided about the audience, in the order in which it was decided. Out: the approval that
// counts, and those that will take over. School and hub ask the same function, so that they see the same.
// What stays true: an approval goes on until the first day of one that was approved after it, and is replaced
// then for good; withdrawing an agreement ends all its versions, the one that has not begun included.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/date.hpp"

namespace towpath {

struct DecidedOnce {
  enum class What : std::uint8_t {
    kApproved,
    kWithdrawn,  // the agreement, in all its versions
    kEnded,      // this version only
  };
  std::string agreement;
  std::uint32_t version = 0;
  What what{};
  Date day;                   // on which it was decided
  std::optional<Date> start;  // of the text; none: it cannot be read, and counts as begun
};

struct Course {
  std::optional<std::size_t> now;  // has begun, and may be over; what it lets go says its text
  std::vector<std::size_t> next;   // begin later, the soonest first
};
// Positions in `decisions`.
[[nodiscard]] Course course_of(std::span<const DecidedOnce> decisions, Date today);

}  // namespace towpath
