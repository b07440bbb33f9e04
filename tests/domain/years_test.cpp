// School years and year groups: DOMAIN 1.4 and 1.5.
#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "domain/academic_year.hpp"
#include "domain/year_group.hpp"

using namespace towpath;

namespace {

Date day(const char* iso) {
  const auto date = Date::parse(iso);
  REQUIRE(date.has_value());
  return *date;
}
const Dictionary& dictionary() { return built_in_dictionary(); }

}  // namespace

TEST_CASE("the cohort's year begins on 1 September") {
  CHECK(AcademicYear::of(day("2026-08-31")).starting() == 2025);
  CHECK(AcademicYear::of(day("2026-09-01")).starting() == 2026);
  CHECK(AcademicYear::of(day("2027-01-01")).starting() == 2026);
}

TEST_CASE("a school's system moves on to the next year on 1 August") {
  CHECK(AcademicYear::of_system(day("2025-07-31")).starting() == 2024);
  CHECK(AcademicYear::of_system(day("2025-08-01")).starting() == 2025);
}

TEST_CASE("2026/27 is 2026 by its start and 2027 by its end") {
  const auto year = AcademicYear::of(day("2026-11-23"));
  CHECK(year.text() == "2026/27");
  CHECK(year.starting() == 2026);
  CHECK(year.ending() == 2027);
  CHECK(year == AcademicYear::starting_in(2026));
  CHECK(year == AcademicYear::ending_in(2027));
  CHECK(year.first_day() == day("2026-09-01"));
  CHECK(year.last_day() == day("2027-08-31"));
}

TEST_CASE("an academic year is read in the forms that people write") {
  for (const char* text : {"2026/27", "2026-27", "2026/2027", "2026-2027"}) {
    CAPTURE(text);
    REQUIRE(AcademicYear::parse(text).has_value());
    CHECK(AcademicYear::parse(text)->starting() == 2026);
  }
  CHECK(AcademicYear::parse("1999/00")->starting() == 1999);
  CHECK(AcademicYear::starting_in(1999).text() == "1999/00");
  for (const char* text :
       {"", "2026", "2026/28", "2026/2028", "2026 27", "2026/7", "20a6/27", "0000/01", "2026/-7"}) {
    CAPTURE(text);
    CHECK_FALSE(AcademicYear::parse(text).has_value());
  }
}

TEST_CASE("every day lies within its own academic year, and its text leads back to it") {
  CHECK(rc::check([] {
    const Date date{*rc::gen::inRange(-20'000, 40'000)};
    const auto year = AcademicYear::of(date);
    RC_ASSERT(year.first_day() <= date);
    RC_ASSERT(date <= year.last_day());
    RC_ASSERT(AcademicYear::starting_in(year.starting() + 1).first_day() == year.last_day().plus(1));
    RC_ASSERT(AcademicYear::parse(year.text()) == year);
    // The two only differ in August.
    RC_ASSERT((AcademicYear::of_system(date) == year) == (date.month() != 8));
  }));
}

TEST_CASE("year groups are read however a source spells them") {
  const auto [written, code] = GENERATE(table<std::string, std::string>(
      {{"Year 7", "7"},     {"07", "7"},   {"7", "7"},        {"Yr7", "7"},       {"Y7", "7"},
       {"year 07", "7"},    {"YR 7", "7"}, {" 7 ", "7"},      {"Reception", "R"}, {"0", "R"},
       {"R", "R"},          {"r", "R"},    {"KG", "R"},       {"YR", "R"},        {"N1", "N1"},
       {"Nursery 2", "N2"}, {"E1", "E1"},  {"Year 13", "13"}, {"13", "13"},       {"X", "X"},
       {"M", "M"}}));
  CAPTURE(written);
  REQUIRE(normal_year_group(dictionary(), written).has_value());
  CHECK(*normal_year_group(dictionary(), written) == code);
}

TEST_CASE("what is no year group is not guessed at") {
  for (const char* text : {"", " ", "15", "-1", "Year", "7B", "Upper Sixth", "007", "7.0"}) {
    CAPTURE(text);
    CHECK_FALSE(normal_year_group(dictionary(), text).has_value());
  }
}

TEST_CASE("year groups sort by age, not as text") {
  std::vector<std::string> codes{"X", "10", "R", "2", "N2", "14", "E2", "1", "9", "N1", "E1", "11"};
  std::sort(codes.begin(), codes.end(),
            [](const auto& a, const auto& b) { return year_group_order(a) < year_group_order(b); });
  CHECK(codes == std::vector<std::string>{"E1", "E2", "N1", "N2", "R", "1", "2", "9", "10", "11", "14", "X"});
}

TEST_CASE("the dictionary lists year groups in the order to sort by") {
  const CodeSet* set = dictionary().codeset("year_group");
  REQUIRE(set != nullptr);
  REQUIRE(set->versions.size() == 1);
  const auto entries = set->versions[0].entries;
  REQUIRE(entries.size() == 21);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(entries[i].code);
    CHECK(year_group_order(entries[i].code) == static_cast<int>(i));
  }
}

TEST_CASE("the year group that fits an age is told by the 31 August before the year") {
  const auto [born, code] = GENERATE(table<std::string, std::string>({{"2022-09-01", "N2"},
                                                                      {"2022-08-31", "R"},
                                                                      {"2021-09-01", "R"},
                                                                      {"2021-08-31", "1"},
                                                                      {"2020-08-31", "2"},
                                                                      {"2015-08-31", "7"},
                                                                      {"2015-09-01", "6"},
                                                                      {"2010-08-31", "12"},
                                                                      {"2024-08-31", "N1"},
                                                                      {"2008-08-31", "14"}}));
  CAPTURE(born);
  CHECK(expected_year_group(day(born.c_str()), day("2026-11-23")) == std::string_view(code));
  // The whole year through, to the last day of August.
  CHECK(expected_year_group(day(born.c_str()), day("2027-08-31")) == std::string_view(code));
}

TEST_CASE("there is no year group for the unborn and the grown up") {
  CHECK_FALSE(expected_year_index(day("2027-01-01"), day("2026-11-23")).has_value());
  CHECK_FALSE(expected_year_index(day("2007-08-31"), day("2026-11-23")).has_value());
  CHECK_FALSE(year_group_index("X").has_value());
  CHECK_FALSE(year_group_index("Year 7").has_value());
}

TEST_CASE("the place on the scale is the age on the 31 August before") {
  CHECK(rc::check([] {
    const Date born{*rc::gen::inRange(12'000, 20'000)};
    const Date today{*rc::gen::inRange(12'000, 26'000)};
    const auto index = expected_year_index(born, today);
    const Date before = AcademicYear::of(today).first_day().plus(-1);
    // Whole years from birth to that day.
    int age = before.year() - born.year();
    if (born.month() > 8) --age;
    RC_ASSERT(index.has_value() == (age >= 0 && age <= 18));
    if (index) RC_ASSERT(*index == age);
    if (index) RC_ASSERT(year_group_index(*expected_year_group(born, today)) == index);
  }));
}
