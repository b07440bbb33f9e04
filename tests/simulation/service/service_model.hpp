// What a service must do and may do, said a second time: from README.md, config/agent.example.toml and
// agent/service/README.md, without the schedule's code.
//
// In: what happens to a machine and its schools, what the service starts, how that ends. Throws Amiss
//   - where something is started by the schedule for which there is no reason: no window of its own that
//     is unused, none that was missed, no debt; too soon after a failure or a start; twice in a holiday;
//   - where the worker rests while something must have been begun, or where somebody else's work passes
//     what waits more often than its turn;
//   - where a person waits behind the schedule, is not answered once, or hears nothing at the end;
//   - where there is too much of it: starts, steps, lines.
// Two times: `t` is true and never goes back; `c` is what the machine's clock shows.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/config/windows.hpp"
#include "agent/service/task.hpp"
#include "tests/service/worlds.hpp"
#include "tests/simulation/service/story.hpp"

namespace towpath::sim {

class ServiceModel {
 public:
  using Key = std::pair<std::string, std::string>;  // school, item

  // --- the machine ---------------------------------------------------------------------------
  void service_begins(Instant t);
  void service_ends();
  void clock_set(Instant c);
  // `items`: by the agenda's names. Those of a school that is known keep what is known of them.
  void put(const std::string& school, const std::map<std::string, std::vector<Window>>& items,
           const CalendarConfig& calendar, Instant c);
  void drop(const std::string& school);
  // What the service remembers of it is not what it did last.
  void forgets(const Key& key);

  // --- the service ---------------------------------------------------------------------------
  void stepped(Instant t, Instant c, Instant wanted, bool visitors);
  void started(const Task& task, const std::string& school, std::size_t visitors_waiting, Instant t,
               Instant c);
  // For each item of the task that is remembered.
  void ended(const Key& key, Ending ending, std::chrono::seconds later, Instant c);
  // After a step that left the worker at rest.
  void rests(Instant c);
  void wrote(Instant t, std::size_t subjects);

  // --- people --------------------------------------------------------------------------------
  void asked(std::uint64_t visitor) { open_.insert(visitor); }
  // Each is reason for a step or two.
  void asked_of() { ++allowed_; }
  void answered(std::uint64_t visitor);
  // All who were there have been told.
  void nobody_left_waiting() const;
  void nobody_is_there() { open_.clear(); }

  struct Tally {
    std::uint64_t starts = 0, by_hand = 0, steps = 0, answers = 0, obligations = 0, lines = 0;
    std::map<std::string, std::uint64_t> because;  // why something was started
    std::vector<double> shares;                    // where in their windows undisturbed runs began
  };
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  struct Item {
    std::vector<Window> windows;
    const CalendarConfig* calendar = nullptr;  // null: holidays make no difference
    std::optional<Instant> begun, done;        // on the clock as it was then
    Ending last = Ending::kDone;               // of the last that counted
    unsigned failures = 0;                     // at most
    unsigned failures_least = 0;               // as far as it is remembered
    std::chrono::seconds later{0};
    std::optional<Instant> end;  // of the last, on the clock
    bool unsure = false;         // what is remembered may be older than this
    bool jumped = false;         // the clock was set since the last end
    std::optional<Instant> must_by;
    std::deque<Instant> starts, starts_busy;  // by the schedule, in the last true hour
    std::map<std::string, unsigned> passed;   // by whose work, since it must have begun
    unsigned passed_by_hand = 0;
    Instant running_since{};
  };
  struct School {
    std::map<std::string, Item> items;
    CalendarConfig calendar;
    Instant since{};  // clock: when the service began to know it
    bool jumped = false;
  };
  struct Span {
    Instant begin, end;
    std::chrono::minutes every;
  };
  [[nodiscard]] static std::vector<Span> spans(const Item& item, Instant c);
  [[nodiscard]] std::optional<Instant> obliged(const School& school, const std::string& name,
                                               const Item& item, Instant c) const;
  // Why this may be started; empty: there is no reason.
  [[nodiscard]] std::string reason(const School& school, const std::string& name, const Item& item,
                                   Instant c);
  // Something must have begun by now. A duty whose window has ended becomes the next one.
  [[nodiscard]] bool overdue(const School& school, const std::string& name, Item& item, Instant c);
  void settle_duties(School& school, Instant c);

  std::map<std::string, School> schools_;
  Tally tally_;
  std::set<std::uint64_t> open_;
  unsigned by_hand_in_row_ = 0;
  Instant hour_{}, looked_{};
  unsigned steps_ = 0, allowed_ = 0, stood_ = 0;
  Instant day_{};
  std::size_t lines_ = 0;
};

}  // namespace towpath::sim
