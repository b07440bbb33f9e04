// The parts of the world that come in by constructor: time and chance.
//
// Only a program's main.cpp makes the real ones (platform/), so that a whole
// borough of schools can run in one test. The others are Transport
// (agent/uplink/transport.hpp) and SQLite's VFS (sync-protocol/sqlite).
#pragma once

#include <cstdint>
#include <span>

#include "core/date.hpp"

namespace towpath {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() = 0;
};

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  [[nodiscard]] std::uint64_t u64() {
    std::uint8_t b[8];
    fill(b);
    std::uint64_t v = 0;
    for (const std::uint8_t x : b) v = v << 8 | x;
    return v;
  }
};

}  // namespace towpath
