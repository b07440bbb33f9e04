// The service in simulated time: a fake worker, a clock that a test moves, visitors at the door.
#include "agent/service/loop.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/service/control.hpp"
#include "tests/service/worlds.hpp"

namespace towpath {
namespace {

const LondonTime kLondon;

Instant wall(const std::string& text) {
  return kLondon.at(*Date::parse(text.substr(0, 10)),
                    std::stoi(text.substr(11, 2)) * 60 + std::stoi(text.substr(14, 2)));
}

// Takes a task; the test says when and how it ends.
class FakeWorker final : public Worker {
 public:
  [[nodiscard]] bool free() const override { return !task; }
  void start(Task one) override {
    REQUIRE_FALSE(task);
    task = std::move(one);
  }
  [[nodiscard]] std::string moves() const override { return "pupils, 20,000 rows"; }
  std::optional<Task> task;
};
class FakeDesk final : public Visitors {
 public:
  void say(std::uint64_t visitor, const std::string& line, bool last) override {
    (last ? answers : between)[visitor].push_back(line);
  }
  std::map<std::uint64_t, std::vector<std::string>> answers, between;
};

// A service with schools, its clock and what it did.
struct Simulation {
  SeededRandom random{2026};
  FakeWorker worker;
  FakeDesk desk;
  std::vector<std::string> log;
  Journal journal{[this](const std::string& line) { log.push_back(line); }};
  Instant now;
  Loop loop;
  struct Done {
    std::string school, what;
    Instant when;
  };
  std::vector<Done> done;
  // How the exchange of a school ends today; absent: well.
  std::map<std::string, Ending> ends;

  explicit Simulation(const std::string& start)
      : now(wall(start)),
        loop({kLondon,
              random,
              worker,
              desk,
              journal,
              "towpath test",
              {},
              [this](const std::string&) { return outdated; }},
             now) {}
  std::string outdated;  // what is said of a file that has changed since it was read

  static std::shared_ptr<const AgentConfig> school(const std::string& urn) {
    auto config = std::make_shared<AgentConfig>();
    config->file = "/etc/towpath/" + urn + ".toml";
    config->school_urn = urn;
    config->data = "/var/lib/towpath/" + urn;
    config->hub_url = "https://hub.example";
    config->sources.push_back({});
    config->sources.back().name = "mis";
    const auto add = [](std::vector<Window>& to, const char* text) {
      Window one;
      REQUIRE(config::read_window(text, one).empty());
      to.push_back(one);
    };
    add(config->schedule.extract, "mon-fri 05:30-07:00");
    add(config->schedule.exchange, "mon-fri 06:00-18:00 every 30 min");
    return config;
  }
  void add(const std::string& urn) { loop.put(school(urn), true, {}, now); }

  // The running task comes to its end.
  void finish(Ending ending = Ending::kDone) {
    REQUIRE(worker.task);
    const Task task = *std::exchange(worker.task, std::nullopt);
    done.push_back({task.config->school_urn, task.what(), now});
    TaskEnd end;
    end.id = task.id;
    end.ending = ending;
    end.sentence = std::string(name(ending));
    const Manners& manners = task.work == Work::kExtract ? kExtractManners : kExchangeManners;
    for (const auto& [item, before] : task.before)
      end.after.emplace(item, settle(before, ending, now, now, manners, seconds{300}, random));
    if (task.by_hand) {
      end.told.emplace();
      end.told->document = {{"schema_version", 1}};
      end.told->line("done by hand");
    }
    loop.ended(std::move(end), now);
  }
  // Lets time pass until something has been started.
  void wait_for_task() {
    for (Instant next = loop.step(now); !worker.task; next = loop.step(now)) now = next;
  }
  // Runs until then; each task takes no time and ends as `ends` says. Returns the number of steps.
  int run_until(Instant then) {
    int steps = 0;
    while (now < then) {
      const Instant next = loop.step(now);
      ++steps;
      if (worker.task) {
        const auto ending = ends.find(worker.task->config->school_urn);
        finish(worker.task->work == Work::kExchange && ending != ends.end() ? ending->second : Ending::kDone);
        continue;
      }
      REQUIRE(next > now);
      REQUIRE(next <= now + kLookLeast);
      now = std::min(next, then);
    }
    return steps;
  }
  [[nodiscard]] std::size_t count(const std::string& school_urn, const std::string& what) const {
    std::size_t n = 0;
    for (const Done& one : done) n += one.school == school_urn && one.what == what ? 1U : 0U;
    return n;
  }
};

TEST_CASE("a school that is new is read and sent within minutes, then on its windows") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  sim.run_until(wall("2026-11-23 12:11"));
  REQUIRE(sim.done.size() == 2);
  CHECK(sim.done[0].what == "extract mis");
  CHECK(sim.done[1].what == "exchange");
  sim.run_until(wall("2026-11-27 23:00"));
  CHECK(sim.count("100001", "extract mis") == 5);
  CHECK(sim.count("100001", "exchange") > 4 * 23);
  CHECK(sim.count("100001", "exchange") <= 5 * 24);
}

TEST_CASE("one school whose hub is down does not stop the others") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  sim.add("100002");
  sim.ends["100001"] = Ending::kFailed;
  sim.run_until(wall("2026-11-24 12:00"));
  CHECK(sim.count("100002", "exchange") >= 20);
  CHECK(sim.count("100002", "extract mis") == 2);
  // The failing one is tried, ever more rarely, and its own sources are read.
  CHECK(sim.count("100001", "exchange") >= 10);
  CHECK(sim.count("100001", "exchange") <= 40);
  CHECK(sim.count("100001", "extract mis") == 2);
  sim.ends.clear();
  const std::size_t before = sim.count("100001", "exchange");
  sim.run_until(wall("2026-11-24 13:01"));
  CHECK(sim.count("100001", "exchange") > before);
}

TEST_CASE("what the journal says of a line that is down for a week is some lines a day") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  sim.ends["100001"] = Ending::kFailed;
  sim.run_until(wall("2026-11-30 12:00"));
  std::size_t lines = 0;
  for (const std::string& line : sim.log)
    lines += line.find("exchange: failed") != std::string::npos ? 1U : 0U;
  CHECK(lines >= 5);
  CHECK(lines <= 30);
}

TEST_CASE("a busy data folder is tried again within a minute") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  sim.wait_for_task();
  sim.finish(Ending::kBusy);
  const Instant busy = sim.now;
  sim.wait_for_task();
  CHECK(sim.now - busy <= minutes{1});
}

TEST_CASE("what a person asks for comes before the schedule, waits its turn and is answered once") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  const std::string file = Simulation::school("100001")->file;
  sim.wait_for_task();
  CHECK_FALSE(sim.worker.task->by_hand);
  sim.loop.ask(1, file, control::request_line({control::Verb::kSync, {}, "towpath"}), sim.now);
  sim.loop.ask(2, file,
               control::request_line({control::Verb::kExtract, {{"mis"}, true, false}, "towpath -x"}),
               sim.now);
  for (int i = 0; i < 5; ++i) {
    sim.now += kHeartbeat;
    (void)sim.loop.step(sim.now);
  }
  CHECK(sim.desk.between[1].size() >= 4);  // it hears that the service lives
  CHECK(sim.desk.answers.empty());
  sim.finish();
  (void)sim.loop.step(sim.now);
  REQUIRE(sim.worker.task);
  CHECK(sim.worker.task->work == Work::kExchange);
  CHECK(sim.worker.task->by_hand);
  sim.finish();
  (void)sim.loop.step(sim.now);
  REQUIRE(sim.worker.task);
  CHECK(sim.worker.task->wish.accept_deletions);
  CHECK(sim.worker.task->program == "towpath -x");
  CHECK(sim.worker.task->before.count("source mis") == 1);
  sim.finish();
  CHECK(sim.desk.answers[1].size() == 1);
  CHECK(control::read_answer(sim.desk.answers[2].at(0))->told->lines.at(0) == "done by hand");
  // What was done by hand need not be done again in this window.
  (void)sim.loop.step(sim.now);
  CHECK_FALSE(sim.worker.task);
}

TEST_CASE(
    "who asks a service whose configuration file has changed since is told so, and that is no failure") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  const std::string file = Simulation::school("100001")->file;
  sim.outdated = "the service runs with an older configuration";
  sim.wait_for_task();
  sim.finish();
  sim.loop.ask(1, file, control::request_line({control::Verb::kSync, {}, "towpath"}), sim.now);
  (void)sim.loop.step(sim.now);
  sim.finish();
  const auto told = control::read_answer(sim.desk.answers[1].at(0))->told;
  CHECK(told->errors == std::vector<std::string>{sim.outdated});
  CHECK(told->document["older_configuration"] == sim.outdated);
  CHECK(told->exit_code == 0);
}

TEST_CASE("a flood of requests and words that mean nothing are answered with a refusal") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  const std::string file = Simulation::school("100001")->file;
  sim.wait_for_task();
  for (std::uint64_t visitor = 1; visitor <= kAskedMax + 3; ++visitor)
    sim.loop.ask(visitor, file, control::request_line({control::Verb::kSync, {}, "towpath"}), sim.now);
  CHECK(sim.desk.answers.size() == 3);
  sim.loop.ask(99, file, "let me in", sim.now);
  CHECK(control::read_answer(sim.desk.answers[99].at(0))->told->exit_code == 2);
  sim.loop.ask(100, "/elsewhere.toml", control::request_line({control::Verb::kSync, {}, "towpath"}), sim.now);
  CHECK(sim.desk.answers.contains(100));
}

TEST_CASE("stopping answers who waits and starts nothing more") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  const std::string file = Simulation::school("100001")->file;
  sim.wait_for_task();
  sim.loop.ask(1, file, control::request_line({control::Verb::kSync, {}, "towpath"}), sim.now);
  sim.loop.stop(sim.now);
  CHECK(sim.desk.answers[1].size() == 1);
  sim.finish(Ending::kStopped);
  sim.now += hours{24};
  (void)sim.loop.step(sim.now);
  CHECK_FALSE(sim.worker.task);
  sim.loop.ask(2, file, control::request_line({control::Verb::kSync, {}, "towpath"}), sim.now);
  CHECK(sim.desk.answers[2].size() == 1);
}

TEST_CASE("status tells what runs, what comes next and what is wrong with the file") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  const std::string file = Simulation::school("100001")->file;
  sim.wait_for_task();
  auto status = sim.loop.status(file, sim.now);
  CHECK(status["task"]["what"] == "extract mis");
  CHECK(status["items"].size() == 2);
  CHECK(status["items"][0]["item"] == "exchange");
  CHECK(status["items"][0]["next"].is_string());
  sim.finish();
  sim.loop.problem(file, "line 3: unknown key", sim.now);
  status = sim.loop.status(file, sim.now);
  CHECK(status["task"].is_null());
  CHECK(status["config_problem"] == "line 3: unknown key");
  CHECK(sim.loop.summary(sim.now).find("1 with a configuration that cannot be used") != std::string::npos);
  // What was in force goes on.
  sim.run_until(wall("2026-11-24 12:00"));
  CHECK(sim.count("100001", "extract mis") == 2);
  sim.loop.drop(file);
  CHECK(sim.loop.status(file, sim.now)["config_problem"] == "not in service");
}

TEST_CASE("a changed configuration keeps what is remembered and takes the new windows") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  sim.run_until(wall("2026-11-23 13:00"));
  const std::size_t before = sim.done.size();
  auto changed = std::make_shared<AgentConfig>(*Simulation::school("100001"));
  changed->schedule.exchange.clear();
  sim.loop.put(changed, true, {}, sim.now);
  sim.run_until(wall("2026-11-23 18:00"));
  CHECK(sim.done.size() == before);
  sim.run_until(wall("2026-11-24 12:00"));
  CHECK(sim.done.size() == before + 1);
}

TEST_CASE("a file that is read again every few minutes keeps nothing from being begun") {
  Simulation sim("2026-11-23 12:00");
  for (int i = 0; i < 12; ++i) {
    sim.add("100001");
    sim.run_until(sim.now + minutes{5});
  }
  CHECK(sim.count("100001", "extract mis") == 1);
  CHECK(sim.count("100001", "exchange") >= 2);
}

TEST_CASE("work that takes longer than its windows leave keeps no other from its turn") {
  Simulation sim("2026-11-23 08:00");
  auto tight = std::make_shared<AgentConfig>(*Simulation::school("100001"));
  REQUIRE(config::read_window("00:00-24:00 every 5 min", tight->schedule.extract.front()).empty());
  sim.loop.put(tight, true, {}, sim.now);
  sim.add("100002");
  while (sim.now < wall("2026-11-23 18:00")) {
    sim.wait_for_task();
    const bool long_one = sim.worker.task->config == tight && sim.worker.task->work == Work::kExtract;
    sim.now += long_one ? minutes{7} : minutes{1};
    sim.finish();
  }
  // Neither the other school nor its own exchange; nine hours and a half of half-hour slots.
  CHECK(sim.count("100002", "exchange") >= 18);
  CHECK(sim.count("100001", "exchange") >= 18);
  CHECK(sim.count("100001", "extract mis") >= 30);
}

TEST_CASE("a clock that stands still before something is due is not looked at without end") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  Instant next = sim.loop.step(sim.now);
  while (next - sim.now >= kLookLeast) {
    sim.now = next;
    next = sim.loop.step(sim.now);
  }
  sim.now = next - std::chrono::milliseconds{1};
  CHECK(sim.loop.step(sim.now) == next);
  CHECK(sim.loop.step(sim.now) == sim.now + kStoodStill);
  sim.now = next;
  (void)sim.loop.step(sim.now);
  CHECK(sim.worker.task);
}

TEST_CASE("who asks without end does not keep the schedule from its work") {
  Simulation sim("2026-11-23 08:00");
  sim.add("100001");
  sim.add("100002");
  for (std::uint64_t visitor = 1; sim.now < wall("2026-11-23 12:00"); ++visitor) {
    sim.loop.ask(visitor, "/etc/towpath/100001.toml", "{\"ask\":\"sync\"}", sim.now);
    (void)sim.loop.step(sim.now);
    sim.now += seconds{30};
    if (visitor % 2 == 0 && sim.worker.task) sim.finish();
  }
  CHECK(sim.count("100002", "extract mis") == 1);
  CHECK(sim.count("100002", "exchange") >= 6);
}

TEST_CASE("a clock set back or forward by days leaves the service at its pace") {
  Simulation sim("2026-11-23 12:00");
  sim.add("100001");
  sim.run_until(wall("2026-11-23 13:00"));
  sim.now = wall("2026-11-16 09:00");
  std::size_t before = sim.count("100001", "exchange");
  int steps = sim.run_until(wall("2026-11-16 11:00"));
  CHECK(sim.count("100001", "exchange") - before >= 3);
  CHECK(sim.count("100001", "exchange") - before <= 6);
  CHECK(steps < 200);
  sim.now = wall("2026-12-14 09:00");
  before = sim.count("100001", "exchange");
  steps = sim.run_until(wall("2026-12-14 11:00"));
  CHECK(sim.count("100001", "exchange") - before >= 3);
  CHECK(sim.count("100001", "exchange") - before <= 6);
  CHECK(steps < 200);
}

TEST_CASE("other words each time about one thing are some lines an hour, and the rest is counted") {
  std::vector<std::string> lines;
  Journal journal([&](const std::string& line) { lines.push_back(line); });
  Instant now = wall("2026-11-23 12:00");
  for (int i = 0; i < 120; ++i, now += seconds{30})
    journal.say(now, "100001 exchange", "process " + std::to_string(i) + " has the folder");
  CHECK(lines.size() == static_cast<std::size_t>(kLinesAnHour));
  journal.say(now, "100002 exchange", "fine");
  journal.say(now, "100001 exchange", "both ends equal");
  CHECK(lines.size() == static_cast<std::size_t>(kLinesAnHour) + 2);
  CHECK(lines.back() == "100001 exchange: both ends equal (and 114 other lines since 2026-11-23T12:02Z)");
}

TEST_CASE("the journal holds its tongue when everything goes wrong at once") {
  std::vector<std::string> lines;
  Journal journal([&](const std::string& line) { lines.push_back(line); });
  const Instant now = wall("2026-11-23 12:00");
  for (int i = 0; i < 10'000; ++i) journal.say(now, "school " + std::to_string(i), "trouble");
  CHECK(lines.size() == static_cast<std::size_t>(kLinesAMinute));
  journal.say(now + minutes{2}, "school 1", "fine");
  CHECK(lines.size() == static_cast<std::size_t>(kLinesAMinute) + 2);
  CHECK(lines[static_cast<std::size_t>(kLinesAMinute)].find("9940 lines were left out") != std::string::npos);
}

}  // namespace
}  // namespace towpath
