#include <catch2/catch.hpp>

#include "adapters/api/source_config.hpp"
#include "fixtures.hpp"
#include "recording_sink.hpp"

using namespace towpath;
using namespace towpath::testing;

namespace {

ColumnMapping column(std::string field, std::string from) {
  ColumnMapping c;
  c.field = std::move(field);
  c.column = std::move(from);
  return c;
}
ColumnMapping constant(std::string field, std::string value) {
  ColumnMapping c;
  c.field = std::move(field);
  c.value = std::move(value);
  return c;
}
ColumnMapping dated(std::string field, std::string from, std::string format) {
  ColumnMapping c = column(std::move(field), std::move(from));
  c.format = std::move(format);
  return c;
}

TableMapping marks(std::string file) {
  TableMapping table;
  table.dataset = "session_mark";
  table.file = std::move(file);
  ColumnMapping pupil = column("pupil", "UPN");
  pupil.source = "mis";
  pupil.by = "UPN";
  table.columns = {dated("date", "Date", "DD/MM/YYYY"), column("session", "Session"), pupil,
                   column("code", "Mark"), column("minutes_late", "Late")};
  table.line = 12;
  return table;
}

struct Source {
  TempFolder folder;
  SourceConfig config;
  Source() {
    config.name = "attendance";
    config.kind = "csv";
    config.path = folder.path().string();
  }
  RecordingSink extract(const RecordingSink* earlier = nullptr, std::string attributes = {}) {
    RecordingSink sink;
    sink.attributes = std::move(attributes);
    if (earlier != nullptr) sink.remember(*earlier);
    const AdapterContext context = school_context("attendance");
    auto adapter = make_adapter(config, context);
    INFO((adapter ? "" : adapter.error().sentence()));
    REQUIRE(adapter);
    auto done = (*adapter)->extract(sink);
    INFO((done ? "" : done.error().sentence()));
    REQUIRE(done);
    sink.check_accounts();
    return sink;
  }
  std::string refusal() {
    const AdapterContext context = school_context("attendance");
    auto adapter = make_adapter(config, context);
    REQUIRE_FALSE(adapter);
    CHECK(adapter.error().code() == Code::kConfig);
    return adapter.error().sentence();
  }
};

constexpr const char* kMarks =
    "Date,Session,UPN,Mark,Late\r\n"
    "23/11/2026,AM,A100000000001,/,\r\n"
    "23/11/2026,pm,A100000000001,L,12\r\n";

}  // namespace

TEST_CASE("a mapped export becomes rows, with references, dates and enums as the dictionary wants them") {
  Source source;
  source.folder.write("marks.csv", kMarks);
  source.config.tables = {marks("marks.csv")};
  const auto sink = source.extract();
  REQUIRE(sink.count("session_mark") == 2);
  CHECK(sink.begun.at("session_mark") == Completeness::kFull);
  const auto& rows = sink.rows.at("session_mark");
  CHECK(rows[0].cells ==
        std::vector<std::string>{"2026-11-23", "AM", "pupil:mis/UPN=A100000000001", "/", "", "", ""});
  CHECK(rows[1].cells ==
        std::vector<std::string>{"2026-11-23", "PM", "pupil:mis/UPN=A100000000001", "L", "", "12", ""});
  CHECK(rows[1].line == 3);
  CHECK(sink.file("marks.csv").taken == 2);
}

TEST_CASE("an export that names pupils by UPN is parsed again when UPNs have changed, another is not") {
  Source source;
  source.folder.write("marks.csv", kMarks);
  source.config.tables = {marks("marks.csv")};
  const auto first = source.extract();
  CHECK(source.extract(&first).kept.at("session_mark") == 2);
  CHECK(source.extract(&first, "corrected").kept.empty());

  source.config.tables[0].columns[2].by.clear();
  const auto by_id = source.extract();
  CHECK(source.extract(&by_id, "corrected").kept.at("session_mark") == 2);
}

TEST_CASE("tomorrow's export is parsed only where it differs") {
  Source source;
  source.folder.write("marks.csv", kMarks);
  source.config.tables = {marks("marks.csv")};
  const auto first = source.extract();
  source.folder.write("marks.csv", std::string(kMarks) + "24/11/2026,AM,A100000000001,I,\r\n");
  const auto second = source.extract(&first);
  CHECK(second.kept.at("session_mark") == 2);
  REQUIRE(second.count("session_mark") == 1);
  CHECK(second.rows.at("session_mark")[0].cells[0] == "2026-11-24");
  // Another mapping means other rows from the same bytes.
  source.config.tables[0].columns[3].values = {{"I", "M"}};
  CHECK(source.extract(&first).kept.empty());
}

TEST_CASE("several files of one pattern are one dataset, in the order of their names") {
  Source source;
  source.folder.write("marks-b.csv", "Date,Session,UPN,Mark,Late\n24/11/2026,AM,U1,/,\n");
  source.folder.write("marks-a.csv", "Late,Mark,UPN,Session,Date\n,/,U1,AM,23/11/2026\n");
  source.folder.write("other.csv", "x\n1\n");
  source.config.tables = {marks("marks-*.csv")};
  const auto sink = source.extract();
  REQUIRE(sink.count("session_mark") == 2);
  CHECK(sink.rows.at("session_mark")[0].file == "marks-a.csv");
  CHECK(sink.rows.at("session_mark")[1].file == "marks-b.csv");
  CHECK(sink.files.size() == 2);
}

TEST_CASE("append says that what is missing is not gone") {
  Source source;
  source.config.tables = {marks("marks-*.csv")};
  source.config.tables[0].mode = "append";
  source.folder.write("marks-1.csv", kMarks);
  CHECK(source.extract().begun.at("session_mark") == Completeness::kDelta);
}

TEST_CASE("a pattern that matches nothing leaves its dataset as it was, and says where it looked") {
  for (const char* mode : {"full", "append"}) {
    Source source;
    source.config.tables = {marks("attnd-*.csv")};
    source.config.tables[0].mode = mode;
    const auto empty = source.extract();
    CHECK_FALSE(empty.begun.contains("session_mark"));
    CHECK(empty.abandoned.at("session_mark").what() ==
          "no file in " + source.config.path + " matches attnd-*.csv");
    CHECK(empty.abandoned.at("session_mark").next() == "Check that the export has run, and the pattern");
    source.folder.write("attendance-2026.csv", kMarks);
    source.folder.write("pupils.csv", "x\n");
    CHECK(source.extract().abandoned.at("session_mark").next() == "Did you mean attendance-2026.csv?");
    source.config.tables[0].file = "Atendance-2026.csv";
    CHECK(source.extract().abandoned.at("session_mark").next() == "Did you mean attendance-2026.csv?");
    source.folder.write("marks.csv.GZ", "\x1f\x8b");
    source.config.tables[0].file = "marks.csv";
    CHECK(source.extract().abandoned.at("session_mark").next() == "Unpack marks.csv.GZ");
  }
}

TEST_CASE("a missing file costs its dataset this run, and no other") {
  Source source;
  source.folder.write("marks.csv", kMarks);
  TableMapping sen;
  sen.dataset = "sen";
  sen.file = "sen.csv";
  sen.columns = {column("pupil", "id"), column("StartDate", "from"), constant("SENprovision", "K")};
  source.config.tables = {sen, marks("marks.csv")};
  const auto sink = source.extract();
  CHECK_FALSE(sink.begun.contains("sen"));
  CHECK(sink.abandoned.at("sen").what().find("sen.csv is not in ") == 0);
  CHECK(sink.ended.contains("session_mark"));
}

TEST_CASE("a column that is gone costs the dataset, its records stay counted") {
  Source source;
  source.folder.write("marks.csv", "Date,Session,UPN,Late\n23/11/2026,AM,U1,\n23/11/2026,PM,U1,\n");
  source.config.tables = {marks("marks.csv")};
  const auto sink = source.extract();
  CHECK(sink.abandoned.at("session_mark").what() ==
        "marks.csv has no column 'Mark' (it has Date, Session, UPN, Late)");
  CHECK(sink.file("marks.csv").ignored_in_all() == 2);
  CHECK(sink.file("marks.csv").needed.size() == 5);
}

TEST_CASE("a first line that is data is not repeated in a message") {
  Source source;
  source.folder.write("marks.csv", "23/11/2026,AM,Zzyzx,/,\n23/11/2026,PM,Zzyzx,/,\n");
  source.config.tables = {marks("marks.csv")};
  const auto sink = source.extract();
  const std::string said = sink.abandoned.at("session_mark").sentence();
  CHECK(said.find("its first line may be data") != std::string::npos);
  CHECK(said.find("Zzyzx") == std::string::npos);
}

TEST_CASE("the wrong delimiter is guessed in the advice") {
  Source source;
  source.folder.write("marks.csv", "Date;Session;UPN;Mark;Late\n23/11/2026;AM;U1;/;\n");
  source.config.tables = {marks("marks.csv")};
  CHECK(source.extract().abandoned.at("session_mark").next().find("another delimiter") != std::string::npos);
  source.config.tables[0].delimiter = ";";
  CHECK(source.extract().count("session_mark") == 1);
}

TEST_CASE("a column there twice is refused if it is needed; another spelling is taken with a notice") {
  Source source;
  source.folder.write("marks.csv", "Date,Session,UPN,Mark,Late,mark\n23/11/2026,AM,U1,/,,x\n");
  source.config.tables = {marks("marks.csv")};
  CHECK(source.extract().count("session_mark") == 1);  // exactly 'Mark' is there once
  source.folder.write("marks.csv", "Date,Session,UPN,Mark,Late,Mark\n23/11/2026,AM,U1,/,,x\n");
  CHECK(source.extract().abandoned.at("session_mark").what() == "marks.csv has the column 'Mark' twice");
  source.folder.write("marks.csv", "DATE, session ,upn,mark,late\n23/11/2026,AM,U1,/,\n");
  const auto sink = source.extract();
  CHECK(sink.count("session_mark") == 1);
  CHECK(sink.noticed("column 'upn' is read as 'UPN'"));
}

TEST_CASE("a bad cell costs its record, with the column and what was expected, never the value") {
  Source source;
  source.folder.write("marks.csv",
                      "Date,Session,UPN,Mark,Late\n2026-11-23,AM,U1,/,\n23/11/2026,AM,U2,/,soon\n"
                      "23/11/2026,AM\n23/11/2026,AM,U3,/,\n,,,,\n");
  source.config.tables = {marks("marks.csv")};
  const auto sink = source.extract();
  CHECK(sink.count("session_mark") == 1);
  REQUIRE(sink.rejects.size() == 3);
  CHECK(sink.rejects[0].text == "column 'Date' is not a date (expected DD/MM/YYYY)");
  CHECK(sink.rejects[0].raw == "2026-11-23,AM,U1,/,");
  CHECK(sink.rejects[0].field == "date");
  CHECK(sink.rejects[1].text == "column 'Late' is not a whole number");
  CHECK(sink.rejects[2].rule == "ragged");
  CHECK(sink.rejects[2].line == 4);
  CHECK(sink.file("marks.csv").ignored.at("it is empty") == 1);
}

TEST_CASE("a half-written file abandons its dataset, and what it held so far has its fates") {
  Source source;
  source.folder.write("marks.csv", std::string(kMarks) + "24/11/2026,AM,A1000");
  source.config.tables = {marks("marks.csv")};
  const auto sink = source.extract();
  CHECK(sink.abandoned.at("session_mark").what().find("it looks half-written") != std::string::npos);
  CHECK(sink.file("marks.csv").taken == 2);
}

TEST_CASE("values are mapped, blanks are nothing, and all others have a star") {
  Source source;
  source.folder.write("clubs.csv",
                      "Club,Name,Day,Type\nc1,Chess,2026-09-07,Lunch\nc2,Choir,07/09/2026,After\nc3,Run,,\n");
  TableMapping table;
  table.dataset = "activity";
  table.file = "clubs.csv";
  ColumnMapping kind = column("kind", "Type");
  kind.values = {{"Lunch", "CLUB"}, {"", "project"}, {"*", "performance"}};
  table.columns = {column("activity", "Club"),
                   column("title", "Name"),
                   constant("promise", "P06"),
                   kind,
                   dated("start", "Day", "YYYY-MM-DD|DD/MM/YYYY"),
                   constant("in_school_time", "yes")};
  source.config.tables = {table};
  const auto sink = source.extract();
  CHECK(sink.cell("activity", "activity:c1", "kind") == "club");
  CHECK(sink.cell("activity", "activity:c2", "kind") == "performance");
  CHECK(sink.cell("activity", "activity:c3", "kind") == "project");
  CHECK(sink.cell("activity", "activity:c2", "start") == "2026-09-07");
  CHECK(sink.cell("activity", "activity:c3", "start").empty());
  CHECK(sink.cell("activity", "activity:c1", "in_school_time") == "1");
  CHECK(sink.cell("activity", "activity:c1", "promise") == "P06");
}

TEST_CASE("one file may feed several datasets, each with its own account") {
  Source source;
  source.folder.write("pupils.csv",
                      "id,fore,sur,school,entry\n1,Ada,B,S1,2024-09-01\n2,Bo,C,S2,2025-09-01\n");
  TableMapping pupils;
  pupils.dataset = "pupil";
  pupils.file = "pupils.csv";
  pupils.columns = {column("pupil", "id"), column("Forename", "fore"), column("Surname", "sur")};
  pupils.where = {{"school", {"S1"}}};
  TableMapping enrolments;
  enrolments.dataset = "enrolment";
  enrolments.file = "pupils.csv";
  enrolments.columns = {column("pupil", "id"), column("EntryDate", "entry"), constant("EnrolStatus", "C")};
  source.config.tables = {pupils, enrolments};
  source.config.id_space = "mis";
  const auto sink = source.extract();
  CHECK(sink.count("pupil") == 1);
  CHECK(sink.count("enrolment") == 2);
  CHECK(sink.rows.at("enrolment")[0].cells[0] == "pupil:mis/1");
  CHECK(sink.file("pupils.csv (pupil)").ignored.at("its school is not among those to read") == 1);
  CHECK(sink.file("pupils.csv (enrolment)").taken == 2);
}

TEST_CASE("a member's kind says which ids its reference means") {
  Source source;
  source.folder.write("members.csv", "class,who,kind\nc1,7,pupil\nc1,7,staff\n");
  TableMapping table;
  table.dataset = "group_membership";
  table.file = "members.csv";
  table.columns = {column("group", "class"), column("member", "who"), constant("from", "2026-09-01"),
                   column("member_kind", "kind")};
  source.config.tables = {table};
  const auto sink = source.extract();
  CHECK(sink.rows.at("group_membership")[0].cells[1] == "pupil:7");
  CHECK(sink.rows.at("group_membership")[1].cells[1] == "staff:7");
}

TEST_CASE("windows-1252, tabs and zips are read as configured") {
  Source source;
  TableMapping pupils;
  pupils.dataset = "pupil";
  pupils.file = "PUPILS.TXT";
  pupils.delimiter = "tab";
  pupils.encoding = "windows-1252";
  pupils.columns = {column("pupil", "id"), column("Forename", "fore"), column("Surname", "sur")};
  source.config.tables = {pupils};
  source.config.path =
      source.folder.write("x.zip", make_zip({{"out/pupils.txt", "id\tfore\tsur\n1\tZo\xEB\tB\n"}})).string();
  CHECK(source.extract().cell("pupil", "pupil:1", "Forename") == "Zo\xC3\xAB");
  source.config.tables[0].encoding = "utf-8";
  const auto sink = source.extract();
  REQUIRE(sink.rejects.size() == 1);
  CHECK(sink.rejects[0].rule == "encoding");
  CHECK(sink.rejects[0].text.find("set encoding = \"windows-1252\" in its [[source.table]]") !=
        std::string::npos);
}

TEST_CASE("a mapping that cannot work is refused with its line before anything is read") {
  Source source;
  source.config.tables = {marks("marks.csv")};
  const TableMapping good = source.config.tables[0];
  const auto refuse = [&](auto change) {
    source.config.tables = {good};
    change(source.config.tables[0]);
    return source.refusal();
  };
  CHECK(refuse([](TableMapping& t) {
          t.dataset = "pupils";
        }).find("line 12 (pupils): there is no dataset 'pupils'") != std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.columns[0].field = "day"; }).find("session_mark has no field 'day'") !=
        std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.columns[0].format = "dd/mm"; }).find("'dd/mm' is not a date format") !=
        std::string::npos);
  CHECK(refuse([](TableMapping& t) {
          t.columns.erase(t.columns.begin());
        }).find("the key field 'date' is not mapped") != std::string::npos);
  CHECK(refuse([](TableMapping& t) {
          t.columns.push_back(t.columns[0]);
        }).find("field 'date' is mapped twice") != std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.columns[0].value = "x"; }).find("needs a column or a value") !=
        std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.columns[3].by = "UPN"; }).find("field 'code' is no reference") !=
        std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.mode = "delta"; }).find("mode is 'delta'") != std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.delimiter = ",,"; }).find("delimiter is ',,'") != std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.encoding = "utf-7"; }).find("encoding is 'utf-7'") !=
        std::string::npos);
  CHECK(refuse([](TableMapping& t) { t.file = "a/b.csv"; }).find("names a folder") != std::string::npos);
  CHECK(refuse([](TableMapping& t) {
          t.columns[4] = constant("minutes_late", "few");
        }).find("the constant is not a whole number") != std::string::npos);
  source.config.tables = {good, good};
  source.config.tables[1].mode = "append";
  CHECK(source.refusal().find("partly full and partly append") != std::string::npos);
  source.config.tables.clear();
  CHECK(source.refusal().find("there is no [[source.table]]") != std::string::npos);
}

TEST_CASE("a mapping that would say nothing, or the wrong thing of everybody, is refused") {
  Source source;
  source.config.tables = {marks("marks.csv")};
  source.config.tables[0].columns.erase(source.config.tables[0].columns.begin() + 3);  // code
  const std::string no_code = source.refusal();
  CHECK(no_code.find("[[source.table]] on line 12 (session_mark): the field 'code' is not mapped, and "
                     "without it every pupil would count as not registered") == 0);
  CHECK(no_code.find("Add code = ") != std::string::npos);
  TableMapping enrolment;
  enrolment.dataset = "enrolment";
  enrolment.file = "pupils.csv";
  enrolment.columns = {column("pupil", "id"), column("EntryDate", "entry")};
  enrolment.line = 7;
  source.config.tables = {enrolment};
  const std::string key_only = source.refusal();
  CHECK(key_only.find("line 7 (enrolment): only the key of enrolment is mapped") != std::string::npos);
  CHECK(key_only.find("Add at least one of EnrolStatus, LeavingDate") != std::string::npos);
  source.config.tables[0].columns.push_back(constant("EnrolStatus", "C"));
  const AdapterContext context = school_context("attendance");
  CHECK(make_adapter(source.config, context));
}

TEST_CASE("a key that is wrong or missing is told with its column") {
  Source source;
  source.folder.write(
      "marks.csv",
      "Date,Sess,UPN,Mark,Late\n23/11/2026,Noon,U1,/,\n23/11/2026,AM,,/,\n23/11/2026,AM,U1,/,\n");
  source.config.tables = {marks("marks.csv")};
  source.config.tables[0].columns[1].column = "Sess";
  const auto sink = source.extract();
  CHECK(sink.count("session_mark") == 1);
  REQUIRE(sink.rejects.size() == 2);
  CHECK(sink.rejects[0].text == "session (column 'Sess') is none of: AM, PM");
  CHECK(sink.rejects[0].rule == "type");
  CHECK(sink.rejects[1].text == "pupil (column 'UPN') is missing");
  CHECK(sink.rejects[1].rule == "required");
}

TEST_CASE("an unknown kind of source is refused with the kinds there are") {
  SourceConfig config;
  config.name = "x";
  config.kind = "onerooster";
  const AdapterContext context = school_context();
  auto adapter = make_adapter(config, context);
  REQUIRE_FALSE(adapter);
  CHECK(adapter.error().next() == "Kinds are oneroster-csv, csv, demo");
}

TEST_CASE("empty, header-only and one-line monsters: each is one sentence or no rows") {
  Source source;
  source.config.tables = {marks("marks.csv")};
  source.folder.write("marks.csv", "");
  CHECK(source.extract().abandoned.at("session_mark").what() ==
        "marks.csv is empty: it has not even a header");
  source.folder.write("marks.csv", "\xEF\xBB\xBF");
  CHECK(source.extract().abandoned.contains("session_mark"));
  source.folder.write("marks.csv", "Date,Session,UPN,Mark,Late\n");
  const auto header = source.extract();
  CHECK(header.ended.contains("session_mark"));
  CHECK(header.count("session_mark") == 0);
  source.folder.write("marks.csv", "Date,Session,UPN,Mark,Late\n" + std::string(10 << 20, 'x') + "\n");
  CHECK(source.extract().abandoned.at("session_mark").code() == Code::kTooLarge);
}
