// What is private to agent/sharing and shared by its files.
#pragma once

#include <string>
#include <vector>

#include "agent/sharing/sharing.hpp"

namespace towpath {

// decision.what
enum class Decision : std::int64_t { kApproved = 1, kWithdrawn = 2, kEnded = 3 };

struct Sharing::State {
  PostMark mark;
  std::uint64_t deed = 0;      // our last one's number
  std::int64_t suspended = 0;  // decisions up to this one count no more
};

struct Sharing::Line {
  std::int64_t number = 0;
  std::string audience, agreement;
  std::uint32_t version = 0;
  Decision what{};
  std::string by;
  Instant at{};
};

// What one entry of the post did.
struct Sharing::Entry {
  bool streams_changed = false;
  std::vector<std::string> events;
};

}  // namespace towpath
