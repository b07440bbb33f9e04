// `towpath run` as a school's server sees it: started, asked, stopped, killed, reconfigured.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

using std::chrono::steady_clock;

// The service over some configurations; stopped at the end.
class Service {
 public:
  Service(const Folder& folder, const std::vector<std::string>& configs) : process_(folder, words(configs)) {}
  [[nodiscard]] Process& process() { return process_; }
  // Ends it as the service manager does; how long that took.
  Ended stop(std::chrono::milliseconds& took) {
    const auto began = steady_clock::now();
    process_.kill(SIGTERM);
    Ended ended = process_.wait();
    took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began);
    return ended;
  }

 private:
  static std::vector<std::string> words(const std::vector<std::string>& configs) {
    std::vector<std::string> out{bin("towpath"), "run"};
    for (const std::string& config : configs) out.insert(out.end(), {"--config", config});
    return out;
  }
  Process process_;
};

// Nothing is due by itself: what a test sees must not depend on the hour at which it runs.
const std::string kByHand = "[schedule]\nextract = []\nexchange = []\n";
void by_hand(const Folder& folder) {
  folder.write("towpath.toml", content_of(folder / "towpath.toml") + kByHand);
}

// A demo school's configuration in a folder of its own.
std::string school(const Folder& folder, const std::string& name, const std::string& urn, int pupils) {
  folder.write(name + "/towpath.toml",
               "[school]\nurn = " + urn + "\nname = \"Example\"\n[agent]\ndata = \"data\"\n" +
                   "min_free_mb = 0\n[[source]]\nname = \"demo\"\nkind = \"demo\"\nphase = "
                   "\"secondary\"\nday = 2026-11-23\npupils = " +
                   std::to_string(pupils) + "\n" + kByHand);
  return folder / (name + "/towpath.toml");
}
Ended towpath(const Folder& folder, const std::string& config, std::vector<std::string> verb) {
  verb.insert(verb.begin(), {bin("towpath"), "--config", config});
  return run(folder, verb);
}
// Waits, bounded, until the service is at `what`.
bool at_work(const Folder& folder, const std::string& config, const std::string& what) {
  for (int i = 0; i < 100; ++i) {
    const Json status = towpath(folder, config, {"status", "--json"}).json();
    if (status["service"].is_object() && status["service"]["task"].is_object() &&
        status["service"]["task"]["what"] == what)
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return false;
}

TEST_CASE("the service does what extract and status ask, and the verb prints what it would print alone",
          "[service]") {
  const Folder folder;
  const std::string config = school(folder, "a", "100001", 300);
  Service service(folder, {config});
  const Json first = towpath(folder, config, {"status", "--wait", "20", "--json"}).json();
  REQUIRE(first["service"].is_object());
  CHECK(first["service"]["pid"] == service.process().pid());
  REQUIRE(first["service"]["items"].size() == 1);
  CHECK(first["service"]["items"][0]["item"] == "source demo");
  const Ended by_service = towpath(folder, config, {"extract"});
  INFO(by_service.err);
  CHECK(by_service.code == 0);
  CHECK(by_service.out.find("demo (demo), run 1") == 0);
  const Json again = towpath(folder, config, {"extract", "--full", "--json"}).json();
  CHECK(again["sources"][0]["run"] == 2);
  CHECK(count(again, "pupil", "changed") == 0);
  const Json wrong = towpath(folder, config, {"extract", "--source", "mis", "--json"}).json();
  CHECK(wrong["exit_code"] == 2);
  std::chrono::milliseconds took{};
  CHECK(service.stop(took).code == 0);
  CHECK(took < std::chrono::seconds{10});
  // Alone, the same words.
  const Ended alone = towpath(folder, config, {"extract"});
  CHECK(alone.code == 0);
  CHECK(alone.out.find("demo (demo), run 3") == 0);
  for (const Ended* ended : {&alone, &by_service})
    CHECK(ended->out.find("quarantined  held\n") != std::string::npos);
  const Json status = towpath(folder, config, {"status", "--json"}).json();
  CHECK(status["service"].is_null());
  CHECK(status["events"].size() == 2);  // what the service did
  CHECK(towpath(folder, config, {"status", "--wait", "0"}).code == 5);
}

TEST_CASE("a sync through the service ends as it would alone, and status remembers what came of it",
          "[service]") {
  const Folder folder;
  const Agent agent(folder);
  agent.demo("http://127.0.0.1:9", "2026-11-23", 100);  // nobody listens there
  by_hand(folder);
  const std::string config = folder / "towpath.toml";
  REQUIRE(agent.call({"extract"}).code == 0);
  const Ended alone = agent.call({"sync"});
  CHECK(alone.code != 0);
  Service service(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  const Ended by_service = agent.call({"sync"});
  CHECK(by_service.code == alone.code);
  CHECK(by_service.err == alone.err);
  CHECK(by_service.out == alone.out);
  const Json status = towpath(folder, config, {"status", "--json"}).json();
  CHECK(status["service"]["items"][0]["item"] == "exchange");
  CHECK(status["service"]["items"][0]["failures"] == 1);
  CHECK(status["events"][0]["kind"] == "exchange-failed");
}

TEST_CASE("a sync through the service of an enrolled school brings both ends to the same", "[service]") {
  const Folder folder;
  const Hub hub(folder);
  const Agent agent(folder);
  agent.demo(hub.url(), "2026-11-23", 60);
  by_hand(folder);
  const std::string config = folder / "towpath.toml";
  Service service(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  // Before it is enrolled, the service says the same as a verb alone would.
  CHECK(agent.call({"extract"}).code == 0);
  const Ended early = agent.call({"sync"});
  CHECK(early.code == 3);
  CHECK_THAT(early.err, Catch::Contains("enrol CODE"));
  std::chrono::milliseconds took{};
  CHECK(service.stop(took).code == 0);
  enrol(hub, agent);  // which sends what there is
  agent.demo(hub.url(), "2026-11-24", 60);
  by_hand(folder);
  Service enrolled(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  CHECK(agent.call({"extract"}).code == 0);
  const Json sent = agent.json({"sync"});
  CHECK(sent["equal"] == true);
  const Ended again = agent.call({"sync"});
  CHECK(again.code == 0);
  const Json status = towpath(folder, config, {"status", "--json"}).json();
  CHECK(status["service"]["pid"] == enrolled.process().pid());
  CHECK(status["events"][0]["kind"] == "exchange");  // it was the service that sent, and wrote it down
  CHECK(enrolled.stop(took).code == 0);
  // Alone, the same words; and the hub holds what the school does.
  const Ended alone = agent.call({"sync"});
  CHECK(alone.code == 0);
  const auto last_line = [](const std::string& text) { return text.substr(text.find('\n')); };
  CHECK(last_line(alone.out) == last_line(again.out));  // the first line has a duration
  CHECK(agent.json({"verify"})["hub"]["equal"] == true);
  CHECK(hub.call({"verify"}).code == 0);
}

TEST_CASE("what a person approves or withdraws beside a running service is passed on by it, with no restart",
          "[service]") {
  const Folder folder;
  const Hub hub(folder);
  const Agent agent(folder);
  agent.demo(hub.url(), "2026-11-23", 60);
  by_hand(folder);
  const std::string config = folder / "towpath.toml";
  CHECK(agent.call({"extract"}).code == 0);
  // Before the hub offers anything, and before anything is approved: what to do, and who.
  const Ended enrolled = agent.call({"enrol", invite(hub)});
  CHECK(enrolled.code == 0);
  CHECK_THAT(enrolled.out, Catch::Contains("the hub has not offered an agreement yet"));
  Service service(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  CHECK_THAT(agent.call({"status"}).out,
             Catch::Contains("nothing is shared with the borough: the hub has not offered an agreement"));
  hub.offer_to_borough();
  const Ended waits = agent.call({"sync"});
  CHECK(waits.code == 4);
  CHECK_THAT(waits.out, Catch::Contains("nothing is shared yet: this school has approved no agreement") &&
                            Catch::Contains("agreement show borough, then: "));
  CHECK(agent.json({"sync"}, 4)["waiting_decisions"][0]["agreement"] == "borough");
  CHECK(hub.rows("pupil").empty());

  CHECK_THAT(approve(agent).out, Catch::Contains("the service has told the hub"));
  CHECK(hub.rows("pupil").size() == agreed_rows(agent, "pupil"));
  const Ended status = agent.call({"status"});
  CHECK(status.code == 0);
  CHECK_THAT(status.out, Catch::Contains("agreed (borough): borough version 1, until 2099-12-31; ") &&
                             Catch::Contains(" rows sent"));

  const Ended withdrawn = agent.call({"agreement", "withdraw", "borough", "--by", kBy});
  CHECK(withdrawn.code == 0);
  CHECK_THAT(withdrawn.out, Catch::Contains("the service has told the hub"));
  CHECK(hub.rows("pupil").empty());
  // That is as the school wants it.
  const Ended after = agent.call({"status"});
  CHECK(after.code == 0);
  CHECK_THAT(after.out, Catch::Contains("nothing is shared with the borough (agreement borough withdrawn)"));
  CHECK(agent.call({"sync"}).code == 0);
}

TEST_CASE("a service whose holidays file is away goes on, and it and status say so", "[service]") {
  const Folder folder;
  const std::string config = school(folder, "a", "100001", 30);
  folder.write("a/towpath.toml", content_of(config) + "[calendar]\nholidays_file = \"days.txt\"\n");
  const Ended checked = towpath(folder, config, {"config", "check"});
  CHECK(checked.code == 78);
  CHECK_THAT(checked.out + checked.err, Catch::Contains("calendar.holidays_file"));
  Service service(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  CHECK(towpath(folder, config, {"status"}).out.find("holidays are not known") != std::string::npos);
  std::chrono::milliseconds took{};
  CHECK(service.stop(took).err.find("goes on without holidays") != std::string::npos);
  folder.write("a/days.txt", "2026-12-19 to 2027-01-03\n");
  CHECK(towpath(folder, config, {"config", "check"}).code == 0);
  CHECK(towpath(folder, config, {"status"}).out.find("holidays are not known") == std::string::npos);
}

TEST_CASE("a service asked to stop in the middle of a big extract ends within 10 s, and nothing is lost",
          "[service]") {
  const Folder folder;
  const std::string config = school(folder, "a", "100001", 3000);
  Service service(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  Process extract(folder, {bin("towpath"), "--config", config, "extract"});
  REQUIRE(at_work(folder, config, "extract"));
  std::chrono::milliseconds took{};
  const Ended ended = service.stop(took);
  CHECK(took < std::chrono::seconds{10});
  CHECK(ended.code == 0);
  const Ended asked = extract.wait();
  INFO(asked.out << asked.err << ended.err);
  CHECK(asked.code == 1);
  CHECK(asked.err.find("stopped") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "a/data/control.sock"));
  // What had been begun is rolled back, and being stopped is no failure of the source.
  const Json status = towpath(folder, config, {"status", "--json"}).json();
  for (const Json& dataset : status["datasets"]) CHECK(dataset["rows"] == 0);
  for (const Json& source : status["sources"]) CHECK(source["problems"].empty());
  CHECK(towpath(folder, config, {"extract"}).code == 0);
}

TEST_CASE("what a killed service leaves is no obstacle, for a verb or for the next service", "[service]") {
  const Folder folder;
  const std::string config = school(folder, "a", "100001", 200);
  {
    Service service(folder, {config});
    REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
    service.process().kill(SIGKILL);
    (void)service.process().wait();
  }
  CHECK(fs::exists(folder / "a/data/control.sock"));
  CHECK(towpath(folder, config, {"extract"}).code == 0);
  CHECK(towpath(folder, config, {"status", "--json"}).json()["service"].is_null());
  Service again(folder, {config});
  CHECK(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  struct stat door {};
  REQUIRE(::stat((folder / "a/data/control.sock").c_str(), &door) == 0);
  CHECK((door.st_mode & 0777) == 0600);
}

TEST_CASE("of two schools, one with a broken file, the other is served; mended and reloaded, both are",
          "[service]") {
  const Folder folder;
  const std::string good = school(folder, "a", "100001", 100);
  const std::string bad = school(folder, "b", "100002", 100);
  folder.write("b/towpath.toml", content_of(bad) + "pupil = 7\n");
  Service service(folder, {good, bad});
  CHECK(towpath(folder, good, {"status", "--wait", "20", "--json"}).json()["service"]["schools"] == 2);
  CHECK(towpath(folder, good, {"extract"}).code == 0);
  school(folder, "b", "100002", 100);
  service.process().kill(SIGHUP);
  CHECK(towpath(folder, bad, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  CHECK(towpath(folder, bad, {"extract"}).code == 0);
  // Broken while it runs: what was in force stays, and status says so.
  folder.write("a/towpath.toml", content_of(good) + "pupil = 7\n");
  service.process().kill(SIGHUP);
  CHECK(towpath(folder, bad, {"extract"}).code == 0);
  std::chrono::milliseconds took{};
  const Ended ended = service.stop(took);
  CHECK(ended.err.find("What was in force before stays in force") != std::string::npos);
  CHECK(ended.err.find("unknown key 'pupil'") != std::string::npos);
}

TEST_CASE("where not one school can run, nothing is started and the exit code says why", "[service]") {
  const Folder folder;
  folder.write("broken.toml", "[school]\nurn = 1\n");
  const Ended broken = run(folder, {bin("towpath"), "run", "--config", folder / "broken.toml"});
  CHECK(broken.code == 78);
  CHECK(broken.err.find(folder / "broken.toml") != std::string::npos);
  CHECK(run(folder, {bin("towpath"), "run", "--config", folder / "none.toml"}).code == 78);
}

TEST_CASE("a second service for the same data folder says so, and the first goes on", "[service]") {
  const Folder folder;
  const std::string config = school(folder, "a", "100001", 50);
  Service first(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  const Ended second = run(folder, {bin("towpath"), "run", "--config", config});
  CHECK(second.code == 1);
  CHECK(second.err.find("another towpath service, process " + std::to_string(first.process().pid())) !=
        std::string::npos);
  CHECK(second.err.find(folder / "a/data") != std::string::npos);
  CHECK(towpath(folder, config, {"extract"}).code == 0);
}

TEST_CASE("a school that another service has is served by a second one only once the first has gone",
          "[service]") {
  const Folder folder;
  const std::string shared = school(folder, "a", "100001", 50);
  const std::string own = school(folder, "b", "100002", 50);
  Service first(folder, {shared});
  REQUIRE(towpath(folder, shared, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  Service second(folder, {shared, own});
  const Json other = towpath(folder, own, {"status", "--wait", "20", "--json"}).json();
  CHECK(other["service"]["pid"] == second.process().pid());
  CHECK(towpath(folder, shared, {"status", "--json"}).json()["service"]["pid"] == first.process().pid());
  std::chrono::milliseconds took{};
  CHECK(first.stop(took).code == 0);
  second.process().kill(SIGHUP);
  const Json taken = towpath(folder, shared, {"status", "--wait", "20", "--json"}).json();
  REQUIRE(taken["service"].is_object());
  CHECK(taken["service"]["pid"] == second.process().pid());
  CHECK(taken["service"]["items"].size() == 1);
  CHECK(second.stop(took).err.find("a/towpath.toml is not served here: another towpath service") !=
        std::string::npos);
}

TEST_CASE("a verb that asks a service hears that its configuration is older than the file", "[service]") {
  const Folder folder;
  const std::string config = school(folder, "a", "100001", 50);
  Service service(folder, {config});
  REQUIRE(towpath(folder, config, {"status", "--wait", "20", "--json"}).json()["service"].is_object());
  CHECK(towpath(folder, config, {"extract"}).err.find("older configuration") == std::string::npos);
  folder.write("a/towpath.toml", content_of(config) + "\n# changed\n");
  const Ended older = towpath(folder, config, {"extract"});
  CHECK(older.code == 0);
  CHECK(older.err.find("the service runs with an older configuration") != std::string::npos);
  CHECK(older.err.find("kill -HUP " + std::to_string(service.process().pid())) != std::string::npos);
}

}  // namespace
}  // namespace towpath::test
