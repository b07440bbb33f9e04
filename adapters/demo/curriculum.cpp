#include "adapters/demo/curriculum.hpp"

namespace towpath::demo {
namespace {

constexpr bool yes = true, no = false;
// scope, primary, secondary, whole day, in school time, title, promises, provider, kind, role, minutes, pence
constexpr Template kTemplates[] = {
    {Scope::kForm, yes, yes, yes, yes, "Gallery visit", "P03", "P04", "a gallery in Bloomsbury", "visit",
     "participant", 300, 0},
    {Scope::kForm, yes, yes, yes, yes, "Museum visit", "P03", "P11", "a museum in Bloomsbury", "visit",
     "participant", 300, 0},
    {Scope::kForm, yes, yes, no, yes, "Walk along the canal", "P04", "P12", "a canal trust", "visit",
     "participant", 120, 0},
    {Scope::kForm, yes, yes, yes, yes, "Local archives and street history", "P04", "P01",
     "the borough's archive", "visit", "participant", 300, 0},
    {Scope::kForm, yes, no, yes, yes, "City farm visit", "P12", "P08", "a city farm", "visit", "participant",
     300, 200},
    {Scope::kForm, yes, yes, no, yes, "Cooking a meal together", "P08", "", "school", "unit", "participant",
     120, 0},
    {Scope::kForm, yes, yes, no, yes, "Meet an engineer", "P05", "", "a local employer", "encounter",
     "participant", 60, 0},
    {Scope::kForm, no, yes, yes, yes, "Workplace visit", "P05", "P10", "a local employer", "visit",
     "participant", 300, 0},
    {Scope::kForm, yes, yes, yes, yes, "Theatre visit", "P02", "", "a theatre in Camden", "visit",
     "participant", 240, 500},
    {Scope::kForm, yes, yes, no, yes, "Letters to a partner class abroad", "P11", "P01", "a partner school",
     "project", "participant", 90, 0},
    {Scope::kForm, yes, yes, no, yes, "Mindfulness workshop", "P07", "", "a health charity", "unit",
     "participant", 60, 0},
    {Scope::kForm, yes, yes, no, yes, "Planting the school garden", "P08", "P12", "school", "project",
     "participant", 120, 0},
    {Scope::kForm, no, yes, yes, yes, "Science museum day", "P05", "P03", "a museum in South Kensington",
     "visit", "participant", 330, 300},
    {Scope::kClub, yes, yes, no, no, "Choir", "P02", "", "school", "club", "performer", 60, 0},
    {Scope::kClub, yes, yes, no, no, "Drama club", "P02", "P09", "school", "club", "performer", 60, 0},
    {Scope::kClub, yes, yes, no, no, "Dance club", "P02", "P07", "school", "club", "performer", 60, 300},
    {Scope::kClub, yes, yes, no, no, "Football team", "P06", "P07", "school", "club", "competitor", 75, 0},
    {Scope::kClub, yes, yes, no, no, "Basketball club", "P06", "P07", "a sports charity", "club",
     "participant", 75, 0},
    {Scope::kClub, yes, yes, no, no, "Art club", "P03", "", "school", "club", "participant", 60, 0},
    {Scope::kClub, yes, yes, no, no, "Eco council", "P12", "P09", "school", "role", "leader", 45, 0},
    {Scope::kClub, yes, yes, no, no, "Cookery club", "P08", "", "school", "club", "participant", 60, 200},
    {Scope::kClub, yes, yes, no, no, "Chess club", "P09", "", "school", "club", "competitor", 45, 0},
    {Scope::kClub, no, yes, no, no, "Young enterprise", "P10", "P05", "a local employer", "club", "organiser",
     60, 0},
    {Scope::kClub, yes, yes, no, no, "Coding club", "P05", "", "a technology firm", "club", "participant", 60,
     0},
    {Scope::kClub, yes, yes, no, no, "Language café", "P11", "", "school", "club", "participant", 45, 0},
    {Scope::kClub, no, yes, no, no, "Peer mentoring", "P09", "P07", "school", "role", "leader", 45, 0},
    {Scope::kClub, yes, yes, no, no, "Gardening club", "P08", "P12", "school", "club", "participant", 60, 0},
    {Scope::kYear, yes, yes, no, yes, "Identity and belonging unit", "P01", "P11", "school", "unit",
     "participant", 90, 0},
    {Scope::kYear, yes, yes, no, yes, "Black history project", "P01", "P04", "school", "project",
     "participant", 90, 0},
    {Scope::kYear, yes, yes, no, yes, "Year group performance", "P02", "", "school", "performance",
     "performer", 90, 0},
    {Scope::kYear, yes, yes, no, yes, "Enterprise week", "P10", "P09", "school", "project", "organiser", 120,
     0},
    {Scope::kYear, yes, yes, no, yes, "Careers encounters", "P05", "", "local employers", "encounter",
     "participant", 60, 0},
    {Scope::kYear, yes, yes, no, yes, "Swimming and water safety", "P06", "P07", "a leisure centre", "unit",
     "participant", 60, 0},
    {Scope::kYear, yes, yes, yes, yes, "Residential in the country", "P06", "P09", "an outdoor centre",
     "residential", "participant", 420, 9500},
    {Scope::kYear, yes, yes, no, yes, "Recycling and energy survey", "P12", "P10", "school", "project",
     "participant", 60, 0},
    {Scope::kYear, yes, yes, no, yes, "Healthy lunch project", "P08", "P07", "school", "project",
     "participant", 60, 0},
    {Scope::kYear, yes, yes, no, yes, "Printmaking with an artist", "P03", "", "a visiting artist", "project",
     "participant", 120, 0},
    {Scope::kYear, yes, yes, no, yes, "World languages days", "P11", "", "school", "unit", "participant", 60,
     0},
    {Scope::kSchool, yes, yes, no, yes, "Sports day", "P06", "P07", "school", "competition", "competitor",
     240, 0},
    {Scope::kSchool, yes, no, no, yes, "Festival of stories", "P01", "P11", "school", "performance",
     "participant", 120, 0},
    {Scope::kSchool, yes, no, no, yes, "Charity fair", "P10", "P09", "school", "project", "organiser", 120,
     100},
    {Scope::kSchool, yes, yes, no, yes, "Health and wellbeing day", "P07", "P08", "a health charity", "unit",
     "participant", 240, 0},
};

}  // namespace

std::span<const Template> activity_templates() { return kTemplates; }

std::string year_title(std::string_view year) {
  return year == "R" ? "Reception" : "Year " + std::string(year);
}

std::string form_name(std::string_view year, int form) {
  std::string name(year);
  for (int letters = form; letters >= 26; letters -= 26) name += 'Z';
  return name + static_cast<char>('A' + form % 26);
}

std::string class_name(std::string_view year, std::string_view subject, int set) {
  return std::string(year) + std::string(subject) + std::to_string(set + 1);
}

std::string_view month_name(unsigned month) {
  constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                        "May",       "June",     "July",     "August",
                                                        "September", "October",  "November", "December"};
  return kMonths.at(month - 1);
}

}  // namespace towpath::demo
