// What the invented school teaches and offers: constant lists, and the names made of them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace towpath::demo {

inline constexpr std::array<std::string_view, 7> kPrimaryYears = {"R", "1", "2", "3", "4", "5", "6"};
inline constexpr std::array<std::string_view, 7> kSecondaryYears = {"7", "8", "9", "10", "11", "12", "13"};
inline constexpr std::array<std::string_view, 5> kHouses = {"Canal", "Heath", "Market", "Foundry", "Lock"};
inline constexpr std::array<std::string_view, 5> kInterventions = {"Phonics catch-up", "Reading partners",
                                                                   "Number club", "Talk time", "Handwriting"};
// The 17 early learning goals.
inline constexpr std::array<std::string_view, 17> kGoals = {"E01", "E02", "E03", "E04", "E05", "E06",
                                                            "E07", "E08", "E09", "E10", "E11", "E12",
                                                            "E13", "E14", "E15", "E16", "E17"};

struct Subject {
  std::string_view code, name;
};
// The first three are taught in sets.
inline constexpr std::array<Subject, 11> kSubjects = {{{"ENG", "English"},
                                                       {"MAT", "Mathematics"},
                                                       {"SCI", "Science"},
                                                       {"GEO", "Geography"},
                                                       {"HIS", "History"},
                                                       {"MFL", "Languages"},
                                                       {"ART", "Art"},
                                                       {"MUS", "Music"},
                                                       {"COM", "Computing"},
                                                       {"PED", "Physical education"},
                                                       {"REL", "Religious studies"}}};
inline constexpr std::array<Subject, 20> kSixthFormSubjects = {{{"MAT", "Mathematics"},
                                                                {"FUR", "Further mathematics"},
                                                                {"BIO", "Biology"},
                                                                {"CHE", "Chemistry"},
                                                                {"PHY", "Physics"},
                                                                {"LIT", "English literature"},
                                                                {"LAN", "English language"},
                                                                {"HIS", "History"},
                                                                {"GEO", "Geography"},
                                                                {"ECO", "Economics"},
                                                                {"BUS", "Business"},
                                                                {"PSY", "Psychology"},
                                                                {"SOC", "Sociology"},
                                                                {"POL", "Politics"},
                                                                {"ART", "Fine art"},
                                                                {"DRA", "Drama"},
                                                                {"MUS", "Music"},
                                                                {"COM", "Computer science"},
                                                                {"FRE", "French"},
                                                                {"SPA", "Spanish"}}};
inline constexpr int kSixthFormSets = 2;

[[nodiscard]] std::string year_title(std::string_view year);           // "Reception", "Year 7"
[[nodiscard]] std::string form_name(std::string_view year, int form);  // "7C", "RA"
[[nodiscard]] std::string class_name(std::string_view year, std::string_view subject, int set);  // "9MAT4"
[[nodiscard]] std::string_view month_name(unsigned month);

// Who an activity is for: a form, whoever joins a club, a year group, everybody.
enum class Scope : std::uint8_t { kForm, kClub, kYear, kSchool };
struct Template {
  Scope scope;
  bool primary, secondary;
  bool whole_day;  // away from school all day: both marks are V
  bool in_school_time;
  std::string_view title, promise, promise2, provider, kind, role;
  int minutes;
  int cost_pence;  // to the family
};
// Every promise is served by some of them, in each phase.
[[nodiscard]] std::span<const Template> activity_templates();

}  // namespace towpath::demo
