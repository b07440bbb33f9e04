#include <catch2/catch.hpp>

#include "oneroster_school.hpp"

using namespace towpath;
using namespace towpath::testing;

TEST_CASE("a OneRoster 1.1 package becomes a school, its people, groups, memberships and enrolments") {
  OneRosterSchool school;
  const auto sink = school.extract();
  CHECK(sink.abandoned.empty());
  CHECK(sink.rejects.empty());
  for (const auto& [dataset, completeness] : sink.begun) CHECK(completeness == Completeness::kFull);
  CHECK(sink.rows.at("school")[0].cells[0] == "100001");
  CHECK(sink.cell("school", "100001", "name") == "Example School");
  CHECK(sink.cell("school", "100001", "laestab") == "2024567");
  CHECK(sink.cell("school", "100001", "la") == "202");

  REQUIRE(sink.count("pupil") == 2);
  CHECK(sink.rows.at("pupil")[0].cells == std::vector<std::string>{"pupil:u1", "A100000000001", "",
                                                                   "Lovelace", "Ada", "King", "", "",
                                                                   "2015-12-10", "F", "", "07", ""});
  CHECK(sink.cell("pupil", "pupil:u2", "DOB").empty());
  CHECK(sink.cell("pupil", "pupil:u2", "UPN") == "B200000000002");  // from userIds
  CHECK(sink.cell("pupil", "pupil:u2", "UniqueLearnerNumber") == "1234567890");
  REQUIRE(sink.count("staff") == 2);
  CHECK(sink.cell("staff", "staff:t1", "display_name") == "Grace Hopper");
  CHECK(sink.cell("staff", "staff:t2", "role") == "teaching assistant");

  REQUIRE(sink.count("group") == 2);
  CHECK(sink.cell("group", "group:c1", "kind") == "registration");
  CHECK(sink.cell("group", "group:c2", "kind") == "class");
  CHECK(sink.cell("group", "group:c2", "subject") == "Mathematics");
  CHECK(sink.cell("group", "group:c2", "academic_year") == "2026");
  CHECK(sink.cell("group", "group:c1", "NCyear") == "07");
  CHECK(sink.cell("group", "group:c2", "NCyear") == "M");

  REQUIRE(sink.count("group_membership") == 4);
  CHECK(sink.rows.at("group_membership")[0].cells ==
        std::vector<std::string>{"group:c1", "pupil:u1", "2026-09-01", "pupil", "2027-07-20", "member", ""});
  CHECK(sink.rows.at("group_membership")[2].cells ==
        std::vector<std::string>{"group:c2", "staff:t1", "2026-09-01", "staff", "", "teacher", "1"});

  REQUIRE(sink.count("enrolment") == 2);
  CHECK(sink.rows.at("enrolment")[0].cells ==
        std::vector<std::string>{"pupil:u1", "2026-09-01", "C", "", ""});

  CHECK(sink.file("users.csv").taken == 4);
  CHECK(sink.file("users.csv").ignored.at("it is a parent, guardian or other contact") == 1);
  CHECK(sink.file("demographics.csv").used == 1);
  CHECK(sink.file("demographics.csv").ignored.at("its user is not a pupil of this school") == 1);
  CHECK(sink.file("orgs.csv").ignored.at("it is not a school") == 1);
  CHECK_FALSE(sink.noticed("race columns"));
}

TEST_CASE("that race columns are not read is said where one of them says anything") {
  OneRosterSchool school;
  school.replace("demographics.csv", "female,,,", "female,false,FALSE,0");
  CHECK_FALSE(school.extract().noticed("race columns"));
  school.replace("demographics.csv", "female,false,FALSE,0", "female,false,true,0");
  CHECK(school.extract().noticed("race columns are those of the United States"));
}

TEST_CASE("a file that is here packed was meant to be read: what needs it is left, with what to do") {
  OneRosterSchool school;
  school.files["enrollments.csv.gz"] = "\x1f\x8b";
  school.files.erase("enrollments.csv");
  const auto listed = school.extract();
  CHECK(listed.abandoned.at("group_membership").next() == "Unpack enrollments.csv.gz");
  CHECK(listed.noticed("enrollments.csv.gz is packed and was not read"));
  CHECK(listed.ended.contains("pupil"));
  school.files.erase("manifest.csv");
  const auto inferred = school.extract();
  CHECK(inferred.abandoned.at("group_membership").sentence().find("enrollments.csv is only here packed") ==
        0);
  CHECK(inferred.abandoned.contains("enrolment"));
  CHECK(inferred.ended.contains("pupil"));
  school.files = {{"users.csv.gz", "\x1f\x8b"}};
  CHECK(school.refusal().next() == "Unpack users.csv.gz and the others beside it");
}

TEST_CASE("the sink is asked after every column that is read, also where the file has lost it") {
  const auto asked = [](const std::string& file, const std::string& column, const std::string& without) {
    OneRosterSchool school;
    auto& text = school.files.at(file);
    text.replace(text.find("," + without), without.size() + 1, ",x");
    const auto needed = school.extract().file(file).needed;
    return std::find(needed.begin(), needed.end(), column) != needed.end();
  };
  for (const char* column : {"grades", "role", "identifier", "middleName", "userIds", "orgSourcedIds"})
    CHECK(asked("users.csv", column, column));
  CHECK(asked("users.csv", "grade", "grades"));  // as it may have been called
  CHECK(asked("users.csv", "metadata.upn", "sms"));
  CHECK(asked("demographics.csv", "sex", "sex"));
  CHECK(asked("enrollments.csv", "beginDate", "beginDate"));
  CHECK(asked("classes.csv", "courseSourcedId", "courseSourcedId"));
  CHECK_FALSE(asked("users.csv", "email", "email"));  // not read: may go
}

TEST_CASE("a first line of a package that is data is not repeated in a message") {
  OneRosterSchool school;
  auto& users = school.files.at("users.csv");
  users.erase(0, users.find('\n') + 1);
  const auto sink = school.extract();
  const std::string said = sink.abandoned.at("pupil").sentence();
  CHECK(said.find("its first line may be data") != std::string::npos);
  CHECK(said.find("Lovelace") == std::string::npos);
}

TEST_CASE("the same package as a zip gives the same rows") {
  OneRosterSchool school;
  const auto folder = school.extract();
  school.as_zip();
  const auto zip = school.extract();
  CHECK(zip.rows == folder.rows);
}

TEST_CASE("a package of several schools is refused with the list, and read with org") {
  OneRosterSchool school;
  school.files["orgs.csv"] += "o2,,,Other School,SCHOOL,,d\n";
  school.files["users.csv"] += "u9,,,true,o2,student,x,,Else,Where,,,,,,,7,\n";
  school.files["classes.csv"] += "c9,,,Theirs,,k1,,scheduled,,o2,t1,,,\n";
  school.files["enrollments.csv"] += "e9,,,c9,o2,u9,student,,,\n";
  const Error choice = school.refusal();
  CHECK(choice.code() == Code::kChoice);
  CHECK(choice.what().find("\n  o1  Emerald Primary\n  o2  Other School") != std::string::npos);
  CHECK(choice.next() == "Set org = \"...\" in the [[source]] to one of these");
  school.config.org = "o1";
  const auto sink = school.extract();
  CHECK(sink.count("pupil") == 2);
  CHECK(sink.file("users.csv").ignored.at("it belongs to another school") == 1);
  CHECK(sink.file("classes.csv").ignored.at("it belongs to another school") == 1);
  CHECK(sink.file("enrollments.csv").ignored.at("it belongs to another school") == 1);
  CHECK(sink.file("orgs.csv").ignored.at("it is another school") == 1);
  school.config.org = "o7";
  CHECK(school.refusal().what().find("there is no org 'o7' in the package") == 0);
}

TEST_CASE("OneRoster 1.2 keeps roles in a file of their own") {
  OneRosterSchool school;
  school.version_1_2();
  const auto sink = school.extract();
  CHECK(sink.rejects.empty());
  CHECK(sink.count("pupil") == 2);
  CHECK(sink.count("staff") == 2);
  CHECK(sink.cell("pupil", "pupil:u1", "PreferredForename") == "Addy");
  CHECK(sink.cell("pupil", "pupil:u1", "UPN") == "A100000000001");
  // The role's dates are the pupil's at this school: better than the classes'.
  CHECK(sink.rows.at("enrolment")[0].cells[1] == "2023-09-04");
  CHECK(sink.cell("staff", "staff:t1", "role") == "head teacher");
  CHECK(sink.file("roles.csv").used == 5);
  CHECK(sink.file("users.csv").ignored.at("it is a parent, guardian or other contact") == 1);
}

TEST_CASE(
    "a user without a role at our school is ignored, and one whose role cannot be read is kept out of harm") {
  OneRosterSchool school;
  school.version_1_2();
  school.files["users.csv"] += "u7,,,true,x,,No,Role,,,,,,,7,,,,\nu8,,,true,x,,Bad,Role,,,,,,,7,,,,\n";
  school.files["roles.csv"] += "r7,,,u7,primary,student,,,o9,\nr8,,,u8,primary,wizard,,,o1,\n";
  school.files["orgs.csv"] += "o9,,,Elsewhere,department,,d\n";
  const auto sink = school.extract();
  CHECK(sink.file("users.csv").ignored.at("it belongs to another school") == 1);
  REQUIRE(sink.rejects.size() >= 2);
  CHECK(sink.rejects[0].text == "role is not one that OneRoster knows");
  CHECK(sink.rejects[1].text == "roles.csv holds a record of this user that could not be taken");
  // Who may be a pupil is not taken as gone.
  CHECK(sink.begun.at("enrolment") == Completeness::kDelta);
}

TEST_CASE("disabled users are still pupils: the flag is about signing in") {
  OneRosterSchool school;
  school.replace("users.csv", "u1,,,true", "u1,,,false");
  CHECK(school.extract().count("pupil") == 2);
}

TEST_CASE("draft and foreign column names are understood, and said") {
  OneRosterSchool school;
  school.replace("users.csv", "userIds", "userId");
  school.replace("users.csv", ",grades,", ",grade,");
  school.replace("demographics.csv", "sourcedId,status,dateLastModified,birthDate",
                 "userSourcedId,status,dateLastModified,birthdate");
  school.replace("classes.csv", "termSourcedIds", "terms");
  const auto sink = school.extract();
  CHECK(sink.count("pupil") == 2);
  CHECK(sink.cell("pupil", "pupil:u1", "DOB") == "2015-12-10");
  CHECK(sink.cell("group", "group:c2", "academic_year") == "2026");
  CHECK(sink.noticed("users.csv: column 'grade' is read as 'grades'"));
  CHECK(sink.noticed("demographics.csv: column 'userSourcedId' is read as 'sourcedId'"));
  CHECK(sink.noticed("demographics.csv: column 'birthdate' is read as 'birthDate'"));
  CHECK(sink.noticed("classes.csv: column 'terms' is read as 'termSourcedIds'"));
}

TEST_CASE("metadata columns pass, unknown columns are said, a UPN in metadata is found") {
  OneRosterSchool school;
  school.replace("users.csv", "grades,password\n", "grades,password,metadata.uk.UPN,ext_x,wombat\n");
  school.replace("users.csv", ",07,secret\n", ",07,secret,C300000000003,,\n");
  school.replace("users.csv", ",08,\n", ",08,,,,\n");
  school.replace("users.csv", "t1@x,,,,,\n", "t1@x,,,,,,,,\n");
  school.replace("users.csv", "t2@x,,,,,\n", "t2@x,,,,,,,,\n");
  school.replace("users.csv", "p1@x,,,,,\n", "p1@x,,,,,,,,\n");
  const auto sink = school.extract();
  CHECK(sink.rejects.empty());
  CHECK(sink.noticed("users.csv: column 'wombat' is not known and was not read"));
  CHECK_FALSE(sink.noticed("ext_x"));
  CHECK(sink.cell("pupil", "pupil:u1", "UPN") == "C300000000003");
}

TEST_CASE("enumerations and truth come in any case, dates with a time") {
  OneRosterSchool school;
  school.replace("users.csv", ",student,", ",STUDENT,");
  school.replace("enrollments.csv", ",student,", ",Student,");
  school.replace("enrollments.csv", ",teacher,true,", ",Teacher,TRUE,");
  school.replace("classes.csv", "homeroom", "HomeRoom");
  school.replace("demographics.csv", "2015-12-10,female", "2015-12-10T00:00:00.000Z,Female");
  school.replace("academicSessions.csv", "2026-09-01", "2026-09-01 00:00:00");
  const auto sink = school.extract();
  CHECK(sink.rejects.empty());
  CHECK(sink.count("pupil") == 2);
  CHECK(sink.cell("pupil", "pupil:u1", "DOB") == "2015-12-10");
  CHECK(sink.cell("pupil", "pupil:u1", "Sex") == "F");
  CHECK(sink.cell("group", "group:c1", "kind") == "registration");
}

TEST_CASE("bulk files with status are tolerated; tobedeleted rows are gone") {
  OneRosterSchool school;
  school.replace("users.csv", "u2,,,", "u2,tobedeleted,2026-09-01T08:00:00.000Z,");
  school.replace("users.csv", "u1,,,", "u1,active,2026-09-01T08:00:00.000Z,");
  const auto sink = school.extract();
  CHECK(sink.count("pupil") == 1);
  CHECK(sink.file("users.csv").ignored.at("its status is tobedeleted") == 1);
  CHECK(sink.begun.at("pupil") == Completeness::kFull);
  CHECK(sink.file("enrollments.csv").ignored.at("its user is not read") == 1);
}

TEST_CASE("a missing manifest is inferred and said; an obeyed one leaves files out") {
  OneRosterSchool school;
  const auto with = school.extract();
  school.files.erase("manifest.csv");
  const auto without = school.extract();
  CHECK(without.noticed("manifest.csv is missing: every file is read as complete (bulk)"));
  CHECK(without.rows == with.rows);
  school.files["manifest.csv"] = OneRosterSchool::manifest("bulk");
  school.replace("manifest.csv", "file.demographics,bulk", "file.demographics,absent");
  const auto left = school.extract();
  CHECK(left.file("demographics.csv").ignored.at("manifest.csv says that this file is absent") == 2);
  CHECK(left.cell("pupil", "pupil:u1", "DOB").empty());
}

TEST_CASE("a package with nothing but its manifest changes nothing") {
  OneRosterSchool school;
  school.files = {{"manifest.csv", OneRosterSchool::manifest("absent")}};
  const auto sink = school.extract();
  CHECK(sink.begun.empty());
  CHECK(sink.abandoned.empty());
  CHECK(sink.noticed("nothing has changed"));
}

TEST_CASE("a folder without any OneRoster file is refused") {
  OneRosterSchool school;
  school.files = {{"readme.txt", "hello"}};
  CHECK(school.refusal().what().find("there is no OneRoster file in this folder") == 0);
  school.files["roster.zip"] = "PK";
  CHECK(school.refusal().next() == "Give roster.zip itself as the path");
}

TEST_CASE("a file that the manifest promises and the package lacks costs what is built on it, and no more") {
  OneRosterSchool school;
  school.files.erase("courses.csv");
  const auto sink = school.extract();
  CHECK(sink.abandoned.at("group").what() ==
        "courses.csv is missing, though manifest.csv says that it is bulk");
  CHECK(sink.abandoned.contains("group_membership"));
  CHECK(sink.abandoned.contains("enrolment"));
  CHECK(sink.ended.contains("pupil"));
  CHECK(sink.ended.contains("staff"));
  CHECK(sink.ended.contains("school"));
}

TEST_CASE("a half-written file abandons its datasets whichever reading finds it") {
  for (const char* name : {"orgs.csv", "academicSessions.csv", "courses.csv", "classes.csv", "users.csv",
                           "demographics.csv", "enrollments.csv"}) {
    INFO(name);
    OneRosterSchool school;
    school.files[name] += "\"cut";
    const auto sink = school.extract();
    CHECK_FALSE(sink.abandoned.empty());
    const std::map<std::string, std::string> first{{"orgs.csv", "school"},
                                                   {"academicSessions.csv", "group"},
                                                   {"courses.csv", "group"},
                                                   {"classes.csv", "group"},
                                                   {"users.csv", "pupil"},
                                                   {"demographics.csv", "pupil"},
                                                   {"enrollments.csv", "group_membership"}};
    REQUIRE(sink.abandoned.contains(first.at(name)));
    CHECK(sink.abandoned.at(first.at(name)).what().find(std::string(name) + " ends inside a quoted cell") ==
          0);
    CHECK_FALSE(sink.ended.contains(first.at(name)));
  }
}

TEST_CASE("a damaged manifest refuses the package") {
  OneRosterSchool school;
  school.files["manifest.csv"] += "file.users,sometimes\n";
  CHECK(school.refusal().what().find("file.users is neither absent nor bulk nor delta") != std::string::npos);
  school.files["manifest.csv"] = "a,b\n1,2\n";
  CHECK(school.refusal().what() == "manifest.csv has no columns propertyName and value");
}

TEST_CASE("ragged, empty and impossible records go to quarantine with file, line and reason") {
  OneRosterSchool school;
  school.files["users.csv"] +=
      "u5,ragged\n,,,true,o1,student,x,,No,Id,,,,,,,7,\nu6,,,true,o1,wizard,x,,Who,Knows,,,,,,,7,\n";
  school.files["demographics.csv"] += "u2,,,31/12/2015,male,,,,,,,,,,,\n";
  school.files["enrollments.csv"] +=
      "e5,,,c1,o1,u1,student,,soon,\ne6,,,c7,o1,u1,student,,,\ne7,,,c1,o1,u77,student,,,\ne8,,,c1,o1,u1,"
      "ghost,,,\n";
  const auto sink = school.extract();
  const auto reject = [&](const std::string& file, std::uint64_t line) {
    for (const SeenReject& r : sink.rejects)
      if (r.file == file && r.line == line && r.counted) return r.rule + ": " + r.text;
    return std::string("none");
  };
  CHECK(reject("users.csv", 7) == "ragged: the record has 2 columns where the header has 18");
  CHECK(reject("users.csv", 8) == "required: sourcedId is empty");
  CHECK(reject("users.csv", 9) == "type: role is not one that OneRoster knows");
  CHECK(reject("users.csv", 3) ==
        "demographics: demographics.csv line 4: birthDate is not a date (expected YYYY-MM-DD)");
  CHECK(reject("enrollments.csv", 6) == "type: beginDate is not a date (expected YYYY-MM-DD)");
  CHECK(reject("enrollments.csv", 7) == "reference: it names a class that classes.csv does not hold");
  CHECK(reject("enrollments.csv", 9) == "type: role is not one that OneRoster knows");
  // users.csv has holes: whether u77 exists is then for the store to say.
  CHECK(reject("enrollments.csv", 8) == "none");
  for (const SeenReject& r : sink.rejects) CHECK(r.raw.find("secret") == std::string::npos);
}

TEST_CASE("an unreadable demographic record does not empty its pupil's birth date") {
  OneRosterSchool school;
  school.replace("demographics.csv", "u1,,,2015-12-10,female,,,,,,,,,,,\n", "u1,,,2015-12-10\n");
  const auto sink = school.extract();
  CHECK(sink.count("pupil") == 1);
  bool said = false;
  for (const SeenReject& r : sink.rejects)
    said = said || (r.file == "users.csv" && r.text == "demographics.csv line 2: the record cannot be read");
  CHECK(said);
}

TEST_CASE("demographics cut down to their header do not empty every birth date") {
  OneRosterSchool school;
  for (int i = 0; i < 20; ++i)
    school.files["users.csv"] += "x" + std::to_string(i) + ",,,true,o1,student,x,,Some,Pupil,,,,,,,7,\n";
  school.files["demographics.csv"].resize(school.files["demographics.csv"].find('\n') + 1);
  const auto sink = school.extract();
  CHECK(sink.abandoned.at("pupil").what() ==
        "demographics.csv lists nobody, but users.csv has 22 pupils: it looks cut short");
}

TEST_CASE("one sourcedId on several lines with several meanings never breaks the account") {
  const std::string student = "z,,,true,o1,student,z,,Zed,Zed,,,,,,,7,\n",
                    teacher = "z,,,true,o1,teacher,z,,Zed,Zed,,,,,,,,\n",
                    elsewhere = "z,,,true,o9,teacher,z,,Zed,Zed,,,,,,,,\n",
                    parent = "z,,,true,o1,parent,z,,Zed,Zed,,,,,,,,\n",
                    strange = "z,,,true,o1,wizard,z,,Zed,Zed,,,,,,,,\n",
                    deleted = "z,tobedeleted,,true,o1,teacher,z,,Zed,Zed,,,,,,,,\n", ragged = "z,,\n";
  const std::string lines[] = {student, teacher, elsewhere, parent, strange, deleted, ragged};
  for (const std::string& first : lines)
    for (const std::string& second : lines)
      for (const std::string& third : lines)
        for (const char* mode : {"bulk", "delta"}) {
          OneRosterSchool school;
          school.files["manifest.csv"] = OneRosterSchool::manifest(mode);
          school.files["users.csv"] += first + second + third;
          const auto sink = school.extract();  // checks the sums
          CHECK(sink.file("users.csv").records == 8);
        }
}

TEST_CASE("leaving is read from classes left early, never from classes that end") {
  OneRosterSchool school;
  school.files["enrollments.csv"] =
      "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,"
      "endDate\n"
      "e1,,,c1,o1,u1,student,,2026-09-01,2026-11-06\n"
      "e2,,,c2,o1,u1,student,,2026-09-08,2026-10-30\n"
      "e3,,,c1,o1,u2,student,,2026-09-01,2026-11-06\n"
      "e4,,,c2,o1,u2,student,,,2027-07-20\n";
  const auto sink = school.extract();
  CHECK(sink.rows.at("enrolment")[0].cells ==
        std::vector<std::string>{"pupil:u1", "2026-09-01", "C", "", "2026-11-06"});
  CHECK(sink.rows.at("enrolment")[1].cells ==
        std::vector<std::string>{"pupil:u2", "2026-09-01", "C", "", ""});
}

TEST_CASE("a change in one file changes the rows made of it, and only those") {
  OneRosterSchool school;
  const auto first = school.extract();
  const auto again = school.extract(&first);
  for (const auto& [dataset, rows] : again.rows) CHECK(rows.empty());
  CHECK(again.kept.at("pupil") == 2);

  school.replace("demographics.csv", "2015-12-10", "2015-12-11");
  const auto born = school.extract(&first);
  REQUIRE(born.count("pupil") == 1);
  CHECK(born.cell("pupil", "pupil:u1", "DOB") == "2015-12-11");
  CHECK(born.count("staff") + born.count("group") + born.count("group_membership") +
            born.count("enrolment") ==
        0);

  school.replace("courses.csv", "Mathematics", "Maths");
  const auto course = school.extract(&first);
  CHECK(course.count("group") == 1);
  school.replace("academicSessions.csv", "2026-09-01", "2026-09-02");
  const auto session = school.extract(&first);
  CHECK(session.count("group") == 2);
  CHECK(session.count("group_membership") == 1);  // the one that has no dates of its own
}

TEST_CASE("a column that was there yesterday costs its file's datasets") {
  OneRosterSchool school;
  RecordingSink sink;
  sink.fail_open = "users.csv";
  school.extract_into(sink);
  CHECK(sink.abandoned.at("pupil").code() == Code::kSourceChanged);
  CHECK(sink.abandoned.contains("staff"));
  CHECK(sink.abandoned.contains("group_membership"));
  CHECK(sink.ended.contains("group"));
}

TEST_CASE("files of no use and files unknown are counted or said, not read") {
  OneRosterSchool school;
  school.files["results.csv"] = "sourcedId,score\nr1,3\nr2,4\n";
  school.files["timetable.csv"] = "a\n1\n";
  school.files["notes.docx"] = "PK";
  const auto sink = school.extract();
  CHECK(sink.file("results.csv").ignored.at("marks and gradebooks are not read") == 2);
  CHECK(sink.file("timetable.csv").ignored_in_all() == 1);
  CHECK(sink.noticed("timetable.csv is not a OneRoster file"));
  CHECK(sink.noticed("notes.docx is not a CSV file"));
}
