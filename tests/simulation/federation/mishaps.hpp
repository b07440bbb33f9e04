// What may go wrong in a world of federations, and what people do in it: each by its name, with a rate in
// thousandths of its occasions. Drawn whether or not the rate is 0 (../mishaps.hpp says why).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "tests/simulation/sim_random.hpp"

namespace towpath::sim::fed {

// clang-format off
#define TOWPATH_FED_MISHAPS(X) \
  /* each request of a school */ \
  X(kLineLost, "line.lost", 40, "a request is lost") \
  X(kLineAnswerLost, "line.answer-lost", 50, "an answer is lost") \
  X(kLineTwice, "line.twice", 40, "a request arrives twice") \
  X(kLineOld, "line.old", 40, "an old request arrives again first") \
  X(kLineLate, "line.late", 25, "a request arrives after newer ones, its sender long gone") \
  X(kLineCut, "line.cut", 20, "a request is cut off") \
  X(kLineFlip, "line.flip", 20, "a bit of a request is flipped") \
  X(kLineAnswerCut, "line.answer-cut", 20, "an answer is cut off") \
  X(kLineAnswerFlip, "line.answer-flip", 20, "a bit of an answer is flipped") \
  X(kHubKill, "hub.kill", 30, "the hub's process is killed at some change on its disk") \
  X(kHubPower, "hub.power", 40, "the hub's power is cut at some change") \
  X(kHubError, "hub.error", 20, "one change on the hub's disk fails") \
  /* each time that a school's program works */ \
  X(kSchoolKill, "school.kill", 30, "a school's process is killed at some change on its disk") \
  X(kSchoolPower, "school.power", 40, "its power is cut at some change") \
  X(kSchoolError, "school.error", 20, "one change on its disk fails") \
  /* each day of a school */ \
  X(kSchoolRest, "school.rest", 40, "a school's power is cut at rest") \
  X(kSchoolBack, "school.set-back", 35, "a machine is set back to its backup") \
  X(kSchoolLoss, "school.loss", 15, "a machine's disk dies, and it enrols anew") \
  X(kLineOutage, "line.outage", 25, "a school is offline for one to four weeks") \
  /* each day of the world */ \
  X(kHubBack, "hub.set-back", 25, "the hub is set back to its backup") \
  X(kHubRest, "hub.rest", 60, "the hub's power is cut at rest") \
  /* each day: what people do */ \
  X(kOffer, "people.offer", 450, "the operator offers an agreement, or another version of one") \
  X(kMember, "people.member", 180, "a school joins or leaves a federation") \
  X(kApprove, "people.approve", 750, "a school approves what it is offered") \
  X(kWithdraw, "people.withdraw", 90, "a school withdraws") \
  X(kRule, "people.rule", 300, "a pupil is protected, restricted, erased, or that is lifted") \
  X(kNamed, "people.named", 200, "the list of named pupils changes")
// clang-format on

enum class Mishap : std::uint8_t {
#define TOWPATH_FED_ID(id, name, usual, says) id,
  TOWPATH_FED_MISHAPS(TOWPATH_FED_ID)
#undef TOWPATH_FED_ID
};
struct MishapKind {
  std::string_view name;
  unsigned usual;
  std::string_view says;
};
inline constexpr MishapKind kMishaps[] = {
#define TOWPATH_FED_KIND(id, name, usual, says) {name, usual, says},
    TOWPATH_FED_MISHAPS(TOWPATH_FED_KIND)
#undef TOWPATH_FED_KIND
};
inline constexpr std::size_t kMishapCount = std::size(kMishaps);

class Mishaps {
 public:
  Mishaps() {
    for (std::size_t i = 0; i < kMishapCount; ++i) rates_[i] = kMishaps[i].usual;
  }
  // Some not at all, some often: by the seed.
  [[nodiscard]] static Mishaps swarm(std::uint64_t seed) {
    Mishaps mix;
    SimRandom random(seed, "federations: mix");
    for (unsigned& rate : mix.rates_) {
      const std::size_t mood = random.below(4);
      rate = mood == 0 ? 0 : mood == 1 ? rate * 3 : rate;
      if (rate > 900) rate = 900;
    }
    return mix;
  }
  [[nodiscard]] unsigned rate(Mishap m) const { return rates_[static_cast<std::size_t>(m)]; }
  void set(Mishap m, unsigned thousandths) { rates_[static_cast<std::size_t>(m)] = thousandths; }
  // "line.cut" or a group, "line".
  [[nodiscard]] Result<void> set(std::string_view name, unsigned thousandths) {
    bool found = false;
    for (std::size_t i = 0; i < kMishapCount; ++i) {
      const std::string_view its = kMishaps[i].name;
      if (its != name && its.substr(0, its.find('.')) != name) continue;
      rates_[i] = thousandths;
      found = true;
    }
    if (found) return {};
    return fail(Code::kUsage, "there is no mishap '" + std::string(name) + "'", "--list-faults names them");
  }
  [[nodiscard]] bool strikes(Mishap m, SimRandom& random) const { return random.below(1000) < rate(m); }
  // What differs from `usual`, as options.
  [[nodiscard]] std::string text(const Mishaps& usual) const {
    std::string out;
    for (std::size_t i = 0; i < kMishapCount; ++i)
      if (rates_[i] != usual.rates_[i])
        out += " --fault " + std::string(kMishaps[i].name) + "=" + std::to_string(rates_[i]);
    return out;
  }
  bool operator==(const Mishaps&) const = default;

 private:
  std::array<unsigned, kMishapCount> rates_{};
};
[[nodiscard]] constexpr const MishapKind& kind_of(Mishap m) { return kMishaps[static_cast<std::size_t>(m)]; }

}  // namespace towpath::sim::fed
