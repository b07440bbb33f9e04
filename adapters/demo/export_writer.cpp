#include "adapters/demo/export_writer.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>

#include "core/hash.hpp"

namespace towpath::demo {
namespace {

namespace fs = std::filesystem;

// A CSV file in the making: RFC 4180, LF, quoted only where needed.
class CsvFile {
 public:
  CsvFile(fs::path path, std::initializer_list<std::string_view> header)
      : path_(std::move(path)), out_(path_, std::ios::binary) {
    for (const std::string_view column : header) cell(column);
    end();
  }
  CsvFile& cell(std::string_view text) {
    if (!first_) buffer_ += ',';
    first_ = false;
    if (text.find_first_of(",\"\n\r") == std::string_view::npos) {
      buffer_ += text;
      return *this;
    }
    buffer_ += '"';
    for (const char c : text) {
      if (c == '"') buffer_ += '"';
      buffer_ += c;
    }
    buffer_ += '"';
    return *this;
  }
  CsvFile& number(std::int64_t value) { return cell(std::to_string(value)); }
  CsvFile& date(Date date) { return cell(date.iso()); }
  CsvFile& date(const std::optional<Date>& date) { return date ? cell(date->iso()) : cell({}); }
  // As British reports show dates: 20/11/2026.
  CsvFile& report_date(const std::optional<Date>& date) {
    if (!date) return cell({});
    const std::string iso = date->iso();
    return cell(iso.substr(8, 2) + "/" + iso.substr(5, 2) + "/" + iso.substr(0, 4));
  }
  CsvFile& empty(int count) {
    for (int i = 0; i < count; ++i) cell({});
    return *this;
  }
  void end() {
    buffer_ += '\n';
    first_ = true;
    if (buffer_.size() >= kWriteAt) flush();
  }
  // To be called once, last.
  Result<void> close() {
    flush();
    out_.close();
    if (!out_)
      return fail(Code::kIo, "cannot write " + path_.string() + ": " + std::strerror(errno),
                  "Check the folder and the room on the disk");
    return {};
  }

 private:
  // Large enough that a mark costs no system call of its own.
  static constexpr std::size_t kWriteAt = 256 * 1024;
  void flush() {
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }
  fs::path path_;
  std::ofstream out_;
  std::string buffer_;
  bool first_ = true;
};

constexpr std::uint64_t kOrgSalt = 11, kSessionSalt = 12, kCourseSalt = 13, kEnrolmentSalt = 14;

bool in_oneroster(const Group& group) { return group.kind != "year" && group.kind != "house"; }

class Writer {
 public:
  Writer(const DemoSchool& school, const DemoDay& day, const ExportOptions& options)
      : school_(school), day_(day), options_(options), org_(guid(school.seed(), kOrgSalt)) {}

  Result<void> oneroster() {
    TP_TRY(manifest());
    TP_TRY(org_and_sessions());
    TP_TRY(courses_and_classes());
    TP_TRY(users());
    return enrolments();
  }

  Result<void> exports() {
    TP_TRY(attendance());
    TP_TRY(characteristics());
    TP_TRY(results());
    return pledge();
  }

 private:
  [[nodiscard]] fs::path roster(std::string_view name) const {
    return fs::path(options_.folder) / "oneroster" / name;
  }
  [[nodiscard]] fs::path file(std::string_view name) const {
    return fs::path(options_.folder) / "exports" / name;
  }
  [[nodiscard]] const std::string& pupil(std::uint32_t index) const { return day_.pupils[index].id; }
  [[nodiscard]] std::string session(std::uint64_t part) const {
    return guid(school_.seed() + static_cast<std::uint64_t>(day_.system_year), kSessionSalt * 100 + part);
  }

  Result<void> manifest() const {
    CsvFile out(roster("manifest.csv"), {"propertyName", "value"});
    const auto line = [&](std::string_view name, std::string_view value) {
      out.cell(name).cell(value).end();
    };
    line("manifest.version", "1.0");
    line("oneroster.version", "1.1");
    for (const std::string_view name :
         {"academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users"})
      line("file." + std::string(name), "bulk");
    for (const std::string_view name :
         {"categories", "classResources", "courseResources", "lineItems", "resources", "results"})
      line("file." + std::string(name), "absent");
    line("source.systemName", "Towpath demo school");
    line("source.systemCode", "demo");
    return out.close();
  }

  Result<void> org_and_sessions() const {
    CsvFile orgs(roster("orgs.csv"), {"sourcedId", "status", "dateLastModified", "name", "type", "identifier",
                                      "parentSourcedId"});
    orgs.cell(org_).empty(2).cell(options_.name).cell("school").cell(options_.urn).empty(1).end();
    TP_TRY(orgs.close());

    CsvFile out(roster("academicSessions.csv"), {"sourcedId", "status", "dateLastModified", "title", "type",
                                                 "startDate", "endDate", "parentSourcedId", "schoolYear"});
    const Calendar calendar = make_calendar(day_.system_year, school_.seed());
    const std::string title =
        std::to_string(calendar.year) + "/" + std::to_string(calendar.year + 1).substr(2);
    const std::int64_t ending = calendar.year + 1;
    out.cell(session(0))
        .empty(2)
        .cell(title)
        .cell("schoolYear")
        .date(calendar.first)
        .date(calendar.last)
        .empty(1)
        .number(ending)
        .end();
    constexpr std::array<std::string_view, 3> kTerms = {"Autumn term", "Spring term", "Summer term"};
    for (int term = 0; term < 3; ++term) {
      Date from{}, to{};
      for (const CalendarDay& d : calendar.days)
        if (d.term / 2 == term && d.term >= 0) {
          if (from == Date{}) from = d.date;
          to = d.date;
        }
      out.cell(session(static_cast<std::uint64_t>(term) + 1))
          .empty(2)
          .cell(kTerms.at(static_cast<std::size_t>(term)))
          .cell("term")
          .date(from)
          .date(to);
      out.cell(session(0)).number(ending).end();
    }
    return out.close();
  }

  // One course for each subject; registration and small groups have one each.
  [[nodiscard]] static std::string course_title(const Group& group) {
    return group.kind == "registration"   ? "Registration"
           : group.kind == "intervention" ? "Small groups"
                                          : std::string(group.subject);
  }
  [[nodiscard]] std::string course_id(const std::string& title) const {
    return guid(fingerprint(title, school_.seed() + static_cast<std::uint64_t>(day_.system_year)),
                kCourseSalt);
  }

  Result<void> courses_and_classes() const {
    CsvFile courses(roster("courses.csv"),
                    {"sourcedId", "status", "dateLastModified", "schoolYearSourcedId", "title", "courseCode",
                     "grades", "orgSourcedId", "subjects", "subjectCodes"});
    CsvFile classes(roster("classes.csv"),
                    {"sourcedId", "status", "dateLastModified", "title", "grades", "courseSourcedId",
                     "classCode", "classType", "location", "schoolSourcedId", "termSourcedIds", "subjects",
                     "subjectCodes", "periods"});
    std::map<std::string, bool> seen;
    for (const Group& group : day_.groups) {
      if (!in_oneroster(group)) continue;
      const std::string title = course_title(group);
      if (!seen[title]) {
        seen[title] = true;
        courses.cell(course_id(title))
            .empty(2)
            .cell(session(0))
            .cell(title)
            .empty(2)
            .cell(org_)
            .cell(group.subject)
            .empty(1)
            .end();
      }
      classes.cell(group.id)
          .empty(2)
          .cell(group.name)
          .cell(group.year)
          .cell(course_id(title))
          .cell(group.name);
      classes.cell(group.kind == "registration" ? "homeroom" : "scheduled")
          .empty(1)
          .cell(org_)
          .cell(session(0))
          .cell(group.subject)
          .empty(2)
          .end();
    }
    TP_TRY(courses.close());
    return classes.close();
  }

  Result<void> users() const {
    CsvFile users(roster("users.csv"),
                  {"sourcedId", "status", "dateLastModified", "enabledUser", "orgSourcedIds", "role",
                   "username", "userIds", "givenName", "familyName", "middleName", "identifier", "email",
                   "sms", "phone", "agentSourcedIds", "grades", "password"});
    CsvFile births(
        roster("demographics.csv"),
        {"sourcedId", "status", "dateLastModified", "birthDate", "sex", "americanIndianOrAlaskaNative",
         "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white",
         "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity", "countryOfBirthCode",
         "stateOfBirthAbbreviation", "cityOfBirth", "publicSchoolResidenceStatus"});
    for (const Staff& s : day_.staff) {
      const std::string_view role = s.role == "teacher"  ? "teacher"
                                    : s.role == "office" ? "administrator"
                                                         : "aide";
      users.cell(s.id).empty(2).cell("true").cell(org_).cell(role).cell("s" + s.id.substr(0, 8)).empty(1);
      users.cell(s.forename).cell(s.surname).empty(8).end();
    }
    for (const Pupil& p : day_.pupils) {
      std::string ids;
      if (!p.upn.empty()) ids += "{UPN:" + p.upn + "}";
      if (!p.uln.empty()) ids += (ids.empty() ? "{ULN:" : ",{ULN:") + p.uln + "}";
      const bool left = p.leaving && *p.leaving < day_.day;
      users.cell(p.id)
          .empty(2)
          .cell(left ? "false" : "true")
          .cell(org_)
          .cell("student")
          .cell("p" + p.id.substr(0, 8))
          .cell(ids);
      users.cell(p.forename)
          .cell(p.surname)
          .cell(p.middle_names)
          .cell(p.upn)
          .empty(4)
          .cell(p.year)
          .empty(1)
          .end();
      births.cell(p.id).empty(2).date(p.dob).cell(p.sex == "F" ? "female" : "male").empty(11).end();
    }
    TP_TRY(users.close());
    return births.close();
  }

  Result<void> enrolments() const {
    CsvFile out(roster("enrollments.csv"),
                {"sourcedId", "status", "dateLastModified", "classSourcedId", "schoolSourcedId",
                 "userSourcedId", "role", "primary", "beginDate", "endDate"});
    for (const Membership& m : day_.memberships) {
      const Group& group = day_.groups[m.group];
      if (!in_oneroster(group)) continue;
      const std::string& user = m.staff ? day_.staff[m.member].id : pupil(m.member);
      out.cell(guid(fingerprint(group.id + user, static_cast<std::uint64_t>(m.from.days)), kEnrolmentSalt))
          .empty(2)
          .cell(group.id)
          .cell(org_);
      out.cell(user)
          .cell(m.staff ? "teacher" : "student")
          .cell(m.staff ? "true" : "")
          .date(m.from)
          .date(m.to)
          .end();
    }
    return out.close();
  }

  Result<void> attendance() const {
    CsvFile days(file("school_days.csv"), {"Date", "Kind", "AM open", "PM open", "Half term"});
    for (const CalendarDay& d : day_.calendar.days) {
      const std::string_view open = d.kind == DayKind::kSchool ? "true" : "false";
      days.date(d.date)
          .cell(name(d.kind))
          .cell(open)
          .cell(open)
          .cell(d.term < 0 ? std::string_view() : term_name(d.term))
          .end();
    }
    TP_TRY(days.close());
    CsvFile marks(file("attendance.csv"), {"Pupil ID", "Date", "Session", "Code", "Minutes late"});
    Date shown{-1};
    std::string iso;
    day_.for_each_mark([&](const Mark& m) {
      if (m.date != shown) iso = (shown = m.date).iso();
      marks.cell(pupil(m.pupil)).cell(iso).cell(m.pm ? "PM" : "AM").cell(m.code);
      m.minutes_late ? marks.number(*m.minutes_late) : marks.cell({});
      marks.end();
    });
    return marks.close();
  }

  Result<void> characteristics() const {
    CsvFile ethnicity(file("ethnicity.csv"), {"Pupil ID", "Ethnicity", "Ethnicity source"});
    CsvFile languages(file("languages.csv"), {"Pupil ID", "Type", "Language", "Proficiency in English"});
    for (const Pupil& p : day_.pupils) {
      ethnicity.cell(p.id).cell(p.ethnicity).cell(p.ethnicity_source).end();
      languages.cell(p.id).cell("F").cell(p.language).cell(p.proficiency).end();
      if (!p.home_language.empty()) languages.cell(p.id).cell("H").cell(p.home_language).cell({}).end();
    }
    CsvFile fsm(file("fsm.csv"), {"Pupil ID", "Start date", "End date", "Category", "Review date"});
    for (const FsmSpell& s : day_.fsm)
      fsm.cell(pupil(s.pupil))
          .report_date(s.start)
          .report_date(s.end)
          .cell(s.category)
          .report_date(s.reviewed)
          .end();
    CsvFile sen(file("sen.csv"), {"Pupil ID", "Start date", "End date", "Provision"});
    for (const SenSpell& s : day_.sen)
      sen.cell(pupil(s.pupil)).report_date(s.start).report_date(s.end).cell(s.provision).end();
    CsvFile needs(file("sen_needs.csv"), {"Pupil ID", "Rank", "Type"});
    for (const SenNeed& n : day_.sen_needs) needs.cell(pupil(n.pupil)).number(n.rank).cell(n.type).end();
    CsvFile suspensions(file("suspensions.csv"),
                        {"ID", "Pupil ID", "Category", "Start date", "Sessions", "Reason 1", "Reason 2"});
    for (const Suspension& s : day_.suspensions)
      suspensions.cell(s.id)
          .cell(pupil(s.pupil))
          .cell(s.category)
          .report_date(s.start)
          .number(s.sessions)
          .cell(s.reasons[0])
          .cell(s.reasons[1])
          .end();
    for (CsvFile* out : {&ethnicity, &languages, &fsm, &sen, &needs, &suspensions}) TP_TRY(out->close());
    return {};
  }

  Result<void> results() const {
    CsvFile out(file("results.csv"), {"Pupil ID", "Year", "Stage", "Subject", "Method", "Component",
                                      "Qualifier", "Status", "Result", "Result date"});
    for (const Assessment& a : day_.results) {
      out.cell(pupil(a.pupil))
          .number(a.year)
          .cell(a.stage)
          .cell(a.subject)
          .cell(a.method)
          .cell(a.component)
          .cell(a.qualifier)
          .cell(a.status);
      out.cell(a.result).report_date(a.date).end();
    }
    return out.close();
  }

  Result<void> pledge() const {
    CsvFile activities(file("activities.csv"),
                       {"ID", "Title", "Promise", "Second promise", "Provider", "Kind", "Start date",
                        "End date", "Minutes", "In school time", "Cost in pence", "Shared with"});
    for (const Activity& a : day_.activities) {
      activities.cell(a.id)
          .cell(a.title)
          .cell(a.promise)
          .cell(a.promise2)
          .cell(a.provider)
          .cell(a.kind)
          .report_date(a.start)
          .report_date(a.end);
      activities.number(a.minutes)
          .cell(a.in_school_time ? "true" : "false")
          .number(a.cost_pence)
          .cell(a.shared_with)
          .end();
    }
    TP_TRY(activities.close());
    CsvFile parts(file("participations.csv"), {"Activity ID", "Date", "Pupil ID", "Status", "Role"});
    for (const Participation& p : day_.participations)
      parts.cell(day_.activities[p.activity].id)
          .report_date(p.date)
          .cell(pupil(p.pupil))
          .cell(p.status)
          .cell(p.role)
          .end();
    return parts.close();
  }

  const DemoSchool& school_;
  const DemoDay& day_;
  const ExportOptions& options_;
  std::string org_;
};

// How the agent reads exports/: as a technician would write it.
constexpr std::string_view kTables = R"(
[[source.table]]
dataset = "session_mark"
file    = "attendance.csv"
[source.table.columns]
pupil        = { column = "Pupil ID", source = "mis" }
date         = "Date"
session      = "Session"
code         = "Code"
minutes_late = "Minutes late"

[[source.table]]
dataset = "school_day"
file    = "school_days.csv"
[source.table.columns]
date    = "Date"
kind    = "Kind"
am_open = "AM open"
pm_open = "PM open"
term    = "Half term"

[[source.table]]
dataset = "ethnicity"
file    = "ethnicity.csv"
[source.table.columns]
pupil           = { column = "Pupil ID", source = "mis" }
Ethnicity       = "Ethnicity"
EthnicitySource = "Ethnicity source"

[[source.table]]
dataset = "language"
file    = "languages.csv"
[source.table.columns]
pupil        = { column = "Pupil ID", source = "mis" }
LanguageType = "Type"
Language     = "Language"
proficiency  = "Proficiency in English"

[[source.table]]
dataset = "fsm"
file    = "fsm.csv"
[source.table.columns]
pupil        = { column = "Pupil ID", source = "mis" }
FSMstartDate = { column = "Start date", format = "DD/MM/YYYY" }
FSMendDate   = { column = "End date", format = "DD/MM/YYYY" }
category     = "Category"
UKcountry    = { value = "ENG" }
reviewed_on  = { column = "Review date", format = "DD/MM/YYYY" }

[[source.table]]
dataset = "sen"
file    = "sen.csv"
[source.table.columns]
pupil        = { column = "Pupil ID", source = "mis" }
StartDate    = { column = "Start date", format = "DD/MM/YYYY" }
EndDate      = { column = "End date", format = "DD/MM/YYYY" }
SENprovision = "Provision"

[[source.table]]
dataset = "sen_need"
file    = "sen_needs.csv"
[source.table.columns]
pupil       = { column = "Pupil ID", source = "mis" }
SENtypeRank = "Rank"
SENtype     = "Type"

[[source.table]]
dataset = "suspension"
file    = "suspensions.csv"
[source.table.columns]
suspension = "ID"
pupil      = { column = "Pupil ID", source = "mis" }
category   = "Category"
start      = { column = "Start date", format = "DD/MM/YYYY" }
sessions   = "Sessions"
reason1    = "Reason 1"
reason2    = "Reason 2"

[[source.table]]
dataset = "assessment_result"
file    = "results.csv"
[source.table.columns]
pupil           = { column = "Pupil ID", source = "mis" }
Year            = "Year"
Stage           = "Stage"
Subject         = "Subject"
Method          = "Method"
Component       = "Component"
ResultQualifier = "Qualifier"
ResultStatus    = "Status"
Locale          = { value = "ENG" }
Result          = "Result"
ResultDate      = { column = "Result date", format = "DD/MM/YYYY" }

[[source.table]]
dataset = "activity"
file    = "activities.csv"
[source.table.columns]
activity             = "ID"
title                = "Title"
promise              = "Promise"
promise2             = "Second promise"
provider             = "Provider"
kind                 = "Kind"
start                = { column = "Start date", format = "DD/MM/YYYY" }
end                  = { column = "End date", format = "DD/MM/YYYY" }
minutes              = "Minutes"
in_school_time       = "In school time"
cost_to_family_pence = "Cost in pence"
shared_with          = "Shared with"

[[source.table]]
dataset = "participation"
file    = "participations.csv"
[source.table.columns]
activity = "Activity ID"
date     = { column = "Date", format = "DD/MM/YYYY" }
pupil    = { column = "Pupil ID", source = "mis" }
status   = "Status"
role     = "Role"
)";

std::string toml_text(std::string_view text) {  // as a TOML string
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

Result<void> write_exports(const DemoSchool& school, Date day, const ExportOptions& options) {
  auto made = school.on(day);
  if (!made) return fail(std::move(made).error());
  std::error_code error;
  fs::create_directories(fs::path(options.folder) / "oneroster", error);
  if (!error && !options.oneroster_only) fs::create_directories(fs::path(options.folder) / "exports", error);
  if (error)
    return fail(Code::kIo, "cannot make folder " + options.folder + ": " + error.message(),
                "Choose another folder with --out");
  Writer writer(school, *made, options);
  TP_TRY(writer.oneroster());
  if (options.oneroster_only) return {};
  return writer.exports();
}

Result<void> write_agent_config(const ExportOptions& exports, const AgentConfigOptions& options) {
  const fs::path folder = fs::absolute(exports.folder);
  std::string text =
      "# Reads the exports of an invented school. Written by towpath-demo-school.\n[school]\nurn  = " +
      exports.urn + "\nname = " + toml_text(exports.name) + "\n\n[agent]\ndata = " + toml_text(options.data) +
      "\n\n[hub]\nurl = " + toml_text(options.hub) +
      "\n\n[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npath = " +
      toml_text((folder / "oneroster").string()) + "\n";
  if (!exports.oneroster_only) {
    text += "\n[[source]]\nname = \"exports\"\nkind = \"csv\"\npath = " +
            toml_text((folder / "exports").string()) + "\n";
    text += kTables;
  }
  std::ofstream out(options.file, std::ios::binary);
  out << text;
  out.close();
  if (!out)
    return fail(Code::kIo, "cannot write " + options.file + ": " + std::strerror(errno),
                "Choose another file with --agent-config");
  return {};
}

}  // namespace towpath::demo
