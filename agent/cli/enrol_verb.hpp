// `towpath enrol CODE`: with the code that the hub's operator gave out, this machine becomes the one
// that speaks for the school.
//
// Makes the keys, pins the hub's, brings back what only the hub still has after a disk has died, and
// ends with the first exchange where there is data. Every way in which it fails is a sentence.
// The code is a secret until it is used: an argument is visible to others on the machine for a
// moment, so it can come from a file or be typed as well.
#pragma once

#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

struct EnrolWish {
  std::string code;       // as typed; "-": from standard input; empty: asked for
  std::string code_file;  // instead
  std::string hub;        // address; empty: the configuration's, else the code's
  bool force = false;     // though this machine is enrolled already
};
[[nodiscard]] int enrol(const Command& command, EnrolWish wish);

}  // namespace towpath::cli
