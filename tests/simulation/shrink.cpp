#include "tests/simulation/shrink.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace towpath::sim {
namespace {

// What a person reads in one go; mishaps are shown however many there are.
constexpr std::size_t kLinesShown = 80;

// Leaving something out changes what chance does to the rest: a smaller world that held may yet break
// with another seed.
constexpr unsigned kOtherSeeds = 3;

class Shrinking {
 public:
  Shrinking(WorldOptions options, Outcome broken, const Live& lives, unsigned runs_max)
      : lives_(lives),
        runs_max_(runs_max),
        check_(check_of(*broken.broke)),
        best_{std::move(options), std::move(broken), 0, false} {}

  Smaller run() {
    for (bool again = true; again && !best_.given_up;) {
      const WorldOptions before = best_.options;
      days();
      schools();
      mishaps();
      pupils();
      again = best_.options != before;
    }
    return std::move(best_);
  }

 private:
  template <typename Change>
  bool attempt(Change&& change) {
    WorldOptions candidate = best_.options;
    change(candidate);
    if (candidate == best_.options) return false;
    for (unsigned other = 0; other <= kOtherSeeds; ++other) {
      if (best_.runs == runs_max_) best_.given_up = true;
      if (best_.given_up) return false;
      if (other > 0) {
        ++candidate.seed;
        candidate.swarm = false;  // the mix is that of the first seed
      }
      ++best_.runs;
      Outcome outcome = lives_(candidate);
      if (!outcome.broke || check_of(*outcome.broke) != check_) continue;
      best_.options = std::move(candidate);
      best_.outcome = std::move(outcome);
      return true;
    }
    return false;
  }

  // The least number down to `least` with which it breaks, as far as halving steps find it.
  template <typename Number, typename Set>
  void lessen(Number now, Number least, Set&& set) {
    for (Number step = now > least ? now - least : 0; step > 0;) {
      if (attempt([&](WorldOptions& w) { set(w, now - step); })) {
        now -= step;
        step = std::min<Number>(step, now - least);
      } else {
        step /= 2;
      }
    }
  }

  void days() {
    attempt([&](WorldOptions& w) { w.days = std::min(w.days, best_.outcome.where.day); });
    lessen(best_.options.days, 1U, [](WorldOptions& w, unsigned n) { w.days = n; });
  }

  void schools() {
    whole_.clear();
    for (unsigned i = 0; i < best_.options.schools; ++i) whole_.push_back(i);
    if (best_.outcome.where.school)
      attempt([&](WorldOptions& w) { w.only_schools = {*best_.outcome.where.school}; });
    // Halves, then quarters, then one by one.
    const auto now = [&] { return best_.options.only_schools.empty() ? whole_ : best_.options.only_schools; };
    for (std::size_t piece = now().size() / 2; piece > 0; piece /= 2)
      for (std::size_t at = 0; at < now().size() && now().size() > 1;) {
        std::vector<unsigned> rest = now();
        const std::size_t end = std::min(at + piece, rest.size());
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(at),
                   rest.begin() + static_cast<std::ptrdiff_t>(end));
        if (rest.empty() || !attempt([&](WorldOptions& w) { w.only_schools = rest; })) at += piece;
      }
    // Without the numbers of those that are not there.
    if (!best_.options.only_schools.empty())
      attempt([](WorldOptions& w) { w.schools = w.only_schools.back() + 1; });
  }

  void mishaps() {
    attempt([](WorldOptions& w) { w.mishaps = Mishaps::none(); });
    for (const std::string_view group : Mishaps::groups()) leave_out(group);
    for (const MishapKind& kind : kMishaps) leave_out(kind.name);
  }
  void leave_out(std::string_view name) {
    attempt([&](WorldOptions& w) { static_cast<void>(w.mishaps.set(name, 0)); });
  }

  void pupils() {
    lessen(best_.options.days_before, 0, [](WorldOptions& w, int n) { w.days_before = n; });
    if (best_.options.pupils == 0)
      for (const std::size_t few : {2U, 4U})
        if (attempt([&](WorldOptions& w) { w.pupils = few; })) return;
    if (best_.options.pupils > 1)
      lessen(best_.options.pupils, std::size_t{1}, [](WorldOptions& w, std::size_t n) { w.pupils = n; });
  }

  const Live& lives_;
  const unsigned runs_max_;
  const std::string check_;
  std::vector<unsigned> whole_;
  Smaller best_;
};

// Whether it belongs to what happened to this school: its own, the world's, and whatever befell the hub.
bool concerns(const Event& event, std::optional<unsigned> school) {
  if (!school || !event.school || event.school == school) return true;
  if (event.mishap) {
    const std::string_view group = kind_of(*event.mishap).group();
    return group == "hub";
  }
  return event.what.starts_with("the hub ");
}

std::string story(const WorldOptions& options, const Outcome& outcome) {
  // Of several schools in a world that has been made small, each matters.
  const std::optional<unsigned> whose = options.only_schools.size() > 1 ? std::nullopt : outcome.where.school;
  std::vector<const Event*> shown;
  for (const Event& event : outcome.events)
    if (concerns(event, whose)) shown.push_back(&event);
  std::size_t quiet = shown.size() > kLinesShown ? shown.size() - kLinesShown : 0;  // to be left out
  std::string text, place;
  std::size_t left_out = 0;
  const auto tell_left_out = [&] {
    if (left_out > 0) text += "    (" + std::to_string(left_out) + " events without a mishap)\n";
    left_out = 0;
  };
  for (const Event* event : shown) {
    if (quiet > 0 && !event->mishap) {
      --quiet;
      ++left_out;
      continue;
    }
    tell_left_out();
    if (event->place() != place) text += "  " + (place = event->place()) + "\n";
    text += (event->mishap ? "  ! " : "    ") + event->what + "\n";
  }
  tell_left_out();
  return text;
}

}  // namespace

std::string check_of(const std::string& broke) {
  std::string text;
  for (const char c : broke.substr(0, broke.find(':')))
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) text += c;
  return text;
}

Smaller shrink(WorldOptions options, Outcome broken, const Live& lives, unsigned runs_max) {
  return Shrinking(std::move(options), std::move(broken), lives, runs_max).run();
}

std::string report(const WorldOptions& options, const Outcome& outcome) {
  return "towpath-sim " + options.text() + "\n" + outcome.where.place() + ": " +
         outcome.broke.value_or("all held") + "\npromised is: " + std::string(says(outcome.promise)) +
         "\nbefore it, mishaps marked:\n" + story(options, outcome);
}

std::string report(const Smaller& found, const WorldOptions& from) {
  std::string text = report(found.options, found.outcome);
  if (found.options != from)
    text +=
        "the smallest of " + std::to_string(found.runs) + " worlds like towpath-sim " + from.text() + "\n";
  if (found.given_up)
    text += "(smaller ones may be found: no more than " + std::to_string(found.runs) + " are tried)\n";
  return text;
}

std::optional<std::string> run_world(const WorldOptions& options) {
  const auto lives = [](const WorldOptions& candidate) { return live(candidate); };
  Outcome outcome = live(options);
  if (!outcome.broke) return std::nullopt;
  return report(shrink(options, std::move(outcome), lives), options);
}

}  // namespace towpath::sim
