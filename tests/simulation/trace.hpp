// What happened, in order: one line an event. Its hash tells whether two runs were the same;
// its last lines are what a person reads when a check fails.
#pragma once

#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>

namespace towpath::sim {

// A check of the simulation that did not hold. The world adds where and what came before.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Trace {
 public:
  // Keys, counts and sizes only: a trace is printed.
  void event(const std::string& what);
  // Who the next events are about: "day 3 school 5".
  void about(std::string who) { who_ = std::move(who); }
  [[nodiscard]] const std::string& about() const { return who_; }

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  // The last events, one a line.
  [[nodiscard]] std::string last() const;
  void print_all() { print_ = true; }

 private:
  // About a day of ten schools: what led to a broken check is mostly in it.
  static constexpr std::size_t kKept = 60;
  std::uint64_t hash_ = 0;
  std::uint64_t events_ = 0;
  std::string who_;
  std::deque<std::string> kept_;
  bool print_ = false;
};

}  // namespace towpath::sim
