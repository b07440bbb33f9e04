#include "adapters/demo/calendar.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "adapters/demo/demo_school.hpp"

using namespace towpath;
using namespace towpath::demo;

TEST_CASE("every year has 190 school days, five INSET days, and none of them on a weekend or bank holiday") {
  for (int year = kFirstYear - 10; year <= kLastYear + 1; ++year) {
    CAPTURE(year);
    const Calendar calendar = make_calendar(year, 7);
    CHECK(calendar.days.front().date == *Date::from_ymd(year, 9, 1));
    CHECK(calendar.days.back().date == *Date::from_ymd(year + 1, 8, 31));
    const auto count = [&](DayKind kind) {
      return std::count_if(calendar.days.begin(), calendar.days.end(),
                           [&](const CalendarDay& d) { return d.kind == kind; });
    };
    CHECK(count(DayKind::kSchool) == kSchoolDays);
    CHECK(count(DayKind::kInset) == kInsetDays);
    const Date easter = easter_sunday(year + 1);
    for (const CalendarDay& d : calendar.days) {
      if (d.kind != DayKind::kSchool && d.kind != DayKind::kInset) {
        CHECK(d.term == -1);
        continue;
      }
      CHECK(d.date.weekday() < 5);
      CHECK(d.term >= 0);
      const bool christmas =
          (d.date.month() == 12 && d.date.day() > 21) || (d.date.month() == 1 && d.date.day() < 3);
      CHECK_FALSE(christmas);
      CHECK(d.date != easter.plus(-2));
      CHECK(d.date != easter.plus(1));
      CHECK_FALSE((d.date.month() == 5 && d.date.weekday() == 0 && d.date.day() <= 7));   // early May
      CHECK_FALSE((d.date.month() == 5 && d.date.weekday() == 0 && d.date.day() >= 25));  // late May
    }
    // Term ends in July.
    CHECK(calendar.school.back().month() == 7);
    CHECK(std::is_sorted(calendar.school.begin(), calendar.school.end()));
  }
}

TEST_CASE("Easter falls where the church puts it") {
  CHECK(easter_sunday(2024).iso() == "2024-03-31");
  CHECK(easter_sunday(2025).iso() == "2025-04-20");
  CHECK(easter_sunday(2026).iso() == "2026-04-05");
  CHECK(easter_sunday(2027).iso() == "2027-03-28");
  CHECK(easter_sunday(2038).iso() == "2038-04-25");
}

TEST_CASE("terms come in order, and two schools do not share all of their INSET days") {
  const Calendar a = make_calendar(2026, 1), b = make_calendar(2026, 2);
  int last = 0;
  for (const CalendarDay& d : a.days) {
    if (d.term < 0) continue;
    CHECK(d.term >= last);
    last = d.term;
  }
  CHECK(last == 5);
  CHECK(a.school != b.school);
}

TEST_CASE("the academic year begins on 1 September, the school's system moves up on 1 August") {
  CHECK(academic_year(*Date::parse("2026-08-31")) == 2025);
  CHECK(academic_year(*Date::parse("2026-09-01")) == 2026);
  CHECK(system_year(*Date::parse("2026-07-31")) == 2025);
  CHECK(system_year(*Date::parse("2026-08-01")) == 2026);
}
