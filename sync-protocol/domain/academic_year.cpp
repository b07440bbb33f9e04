#include "domain/academic_year.hpp"

#include <cstdint>
#include <cstdio>

namespace towpath {
namespace {

int year_rolling_in(Date day, unsigned month) { return day.month() >= month ? day.year() : day.year() - 1; }

std::optional<int> number(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  int value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

AcademicYear AcademicYear::of(Date day) { return AcademicYear{year_rolling_in(day, 9)}; }
AcademicYear AcademicYear::of_system(Date day) { return AcademicYear{year_rolling_in(day, 8)}; }

std::optional<AcademicYear> AcademicYear::parse(std::string_view text) {
  if ((text.size() != 7 && text.size() != 9) || (text[4] != '/' && text[4] != '-')) return std::nullopt;
  const auto start = number(text.substr(0, 4)), end = number(text.substr(5));
  if (!start || !end || *start == 0) return std::nullopt;
  const int wanted = *start + 1;
  if (*end != (text.size() == 7 ? wanted % 100 : wanted)) return std::nullopt;
  return AcademicYear{*start};
}

std::string AcademicYear::text() const {
  char out[32];
  std::snprintf(out, sizeof out, "%04d/%02d", start_, (start_ + 1) % 100);
  return out;
}

// from_ymd refuses years outside 1..9999, which no Date makes; the ends are then those of time.
Date AcademicYear::first_day() const { return Date::from_ymd(start_, 9, 1).value_or(Date{INT32_MIN}); }
Date AcademicYear::last_day() const { return Date::from_ymd(start_ + 1, 8, 31).value_or(Date{INT32_MAX}); }

}  // namespace towpath
