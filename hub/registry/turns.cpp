#include "hub/registry/turns.hpp"

#include <algorithm>

namespace towpath {

TurnVerdict judge(TurnState& state, const TurnSeen& seen, const Turn& turn, Instant now) {
  if (state.two_machines) return TurnVerdict::kTwoMachines;
  if (turn.instance == state.current.instance) {
    if (seen.recorded) return *seen.recorded == turn.bundle ? TurnVerdict::kRepeated : TurnVerdict::kForked;
    if (turn.number > state.current.last) {
      state.current.last = turn.number;
      return TurnVerdict::kFresh;
    }
    return state.current.last - turn.number >= kTurnsKept ? TurnVerdict::kForked : TurnVerdict::kLate;
  }
  if (!seen.former) {
    if (seen.former_lives >= kInstancesMax) {
      state.two_machines = now;
      return TurnVerdict::kTwoMachines;
    }
    state.current = {turn.instance, turn.number};
    return TurnVerdict::kFresh;
  }
  // What it had said before another took over: a repetition, or a stick.
  if (turn.number <= seen.former->last) return TurnVerdict::kForked;
  // Its recovery has been granted, and nobody has begun a new instance since: that answer was lost.
  const bool going_on = state.recovered && state.recovered_under == state.current.instance;
  if (!going_on && state.recovered && now - *state.recovered < kRecoveryTime) {
    state.two_machines = now;
    return TurnVerdict::kTwoMachines;
  }
  if (!going_on) {
    state.recovered = now;
    state.recovered_under = state.current.instance;
  }
  return TurnVerdict::kForked;
}

}  // namespace towpath
