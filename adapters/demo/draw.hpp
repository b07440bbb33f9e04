// Chance that is the same on every machine, for ever.
//
// In: a seed and what is asked about (a tag, some numbers). Out: a draw that depends on
// nothing else, so that one pupil's year never moves because another pupil joined.
// Integers only: standard distributions and libm differ between libraries.
#pragma once

#include <cstdint>

namespace towpath::demo {

[[nodiscard]] constexpr std::uint64_t scramble(std::uint64_t x) {  // splitmix64's finalizer
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// What a draw is about; keeps streams of chance apart. Appended to, never reordered.
enum class About : std::uint64_t {
  kSchool = 1,
  kCalendar,
  kSeat,
  kPupil,
  kName,
  kEdit,
  kUpn,
  kGroup,
  kSet,
  kMove,
  kAttendance,
  kRate,
  kFsm,
  kSen,
  kSuspension,
  kActivity,
  kTakesPart,
  kResult,
  kStaff,
  kId,
  kPurge,
  kShown
};

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t seed, About about, std::uint64_t a = 0,
                                          std::uint64_t b = 0, std::uint64_t c = 0) {
  std::uint64_t h = scramble(seed ^ (static_cast<std::uint64_t>(about) << 56));
  h = scramble(h ^ a);
  h = scramble(h ^ (b * 0xd6e8feb86659fd93U));
  return scramble(h ^ (c * 0xa0761d6478bd642fU));
}

class Draw {
 public:
  explicit constexpr Draw(std::uint64_t state) : state_(state) {}
  constexpr std::uint64_t next() { return scramble(state_ += 0x9e3779b97f4a7c15U); }
  // 0 .. n-1; n at most 2^31.
  constexpr int below(int n) {
    return static_cast<int>(((next() >> 33) * static_cast<std::uint64_t>(n)) >> 31);
  }
  constexpr int between(int low, int high) { return low + below(high - low + 1); }
  // True in `parts` of a million cases.
  constexpr bool chance(int parts) { return below(1'000'000) < parts; }

 private:
  std::uint64_t state_;
};

}  // namespace towpath::demo
