// A proxy script is evaluated by a child process that can be killed: an endless loop costs that
// route and nothing else.
//
// `evaluate_in_child` is the parent's side; `pac_child_main` is all that the hidden verb does.
// Between them, over the child's standard input and output:
//   in:  "towpath-pac 1\n", the address, "\n", the host, "\n", the script to the end
//   out: "=" and the script's answer, or "!" and what was wrong with it
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// A lookup in a DNS that does not answer takes five seconds a server; a script may need one.
inline constexpr std::chrono::seconds kPacWallMax{10};
// A real script takes milliseconds, also on a ten-year-old server.
inline constexpr std::chrono::seconds kPacCpuMax{2};

// `program`: the words that start a process which calls pac_child_main. Errors are sentences
// about "the proxy script", and are kTransport: only a route is lost.
[[nodiscard]] Result<std::string> evaluate_in_child(const std::vector<std::string>& program,
                                                    std::string_view script, std::string_view url,
                                                    std::string_view host, const std::atomic<bool>* stop);

// Reads standard input, writes standard output; returns the exit code. Opens no file.
[[nodiscard]] int pac_child_main(Clock& clock);

}  // namespace towpath
