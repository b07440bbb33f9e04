#include "tests/simulation/sim_clock.hpp"

#include <string>

namespace towpath::sim {

// School PCs are wrong by minutes, some by a year.
void SimClock::draw(const Mishaps& mishaps, SimRandom& random, Trace& trace) {
  const bool far = mishaps.strikes(Mishap::kClockFar, random);
  const bool wrong = mishaps.strikes(Mishap::kClockWrong, random) || far;
  const auto by = std::chrono::minutes{static_cast<std::int64_t>(random.below(far ? 525'600 : 30))};
  const bool late = random.chance(50);
  if (wrong) {
    wrong_by_ = late ? by : -by;
    trace.mishap(far ? Mishap::kClockFar : Mishap::kClockWrong,
                 std::to_string(by.count()) + (late ? " minutes ahead" : " minutes behind"));
  }
  // A cheap crystal is off by 20 ppm, two seconds a day; a virtual machine's clock by far more.
  const bool drifts = mishaps.strikes(Mishap::kClockDrift, random);
  const auto ppm = static_cast<std::int64_t>(random.skewed(3000));
  const bool gains = random.chance(50);
  if (drifts) {
    gain(gains ? ppm : -ppm);
    trace.mishap(Mishap::kClockDrift, std::to_string(gains_ppm_) + " ppm");
  }
}

std::string SimClock::jump_somewhere(SimRandom& random, bool far) {
  ++jumps_;
  // A second is a leap second that is told twice, or NTP's correction.
  constexpr std::int64_t kNear[] = {1, 1, 60, 3600, 6 * 3600};
  constexpr std::int64_t kFar[] = {86'400, 8 * 86'400, 400 * 86'400, 10 * 365 * 86'400LL};
  const std::int64_t unit = far ? kFar[random.below(std::size(kFar))] : kNear[random.below(std::size(kNear))];
  const std::int64_t by = (random.chance(50) ? 1 : -1) * unit;
  jump(std::chrono::seconds{by});
  return std::to_string(by) + " s";
}

void SimClock::tremble(const Mishaps& mishaps, SimRandom& random, Trace& trace) {
  for (const Mishap mishap : {Mishap::kClockJump, Mishap::kClockLost})
    if (mishaps.strikes(mishap, random))
      trace.mishap(mishap, jump_somewhere(random, mishap == Mishap::kClockLost));
  if (mishaps.strikes(Mishap::kClockHour, random)) {
    civil_ = !civil_;
    jump(std::chrono::hours{civil_ ? 1 : -1});
    trace.mishap(Mishap::kClockHour, civil_ ? "civil time" : "UTC");
  }
}

}  // namespace towpath::sim
