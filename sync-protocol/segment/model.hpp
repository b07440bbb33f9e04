// What a modelled column expects next: the predictor under symbols and numbers.
//
// Each binary decision is looked up in several contexts at once (the row before, the same
// pupil's mark before, the column before...). Every context keeps an adaptive probability;
// a small integer mixer weighs them by how right each has been. So a pupil absent in the
// morning costs a tenth of a bit in the afternoon, and nothing has to be tuned by hand.
// Integers only: both ends compute the same, on any machine.
// Layout: docs/segment-format.md, "Predictor". Private to this module.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "segment/range_coder.hpp"

namespace towpath::codec {

// 4096 / (1 + e^(-x/256)), by straight lines between 33 points.
[[nodiscard]] constexpr int squash(int x) {
  constexpr std::array<int, 33> t{1,    2,    3,    6,    10,   16,   27,   45,   73,   120,  194,
                                  310,  488,  747,  1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785,
                                  3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094};
  if (x > 2047) return 4095;
  if (x < -2047) return 1;
  const int w = x & 127;
  const auto i = static_cast<std::size_t>((x >> 7) + 16);
  return (t[i] * (128 - w) + t[i + 1] * w + 64) >> 7;
}

// Its inverse: the smallest x whose squash reaches p.
inline constexpr std::array<std::int16_t, 4096> kStretch = [] {
  std::array<std::int16_t, 4096> s{};
  int done = 0;
  for (int x = -2047; x <= 2047; ++x) {
    const int v = squash(x);
    for (; done <= v; ++done) s[static_cast<std::size_t>(done)] = static_cast<std::int16_t>(x);
  }
  for (; done < 4096; ++done) s[static_cast<std::size_t>(done)] = 2047;
  return s;
}();

// How far one observation moves a probability that has seen n: 65536 / (n + 1.5).
inline constexpr unsigned kSeenMax = 1023;  // beyond this it moves by 1/1024: habits drift
inline constexpr std::array<std::uint16_t, kSeenMax + 1> kStep = [] {
  std::array<std::uint16_t, kSeenMax + 1> s{};
  for (unsigned n = 0; n <= kSeenMax; ++n) s[n] = static_cast<std::uint16_t>(65536 * 2 / (2 * n + 3));
  return s;
}();

// The probability of a 1 in one context. All zeros is "nothing seen": one half.
struct Seen {
  std::int16_t lean = 0;  // probability minus one half, in 65536ths
  std::uint16_t count = 0;
  [[nodiscard]] int p() const { return (lean + 32768) >> 4; }  // in 4096ths
  void see(bool bit) {
    const int target = bit ? 32767 : -32768;
    lean = static_cast<std::int16_t>(lean + (((target - lean) * kStep[count]) >> 16));
    if (count < kSeenMax) ++count;
  }
};

// Weighs Inputs contexts; a set of weights for each `Sets`.
template <std::size_t Inputs>
class Mixer {
 public:
  explicit Mixer(std::size_t sets) : weights_(sets * Inputs, kFirstWeight) {}

  // One decision: `seen` are its contexts' entries, `set` the weights to use.
  template <class Coder>
  bool code(Coder& coder, bool bit, const std::array<Seen*, Inputs>& seen, std::size_t set) {
    std::int32_t* w = &weights_[set * Inputs];
    std::array<int, Inputs> x;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < Inputs; ++i) {
      x[i] = kStretch[static_cast<std::size_t>(seen[i]->p())];
      sum += std::int64_t{x[i]} * w[i];
    }
    const auto dot = static_cast<int>(sum >> 16);
    const int p = squash(dot > 2047 ? 2047 : dot < -2047 ? -2047 : dot);
    bit = coder.code(bit, static_cast<std::uint32_t>(p) << 4);
    const int error = ((bit ? 4096 : 0) - p) * kRate;
    for (std::size_t i = 0; i < Inputs; ++i) {
      w[i] = std::clamp(w[i] + ((x[i] * error + 0x2000) >> 14), -kWeightMax, kWeightMax);
      seen[i]->see(bit);
    }
    return bit;
  }

 private:
  static constexpr std::int32_t kFirstWeight = 65536 / 4;
  static constexpr std::int32_t kWeightMax = 1 << 22;  // hostile bits cannot make a sum overflow
  static constexpr int kRate = 16;                     // measured: 6 to 30 differ by 1 %
  std::vector<std::int32_t> weights_;
};

// A column of few different values, as their places in a table (the most frequent first).
// A place is coded as "is it 0? is it 1? ...": what is frequent costs one decision.
class SymbolModel {
 public:
  static constexpr unsigned kSymbolsMax = 64;
  // `usual`: how many places at the front of the table are nothing special (presence).
  SymbolModel(unsigned symbols, unsigned usual, std::size_t whos)
      : symbols_(symbols),
        usual_(usual),
        history_(whos),
        before_(symbols),
        seen_((1 + (n() + 1) + (n() + 1) * kKeys + (n() + 1) * kLevels + (n() + 1) * kBefore + kBeside) *
              symbols),
        mixer_(symbols) {}

  // `who`: rows that concern the same thing (the last key column's value), numbered from 0.
  // `key`: the key column before it. `beside`: the symbol of the column to the left.
  template <class Coder>
  unsigned code(Coder& coder, unsigned symbol, std::size_t who, unsigned key, unsigned beside) {
    History* const h = who < history_.size() ? &history_[who] : nullptr;
    const unsigned last = h ? h->last : 0;  // 0: none yet; otherwise symbol + 1
    const unsigned earlier = h ? h->earlier : 0;
    const unsigned level = h ? h->unusual >> 5 : 0;
    std::array<std::size_t, 6> at{};
    std::size_t base = 0;
    const auto context = [&](std::size_t i, std::size_t value, std::size_t values) {
      at[i] = (base + value) * symbols_;
      base += values;
    };
    context(0, 0, 1);
    context(1, before_, n() + 1);
    context(2, last * kKeys + key % kKeys, (n() + 1) * kKeys);
    context(3, last * kLevels + level, (n() + 1) * kLevels);
    context(4, last * kBefore + (earlier < kBefore ? earlier : kBefore - 1), (n() + 1) * kBefore);
    context(5, beside % kBeside, kBeside);
    unsigned place = 0;
    for (; place + 1 < symbols_; ++place) {
      std::array<Seen*, 6> seen;
      for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = &seen_[at[i] + place];
      if (mixer_.code(coder, place == symbol, seen, place)) break;
    }
    before_ = place;
    if (h) {
      h->earlier = h->last;
      h->last = static_cast<std::uint8_t>(place + 1);
      // Moves an eighth of the way to 255 (unusual) or to 0.
      h->unusual = static_cast<std::uint8_t>(h->unusual - h->unusual / 8 + (place >= usual_ ? 31 : 0));
    }
    return place;
  }

 private:
  static constexpr std::size_t kKeys = 4;
  static constexpr std::size_t kLevels = 8;
  static constexpr std::size_t kBefore = 16;
  static constexpr std::size_t kBeside = kSymbolsMax + 1;
  struct History {
    std::uint8_t last = 0;
    std::uint8_t earlier = 0;
    std::uint8_t unusual = 0;
  };
  [[nodiscard]] std::size_t n() const { return symbols_; }
  unsigned symbols_;
  unsigned usual_;
  std::vector<History> history_;
  unsigned before_;
  std::vector<Seen> seen_;
  Mixer<6> mixer_;
};

// A column of whole numbers: the width in bits, then the bits below the first one.
class NumberModel {
 public:
  NumberModel() : width_(128 * (1 + 65 + kShifts)), bits_(65 * 8 * (1 + kShifts)), widths_(128), top_(8) {}

  // `shift`: which earlier key column differs from the row before (0: none).
  template <class Coder>
  std::uint64_t code(Coder& coder, std::uint64_t value, unsigned shift) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned s = shift < kShifts ? shift : kShifts - 1;
    unsigned node = 1;
    for (int i = 6; i >= 0; --i) {
      const std::array<Seen*, 3> seen{&width_[node], &width_[128 * (1 + before_) + node],
                                      &width_[128 * (66 + s) + node]};
      node = node * 2 + (widths_.code(coder, (width >> i & 1) != 0, seen, node) ? 1U : 0U);
    }
    const unsigned w = node - 128;
    if (w > 64) {
      damaged_ = true;
      return 0;
    }
    before_ = w;
    if (w < 2) return w;
    std::uint64_t out = 1;
    for (unsigned i = w - 1; i-- > 0;) {
      const bool bit = (value >> i & 1) != 0;
      if (out < 8) {  // the three bits below the first say something; the rest is noise
        const std::array<Seen*, 2> seen{&bits_[w * 8 + out], &bits_[(65 * (1 + s) + w) * 8 + out]};
        out = out * 2 + (top_.code(coder, bit, seen, out) ? 1U : 0U);
      } else {
        out = out * 2 + (coder.code(bit, kOne / 2) ? 1U : 0U);
      }
    }
    return out;
  }
  [[nodiscard]] bool damaged() const { return damaged_; }  // a width that no number has

 private:
  static constexpr unsigned kShifts = 4;
  std::vector<Seen> width_;
  std::vector<Seen> bits_;
  Mixer<3> widths_;
  Mixer<2> top_;
  unsigned before_ = 0;
  bool damaged_ = false;
};

}  // namespace towpath::codec
