#include "agent/cli/progress.hpp"

#include <cstdio>

#include "platform/platform.hpp"

namespace towpath::cli {

Progress::Progress() : shown_(platform::is_terminal(2)) {}

void Progress::moves(const std::string& line) {
  if (!shown_) return;
  std::fprintf(stderr, "\r\x1b[K%.120s", line.c_str());
  std::fflush(stderr);
  dirty_ = true;
}

void Progress::clear() {
  if (!dirty_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  dirty_ = false;
}

}  // namespace towpath::cli
