#include "agent/service/run.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "agent/service/control.hpp"
#include "agent/service/loop.hpp"
#include "agent/service/perform.hpp"
#include "platform/daemon.hpp"
#include "platform/doorway.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;
using platform::Doorway;
using platform::steady_now;

class WallTime final : public CivilTime {
 public:
  [[nodiscard]] Instant at(Date day, int minute) const override {
    return platform::local_instant(day, minute);
  }
  [[nodiscard]] Date date(Instant instant) const override { return platform::local_date(instant); }
};

// The thread that works. Everything that the two threads share is in here, under one mutex, but for
// the flag and the beat.
class ThreadWorker final : public Worker, public Watcher {
 public:
  ThreadWorker(Clock& clock, Random& random, std::function<void()> wake)
      : clock_(clock), random_(random), wake_(std::move(wake)), thread_([this] { work(); }) {}
  ThreadWorker(const ThreadWorker&) = delete;
  ThreadWorker& operator=(const ThreadWorker&) = delete;
  ~ThreadWorker() override {
    ask_to_stop();
    thread_.join();
  }

  [[nodiscard]] bool free() const override {
    const std::lock_guard lock(mutex_);
    return !task_ && !busy_;
  }
  void start(Task task) override {
    beat_.store(steady_now().count());
    const std::lock_guard lock(mutex_);
    moves_.clear();
    task_ = std::move(task);
    changed_.notify_all();
  }
  [[nodiscard]] std::string moves() const override {
    const std::lock_guard lock(mutex_);
    return moves_;
  }
  // From the work itself.
  void moves(const std::string& line) override {
    beat_.store(steady_now().count());
    const std::lock_guard lock(mutex_);
    moves_ = line;
  }

  [[nodiscard]] std::vector<TaskEnd> ends() {
    const std::lock_guard lock(mutex_);
    return std::exchange(ends_, {});
  }
  // Nothing to do, or shown to move not long ago.
  [[nodiscard]] bool lives() const {
    return free() || steady_now() - std::chrono::milliseconds{beat_.load()} < kWorkerPatience;
  }
  void ask_to_stop() {
    stop_.store(true);
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  // True: it has come to its end, and joining it takes no time.
  [[nodiscard]] bool over() const {
    const std::lock_guard lock(mutex_);
    return over_;
  }

 private:
  void work() {
    for (;;) {
      std::optional<Task> task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return task_ || stop_.load(); });
        if (!task_) {
          over_ = true;
          break;
        }
        task.swap(task_);
        busy_ = true;
      }
      TaskEnd end;
      try {
        end = perform(*task, {clock_, random_, &stop_, this, task->program});
      } catch (const std::exception& error) {
        // Out of memory, or a promise broken by a library: the store rolls back by itself.
        end = failed(*task, error.what());
      }
      {
        const std::lock_guard lock(mutex_);
        busy_ = false;
        ends_.push_back(std::move(end));
      }
      wake_();
    }
    wake_();
  }
  TaskEnd failed(const Task& task, const std::string& what) {
    TaskEnd end;
    end.id = task.id;
    end.ending = Ending::kFailed;
    end.sentence = "stopped: " + what;
    const Instant now = clock_.now();
    for (const auto& [name, before] : task.before)
      end.after.emplace(name, after_failure(before, now, now, kExtractManners, random_));
    if (task.by_hand) end.told = cli::told(Error{Code::kInternal, end.sentence});
    return end;
  }

  Clock& clock_;
  Random& random_;
  std::function<void()> wake_;
  StopFlag stop_{false};
  std::atomic<std::int64_t> beat_{0};  // steady milliseconds
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Task> task_;
  bool busy_ = false, over_ = false;
  std::string moves_;
  std::vector<TaskEnd> ends_;
  std::thread thread_;  // last: everything it uses is there
};

class DoorDesk final : public Visitors {
 public:
  explicit DoorDesk(Doorway& doorway) : doorway_(doorway) {}
  void say(std::uint64_t visitor, const std::string& line, bool last) override {
    doorway_.say(visitor, line, last);
  }

 private:
  Doorway& doorway_;
};

// The files that are meant now, each once.
std::vector<std::string> files_of(const std::vector<std::string>& configs) {
  std::vector<std::string> out;
  const auto add = [&](const fs::path& path) {
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error).lexically_normal();
    const std::string file = error ? path.string() : absolute.string();
    if (std::find(out.begin(), out.end(), file) == out.end() && out.size() < kSchoolsMax) out.push_back(file);
  };
  for (const std::string& config : configs) {
    std::error_code error;
    if (!fs::is_directory(config, error)) {
      add(config);
      continue;
    }
    std::vector<fs::path> found;
    for (fs::directory_iterator at(config, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".toml") found.push_back(at->path());
    std::sort(found.begin(), found.end());
    for (const fs::path& path : found) add(path);
  }
  return out;
}

// Empty where it cannot be read.
std::string content_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Service {
 public:
  Service(const RunOptions& options, Clock& clock, Random& random, Doorway& doorway)
      : options_(options),
        clock_(clock),
        doorway_(doorway),
        desk_(doorway),
        journal_(options.log),
        worker_(clock, random, [&doorway] { doorway.wake(); }),
        loop_({wall_, random, worker_, desk_, journal_, options.software, [] { return process(); },
               [this](const std::string& file) { return outdated(file); }},
              clock.now()) {}

  Result<void> run() {
    if (!read_configurations() && schools_.empty()) {
      std::string problems;
      for (const auto& [file, problem] : broken_) problems += (problems.empty() ? "" : "\n") + problem;
      return fail(Code::kConfig, broken_.empty() ? "no configuration was found" : problems,
                  broken_.empty() ? "Put a *.toml into /etc/towpath, or name one with --config"
                                  : "Nothing was started. Check it: towpath --config FILE config check");
    }
    if (served_.empty()) {
      std::string why;
      for (const auto& [file, problem] : broken_) why += (why.empty() ? "" : "\n") + problem;
      for (const auto& [file, problem] : taken_) why += (why.empty() ? "" : "\n") + problem;
      return fail(Code::kBusy, why,
                  "Nothing was started. Each data folder has one service: towpath --config FILE status");
    }
    platform::be_a_guest();
    tell_manager("READY=1\n");
    journal_.say(clock_.now(), "service", options_.software + " runs; " + loop_.summary(clock_.now()));
    for (;;) {
      const Instant now = clock_.now();
      const Instant next = loop_.step(now);
      tell_manager({});
      auto wait =
          std::chrono::duration_cast<std::chrono::milliseconds>(next - now) + std::chrono::milliseconds{1};
      if (const auto patience = platform::watchdog_patience(); patience.count() > 0)
        wait = std::min(wait, patience / 3);
      if (!waiting_.empty()) wait = std::min<std::chrono::milliseconds>(wait, std::chrono::seconds{20});
      Doorway::Came came = doorway_.wait(std::max(wait, std::chrono::milliseconds{0}));
      for (TaskEnd& end : worker_.ends()) {
        loop_.ended(std::move(end), clock_.now());
        platform::give_memory_back();
      }
      for (const Doorway::Visit& visit : came.visits)
        if (const auto file = doors_.find(visit.door); file != doors_.end())
          loop_.ask(visit.visitor, file->second, visit.line, clock_.now());
      if (came.stop) return stop();
      look_for_enrolment();
      if (came.reload) {
        platform::notify_manager("RELOADING=1");
        (void)read_configurations();
        tell_manager("READY=1\n");
      } else if (!waiting_.empty()) {
        open_doors();
      }
    }
  }

 private:
  static nlohmann::ordered_json process() {
    return {{"pid", platform::process_id()},
            {"memory_bytes", platform::memory_bytes()},
            {"peak_memory_bytes", platform::peak_memory_bytes()},
            {"cpu_seconds", platform::cpu_seconds()}};
  }

  // Takes over what the files say now. False: not one of them can be used.
  bool read_configurations() {
    const Instant now = clock_.now();
    const std::vector<std::string> files = files_of(options_.configs);
    for (const auto& [file, why] : std::exchange(broken_, {}))
      if (!schools_.contains(file) && std::find(files.begin(), files.end(), file) == files.end())
        loop_.drop(file);
    std::map<std::string, std::string> folders;  // data folder -> whose
    for (const auto& [file, config] : schools_)
      if (std::find(files.begin(), files.end(), file) != files.end()) folders.emplace(config->data, file);
    for (const std::string& file : files) {
      // Before it is read: what is written meanwhile counts as newer.
      std::string content = content_of(file);
      auto config = options_.load(file);
      std::string problem;
      if (!config) {
        problem = config.error().front().sentence(file);
        if (config.error().size() > 1)
          problem += " (and " + std::to_string(config.error().size() - 1) + " more)";
      } else if (const auto owner = folders.emplace(config->data, file); owner.first->second != file) {
        problem = file + ": agent.data is " + config->data + ", which is the folder of " +
                  owner.first->second + ". Give each school a data folder of its own";
      }
      if (!problem.empty()) {
        broken_.emplace(file, problem);
        loop_.problem(file,
                      problem + (schools_.contains(file) ? ". What was in force before stays in force" : ""),
                      now);
        continue;
      }
      loop_.problem(file, {}, now);
      auto shared = std::make_shared<const AgentConfig>(std::move(*config));
      if (const auto old = schools_.find(file); old != schools_.end() && old->second->data != shared->data)
        close_door(file);
      schools_.insert_or_assign(file, shared);
      contents_.insert_or_assign(file, std::move(content));
      served_.erase(file);
      if (has_door(file))
        put(shared, now);
      else
        waiting_.insert(file);
    }
    for (auto school = schools_.begin(); school != schools_.end();) {
      if (std::find(files.begin(), files.end(), school->first) != files.end()) {
        ++school;
        continue;
      }
      close_door(school->first);
      loop_.drop(school->first);
      served_.erase(school->first);
      contents_.erase(school->first);
      school = schools_.erase(school);
    }
    open_doors();
    return !schools_.empty();
  }

  void put(const std::shared_ptr<const AgentConfig>& config, Instant now) {
    const bool to_hub = speaks_to_hub(*config);
    if (to_hub)
      hubless_.erase(config->file);
    else
      hubless_.insert(config->file);
    loop_.put(config, to_hub, remembered(*config), now);
    served_.insert(config->file);
  }
  // Empty: the file is as it was read, or cannot be read now, which a reload would say.
  [[nodiscard]] std::string outdated(const std::string& file) const {
    const auto read = contents_.find(file);
    const std::string now = content_of(file);
    if (read == contents_.end() || now.empty() || now == read->second) return {};
    return "the service runs with an older configuration: " + file +
           " has changed since it was read. Next: systemctl reload towpath, or kill -HUP " +
           std::to_string(platform::process_id());
  }
  // A school that is enrolled while the service runs is sent from then on.
  void look_for_enrolment() {
    for (const auto& [file, config] : schools_)
      if (served_.contains(file) && hubless_.contains(file) && speaks_to_hub(*config))
        put(config, clock_.now());
  }

  [[nodiscard]] bool has_door(const std::string& file) const {
    return std::any_of(doors_.begin(), doors_.end(), [&](const auto& door) { return door.second == file; });
  }
  // A school begins to be served here. One whose folder another service has is not, until that has
  // gone; one whose folder is on a disk that is not there yet says so at each of its windows. Both
  // are tried again.
  void open_doors() {
    for (auto file = waiting_.begin(); file != waiting_.end();) {
      const auto school = schools_.find(*file);
      if (school == schools_.end()) {
        taken_.erase(*file);
        file = waiting_.erase(file);
        continue;
      }
      const AgentConfig& config = *school->second;
      Result<Doorway::Door> door = fail(Code::kInternal, "");
      if (auto made = platform::make_private_folder(config.data); !made)
        door = fail(std::move(made).error());
      else
        door = doorway_.open((fs::path(config.data) / control::kSocketName).string());
      if (!door) {
        if (door.error().code() == Code::kBusy) {
          loop_.drop(*file);
          served_.erase(*file);
          taken_.insert_or_assign(*file, *file + " is not served here: " + door.error().what());
          loop_.problem(*file, taken_.at(*file) + ". " + door.error().next(), clock_.now());
        } else {
          taken_.erase(*file);
          if (!served_.contains(*file)) put(school->second, clock_.now());
          loop_.problem(*file, door.error().sentence(), clock_.now());
        }
        ++file;
        continue;
      }
      taken_.erase(*file);
      if (!served_.contains(*file)) put(school->second, clock_.now());
      loop_.problem(*file, {}, clock_.now());
      doors_.emplace(*door, *file);
      file = waiting_.erase(file);
    }
  }
  void close_door(const std::string& file) {
    for (auto door = doors_.begin(); door != doors_.end();) {
      if (door->second != file) {
        ++door;
        continue;
      }
      doorway_.close(door->first);
      door = doors_.erase(door);
    }
    waiting_.erase(file);
  }

  void tell_manager(const std::string& first) {
    const std::string status = loop_.summary(clock_.now());
    std::string lines = first;
    if (status != told_status_ || !first.empty()) lines += "STATUS=" + status + "\n";
    told_status_ = status;
    // A worker that hangs is what a watchdog is for.
    if (platform::watchdog_patience().count() > 0 && worker_.lives()) lines += "WATCHDOG=1\n";
    if (!lines.empty()) platform::notify_manager(lines);
  }

  Result<void> stop() {
    platform::notify_manager("STOPPING=1\nSTATUS=stopping");
    loop_.stop(clock_.now());
    worker_.ask_to_stop();
    const auto until = steady_now() + kStopWithin;
    while (!worker_.over() && steady_now() < until) {
      (void)doorway_.wait(std::min(until - steady_now(), std::chrono::milliseconds{200}));
      for (TaskEnd& end : worker_.ends()) loop_.ended(std::move(end), clock_.now());
    }
    for (TaskEnd& end : worker_.ends()) loop_.ended(std::move(end), clock_.now());
    // What was said last is on its way.
    (void)doorway_.wait(std::chrono::milliseconds{0});
    if (!worker_.over()) {
      // A source on a share that does not answer, as a rule. What it had not committed rolls back.
      options_.log("service: what was running did not end within " + std::to_string(kStopWithin.count()) +
                   " s; ended without it");
      for (const auto& [door, file] : doors_) doorway_.close(door);
      platform::end_now(0);
    }
    options_.log("service: stopped");
    return {};
  }

  const RunOptions& options_;
  Clock& clock_;
  Doorway& doorway_;
  WallTime wall_;
  DoorDesk desk_;
  Journal journal_;
  ThreadWorker worker_;
  Loop loop_;
  std::map<std::string, std::shared_ptr<const AgentConfig>> schools_;  // by file: what is in force
  std::map<std::string, std::string> broken_;                          // files that cannot be used now
  std::map<Doorway::Door, std::string> doors_;
  std::set<std::string> hubless_;                // schools that have no hub, yet
  std::set<std::string> waiting_;                // schools whose door is not open yet
  std::set<std::string> served_;                 // schools that the loop works for
  std::map<std::string, std::string> taken_;     // schools that another service serves: its sentence
  std::map<std::string, std::string> contents_;  // files as they were read
  std::string told_status_;
};

}  // namespace

Result<void> run_service(const RunOptions& options, Clock& clock, Random& random) {
  auto doorway = Doorway::make();
  if (!doorway) return fail(std::move(doorway).error());
  Service service(options, clock, random, *doorway);
  return service.run();
}

}  // namespace towpath
