#include <catch2/catch.hpp>

#include "oneroster_school.hpp"

using namespace towpath;
using namespace towpath::testing;

namespace {

// The same school, sending changes: status and dateLastModified in every row.
struct Changes : OneRosterSchool {
  Changes() {
    files["manifest.csv"] = manifest("delta");
    for (auto& [name, text] : files) {
      if (name == "manifest.csv") continue;
      std::size_t at = 0;
      while ((at = text.find(",,,", at)) != std::string::npos) {
        // The first ",,," of each line is id, status, dateLastModified.
        text.replace(at, 3, ",active,2026-11-22T03:04:05.006Z,");
        at = text.find('\n', at);
        if (at == std::string::npos) break;
      }
    }
  }
  std::string header(const std::string& file) const {
    const std::string& text = files.at(file);
    return text.substr(0, text.find('\n') + 1);
  }
};

constexpr const char* kGone = "tobedeleted,2026-11-22T03:04:05.006Z";

}  // namespace

TEST_CASE("a delta package gives changes, and nothing missing from it is gone") {
  Changes school;
  const auto sink = school.extract();
  CHECK(sink.rejects.empty());
  for (const auto& [dataset, completeness] : sink.begun) {
    INFO(dataset);
    CHECK(completeness == Completeness::kDelta);
  }
  CHECK(sink.count("pupil") == 1);  // u2 has no demographics in this package
  CHECK(sink.count("staff") == 2);
  CHECK(sink.count("group") == 2);
  CHECK(sink.count("group_membership") == 4);
  CHECK_FALSE(sink.begun.contains("enrolment"));
  CHECK(sink.noticed("entry and leaving dates come from complete (bulk) users and enrollments only"));
}

TEST_CASE("a changed pupil without its demographics is left as it was, and counted") {
  Changes school;
  const auto sink = school.extract();
  CHECK(sink.file("users.csv").ignored.at("its demographics are not in this delta package") == 1);
  CHECK(sink.noticed("pupils whose demographics are not in this delta package were left as they are"));
  // Where the package never has demographics there is nothing to lose.
  school.files.erase("demographics.csv");
  school.replace("manifest.csv", "file.demographics,delta", "file.demographics,absent");
  CHECK(school.extract().count("pupil") == 2);
}

TEST_CASE("tobedeleted removes by key: pupils, staff, groups, memberships") {
  Changes school;
  const std::string active = "active,2026-11-22T03:04:05.006Z";
  school.files["users.csv"] = school.header("users.csv") + "u1," + kGone +
                              ",true,o1,student,ada,,Ada,Lovelace,,,,,,,07,\nt1," + kGone +
                              ",true,o1,teacher,gh,,Grace,Hopper,,,,,,,,\n";
  school.files["classes.csv"] =
      school.header("classes.csv") + "c2," + kGone + ",7x,,k2,,scheduled,,o1,t1,,,\n";
  school.files["enrollments.csv"] = school.header("enrollments.csv") + "e1," + kGone +
                                    ",c1,o1,u1,student,,2026-09-01,2027-07-20\n" + "e3," + kGone +
                                    ",c2,o1,t1,teacher,true,,\n";
  const auto sink = school.extract();
  using Keys = std::vector<std::vector<std::string>>;
  CHECK(sink.removed.at("pupil") == Keys{{"pupil:u1"}});
  CHECK(sink.removed.at("staff") == Keys{{"staff:t1"}});
  CHECK(sink.removed.at("group") == Keys{{"group:c2"}});
  CHECK(sink.removed.at("group_membership").front() ==
        std::vector<std::string>{"group:c1", "pupil:u1", "2026-09-01"});
}

TEST_CASE("a delta of one file alone is applied as far as it says enough") {
  Changes school;
  for (const char* file :
       {"users.csv", "demographics.csv", "classes.csv", "courses.csv", "academicSessions.csv", "orgs.csv"})
    school.files.erase(file);
  school.files["manifest.csv"] =
      "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.enrollments,delta\nfile.users,"
      "absent\n";
  school.config.org = "o1";
  const auto sink = school.extract();
  // The user's kind comes from the record's role; the one without a begin date needs its class.
  CHECK(sink.count("group_membership") == 3);
  CHECK(sink.file("enrollments.csv")
            .ignored.at("its class, which has its dates, is not in this delta package") == 1);
  CHECK(sink.begun.size() == 1);
}

TEST_CASE("demographics alone change nothing: whose they are is not in the package") {
  Changes school;
  const std::string demographics = school.files.at("demographics.csv");
  school.files = {{"manifest.csv", "propertyName,value\nfile.demographics,delta\n"},
                  {"demographics.csv", demographics}};
  const auto sink = school.extract();
  CHECK(sink.begun.empty());
  CHECK(sink.file("demographics.csv").ignored_in_all() == 2);
}

TEST_CASE("a class whose course or term is not in the delta is left as it was") {
  Changes school;
  school.files["courses.csv"] = school.header("courses.csv");
  const auto without_course = school.extract();
  CHECK(without_course.file("classes.csv").ignored.at("its course is not in this delta package") == 2);
  CHECK(without_course.count("group") == 0);
  Changes other;
  other.files["academicSessions.csv"] = other.header("academicSessions.csv");
  CHECK(other.extract().file("classes.csv").ignored.at("its term is not in this delta package") == 2);
}

TEST_CASE("complete users with changed roles or demographics only are refused, the rest is read") {
  Changes school;
  school.replace("manifest.csv", "file.users,delta", "file.users,bulk");
  const auto sink = school.extract();
  CHECK(sink.abandoned.at("pupil").what() ==
        "users.csv is bulk, but demographics.csv is delta: the rest of each user is not in the package");
  CHECK(sink.abandoned.contains("staff"));
  CHECK(sink.ended.contains("group"));
}

TEST_CASE("changes to roles of users who are not in the package wait for a complete one") {
  Changes school;
  school.version_1_2();
  school.files["manifest.csv"] = OneRosterSchool::manifest("delta", "1.2");
  const std::string roles = school.files.at("roles.csv");
  school.files["roles.csv"] = roles.substr(0, roles.find('\n') + 1);
  const auto sink = school.extract();
  CHECK(sink.file("users.csv").ignored.at("its role is not in this delta package") == 5);
  CHECK(sink.count("pupil") == 0);
}

TEST_CASE("a deleted user whose role is not in the delta is removed as either kind") {
  Changes school;
  school.version_1_2();
  school.files["manifest.csv"] = OneRosterSchool::manifest("delta", "1.2");
  const std::string roles = school.files.at("roles.csv");
  school.files["roles.csv"] = roles.substr(0, roles.find('\n') + 1);
  school.replace("users.csv", "u1,,,", std::string("u1,") + kGone + ",");
  const auto sink = school.extract();
  CHECK(sink.removed.at("pupil").size() == 1);
  CHECK(sink.removed.at("staff").size() == 1);
  CHECK(sink.file("users.csv").removed == 1);  // one record, counted once
}
