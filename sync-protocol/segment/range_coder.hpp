// The binary arithmetic coder under the modelled columns: three coders of one shape.
//
// code(bit, p) takes the bit to write and the probability, in 65536ths, that it is 1, and
// returns the bit; the decoder does not look at the bit it is given. So a model is written
// once and serves both directions. CostCoder writes nothing and adds up what it would cost.
// Layout: docs/segment-format.md, "Coded bits". Private to this module.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "core/bytes.hpp"

namespace towpath::codec {

inline constexpr std::uint32_t kOne = 65536;  // probabilities are in this many parts

// The interval [low, high] both coders keep; `split` never empties either half.
struct Interval {
  std::uint32_t low = 0;
  std::uint32_t high = 0xffffffff;

  [[nodiscard]] std::uint32_t split(std::uint32_t p) const {
    return low + static_cast<std::uint32_t>((std::uint64_t{high - low} * p) >> 16);
  }
  [[nodiscard]] bool settled() const { return ((low ^ high) >> 24) == 0; }  // the first byte is known
  void shift() {
    low <<= 8;
    high = high << 8 | 0xff;
  }
  // The shortest bytes that, followed by zeros, lie in the interval: 0 to 4 of them.
  [[nodiscard]] std::pair<std::uint32_t, unsigned> last_bytes() const {
    for (unsigned n = 0; n < 4; ++n) {
      const std::uint64_t step = std::uint64_t{1} << (32 - 8 * n);
      const std::uint64_t v = (low + step - 1) / step * step;
      if (v <= high) return {static_cast<std::uint32_t>(v), n};
    }
    return {low, 4};
  }
};

class Encoder {
 public:
  bool code(bool bit, std::uint32_t p) {
    const std::uint32_t middle = at_.split(p);
    (bit ? at_.high : at_.low) = bit ? middle : middle + 1;
    while (at_.settled()) {
      out_.push_back(static_cast<std::uint8_t>(at_.high >> 24));
      at_.shift();
    }
    return bit;
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  // The bytes so far, ended; and start anew.
  [[nodiscard]] Bytes finish() {
    const auto [value, n] = at_.last_bytes();
    for (unsigned i = 0; i < n; ++i) out_.push_back(static_cast<std::uint8_t>(value >> (24 - 8 * i)));
    at_ = {};
    return std::exchange(out_, {});
  }

 private:
  Interval at_;
  Bytes out_;
};

// Reads zeros after the end, as the encoder assumes; ended() says whether what was read was
// exactly what an encoder would have written.
class Decoder {
 public:
  explicit Decoder(ByteView in) : in_(in) {
    for (int i = 0; i < 4; ++i) value_ = value_ << 8 | next();
  }
  bool code(bool, std::uint32_t p) {
    const std::uint32_t middle = at_.split(p);
    const bool bit = value_ <= middle;
    (bit ? at_.high : at_.low) = bit ? middle : middle + 1;
    while (at_.settled()) {
      at_.shift();
      value_ = value_ << 8 | next();
    }
    return bit;
  }
  // More bits were read than there can be: the column lies about its length.
  [[nodiscard]] bool ran_out() const { return read_ > in_.size() + 4; }
  [[nodiscard]] bool ended() const {
    const auto [value, n] = at_.last_bytes();
    return read_ - 4 + n == in_.size() && value_ == value;
  }

 private:
  std::uint8_t next() { return read_++ < in_.size() ? in_[read_ - 1] : std::uint8_t{0}; }
  ByteView in_;
  std::size_t read_ = 0;
  Interval at_;
  std::uint32_t value_ = 0;
};

// -log2 of a probability in 256ths of a bit; integers only, so that the same choice is made on
// every machine.
[[nodiscard]] constexpr std::uint32_t bit_cost(std::uint32_t p) {
  // log2 by repeated squaring of the mantissa.
  const auto width = static_cast<std::uint32_t>(std::bit_width(p)) - 1;
  std::uint64_t m = (std::uint64_t{p} << 32) >> width;  // 1.0 <= m < 2.0, 32 fraction bits
  std::uint32_t fraction = 0;
  for (int i = 0; i < 8; ++i) {
    m = (m >> 16) * (m >> 16);
    fraction <<= 1;
    if (m >> 33) {
      fraction |= 1;
      m >>= 1;
    }
  }
  return (16 - width) * 256 - fraction;
}

class CostCoder {
 public:
  bool code(bool bit, std::uint32_t p) {
    total_ += kCost[(bit ? p : kOne - p) >> 4];
    return bit;
  }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(total_ / (256 * 8)) + 1; }

 private:
  static constexpr std::array<std::uint16_t, 4097> kCost = [] {
    std::array<std::uint16_t, 4097> cost{};
    for (std::uint32_t i = 0; i < cost.size(); ++i)
      cost[i] = static_cast<std::uint16_t>(bit_cost(i == 0 ? 8 : i == 4096 ? kOne - 8 : i * 16));
    return cost;
  }();
  std::uint64_t total_ = 0;
};

}  // namespace towpath::codec
