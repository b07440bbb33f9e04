// The service over years of simulated time; README.md says how to see a seed again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <set>
#include <sstream>
#include <string>

#include "tests/simulation/service/years.hpp"

namespace towpath::sim {
namespace {

// TOWPATH_YEARS="seed=7 days=400 schools=2 without=clock,people.flood": that world.
// TOWPATH_YEARS="seeds=1..500": those instead of the usual.
struct Asked {
  std::uint64_t first = 1, last = 1;
  std::optional<unsigned> schools, days;
  std::vector<std::string> without;
  bool print = false, shrink = true;
};
Asked asked(std::uint64_t last) {
  Asked out;
  out.last = last;
  const char* text = std::getenv("TOWPATH_YEARS");
  std::istringstream words(text == nullptr ? "" : text);
  for (std::string word; words >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = key.size() < word.size() ? word.substr(key.size() + 1) : "";
    const auto number = [&](std::size_t at = 0) { return std::strtoull(value.c_str() + at, nullptr, 10); };
    if (key == "seed") {
      out.first = out.last = number();
    } else if (key == "seeds") {
      out.first = number();
      out.last = number(value.find("..") + 2);
    } else if (key == "schools") {
      out.schools = static_cast<unsigned>(number());
    } else if (key == "days") {
      out.days = static_cast<unsigned>(number());
    } else if (key == "print") {
      out.print = true;
    } else if (key == "whole") {
      out.shrink = false;
    } else if (key == "without") {
      std::istringstream names(value);
      for (std::string name; std::getline(names, name, ',');) out.without.push_back(name);
    } else {
      FAIL("TOWPATH_YEARS: " + word + " is not known");
    }
  }
  return out;
}

// False: other worlds than the usual ones were asked for.
bool each_seed(std::uint64_t usual, const std::function<void(YearsOptions&)>& each,
               const std::function<void(const YearsOutcome&)>& after = {}) {
  const Asked what = asked(usual);
  for (std::uint64_t seed = what.first; seed <= what.last; ++seed) {
    YearsOptions options;
    options.seed = seed;
    options.print = what.print;
    options.shrink = what.shrink;
    each(options);
    if (what.schools) options.schools = *what.schools;
    if (what.days) options.days = *what.days;
    for (const std::string& name : what.without)
      if (!options.troubles.set(name, 0)) FAIL("TOWPATH_YEARS: there is no trouble " + name);
    INFO("seed " << seed);  // shown where an assertion of the product's own ends the program
    YearsOutcome outcome;
    if (const auto broken = run_years(options, &outcome)) FAIL_CHECK(*broken);
    if (after) after(outcome);
  }
  return std::getenv("TOWPATH_YEARS") == nullptr;
}

}  // namespace

TEST_CASE("for years, whatever happens: what is due is begun, nothing else is, and nobody waits unheard") {
  std::vector<double> shares;
  std::set<std::string> reasons;
  std::uint64_t answers = 0;
  const bool usual = each_seed(
      12,
      [](YearsOptions& options) {
        options.schools = 1 + static_cast<unsigned>(options.seed % 4);
        if (options.seed % 2 == 0) options.troubles = Troubles::swarm(options.seed);
      },
      [&](const YearsOutcome& one) {
        shares.insert(shares.end(), one.tally.shares.begin(), one.tally.shares.end());
        for (const auto& [why, times] : one.tally.because) reasons.insert(why);
        answers += one.tally.answers;
      });
  if (!usual) return;
  // The world was one in which all of it came up.
  for (const char* why : {"window", "slot", "missed", "debt", "never"}) CHECK(reasons.contains(why));
  CHECK(answers > 1000);
  // Chance picks the moment: all over the first three quarters of a window, so that what fails then can be
  // mended within it; what waited for other work may come later.
  REQUIRE(shares.size() > 500);
  const auto within = [&](double low, double high) {
    return static_cast<double>(
               std::count_if(shares.begin(), shares.end(), [&](double s) { return low <= s && s < high; })) /
           static_cast<double>(shares.size());
  };
  for (const double low : {0.0, 0.15, 0.3, 0.45, 0.6}) CHECK(within(low, low + 0.15) > 0.1);
  CHECK(within(0.75, 1) < 0.05);
}

TEST_CASE("what the real store remembers over kills and power cuts is enough to go on") {
  each_seed(3, [](YearsOptions& options) {
    options.schools = 2;
    options.days = 40;
    options.store = true;
  });
}

TEST_CASE("the clock looked at each minute, as the service does, shows nothing new") {
  each_seed(2, [](YearsOptions& options) {
    options.schools = 2;
    options.days = 40;
    options.look = kLookLeast;
  });
}

TEST_CASE("the same seed makes the same years, event by event; another seed others") {
  YearsOptions options;
  options.days = 20;
  const auto hash = [&](std::uint64_t seed) {
    options.seed = seed;
    const YearsOutcome outcome = live_years(options);
    CHECK_FALSE(outcome.broke);
    CHECK(outcome.events > 500);
    return outcome.trace_hash;
  };
  const std::uint64_t first = hash(2026);
  CHECK(hash(2026) == first);
  CHECK(hash(2027) != first);
}

}  // namespace towpath::sim
