// The agent alone: its verbs, exit codes and words, on real files.
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "platform/platform.hpp"
#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

using Catch::Contains;

// A source of pupils and marks in two files, with a name that must never be seen in what is said.
constexpr const char* kTelling = "Zzyzxelwood";
const std::string kFiles =
    "[[source]]\nname = \"files\"\nkind = \"csv\"\npath = \"exports\"\n"
    "[[source.table]]\ndataset = \"pupil\"\nfile = \"pupils.csv\"\n[source.table.columns]\n"
    "pupil = \"Id\"\nSurname = \"Last\"\nForename = \"First\"\nDOB = { column = \"Born\", format = "
    "\"DD/MM/YYYY\" }\n"
    "[[source.table]]\ndataset = \"session_mark\"\nfile = \"marks.csv\"\n[source.table.columns]\n"
    "date = \"Date\"\nsession = \"Session\"\npupil = \"Pupil\"\ncode = \"Mark\"\n";

void write_pupils(const Folder& folder, int n, const std::string& extra = "") {
  std::string text = "Id,Last,First,Born\r\n";
  for (int i = 0; i < n; ++i) text += "p" + std::to_string(i) + "," + kTelling + ",Ada,01/09/2015\r\n";
  folder.write("exports/pupils.csv", text + extra);
}
void write_marks(const Folder& folder, int n) {
  std::string text = "Date,Session,Pupil,Mark\r\n";
  for (int i = 0; i < n; ++i) text += "2026-11-16,AM,p" + std::to_string(i) + ",/\r\n";
  folder.write("exports/marks.csv", text);
}

struct Files {
  explicit Files(const std::string& hub = "") : agent(folder) {
    write_pupils(folder, 50);
    write_marks(folder, 50);
    agent.configure(Agent::head(hub) + kFiles);
  }
  Folder folder;
  Agent agent;
};

TEST_CASE("files become rows, every record is accounted for, and the same files change nothing") {
  Files at;
  const Json first = at.agent.json({"extract"});
  CHECK(count(first, "pupil", "added") == 50);
  CHECK(count(first, "session_mark", "added") == 50);
  for (const Json& file : first["sources"][0]["files"]) {
    std::uint64_t ignored = 0;
    for (const auto& [reason, n] : file["ignored"].items()) ignored += n.get<std::uint64_t>();
    CHECK(file["taken"].get<std::uint64_t>() + file["quarantined"].get<std::uint64_t>() + ignored ==
          file["rows"]);
  }
  const Json again = at.agent.json({"extract"});
  CHECK(count(again, "pupil", "read") == 50);
  for (const char* what : {"added", "changed", "removed", "quarantined"}) {
    CHECK(count(again, "pupil", what) == 0);
    CHECK(count(again, "session_mark", what) == 0);
  }
}

TEST_CASE("the data folder and all in it are their owner's only") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const auto others = fs::perms::group_all | fs::perms::others_all;
  CHECK((fs::status(at.folder / "data").permissions() & others) == fs::perms::none);
  for (const auto& entry : fs::recursive_directory_iterator(at.folder / "data"))
    CHECK((entry.status().permissions() & others) == fs::perms::none);
}

TEST_CASE("a store that a stopped first extract left empty is no trouble; another school's is not shown") {
  Files at;
  fs::create_directory(at.folder / "data");
  std::ofstream(at.folder / "data/school.db").close();
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 4);
  CHECK_THAT(status.out + status.err, !Contains("SELECT"));
  CHECK_THAT(at.agent.call({"quarantine", "list"}).err, Contains("Run towpath extract"));
  REQUIRE(at.agent.call({"extract"}).code == 0);
  std::string text = Agent::head("") + kFiles;
  text.replace(text.find("100001"), 6, "100002");
  at.agent.configure(text);
  for (const char* verb : {"status", "extract"}) {
    const Ended ended = at.agent.call({verb});
    CHECK(ended.code == 78);
    CHECK_THAT(ended.err, Contains("holds the data of school 100001"));
  }
}

TEST_CASE("a wrong configuration ends with 78, says file and line, and starts nothing") {
  Files at;
  at.agent.configure("[school]\nurn = 100001\nnmae = \"X\"\nname = \"X\"\n" + kFiles);
  for (const char* verb : {"extract", "sync", "status", "verify"}) {
    const Ended ended = at.agent.call({verb});
    CHECK(ended.code == 78);
    CHECK_THAT(ended.err, Contains(at.folder / "towpath.toml:3: unknown key 'nmae'") &&
                              Contains("Did you mean 'name'?"));
    CHECK(ended.out.empty());
  }
  const Json document = at.agent.json({"config", "check"}, 78);
  CHECK(document["valid"] == false);
  CHECK(document["problems"][0]["line"] == 3);
  CHECK_FALSE(fs::exists(at.folder / "data"));
  at.agent.configure(Agent::head("") +
                     "[[source]]\nname = \"m\"\nkind = \"oneroster-csv\"\npath = \"nowhere\"\n");
  CHECK_THAT(at.agent.call({"extract"}).err, Contains(":10: source.path leads nowhere"));
  CHECK(at.agent.call({"status"}).code == 4);  // what does not need the path goes on
  CHECK(run(at.folder, {bin("towpath"), "--config", at.folder / "none.toml", "extract"}).code == 78);
  CHECK_FALSE(fs::exists(at.folder / "data"));
}

TEST_CASE("config check proves the configuration, and config show says where each value comes from") {
  Files at;
  const Ended fine = at.agent.call({"config", "check"});
  CHECK(fine.code == 0);
  CHECK_THAT(fine.out, Contains("fine; 1 source"));
  CHECK(run(at.folder, {bin("towpath"), "config", "check", at.folder / "towpath.toml"}).code == 0);
  CHECK_THAT(at.agent.call({"config", "show"}).out, Contains("100001  (line 2)") && Contains("(default)"));
  const Json shown = at.agent.json({"config", "show"});
  const auto& settings = shown["settings"];
  const auto urn =
      std::find_if(settings.begin(), settings.end(), [](const Json& s) { return s["key"] == "school.urn"; });
  REQUIRE(urn != settings.end());
  CHECK((*urn)["origin"] == "file");
}

TEST_CASE("wrong usage ends with 2 and names the nearest verb or source") {
  Files at;
  const Ended verb = at.agent.call({"exract"});
  CHECK(verb.code == 2);
  CHECK_THAT(verb.err, Contains("Did you mean 'extract'?"));
  CHECK(at.agent.call({}).code == 2);
  CHECK(at.agent.json({"exract"}, 2)["error"]["code"] == "usage");
  CHECK_THAT(at.agent.call({"extract", "--sourse", "files"}).err,
             Contains("there is no option '--sourse' for towpath extract") && Contains("'--source'?"));
  CHECK_THAT(at.agent.call({"quarantine", "lst"}).err, Contains("Did you mean 'list'?"));
  CHECK_THAT(at.agent.call({"quarantine", "show"}).err, Contains("quarantine list gives the IDs"));
  CHECK_THAT(at.agent.call({"quarantine", "show", "x"}).err, Contains("towpath quarantine show --help"));
  CHECK_THAT(at.agent.call({"sync", "now", "please"}).err,
             Contains("'now' means nothing after towpath sync") && Contains("towpath sync --help"));
  const Ended source = at.agent.call({"extract", "--source", "filse"});
  CHECK(source.code == 2);
  CHECK_THAT(source.err, Contains("there is no source 'filse'") && Contains("Did you mean 'files'?"));
  CHECK(at.agent.json({"extract", "--source", "filse"}, 2)["error"]["code"] == "usage");
  CHECK(at.agent.call({"--help"}).code == 0);
  CHECK_THAT(at.agent.call({"--version"}).out, Contains("towpath "));
}

TEST_CASE("a second agent on one data folder is refused with the first's pid, and status still works") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const auto held = platform::FolderLock::take(at.folder / "data");
  REQUIRE(held);
  const std::string pid = std::to_string(platform::process_id());
  const Ended second = at.agent.call({"extract"});
  CHECK(second.code == 1);
  CHECK_THAT(second.err, Contains("in use by process " + pid));
  CHECK(at.agent.json({"extract"}, 1)["error"]["code"] == "busy");
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 0);
  CHECK_THAT(status.out, Contains("in use by process " + pid));
}

TEST_CASE("too little room on the disk is said before anything is started, with how much is needed") {
  Files at;
  std::string text = Agent::head("") + kFiles;
  text.replace(text.find("min_free_mb = 0"), 15, "min_free_mb = 1000000");
  at.agent.configure(text);
  const Ended ended = at.agent.call({"extract"});
  CHECK(ended.code == 1);
  CHECK_THAT(ended.err, Contains("are free for") && Contains("Free ") && Contains("agent.min_free_mb"));
  CHECK_FALSE(fs::exists(at.folder / "data/school.db"));
}

TEST_CASE("an extract that would delete too much holds the deletions until a person accepts them") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  write_pupils(at.folder, 20);
  write_marks(at.folder, 20);
  const Ended held = at.agent.call({"extract"});
  CHECK(held.code == 4);
  CHECK_THAT(held.err, Contains("of pupil held") && Contains("--accept-deletions"));
  const Json report = at.agent.json({"extract"}, 4);
  CHECK(report["sources"][0]["held"] == true);
  CHECK(count(report, "pupil", "held") == 30);
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 4);
  CHECK_THAT(status.out, Catch::StartsWith("AMBER: ") && Contains("of pupil held"));
  const Json accepted = at.agent.json({"extract", "--accept-deletions"});
  CHECK(count(accepted, "pupil", "removed") == 30);
  CHECK(at.agent.call({"status"}).code == 0);
}

TEST_CASE(
    "a row that cannot be taken goes to quarantine with its reason, fails nothing, and leaves when mended") {
  Files at;
  write_pupils(at.folder, 50, std::string("p50,") + kTelling + ",Ada,31/02/2015\r\n");
  const Json report = at.agent.json({"extract"});
  CHECK(count(report, "pupil", "quarantined") == 1);
  CHECK(count(report, "pupil", "added") == 50);
  const Json list = at.agent.json({"quarantine", "list"});
  CHECK(list["total"] == 1);
  REQUIRE(list["rows"].size() == 1);
  CHECK(list["rows"][0]["dataset"] == "pupil");
  CHECK(list["rows"][0]["line"] == 52);
  const std::string id = std::to_string(list["rows"][0]["id"].get<std::int64_t>());
  const Ended shown = at.agent.call({"quarantine", "show", id});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, !Contains(kTelling) && Contains("--raw"));
  CHECK_THAT(at.agent.call({"quarantine", "show", id, "--raw"}).out, Contains(kTelling));
  CHECK_FALSE(at.agent.json({"quarantine", "show", id}).contains("raw"));
  CHECK(at.agent.json({"quarantine", "show", id, "--raw"}).contains("raw"));
  CHECK(at.agent.call({"quarantine", "show", "999999"}).code == 1);
  write_pupils(at.folder, 51);
  CHECK(count(at.agent.json({"extract"}), "pupil", "added") == 1);
  CHECK(at.agent.json({"quarantine", "list"})["total"] == 0);
}

TEST_CASE("a file that is missing costs its dataset this run, and nothing else") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  fs::remove(at.folder / "exports/marks.csv");
  write_pupils(at.folder, 51);
  const Ended ended = at.agent.call({"extract"});
  CHECK(ended.code == 4);
  CHECK_THAT(ended.err, Contains("marks.csv"));
  const Json report = at.agent.json({"extract"}, 4);
  CHECK(count(report, "session_mark", "removed") == 0);
  write_marks(at.folder, 50);
  const Json again = at.agent.json({"extract"});
  CHECK(count(again, "session_mark", "added") == 0);
  CHECK(count(again, "session_mark", "read") == 50);
}

TEST_CASE("one source that fails does not stop the others") {
  Files at;
  at.folder.write("broken.zip", "this is no zip");
  at.agent.configure(Agent::head("") +
                     "[[source]]\nname = \"broken\"\nkind = \"oneroster-csv\"\npath = \"broken.zip\"\n" +
                     kFiles);
  const Json report = at.agent.json({"extract"}, 4);
  REQUIRE(report["sources"].size() == 2);
  CHECK(report["sources"][0].contains("error"));
  CHECK(count(report, "pupil", "added") == 50);
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 4);
  CHECK_THAT(status.out, Catch::StartsWith("RED: source broken"));
  const Json only = at.agent.json({"extract", "--source", "broken"}, 1);
  CHECK(only["sources"].size() == 1);
}

TEST_CASE("a bundle of several schools is refused with a line for each, until one is chosen") {
  Folder folder;
  const Agent agent(folder);
  folder.write("exports/orgs.csv",
               "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\r\n"
               "s1,,,Canal School,school,,\r\ns2,,,Lock School,school,,\r\n");
  folder.write("exports/users.csv",
               "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,"
               "familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password\r\n"
               "u1,,,true,s1,student,u1,,Ada,One,,,,,,,,\r\nu2,,,true,s2,student,u2,,Eve,Two,,,,,,,,\r\n");
  const std::string source = "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npath = \"exports\"\n";
  agent.configure(Agent::head("") + source);
  const Ended refused = agent.call({"extract"});
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err,
             Contains("\ntowpath:   s1  Canal School\n") && Contains("\ntowpath:   s2  Lock School\n"));
  CHECK(agent.json({"extract"}, 1)["sources"][0]["error"]["code"] == "choice");
  CHECK_THAT(agent.call({"status"}).out, Contains("s1  Canal School; s2  Lock School"));
  agent.configure(Agent::head("") + source + "org = \"s2\"\n");
  CHECK(count(agent.json({"extract"}), "pupil", "added") == 1);
}

TEST_CASE("what an export says of itself moves no cursor where a verb says it") {
  Folder folder;
  const Agent agent(folder);
  folder.write("exports/orgs.csv",
               "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\r\n"
               "s1,,,Canal\x1b[2J School,school,,\r\ns2,,,Lock School\xc2\x9b"
               "1A,school,,\r\n");
  folder.write(
      "exports/users.csv",
      "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,"
      "familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password,\x1b]0;odd\r\n"
      "u1,,,true,s1,student,u1,,Ada,One,,,,,,,,,\r\n");
  const std::string source = "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npath = \"exports\"\n";
  const auto harmless = [](const Ended& said) {
    for (const std::string& text : {said.out, said.err}) {
      CHECK(text.find('\x1b') == std::string::npos);
      CHECK(text.find("\xc2\x9b") == std::string::npos);
    }
  };
  agent.configure(Agent::head("") + source);
  const Ended choice = agent.call({"extract"});
  CHECK_THAT(choice.err, Contains("s1  Canal?[2J School"));
  harmless(choice);
  harmless(agent.call({"status"}));
  agent.configure(Agent::head("") + source + "org = \"s1\"\n");
  const Ended read = agent.call({"extract"});
  CHECK_THAT(read.out, Contains("column '?]0;odd' is not known"));
  harmless(read);
  harmless(agent.call({"status"}));
}

TEST_CASE("before anything was read, status says so and what to do") {
  Files at;
  const Json status = at.agent.json({"status"}, 4);
  CHECK(status["health"] == "AMBER");
  CHECK(status["reasons"][0]["next"] ==
        "towpath --config " + (at.folder / "towpath.toml") + " extract --source files");
  CHECK_FALSE(fs::exists(at.folder / "data"));
  CHECK(at.agent.call({"quarantine", "list"}).code == 1);
  CHECK(at.agent.call({"verify"}).code == 1);
}

// As a user who may not look into the data folder.
Ended as_stranger(const Files& at, const std::vector<std::string>& verb) {
  std::vector<std::string> words = at.agent.words(verb);
  if (::geteuid() == 0)
    words.insert(words.begin(),
                 {"/usr/bin/setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--no-new-privs"});
  return run(at.folder, words);
}

TEST_CASE("who may not look into the data folder is told whose it is, and not that there is nothing") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  REQUIRE(::chmod((at.folder / "").c_str(), 0755) == 0);
  REQUIRE(::chmod((at.folder / "towpath.toml").c_str(), 0644) == 0);
  REQUIRE(::chmod((at.folder / "data").c_str(), ::geteuid() == 0 ? 0700 : 0) == 0);
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"status"},
                                               {"verify"},
                                               {"quarantine", "list"},
                                               {"sync"},
                                               {"restore"},
                                               {"key", "rotate"}}) {
    const Ended ended = as_stranger(at, verb);
    INFO(verb.front() << ": " << ended.out << ended.err);
    CHECK(ended.code == 6);
    CHECK_THAT(ended.err, Contains(at.folder / "data") && Contains("it belongs to ") && Contains("sudo"));
  }
  REQUIRE(::chmod((at.folder / "data").c_str(), 0700) == 0);
}

TEST_CASE("a file that is a pipe is refused, and nothing waits for its writer") {
  Files at;
  REQUIRE(::mkfifo((at.folder / "pipe").c_str(), 0600) == 0);
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"enrol", "--code-file", at.folder / "pipe"},
        {"bundle", "import", at.folder / "pipe"},
        {"config", "check", at.folder / "pipe"}}) {
    const Ended ended = at.agent.call(verb);
    CHECK(ended.code != 0);
    CHECK_THAT(ended.err, Contains("it is a pipe or a device, not a file"));
  }
}

TEST_CASE("without an enrolment, sync says so and everything else works") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const Ended sync = at.agent.call({"sync"});
  CHECK(sync.code == 3);
  CHECK_THAT(sync.err, Contains("not enrolled at a hub") &&
                           Contains("towpath --config " + (at.folder / "towpath.toml") + " enrol CODE"));
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 0);
  CHECK_THAT(status.out, Catch::StartsWith("GREEN: "));
  CHECK(at.agent.call({"verify"}).code == 0);
}

TEST_CASE("a first run that fails keeps no good state, and one without a file names it") {
  Files at;
  fs::remove(at.folder / "exports/marks.csv");
  CHECK(at.agent.call({"extract"}).code == 4);
  const Ended part = at.agent.call({"status"});
  CHECK(part.code == 4);
  CHECK_THAT(part.out, Catch::StartsWith("AMBER: source files was read in part") && Contains("marks.csv"));
  Folder folder;
  folder.write("broken.zip", "this is no zip");
  const Agent agent(folder);
  agent.configure(Agent::head("") +
                  "[[source]]\nname = \"broken\"\nkind = \"oneroster-csv\"\npath = \"broken.zip\"\n");
  const Ended failed = agent.call({"extract"});
  CHECK(failed.code == 1);
  CHECK_THAT(failed.out, Contains("failed") && !Contains("last good state"));
}

TEST_CASE("many rows in quarantine are amber, and few are said in the green line") {
  Files at;
  write_pupils(at.folder, 50, "p50,X,Ada,31/02/2015\r\n");
  REQUIRE(at.agent.call({"extract"}).code == 0);
  CHECK_THAT(at.agent.call({"status"}).out,
             Catch::StartsWith("GREEN: every source read; 1 row in quarantine (towpath --config "));
  std::string bad;
  for (int i = 50; i < 55; ++i) bad += "p" + std::to_string(i) + ",X,Ada,31/02/2015\r\n";
  write_pupils(at.folder, 50, bad);
  REQUIRE(at.agent.call({"extract"}).code == 0);
  const Ended status = at.agent.call({"status"});
  CHECK(status.code == 4);
  CHECK_THAT(status.out, Catch::StartsWith("AMBER: 5 rows of pupil in quarantine"));
}

TEST_CASE("a store of another school is refused") {
  Files at;
  REQUIRE(at.agent.call({"extract"}).code == 0);
  std::string text = Agent::head("") + kFiles;
  text.replace(text.find("100001"), 6, "100002");
  at.agent.configure(text);
  const Ended ended = at.agent.call({"extract"});
  CHECK(ended.code == 78);
  CHECK_THAT(ended.err, Contains("100001") && Contains("100002"));
}

TEST_CASE("a pupil's name is in no line that any verb says") {
  Folder folder;
  Hub hub(folder);
  Agent agent(folder);
  write_pupils(folder, 50,
               std::string("p50,") + kTelling + ",Ada,31/02/2015\r\n" + "p1," + kTelling +
                   ",Eve,01/09/2015\r\n,," + kTelling + "\r\n");
  write_marks(folder, 60);
  agent.configure(Agent::head(hub.url()) + kFiles);
  for (int day = 0; day < 2; ++day) {
    for (const std::vector<std::string>& verb :
         std::vector<std::vector<std::string>>{{"config", "check"},
                                               {"config", "show"},
                                               {"extract"},
                                               {"sync"},
                                               {"status"},
                                               {"quarantine", "list"},
                                               {"quarantine", "show", "1"},
                                               {"verify"}}) {
      for (const bool json : {false, true}) {
        std::vector<std::string> words = verb;
        if (json) words.emplace_back("--json");
        const Ended ended = agent.call(words);
        CHECK_THAT(ended.out + ended.err, !Contains(kTelling));
      }
    }
    write_pupils(folder, 30);  // held deletions, next time round
  }
}

}  // namespace
}  // namespace towpath::test
