// What is decided about one pupil: protect, restrict, erase; and what is held about one: subject-report.
//
// A pupil is named by its number or UUID, by its UPN, or, after -, by what is typed or read from standard
// input. Nothing of that is repeated in what is said, and main hides it among the words of the running
// process.
#pragma once

#include <string>
#include <string_view>

#include "agent/cli/command.hpp"
#include "agent/sharing/pupils.hpp"

namespace towpath::cli {

struct PupilWish {
  std::string pupil, by;
  std::string level;   // protect: "R2"
  bool lower = false;  // protect
  bool lift = false;   // restrict
  std::string reason;  // erase
  bool yes = false;    // erase
  std::string html;    // subject-report
};

[[nodiscard]] int protect(const Command& command, const PupilWish& wish);
[[nodiscard]] int restrict_pupil(const Command& command, const PupilWish& wish);
[[nodiscard]] int erase(const Command& command, const PupilWish& wish);
[[nodiscard]] int subject_report(const Command& command, const PupilWish& wish);

// Whom `text` names; "-" asks on the terminal, or reads a line.
[[nodiscard]] Result<std::int64_t> pupil_of(Pupils& pupils, const std::string& text, Date today);
// Neither a number nor a UUID: personal data that others could read in the list of processes.
[[nodiscard]] bool is_telling(std::string_view pupil);

}  // namespace towpath::cli
