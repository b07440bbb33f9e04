// School years: which one a day is in, and the two ways of numbering them.
//
// 2026/27 is 2026 to the Common Transfer File's header and to groups (the starting year), but
// 2027 to assessments and to OneRoster's schoolYear (the ending year). The makers are named so
// that the two cannot be mixed up. Pure, any thread.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "core/date.hpp"

namespace towpath {

class AcademicYear {
 public:
  // The age cohort's year: 1 September to 31 August.
  [[nodiscard]] static AcademicYear of(Date day);
  // What school systems are set to: classes and year groups move up on 1 August.
  [[nodiscard]] static AcademicYear of_system(Date day);
  [[nodiscard]] static AcademicYear starting_in(int year) { return AcademicYear{year}; }
  [[nodiscard]] static AcademicYear ending_in(int year) { return AcademicYear{year - 1}; }
  // "2026/27", "2026-27", "2026/2027" or "2026-2027"; a lone year is ambiguous and is not read.
  [[nodiscard]] static std::optional<AcademicYear> parse(std::string_view text);

  [[nodiscard]] int starting() const { return start_; }
  [[nodiscard]] int ending() const { return start_ + 1; }
  [[nodiscard]] std::string text() const;  // 2026/27
  [[nodiscard]] Date first_day() const;    // 1 September
  [[nodiscard]] Date last_day() const;     // 31 August
  friend auto operator<=>(AcademicYear, AcademicYear) = default;

 private:
  explicit AcademicYear(int start) : start_(start) {}
  int start_;
};

}  // namespace towpath
