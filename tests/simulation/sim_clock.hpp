// The world's time, and the clocks that machines read: each may be wrong in its own way.
#pragma once

#include <chrono>

#include "core/world.hpp"
#include "tests/simulation/mishaps.hpp"
#include "tests/simulation/trace.hpp"

namespace towpath::sim {

// True time; moved on by the world, by slow lines and by slow disks, never by itself.
struct SimTime {
  Instant now{std::chrono::milliseconds{1'788'163'200'000}};  // 31 August 2026, 08:00 UTC
  void pass(std::chrono::milliseconds by) { now += by; }
};

// A machine's: wrong by something, gaining or losing, and set anew by whoever finds it wrong.
class SimClock final : public Clock {
 public:
  explicit SimClock(const SimTime& time) : time_(time), set_(time.now) {}
  Instant now() override {
    const auto since = time_.now - set_;
    return time_.now + wrong_by_ + std::chrono::milliseconds{since.count() / 1'000'000 * gains_ppm_};
  }
  void jump(std::chrono::milliseconds by) { wrong_by_ += by; }
  void gain(std::int64_t ppm) { gains_ppm_ = ppm; }
  [[nodiscard]] unsigned jumps() const { return jumps_; }

  // As a machine is delivered.
  void draw(const Mishaps& mishaps, SimRandom& random, Trace& trace);
  // What may become of it at any moment.
  void tremble(const Mishaps& mishaps, SimRandom& random, Trace& trace);
  // By so much as clocks do when they are wrong: mostly seconds, sometimes years. Says by how much.
  std::string jump_somewhere(SimRandom& random, bool far);

 private:
  const SimTime& time_;
  Instant set_;
  std::chrono::milliseconds wrong_by_{0};
  std::int64_t gains_ppm_ = 0;
  bool civil_ = false;  // takes British summer time for UTC
  unsigned jumps_ = 0;
};

}  // namespace towpath::sim
