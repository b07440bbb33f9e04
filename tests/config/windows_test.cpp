// Windows and holidays as people write them.
#include "agent/config/windows.hpp"

#include <rapidcheck/catch.h>

#include <catch2/catch.hpp>
#include <string>

namespace towpath {
namespace {

using config::read_holiday;
using config::read_window;

Window window(const char* text) {
  Window out;
  CAPTURE(text);
  REQUIRE(read_window(text, out).empty());
  return out;
}
std::string fault(const char* text) {
  Window out;
  return read_window(text, out);
}

TEST_CASE("a window is read as a technician would read it") {
  CHECK(window("05:30-07:00") == Window{0x7f, 330, 420, 0});
  CHECK(window("mon-fri 7:00-18:00 every 30 min") == Window{0x1f, 420, 1080, 30});
  CHECK(window("  Sat,Sun   22:00-02:00 ") == Window{0x60, 1320, 1560, 0});
  CHECK(window("fri-mon 00:00-24:00 every 2h") == Window{0x71, 0, 1440, 120});
  CHECK(window("wednesday 23:00-24:00") == Window{0x04, 1380, 1440, 0});
  CHECK(window("daily 12:00-13:00 every 1 hour") == Window{0x7f, 720, 780, 60});
}

TEST_CASE("what is no window says so, and shows one that is") {
  for (const char* bad :
       {"", "always", "5:30", "05:30-7", "24:00-25:00", "05:60-07:00", "-05:30-07:00", "xxx 05:30-07:00",
        "mon- 05:30-07:00", "mo 05:30-07:00", "05:30-07:00 hourly", "05:30 - 07:00"})
    CHECK_THAT(fault(bad), Catch::Contains("05:30-07:00"));
  CHECK_THAT(fault("06:00-06:00"), Catch::Contains("same time"));
  CHECK_THAT(fault("06:00-07:00 every"), Catch::Contains("number and a unit"));
  CHECK_THAT(fault("06:00-07:00 every -5 min"), Catch::Contains("number and a unit"));
  CHECK_THAT(fault("06:00-07:00 every 30"), Catch::Contains("number and a unit"));
  CHECK_THAT(fault("06:00-07:00 every 1 min"), Catch::Contains("every 5 minutes"));
  CHECK_THAT(fault("06:00-07:00 every 2 h"), Catch::Contains("shorter"));
}

TEST_CASE("a window shown is a window that can be written") {
  rc::prop("text() is read back as the same", [] {
    Window one;
    one.days = *rc::gen::inRange<std::uint8_t>(1, 0x80);
    one.from = *rc::gen::inRange(0, 1440);
    one.to = one.from + *rc::gen::inRange(1, 1440);
    const int most = one.to - one.from;
    if (most >= kEveryMinutesLeast && *rc::gen::arbitrary<bool>())
      one.every = *rc::gen::inRange(kEveryMinutesLeast, most + 1);
    Window again;
    RC_ASSERT(read_window(one.text(), again) == "");
    RC_ASSERT(again == one);
  });
}

TEST_CASE("whatever is written as a window, it is read or refused") {
  rc::prop("nothing else happens", [](const std::string& text) {
    Window out;
    if (read_window(text, out).empty()) RC_ASSERT(out.from < out.to);
  });
}

TEST_CASE("holidays are days of the calendar, in order, and no longer than any") {
  Holiday out;
  CHECK(read_holiday("2026-12-19 to 2027-01-03", out).empty());
  CHECK(out.last.days - out.first.days == 15);
  CHECK(read_holiday("2027-05-03", out).empty());
  CHECK(out.first == out.last);
  for (const char* bad : {"", "2026-12-19 -", "2026-02-30", "2026-12-19 2027-01-03", "Christmas"})
    CHECK_THAT(read_holiday(bad, out), Catch::Contains("2026-12-19 to 2027-01-03"));
  CHECK_THAT(read_holiday("2027-01-03 to 2026-12-19", out), Catch::Contains("before"));
  CHECK_THAT(read_holiday("2026-12-19 to 2028-01-03", out), Catch::Contains("100 days"));
}

}  // namespace
}  // namespace towpath
