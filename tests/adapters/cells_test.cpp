#include "adapters/text/cells.hpp"

#include <catch2/catch.hpp>

using namespace towpath;

namespace {
const Date kToday = *Date::parse("2026-11-23");
std::string date(std::string_view format, std::string_view text) {
  auto compiled = DateFormat::compile(format);
  REQUIRE(compiled);
  const auto parsed = compiled->date(text, kToday);
  return parsed ? parsed->iso() : "none";
}
std::string instant(std::string_view format, std::string_view text) {
  auto compiled = DateFormat::compile(format);
  REQUIRE(compiled);
  const auto parsed = compiled->instant(text, kToday);
  return parsed ? iso(*parsed) : "none";
}
}  // namespace

TEST_CASE("dates are read as the exports write them") {
  CHECK(date("", "2020-04-25") == "2020-04-25");
  CHECK(date("", "2020-04-25T00:00:00.000Z") == "2020-04-25");
  CHECK(date("", "2020-04-25 23:59:59") == "2020-04-25");
  CHECK(date("", " 2020-04-25 ") == "2020-04-25");
  CHECK(date("DD/MM/YYYY", "05/04/2020") == "2020-04-05");
  CHECK(date("MM/DD/YYYY", "05/04/2020") == "2020-05-04");
  CHECK(date("M/D/YYYY", "4/2/2000") == "2000-04-02");
  CHECK(date("M/D/YYYY", "12/19/1997") == "1997-12-19");
  CHECK(date("D/M/YYYY", "5/4/2020 00:00") == "2020-04-05");
  CHECK(date("YYYY-MMM-DD hh:mm:ss", "2024-Oct-16 00:00:00") == "2024-10-16");
  CHECK(date("YYYY-MMM-DD hh:mm:ss", "2024-OCT-16") == "2024-10-16");
  CHECK(date("D MMM YYYY", "16 October 2024") == "2024-10-16");
  CHECK(date("DD/MM/YYYY|YYYY-MM-DD", "2024-10-16") == "2024-10-16");
  CHECK(date("DD/MM/YYYY|YYYY-MM-DD", "16/10/2024") == "2024-10-16");
  CHECK(date("D/M/YYYY", "5/4/2020 9:05 AM") == "2020-04-05");
}

TEST_CASE("a format means the same in small letters, and minutes follow hours") {
  const auto both = [](const char* format, const char* text) {
    auto compiled = DateFormat::compile(format);
    INFO(format);
    REQUIRE(compiled);
    const auto at = compiled->instant(text, kToday);
    REQUIRE(at);
    return iso(*at);
  };
  for (const char* format :
       {"DD/MM/YYYY hh:mm:ss", "dd/mm/yyyy hh:mm:ss", "DD/MM/YYYY HH:MM:SS", "dd/MM/yyyy HH:mm:ss"})
    CHECK(both(format, "03/11/2026 08:45:07") == "2026-11-03T08:45:07.000Z");
  CHECK(both("hh:mm dd/mm/yyyy", "08:45 03/11/2026") == "2026-11-03T08:45:00.000Z");
  CHECK(both("d-mmm-yy", "3-Nov-26") == "2026-11-03T00:00:00.000Z");
  CHECK(DateFormat::compile("d/m/yy")->two_digit_year());
  CHECK_FALSE(DateFormat::compile("d/m/yyyy")->two_digit_year());
}

TEST_CASE("a two-digit year is at most twenty years ahead") {
  CHECK(date("D/M/YY", "1/9/09") == "2009-09-01");
  CHECK(date("D/M/YY", "1/9/46") == "2046-09-01");
  CHECK(date("D/M/YY", "1/9/47") == "1947-09-01");
}

TEST_CASE("what is no date is none, never another date") {
  for (const char* text : {"", "2020-02-30", "2020-13-01", "2020-4-25", "20-04-25", "2020-04-25x",
                           "2020-04-25 tomorrow", "2020-04-25T25:00:00", "0000-00-00", "43946"})
    CHECK(date("", text) == "none");
  CHECK(date("DD/MM/YYYY", "12/19/1997") == "none");
  CHECK(date("DD/MM/YYYY", "5/4/2020") == "none");
  CHECK_FALSE(DateFormat::compile("MM/YYYY"));
  CHECK_FALSE(DateFormat::compile("DD/MM/YYYY MM"));
  CHECK_FALSE(DateFormat::compile("D de MMM YYYY"));  // 'd' is a day here too
}

TEST_CASE("times without a zone are London's, and the clock goes forward and back") {
  CHECK(instant("", "2026-01-15T08:45:00") == "2026-01-15T08:45:00.000Z");
  CHECK(instant("", "2026-07-15 08:45") == "2026-07-15T07:45:00.000Z");
  CHECK(instant("", "2026-07-15T08:45:00Z") == "2026-07-15T08:45:00.000Z");
  CHECK(instant("DD/MM/YYYY hh:mm", "15/07/2026 08:45") == "2026-07-15T07:45:00.000Z");
  CHECK(instant("", "2026-03-29T00:59:00") == "2026-03-29T00:59:00.000Z");
  CHECK(instant("", "2026-03-29T02:00:00") == "2026-03-29T01:00:00.000Z");
  CHECK(instant("", "2026-10-25T01:30:00") == "2026-10-25T00:30:00.000Z");
  CHECK(instant("", "2026-10-25T02:00:00") == "2026-10-25T02:00:00.000Z");
  CHECK(instant("", "nonsense") == "none");
}

TEST_CASE("truth is spelt in many ways") {
  for (const char* yes : {"true", "TRUE", "True", "yes", "Y", "1", "T", " t "})
    CHECK(parse_bool(yes) == true);
  for (const char* no : {"false", "FALSE", "no", "N", "0", "F"}) CHECK(parse_bool(no) == false);
  for (const char* neither : {"", "2", "maybe", "tru"}) CHECK_FALSE(parse_bool(neither));
}

TEST_CASE("whole numbers may carry a point and zeros, nothing else") {
  CHECK(parse_whole("770.0") == 770);
  CHECK(parse_whole("-3") == -3);
  CHECK(parse_whole(" 12 ") == 12);
  CHECK(parse_whole("+4") == 4);
  for (const char* bad : {"", "7.5", "x", "1e3", "+-1", "99999999999999999999", ".", "1 2"})
    CHECK_FALSE(parse_whole(bad));
}
