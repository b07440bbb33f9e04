// The world's time, and the clocks that machines read: each may be wrong in its own way.
#pragma once

#include <chrono>

#include "core/world.hpp"

namespace towpath::sim {

// True time; moved on by the world and by slow lines, never by itself.
struct SimTime {
  Instant now{std::chrono::milliseconds{1'788'163'200'000}};  // 31 August 2026, 08:00 UTC
  void pass(std::chrono::milliseconds by) { now += by; }
};

class SimClock final : public Clock {
 public:
  SimClock(const SimTime& time, std::chrono::milliseconds wrong_by) : time_(time), wrong_by_(wrong_by) {}
  Instant now() override { return time_.now + wrong_by_; }

 private:
  const SimTime& time_;
  std::chrono::milliseconds wrong_by_;
};

}  // namespace towpath::sim
