// Chance from a seed: the same seed and name draw the same, on any machine.
//
// Each part of a world (a school, its disk, its line) has a stream of its own, named after it,
// so that leaving one part out changes as little as possible of what happens to the others:
// that is what lets a failing seed be made smaller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/hash.hpp"
#include "core/world.hpp"

namespace towpath::sim {

class SimRandom final : public Random {
 public:
  SimRandom(std::uint64_t seed, std::string_view name) : state_(fingerprint(name, seed)) {}

  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(next() >> 56);
  }
  // 0 .. n-1; n may not be 0.
  [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  [[nodiscard]] std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  // 1 .. most, small ones as often as large ones of their magnitude: where a fault strikes.
  [[nodiscard]] std::size_t skewed(std::size_t most) {
    SimRandom own = split();
    std::size_t magnitude = 1;
    while (magnitude < most && own.chance(75)) magnitude *= 2;
    return own.between(1, magnitude < most ? magnitude : most);
  }
  // A stream of its own for a day or a request, of which nobody knows how much it draws: what comes
  // after it does not hang on that.
  [[nodiscard]] SimRandom split() { return SimRandom(next()); }
  [[nodiscard]] bool chance(unsigned percent) { return below(100) < percent; }

 private:
  explicit SimRandom(std::uint64_t state) : state_(state) {}
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace towpath::sim
