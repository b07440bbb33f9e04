// Enrolment, revocation, sticks, copies and backups, with the real programs.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

using Catch::Contains;

struct Borough {
  Borough() : hub(folder), agent(folder) {}
  void day(const std::string& day, int pupils = 30) const {
    agent.demo(hub.url(), day, pupils);
    REQUIRE(agent.call({"extract"}).code == 0);
  }
  void check_equal() const {
    CHECK(agent.json({"verify"})["hub"]["equal"] == true);
    CHECK(hub.call({"verify"}).code == 0);
  }
  Folder folder;
  Hub hub;
  Agent agent;
};

// A whole data folder, as a backup program or an image has it.
void copy(const Folder& folder, const std::string& from, const std::string& to) {
  fs::remove_all(folder / to);
  fs::create_directories(fs::path(folder / to).parent_path());
  fs::copy(folder / from, folder / to, fs::copy_options::recursive);
}

TEST_CASE("a technician enrols a school with one code, and the first exchange follows") {
  Borough at;
  at.day("2026-11-19");
  const Ended before = at.agent.call({"sync"});
  CHECK(before.code == 3);
  CHECK_THAT(before.err, Contains("enrol CODE"));
  const std::string code = invite(at.hub);
  const Json enrolled = enrol(at.hub, at.agent, {code});
  CHECK(enrolled["school"] == "100001");
  CHECK(enrolled["name"] == "Example School");
  // The first exchange brought what a person then approved.
  CHECK(enrolled["sync"]["shares"] == false);
  CHECK(enrolled["sync"]["waiting_decisions"][0]["agreement"] == "borough");
  CHECK(enrolled["next"].get<std::string>().ends_with(" agreement show borough"));
  at.check_equal();

  // Keys are their owner's only, and said nowhere.
  struct stat seen {};
  REQUIRE(::stat((at.folder / "data/identity").c_str(), &seen) == 0);
  CHECK((seen.st_mode & 0777) == 0700);
  const std::string key = content_of(at.folder / "data/identity/agent.key");
  REQUIRE(::stat((at.folder / "data/identity/agent.key").c_str(), &seen) == 0);
  CHECK((seen.st_mode & 0777) == 0600);
  const std::string secret = key.substr(key.size() - 65, 64);
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"status", "--json"}, {"config", "show"}, {"sync", "--json"}}) {
    const Ended ended = at.agent.call(verb);
    CHECK((ended.out + ended.err).find(secret) == std::string::npos);
  }

  const Ended again = at.agent.call({"enrol", code});
  CHECK(again.code == 1);
  CHECK_THAT(again.err, Contains("enrolled already: school 100001") && Contains("--force"));
  const Ended used = at.agent.call({"enrol", code, "--force"});
  CHECK(used.code == 1);
  CHECK_THAT(used.err, Contains("has been used"));
  CHECK(at.agent.json({"sync"})["equal"] == true);  // nothing was changed by it
  CHECK(at.agent.json({"enrol", invite(at.hub), "--force"})["sync"]["equal"] == true);
}

TEST_CASE(
    "a code can come by a file; mistyped, cut, withdrawn or for another hub or school, it is told which") {
  Borough at;
  at.day("2026-11-19");
  std::string code = invite(at.hub);
  std::string mistyped = code;
  mistyped[2] = mistyped[2] == 'X' ? 'Y' : 'X';
  const Ended wrong = at.agent.call({"enrol", mistyped});
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err,
             Contains("letter 3 of group 1 seems to be mistyped") && !Contains(code.substr(6, 11)));
  CHECK_THAT(at.agent.call({"enrol", code.substr(0, 20)}).err, Contains("instead of 30"));

  const std::string newer = invite(at.hub);
  const Ended withdrawn = at.agent.call({"enrol", code});
  CHECK(withdrawn.code == 1);
  CHECK_THAT(withdrawn.err, Contains("towpath-hub school invite 100001"));

  REQUIRE(at.hub.call({"school", "add", "100002", "--name", "Other"}).code == 0);
  const Ended other_school = at.agent.call({"enrol", invite(at.hub, "100002")});
  CHECK(other_school.code == 1);
  CHECK_THAT(other_school.err, Contains("made for another school than 100001"));

  Folder elsewhere;
  const Hub other(elsewhere);
  const Ended other_hub = at.agent.call({"enrol", invite(other)});
  CHECK(other_hub.code == 1);
  CHECK_THAT(other_hub.err, Contains("this is not the hub that the code was made for"));

  at.folder.write("code", newer + "\n");
  CHECK(enrol(at.hub, at.agent, {"--code-file", at.folder / "code"})["school"] == "100001");
  at.check_equal();
}

TEST_CASE("a revoked machine is told so at its next request, and goes on with a new code") {
  Borough at;
  at.day("2026-11-18");
  enrol(at.hub, at.agent);
  REQUIRE(at.hub.call({"agent", "revoke", "100001"}).code == 0);
  at.day("2026-11-19");
  const Ended revoked = at.agent.call({"sync"});
  CHECK(revoked.code == 3);
  CHECK_THAT(revoked.err, Contains("has ended this machine's key") && Contains("enrol CODE --force"));
  const Json again = at.agent.json({"enrol", invite(at.hub), "--force"});
  CHECK(again["sync"]["equal"] == true);
  CHECK(again["sync"]["head"]["epoch"] == 1);
  at.check_equal();
}

TEST_CASE("keys are replaced by either end, and the line goes on") {
  Borough at;
  at.day("2026-11-18");
  enrol(at.hub, at.agent);
  const std::string first = content_of(at.folder / "data/identity/agent.key");
  CHECK(at.agent.json({"key", "rotate"})["key_replaced"] == true);
  const std::string second = content_of(at.folder / "data/identity/agent.key");
  CHECK(first != second);
  REQUIRE(at.hub.call({"agent", "rotate", "100001"}).code == 0);
  CHECK(at.agent.json({"sync"})["equal"] == true);
  CHECK(content_of(at.folder / "data/identity/agent.key") != second);
  REQUIRE(at.hub.call({"key", "rotate"}).code == 0);
  const Json pinned = at.agent.json({"sync"});
  CHECK(pinned["equal"] == true);
  REQUIRE(pinned["events"].size() == 1);
  CHECK_THAT(pinned["events"][0].get<std::string>(), Contains("the hub has a new key"));
  CHECK(at.agent.json({"sync"})["events"].empty());
  at.check_equal();
}

TEST_CASE("a stick both ways, twice, late and mixed with the line: both ends are equal in the end") {
  Borough at;
  at.day("2026-11-17");
  enrol(at.hub, at.agent);
  at.day("2026-11-18");
  const auto stick = [&](const std::string& name) {
    REQUIRE(at.agent.call({"bundle", "export", at.folder / (name + ".up")}).code == 0);
  };
  const auto answer = [&](const std::string& name) {
    const Ended ended = at.hub.call(
        {"bundle", "import", at.folder / (name + ".up"), "--answer", at.folder / (name + ".down")});
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 0);
  };
  stick("first");
  at.day("2026-11-19");
  stick("second");
  answer("second");
  answer("first");
  answer("second");
  const Json taken = at.agent.json({"bundle", "import", at.folder / "second.down"});
  CHECK(taken["equal"] == true);
  CHECK(at.agent.json({"bundle", "import", at.folder / "first.down"})["old"] == 1);
  CHECK(at.agent.json({"bundle", "import", at.folder / "second.down"})["old"] == 1);
  const Json sync = at.agent.json({"sync"});
  CHECK(sync["equal"] == true);
  CHECK(sync["segments"] == 0);
  CHECK(sync["head"]["epoch"] == 1);
  CHECK(sync["events"].empty());
  at.check_equal();
  const Ended own = at.agent.call({"bundle", "import", at.folder / "first.up"});
  CHECK(own.code == 1);
  CHECK_THAT(own.err, Contains("what this machine has exported"));
}

TEST_CASE("an agent restored from a copy of its data folder recovers by itself") {
  Borough at;
  at.day("2026-11-17");
  enrol(at.hub, at.agent);
  copy(at.folder, "data", "copy");
  at.day("2026-11-18");
  REQUIRE(at.agent.call({"sync"}).code == 0);
  copy(at.folder, "copy", "data");
  at.day("2026-11-19");
  const Json sync = at.agent.json({"sync"});
  CHECK(sync["equal"] == true);
  REQUIRE_FALSE(sync["events"].empty());
  CHECK_THAT(sync["events"][0].get<std::string>(), Contains("set back to an earlier state, or copied"));
  at.check_equal();
  CHECK(at.agent.json({"sync"})["events"].empty());
}

TEST_CASE("of two living copies of a machine one is refused with a sentence, and a new code ends it") {
  Borough at;
  at.day("2026-11-17");
  enrol(at.hub, at.agent);
  copy(at.folder, "data", "twin/data");
  const auto as_twin = [&](const std::vector<std::string>& verb) {
    fs::copy_file(at.folder / "towpath.toml", at.folder / "twin/towpath.toml",
                  fs::copy_options::overwrite_existing);
    std::vector<std::string> words{bin("towpath"), "--config", at.folder / "twin/towpath.toml"};
    words.insert(words.end(), verb.begin(), verb.end());
    return run(at.folder, words);
  };
  Ended refused;
  bool by_twin = false;
  for (int i = 0; i < 4 && refused.code != 3; ++i) {
    refused = at.agent.call({"sync"});
    if (refused.code == 3) break;
    refused = as_twin({"sync"});
    by_twin = refused.code == 3;
  }
  REQUIRE(refused.code == 3);
  CHECK_THAT(refused.err, Contains("two machines speak as this school") && Contains("find it and stop it"));
  (void)by_twin;
  const Json right = at.agent.json({"enrol", invite(at.hub), "--force"});
  CHECK(right["sync"]["equal"] == true);
  const Ended other = as_twin({"sync"});
  CHECK(other.code == 3);
  CHECK_THAT(other.err, Contains("another machine has been enrolled"));
  at.check_equal();
}

TEST_CASE("a machine whose disk was lost is enrolled anew, restored, and both ends are equal") {
  Borough at;
  at.day("2026-11-18");
  enrol(at.hub, at.agent);
  fs::remove_all(at.folder / "data");
  at.day("2026-11-19");
  const Json enrolled = at.agent.json({"enrol", invite(at.hub)});
  CHECK(enrolled["rows_at_hub"].get<std::uint64_t>() > 100);
  CHECK(enrolled["restored"].is_object());
  // Approvals are lost with the disk, and what was set for single pupils may be: nothing goes before a person
  // has approved again.
  CHECK(enrolled["sync"]["shares"] == false);
  CHECK(enrolled["next"].get<std::string>().ends_with(" agreement show borough"));
  approve(at.agent);
  CHECK(at.agent.json({"sync"})["equal"] == true);
  at.check_equal();
}

}  // namespace
}  // namespace towpath::test
