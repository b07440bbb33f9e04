// Inputs that are programs: steps with arguments, so that chance changes what happens and in which
// order, and not only a byte that the next length or hash check refuses.
//
// In: any bytes. Out: steps; whatever the bytes are, they are some program. A harness defines the two
// functions that libFuzzer looks for with FUZZ_PROGRAMS(codes): then steps are swapped, repeated,
// left out, and their arguments changed, each by itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/bytes.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace towpath::fuzz {

// Arguments, used up from the front; zeros once there are no more.
class Draw {
 public:
  explicit Draw(ByteView in) : in_(in) {}
  [[nodiscard]] bool empty() const { return in_.empty(); }
  std::uint8_t u8() {
    if (in_.empty()) return 0;
    const std::uint8_t v = in_.front();
    in_ = in_.subspan(1);
    return v;
  }
  std::uint16_t u16() { return static_cast<std::uint16_t>(u8() | u8() << 8); }
  std::uint64_t u64() {
    std::uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v |= static_cast<std::uint64_t>(u8()) << (8 * i);
    return v;
  }
  bool flag() { return (u8() & 1) != 0; }
  std::size_t below(std::size_t n) { return n <= 256 ? u8() % n : u16() % n; }
  Bytes bytes(std::size_t most) {
    const std::size_t n = std::min(most, in_.size());
    Bytes out(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(n));
    in_ = in_.subspan(n);
    return out;
  }
  Bytes exactly(std::size_t n) {
    Bytes out = bytes(n);
    out.resize(n);
    return out;
  }
  Bytes rest() { return bytes(in_.size()); }
  // As often small as at the edges of what 64 bits hold.
  std::int64_t integer() {
    using L = std::numeric_limits<std::int64_t>;
    static constexpr std::array<std::int64_t, 10> kEdges{L::min(),     L::min() + 1, L::max(), L::max() - 1,
                                                         -1,           2'932'896,    -719'162, 1LL << 31,
                                                         -(1LL << 31), 1LL << 53};
    const std::uint8_t how = u8();
    if (how < 160) return how % 32;
    if (how < 200) return kEdges[how % kEdges.size()];
    if (how < 230) return static_cast<std::int8_t>(u8());
    return static_cast<std::int64_t>(u64());
  }
  std::string text() {
    static const std::array<std::string, 10> kSome{"",
                                                   "A",
                                                   "/",
                                                   "UNKNOWN",
                                                   std::string("a\0b", 3),
                                                   "\xc3\x89milie \xe2\x80\xae\xf0\x9f\x90\x9d",
                                                   "\xff\xfe\x80",
                                                   std::string(255, 'x'),
                                                   std::string(4096, '\xc3'),
                                                   "e\xcc\x81"};
    const std::uint8_t how = u8();
    if (how < 128) return kSome[how % kSome.size()];
    const Bytes own = bytes(how % 24);
    return std::string(own.begin(), own.end());
  }

 private:
  ByteView in_;
};

struct Step {
  std::uint8_t code = 0;
  Bytes arguments;
  [[nodiscard]] Draw draw() const { return Draw(arguments); }
};
using Program = std::vector<Step>;

// Longer programs find nothing that shorter ones do not, and take longer.
inline constexpr std::size_t kStepsMax = 64;

// u8 code, u16 length, arguments; the last one may be cut.
inline Program program_of(ByteView in) {
  Program out;
  Reader r(in);
  while (r.left() > 0 && out.size() < kStepsMax) {
    Step step;
    step.code = r.u8();
    const std::size_t size = r.left() >= 2 ? r.u16() : 0;
    const ByteView arguments = r.bytes(std::min(size, r.left()));
    step.arguments.assign(arguments.begin(), arguments.end());
    out.push_back(std::move(step));
  }
  return out;
}
inline Bytes bytes_of(const Program& program, std::size_t most) {
  Bytes out;
  Writer w(out);
  for (const Step& step : program) {
    if (out.size() + 3 > most) break;
    const std::size_t size = std::min<std::size_t>({step.arguments.size(), 0xffff, most - out.size() - 3});
    w.u8(step.code);
    w.u16(static_cast<std::uint16_t>(size));
    w.bytes(ByteView(step.arguments).first(size));
  }
  return out;
}

inline std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed,
                          std::uint8_t codes) {
  std::minstd_rand chance(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(chance()) % n; };
  Program program = program_of({data, size});
  const auto fresh = [&] {
    Step step{static_cast<std::uint8_t>(below(codes)), Bytes(below(24))};
    for (std::uint8_t& b : step.arguments) b = static_cast<std::uint8_t>(chance() >> 7);
    return step;
  };
  const auto at = [&](std::size_t i) { return program.begin() + static_cast<std::ptrdiff_t>(i); };
  if (program.empty()) program.push_back(fresh());
  for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
    const std::size_t i = program.empty() ? 0 : below(program.size());
    switch (program.empty() ? 5 : below(10)) {
      case 0:
        program.erase(at(i));
        break;
      case 1:
        if (program.size() < kStepsMax) program.insert(at(below(program.size())), Step(program[i]));
        break;
      case 2:
        std::swap(program[i], program[below(program.size())]);
        break;
      case 3:
        program[i].code = static_cast<std::uint8_t>(below(codes));
        break;
      case 4:
      case 5:
        if (program.size() < kStepsMax)
          program.insert(at(program.empty() ? 0 : below(program.size() + 1)), fresh());
        break;
      default: {
        Bytes& a = program[i].arguments;
        const std::size_t before = a.size();
        a.resize(std::max<std::size_t>(before * 2, 32));
        a.resize(LLVMFuzzerMutate(a.data(), before, a.size()));
      }
    }
  }
  const Bytes out = bytes_of(program, most);
  std::copy(out.begin(), out.end(), data);
  return out.size();
}
// The beginning of one, the end of the other.
inline std::size_t cross(ByteView one, ByteView other, std::uint8_t* out, std::size_t most, unsigned seed) {
  std::minstd_rand chance(seed);
  Program a = program_of(one);
  const Program b = program_of(other);
  a.resize(static_cast<std::size_t>(chance()) % (a.size() + 1));
  const std::size_t from = static_cast<std::size_t>(chance()) % (b.size() + 1);
  a.insert(a.end(), b.begin() + static_cast<std::ptrdiff_t>(from), b.end());
  const Bytes joined = bytes_of(a, most);
  std::copy(joined.begin(), joined.end(), out);
  return joined.size();
}

}  // namespace towpath::fuzz

// codes: how many kinds of steps there are.
#define FUZZ_PROGRAMS(codes)                                                                             \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, \
                                                 unsigned seed) {                                        \
    return towpath::fuzz::mutate(data, size, most, seed, codes);                                         \
  }                                                                                                      \
  extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t size,            \
                                                   const std::uint8_t* other, std::size_t size2,         \
                                                   std::uint8_t* out, std::size_t most, unsigned seed) { \
    return towpath::fuzz::cross({one, size}, {other, size2}, out, most, seed);                           \
  }
