// What the hub refuses, one line each: the first of a kind at once, its repetitions as a number.
//
// In: who (a school's URN, or nothing where that is not known), a code, a sentence without
// personal data. Out: a line, now and then. A school whose agent asks every minute, or a stranger
// who sends a thousand bundles a second, fills no disk. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath {

inline constexpr std::chrono::minutes kRefusalsEvery{10};
// Of a kind: each school may have a few; beyond this many, those that rested longest are forgotten.
inline constexpr std::size_t kRefusalKindsMax = 10'000;

class Refusals {
 public:
  // What to log, if anything.
  [[nodiscard]] std::optional<std::string> note(const std::string& who, Code code, const std::string& text,
                                                Instant now);

 private:
  struct Kind {
    Instant said{};
    std::uint64_t unsaid = 0;
  };
  std::mutex mutex_;
  std::map<std::pair<std::string, Code>, Kind> kinds_;
};

}  // namespace towpath
