// Chance from a seed, for tests that make keys.
#pragma once

#include "core/hash.hpp"
#include "core/world.hpp"

namespace towpath {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : seed_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& b : out) {
      if (at_ == 32) {
        Bytes in;
        Writer w(in);
        w.u64(seed_);
        w.u64(++block_);
        held_ = hash256("test random", in);
        at_ = 0;
      }
      b = held_.bytes[at_++];
    }
  }

 private:
  std::uint64_t seed_, block_ = 0;
  Hash256 held_;
  std::size_t at_ = 32;
};

}  // namespace towpath
