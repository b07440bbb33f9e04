// The school year of the invented school: terms, half terms, INSET days, bank holidays.
//
// In: the year in which it begins, and the school's seed (INSET days differ by school).
// Out: one entry for each day from 1 September to 31 August, exactly 190 of them school
// days (the statutory floor) and five INSET days.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/date.hpp"

namespace towpath::demo {

inline constexpr int kSchoolDays = 190;
inline constexpr int kInsetDays = 5;

enum class DayKind : std::uint8_t { kSchool, kInset, kHoliday, kWeekend };
[[nodiscard]] std::string_view name(DayKind kind);  // "school", "inset", "holiday", "weekend"
// AUT1 .. SUM2, as index 0..5.
[[nodiscard]] std::string_view term_name(int term);

struct CalendarDay {
  Date date;
  DayKind kind = DayKind::kHoliday;
  int term = -1;  // 0..5 for school and INSET days, else -1
};

struct Calendar {
  int year = 0;      // 2026 for 2026/27
  Date first, last;  // 1 September, 31 August
  std::vector<CalendarDay> days;
  std::array<Date, kSchoolDays> school{};
  std::array<int, 3> census{};  // school-day index of each census day

  // How many school days there are up to and including `day`.
  [[nodiscard]] int school_days_until(Date day) const;
};

[[nodiscard]] Calendar make_calendar(int year, std::uint64_t seed);
[[nodiscard]] Date easter_sunday(int year);
// The academic year that `day` belongs to: from 1 September.
[[nodiscard]] int academic_year(Date day);
// The year that the school's system is set to: classes and year groups move up on 1 August.
[[nodiscard]] int system_year(Date day);

}  // namespace towpath::demo
