#include "agent/config/windows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/ascii.hpp"

namespace towpath {
namespace {

constexpr int kDay = 24 * 60;
constexpr std::array<std::string_view, 7> kDays{"monday", "tuesday",  "wednesday", "thursday",
                                                "friday", "saturday", "sunday"};

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto done = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 6 || done.ec != std::errc{} || done.ptr != text.data() + text.size())
    return std::nullopt;
  return value;
}

// HH:MM; 24:00 is the day's end.
std::optional<int> time_of_day(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon > 2 || text.size() != colon + 3) return std::nullopt;
  const auto hour = number(text.substr(0, colon));
  const auto minute = number(text.substr(colon + 1));
  if (!hour || !minute || *hour < 0 || *minute < 0 || *minute > 59) return std::nullopt;
  const int all = *hour * 60 + *minute;
  return all <= kDay ? std::optional(all) : std::nullopt;
}

std::optional<unsigned> weekday(std::string_view text) {
  if (text.size() < 3) return std::nullopt;
  for (unsigned i = 0; i < kDays.size(); ++i)
    if (kDays[i].starts_with(text)) return i;
  return std::nullopt;
}

// "mon-fri", "sat,sun", "mon-wed,fri", "daily".
std::optional<std::uint8_t> weekdays(std::string_view text) {
  if (text == "daily") return std::uint8_t{0x7f};
  unsigned days = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    const std::size_t dash = part.find('-');
    const auto first = weekday(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : weekday(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (unsigned day = *first;; day = (day + 1) % 7) {  // fri-mon goes over the weekend
      days |= 1U << day;
      if (day == *last) break;
    }
    at = end + 1;
  }
  return static_cast<std::uint8_t>(days);
}

std::string clock_text(int minutes) {
  const int of_day = minutes > kDay ? minutes - kDay : minutes;
  std::string out = "00:00";
  out[0] = static_cast<char>('0' + of_day / 600);
  out[1] = static_cast<char>('0' + of_day / 60 % 10);
  out[3] = static_cast<char>('0' + of_day % 60 / 10);
  out[4] = static_cast<char>('0' + of_day % 10);
  return out;
}

std::string days_text(std::uint8_t days) {
  std::string out;
  for (unsigned i = 0; i < 7;) {
    if ((days >> i & 1) == 0) {
      ++i;
      continue;
    }
    unsigned last = i;
    while (last + 1 < 7 && (days >> (last + 1) & 1) != 0) ++last;
    out += (out.empty() ? "" : ",") + std::string(kDays[i].substr(0, 3));
    if (last > i) out += (last == i + 1 ? "," : "-") + std::string(kDays[last].substr(0, 3));
    i = last + 1;
  }
  return out;
}

constexpr std::string_view kExample = "Write it like \"mon-fri 05:30-07:00\" or \"07:00-18:00 every 30 min\"";

}  // namespace

std::string Window::text() const {
  std::string out = days == 0x7f ? std::string() : days_text(days) + " ";
  out += clock_text(from) + "-" + clock_text(to);
  if (every > 0)
    out += every % 60 == 0 ? " every " + std::to_string(every / 60) + " h"
                           : " every " + std::to_string(every) + " min";
  return out;
}

bool CalendarConfig::holiday(Date day) const {
  return std::any_of(holidays.begin(), holidays.end(),
                     [&](const Holiday& h) { return h.first <= day && day <= h.last; });
}

namespace config {

std::string read_window(std::string_view written, Window& out) {
  const std::string text = lower(written);
  auto parts = words(text);
  Window window;
  // Without a digit: weekdays.
  if (!parts.empty() && parts[0].find_first_of("0123456789") == std::string_view::npos) {
    const auto days = weekdays(parts[0]);
    if (!days) return "begins with something that is no weekday. " + std::string(kExample);
    window.days = *days;
    parts.erase(parts.begin());
  }
  if (parts.empty()) return "names no times. " + std::string(kExample);
  const std::size_t dash = parts[0].find('-');
  const auto from = time_of_day(parts[0].substr(0, dash));
  const auto to = dash == std::string_view::npos ? std::nullopt : time_of_day(parts[0].substr(dash + 1));
  if (!from || !to || *from == kDay) return "has no two times from 00:00 to 24:00. " + std::string(kExample);
  if (*from == *to) return "begins and ends at the same time; a whole day is 00:00-24:00";
  window.from = *from;
  window.to = *to > *from ? *to : *to + kDay;
  if (parts.size() > 1) {
    if (parts.size() > 4 || parts[1] != "every")
      return "goes on oddly after its times. " + std::string(kExample);
    std::string_view amount = parts.size() > 2 ? parts[2] : std::string_view{};
    std::string_view unit = parts.size() > 3 ? parts[3] : std::string_view{};
    if (unit.empty()) {  // "30min"
      const std::size_t end = std::min(amount.find_first_not_of("0123456789"), amount.size());
      unit = amount.substr(end);
      amount = amount.substr(0, end);
    }
    const auto count = number(amount);
    const bool hours = unit == "h" || unit == "hour" || unit == "hours";
    const bool minutes = unit == "min" || unit == "minute" || unit == "minutes";
    if (!count || *count < 1 || (!hours && !minutes) || *count > kDay)
      return "needs a number and a unit after 'every': every 30 min, every 2 h";
    window.every = hours ? *count * 60 : *count;
    if (window.every < kEveryMinutesLeast)
      return "comes more often than every " + std::to_string(kEveryMinutesLeast) + " minutes";
    if (window.every > window.to - window.from) return "is shorter than what it is to hold";
  }
  out = window;
  return {};
}

std::string read_holiday(std::string_view text, Holiday& out) {
  const auto parts = words(text);
  const bool shape = parts.size() == 1 || (parts.size() == 3 && parts[1] == "to");
  const auto first = shape ? Date::parse(parts.front()) : std::nullopt;
  const auto last = shape ? Date::parse(parts.back()) : std::nullopt;
  if (!first || !last)
    return "is no day and no range of days. Write \"2026-12-19 to 2027-01-03\" or \"2027-05-03\"";
  if (*last < *first) return "ends before it begins";
  // Longer than any: the year of one of the two is wrong.
  if (last->days - first->days > 100) return "is longer than 100 days, which no school holiday is";
  out = {*first, *last};
  return {};
}

}  // namespace config
}  // namespace towpath
