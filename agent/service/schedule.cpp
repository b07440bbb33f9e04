#include "agent/service/schedule.hpp"

#include <algorithm>
#include <utility>

namespace towpath {
namespace {

using std::chrono::milliseconds;

milliseconds part(milliseconds whole, double share) {
  return milliseconds{static_cast<std::int64_t>(static_cast<double>(whole.count()) * share)};
}

}  // namespace

std::string_view name(Because because) {
  switch (because) {
    case Because::kWindow:
      return "window";
    case Because::kMissed:
      return "missed";
    case Because::kOwed:
      return "owed";
  }
  return "window";
}

double chance_of(Random& random) { return static_cast<double>(random.u64() >> 11) * 0x1p-53; }

Span occurrence(const Window& window, Date day, const CivilTime& civil) {
  const Instant begin = civil.at(day, window.from);
  Instant end = civil.at(day, window.to);
  // In the hour that spring leaves out both are the change itself: its length is kept.
  if (end <= begin) end = begin + minutes{window.to - window.from};
  return {begin, end, minutes{window.every}};
}

Timetable::Timetable(std::vector<Window> windows, const Manners& manners, const CalendarConfig* calendar,
                     const CivilTime& civil, Random& chance, Instant started)
    : windows_(std::move(windows)),
      manners_(manners),
      calendar_(calendar),
      civil_(civil),
      chance_(chance),
      not_sooner_(started + manners.start_least +
                  part(manners.start_most - manners.start_least, chance_of(chance))) {}

const std::vector<Span>& Timetable::spans(Instant now) {
  const Date today = civil_.date(now);
  if (spans_of_ == today) return spans_;
  spans_of_ = today;
  spans_.clear();
  // A weekly window's last and next use, however long either is.
  for (int day = -9; day <= 8; ++day)
    for (const Window& window : windows_)
      if (const Date date = today.plus(day); window.on(date))
        spans_.push_back(occurrence(window, date, civil_));
  std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  return spans_;
}

double Timetable::share(Instant begin, Instant now) {
  // Windows that are long over, and those that a clock far ahead had shown.
  std::erase_if(shares_, [&](const auto& one) {
    return one.first < now - hours{24 * 10} || one.first > now + hours{24 * 10};
  });
  const auto [at, fresh] = shares_.try_emplace(begin, 0.0);
  if (fresh) at->second = chance_of(chance_);
  return at->second;
}

std::optional<Instant> Timetable::moment(const Span& span, const std::optional<Instant>& begun,
                                         Instant earliest, Instant now) {
  if (span.end <= earliest) return std::nullopt;
  const double where = share(span.begin, now);
  if (span.every == milliseconds{0}) {
    if (begun && *begun >= span.begin) return std::nullopt;
    // Not in its last quarter, so that a failure can be mended within it.
    const milliseconds room = (span.end - span.begin) * 3 / 4;
    return std::max(earliest, span.begin + part(room, where));
  }
  // Whose time went by while other work was done is due at once, else tight windows might never have it.
  if (const auto gone = (earliest - span.begin) / span.every;
      gone > 0 && (!begun || *begun < span.begin + (gone - 1) * span.every))
    return earliest;
  for (Instant slot = span.begin; slot < span.end; slot += span.every) {
    if (slot + span.every <= earliest || (begun && *begun >= slot)) continue;
    const Instant at = std::max(earliest, slot + part(span.every, where));
    if (at < span.end) return at;
  }
  return std::nullopt;
}

std::optional<Due> Timetable::next(const AgendaItem& item, Instant now) {
  if (windows_.empty()) return std::nullopt;
  // What is remembered from the future was written by a clock that was wrong, or this one is.
  std::optional<Instant> begun = item.begun;
  if (begun && *begun > now) begun = *begun > now + kClockStep ? std::nullopt : std::optional(now);
  std::optional<Instant> owed = item.not_before;
  const milliseconds most = item.failures > 0 ? manners_.longest_wait : milliseconds{kLaterMost};
  if (owed && *owed > now + most + kClockStep) owed = now;
  const Instant soonest = std::max(now, not_sooner_ > now + manners_.start_most ? now : not_sooner_);
  const Instant earliest = owed ? std::max(soonest, *owed) : soonest;

  // In holidays the hub is called once a day at most.
  const auto enough = [&](Instant when) {
    if (calendar_ == nullptr || !item.done || *item.done > now + kClockStep) return false;
    const Date day = civil_.date(when);
    return calendar_->holiday(day) && civil_.date(*item.done) == day;
  };

  const std::vector<Span>& all = spans(now);
  std::optional<Due> due;
  for (const Span& span : all) {
    if (span.end <= earliest) continue;
    auto when = moment(span, begun, earliest, now);
    while (when && enough(*when)) {
      // The next day's part of it, if it goes over midnight.
      const Instant midnight = civil_.at(civil_.date(*when).plus(1), 0);
      when = midnight < span.end && midnight > *when ? moment(span, begun, midnight, now) : std::nullopt;
    }
    if (when && (!due || *when < due->when)) due = Due{*when, Because::kWindow};
  }

  // The window that was last open when it began, and whether one has gone by since then: it may lie
  // within another.
  const Span* last_used = nullptr;
  bool inside = false, missed = !begun;
  for (const Span& span : all) {
    if (begun && span.end <= now && *begun < span.begin) missed = true;
    if (begun && span.begin <= *begun) last_used = &span;
    if (span.begin <= earliest && earliest < span.end) inside = true;
  }
  if (owed) {
    const bool for_one_run = last_used != nullptr && last_used->every == milliseconds{0};
    if ((inside || for_one_run || missed) && !enough(earliest) && (!due || earliest < due->when))
      due = Due{earliest, Because::kOwed};
  } else if (missed && !enough(soonest) && (!due || soonest < due->when)) {
    due = Due{soonest, Because::kMissed};
  }
  return due;
}

AgendaItem after_success(AgendaItem item, Instant began, Instant now) {
  item.begun = began;
  item.done = now;
  item.failures = 0;
  item.not_before.reset();
  return item;
}

AgendaItem after_failure(AgendaItem item, Instant began, Instant now, const Manners& manners,
                         Random& chance) {
  item.begun = began;
  item.failures = std::min(item.failures, 30U) + 1;
  milliseconds wait = manners.first_wait;
  for (std::uint32_t i = 1; i < item.failures && wait < manners.longest_wait; ++i) wait *= 2;
  wait = std::min(wait, manners.longest_wait);
  // From half of it: schools that lost one hub together do not come back together.
  item.not_before = now + wait / 2 + part(wait / 2, chance_of(chance));
  return item;
}

AgendaItem after_later(AgendaItem item, Instant began, Instant now, std::chrono::seconds wait) {
  item.begun = began;
  item.failures = 0;
  item.not_before = now + std::clamp<std::chrono::seconds>(wait, kLaterLeast, kLaterMost);
  return item;
}

AgendaItem after_busy(AgendaItem item, Instant now, Random& chance) {
  const milliseconds least = kBusyManners.first_wait;
  item.not_before = now + least + part(kBusyManners.longest_wait - least, chance_of(chance));
  return item;
}

}  // namespace towpath
