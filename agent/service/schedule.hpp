// When a piece of work is due next. Pure: no threads, no files, no waiting.
//
// In: windows, what is remembered (AgendaItem), the time. Out: the next moment, and why then.
// An item is one source's extract, or the exchange with the hub.
//   - Chance picks a moment in each window, once, so that a borough's schools do not all call at the
//     full hour.
//   - A window that nobody used, because the machine was off, is caught up once, some minutes
//     after the start.
//   - What failed is owed: it waits longer each time, up to a bound, also over a restart. A window for
//     one run may be paid for after its end; an "every" window waits for its next day, unless a whole
//     one has gone by meanwhile.
//   - What the clock does (daylight saving, set forward or back by days) neither stops it nor makes
//     it spin: what is remembered from the future is not believed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/config/windows.hpp"
#include "agent/store/agenda.hpp"
#include "core/world.hpp"

namespace towpath {

// The time on the school's wall. Comes in by constructor: tests make their own summers.
class CivilTime {
 public:
  virtual ~CivilTime() = default;
  // The moment when that wall shows `minute` after the day's midnight (0..2880). In the hour that
  // spring leaves out: the change itself; in the hour that autumn has twice: its first.
  [[nodiscard]] virtual Instant at(Date day, int minute) const = 0;
  [[nodiscard]] virtual Date date(Instant instant) const = 0;
};

// How an item waits.
struct Manners {
  std::chrono::milliseconds first_wait;               // after the first failure; doubles with each
  std::chrono::milliseconds longest_wait;             // never longer
  std::chrono::milliseconds start_least, start_most;  // after the service's start, nothing is sooner
};
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
// A share that is away comes back with its server, in minutes; a broken export is mended by people.
inline constexpr Manners kExtractManners{minutes{5}, hours{4}, minutes{1}, minutes{5}};
// Lines come and go within minutes; an hour is how long a school may wait once its line is back. At
// the start it comes after the sources, so that there is something to send.
inline constexpr Manners kExchangeManners{minutes{1}, hours{1}, minutes{6}, minutes{10}};
// Somebody runs a verb on the data folder: seconds, or a first load's minute.
inline constexpr Manners kBusyManners{seconds{20}, seconds{40}, {}, {}};
// A hub that asks for more is not believed: within a school's day it is asked again. Nor is one that
// would be asked without end.
inline constexpr minutes kLaterLeast{1};
inline constexpr hours kLaterMost{4};
// The clock may be corrected by so much without what is remembered being doubted.
inline constexpr minutes kClockStep{10};

enum class Because : std::uint8_t {
  kWindow,  // its time
  kMissed,  // a window went by while the machine was off, or it has never run
  kOwed,    // it failed, or the hub asked to come later
};
[[nodiscard]] std::string_view name(Because because);

struct Due {
  Instant when;
  Because because = Because::kWindow;
};

// One occurrence of a window.
struct Span {
  Instant begin, end;
  std::chrono::milliseconds every;  // 0: once
};
[[nodiscard]] Span occurrence(const Window& window, Date day, const CivilTime& civil);

class Timetable {
 public:
  // `calendar`: null where holidays make no difference (extracts). All outlive it.
  Timetable(std::vector<Window> windows, const Manners& manners, const CalendarConfig* calendar,
            const CivilTime& civil, Random& chance, Instant started);
  // Never before `now`; none: only by hand.
  [[nodiscard]] std::optional<Due> next(const AgendaItem& item, Instant now);
  [[nodiscard]] const std::vector<Window>& windows() const { return windows_; }

 private:
  [[nodiscard]] const std::vector<Span>& spans(Instant now);  // by their begin; some days each way
  [[nodiscard]] double share(Instant begin, Instant now);     // 0..1: where in it; the same each time
  // The first moment of the span that is not yet used, at or after `earliest`.
  [[nodiscard]] std::optional<Instant> moment(const Span& span, const std::optional<Instant>& begun,
                                              Instant earliest, Instant now);

  std::vector<Window> windows_;
  Manners manners_;
  const CalendarConfig* calendar_;
  const CivilTime& civil_;
  Random& chance_;
  Instant not_sooner_;  // some minutes after the start
  std::map<Instant, double> shares_;
  std::optional<Date> spans_of_;  // the day around which the spans are
  std::vector<Span> spans_;
};

// What is remembered after each end of a piece of work that began at `began`.
[[nodiscard]] AgendaItem after_success(AgendaItem item, Instant began, Instant now);
[[nodiscard]] AgendaItem after_failure(AgendaItem item, Instant began, Instant now, const Manners& manners,
                                       Random& chance);
// The hub took what it could and asks to come back; no failure.
[[nodiscard]] AgendaItem after_later(AgendaItem item, Instant began, Instant now, std::chrono::seconds wait);
// The data folder was in somebody's hands: soon again, and no failure.
[[nodiscard]] AgendaItem after_busy(AgendaItem item, Instant now, Random& chance);
// 0..1
[[nodiscard]] double chance_of(Random& random);

}  // namespace towpath
