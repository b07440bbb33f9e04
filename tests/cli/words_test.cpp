// Numbers, sizes and times as people read them.
#include "agent/school/words.hpp"

#include <catch2/catch.hpp>

#include "core/text.hpp"

namespace towpath::cli {
namespace {

TEST_CASE("numbers are grouped, and one thing is not things") {
  CHECK(number(0) == "0");
  CHECK(number(999) == "999");
  CHECK(number(1000) == "1,000");
  CHECK(number(570000) == "570,000");
  CHECK(number(1234567890) == "1,234,567,890");
  CHECK(counted(1, "row", "rows") == "1 row");
  CHECK(counted(0, "row", "rows") == "0 rows");
  CHECK(counted(2000, "row", "rows") == "2,000 rows");
}

TEST_CASE("sizes keep two figures and change their unit before a thousand") {
  CHECK(size(0) == "0 B");
  CHECK(size(999) == "999 B");
  CHECK(size(2345) == "2.3 kB");
  CHECK(size(9960) == "10 kB");
  CHECK(size(999'499) == "999 kB");
  CHECK(size(999'500) == "1.0 MB");
  CHECK(size(14'000'000) == "14 MB");
  CHECK(size(3'200'000'000) == "3.2 GB");
  CHECK(size(7'000'000'000'000'000) == "7000 TB");
}

TEST_CASE(
    "text for a terminal keeps its layout, and what would move a cursor or turn a line is a question mark") {
  CHECK(safe_text("  a\tb  c\r\nd\n") == "  a\tb  c\nd\n");
  CHECK(safe_text("\x1b[2J \x07 \x7f \xc2\x9b") == "?[2J ? ? ??");
  CHECK(safe_text("\xe2\x80\xae"
                  "cba \xff") == "???cba ?");
  CHECK(safe_text("\xc3\x89milie") == "\xc3\x89milie");
  CHECK(safe_text(std::string_view("a\0b", 3)) == "a?b");
}

TEST_CASE("ages are said in the unit that a person would use") {
  const Instant now{std::chrono::hours(100'000)};
  using namespace std::chrono_literals;
  CHECK(age(now, now) == "just now");
  CHECK(age(now - 59s, now) == "just now");
  CHECK(age(now - 60s, now) == "1 min ago");
  CHECK(age(now - 119min, now) == "119 min ago");
  CHECK(age(now - 2h, now) == "2 h ago");
  CHECK(age(now - 47h, now) == "47 h ago");
  CHECK(age(now - 48h, now) == "2 days ago");
  CHECK(age(now + 5s, now) == "in the future (check the clock)");
}

}  // namespace
}  // namespace towpath::cli
