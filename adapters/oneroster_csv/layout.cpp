#include "adapters/oneroster_csv/layout.hpp"

#include <algorithm>

#include "adapters/text/cells.hpp"

namespace towpath::oneroster {
namespace {

constexpr Column kOrgColumns[] = {{"sourcedId", true, ""},
                                  {"status", false, ""},
                                  {"name", false, ""},
                                  {"type", false, ""},
                                  {"identifier", false, ""}};
constexpr Column kSessionColumns[] = {
    {"sourcedId", true, ""},          {"status", false, ""}, {"title", false, ""},     {"type", false, ""},
    {"startDate", true, "beginDate"}, {"endDate", true, ""}, {"schoolYear", false, ""}};
constexpr Column kCourseColumns[] = {{"sourcedId", true, ""},
                                     {"status", false, ""},
                                     {"title", false, ""},
                                     {"subjects", false, "subject"},
                                     {"schoolYearSourcedId", false, "schoolYearId"}};
constexpr Column kClassColumns[] = {{"sourcedId", true, ""},
                                    {"status", false, ""},
                                    {"title", true, ""},
                                    {"grades", false, "grade"},
                                    {"courseSourcedId", false, ""},
                                    {"classCode", false, ""},
                                    {"classType", false, ""},
                                    {"schoolSourcedId", false, "orgSourcedId"},
                                    {"termSourcedIds", false, "terms,termSourcedId,sessionSourcedIds"},
                                    {"subjects", false, "subject"}};
constexpr Column kUserColumns[] = {{"sourcedId", true, ""},
                                   {"status", false, ""},
                                   {"orgSourcedIds", false, "orgSourcedId"},
                                   {"role", false, ""},
                                   {"userIds", false, "userId"},
                                   {"givenName", true, ""},
                                   {"familyName", true, ""},
                                   {"middleName", false, ""},
                                   {"identifier", false, ""},
                                   {"grades", false, "grade"},
                                   {"preferredGivenName", false, ""},
                                   {"preferredFamilyName", false, ""},
                                   {"userMasterIdentifier", false, ""}};
constexpr Column kRoleColumns[] = {{"sourcedId", false, ""},    {"status", false, ""},
                                   {"userSourcedId", true, ""}, {"roleType", false, ""},
                                   {"role", true, ""},          {"beginDate", false, ""},
                                   {"endDate", false, ""},      {"orgSourcedId", true, ""}};
constexpr Column kDemographicColumns[] = {{"sourcedId", true, "userSourcedId"},
                                          {"status", false, ""},
                                          {"birthDate", true, "dateOfBirth,dob"},
                                          {"sex", false, "gender"}};
constexpr Column kEnrollmentColumns[] = {
    {"sourcedId", false, ""},     {"status", false, ""},
    {"classSourcedId", true, ""}, {"schoolSourcedId", false, "orgSourcedId"},
    {"userSourcedId", true, ""},  {"role", true, ""},
    {"primary", false, ""},       {"beginDate", false, "startDate"},
    {"endDate", false, ""}};

constexpr Layout kLayouts[kKinds] = {
    {Kind::kOrgs, "orgs.csv", "file.orgs", kOrgColumns, "dateLastModified,parentSourcedId"},
    {Kind::kAcademicSessions, "academicSessions.csv", "file.academicSessions", kSessionColumns,
     "dateLastModified,parentSourcedId"},
    {Kind::kCourses, "courses.csv", "file.courses", kCourseColumns,
     "dateLastModified,courseCode,grades,grade,orgSourcedId,subjectCodes"},
    {Kind::kClasses, "classes.csv", "file.classes", kClassColumns,
     "dateLastModified,location,subjectCodes,periods"},
    {Kind::kUsers, "users.csv", "file.users", kUserColumns,
     "dateLastModified,enabledUser,username,email,sms,phone,agentSourcedIds,agents,password,"
     "resourceSourcedIds,"
     "preferredMiddleName,primaryOrgSourcedId,pronouns"},
    {Kind::kRoles, "roles.csv", "file.roles", kRoleColumns, "dateLastModified,userProfileSourcedId"},
    {Kind::kDemographics, "demographics.csv", "file.demographics", kDemographicColumns,
     "dateLastModified,countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus,"
     "americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,"
     "demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity"},
    {Kind::kEnrollments, "enrollments.csv", "file.enrollments", kEnrollmentColumns, "dateLastModified"}};

constexpr std::string_view kMarks = "marks and gradebooks are not read";
constexpr std::string_view kTeachingResources = "teaching resources are not read";
constexpr Unread kUnread[] = {
    {"userProfiles.csv", "file.userProfiles", "sign-in accounts are not read"},
    {"categories.csv", "file.categories", kMarks},
    {"lineItems.csv", "file.lineItems", kMarks},
    {"results.csv", "file.results", kMarks},
    {"scoreScales.csv", "file.scoreScales", kMarks},
    {"lineItemLearningObjectiveIds.csv", "file.lineItemLearningObjectiveIds", kMarks},
    {"lineItemScoreScales.csv", "file.lineItemScoreScales", kMarks},
    {"resultLearningObjectiveIds.csv", "file.resultLearningObjectiveIds", kMarks},
    {"resultScoreScales.csv", "file.resultScoreScales", kMarks},
    {"resources.csv", "file.resources", kTeachingResources},
    {"classResources.csv", "file.classResources", kTeachingResources},
    {"courseResources.csv", "file.courseResources", kTeachingResources},
    {"userResources.csv", "file.userResources", kTeachingResources}};

template <class Visit>
void each_of(std::string_view list, const Visit& visit) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    visit(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

bool in_list(std::string_view list, std::string_view word) {
  bool found = false;
  each_of(list, [&](std::string_view one) { found = found || same_word(one, word); });
  return found;
}

// What the columns of UPNs and ULNs are mostly called; the standard has none for them.
constexpr std::string_view kUpnNames = "upn,metadata.upn,ext_upn";
constexpr std::string_view kUlnNames = "uln,metadata.uln,ext_uln";
// Of demographics.csv; each true or false.
constexpr std::string_view kRaceNames =
    "americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,nativeHawaiianOrOtherPacificIslander,white,"
    "demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity";

}  // namespace

const Layout& layout(Kind kind) { return kLayouts[static_cast<std::size_t>(kind)]; }
std::span<const Unread> unread_files() { return kUnread; }

Result<Binding> bind(const Layout& layout, std::span<const std::string> header) {
  Binding binding;
  binding.at.resize(layout.columns.size());
  std::vector<bool> taken(header.size(), false);
  const std::string file(layout.file);
  for (std::size_t c = 0; c < layout.columns.size(); ++c) {
    const Column& column = layout.columns[c];
    // As the standard spells it, then in another case, then by another name.
    const auto search = [&](auto matches) {
      std::size_t found = 0;
      for (std::size_t i = 0; i < header.size(); ++i) {
        if (taken[i] || !matches(header[i])) continue;
        if (found++ == 0) binding.at[c] = i;
      }
      return found;
    };
    std::size_t found = search([&](const std::string& name) { return name == column.name; });
    if (found == 0) {
      found = search([&](const std::string& name) { return same_word(name, column.name); });
      if (found == 0 && !column.aliases.empty())
        found = search([&](const std::string& name) { return in_list(column.aliases, name); });
      if (found == 1)
        binding.notices.push_back(file + ": column '" + header[*binding.at[c]] + "' is read as '" +
                                  std::string(column.name) + "'");
    }
    if (found > 1)
      return fail(Code::kBadInput, file + " has the column '" + std::string(column.name) + "' twice",
                  "Export it again without the second one");
    if (found == 0 && column.needed) {
      std::string has;
      for (std::size_t i = 0; i < header.size() && i < 12; ++i) has += (i > 0 ? ", " : "") + header[i];
      if (header.size() > 12) has += ", ...";
      const bool other = header.size() == 1 && header[0].find_first_of(";\t|") != std::string::npos;
      // A file without a header begins with somebody's data, which is not for messages.
      const bool is_header = std::any_of(header.begin(), header.end(), [&](const std::string& name) {
        return in_list(layout.known, name) ||
               std::any_of(layout.columns.begin(), layout.columns.end(),
                           [&](const Column& known) { return same_word(known.name, name); });
      });
      return fail(Code::kBadInput,
                  file + " has no column '" + std::string(column.name) + "'" +
                      (is_header ? " (it has " + has + ")"
                                 : ", nor any other of the standard: its first line may be data"),
                  other ? "OneRoster files are separated by commas: export it again"
                        : "Correct the export: its columns must be named as in the OneRoster standard");
    }
    // Every column that is read, also one that is not there: if it was yesterday, its field would be
    // emptied in every row.
    if (found == 1) {
      taken[*binding.at[c]] = true;
      binding.needed.push_back(header[*binding.at[c]]);
    } else {
      binding.needed.push_back(column.name);
      each_of(column.aliases, [&](std::string_view alias) { binding.needed.push_back(alias); });
    }
  }
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (taken[i]) continue;
    const std::string name = lower_case(header[i]);
    if (layout.kind == Kind::kDemographics && in_list(kRaceNames, name)) binding.race.push_back(i);
    const bool extension = name.starts_with("metadata.") || name.starts_with("ext_");
    if (layout.kind == Kind::kUsers &&
        (name == "upn" || (extension && name.find("upn") != std::string::npos))) {
      binding.upn.push_back(i);
      binding.needed.push_back(header[i]);
    } else if (layout.kind == Kind::kUsers &&
               (name == "uln" || (extension && name.find("uln") != std::string::npos))) {
      binding.uln.push_back(i);
      binding.needed.push_back(header[i]);
    } else if (!extension && !header[i].empty() && !in_list(layout.known, header[i])) {
      binding.notices.push_back(file + ": column '" + header[i] + "' is not known and was not read");
    }
  }
  const auto wanted = [&](std::string_view name) { binding.needed.push_back(name); };
  if (layout.kind == Kind::kUsers && binding.upn.empty()) each_of(kUpnNames, wanted);
  if (layout.kind == Kind::kUsers && binding.uln.empty()) each_of(kUlnNames, wanted);
  return binding;
}

}  // namespace towpath::oneroster
