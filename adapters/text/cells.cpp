#include "adapters/text/cells.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace towpath {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
bool digit(char c) { return c >= '0' && c <= '9'; }

// Takes between `least` and `most` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t least, std::size_t most) {
  std::size_t n = 0;
  int value = 0;
  while (n < most && n < text.size() && digit(text[n])) value = value * 10 + (text[n++] - '0');
  if (n < least) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

// Seconds of the day of "hh:mm", "hh:mm:ss", "hh:mm:ss.fff", with AM or PM behind; what
// follows (a zone) is left in `text`. None if it is no time.
std::optional<int> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 1, 2);
  if (!hour || text.empty() || text.front() != ':') return std::nullopt;
  text.remove_prefix(1);
  const auto minute = take_digits(text, 2, 2);
  if (!minute) return std::nullopt;
  int second = 0;
  if (text.starts_with(':')) {
    text.remove_prefix(1);
    const auto taken = take_digits(text, 2, 2);
    if (!taken) return std::nullopt;
    second = *taken;
    if (text.starts_with('.') || text.starts_with(',')) {
      text.remove_prefix(1);
      while (!text.empty() && digit(text.front())) text.remove_prefix(1);
    }
  }
  int h = *hour;
  const std::string_view rest = trimmed(text);
  if (rest.size() == 2 && lower(rest[1]) == 'm' && (lower(rest[0]) == 'a' || lower(rest[0]) == 'p')) {
    if (h < 1 || h > 12) return std::nullopt;
    h = h % 12 + (lower(rest[0]) == 'p' ? 12 : 0);
    text = {};
  }
  if (h > 23 || *minute > 59 || second > 60) return std::nullopt;
  return h * 3600 + *minute * 60 + second;
}

bool is_zone(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return true;
  if (text.front() != '+' && text.front() != '-') return false;
  text.remove_prefix(1);
  return text.size() >= 2 && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return digit(c) || c == ':'; });
}

// The last Sunday of a month of 31 days.
Date last_sunday(int year, unsigned month) {
  const Date end = *Date::from_ymd(year, month, 31);
  return end.plus(-static_cast<int>((end.weekday() + 1) % 7));
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<bool> parse_bool(std::string_view text) {
  text = trimmed(text);
  for (const std::string_view yes : {"true", "yes", "y", "1", "t"})
    if (same_word(text, yes)) return true;
  for (const std::string_view no : {"false", "no", "n", "0", "f"})
    if (same_word(text, no)) return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_whole(std::string_view text) {
  text = trimmed(text);
  if (const std::size_t point = text.find('.'); point != std::string_view::npos && point > 0) {
    const std::string_view fraction = text.substr(point + 1);
    if (!std::all_of(fraction.begin(), fraction.end(), [](char c) { return c == '0'; })) return std::nullopt;
    text = text.substr(0, point);
  }
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, why] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (why != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Result<DateFormat> DateFormat::compile(std::string_view format) {
  DateFormat out;
  out.text_ = format.empty() ? "YYYY-MM-DD" : std::string(format);
  struct Word {
    std::string_view text;
    Part part;
  };
  // Longest first.
  static constexpr Word kWords[] = {{"YYYY", Part::kYear4}, {"MMM", Part::kMonthName}, {"YY", Part::kYear2},
                                    {"MM", Part::kMonth2},  {"DD", Part::kDay2},       {"HH", Part::kHour},
                                    {"SS", Part::kSecond},  {"M", Part::kMonth},       {"D", Part::kDay}};
  std::string_view left = out.text_;
  while (true) {
    const std::size_t bar = left.find('|');
    std::string_view one = trimmed(left.substr(0, bar));
    std::vector<Token> tokens;
    int years = 0, months = 0, days = 0;
    bool hour_before = false;  // the word before this one
    while (!one.empty()) {
      const Word* found = nullptr;
      for (const Word& word : kWords)
        if (same_word(one.substr(0, word.text.size()), word.text)) {
          found = &word;
          break;
        }
      if (found == nullptr) {
        tokens.push_back({Part::kLiteral, one.front()});
        one.remove_prefix(1);
        continue;
      }
      const Part part = found->part == Part::kMonth2 && hour_before ? Part::kMinute : found->part;
      tokens.push_back({part, 0});
      hour_before = part == Part::kHour;
      years += part == Part::kYear4 || part == Part::kYear2;
      months += part == Part::kMonth2 || part == Part::kMonth || part == Part::kMonthName;
      days += part == Part::kDay2 || part == Part::kDay;
      out.two_digit_year_ = out.two_digit_year_ || part == Part::kYear2;
      one.remove_prefix(found->text.size());
    }
    if (years != 1 || months != 1 || days != 1)
      return fail(Code::kConfig,
                  std::string(1, '\'').append(format) +
                      "' is not a date format: it needs year, month and day, each once",
                  "Write it like YYYY-MM-DD, DD/MM/YYYY, D/M/YY or YYYY-MMM-DD hh:mm:ss");
    out.formats_.push_back(std::move(tokens));
    if (bar == std::string_view::npos) break;
    left.remove_prefix(bar + 1);
  }
  return out;
}

std::optional<DateFormat::Parsed> DateFormat::match(const std::vector<Token>& format, std::string_view text,
                                                    Date today) {
  int year = 0, hour = 0, minute = 0, second = 0;
  int month = 0, day = 0;
  bool have_day = false;
  for (std::size_t i = 0; i < format.size(); ++i) {
    // A time that the format has and the cell has not: the day alone is enough.
    if (text.empty() && have_day) break;
    const Token token = format[i];
    std::optional<int> taken;
    switch (token.part) {
      case Part::kLiteral:
        if (text.empty() || text.front() != token.literal) return std::nullopt;
        text.remove_prefix(1);
        continue;
      case Part::kMonthName: {
        for (std::size_t m = 0; m < kMonths.size(); ++m)
          if (text.size() >= 3 && same_word(text.substr(0, 3), kMonths[m])) taken = static_cast<int>(m) + 1;
        if (!taken) return std::nullopt;
        // The whole name will do as well: "October".
        while (!text.empty() && lower(text.front()) >= 'a' && lower(text.front()) <= 'z')
          text.remove_prefix(1);
        month = *taken;
        break;
      }
      case Part::kYear4:
        taken = take_digits(text, 4, 4);
        year = taken.value_or(0);
        break;
      case Part::kYear2:
        taken = take_digits(text, 2, 2);
        if (taken) {
          const int century = today.year() / 100 * 100;
          year = century + *taken;
          if (year > today.year() + 20) year -= 100;
        }
        break;
      case Part::kMonth2:
        taken = take_digits(text, 2, 2);
        month = taken.value_or(0);
        break;
      case Part::kMonth:
        taken = take_digits(text, 1, 2);
        month = taken.value_or(0);
        break;
      case Part::kDay2:
        taken = take_digits(text, 2, 2);
        day = taken.value_or(0);
        break;
      case Part::kDay:
        taken = take_digits(text, 1, 2);
        day = taken.value_or(0);
        break;
      case Part::kHour:
        taken = take_digits(text, 1, 2);
        hour = taken.value_or(0);
        break;
      case Part::kMinute:
        taken = take_digits(text, 2, 2);
        minute = taken.value_or(0);
        break;
      case Part::kSecond:
        taken = take_digits(text, 2, 2);
        second = taken.value_or(0);
        break;
    }
    if (!taken) return std::nullopt;
    have_day = year > 0 && month > 0 && day > 0;
  }
  if (!have_day || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto date = Date::from_ymd(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  if (!date) return std::nullopt;
  return Parsed{*date, hour * 3600 + minute * 60 + second, text};
}

std::optional<Date> DateFormat::date(std::string_view text, Date today) const {
  text = trimmed(text);
  for (const auto& format : formats_) {
    auto parsed = match(format, text, today);
    if (!parsed) continue;
    if (parsed->rest.empty()) return parsed->day;
    if (parsed->rest.front() != ' ' && parsed->rest.front() != 'T') continue;
    std::string_view rest = parsed->rest.substr(1);
    if (take_time(rest) && is_zone(trimmed(rest))) return parsed->day;
  }
  return std::nullopt;
}

std::optional<Instant> DateFormat::instant(std::string_view text, Date today) const {
  text = trimmed(text);
  for (const auto& format : formats_) {
    auto parsed = match(format, text, today);
    if (!parsed) continue;
    if (parsed->rest.empty()) return london_time(parsed->day, parsed->seconds);
    if (parsed->rest.front() != ' ' && parsed->rest.front() != 'T') continue;
    std::string_view rest = parsed->rest.substr(1);
    const auto seconds = take_time(rest);
    rest = trimmed(rest);
    if (!seconds || !is_zone(rest)) continue;
    if (rest.empty()) return london_time(parsed->day, *seconds);
    // With a zone it is ISO 8601, whose time part stands as it is.
    const std::string iso = parsed->day.iso() + "T" + std::string(trimmed(parsed->rest.substr(1)));
    if (auto instant = parse_instant(iso)) return instant;
  }
  return std::nullopt;
}

Instant london_time(Date day, int seconds_of_day) {
  const std::int64_t local = std::int64_t{day.days} * 86'400 + seconds_of_day;
  const int year = day.year();
  const std::int64_t summer_from = std::int64_t{last_sunday(year, 3).days} * 86'400 + 2 * 3'600;
  const std::int64_t summer_to = std::int64_t{last_sunday(year, 10).days} * 86'400 + 2 * 3'600;
  const bool summer = local >= summer_from && local < summer_to;
  return Instant{std::chrono::milliseconds{(local - (summer ? 3'600 : 0)) * 1'000}};
}

}  // namespace towpath
