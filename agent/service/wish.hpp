// What a person or the schedule wishes to have read.
#pragma once

#include <string>
#include <vector>

namespace towpath {

struct ExtractWish {
  std::vector<std::string> sources;  // by name, as configured; empty: all
  bool accept_deletions = false;
  bool full = false;
};

}  // namespace towpath
