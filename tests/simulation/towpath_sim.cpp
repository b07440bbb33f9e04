// The program: many worlds, or the one of a report.
//
// Each seed is lived in a process of its own, so that one that ends in an assertion or under a
// sanitizer is told of with its seed and does not end the others. This file is the only one of the
// simulation that looks at a real clock, or at real chance.
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/simulation/plan.hpp"
#include "tests/simulation/shrink.hpp"

namespace {

using namespace towpath::sim;
using nlohmann::json;

// Exit codes, as --help's reader expects them.
constexpr int kHeld = 0, kBroke = 1, kUsage = 2;

struct Lived {
  Outcome outcome;
  double cpu_seconds = 0;
};

// A line each: the events as they happen, then the rest.
std::string text(const Event& event) {
  return json{event.day, event.school ? json(*event.school) : json(),
              event.mishap ? json(static_cast<unsigned>(*event.mishap)) : json(), event.what}
             .dump(-1, ' ', false, json::error_handler_t::replace) +
         "\n";
}
Event event_from(const json& j) {
  Event event;
  event.day = j[0];
  if (!j[1].is_null()) event.school = j[1].get<unsigned>();
  if (!j[2].is_null()) event.mishap = static_cast<Mishap>(j[2].get<unsigned>());
  event.what = j[3];
  return event;
}
std::string text(const Lived& lived) {
  const Outcome& o = lived.outcome;
  return json{{"broke", o.broke ? json(*o.broke) : json()},
              {"promise", static_cast<unsigned>(o.promise)},
              {"day", o.where.day},
              {"school", o.where.school ? json(*o.where.school) : json()},
              {"trace_hash", o.trace_hash},
              {"syncs", o.syncs},
              {"cpu_seconds", lived.cpu_seconds}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}
// What is cut off, as a process that died leaves it, ends it. True: it is whole.
bool read(const std::string& text, Lived& lived) {
  Outcome& o = lived.outcome;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const json j = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                               text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    at = end + 1;
    if (j.is_array()) {
      o.events.push_back(event_from(j));
      continue;
    }
    if (!j.is_object()) return false;
    if (!j["broke"].is_null()) o.broke = j["broke"].get<std::string>();
    o.promise = static_cast<Promise>(j["promise"].get<unsigned>());
    o.where.day = j["day"];
    if (!j["school"].is_null()) o.where.school = j["school"].get<unsigned>();
    o.trace_hash = j["trace_hash"];
    o.syncs = j["syncs"];
    lived.cpu_seconds = j["cpu_seconds"];
    return true;
  }
  return false;
}

// What a process said last: the assertion that failed, or a sanitizer's first line.
std::string last_words(const std::string& said) {
  for (std::size_t at = 0; at < said.size();) {
    const std::size_t end = std::min(said.find('\n', at), said.size());
    std::string line = said.substr(at, end - at);
    at = end + 1;
    if (line.find("ERROR: ") == std::string::npos && line.find("error: ") == std::string::npos &&
        line.find("ssert") == std::string::npos)
      continue;
    std::replace(line.begin(), line.end(), ':', ',');  // all of it says which check it was
    return line.substr(0, line.find(" on address"));
  }
  return "nothing";
}

Lived live_here(const WorldOptions& options, const Watching& watching = {}) {
  const std::clock_t begun = std::clock();
  Outcome outcome = live(options, watching);
  return {std::move(outcome), static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC};
}

std::string read_all(std::FILE* file) {
  std::string all;
  std::rewind(file);
  char piece[4096];
  while (const std::size_t n = std::fread(piece, 1, sizeof piece, file)) all.append(piece, n);
  return all;
}

// A world that is being lived in another process.
class Elsewhere {
 public:
  explicit Elsewhere(const WorldOptions& options) : result_(std::tmpfile()), said_(std::tmpfile()) {
    if (result_ == nullptr || said_ == nullptr) throw std::runtime_error("no temporary file can be made");
    std::fflush(nullptr);
    process_ = fork();
    if (process_ < 0)
      throw std::runtime_error(std::string("no process can be made: ") + std::strerror(errno));
    if (process_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would read what it says
    dup2(fileno(said_), STDERR_FILENO);
    const auto put = [this](const std::string& line) {
      std::fwrite(line.data(), 1, line.size(), result_);
      std::fflush(result_);  // whatever comes next
    };
    put(text(live_here(options, {[&](const Event& event) { put(text(event)); }, {}})));
    std::fflush(nullptr);
    _exit(0);
  }
  ~Elsewhere() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
    std::fclose(result_);
    std::fclose(said_);
  }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;

  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] Lived end() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    return ended(status);
  }
  // Once it has been waited for.
  [[nodiscard]] Lived ended(int status) {
    process_ = -1;
    Lived lived;
    if (read(read_all(result_), lived) && WIFEXITED(status) && WEXITSTATUS(status) == 0) return lived;
    Outcome& o = lived.outcome;
    const std::string said = read_all(said_);
    o.broke = "the program ends " +
              (WIFSIGNALED(status) ? "by signal " + std::string(strsignal(WTERMSIG(status)))
                                   : "with code " + std::to_string(WEXITSTATUS(status))) +
              " and says " + last_words(said);
    o.promise = Promise::kSound;
    if (!o.events.empty()) o.where = {o.events.back().day, o.events.back().school, {}, {}};
    return lived;
  }

 private:
  std::FILE *result_, *said_;
  pid_t process_ = -1;
};

struct Tally {
  std::uint64_t seeds = 0, broken = 0, school_days = 0, syncs = 0, events = 0;
  double cpu_seconds = 0;
  // Worlds that broke are not counted as lived.
  void add(const WorldOptions& options, const Lived& lived) {
    ++seeds;
    if (lived.outcome.broke) ++broken;
    school_days += (options.only_schools.empty() ? options.schools : options.only_schools.size()) *
                   std::min(options.days, lived.outcome.where.day);
    syncs += lived.outcome.syncs;
    events += lived.outcome.events.size();
    cpu_seconds += lived.cpu_seconds;
  }
  void print() const {
    std::printf(
        "%llu seeds, %llu broken, %llu school-days, %llu syncs, %llu events, %.0f school-days a CPU second\n",
        static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(broken),
        static_cast<unsigned long long>(school_days), static_cast<unsigned long long>(syncs),
        static_cast<unsigned long long>(events),
        cpu_seconds > 0 ? static_cast<double>(school_days) / cpu_seconds : 0);
  }
};

class Runner {
 public:
  explicit Runner(const Plan& plan) : plan_(plan) {}

  int run() {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::minutes(plan_.minutes);
    std::uint64_t seed = plan_.first ? *plan_.first : std::random_device{}();
    if (plan_.minutes > 0) {
      std::printf("seeds from %llu on, for %u minutes\n", static_cast<unsigned long long>(seed),
                  plan_.minutes);
      std::fflush(stdout);
    }
    auto more = [&, left = plan_.count]() mutable {
      if (plan_.stop_at_first && tally_.broken > 0) return false;
      if (plan_.minutes > 0) return Clock::now() < end;
      return left > 0 && left-- > 0;
    };
    if (plan_.in_process || plan_.common.print) {
      for (; more(); ++seed) take(plan_.world(seed), one(plan_.world(seed)));
    } else {
      for (;;) {
        while (running_.size() < plan_.jobs && more()) {
          auto world = std::make_unique<Elsewhere>(plan_.world(seed));
          const pid_t process = world->process();
          running_.emplace(process, std::pair{seed++, std::move(world)});
        }
        if (running_.empty()) break;
        int status = 0;
        const pid_t process = waitpid(-1, &status, 0);
        const auto found = running_.find(process);
        if (found == running_.end()) continue;
        auto [its_seed, world] = std::move(found->second);
        running_.erase(found);
        take(plan_.world(its_seed), world->ended(status));
      }
    }
    // Once more at the end, where a person looks first.
    for (const std::string& command : broken_) std::printf("broken: %s\n", command.c_str());
    tally_.print();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw std::runtime_error("what was found cannot be written to the standard output");
    return tally_.broken > 0 ? kBroke : kHeld;
  }

 private:
  Lived one(const WorldOptions& options) {
    return plan_.in_process ? live_here(options) : Elsewhere(options).end();
  }

  void take(const WorldOptions& options, const Lived& lived) {
    tally_.add(options, lived);
    if (plan_.trace_hash)
      std::printf("seed %llu: %016llx\n", static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(lived.outcome.trace_hash));
    if (!lived.outcome.broke) return;
    std::string command = "towpath-sim " + options.text();
    std::string told = report(options, lived.outcome);
    if (plan_.shrink) {
      std::printf("seed %llu breaks: %s\n", static_cast<unsigned long long>(options.seed),
                  lived.outcome.broke->c_str());
      std::fflush(stdout);
      const Smaller small = shrink(options, lived.outcome, [&](WorldOptions candidate) {
        candidate.print = false;
        return one(candidate).outcome;
      });
      told = report(small, options);
      command = "towpath-sim " + small.options.text() + "   (smaller than seed " +
                std::to_string(options.seed) + "'s)";
    }
    broken_.push_back(std::move(command));
    std::printf("%s", told.c_str());
    std::fflush(stdout);
  }

  const Plan& plan_;
  Tally tally_;
  std::vector<std::string> broken_;
  std::map<pid_t, std::pair<std::uint64_t, std::unique_ptr<Elsewhere>>> running_;
};

}  // namespace

int main(int argc, char** argv) {
  // Disks in memory are large and short-lived: giving them back to the system each time costs more than
  // anything that is done with them.
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  const auto plan = read_plan({argv + 1, argv + argc});
  if (!plan) {
    std::fprintf(stderr, "towpath-sim: %s\n", plan.error().sentence().c_str());
    return kUsage;
  }
  if (!plan->help.empty() || plan->list_faults) {
    std::printf("%s", (plan->help.empty() ? fault_table() : plan->help).c_str());
    return kHeld;
  }
  try {
    return Runner(*plan).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "towpath-sim: %s\n", error.what());
    return kUsage;
  }
}
