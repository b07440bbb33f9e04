// A small school's OneRoster package, to be spoilt by tests.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "fixtures.hpp"
#include "recording_sink.hpp"

namespace towpath::testing {

struct OneRosterSchool {
  std::map<std::string, std::string> files;
  SourceConfig config;
  bool zip = false;

  static std::string manifest(const std::string& mode, const std::string& version = "1.1") {
    std::string out = "propertyName,value\nmanifest.version,1.0\noneroster.version," + version + "\n";
    for (const char* file :
         {"academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users"})
      out += std::string("file.") + file + "," + mode + "\n";
    if (version == "1.2") out += "file.roles," + mode + "\n";
    return out + "file.results,absent\n";
  }

  OneRosterSchool() {
    config.name = "mis";
    config.kind = "oneroster-csv";
    files["manifest.csv"] = manifest("bulk");
    files["orgs.csv"] =
        "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n"
        "d,,,The Borough,district,,\no1,,,Emerald Primary,school,202/4567,d\n";
    files["academicSessions.csv"] =
        "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\n"
        "y1,,,2026-2027,schoolYear,2026-09-01,2027-07-20,,2026-2027\n"
        "t1,,,Year,term,2026-09-01,2027-07-20,y1,2027\n";
    files["courses.csv"] =
        "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
        "subjectCodes\n"
        "k1,,,y1,Form,F,,o1,,\nk2,,,y1,Sets,M,,o1,Mathematics,\n";
    files["classes.csv"] =
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
        "schoolSourcedId,"
        "termSourcedIds,subjects,subjectCodes,periods\n"
        "c1,,,7B,07,k1,7B,homeroom,,o1,t1,,,\nc2,,,7x/Ma2,\"07,08\",k2,,scheduled,,o1,\"t1\",,,\n";
    files["users.csv"] =
        "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,"
        "familyName,middleName,"
        "identifier,email,sms,phone,agentSourcedIds,grades,password\n"
        "u1,,,true,\"d,o1\",student,ada,,Ada,Lovelace,King,A100000000001,,,,,07,secret\n"
        "u2,,,true,o1,student,bo,\"{sis:7},{UPN:B200000000002},{ULN:1234567890}\",Bo,Bell,,bo.bell,,,,,08,\n"
        "t1,,,true,o1,teacher,gh,,Grace,Hopper,,,t1@x,,,,,\n"
        "t2,,,true,o1,aide,xx,,Alan,Aide,,,t2@x,,,,,\n"
        "p1,,,true,o1,parent,pp,,Pat,Parent,,,p1@x,,,,,\n";
    files["demographics.csv"] =
        "sourcedId,status,dateLastModified,birthDate,sex,americanIndianOrAlaskaNative,asian,"
        "blackOrAfricanAmerican,"
        "nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,"
        "countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus\n"
        "u1,,,2015-12-10,female,,,,,,,,,,,\nt1,,,,female,,,,,,,,,,,\n";
    files["enrollments.csv"] =
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
        "beginDate,endDate\n"
        "e1,,,c1,o1,u1,student,,2026-09-01,2027-07-20\n"
        "e2,,,c1,o1,u2,student,,2026-09-01,2027-07-20\n"
        "e3,,,c2,o1,t1,teacher,true,,\n"
        "e4,,,c2,o1,t2,aide,,2026-09-01,\n";
  }

  // As OneRoster 1.2 splits it.
  void version_1_2() {
    files["manifest.csv"] = manifest("bulk", "1.2");
    files["users.csv"] =
        "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
        "identifier,email,"
        "sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,"
        "preferredFamilyName\n"
        "u1,,,true,ada,,Ada,Lovelace,,,,,,,07,,A100000000001,Addy,\n"
        "u2,,,true,bo,,Bo,Bell,,,,,,,08,,,,\n"
        "t1,,,true,gh,,Grace,Hopper,,,,,,,,,,,\n"
        "t2,,,true,aa,,Alan,Aide,,,,,,,,,,,\n"
        "p1,,,true,pp,,Pat,Parent,,,,,,,,,,,\n";
    files["roles.csv"] =
        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
        "userProfileSourcedId\n"
        "r1,,,u1,primary,student,2023-09-04,,o1,\nr2,,,u2,primary,student,,,o1,\n"
        "r3,,,t1,primary,principal,,,o1,\nr4,,,t1,secondary,parent,,,o1,\nr5,,,t2,primary,aide,,,o1,\n"
        "r6,,,p1,primary,guardian,,,o1,\n";
  }

  void replace(const std::string& file, const std::string& from, const std::string& to) {
    std::string& text = files.at(file);
    REQUIRE(text.find(from) != std::string::npos);
    std::size_t at = 0;
    while ((at = text.find(from, at)) != std::string::npos) {
      text.replace(at, from.size(), to);
      at += to.size();
    }
  }
  void as_zip() { zip = true; }

  [[nodiscard]] Result<void> run(RowSink& sink) {
    TempFolder folder;
    config.path = folder.path().string();
    std::vector<ZipEntry> entries;
    for (const auto& [name, text] : files) {
      if (zip)
        entries.push_back({name, text});
      else
        folder.write(name, text);
    }
    if (zip) config.path = folder.write("package.zip", make_zip(entries)).string();
    const std::string before = folder.state();
    const AdapterContext context = school_context();
    auto adapter = make_adapter(config, context);
    REQUIRE(adapter);
    auto done = (*adapter)->extract(sink);
    CHECK(folder.state() == before);  // adapters only read
    return done;
  }
  void extract_into(RecordingSink& sink) {
    auto done = run(sink);
    INFO((done ? "" : done.error().sentence()));
    REQUIRE(done);
    sink.check_accounts();
  }
  RecordingSink extract(const RecordingSink* earlier = nullptr) {
    RecordingSink sink;
    if (earlier != nullptr) sink.remember(*earlier);
    extract_into(sink);
    return sink;
  }
  Error refusal() {
    RecordingSink sink;
    auto done = run(sink);
    REQUIRE_FALSE(done);
    CHECK(sink.ended.empty());
    return std::move(done).error();
  }
};

}  // namespace towpath::testing
