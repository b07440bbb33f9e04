// Which of a school's bundles is new, which came before, and whether one machine speaks or two.
//
// In: what is kept of a key, and a bundle's instance, turn and id. Out: what to make of it. Pure.
// A school's store has a random number (its instance) and counts its bundles (turns), on disk
// before a bundle leaves. A machine that was set back or copied uses a turn twice: it is told to
// begin a new instance, which then takes over. If after that a former instance goes on counting,
// both are alive. Once within a week that may be what the recovery of one machine looks like (or
// the original, after its copy spoke first); then the former may recover, too. Twice cannot.
// Bundles on a stick come late and out of order, and the line may repeat any bundle: neither may
// look like a second machine. Called by Agents, in its transaction.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "bundle/bundle.hpp"
#include "core/date.hpp"

namespace towpath {

// Turns whose bundle ids are kept. A stick that comes later than 64 exchanges (two weeks of four a
// day) is told that it is too old, and its agent has long sent the same over the line.
inline constexpr std::uint64_t kTurnsKept = 64;
inline constexpr std::chrono::hours kRecoveryTime{7 * 24};
// A machine that is set back each night has two a day. All are kept: a forgotten one that the line
// repeats would take over.
inline constexpr std::size_t kInstancesMax = 10'000;

struct Life {
  std::uint64_t instance = 0;
  std::uint64_t last = 0;  // its highest turn that came here
};

struct Turn {
  std::uint64_t instance = 0, number = 0;  // neither is ever 0
  BundleId bundle;
};

struct TurnState {
  Life current;                         // instance 0: nobody has spoken yet
  std::optional<Instant> recovered;     // a former instance was last let recover
  std::uint64_t recovered_under = 0;    // while this one was current
  std::optional<Instant> two_machines;  // since
};

// What the books say of one turn.
struct TurnSeen {
  std::optional<Life> former;        // its instance is one that another has taken over from
  std::optional<BundleId> recorded;  // the current instance has used this number, for this bundle
  std::size_t former_lives = 0;
};

enum class TurnVerdict : std::uint8_t {
  kFresh,        // the newest so far
  kLate,         // older than the newest, and not seen before: a stick
  kRepeated,     // the same bundle again
  kForked,       // nothing of it may be used; its writer begins a new instance
  kTwoMachines,  // nothing of this key may be used until one machine is enrolled anew
};

// Changes `state` as the verdict asks. kFresh and kLate: the turn is to be recorded. Where
// state.current.instance has changed, the one before has become a former one.
[[nodiscard]] TurnVerdict judge(TurnState& state, const TurnSeen& seen, const Turn& turn, Instant now);

}  // namespace towpath
