#include "tests/simulation/plan.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

namespace towpath::sim {
namespace {

// More than a machine lives in a year.
constexpr std::uint64_t kSeedsMax = 1'000'000'000;

// A whole number and nothing else.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

WorldOptions Plan::world(std::uint64_t seed) const {
  WorldOptions world = common;
  world.seed = seed;
  world.mishaps = world.usual_mishaps();
  const auto set = [&](const std::string& name, unsigned rate) {
    TP_ASSERT(world.mishaps.set(name, rate).has_value());  // read_plan has tried
  };
  if (only_faults) {
    const Mishaps before = std::exchange(world.mishaps, Mishaps::none());
    for (const std::string& name : *only_faults) world.mishaps.take(name, before);
  }
  for (const std::string& name : without) set(name, 0);
  for (const auto& [name, rate] : faults) set(name, rate);
  return world;
}

Result<Plan> read_plan(std::vector<std::string> words) {
  Plan plan;
  CLI::App app{"Lives simulated days of a borough, from a seed, with what may go wrong."};
  app.name("towpath-sim");
  std::string seeds;
  std::optional<std::string> seed;  // CLI11 would take -1 for some other number
  std::vector<std::string> faults;
  std::string only_faults;
  app.add_option("--seed", seed, "The world of this seed");
  app.add_option("--seeds", seeds, "Those of these seeds: A..B");
  app.add_option("--minutes", plan.minutes, "Fresh seeds (or those from --seed on) until time is up");
  app.add_option("--days", plan.common.days, "With mishaps; then they stop, and all must become equal")
      ->capture_default_str();
  app.add_option("--schools", plan.common.schools, "At the hub")->capture_default_str();
  app.add_option("--only", plan.common.only_schools,
                 "Of these, counted from 0: N[,N]; the others are left out")
      ->delimiter(',');
  app.add_option("--pupils", plan.common.pupils, "Of each school; 0: drawn, some ten")->capture_default_str();
  app.add_option("--days-before", plan.common.days_before, "Of registers, when the world begins")
      ->capture_default_str();
  app.add_flag("--swarm", plan.common.swarm, "Each seed draws a mix of mishaps of its own");
  app.add_option("--only-faults", only_faults, "These and no others, by name or group; or: none");
  app.add_option("--without", plan.without, "Not these, by name or group: NAME[,NAME]")->delimiter(',');
  app.add_option("--fault", faults, "NAME=RATE, in thousandths of its occasions; repeatable")
      ->take_all()
      ->allow_extra_args(false);
  app.add_flag("--print", plan.common.print, "Every event");
  app.add_option("--assert-at", plan.common.assert_at,
                 "An assertion fails at this event (to try this program)");
  app.add_flag("--trace-hash", plan.trace_hash, "A line a seed: the hash of its events");
  app.add_flag("--list-faults", plan.list_faults, "What may go wrong: name, usual rate, what happens");
  app.add_flag("!--no-shrink", plan.shrink, "A world that breaks is reported as it is");
  app.add_flag("--stop-at-first", plan.stop_at_first, "No further seeds after one that breaks");
  app.add_option("--jobs", plan.jobs, "Seeds at a time, each in a process of its own")->capture_default_str();
  app.add_flag("--in-process", plan.in_process, "All in one process: an assertion ends it (for debuggers)");
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    plan.help = app.help();
    return plan;
  } catch (const CLI::ParseError& wrong) {
    return fail(Code::kUsage, wrong.what(), "Try --help");
  }

  if (app.count("--only-faults") > 0) {
    plan.only_faults.emplace();
    if (only_faults != "none") plan.only_faults = CLI::detail::split(only_faults, ',');
  }
  for (const std::string& fault : faults) {
    const auto sign = fault.find('=');
    const auto rate =
        sign == std::string::npos ? std::nullopt : number(std::string_view(fault).substr(sign + 1));
    if (!rate || *rate > 1000)
      return fail(Code::kUsage, "\"" + fault + "\" is not NAME=RATE, with a rate from 0 to 1000 thousandths");
    plan.faults.emplace_back(fault.substr(0, sign), static_cast<unsigned>(*rate));
  }
  Mishaps known;
  std::vector<std::string> named = plan.without;
  if (plan.only_faults) named.insert(named.end(), plan.only_faults->begin(), plan.only_faults->end());
  for (const auto& fault : plan.faults) named.push_back(fault.first);
  for (const std::string& name : named)
    if (auto set = known.set(name, 0); !set) return fail(std::move(set).error());

  if (seed) {
    plan.first = number(*seed);
    if (!plan.first)
      return fail(Code::kUsage, "\"" + *seed + "\" is not a seed", "A seed is a number from 0 to 2^64-1");
  }
  if (app.count("--seeds") > 0) {
    const auto dots = seeds.find("..");
    const auto from = number(seeds.substr(0, dots));
    const auto to = dots == std::string::npos ? from : number(seeds.substr(dots + 2));
    if (!from || !to || *from > *to || *to - *from >= kSeedsMax)
      return fail(Code::kUsage,
                  "\"" + seeds + "\" is not a range of seeds, A..B, of a thousand million at most");
    plan.first = from;
    plan.count = *to - *from + 1;
  }
  if (!plan.first && plan.minutes == 0 && !plan.list_faults)
    return fail(Code::kUsage, "no seed is named", "Say --seed N, --seeds A..B or --minutes N");
  if (plan.common.schools == 0 || plan.jobs == 0) return fail(Code::kUsage, "none is too few");
  for (const unsigned one : plan.common.only_schools)
    if (one >= plan.common.schools)
      return fail(Code::kUsage, "there is no school " + std::to_string(one),
                  "The last one is " + std::to_string(plan.common.schools - 1));
  std::sort(plan.common.only_schools.begin(), plan.common.only_schools.end());
  return plan;
}

std::string fault_table() {
  std::string text;
  for (const MishapKind& kind : kMishaps) {
    std::string line(kind.name);
    line.resize(std::max<std::size_t>(line.size() + 1, 20), ' ');
    std::string rate = std::to_string(kind.usual);
    rate.insert(0, rate.size() < 4 ? 4 - rate.size() : 0, ' ');
    text += line + rate + "  " + std::string(kind.says) + "\n";
  }
  return text;
}

}  // namespace towpath::sim
