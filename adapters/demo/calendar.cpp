#include "adapters/demo/calendar.hpp"

#include <algorithm>

#include "adapters/demo/draw.hpp"
#include "core/result.hpp"

namespace towpath::demo {
namespace {

Date ymd(int year, unsigned month, unsigned day) {
  const auto date = Date::from_ymd(year, month, day);
  TP_ASSERT(date.has_value());
  return *date;
}

// The first `weekday` (0 Monday) on or after `from`.
Date on_or_after(Date from, unsigned weekday) {
  return from.plus(static_cast<int>((weekday + 7 - from.weekday()) % 7));
}

struct Span {
  Date from, to;  // both inclusive
};

}  // namespace

std::string_view name(DayKind kind) {
  switch (kind) {
    case DayKind::kSchool:
      return "school";
    case DayKind::kInset:
      return "inset";
    case DayKind::kHoliday:
      return "holiday";
    case DayKind::kWeekend:
      return "weekend";
  }
  return "holiday";
}

std::string_view term_name(int term) {
  constexpr std::array<std::string_view, 6> kNames = {"AUT1", "AUT2", "SPR1", "SPR2", "SUM1", "SUM2"};
  return kNames.at(static_cast<std::size_t>(term));
}

// Meeus, Jones and Butcher's rule for the Gregorian calendar.
Date easter_sunday(int year) {
  const int a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4, f = (b + 8) / 25;
  const int g = (b - f + 1) / 3, h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4;
  const int l = (32 + 2 * e + 2 * i - h - k) % 7, m = (a + 11 * h + 22 * l) / 451;
  const int n = h + l - 7 * m + 114;
  return ymd(year, static_cast<unsigned>(n / 31), static_cast<unsigned>(n % 31 + 1));
}

int academic_year(Date day) { return day.month() >= 9 ? day.year() : day.year() - 1; }
int system_year(Date day) { return day.month() >= 8 ? day.year() : day.year() - 1; }

int Calendar::school_days_until(Date day) const {
  return static_cast<int>(std::upper_bound(school.begin(), school.end(), day) - school.begin());
}

Calendar make_calendar(int year, std::uint64_t seed) {
  Calendar out;
  out.year = year;
  out.first = ymd(year, 9, 1);
  out.last = ymd(year + 1, 8, 31);

  // Term begins on 1 September, or on the Monday after it when that is a Friday or later.
  Date begin = out.first;
  if (begin.weekday() >= 4) begin = on_or_after(begin, 0);
  const Date autumn_half = on_or_after(ymd(year, 10, 24), 0);
  const Date christmas = on_or_after(ymd(year, 12, 15), 4);  // last Friday of term: 15 to 21
  const Date spring = on_or_after(ymd(year + 1, 1, 3), 0);
  const Date spring_half = on_or_after(ymd(year + 1, 2, 12), 0);
  const Date easter = easter_sunday(year + 1);
  // An early Easter opens the two weeks' holiday, a late one closes it.
  const bool early = easter <= ymd(year + 1, 4, 9);
  const Span easter_break =
      early ? Span{easter.plus(-2), easter.plus(14)} : Span{easter.plus(-15), easter.plus(1)};
  const Date summer_half = on_or_after(ymd(year + 1, 5, 25), 0);
  const Date may_day = on_or_after(ymd(year + 1, 5, 1), 0);
  const std::array<Span, 6> breaks = {{{autumn_half, autumn_half.plus(4)},
                                       {christmas.plus(1), spring.plus(-1)},
                                       {spring_half, spring_half.plus(4)},
                                       easter_break,
                                       {may_day, may_day},
                                       {summer_half, summer_half.plus(4)}}};
  const std::array<Date, 5> half_term_ends = {autumn_half, christmas.plus(1), spring_half, easter_break.from,
                                              summer_half};

  std::vector<CalendarDay*> taught;
  out.days.reserve(366);
  for (Date day = out.first; day <= out.last; day = day.plus(1)) {
    CalendarDay entry{day, DayKind::kHoliday, -1};
    const bool off = day < begin || std::any_of(breaks.begin(), breaks.end(),
                                                [&](const Span& s) { return s.from <= day && day <= s.to; });
    if (day.weekday() >= 5) {
      entry.kind = DayKind::kWeekend;
    } else if (!off && taught.size() < static_cast<std::size_t>(kSchoolDays + kInsetDays)) {
      entry.kind = DayKind::kSchool;
      entry.term = static_cast<int>(
          std::count_if(half_term_ends.begin(), half_term_ends.end(), [&](Date end) { return day >= end; }));
    }
    out.days.push_back(entry);
    if (entry.kind == DayKind::kSchool) taught.push_back(&out.days.back());  // reserved: stays put
  }
  TP_ASSERT(taught.size() == static_cast<std::size_t>(kSchoolDays + kInsetDays));

  // INSET: the first two days, the first after Christmas, and two that the school picks.
  Draw draw(mix(seed, About::kCalendar, static_cast<std::uint64_t>(year)));
  taught[0]->kind = taught[1]->kind = DayKind::kInset;
  (*std::find_if(taught.begin(), taught.end(), [](const CalendarDay* d) { return d->term == 2; }))->kind =
      DayKind::kInset;
  for (const int term : {1, 5}) {
    std::vector<CalendarDay*> fridays;
    for (CalendarDay* day : taught)
      if (day->term == term && day->date.weekday() == 4) fridays.push_back(day);
    fridays[static_cast<std::size_t>(draw.below(static_cast<int>(fridays.size())))]->kind = DayKind::kInset;
  }

  std::size_t n = 0;
  for (const CalendarDay* day : taught)
    if (day->kind == DayKind::kSchool) out.school[n++] = day->date;
  TP_ASSERT(n == static_cast<std::size_t>(kSchoolDays));

  // First Thursday of October, third Thursdays of January and May.
  const std::array<Date, 3> census = {on_or_after(ymd(year, 10, 1), 3), on_or_after(ymd(year + 1, 1, 15), 3),
                                      on_or_after(ymd(year + 1, 5, 15), 3)};
  for (std::size_t i = 0; i < census.size(); ++i)
    out.census[i] = std::max(0, out.school_days_until(census[i]) - 1);
  return out;
}

}  // namespace towpath::demo
