// The program: many worlds of federations, or the one of a report. Each seed is lived in a process of its
// own, so that one that ends in an assertion is told of with its seed and does not end the others.
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <string>

#include "tests/simulation/federation/world.hpp"

namespace {

using namespace towpath::sim::fed;
namespace sim = towpath::sim;

constexpr int kHeld = 0, kBroke = 1, kUsage = 2;

struct Tally {
  unsigned long long seeds = 0, broken = 0, days = 0, syncs = 0, segments = 0, orders = 0;
};

// What a process says of its world: one line for the tally, then the report if it broke.
struct Lived {
  bool broke = false;
  std::string said;
};

std::string read_all(std::FILE* file) {
  std::string all;
  std::rewind(file);
  char piece[4096];
  while (const std::size_t n = std::fread(piece, 1, sizeof piece, file)) all.append(piece, n);
  return all;
}

Lived live_here(const WorldOptions& options, bool hash, Tally& tally) {
  const Outcome outcome = live(options);
  ++tally.seeds;
  tally.days += outcome.school_days;
  tally.syncs += outcome.syncs;
  tally.segments += outcome.segments;
  tally.orders += outcome.orders;
  Lived lived;
  if (hash) {
    char text[64];
    std::snprintf(text, sizeof text, "seed %llu: %016llx\n", static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(outcome.trace_hash));
    lived.said = text;
  }
  if (!outcome.broke) return lived;
  lived.broke = true;
  ++tally.broken;
  lived.said += report(options, outcome);
  return lived;
}

Lived live_elsewhere(const WorldOptions& options, bool hash, Tally& tally) {
  std::FILE* result = std::tmpfile();
  std::FILE* words = std::tmpfile();
  if (result == nullptr || words == nullptr) throw std::runtime_error("no temporary file can be made");
  std::fflush(nullptr);
  const pid_t process = fork();
  if (process < 0) throw std::runtime_error("no process can be made");
  if (process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fileno(words), STDERR_FILENO);
    Tally own;
    const Lived lived = live_here(options, hash, own);
    std::fprintf(result, "%d %llu %llu %llu %llu\n%s", lived.broke ? 1 : 0, own.days, own.syncs, own.segments,
                 own.orders, lived.said.c_str());
    std::fflush(nullptr);
    _exit(0);
  }
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string said = read_all(result);
  std::string last = read_all(words);
  std::fclose(result);
  std::fclose(words);
  ++tally.seeds;
  Lived lived;
  int broke = 0;
  unsigned long long days = 0, syncs = 0, segments = 0, orders = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
      std::sscanf(said.c_str(), "%d %llu %llu %llu %llu", &broke, &days, &syncs, &segments, &orders) == 5) {
    tally.days += days;
    tally.syncs += syncs;
    tally.segments += segments;
    tally.orders += orders;
    lived.broke = broke != 0;
    lived.said = said.substr(said.find('\n') + 1);
  } else {
    lived.broke = true;
    last = last.substr(0, last.find('\n', last.find("ssert")));
    lived.said =
        "towpath-fed-sim " + options.text() + "\nthe program ends " +
        (WIFSIGNALED(status) ? "by signal " + std::to_string(WTERMSIG(status)) : std::string("early")) +
        " and says " + last + "\npromised is: what nothing was done to works\n";
  }
  if (lived.broke) ++tally.broken;
  return lived;
}

}  // namespace

int main(int argc, char** argv) {
  // Disks in memory are large and short-lived.
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  CLI::App app{"Lives worlds of federations from seeds, and says which break what is promised.",
               "towpath-fed-sim"};
  WorldOptions common;
  std::string seeds = "1..100";
  std::uint64_t seed = 0;
  std::vector<std::string> faults, without;
  bool list = false, hash = false, in_process = false, stop_at_first = false, no_shrink = false;
  unsigned minutes = 0;
  app.add_option("--seeds", seeds, "FIRST..LAST");
  auto* one = app.add_option("--seed", seed, "One world");
  app.add_option("--schools", common.schools, "How many; drawn where it is not said");
  app.add_option("--days", common.days, "How many; drawn where it is not said");
  app.add_flag("--swarm", common.swarm, "Each seed has a mix of mishaps of its own");
  app.add_option("--fault", faults, "NAME=RATE, in thousandths of its occasions; a group, as 'line', too");
  app.add_option("--without", without, "NAME or group: not at all");
  app.add_option("--minutes", minutes, "From the first seed on, for so long");
  app.add_flag("--print", common.print, "Every event");
  app.add_flag("--trace-hash", hash, "A hash of each world's events: the same seed has the same");
  app.add_flag("--in-process", in_process, "No process of its own for each world");
  app.add_flag("--stop-at-first", stop_at_first, "End with the first that breaks");
  app.add_flag("--no-shrink", no_shrink, "Nothing here is made smaller; taken as towpath-sim's");
  app.add_flag("--list-faults", list, "What may go wrong, and what people do");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHeld : kUsage;
  }
  if (list) {
    for (const MishapKind& kind : kMishaps)
      std::printf("%-18s %4u  %s\n", std::string(kind.name).c_str(), kind.usual,
                  std::string(kind.says).c_str());
    return kHeld;
  }
  unsigned long long first = 0, last = 0;
  if (*one) {
    first = last = seed;
  } else {
    const int read = std::sscanf(seeds.c_str(), "%llu..%llu", &first, &last);
    if (read == 1) last = first;
    if (read < 1 || last < first) {
      std::fprintf(stderr, "towpath-fed-sim: --seeds %s: expected FIRST..LAST\n", seeds.c_str());
      return kUsage;
    }
  }
  try {
    Tally tally;
    const std::time_t end = std::time(nullptr) + static_cast<std::time_t>(minutes) * 60;
    std::vector<std::string> broken;
    for (unsigned long long n = first; minutes > 0 ? std::time(nullptr) < end : n <= last; ++n) {
      WorldOptions options = common;
      options.seed = n;
      options.mishaps = options.usual_mishaps();
      for (const std::string& name : without)
        if (auto set = options.mishaps.set(name, 0); !set) throw std::runtime_error(set.error().sentence());
      for (const std::string& fault : faults) {
        const std::size_t at = fault.find('=');
        const unsigned rate =
            at == std::string::npos ? 1000U : static_cast<unsigned>(std::stoul(fault.substr(at + 1)));
        if (auto set = options.mishaps.set(fault.substr(0, at), rate); !set)
          throw std::runtime_error(set.error().sentence());
      }
      const Lived lived =
          in_process || common.print ? live_here(options, hash, tally) : live_elsewhere(options, hash, tally);
      std::printf("%s", lived.said.c_str());
      std::fflush(stdout);
      if (lived.broke) broken.push_back(options.text());
      if (lived.broke && stop_at_first) break;
    }
    for (const std::string& command : broken) std::printf("broken: towpath-fed-sim %s\n", command.c_str());
    std::printf("%llu seeds, %llu broken, %llu school-days, %llu syncs, %llu segments, %llu orders\n",
                tally.seeds, tally.broken, tally.days, tally.syncs, tally.segments, tally.orders);
    return tally.broken > 0 ? kBroke : kHeld;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "towpath-fed-sim: %s\n", error.what());
    return kUsage;
  }
}
