// Files written by others, read whole: counts as in each sample's SOURCE.md.
#include <catch2/catch.hpp>

#include "fixtures.hpp"
#include "recording_sink.hpp"

using namespace towpath;
using namespace towpath::testing;

namespace {

Result<RecordingSink> read_one(const SourceConfig& config) {
  RecordingSink sink;
  const AdapterContext context = school_context();
  auto adapter = make_adapter(config, context);
  if (!adapter) return fail(std::move(adapter).error());
  auto done = (*adapter)->extract(sink);
  if (!done) return fail(std::move(done).error());
  sink.check_accounts();
  for (const auto& [dataset, why] : sink.abandoned) UNSCOPED_INFO(dataset << ": " << why.sentence());
  CHECK(sink.abandoned.empty());
  for (const SeenFile& file : sink.files)
    for (const auto& [reason, count] : file.ignored) {
      INFO(file.name << ": " << reason);
      CHECK(reason.find("could not be read") == std::string::npos);
    }
  return sink;
}

SourceConfig oneroster(const fs::path& path, std::string org = {}) {
  SourceConfig config;
  config.name = "mis";
  config.kind = "oneroster-csv";
  config.path = path.string();
  config.org = std::move(org);
  return config;
}

RecordingSink read(const SourceConfig& config) {
  auto sink = read_one(config);
  INFO((sink ? "" : sink.error().sentence()));
  REQUIRE(sink);
  return *std::move(sink);
}

std::uint64_t records(const RecordingSink& sink, const std::string& file) { return *sink.file(file).records; }

ColumnMapping column(std::string field, std::string from, std::string format = {}) {
  ColumnMapping c;
  c.field = std::move(field);
  c.column = std::move(from);
  c.format = std::move(format);
  return c;
}
ColumnMapping constant(std::string field, std::string value) {
  ColumnMapping c;
  c.field = std::move(field);
  c.value = std::move(value);
  return c;
}
TableMapping table(std::string dataset, std::string file, std::vector<ColumnMapping> columns) {
  TableMapping t;
  t.dataset = std::move(dataset);
  t.file = std::move(file);
  t.columns = std::move(columns);
  return t;
}
SourceConfig csv(const fs::path& path, std::vector<TableMapping> tables) {
  SourceConfig config;
  config.name = "mis";
  config.kind = "csv";
  config.path = path.string();
  config.tables = std::move(tables);
  return config;
}

}  // namespace

TEST_CASE("the generated small school loads whole, as folder and as stored zip") {
  const auto data = samples();
  if (!data) return;
  const fs::path folder = *data / "oneroster11-gospelnerd-schools" / "school-small";
  TempFolder copy;  // the folder holds the zip as well
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".csv")
      copy.write(entry.path().filename().string(), read_file(entry.path()));
  const auto sink = read(oneroster(copy.path()));
  CHECK(sink.rejects.empty());
  CHECK(sink.count("school") == 1);
  CHECK(sink.count("pupil") == 72);
  CHECK(sink.count("staff") == 7);
  CHECK(sink.count("group") == 42);
  CHECK(sink.count("group_membership") == 546);
  CHECK(sink.count("enrolment") == 72);
  CHECK(records(sink, "users.csv") == 79);
  CHECK(records(sink, "demographics.csv") == 72);
  CHECK(records(sink, "manifest.csv") == 17);
  CHECK(sink.file("demographics.csv").used == 72);
  CHECK(sink.cell("pupil", "pupil:0635c043-b5f1-4032-9a0f-635d6b03bc4c", "DOB") == "2021-12-22");
  CHECK(
      sink.cell("pupil", "pupil:0635c043-b5f1-4032-9a0f-635d6b03bc4c", "UPN").empty());  // 910000000 is none
  CHECK(sink.rows.at("enrolment")[0].cells[1] == "2026-08-15");
  CHECK(sink.rows.at("enrolment")[0].cells[4].empty());
  CHECK(sink.rows.at("group")[0].cells[sink.rows.at("group")[0].cells.size() - 1] == "2026");
  const auto zip = read(oneroster(folder / "oneroster-school-small.zip"));
  CHECK(zip.rows == sink.rows);
  // With the zip beside it the folder is read as well, and the zip is said.
  const auto both = read(oneroster(folder));
  CHECK(both.rows == sink.rows);
  CHECK(both.noticed("oneroster-school-small.zip is not a CSV file"));
}

TEST_CASE("the generated large school loads whole") {
  const auto data = samples();
  if (!data) return;
  const fs::path folder = *data / "oneroster11-gospelnerd-schools" / "school-large";
  TempFolder copy;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".gz"))
      copy.write(name.substr(0, name.size() - 3), gunzip(entry.path()));
    else
      copy.write(name, read_file(entry.path()));
  }
  const auto sink = read(oneroster(copy.path()));
  CHECK(sink.rejects.empty());
  CHECK(sink.count("pupil") == 320);
  CHECK(sink.count("staff") == 12);
  CHECK(sink.count("group") == 84);
  CHECK(sink.count("group_membership") == 2324);
  CHECK(sink.count("enrolment") == 320);
  CHECK(records(sink, "courses.csv") == 28);
  RecordingSink again;
  again.remember(sink);
  const AdapterContext context = school_context();
  auto adapter = make_adapter(oneroster(copy.path()), context);
  REQUIRE(adapter);
  REQUIRE((*adapter)->extract(again));
  CHECK(again.count("group_membership") + again.count("pupil") + again.count("enrolment") == 0);
}

TEST_CASE("the TAO bundle holds two schools; each is read with its org, drafts and all") {
  const auto data = samples();
  if (!data) return;
  const fs::path folder = *data / "oneroster11-oat-base";
  const auto refused = read_one(oneroster(folder));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kChoice);
  CHECK(refused.error().what().find("\n  12345  School 1\n  54321  School 2") != std::string::npos);
  const auto sink = read(oneroster(folder, "12345"));
  CHECK(sink.rejects.empty());
  CHECK(sink.count("pupil") == 1);
  CHECK(sink.count("group") == 2);
  CHECK(sink.count("group_membership") == 2);
  CHECK(sink.cell("group", "group:class1", "NCyear") == "2");
  CHECK(records(sink, "users.csv") == 2);
  CHECK(records(sink, "classes.csv") == 3);
  CHECK(records(sink, "enrollments.csv") == 3);
  CHECK(records(sink, "orgs.csv") == 2);
  CHECK(records(sink, "demographics.csv") == 0);
  CHECK(records(sink, "courses.csv") == 0);
  CHECK(sink.noticed("classes.csv names terms that academicSessions.csv does not hold"));
  CHECK(sink.noticed("users.csv: column 'userId' is read as 'userIds'"));
  const auto other = read(oneroster(folder, "54321"));
  CHECK(other.count("pupil") == 1);
  CHECK(other.count("group") == 1);
  CHECK(other.count("group_membership") == 1);
}

TEST_CASE("the smallest complete 1.2 bundle loads, folder and zip") {
  const auto data = samples();
  if (!data) return;
  const fs::path base = *data / "oneroster12-catalyst-basic";
  const auto sink = read(oneroster(base / "oneroster_test_data"));
  CHECK(sink.rejects.empty());
  CHECK(sink.begun.at("pupil") == Completeness::kDelta);
  for (const char* dataset : {"school", "pupil", "group", "group_membership"}) {
    INFO(dataset);
    CHECK(sink.count(dataset) == 1);
  }
  CHECK(sink.cell("pupil", "pupil:USER_0", "DOB") == "2010-04-17");
  CHECK(sink.cell("group", "group:CLASS_001", "academic_year") == "2023");
  CHECK(sink.cell("group", "group:CLASS_001", "subject") == "subject1");
  CHECK(sink.rows.at("group_membership")[0].cells[2] == "2023-09-04");  // from its term
  CHECK(sink.file("userProfiles.csv").ignored.at("sign-in accounts are not read") == 1);
  CHECK(records(sink, "manifest.csv") == 25);
  CHECK(read(oneroster(base / "oneroster_test_data.zip")).rows == sink.rows);
}

TEST_CASE("the eleven conformance packages load, each record accounted for") {
  const auto data = samples();
  if (!data) return;
  const fs::path folder = *data / "oneroster12-longsight-valid";
  std::size_t packages = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".zip") continue;
    ++packages;
    const std::string name = entry.path().filename().string();
    INFO(name);
    const auto sink = read(oneroster(entry.path()));
    CHECK(sink.rejects.empty());
    if (name.starts_with("manifest-only")) {
      CHECK(sink.begun.empty());
      CHECK(sink.files.size() == 1);
      continue;
    }
    if (name.starts_with("resources-")) {
      // No roster in some of them: then there is nothing to begin.
      continue;
    }
    CHECK(sink.begun.at("staff") ==
          (name.find("delta") != std::string::npos ? Completeness::kDelta : Completeness::kFull));
    CHECK(sink.count("school") == 1);
    CHECK(sink.count("pupil") == 0);
    CHECK(sink.count("staff") == 2);
    CHECK(sink.count("group") == 1);
    CHECK(sink.count("group_membership") == 1);
    CHECK(sink.cell("group", "group:class-1", "academic_year") == "2024");
    CHECK(records(sink, "orgs.csv") == 2);
    CHECK(records(sink, "academicSessions.csv") == 2);
    CHECK(records(sink, "roles.csv") == 2);
    if (name.starts_with("full-")) {
      CHECK(sink.files.size() == 22);
      CHECK(sink.file("results.csv").ignored.at("marks and gradebooks are not read") == 1);
      CHECK(sink.file("userResources.csv").ignored.at("teaching resources are not read") == 1);
    }
  }
  CHECK(packages == 11);
}

TEST_CASE("School Data Sync v2 is OneRoster enough") {
  const auto data = samples();
  if (!data) return;
  const fs::path folder = *data / "microsoft-sds-v1-v2" / "SDS_v2";
  const auto refused = read_one(oneroster(folder));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::kChoice);
  std::size_t pupils = 0, staff = 0, groups = 0, members = 0;
  for (const char* org : {"10001", "10002"}) {
    const auto sink = read(oneroster(folder, org));
    INFO(org);
    CHECK(sink.rejects.empty());
    CHECK(records(sink, "users.csv") == 29);
    CHECK(records(sink, "enrollments.csv") == 29);
    CHECK(records(sink, "classes.csv") == 4);
    CHECK(records(sink, "orgs.csv") == 5);
    CHECK(sink.noticed("manifest.csv is missing"));
    pupils += sink.count("pupil");
    staff += sink.count("staff");
    groups += sink.count("group");
    members += sink.count("group_membership");
  }
  CHECK(pupils > 0);
  CHECK(staff > 0);
  CHECK(groups > 0);
  CHECK(members > 0);
}

TEST_CASE("School Data Sync v1 loads through a mapping: blanks in headers, American dates") {
  const auto data = samples();
  if (!data) return;
  for (const auto& [name, students, sections, enrolments, teachers, rosters] :
       {std::tuple{"100_Users", 86, 28, 602, 12, 28}, {"25_Users", 22, 2, 44, 2, 2}}) {
    INFO(name);
    auto membership = [](std::string file, const char* kind) {
      return table("group_membership", std::move(file),
                   {column("group", "Section SIS ID"), column("member", "SIS ID"),
                    constant("from", "2017-07-01"), constant("member_kind", kind)});
    };
    const auto sink = read(csv(
        *data / "microsoft-sds-v1-v2" / "SDS_Format" / name,
        {table("pupil", "Student.csv",
               {column("pupil", "SIS ID"), column("Forename", "First Name"), column("Surname", "Last Name"),
                column("MiddleNames", "Middle Name"), column("DOB", "Birthdate", "M/D/YYYY"),
                column("NCyearActual", "Grade")}),
         table("staff", "Teacher.csv",
               {column("staff", "SIS ID"), column("display_name", "Last Name"), constant("role", "teacher")}),
         table("group", "Section.csv",
               {column("group", "SIS ID"), column("name", "Section Name"),
                column("subject", "Course Subject"), constant("kind", "class")}),
         membership("StudentEnrollment.csv", "pupil"), membership("TeacherRoster.csv", "staff")}));
    CHECK(sink.rejects.empty());
    CHECK(sink.count("pupil") == static_cast<std::size_t>(students));
    CHECK(sink.count("group") == static_cast<std::size_t>(sections));
    CHECK(sink.count("staff") == static_cast<std::size_t>(teachers));
    CHECK(sink.count("group_membership") == static_cast<std::size_t>(enrolments + rosters));
    CHECK(sink.cell("pupil", "pupil:13001", "DOB").size() == 10);
    CHECK(sink.rows.at("group_membership")[0].cells[1].starts_with("pupil:"));
  }
}

TEST_CASE("school census tables load through mappings, one school of the eight") {
  const auto data = samples();
  if (!data) return;
  TempFolder folder;
  for (const auto& entry : fs::directory_iterator(*data / "school-census-2024-autumn")) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".csv.gz")) folder.write(name.substr(0, name.size() - 3), gunzip(entry.path()));
  }
  const std::string day = "YYYY-MMM-DD hh:mm:ss";
  std::vector<TableMapping> tables{
      table("pupil", "*_pupilonroll.csv",
            {column("pupil", "pupilonrolltableid"), column("UPN", "upn"), column("Surname", "surname"),
             column("Forename", "forename"), column("DOB", "dob", day), column("Sex", "sex"),
             column("NCyearActual", "ncyearactual")}),
      table("enrolment", "*_pupilonroll.csv",
            {column("pupil", "pupilonrolltableid"), column("EntryDate", "entrydate", day),
             column("EnrolStatus", "enrolstatus")}),
      table("fsm", "*_fsmperiodsonroll.csv",
            {column("pupil", "pupilonrolltableid"), column("FSMstartDate", "fsmstartdate", day),
             column("FSMendDate", "fsmenddate", day), column("UKcountry", "ukcountry")}),
      table(
          "suspension", "*_termlyexclusionsonroll.csv",
          {column("suspension", "termlyexclusionsonrolltableid"), column("pupil", "pupilonrolltableid"),
           column("category", "category"), column("start", "startdate", day), column("sessions", "sessions"),
           column("reason1", "reason1"), column("reason2", "reason2"), column("reason3", "reason3")})};
  const auto all = read(csv(folder.path(), tables));
  CHECK(all.rejects.empty());
  CHECK(all.count("pupil") == 9088);
  CHECK(all.count("enrolment") == 9088);
  CHECK(all.count("fsm") == 25358);
  CHECK(all.count("suspension") == 10373);
  CHECK(all.cell("pupil", "pupil:0002e817-8ca", "DOB") == "2020-04-25");
  CHECK(all.cell("suspension", "suspension:fea20214", "sessions") == "10");

  for (TableMapping& t : tables) t.where = {{"NativeId", {"SCH5"}}};
  const auto one = read(csv(folder.path(), tables));
  CHECK(one.count("pupil") > 500);
  CHECK(one.count("pupil") < 2000);
  const SeenFile& file = one.file("2024_autumn_pupilonroll.csv (pupil)");
  CHECK(file.taken + file.ignored.at("its NativeId is not among those to read") == 9088);
}
