// What happened, in order: one line an event. Its hash tells whether two runs were the same; its last
// lines are what a person reads when a check fails.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <stdexcept>
#include <string>

#include "core/hash.hpp"

namespace towpath::sim {

// A check that did not hold.
struct Amiss : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Story {
 public:
  void event(const std::string& what) {
    std::string line = std::to_string(++events_) + " " + who_ + ": " + what;
    hash_ = fingerprint(line, hash_);
    if (print_) std::printf("%s\n", line.c_str());
    kept_.push_back(std::move(line));
    if (kept_.size() > kKept) kept_.pop_front();
  }
  // When and whom the next events are about.
  void about(std::string who) { who_ = std::move(who); }
  [[nodiscard]] const std::string& about() const { return who_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::string last() const {
    std::string text;
    for (const std::string& line : kept_) text += "  " + line + "\n";
    return text;
  }
  void print_all() { print_ = true; }

 private:
  // About a day of four schools.
  static constexpr std::size_t kKept = 60;
  std::uint64_t hash_ = 0, events_ = 0;
  std::string who_;
  std::deque<std::string> kept_;
  bool print_ = false;
};

}  // namespace towpath::sim
