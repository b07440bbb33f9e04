// Hostile work in a process of its own: fed by a pipe, fenced in, and ended on time.
//
// In: a program's words, its input, limits. Out: how it ended and what it wrote. The child gets
// no handle of ours, an empty environment but for the time zone, no core file, no file of its
// own. What it does within its limits costs nobody else; beyond them it is killed.
// Always a new program, never a fork of this one: a fork would hold our keys.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace towpath::platform {

struct ChildLimits {
  std::chrono::milliseconds wall;
  std::chrono::seconds cpu;
  std::uint64_t memory_bytes;  // of address space; not set under sanitizers, whose shadow is larger
  std::size_t output_bytes;
};

enum class ChildEnded : std::uint8_t {
  kExited,     // by itself: see exit_code
  kKilled,     // by a signal that we did not send: a crash, or out of memory
  kOutOfCpu,   // used more processor time than it may
  kOutOfTime,  // was still running at the end of `wall`
  kTooMuch,    // wrote more than output_bytes
  kStopped,    // `stop` became true
};

struct Child {
  ChildEnded ended = ChildEnded::kExited;
  int exit_code = 0;
  std::string output;
};

// Fails (kIo) only where no process can be made. `stop` may be null.
[[nodiscard]] Result<Child> run_child(const std::vector<std::string>& words, std::string_view input,
                                      const ChildLimits& limits, const std::atomic<bool>* stop = nullptr);

// The file of the program that runs, as a child can be made of it.
[[nodiscard]] std::string own_program();

}  // namespace towpath::platform
