// What happened, in order: one line an event. Its hash tells whether two runs were the same; the
// events before a broken check are the story that a person reads (shrink.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/mishaps.hpp"

namespace towpath::sim {

// What the product promises, and a check therefore holds it to.
enum class Promise : std::uint8_t {
  kEqual,    // DESIGN 11, invariant 1
  kKept,     // invariant 2
  kPrivate,  // invariant 3
  kMerged,   // invariant 4
  kErased,   // invariant 5
  kWhole,
  kReason,
  kLive,
  kSound,
};
[[nodiscard]] std::string_view says(Promise promise);

// A check of the simulation that did not hold. The world adds where and what came before.
struct Broken : std::runtime_error {
  explicit Broken(const std::string& what) : Broken(Promise::kSound, what) {}
  Broken(Promise which, const std::string& what) : std::runtime_error(what), promise(which) {}
  Promise promise;
};

struct Event {
  unsigned day = 0;
  std::optional<unsigned> school;  // none: the hub, or the world
  std::optional<Mishap> mishap;    // that struck
  std::string what;
  // "day 3 school 5"
  [[nodiscard]] std::string place() const;
};

class Trace {
 public:
  // Keys, counts and sizes only: a trace is printed.
  void event(std::string what) { add({day_, school_, {}, std::move(what)}); }
  // One has struck; its own sentence, and where or when exactly.
  void mishap(Mishap mishap, const std::string& detail = {});
  // Who the next events are about.
  void about(unsigned day, std::optional<unsigned> school) {
    day_ = day;
    school_ = school;
  }
  [[nodiscard]] Event here() const { return {day_, school_, {}, {}}; }

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  // All of it, as printed.
  [[nodiscard]] std::string text() const;
  void print_all() { print_ = true; }
  std::function<void(const Event&)> each;  // is told as it happens

 private:
  void add(Event event);
  [[nodiscard]] static std::string line(std::size_t number, const Event& event);

  std::uint64_t hash_ = 0;
  unsigned day_ = 0;
  std::optional<unsigned> school_;
  std::vector<Event> events_;
  bool print_ = false;
};

}  // namespace towpath::sim
