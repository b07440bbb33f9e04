// When work is due: windows, chance, missed nights, back-off, holidays, clocks that jump.
#include "agent/service/schedule.hpp"

#include <rapidcheck/catch.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "tests/service/worlds.hpp"

namespace towpath {
namespace {

const LondonTime kLondon;

Window window(const std::string& text) {
  Window out;
  REQUIRE(config::read_window(text, out).empty());
  return out;
}
std::vector<Window> windows(std::initializer_list<const char*> texts) {
  std::vector<Window> out;
  for (const char* text : texts) out.push_back(window(text));
  return out;
}
// "2026-11-23 07:15", as the wall in London shows it.
Instant wall(const std::string& text) {
  const auto day = Date::parse(text.substr(0, 10));
  REQUIRE(day);
  return kLondon.at(*day, std::stoi(text.substr(11, 2)) * 60 + std::stoi(text.substr(14, 2)));
}

// One item of one school, its memory, and a clock that a test moves.
struct Item {
  SeededRandom random{2026};
  CalendarConfig calendar;
  std::vector<Window> when;
  Manners manners = kExtractManners;
  Instant now;
  AgendaItem memory;
  std::optional<Timetable> table;

  Item(std::vector<Window> w, const std::string& start, const Manners& m = kExtractManners)
      : when(std::move(w)), manners(m), now(wall(start)) {
    this->start();
  }
  void start() { table.emplace(when, manners, &calendar, kLondon, random, now); }
  std::optional<Due> next() { return table->next(memory, now); }
  // Waits for the next time and works then; returns when that was.
  Instant work(bool succeeds = true) {
    const auto due = next();
    REQUIRE(due);
    now = std::max(now, due->when);
    memory = succeeds ? after_success(memory, now, now) : after_failure(memory, now, now, manners, random);
    return now;
  }
};

TEST_CASE("a window is used once, within it, at a moment that differs between schools") {
  std::vector<Instant> moments;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Item school(windows({"05:30-07:00"}), "2026-11-23 05:00");
    school.random = SeededRandom{seed};
    school.memory.begun = wall("2026-11-22 06:00");
    const Instant moment = school.work();
    CHECK(moment >= wall("2026-11-23 05:30"));
    CHECK(moment < wall("2026-11-23 07:00"));
    moments.push_back(moment);
    const Instant again = school.work();
    CHECK(again >= wall("2026-11-24 05:30"));
    CHECK(again < wall("2026-11-24 07:00"));
  }
  std::sort(moments.begin(), moments.end());
  CHECK(std::unique(moments.begin(), moments.end()) - moments.begin() > 45);
  CHECK(moments.back() - moments.front() > minutes{45});
}

TEST_CASE("a moment stays what it is, however often it is asked for") {
  Item school(windows({"05:30-07:00"}), "2026-11-23 05:00");
  school.memory.begun = wall("2026-11-22 06:00");
  const auto first = school.next();
  REQUIRE(first);
  CHECK(first->because == Because::kWindow);
  for (int i = 0; i < 20; ++i) {
    school.now += minutes{1};
    CHECK(school.next()->when == first->when);
  }
}

TEST_CASE("an every window gives the same distance all day, and nothing outside it") {
  Item school(windows({"mon-fri 07:00-18:00 every 30 min"}), "2026-11-23 06:00", kExchangeManners);
  school.memory.begun = wall("2026-11-20 17:00");
  const Instant first = school.work();
  CHECK(first >= wall("2026-11-23 07:00"));
  CHECK(first < wall("2026-11-23 07:30"));
  for (int i = 1; i < 21; ++i) CHECK(school.work() == first + i * minutes{30});
  CHECK(school.now < wall("2026-11-23 18:00"));
  while (school.now < wall("2026-11-23 18:00")) school.work();
  CHECK(school.now >= wall("2026-11-24 07:00"));
}

TEST_CASE("weekdays are those on which the window begins, also over midnight") {
  Item school(windows({"fri 22:00-02:00"}), "2026-11-23 12:00");
  school.memory.begun = wall("2026-11-20 23:00");
  const Instant moment = school.work();
  CHECK(moment >= wall("2026-11-27 22:00"));
  CHECK(moment < wall("2026-11-28 02:00"));
}

TEST_CASE("an empty list of windows is never due") {
  Item school({}, "2026-11-23 12:00");
  CHECK_FALSE(school.next());
  school.memory = after_failure(school.memory, school.now, school.now, school.manners, school.random);
  CHECK_FALSE(school.next());
}

TEST_CASE("a night that the machine was off is caught up once, some minutes after the start") {
  Item school(windows({"02:00-04:00"}), "2026-11-23 08:00");
  school.memory.begun = wall("2026-11-22 03:00");
  const auto due = school.next();
  REQUIRE(due);
  CHECK(due->because == Because::kMissed);
  CHECK(due->when >= school.now + minutes{1});
  CHECK(due->when <= school.now + minutes{5});
  school.work();
  CHECK(school.next()->because == Because::kWindow);
  CHECK(school.next()->when >= wall("2026-11-24 02:00"));
  // A week off is one run, too.
  school.now = wall("2026-11-30 08:00");
  school.start();
  CHECK(school.work() <= wall("2026-11-30 08:05"));
  CHECK(school.next()->when >= wall("2026-12-01 02:00"));
}

TEST_CASE("a window that lies within another and was missed is caught up as well") {
  Item school(windows({"05:00-20:00", "12:00-13:00"}), "2026-11-24 02:00");
  school.memory.begun = school.memory.done = wall("2026-11-23 10:00");
  REQUIRE(school.next());
  CHECK(school.next()->because == Because::kMissed);
  CHECK(school.next()->when <= school.now + minutes{5});
}

TEST_CASE("who failed before the machine was off catches up as others do") {
  Item school(windows({"mon-fri 07:00-18:00 every 30 min"}), "2026-11-24 20:00", kExchangeManners);
  const Instant friday = wall("2026-11-20 17:50");
  school.memory = after_failure(school.memory, friday, friday, school.manners, school.random);
  REQUIRE(school.next());
  CHECK(school.next()->when <= school.now + minutes{10});
  // And then waits for the morning.
  school.work(false);
  CHECK(school.next()->when >= wall("2026-11-25 07:00"));
}

TEST_CASE("a slot that went by while other work was done is used when that is over") {
  Item school(windows({"07:00-18:00 every 30 min"}), "2026-11-23 07:00");
  const Instant first = school.work();
  school.now = first + minutes{75};
  CHECK(school.next()->when == school.now);
  school.work();
  CHECK(school.next()->when > school.now);
}

TEST_CASE("what has never run runs some minutes after the first start, and the exchange after the sources") {
  Item source(windows({"05:30-07:00"}), "2026-11-23 12:00");
  Item exchange(windows({"07:00-18:00 every 30 min"}), "2026-11-22 20:00", kExchangeManners);
  CHECK(source.next()->because == Because::kMissed);
  CHECK(source.next()->when <= source.now + minutes{5});
  CHECK(exchange.next()->when >= exchange.now + minutes{6});
  CHECK(exchange.next()->when <= exchange.now + minutes{10});
}

TEST_CASE("a restart does not repeat what this window has had") {
  Item school(windows({"05:30-07:00"}), "2026-11-23 05:00");
  school.memory.begun = wall("2026-11-22 06:00");
  school.work();
  school.now += minutes{1};
  school.start();
  CHECK(school.next()->when >= wall("2026-11-24 05:30"));
}

TEST_CASE("the window in spring's missing hour still runs, and that in autumn's doubled hour runs once") {
  // 2027-03-28: 01:00 becomes 02:00. 2026-10-25: 02:00 becomes 01:00.
  for (const char* text : {"01:00-02:00", "01:15-01:45", "00:30-01:30", "01:30-02:30"}) {
    CAPTURE(text);
    Item spring(windows({text}), "2027-03-27 20:00");
    spring.memory.begun = wall("2027-03-27 02:40");
    spring.memory.done = spring.memory.begun;
    const Instant run = spring.work();
    CHECK(run >= wall("2027-03-28 00:30"));
    CHECK(run <= wall("2027-03-28 03:00"));
    CHECK(spring.work() >= wall("2027-03-29 00:30"));

    Item autumn(windows({text}), "2026-10-24 20:00");
    autumn.memory.begun = wall("2026-10-24 02:40");
    CHECK(autumn.work() <= wall("2026-10-25 02:30"));
    CHECK(autumn.work() >= wall("2026-10-26 00:30"));
  }
}

TEST_CASE("failures wait longer each time, up to a bound, and success forgets them") {
  SeededRandom random{7};
  AgendaItem item;
  const Instant now = wall("2026-11-23 12:00");
  std::chrono::milliseconds longest{0};
  for (int i = 0; i < 40; ++i) {
    item = after_failure(item, now, now, kExchangeManners, random);
    const auto wait = *item.not_before - now;
    const auto full = std::min<std::chrono::milliseconds>(minutes{1} * (1LL << std::min(i, 20)), hours{1});
    CHECK(wait >= full / 2);
    CHECK(wait <= full);
    longest = std::max(longest, wait);
  }
  CHECK(longest > minutes{30});
  item = after_success(item, now, now);
  CHECK(item.failures == 0);
  CHECK_FALSE(item.not_before);
}

TEST_CASE("a window for one run is paid for after its end; an every window waits for its next day") {
  Item source(windows({"05:30-07:00"}), "2026-11-23 05:00");
  source.memory.begun = wall("2026-11-22 06:00");
  for (int i = 0; i < 8; ++i) source.work(false);
  CHECK(source.now > wall("2026-11-23 07:00"));
  CHECK(source.now < wall("2026-11-24 05:30"));
  CHECK(source.next()->because == Because::kOwed);
  Item exchange(windows({"07:00-18:00 every 30 min"}), "2026-11-23 17:40", kExchangeManners);
  exchange.memory.begun = wall("2026-11-23 17:20");
  while (exchange.now < wall("2026-11-23 18:00")) exchange.work(false);
  CHECK(exchange.now >= wall("2026-11-24 07:00"));
}

TEST_CASE("a back-off survives a restart") {
  Item school(windows({"00:00-24:00 every 5 min"}), "2026-11-23 12:00", kExchangeManners);
  for (int i = 0; i < 6; ++i) school.work(false);
  const Instant due = *school.memory.not_before;
  CHECK(due > school.now + minutes{10});
  school.start();
  CHECK(school.next()->when >= due);
  CHECK(school.next()->when <= due + minutes{10});
}

TEST_CASE("the hub is called again when it asked for, but no later than some hours") {
  Item school(windows({"07:00-18:00 every 30 min"}), "2026-11-23 12:00", kExchangeManners);
  school.now += minutes{20};
  school.memory = after_later(school.memory, school.now, school.now, seconds{600});
  CHECK(school.next()->when == school.now + seconds{600});
  CHECK(school.next()->because == Because::kOwed);
  school.memory = after_later(school.memory, school.now, school.now, seconds{4'000'000'000});
  CHECK(*school.memory.not_before == school.now + hours{4});
  // Nor sooner than in a minute: it would be asked without end.
  for (const std::uint32_t wait : {0U, 1U}) {
    school.memory = after_later(school.memory, school.now, school.now, seconds{wait});
    CHECK(*school.memory.not_before == school.now + minutes{1});
  }
}

TEST_CASE("a busy data folder is tried again within a minute and is no failure") {
  Item school(windows({"07:00-18:00 every 30 min"}), "2026-11-23 12:00", kExchangeManners);
  school.now += minutes{20};
  school.memory = after_busy(school.memory, school.now, school.random);
  CHECK(school.memory.failures == 0);
  CHECK(school.next()->when <= school.now + minutes{1});
}

TEST_CASE("in holidays the hub is called once a day, and failures are still mended") {
  Item school(windows({"07:00-18:00 every 30 min"}), "2026-12-20 06:00", kExchangeManners);
  Holiday christmas;
  REQUIRE(config::read_holiday("2026-12-19 to 2027-01-03", christmas).empty());
  school.calendar.holidays.push_back(christmas);
  school.memory.begun = school.memory.done = wall("2026-12-18 17:00");
  std::map<std::string, int> calls;
  while (school.now < wall("2027-01-03 23:00")) {
    const Instant when = school.work();
    ++calls[kLondon.date(when).iso()];
  }
  calls.erase(calls.rbegin()->first);  // the first day of term, where the loop ended
  CHECK(calls.size() == 15);
  for (const auto& [day, count] : calls) {
    CAPTURE(day);
    CHECK(count == 1);
  }
}

// --- properties --------------------------------------------------------------------------------

Window any_window() {
  Window one;
  one.days = *rc::gen::inRange<std::uint8_t>(1, 0x80);
  one.from = *rc::gen::inRange(0, 1440);
  one.to = one.from + *rc::gen::inRange(5, 1441);
  if (*rc::gen::arbitrary<bool>()) one.every = *rc::gen::inRange(5, one.to - one.from + 1);
  return one;
}
Instant any_instant() {
  // Two years around both changes of the clock.
  return wall("2026-01-01 00:00") + seconds{*rc::gen::inRange(0, 2 * 366 * 86400)};
}
bool within(const std::vector<Window>& all, Instant when) {
  for (int day = -2; day <= 1; ++day)
    for (const Window& one : all) {
      const Date date = kLondon.date(when).plus(day);
      if (!one.on(date)) continue;
      const Span span = occurrence(one, date, kLondon);
      if (span.begin <= when && when < span.end) return true;
    }
  return false;
}

TEST_CASE("the next run is never in the past, and outside a window only to pay or catch up") {
  rc::prop("whatever is remembered, at any time", [] {
    std::vector<Window> all;
    const int count = *rc::gen::inRange(1, 4);
    for (int i = 0; i < count; ++i) all.push_back(any_window());
    SeededRandom random{*rc::gen::arbitrary<std::uint64_t>()};
    const Instant now = any_instant();
    const CalendarConfig none;
    Timetable table(all, kExtractManners, &none, kLondon, random,
                    now - seconds{*rc::gen::inRange(0, 100'000)});
    AgendaItem memory;
    const auto some = [&] { return now + seconds{*rc::gen::inRange(-20 * 86400, 20 * 86400)}; };
    if (*rc::gen::arbitrary<bool>()) memory.begun = some();
    if (*rc::gen::arbitrary<bool>()) memory.done = some();
    if (*rc::gen::arbitrary<bool>()) memory.not_before = some();
    const auto due = table.next(memory, now);
    RC_ASSERT(due.has_value());
    RC_ASSERT(due->when >= now);
    RC_ASSERT(due->when <= now + hours{24 * 9});
    if (due->because == Because::kWindow) RC_ASSERT(within(all, due->when));
  });
}

TEST_CASE("while something waits and the hub can be reached, it goes within a bounded time") {
  rc::prop("after any history of failures, restarts and clock jumps", [] {
    const std::vector<Window> all{window("07:00-18:00 every 30 min")};
    SeededRandom random{*rc::gen::arbitrary<std::uint64_t>()};
    const CalendarConfig none;
    Instant now = any_instant();
    AgendaItem memory;
    std::optional<Timetable> table(std::in_place, all, kExchangeManners, &none, kLondon, random, now);
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6));
    for (const int step : steps) {
      const auto due = table->next(memory, now);
      RC_ASSERT(due.has_value());
      switch (step) {
        case 0:  // fails
          now = std::max(now, due->when);
          memory = after_failure(memory, now, now, kExchangeManners, random);
          break;
        case 1:  // goes through
          now = std::max(now, due->when);
          memory = after_success(memory, now, now);
          break;
        case 2:  // the service starts anew
          table.emplace(all, kExchangeManners, &none, kLondon, random, now);
          break;
        case 3:  // the clock is set forward or back
          now += seconds{*rc::gen::inRange(-10 * 86400, 10 * 86400)};
          break;
        case 4:  // the hub asks for patience
          memory = after_later(memory, now, now, seconds{*rc::gen::inRange(0, 3600)});
          break;
        default:  // the machine sleeps
          now += seconds{*rc::gen::inRange(0, 3 * 86400)};
      }
    }
    // From now on nothing is in the way. By day at most an hour of back-off and half an hour's slot;
    // at night, or where the hub asked for patience, it waits for the morning.
    const auto due = table->next(memory, now);
    RC_ASSERT(due.has_value());
    const bool patience = memory.not_before && memory.failures == 0;
    const bool by_day = within(all, now) && within(all, now + minutes{110});
    RC_ASSERT(due->when - now <= (by_day && !patience ? std::chrono::milliseconds{minutes{101}} : hours{19}));
  });
}

TEST_CASE("a clock that jumps neither stops the work nor makes it spin") {
  rc::prop("no more than a run a window and one for each jump", [] {
    const std::vector<Window> all{window("05:30-07:00"), window("14:00-15:30")};
    SeededRandom random{*rc::gen::arbitrary<std::uint64_t>()};
    Instant now = any_instant();
    AgendaItem memory;
    Timetable table(all, kExtractManners, nullptr, kLondon, random, now);
    int runs = 0, jumps = 0;
    std::chrono::milliseconds passed{0};
    for (int tick = 0; tick < 2000; ++tick) {
      const auto due = table.next(memory, now);
      RC_ASSERT(due.has_value());
      if (due->when <= now) {
        memory = after_success(memory, now, now);
        ++runs;
      }
      now += minutes{5};  // the loop looks at least as often
      passed += minutes{5};
      if (*rc::gen::inRange(0, 100) == 0) {
        now += seconds{*rc::gen::inRange(-20 * 86400, 20 * 86400)};
        ++jumps;
      }
    }
    const auto days = std::chrono::duration_cast<std::chrono::days>(passed).count();  // 6
    RC_ASSERT(runs <= 2 * (days + 1) + 2 * jumps + 1);
    if (jumps == 0) RC_ASSERT(runs >= 2 * days - 1);
  });
}

}  // namespace
}  // namespace towpath
