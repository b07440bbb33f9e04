// When something is done by itself: windows of the week, and the school's holidays. Pure.
//
//   "05:30-07:00"                      once in it, every day, at a moment that chance picks
//   "mon-fri 07:00-18:00 every 30 min" again and again in it
//   "sat,sun 22:00-02:00"              it ends on the next day
//   "2026-12-19 to 2027-01-03"         days off, both included; one day alone is fine
//
// Times are those on the wall at the school. Weekdays are where the window begins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/date.hpp"

namespace towpath {

// Oftener than this costs more than it brings: registers change by the half hour.
inline constexpr int kEveryMinutesLeast = 5;
// Five windows a day for a week are more than anybody has asked for.
inline constexpr std::size_t kWindowsMax = 35;
// Six holidays a year and some training days, for years ahead.
inline constexpr std::size_t kHolidaysMax = 500;

struct Window {
  std::uint8_t days = 0x7f;  // bit 0 Monday .. bit 6 Sunday: the days on which it begins
  int from = 0;              // minutes after midnight, 0..1439
  int to = 0;                // minutes after the same midnight, from+1 .. from+1440
  int every = 0;             // minutes; 0: once

  friend bool operator==(const Window&, const Window&) = default;
  [[nodiscard]] bool on(Date day) const { return (days >> day.weekday() & 1) != 0; }
  [[nodiscard]] std::string text() const;
};

struct Holiday {
  Date first, last;  // both included
};

struct ScheduleConfig {
  std::vector<Window> extract;   // of every source that has none of its own
  std::vector<Window> exchange;  // with the hub
};
struct CalendarConfig {
  std::vector<Holiday> holidays;
  std::string
      unread;  // why the holidays of its file are not among them; empty: they are, or there is no file
  [[nodiscard]] bool holiday(Date day) const;
};

namespace config {
// Both: empty if fine, else what is wrong with the text, in words that follow it.
[[nodiscard]] std::string read_window(std::string_view text, Window& out);
[[nodiscard]] std::string read_holiday(std::string_view text, Holiday& out);
}  // namespace config

}  // namespace towpath
