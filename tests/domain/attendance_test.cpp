// Attendance: the tables of DOMAIN 2.9, day by day.
#include "domain/attendance.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace towpath;

namespace {

const Date kLastOf2023 = *Date::parse("2024-08-18"), kFirstOf2024 = *Date::parse("2024-08-19");

std::string category(std::string_view code, Date day) {
  const auto found = AttendanceCodes(built_in_dictionary()).category(code, day);
  return found ? std::string(1, letter(*found)) : "none";
}

}  // namespace

TEST_CASE("each code of the 2024 set has its category from 19 August 2024") {
  const auto [code, wanted] = GENERATE(table<std::string, std::string>(
      {{"/", "P"},  {"\\", "P"}, {"L", "P"},  {"K", "E"},  {"V", "E"},  {"P", "E"},  {"W", "E"},
       {"B", "E"},  {"D", "X"},  {"C", "A"},  {"C1", "A"}, {"C2", "A"}, {"E", "A"},  {"I", "A"},
       {"J1", "A"}, {"M", "A"},  {"R", "A"},  {"S", "A"},  {"T", "A"},  {"G", "U"},  {"N", "U"},
       {"O", "U"},  {"U", "U"},  {"Q", "X"},  {"Y1", "X"}, {"Y2", "X"}, {"Y3", "X"}, {"Y4", "X"},
       {"Y5", "X"}, {"Y6", "X"}, {"Y7", "X"}, {"X", "X"},  {"Z", "X"},  {"#", "X"}}));
  CAPTURE(code);
  CHECK(category(code, kFirstOf2024) == wanted);
  CHECK(category(code, *Date::parse("2026-11-23")) == wanted);
}

TEST_CASE("the 2023 set is the same without the new codes and with the old ones") {
  const auto [code, wanted] = GENERATE(table<std::string, std::string>({{"/", "P"},
                                                                        {"L", "P"},
                                                                        {"D", "X"},
                                                                        {"I", "A"},
                                                                        {"G", "U"},
                                                                        {"#", "X"},
                                                                        {"H", "A"},
                                                                        {"J", "E"},
                                                                        {"Y", "X"},
                                                                        {"F", "A"},
                                                                        {"K", "none"},
                                                                        {"C1", "none"},
                                                                        {"C2", "none"},
                                                                        {"J1", "none"},
                                                                        {"Q", "none"},
                                                                        {"Y1", "none"},
                                                                        {"Y7", "none"},
                                                                        {"I02", "A"},
                                                                        {"X07", "X"}}));
  CAPTURE(code);
  CHECK(category(code, kLastOf2023) == wanted);
  CHECK(category(code, *Date::parse("2019-01-07")) == wanted);
}

TEST_CASE("an interview counts as attending until 18 August 2024 and as absence from then on") {
  CHECK(category("J", kLastOf2023) == "E");
  CHECK(category("J", kFirstOf2024) == "none");
  CHECK(category("J1", kLastOf2023) == "none");
  CHECK(category("J1", kFirstOf2024) == "A");
  CHECK(category("H", kFirstOf2024) == "none");
  CHECK(category("Y", kFirstOf2024) == "none");
}

TEST_CASE("a blank mark is a register not taken") {
  for (const char* blank : {"", " ", "-"}) CHECK(category(blank, kFirstOf2024) == "-");
  CHECK(category("UNKNOWN", kFirstOf2024) == "none");
  CHECK(category("?", kFirstOf2024) == "none");
}

TEST_CASE("an escaped backslash is the afternoon's mark") {
  const CodeSet* set = built_in_dictionary().codeset("attendance");
  REQUIRE(set != nullptr);
  for (const char* raw : {"\\", "\\\\", "PM"}) {
    const CodeEntry* entry = set->find(raw, kFirstOf2024);
    REQUIRE(entry != nullptr);
    CHECK(entry->code == "\\");
  }
}

TEST_CASE("the strokes belong to the morning and to the afternoon") {
  CHECK(fits_session("/", Session::kMorning));
  CHECK(fits_session("\\", Session::kAfternoon));
  CHECK_FALSE(fits_session("/", Session::kAfternoon));
  CHECK_FALSE(fits_session("\\", Session::kMorning));
  for (const Session session : {Session::kMorning, Session::kAfternoon}) CHECK(fits_session("L", session));
}

TEST_CASE("sessions that were not possible leave numerator and denominator") {
  AttendanceTally tally;
  const AttendanceCodes codes(built_in_dictionary());
  for (const char* code : {"/", "\\", "L", "V", "I", "U", "X", "Y4", "", "/", "\\", "/"}) {
    const auto found = codes.category(code, kFirstOf2024);
    REQUIRE(found.has_value());
    tally.add(*found);
  }
  CHECK(tally.possible() == 9);
  CHECK(tally.attended() == 7);
  CHECK(tally.absent() == 2);
  CHECK(tally.missing == 1);
  CHECK(tally.not_possible == 2);
  CHECK(tally.attendance_percent().value() == Approx(100.0 * 7 / 9));
  CHECK(tally.absence_percent().value() == Approx(100.0 * 2 / 9));
}

TEST_CASE("persistent absence begins at a tenth, severe at half, without rounding") {
  AttendanceTally tally;
  CHECK_FALSE(tally.persistently_absent());
  CHECK_FALSE(tally.attendance_percent().has_value());
  tally.present = 91;
  tally.authorised = 9;
  CHECK_FALSE(tally.persistently_absent());
  tally.present = 90;
  tally.unauthorised = 1;
  CHECK(tally.persistently_absent());
  CHECK_FALSE(tally.severely_absent());
  tally.present = 10;
  CHECK(tally.severely_absent());
}
