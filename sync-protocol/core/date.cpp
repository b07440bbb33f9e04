#include "core/date.hpp"

#include <cstdio>

namespace towpath {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

year_month_day civil(Date date) { return year_month_day{sys_days{days{date.days}}}; }

// The n digits at `at`, or -1.
int digits(std::string_view text, std::size_t at, std::size_t n) {
  if (at + n > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + n; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

}  // namespace

std::optional<Date> Date::from_ymd(int year, unsigned month, unsigned day) {
  if (year < 1 || year > 9999) return std::nullopt;
  const year_month_day ymd{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
  if (!ymd.ok()) return std::nullopt;
  return Date{static_cast<std::int32_t>(sys_days{ymd}.time_since_epoch().count())};
}

std::optional<Date> Date::parse(std::string_view iso) {
  if (iso.size() != 10 || iso[4] != '-' || iso[7] != '-') return std::nullopt;
  const int y = digits(iso, 0, 4), m = digits(iso, 5, 2), d = digits(iso, 8, 2);
  if (y < 0 || m < 0 || d < 0) return std::nullopt;
  return from_ymd(y, static_cast<unsigned>(m), static_cast<unsigned>(d));
}

std::string Date::iso() const {
  const auto ymd = civil(*this);
  char out[32];
  std::snprintf(out, sizeof out, "%04d-%02u-%02u", static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()));
  return out;
}

int Date::year() const { return static_cast<int>(civil(*this).year()); }
unsigned Date::month() const { return static_cast<unsigned>(civil(*this).month()); }
unsigned Date::day() const { return static_cast<unsigned>(civil(*this).day()); }
unsigned Date::weekday() const {
  return std::chrono::weekday{sys_days{std::chrono::days{days}}}.iso_encoding() - 1;
}

std::string iso(Instant instant) {
  const auto day = std::chrono::floor<days>(instant);
  const auto ms = (instant - day).count();
  char out[32];
  std::snprintf(out, sizeof out, "T%02d:%02d:%02d.%03dZ", static_cast<int>(ms / 3600000),
                static_cast<int>(ms / 60000 % 60), static_cast<int>(ms / 1000 % 60),
                static_cast<int>(ms % 1000));
  return utc_date(instant).iso() + out;
}

std::optional<Instant> parse_instant(std::string_view text) {
  if (text.size() < 16 || (text[10] != 'T' && text[10] != ' ')) return std::nullopt;
  const auto date = Date::parse(text.substr(0, 10));
  const int h = digits(text, 11, 2), m = digits(text, 14, 2);
  if (!date || h < 0 || h > 23 || text[13] != ':' || m < 0 || m > 59) return std::nullopt;
  std::int64_t ms = (static_cast<std::int64_t>(date->days) * 86400 + h * 3600 + m * 60) * 1000;
  std::size_t at = 16;
  if (at < text.size() && text[at] == ':') {
    const int s = digits(text, at + 1, 2);
    if (s < 0 || s > 60) return std::nullopt;
    ms += s * 1000;
    at += 3;
    if (at < text.size() && text[at] == '.') {
      int scale = 100;
      for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
        ms += (text[at] - '0') * scale;
    }
  }
  if (at < text.size() && text[at] == 'Z') {
    ++at;
  } else if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const int sign = text[at] == '+' ? -1 : 1;
    const int oh = digits(text, at + 1, 2);
    const std::size_t minutes_at = at + 3 < text.size() && text[at + 3] == ':' ? at + 4 : at + 3;
    const int om = digits(text, minutes_at, 2);
    if (oh < 0 || om < 0) return std::nullopt;
    ms += sign * (oh * 3600 + om * 60) * 1000;
    at = minutes_at + 2;
  }
  if (at != text.size()) return std::nullopt;
  return Instant{std::chrono::milliseconds{ms}};
}

Date utc_date(Instant instant) {
  return Date{static_cast<std::int32_t>(std::chrono::floor<days>(instant).time_since_epoch().count())};
}

}  // namespace towpath
