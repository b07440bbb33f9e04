// What may go wrong in a world, each by its name and with a rate; the only place that knows them.
//
// A mishap has an occasion (a request, a night's run, a day): each time it comes, the mishap strikes
// with its rate, in thousandths. A draw is made whether or not the rate is 0: switching one off leaves
// what happens otherwise as it was, as far as can be, and that is what makes a failing world smaller.
// To add one: a line here, and a `strikes` at its occasion (docs/simulation.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "tests/simulation/sim_random.hpp"

namespace towpath::sim {

// name, usual rate in thousandths, what happens; grouped by occasion.
// Not aligned, so that whoever adds a line touches no other.
// clang-format off
#define TOWPATH_MISHAPS(X) \
  /* each request of a school */ \
  X(kLineLost, "line.lost", 35, "a request is lost") \
  X(kLineAnswerLost, "line.answer-lost", 35, "an answer is lost") \
  X(kLineTwice, "line.twice", 35, "a request arrives twice") \
  X(kLineOld, "line.old", 35, "an old request arrives again first") \
  X(kLineCut, "line.cut", 35, "a request is cut off") \
  X(kLineFlip, "line.flip", 35, "a bit of a request is flipped") \
  X(kLineAnswerCut, "line.answer-cut", 35, "an answer is cut off") \
  X(kLineAnswerFlip, "line.answer-flip", 35, "a bit of an answer is flipped") \
  X(kLinePage, "line.page", 35, "a web filter answers in the hub's place") \
  X(kLineBusy, "line.busy", 35, "the server says 503") \
  X(kLineSlow, "line.slow", 35, "an answer takes minutes") \
  X(kLineLate, "line.late", 25, "a request arrives after newer ones, its sender long gone") \
  X(kLinePageDressed, "line.page-dressed", 10, "a filter's page comes as if it were a bundle") \
  X(kLineCrossed, "line.crossed", 15, "a proxy gives the answer that was for another school") \
  X(kLineCached, "line.cached", 15, "a proxy answers with what it kept of an earlier request") \
  X(kHubKill, "hub.kill", 25, "the hub's process is killed at some change on its disk") \
  X(kHubPower, "hub.power", 50, "the hub's power is cut at some change") \
  X(kHubFull, "hub.full", 25, "the hub's disk is full for a while") \
  X(kHubError, "hub.error", 25, "one change on the hub's disk fails") \
  X(kHubRead, "hub.read", 25, "one read of the hub's disk fails") \
  X(kHubUnreadable, "hub.unreadable", 10, "the hub's disk cannot be read for a while") \
  X(kHubUnsaid, "hub.unsaid", 20, "its power is cut between a commit and the answer that says so") \
  X(kSchoolWaiting, "school.waiting", 40, "a school's machine goes down waiting for an answer") \
  /* each time that a school's program works on its store */ \
  X(kSchoolKill, "school.kill", 20, "a school's process is killed at some change on its disk") \
  X(kSchoolPower, "school.power", 40, "its power is cut at some change") \
  X(kSchoolFull, "school.full", 20, "its disk is full for a while") \
  X(kSchoolError, "school.error", 20, "one change on its disk fails") \
  X(kSchoolRead, "school.read", 20, "one read of its disk fails") \
  X(kSchoolUnreadable, "school.unreadable", 10, "its disk cannot be read for a while") \
  /* each turn of the world */ \
  X(kHubRest, "hub.rest", 10, "the hub's power is cut at rest") \
  /* each day of a school */ \
  X(kSchoolRest, "school.rest", 60, "a school's power is cut at rest") \
  X(kSchoolSlow, "school.slow-disk", 50, "each change on its disk takes up to a minute, for a day") \
  X(kSchoolBack, "school.set-back", 60, "a machine is set back to its backup") \
  X(kSchoolCopy, "school.copy", 40, "a machine is copied, and both run on") \
  X(kSchoolLoss, "school.loss", 40, "a machine's disk dies") \
  X(kSchoolData, "school.data-lost", 15, "a machine's data folder is lost, its keys are not") \
  X(kSchoolKeys, "school.keys-lost", 15, "a machine's keys are lost, its data is not") \
  X(kSchoolDies, "school.dies-copied", 150, "the original dies while its copy lives") \
  X(kKeyRevoke, "key.revoke", 30, "the operator ends a school's key") \
  X(kKeyRotate, "key.rotate", 120, "a school's key is replaced by a person") \
  X(kKeyAsk, "key.ask", 40, "the hub asks a school for a new key") \
  X(kGrants, "people.grants", 30, "another agreement counts from now on") \
  X(kStick, "stick.carried", 200, "bundles go by hand, late, twice, out of order") \
  X(kStickLost, "stick.lost", 100, "a stick does not arrive") \
  X(kStickTwice, "stick.twice", 400, "a stick is carried again, some other day") \
  X(kStickSwapped, "stick.swapped", 300, "its files are read in another order") \
  X(kStickAnswer, "stick.answer-lost", 200, "an answer does not come back") \
  X(kLineOutage, "line.outage", 15, "the line is dead for days") \
  X(kLineOneWay, "line.one-way", 25, "requests arrive, and no answer does, for a day") \
  X(kLineCutAt, "line.cut-at", 20, "the line cuts at the same byte each time, for a day or two") \
  /* each turn of a school's machine */ \
  X(kClockJump, "clock.jump", 15, "a clock jumps by seconds to hours, on or back") \
  X(kClockHour, "clock.hour", 5, "a clock takes civil time for UTC, or no longer does") \
  X(kClockLost, "clock.lost", 3, "a clock jumps by days to years, on or back") \
  /* each step of a sync */ \
  X(kGrantsInFlight, "people.in-flight", 10, "a sync is ended by another agreement") \
  /* each day of the world */ \
  X(kHubBack, "hub.set-back", 100, "the hub is set back to its backup") \
  X(kHubSlow, "hub.slow-disk", 60, "each change on the hub's disk takes seconds, for a day") \
  X(kHubClock, "hub.clock", 60, "the hub's clock jumps by seconds to years, on or back") \
  X(kHubRotate, "hub.rotate", 100, "the hub's own key is replaced") \
  X(kHubFile, "hub.file-lost", 40, "the hub's file of one school is gone") \
  /* each night's export */ \
  X(kSourceFails, "source.fails", 40, "the export cannot be read to its end") \
  X(kSourceBreaks, "source.breaks-off", 60, "a file breaks off") \
  X(kSourceAbsent, "source.absent", 40, "a file is not there") \
  X(kSourceHalf, "source.half", 40, "half the pupils are missing") \
  X(kSourceShrinks, "source.shrinks", 20, "one pupil more is missing each night") \
  X(kSourceLate, "source.late", 40, "a pupil is missing, and is in registers") \
  X(kSourceCell, "source.bad-cell", 120, "a cell cannot be taken") \
  X(kSourceTwice, "source.twice", 60, "a record comes twice, alike or not") \
  X(kSourceRecord, "source.unreadable", 60, "nothing of a record can be read") \
  X(kSourceDeltaLost, "source.delta-lost", 100, "what has changed is told, and not heard") \
  X(kSourceDeltaAgain, "source.delta-again", 100, "what had changed is told again") \
  /* each day of a school's systems */ \
  X(kSourceIds, "source.new-id", 60, "a pupil has another id") \
  X(kSourceYear, "source.new-year", 15, "the school year ends") \
  X(kSourceMis, "source.new-mis", 8, "the MIS is replaced: every id is new") \
  /* each text or number that is written there */ \
  X(kSourceEdge, "source.edge", 20, "it is as odd as may be") \
  /* each machine, once */ \
  X(kClockWrong, "clock.wrong", 400, "a clock is wrong by minutes") \
  X(kClockDrift, "clock.drift", 500, "a clock gains or loses up to minutes a day") \
  X(kClockFar, "clock.far", 100, "a clock is wrong by up to a year") \
  X(kHubUpgrade, "hub.upgrade", 150, "the hub is older than the schools, until some day") \
  X(kSchoolUpgrade, "school.upgrade", 150, "a school is older than the hub, until some day")
// clang-format on

enum class Mishap : std::uint8_t {
#define TOWPATH_MISHAP_ID(id, name, usual, says) id,
  TOWPATH_MISHAPS(TOWPATH_MISHAP_ID)
#undef TOWPATH_MISHAP_ID
};

struct MishapKind {
  std::string_view name;  // group.name
  unsigned usual;         // thousandths
  std::string_view says;
  [[nodiscard]] std::string_view group() const { return name.substr(0, name.find('.')); }
};
inline constexpr MishapKind kMishaps[] = {
#define TOWPATH_MISHAP_KIND(id, name, usual, says) {name, usual, says},
    TOWPATH_MISHAPS(TOWPATH_MISHAP_KIND)
#undef TOWPATH_MISHAP_KIND
};
inline constexpr std::size_t kMishapCount = std::size(kMishaps);

[[nodiscard]] constexpr const MishapKind& kind_of(Mishap mishap) {
  return kMishaps[static_cast<std::size_t>(mishap)];
}

// The rates of one world.
class Mishaps {
 public:
  // The usual ones.
  Mishaps();
  [[nodiscard]] static Mishaps none();
  // A mix of its own for each seed: some not at all, some often, so that what usually hides behind
  // another fault is reached as well.
  [[nodiscard]] static Mishaps swarm(std::uint64_t seed);

  [[nodiscard]] unsigned rate(Mishap mishap) const { return rates_[static_cast<std::size_t>(mishap)]; }
  void set(Mishap mishap, unsigned thousandths) { rates_[static_cast<std::size_t>(mishap)] = thousandths; }
  // "line.cut" or a whole group, "line". Error where there is none of that name, with those there are.
  [[nodiscard]] Result<void> set(std::string_view name, unsigned thousandths);
  // As they are in `other`; for a name or group that there is.
  void take(std::string_view name, const Mishaps& other);
  [[nodiscard]] bool strikes(Mishap mishap, SimRandom& random) const {
    return random.below(1000) < rate(mishap);
  }
  // "line", "hub"...: each once.
  [[nodiscard]] static std::vector<std::string_view> groups();
  // What differs from `usual`, as options: "--without line --fault hub.kill=100".
  [[nodiscard]] std::string text(const Mishaps& usual) const;
  bool operator==(const Mishaps&) const = default;

 private:
  std::array<unsigned, kMishapCount> rates_{};
};

}  // namespace towpath::sim
