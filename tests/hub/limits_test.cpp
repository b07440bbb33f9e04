#include "hub/exchange/limits.hpp"

#include <rapidcheck.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace towpath;
using namespace std::chrono_literals;

namespace {

class HandClock final : public Clock {
 public:
  Instant time = *parse_instant("2026-11-23T08:15:00Z");
  Instant now() override { return time; }
};

using Why = Limits::Later::Why;

struct LimitsFixture {
  HandClock clock;
  Limits limits{clock, kSchoolLimits};

  // One bundle after another: how many get through before the first Later.
  int in_a_row(const std::string& key, int most) {
    int n = 0;
    while (n < most && limits.admit(key)) ++n;
    return n;
  }
};

}  // namespace

TEST_CASE("a first load of a thousand bundles in a row passes") {
  LimitsFixture f;
  CHECK(f.in_a_row("100001", 1000) == 1000);
}

TEST_CASE("a school that goes on without end is told when to come back, and then may") {
  LimitsFixture f;
  CHECK(f.in_a_row("100001", 5000) == 1000);
  auto refused = f.limits.admit("100001");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().why == Why::kTooMany);
  CHECK(refused.error().seconds == 30);
  f.clock.time += 29s;
  CHECK(f.in_a_row("100001", 5000) == 29);
  f.clock.time += std::chrono::seconds(refused.error().seconds);
  CHECK(f.in_a_row("100001", 5000) == 30);
}

TEST_CASE("a third bundle at once is refused, and passes when one of the two is done") {
  LimitsFixture f;
  auto working = f.limits.admit("100001");
  auto waiting = f.limits.admit("100001");
  REQUIRE((working && waiting));
  auto third = f.limits.admit("100001");
  REQUIRE_FALSE(third);
  CHECK(third.error().why == Why::kBusy);
  CHECK(third.error().seconds == kSchoolLimits.busy_seconds);
  { const auto done = std::move(*working); }
  CHECK(f.limits.admit("100001"));
}

TEST_CASE("where many schools ask twice at once, seconds are refused and firsts are not") {
  HandClock clock;
  LimitOptions options;
  options.extra_at_once = 3;
  Limits limits(clock, options);
  std::vector<Limits::Ticket> held;
  int seconds = 0;
  for (int school = 0; school < 10; ++school)
    for (int n = 0; n < 2; ++n) {
      auto ticket = limits.admit(std::to_string(school));
      if (n == 0) REQUIRE(ticket);
      seconds += n == 1 && ticket ? 1 : 0;
      if (ticket) held.push_back(std::move(*ticket));
    }
  CHECK(seconds == 3);
  held.clear();
  auto first = limits.admit("0");
  CHECK(limits.admit("0"));
}

TEST_CASE("a clock set back gives nothing and takes nothing for long") {
  LimitsFixture f;
  CHECK(f.in_a_row("100001", 5000) == 1000);
  f.clock.time -= 24h * 365;
  CHECK_FALSE(f.limits.admit("100001"));
  f.clock.time += 30s;
  CHECK(f.in_a_row("100001", 5000) == 30);
  f.clock.time += 24h * 365 * 200;  // and far ahead: no more than a full burst
  CHECK(f.in_a_row("100001", 5000) == 1000);
}

TEST_CASE("keys that have rested are forgotten") {
  LimitsFixture f;
  for (int n = 0; n < 100'000; ++n) {
    REQUIRE(f.limits.admit(std::to_string(n)));
    f.clock.time += 1s;
  }
  CHECK(f.limits.remembered() <= 4200);
}

TEST_CASE("a ticket may outlive the limits it came from") {
  HandClock clock;
  auto limits = std::make_unique<Limits>(clock, kSchoolLimits);
  auto ticket = limits->admit("100001");
  REQUIRE(ticket);
  limits.reset();
  ticket = tl::unexpected(Limits::Later{Why::kBusy, 1});  // releases; nothing to see but sanitizers
}

TEST_CASE("threads that come and go never hold more than the limit, and leave nothing behind") {
  LimitsFixture f;
  std::atomic<int> inside = 0, most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n)
        if (auto ticket = f.limits.admit("100001")) {
          const int now = ++inside;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          --inside;
        }
    });
  for (std::thread& t : threads) t.join();
  CHECK(most <= 2);
  auto one = f.limits.admit("100001");
  auto two = f.limits.admit("100001");
  CHECK((one && two));
}

// Whatever a crowd does, in any order and at any pace: its own limits hold, and a school that asks
// for one thing at a time, no faster than its rate, is never refused.
TEST_CASE("law: limits hold, tokens are conserved, and the well-behaved are never refused") {
  REQUIRE(rc::check([] {
    HandClock clock;
    LimitOptions options;
    options.at_once = *rc::gen::inRange(1U, 4U);
    options.extra_at_once = *rc::gen::inRange(0U, 3U);
    options.burst = *rc::gen::inRange(1U, 20U);
    options.per_minute = *rc::gen::inRange(1U, 200U);
    Limits limits(clock, options);
    struct Seen {
      std::vector<Limits::Ticket> held;
      std::uint64_t admitted = 0;
    };
    std::map<std::string, Seen> crowd;
    const Instant began = clock.time;
    // The well-behaved: next at, in exact sixtieths of a token.
    Instant next = clock.time;
    std::uint64_t credit = options.burst;
    const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::inRange(0, 5), rc::gen::inRange(0, 3000)));
    for (const auto& [what, how] : steps) {
      if (what == 4) {
        clock.time += std::chrono::milliseconds(how);
      } else if (what == 3) {
        // One at a time, a burst first and then no faster than the rate allows.
        if (credit > 0) {
          --credit;
        } else if (clock.time < next) {
          continue;
        }
        RC_ASSERT(limits.admit("good").has_value());
        next = clock.time + std::chrono::milliseconds((60'000 + options.per_minute - 1) / options.per_minute);
      } else {
        Seen& school = crowd[std::to_string(how % 4)];
        if (what == 2 && !school.held.empty()) {
          school.held.pop_back();
          continue;
        }
        auto ticket = limits.admit(std::to_string(how % 4));
        if (ticket) {
          school.held.push_back(std::move(*ticket));
          ++school.admitted;
        } else {
          RC_ASSERT(ticket.error().seconds >= 1U);
        }
        RC_ASSERT(school.held.size() <= options.at_once);
        std::size_t extra = 0;
        for (const auto& [name, s] : crowd) extra += s.held.empty() ? 0 : s.held.size() - 1;
        if (options.extra_at_once > 0) RC_ASSERT(extra <= options.extra_at_once);
        const auto passed = static_cast<std::uint64_t>((clock.time - began).count());
        RC_ASSERT(school.admitted <= options.burst + passed * options.per_minute / 60'000);
        // And none is lost: who has nothing in work and is refused has used up what there was.
        if (!ticket && ticket.error().why == Limits::Later::Why::kTooMany)
          RC_ASSERT(school.admitted >= options.burst);
      }
    }
  }));
}
