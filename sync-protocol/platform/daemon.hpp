// What a program that stays needs of the operating system: to tell who started it how it is, to
// stay out of the way, and to know the time on the wall.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "core/date.hpp"

namespace towpath::platform {

// Tells the service manager (systemd's protocol: READY=1, STATUS=..., WATCHDOG=1, STOPPING=1, one
// a line). Does nothing where nobody asked to be told.
void notify_manager(std::string_view lines);
// How long the manager waits for WATCHDOG=1 before it starts the program anew; 0: it does not.
[[nodiscard]] std::chrono::milliseconds watchdog_patience();

// A guest on somebody's server: other programs come first, for the processor and for the disk.
void be_a_guest();
// Ends the process now, whatever its threads are at. What they had not committed rolls back.
[[noreturn]] void end_now(int exit_code);

// The moment when clocks here show that many minutes after the day's midnight (0..2880). In the hour
// that spring leaves out: the change itself; in the hour that autumn has twice: its first.
[[nodiscard]] Instant local_instant(Date day, int minute);
// What the process holds in memory now.
[[nodiscard]] std::uint64_t memory_bytes();
// After work, what the program no longer uses goes back to the system: a guest rests small.
void give_memory_back();
// Time that no clock setting touches, from an arbitrary beginning.
[[nodiscard]] std::chrono::milliseconds steady_now();

}  // namespace towpath::platform
