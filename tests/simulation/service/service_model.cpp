#include "tests/simulation/service/service_model.hpp"

#include <algorithm>

namespace towpath::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const LondonTime kWall;
const std::string kExchange = "exchange";

// The documents' numbers, again.
constexpr auto kDoubt = 10min;  // the clock may be corrected by so much
struct Waits {
  milliseconds first, longest, start_least, start_most;
};
Waits waits(const std::string& item) {
  return item == kExchange ? Waits{1min, 1h, 6min, 10min} : Waits{5min, 4h, 1min, 5min};
}
constexpr milliseconds kLaterLeast = 1min, kLaterMost = 4h;
constexpr milliseconds kBusyLeast = 20s, kBusyMost = 40s;
// A clock that has not moved between two steps is given so long.
constexpr milliseconds kRest = 5100ms;
// Rounding to the millisecond at several places.
constexpr milliseconds kGrain = 5ms;

milliseconds nominal(const std::string& item, unsigned failures) {
  milliseconds wait = waits(item).first;
  for (unsigned i = 1; i < failures && wait < waits(item).longest; ++i) wait *= 2;
  return std::min(wait, waits(item).longest);
}
bool in_debt(Ending last) {
  return last == Ending::kFailed || last == Ending::kBusy || last == Ending::kLater;
}
std::string at(Instant c) { return iso(c).substr(0, 19) + "Z"; }

}  // namespace

std::vector<ServiceModel::Span> ServiceModel::spans(const Item& item, Instant c) {
  std::vector<Span> out;
  const Date today = kWall.date(c);
  for (int day = -9; day <= 9; ++day)
    for (const Window& window : item.windows) {
      const Date date = today.plus(day);
      if (!window.on(date)) continue;
      Span span{kWall.at(date, window.from), kWall.at(date, window.to), minutes{window.every}};
      // Spring's missing hour: as long as it would be.
      if (span.end <= span.begin) span.end = span.begin + minutes{window.to - window.from};
      out.push_back(span);
    }
  return out;
}

std::optional<Instant> ServiceModel::obliged(const School& school, const std::string& name, const Item& item,
                                             Instant c) const {
  if (item.windows.empty()) return std::nullopt;
  const Waits w = waits(name);
  const bool doubted = item.begun && *item.begun > c + kDoubt + 1min;  // it is looked at within the minute
  const std::optional<Instant> begun = doubted ? std::nullopt : item.begun;
  const bool debt = in_debt(item.last);
  const Instant start = std::max(c, school.jumped ? std::min(school.since + w.start_most, c + w.start_most)
                                                  : school.since + w.start_most);
  Instant earliest = start;
  if (debt && item.end) {
    const milliseconds wait =
        item.last == Ending::kFailed ? nominal(name, item.failures)
        : item.last == Ending::kBusy
            ? kBusyMost
            : std::min<milliseconds>(std::max<milliseconds>(item.later, kLaterLeast), kLaterMost);
    const milliseconds most = item.failures > 0 ? w.longest : kLaterMost;
    earliest = std::max(earliest, std::min(*item.end + wait, c + most + kDoubt));
  }
  // In holidays the hub is called once a day.
  const auto enough = [&](Instant when) {
    return item.calendar != nullptr && item.done && item.calendar->holiday(kWall.date(when)) &&
           kWall.date(*item.done) == kWall.date(when);
  };
  std::optional<Instant> by;
  const auto duty = [&](Instant when) {
    if (!by || when < *by) by = when;
  };
  const bool all_once =
      std::all_of(item.windows.begin(), item.windows.end(), [](const Window& one) { return one.every == 0; });
  const std::vector<Span> all = spans(item, c);
  const auto inside = [&](Instant when) {
    return std::any_of(all.begin(), all.end(),
                       [&](const Span& s) { return s.begin <= when && when + kGrain < s.end; });
  };
  const bool missed = !begun || std::any_of(all.begin(), all.end(),
                                            [&](const Span& s) { return s.end <= c && s.begin > *begun; });
  if (!enough(c) && !enough(start)) {
    if (debt && (all_once || missed || inside(earliest))) duty(earliest);
    if (!debt && missed) duty(start);
  }
  for (const Span& span : all) {
    if (span.end <= earliest + kGrain || enough(span.begin) || enough(span.end)) continue;
    if (span.every == 0min) {
      if (begun && *begun >= span.begin) continue;
      duty(std::max(earliest, span.begin + (span.end - span.begin) * 3 / 4));
      continue;
    }
    for (Instant slot = span.begin; slot + span.every <= span.end; slot += span.every) {
      if (slot + span.every <= earliest + kGrain || (begun && *begun >= slot)) continue;
      duty(std::max(earliest, slot + span.every));
      break;
    }
  }
  return by;
}

std::string ServiceModel::reason(const School& school, const std::string& name, const Item& item, Instant c) {
  const std::vector<Span> all = spans(item, c);
  if (all.empty()) return {};
  const Waits w = waits(name);
  if (!school.jumped && c + kGrain < school.since + w.start_least) return {};
  if (item.unsure) return "unsure";
  if (item.calendar != nullptr && item.done && *item.done <= c && item.calendar->holiday(kWall.date(c)) &&
      kWall.date(*item.done) == kWall.date(c))
    return {};
  const auto inside = [&](bool every) {
    return std::any_of(all.begin(), all.end(), [&](const Span& s) {
      return (s.every != 0min) == every && s.begin <= c && c < s.end;
    });
  };
  if (in_debt(item.last)) {
    if (!item.jumped && item.end) {
      const milliseconds wait =
          item.last == Ending::kFailed ? nominal(name, item.failures_least) / 2
          : item.last == Ending::kBusy
              ? kBusyLeast
              : std::min<milliseconds>(std::max<milliseconds>(item.later, kLaterLeast), kLaterMost);
      if (c + kGrain < *item.end + wait) return {};
    }
    const bool any_once = std::any_of(item.windows.begin(), item.windows.end(),
                                      [](const Window& one) { return one.every == 0; });
    const bool missed = !item.begun || std::any_of(all.begin(), all.end(), [&](const Span& s) {
      return s.end <= c && s.begin > *item.begun;
    });
    if (any_once || missed || inside(false) || inside(true) || item.jumped) return "debt";
    return {};
  }
  if (!item.begun || *item.begun > c + kDoubt) return "never";
  for (const Span& s : all) {
    if (s.begin > c || c >= s.end) continue;
    if (s.every == 0min) {
      if (*item.begun >= s.begin) continue;
      if (!item.jumped && !school.jumped && c > s.begin && s.end - s.begin > 30min &&
          school.since < s.begin - 1h)
        tally_.shares.push_back(static_cast<double>((c - s.begin).count()) /
                                static_cast<double>((s.end - s.begin).count()));
      return "window";
    }
    const Instant slot = s.begin + (c - s.begin) / s.every * s.every;
    if (*item.begun < slot) return "slot";
  }
  for (const Span& s : all)
    if (s.end <= c && *item.begun < s.begin) return "missed";
  return {};
}

void ServiceModel::settle_duties(School& school, Instant c) {
  for (auto& [name, item] : school.items) {
    item.must_by = obliged(school, name, item, c);
    item.passed.clear();
    item.passed_by_hand = 0;
  }
}

void ServiceModel::service_begins(Instant t) {
  steps_ = allowed_ = stood_ = 0;
  hour_ = t;
  by_hand_in_row_ = 0;
}

void ServiceModel::service_ends() {
  for (auto& [urn, school] : schools_) {
    school.since = Instant{};
    school.jumped = false;
    for (auto& [name, item] : school.items) item.must_by.reset();
  }
}

void ServiceModel::clock_set(Instant c) {
  for (auto& [urn, school] : schools_) {
    for (auto& [name, item] : school.items) item.jumped = true;
    if (school.since == Instant{}) continue;
    school.jumped = true;
    settle_duties(school, c);
  }
}

void ServiceModel::put(const std::string& urn, const std::map<std::string, std::vector<Window>>& items,
                       const CalendarConfig& calendar, Instant c) {
  School& school = schools_[urn];
  school.calendar = calendar;
  std::map<std::string, Item> before = std::exchange(school.items, {});
  for (const auto& [name, windows] : items) {
    Item& item = school.items[name];
    if (const auto known = before.find(name); known != before.end()) item = std::move(known->second);
    item.windows = windows;
    item.calendar = name == kExchange ? &school.calendar : nullptr;
  }
  if (school.since == Instant{}) school.since = c;
  settle_duties(school, c);
}

void ServiceModel::drop(const std::string& urn) {
  const auto school = schools_.find(urn);
  if (school == schools_.end()) return;
  school->second.since = Instant{};
  school->second.jumped = false;
  for (auto& [name, item] : school->second.items) item.must_by.reset();
}

void ServiceModel::forgets(const Key& key) {
  Item& item = schools_[key.first].items[key.second];
  item.unsure = true;
  item.failures_least = 0;
  item.must_by.reset();
}

void ServiceModel::stepped(Instant t, Instant c, Instant wanted, bool visitors) {
  ++tally_.steps;
  if (wanted <= c) throw Amiss("the service wants its next step at once");
  if (t - hour_ >= 1h) {
    hour_ = t;
    steps_ = allowed_ = stood_ = 0;
  }
  // Every minute; every two seconds while somebody waits; before and after each piece of work.
  if (visitors) ++allowed_;
  // A clock that stands is looked at each five seconds.
  if (std::exchange(looked_, c) == c) ++stood_;
  if (++steps_ > 70 + 4 * allowed_ + std::min(stood_, 725U))
    throw Amiss("more steps in an hour than there is reason for");
}

void ServiceModel::started(const Task& task, const std::string& urn, std::size_t visitors_waiting, Instant t,
                           Instant c) {
  ++allowed_;
  School& school = schools_.at(urn);
  if (task.by_hand) {
    ++tally_.by_hand;
    ++by_hand_in_row_;
    for (auto& [other_urn, other] : schools_)
      for (auto& [name, item] : other.items)
        // A flood of requests lets the schedule through now and then.
        if (overdue(other, name, item, c) && ++item.passed_by_hand > 200)
          throw Amiss(other_urn + " " + name + " must have begun by " + at(*item.must_by) +
                      ", and requests pass it without end");
    for (const auto& [name, memory] : task.before) school.items[name].running_since = c;
    return;
  }
  ++tally_.starts;
  // A script that asks without end may be made to wait for one piece of work.
  if (visitors_waiting > 0 && by_hand_in_row_ < 8)
    throw Amiss("the schedule's work comes before what a person asks for");
  by_hand_in_row_ = 0;
  if (task.before.size() != 1) throw Amiss("the schedule starts several things at once");
  const std::string& name = task.before.begin()->first;
  Item& item = school.items.at(name);
  const std::string why = reason(school, name, item, c);
  if (why.empty())
    throw Amiss(urn + " " + name + " is begun at " + at(c) + " without reason; begun " +
                (item.begun ? at(*item.begun) : "never") + ", then " + std::string(towpath::name(item.last)) +
                " at " + (item.end ? at(*item.end) : "no time") + " after " + std::to_string(item.failures) +
                " failures");
  ++tally_.because[why];
  // A busy folder is tried again every half minute; all else waits a minute or more.
  const bool busy = item.last == Ending::kBusy;
  std::deque<Instant>& starts = busy ? item.starts_busy : item.starts;
  starts.push_back(t);
  while (t - starts.front() >= 1h) starts.pop_front();
  if (starts.size() > (busy ? 190U : 75U))
    throw Amiss(urn + " " + name + " is begun " + std::to_string(starts.size()) + " times in an hour");
  for (auto& [other_urn, other] : schools_)
    for (auto& [other_name, waiting] : other.items) {
      if (&waiting == &item || !overdue(other, other_name, waiting, c)) continue;
      const unsigned times = ++waiting.passed[urn];
      // Each school has its turn; a school's own items have theirs.
      if (times > (other_urn == urn ? 2 * other.items.size() : 2U * other.items.size()))
        throw Amiss(other_urn + " " + other_name + " must have begun by " + at(*waiting.must_by) + ", and " +
                    urn + " " + name + " passes it again");
    }
  item.running_since = c;
}

void ServiceModel::ended(const Key& key, Ending ending, seconds later, Instant c) {
  School& school = schools_.at(key.first);
  Item& item = school.items[key.second];
  if (ending != Ending::kStopped) {
    item.unsure = false;
    item.jumped = false;
    item.last = ending;
    item.end = c;
    item.later = later;
    if (ending != Ending::kBusy) item.begun = item.running_since;
    if (ending == Ending::kDone) item.done = c;
    if (ending == Ending::kFailed) {
      ++item.failures;
      ++item.failures_least;
    }
    if (ending == Ending::kDone || ending == Ending::kLater) item.failures = item.failures_least = 0;
  }
  if (school.since == Instant{}) return;  // dropped meanwhile
  item.must_by = obliged(school, key.second, item, c);
  item.passed.clear();
  item.passed_by_hand = 0;
  ++tally_.obligations;
}

bool ServiceModel::overdue(const School& school, const std::string& name, Item& item, Instant c) {
  if (item.unsure || !item.must_by || c <= *item.must_by + kRest) return false;
  // A window that ended while other work was done: what is due then is another matter.
  const std::vector<Span> all = spans(item, c);
  if (std::any_of(all.begin(), all.end(), [&](const Span& s) {
        return s.begin < *item.must_by && *item.must_by <= s.end && c < s.end;
      }))
    return true;
  const auto now = obliged(school, name, item, c);
  if (now && *now <= c) return true;
  item.must_by = now;
  return false;
}

void ServiceModel::rests(Instant c) {
  for (auto& [urn, school] : schools_)
    for (auto& [name, item] : school.items)
      if (overdue(school, name, item, c))
        throw Amiss(urn + " " + name + " must have begun by " + at(*item.must_by) +
                    ", and the worker rests at " + at(c));
}

void ServiceModel::wrote(Instant t, std::size_t subjects) {
  ++tally_.lines;
  if (t - day_ >= 24h) {
    day_ = t;
    lines_ = 0;
  }
  // Six in an hour about one thing.
  if (++lines_ > subjects * 24 * 7)
    throw Amiss(std::to_string(lines_) + " lines in a day about " + std::to_string(subjects) + " things");
}

void ServiceModel::answered(std::uint64_t visitor) {
  ++tally_.answers;
  if (open_.erase(visitor) == 0) throw Amiss("a visitor is answered twice");
}

void ServiceModel::nobody_left_waiting() const {
  if (!open_.empty()) throw Amiss(std::to_string(open_.size()) + " visitors have not been answered");
}

}  // namespace towpath::sim
