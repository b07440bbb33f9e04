#include "tests/simulation/trace.hpp"

#include <cstdio>

#include "core/hash.hpp"

namespace towpath::sim {

void Trace::event(const std::string& what) {
  std::string line = std::to_string(++events_) + " " + who_ + ": " + what;
  hash_ = fingerprint(line, hash_);
  if (print_) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);  // an assertion may be next
  }
  kept_.push_back(std::move(line));
  if (kept_.size() > kKept) kept_.pop_front();
}

std::string Trace::last() const {
  std::string text;
  for (const std::string& line : kept_) text += "  " + line + "\n";
  return text;
}

}  // namespace towpath::sim
