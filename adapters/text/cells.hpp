// How exports spell truth, numbers, dates and times.
//
// Text in, value or nothing out; nothing here knows a dataset. Dates are civil: a time
// behind a date is dropped, never converted. A time without a zone is London's, as
// every school of ours is; a school's own clock is what its MIS writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath {

[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
  constexpr auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  // A non-breaking space (Excel likes them) is a blank too.
  while (text.starts_with("\xC2\xA0")) text.remove_prefix(2);
  while (text.ends_with("\xC2\xA0")) text.remove_suffix(2);
  return text;
}
// ASCII letters only: headers, enums and code words have no others.
[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] bool same_word(std::string_view a, std::string_view b);

// true false yes no y n 1 0 t f, any case.
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text);
// A whole number; "770.0" is one, "7.5" is not.
[[nodiscard]] std::optional<std::int64_t> parse_whole(std::string_view text);

// YYYY YY MM M DD D MMM (Oct) hh mm ss; anything else stands for itself. Capitals or not is
// the same: MM is the minutes right behind the hours, else the month. Several formats, tried
// in order, are separated by "|". An empty format is YYYY-MM-DD.
class DateFormat {
 public:
  [[nodiscard]] static Result<DateFormat> compile(std::string_view format);
  // `today` decides what a two-digit year means: at most 20 years ahead of it.
  [[nodiscard]] std::optional<Date> date(std::string_view text, Date today) const;
  [[nodiscard]] std::optional<Instant> instant(std::string_view text, Date today) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  // Whether what a date means depends on `today`.
  [[nodiscard]] bool two_digit_year() const { return two_digit_year_; }

 private:
  enum class Part : std::uint8_t {
    kLiteral,
    kYear4,
    kYear2,
    kMonth2,
    kMonth,
    kMonthName,
    kDay2,
    kDay,
    kHour,
    kMinute,
    kSecond
  };
  struct Token {
    Part part;
    char literal;
  };
  struct Parsed {
    Date day;
    int seconds = 0;
    std::string_view rest;
  };
  [[nodiscard]] static std::optional<Parsed> match(const std::vector<Token>& format, std::string_view text,
                                                   Date today);
  std::string text_;
  bool two_digit_year_ = false;
  std::vector<std::vector<Token>> formats_;
};

// Wall-clock time in London as UTC. The hour that comes twice in October is taken as the first.
[[nodiscard]] Instant london_time(Date day, int seconds_of_day);

}  // namespace towpath
