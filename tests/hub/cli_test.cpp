#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bundle/stick.hpp"
#include "platform/platform.hpp"
#include "tests/hub/hub_fixture.hpp"
#include "tests/hub/hub_program.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

// Puts a school's data into the hub's folder, as an exchange does.
void load(const TempFolder& folder, const std::string& urn) {
  Folder hub(folder);
  hub.enrol(urn);
  HubService service(*hub.registry, *hub.keys, hub.clock, hub.random, built_in_dictionary(), "hub");
  TestWriter writer(stream_id(urn, kBorough), Epoch{1}, all_shapes(built_in_dictionary()));
  const Dataset& day = *built_in_dictionary().find("school_day");
  Cells row(day.fields.size());
  row[0] = std::int64_t{20000};
  row[1] = std::int64_t{0};
  writer.put(day.id, row);
  Bundle bundle;
  bundle.frames.emplace_back(HelloFrame{"school:" + urn, "agent", 1, 0, 0});
  bundle.frames.emplace_back(SegmentFrame{writer.snapshot().bytes});
  auto answer = service.answer(*hub.sealer.seal(bundle));
  REQUIRE(answer);
  REQUIRE(head_of(*hub.sealer.open(*answer)) == writer.head());
}

}  // namespace

TEST_CASE("the hub's program says what is wrong with its words, and exits with 2") {
  const TempFolder folder;
  CHECK(run(folder, "frobnicate").code == 2);
  CHECK(run(folder, "").code == 2);
  CHECK(run(folder, "school add 100001").code == 2);
  CHECK(run(folder, "export pupil --format xml").code == 2);
  const Ended json = run(folder, "--json frobnicate");
  CHECK(json.code == 2);
  CHECK(nlohmann::json::parse(json.out)["error"]["code"] == "usage");
}

TEST_CASE("a folder without a hub is invalid configuration, whatever is asked of it") {
  const TempFolder folder;
  for (const char* words :
       {"status", "serve", "school list", "export pupil", "verify", "school add 100001 --name x"}) {
    const Ended ended = run(folder, words);
    CHECK(ended.code == 78);
    CHECK_THAT(ended.err, Catch::Contains("init makes one"));
  }
}

TEST_CASE("what the hub writes is its owner's only, also in a folder that is everybody's") {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path() + "/hub");
  const auto before = ::umask(022);
  REQUIRE(run(folder, "init").code == 0);
  ::umask(before);
  const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() + "/hub"))
    CHECK((entry.status().permissions() & others) == std::filesystem::perms::none);
}

TEST_CASE("a hub from its making to its status, in words and as JSON") {
  const TempFolder folder;
  CHECK(run(folder, "init").code == 0);
  CHECK(run(folder, "init").code == 0);
  CHECK(run(folder, "school add 100001 --name 'Example School'").code == 0);
  CHECK(run(folder, "school add 100001 --name 'Example School'").code == 1);
  CHECK(run(folder, "school add 10001 --name 'Example School'").code == 2);
  CHECK(nlohmann::json::parse(run(folder, "--json school list").out)["schools"][0]["name"] ==
        "Example School");

  const Ended stopped = run(folder, "status");
  CHECK(stopped.code == 5);
  CHECK(stopped.out.starts_with("RED: the hub is not running\n"));

  load(folder, "100001");
  Serving hub(folder);
  REQUIRE_THAT(hub.first_line(), Catch::StartsWith("listening on 127.0.0.1:"));
  // The fixed clock of the load is long past: the school has been silent.
  const Ended amber = run(folder, "--json status");
  const auto status = nlohmann::json::parse(amber.out);
  CHECK(status["schema_version"] == 1);
  CHECK(status["running"] == true);
  CHECK(status["pid"] == hub.pid());
  CHECK(status["schools"][0]["complete"] == true);
  CHECK(status["schools"][0]["rows"] == 1);
  CHECK(status["schools"][0]["datasets"]["school_day"] == 1);
  CHECK((amber.code == 0 || amber.code == 4));
  CHECK(amber.code == status["exit_code"]);

  const Ended second = run(folder, "serve --listen 127.0.0.1:0");
  CHECK(second.code == 1);
  CHECK_THAT(second.err, Catch::Contains(std::to_string(hub.pid())));
  CHECK(run(folder, "verify").code == 0);  // beside the running hub
  CHECK_THAT(run(folder, "export school_day").out, Catch::Contains("\r\n100001,2024-10-04,school,"));
  CHECK(run(folder, "school add 100002 --name 'Second'").code == 0);
  CHECK(hub.stop() == 0);
}

TEST_CASE("verify names the dataset whose rows are not those that were received") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  load(folder, "100001");
  const Ended good = run(folder, "--json verify");
  CHECK(good.code == 0);
  CHECK(nlohmann::json::parse(good.out)["replicas"][0]["rows"] == 1);
  Database::Options file;
  file.path = folder.path() + "/hub/schools/100001/borough-1.db";
  REQUIRE(Database::open(file)->exec("UPDATE d_school_day SET kind=2"));
  const Ended bad = run(folder, "--json verify");
  CHECK(bad.code == 1);
  const auto verdict = nlohmann::json::parse(bad.out);
  CHECK(verdict["good"] == false);
  CHECK(verdict["replicas"][0]["differing"] == std::vector<std::string>{"school_day"});
}

TEST_CASE("a hub that would be reachable from elsewhere does not start") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  const Ended ended = run(folder, "serve --listen 0.0.0.0:0");
  CHECK(ended.code == 78);
  CHECK_THAT(ended.err, Catch::Contains("loopback only"));
}

TEST_CASE("wrong words name the help that is right, in their order") {
  const TempFolder folder;
  const Ended many = run(folder, "school list one two");
  CHECK(many.code == 2);
  CHECK_THAT(many.err,
             Catch::Contains("'one' means nothing") && Catch::Contains("towpath-hub school list --help"));
}

TEST_CASE("an address that is none is wrong usage, and a port in use is said with another to take") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  CHECK(run(folder, "serve --listen nonsense").code == 2);
  CHECK(run(folder, "serve --listen 127.0.0.1:99999").code == 2);
  const Serving first(folder);
  const std::string port = first.first_line().substr(23, first.first_line().find(' ', 23) - 23);
  const std::string other = folder.path() + "/other";
  const auto second = [&](const std::string& words) { return run_in(folder, other, words); };
  REQUIRE(second("init").code == 0);
  const Ended taken = second("serve --listen 127.0.0.1:" + port);
  CHECK(taken.code == 1);
  CHECK_THAT(taken.err,
             Catch::Contains("port " + port + " is taken by another program. Stop it, or choose") &&
                 Catch::Contains("--listen 127.0.0.1:") && !Catch::Contains("Exception"));
}

TEST_CASE("export ends without a word when its reader has seen enough") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  load(folder, "100001");
  // A pipe whose reader is gone before the first row.
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  ::close(ends[0]);
  const std::string path = program(), data = folder.path() + "/hub", err = folder.path() + "/err";
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    if (std::freopen(err.c_str(), "w", stderr) == nullptr) ::_exit(126);
    ::execl(path.c_str(), path.c_str(), "--data", data.c_str(), "export", "school_day",
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(ends[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  std::ostringstream said;
  said << std::ifstream(err).rdbuf();
  CHECK(said.str().empty());
}

TEST_CASE("export writes nothing but rows to standard output") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  const Ended empty = run(folder, "export school_day");
  CHECK(empty.code == 0);
  CHECK(empty.out.starts_with("school_urn,date,"));
  CHECK_THAT(empty.err, Catch::Contains("has sent nothing whole yet"));
  CHECK(run(folder, "export school_day --school 100001").code == 1);
  CHECK(run(folder, "export school_dya").code == 2);
  load(folder, "100001");
  const Ended rows = run(folder, "--json export school_day --format ndjson");
  CHECK(nlohmann::json::parse(rows.out)["date"] == "2024-10-04");
  CHECK(nlohmann::json::parse(rows.err)["rows"] == 1);
}

namespace {

std::string words_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
void write(const std::string& path, ByteView bytes) {
  std::ofstream(path, std::ios::binary) << text_of(bytes);
}
// A question of a school's machine, as it would go onto a stick.
Bytes question(Folder& hub, const std::string& urn) {
  Bundle bundle;
  hub.random.fill(bundle.id.uuid.bytes);
  bundle.frames.emplace_back(HelloFrame{"school:" + urn, "agent", 1, 0, 0});
  return hub.sealer.seal(bundle).value();
}

}  // namespace

TEST_CASE(
    "init makes the hub's keys once and says their fingerprint; an address has to be one that schools "
    "reach") {
  const TempFolder folder;
  const auto made = nlohmann::json::parse(run(folder, "--json init --url https://hub.example/").out);
  CHECK(made["made_keys"] == true);
  CHECK(made["url"] == "https://hub.example");
  const auto again = nlohmann::json::parse(run(folder, "--json init").out);
  CHECK(again["made_keys"] == false);
  CHECK(again["hub_key"] == made["hub_key"]);
  CHECK(again["url"] == "https://hub.example");
  CHECK_THAT(run(folder, "key show").out, Catch::Contains(made["hub_key"].get<std::string>()));
  for (const char* url : {"hub.example", "http://hub.example", "ftp://hub", "https://", "'https://a b'",
                          "https://user@hub", "http://127.evil.example.org.invalid:1/@"})
    CHECK(run(folder, std::string("init --url ") + url).code == 2);
  CHECK(run(folder, "init --url http://127.0.0.1:8440").code == 0);
}

TEST_CASE("a hub whose keys are missing or damaged does not serve, and never makes others by itself") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  load(folder, "100001");
  const std::string file = folder.path() + "/hub/keys/hub.keys";
  const std::string keys = words_of(file);
  write(file, bytes_of(keys.substr(0, 100)));
  for (const char* words : {"serve --listen 127.0.0.1:0", "init", "school invite 100001", "key rotate"}) {
    const Ended ended = run(folder, words);
    CHECK(ended.code == 78);
    CHECK_THAT(ended.err, Catch::Contains("not as they were written"));
  }
  CHECK_THAT(run(folder, "status").out, Catch::Contains("not as they were written"));
  CHECK(words_of(file) == keys.substr(0, 100));
  std::filesystem::remove(file);
  const Ended gone = run(folder, "serve --listen 127.0.0.1:0");
  CHECK(gone.code == 78);
  CHECK_THAT(gone.err, Catch::Contains("init makes them"));
  // Schools know the lost ones: that is a decision for a person.
  const Ended refused = run(folder, "init");
  CHECK(refused.code == 78);
  CHECK_THAT(refused.err, Catch::Contains("--new-keys"));
  CHECK(run(folder, "init --new-keys").code == 0);
}

TEST_CASE("an invitation is one line to read out, replaces the one before, and says until when") {
  const TempFolder folder;
  REQUIRE(run(folder, "init --url https://hub.example").code == 0);
  CHECK(run(folder, "school invite 100001").code == 1);  // not registered
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  const Ended first = run(folder, "school invite 100001");
  CHECK(first.code == 0);
  const std::string code = first.out.substr(0, first.out.find('\n'));
  auto parsed = Invitation::parse(code);
  REQUIRE(parsed);
  CHECK(parsed->host == "hub.example");
  CHECK(parsed->is_of(Keyring::open(folder.path() + "/hub").value()->keys()->front().secret.key()));
  CHECK_THAT(first.out, !Catch::Contains("does not work any more"));
  const auto second = nlohmann::json::parse(run(folder, "--json school invite 100001 --expires 12h").out);
  CHECK(second["withdrew_earlier"] == true);
  CHECK(Invitation::parse(second["code"].get<std::string>())->host == "hub.example");
  CHECK(nlohmann::json::parse(run(folder, "--json status").out)["schools"][0]["invited_until"] ==
        second["expires"]);
  for (const char* bad : {"7", "0d", "91d", "d", "-1d", "7w", "1e3d", "''"})
    CHECK(run(folder, std::string("school invite 100001 --expires ") + bad).code == 2);
  // Codes name the hub's key: with another they would be of another hub.
  CHECK_THAT(run(folder, "key rotate").out, Catch::Contains("1 invitation that is not used yet"));
  CHECK(nlohmann::json::parse(run(folder, "--json key show").out)["keys"].size() == 2);
  CHECK(nlohmann::json::parse(run(folder, "--json status").out)["schools"][0]["invited_until"].is_null());
}

TEST_CASE("agents are listed, asked to rotate and revoked, also beside a running hub") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  CHECK(run(folder, "agent revoke 100001").code == 1);
  CHECK(run(folder, "agent revoke 100002").code == 1);
  load(folder, "100001");
  const Serving hub(folder);
  const auto agent = nlohmann::json::parse(run(folder, "--json agent list").out)["agents"][0];
  CHECK(agent["urn"] == "100001");
  CHECK(agent["standing"] == "current");
  CHECK(agent["machine"] == "server-1");
  CHECK(run(folder, "agent rotate 100001").code == 0);
  CHECK_THAT(run(folder, "agent list").out, Catch::Contains("asked to make new keys"));
  CHECK_THAT(run(folder, "agent revoke 100001").out, Catch::Contains(agent["key"].get<std::string>()));
  CHECK(run(folder, "agent rotate 100001").code == 1);
  CHECK_THAT(run(folder, "agent list").out, Catch::Contains("revoked since"));
  const Ended status = run(folder, "status");
  CHECK(status.code == 4);
  CHECK_THAT(status.out, Catch::Contains("school invite 100001"));
}

TEST_CASE(
    "a stick is taken in alone or beside a running hub, any number of times, with an answer to take back") {
  const TempFolder folder;
  REQUIRE(run(folder, "init").code == 0);
  REQUIRE(run(folder, "school add 100001 --name x").code == 0);
  Folder hub(folder);
  hub.enrol("100001");
  const std::string stick = folder.path() + "/stick", back = folder.path() + "/back";
  write(stick, stick_file({question(hub, "100001"), question(hub, "100001")}).value());
  std::optional<Serving> serving;
  for (const bool beside : {false, true, true, false}) {
    CAPTURE(beside);
    serving.reset();
    if (beside) serving.emplace(folder);
    std::filesystem::remove(back);
    const Ended taken = run(folder, "--json bundle import " + stick + " --answer " + back);
    CHECK(taken.code == 0);
    CHECK(nlohmann::json::parse(taken.out)["taken"] == 2);
    const std::string answers = words_of(back);
    const auto messages = read_stick_file(bytes_of(answers));
    REQUIRE(messages);
    REQUIRE(messages->size() == 2);
    for (const ByteView message : *messages) CHECK(head_of(hub.sealer.open(message).value()) == Head{});
  }
  SECTION("one bundle alone, from standard input, is a stick as well") {
    write(stick, question(hub, "100001"));
    CHECK(run(folder, "bundle import - <" + stick).code == 0);
  }
  SECTION("what is refused is said, and the rest is taken") {
    serving.emplace(folder);
    const Bytes good = question(hub, "100001");
    Bytes flipped = question(hub, "100001");
    flipped.back() ^= 1;
    write(stick, stick_file({good, flipped}).value());
    const Ended some = run(folder, "bundle import " + stick);
    CHECK(some.code == 1);
    CHECK_THAT(some.out,
               Catch::Contains("1 bundle of 2 taken") && Catch::Contains("bundle 2 is refused (not-signed)"));
  }
  SECTION("a file that is none, or is cut, or not there, is said to be") {
    if (GENERATE(false, true)) serving.emplace(folder);
    write(stick, bytes_of("a letter"));
    CHECK(run(folder, "bundle import " + stick).code == 1);
    Bytes cut = stick_file({question(hub, "100001")}).value();
    cut.pop_back();
    write(stick, cut);
    CHECK_THAT(run(folder, "bundle import " + stick).err, Catch::Contains("cut short"));
    CHECK_THAT(run(folder, "bundle import " + folder.path() + "/nothing").err,
               Catch::Contains("cannot read"));
  }
  serving.reset();
  if (std::filesystem::exists(folder.path() + "/hub/inbox"))
    CHECK(std::filesystem::is_empty(folder.path() + "/hub/inbox"));
}
