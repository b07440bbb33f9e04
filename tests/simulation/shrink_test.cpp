#include "tests/simulation/shrink.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <sstream>

#include "tests/simulation/plan.hpp"

using namespace towpath::sim;

namespace {

// A check that no product could keep: no school's request may be cut off once another has been set back
// to its backup. Two schools, two mishaps, and what makes a backup are needed to break it.
void lie(const Trace& trace) {
  std::optional<unsigned> set_back;
  for (const Event& event : trace.events()) {
    if (event.mishap == Mishap::kSchoolBack) set_back = event.school;
    if (event.mishap == Mishap::kLineCut && set_back && set_back != event.school)
      throw Broken(Promise::kKept, "seen after " + std::to_string(trace.events().size()) + " events: a lie");
  }
}

Outcome live_with_lie(const WorldOptions& options) { return live(options, {{}, lie}); }

WorldOptions breaking() {
  WorldOptions options;
  options.schools = 4;
  options.days = 5;
  options.pupils = 4;
  CHECK(options.mishaps.set("school.set-back", 600));
  CHECK(options.mishaps.set("line.cut", 150));
  for (options.seed = 1; !live_with_lie(options).broke; ++options.seed) REQUIRE(options.seed < 20);
  return options;
}

bool mentions(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("a world that breaks is made small: what is left is what the check needs, and it still breaks") {
  const WorldOptions options = breaking();
  const Outcome first = live_with_lie(options);
  const Smaller found = shrink(options, first, live_with_lie);
  REQUIRE(found.outcome.broke);
  CHECK(check_of(*found.outcome.broke) == check_of(*first.broke));
  CHECK(found.outcome.promise == Promise::kKept);
  CHECK_FALSE(found.given_up);
  CHECK(found.runs <= kShrinkRunsMax);
  CHECK(found.options.only_schools.size() == 2);
  CHECK(found.options.days <= options.days);
  CHECK(found.options.mishaps.rate(Mishap::kSchoolBack) > 0);
  CHECK(found.options.mishaps.rate(Mishap::kLineCut) > 0);
  // Of all the others hardly any: one may be left that moves what chance does to these two.
  std::size_t left = 0;
  for (std::size_t i = 0; i < kMishapCount; ++i)
    if (found.options.mishaps.rate(static_cast<Mishap>(i)) > 0) ++left;
  CHECK(left <= 5);
  CHECK(found.outcome.events.size() * 2 < first.events.size());

  const std::string told = report(found, options);
  INFO(told);
  const std::string command = told.substr(0, told.find('\n'));
  CHECK(command == "towpath-sim " + found.options.text());
  CHECK(mentions(told, "seen after"));
  CHECK(mentions(told, "nothing acknowledged is lost"));
  CHECK(mentions(told, "! " + std::string(kind_of(Mishap::kSchoolBack).says)));
  CHECK(mentions(told, "! " + std::string(kind_of(Mishap::kLineCut).says)));
  CHECK(mentions(told, options.text()));

  // The first line makes it again.
  std::istringstream words(command.substr(command.find(' ')));
  const auto plan = read_plan({std::istream_iterator<std::string>(words), {}});
  REQUIRE(plan);
  const Outcome again = live_with_lie(plan->world(*plan->first));
  CHECK(again.broke == found.outcome.broke);
  CHECK(again.trace_hash == found.outcome.trace_hash);
}

TEST_CASE("a world is made smaller in so many tries at most, and the report says if that was not enough") {
  const WorldOptions options = breaking();
  const Smaller found = shrink(options, live_with_lie(options), live_with_lie, 3);
  CHECK(found.runs == 3);
  CHECK(found.given_up);
  CHECK(mentions(report(found, options), "no more than 3 are tried"));
}

TEST_CASE("a smaller world in which another check breaks is not taken for the same") {
  WorldOptions options;
  options.schools = 3;
  options.days = 3;
  const Live lives = [](const WorldOptions& o) {
    return live(o, {{}, [&](const Trace& trace) {
                      if (trace.here().day < o.days) return;
                      if (o.days < 3) throw Broken("short days are wrong");
                      throw Broken("long days are wrong");
                    }});
  };
  const Smaller found = shrink(options, lives(options), lives);
  CHECK(found.options.days == 3);
  CHECK(found.options.mishaps == Mishaps::none());
  CHECK(*found.outcome.broke == "long days are wrong");
}

TEST_CASE("a story is that of the school concerned, and of what befell the hub") {
  Outcome outcome;
  outcome.broke = "broken";
  outcome.where = {2, 1, {}, {}};
  outcome.events = {{1, 0, {}, "another's night"},
                    {1, 0, Mishap::kLineLost, "another's mishap"},
                    {1, 1, {}, "its night"},
                    {1, 0, Mishap::kHubKill, "the hub's mishap"},
                    {1, 0, {}, "the hub dies: kill"},
                    {2, {}, {}, "the world's"},
                    {2, 1, Mishap::kLineCut, "its mishap"}};
  WorldOptions options;
  const std::string told = report(options, outcome);
  INFO(told);
  for (const char* shown : {"its night", "! the hub's mishap", "the hub dies", "the world's", "! its mishap"})
    CHECK(mentions(told, shown));
  CHECK_FALSE(mentions(told, "another's"));
  // Those that are left in a small world matter.
  options.only_schools = {0, 1};
  CHECK(mentions(report(options, outcome), "! another's mishap"));
  // However many events there were, none of the mishaps is left out.
  outcome.events.insert(outcome.events.begin(), 1000, {1, 1, {}, "a night"});
  outcome.events.insert(outcome.events.begin(), {1, 1, Mishap::kLinePage, "the first mishap"});
  const std::string tail = report(options, outcome);
  CHECK(mentions(tail, "! the first mishap"));
  CHECK(mentions(tail, "events without a mishap)"));
  CHECK(std::count(tail.begin(), tail.end(), '\n') < 120);
}
