// What the store remembers of its line to the hub, beside the streams: which life of the store
// speaks, how often it has spoken, which answers have been heard, and what the hub thinks of our key.
//
//   instance   random, never 0. A copy of the data folder has the same one until the hub notices;
//              then each life takes a new one (new_life).
//   turn       counted up and on disk before a bundle leaves, so that a number used twice tells of a
//              machine that was copied or set back.
//   sent       ids of bundles made, with their turns: an answer that comes on a stick weeks later is
//              known by them, and so is one that is older than what has been heard since.
// Written by agent/uplink, one process at a time. No personal data, no keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/store/store.hpp"
#include "bundle/bundle.hpp"
#include "core/date.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// Ids kept of bundles that were sent: some four a school day, so a year; 30 bytes each.
inline constexpr std::uint64_t kSentKept = 1000;

struct TurnTaken {
  std::uint64_t instance = 0, number = 0;
};

// What the hub last said of this machine's key.
struct Credential {
  std::optional<Instant> accepted;  // last answer sealed for us
  std::optional<Instant> refused;   // last word that it is not to be used; gone once it is accepted
  Code code = Code::kRefused;       // of the refusal
  std::string what, next;           // the sentence, and what to do
};

class LineState {
 public:
  explicit LineState(Store& store) : store_(store) {}
  [[nodiscard]] Store& store() { return store_; }

  // For the bundle that is about to leave: committed when this returns.
  [[nodiscard]] Result<TurnTaken> next_turn(const BundleId& id, Random& random);
  // Of a bundle that this store has made; none for another's, or one too old to be remembered.
  [[nodiscard]] Result<std::optional<std::uint64_t>> turn_of(const BundleId& id);
  // The newest turn whose answer counts: that of an older one says nothing about how things are.
  [[nodiscard]] Result<std::uint64_t> newest_heard();
  // An answer to this turn has come, sealed for us: the key is accepted.
  [[nodiscard]] Result<void> heard(std::uint64_t turn, Instant now);
  // What was asked so far is about what is over (an epoch, a life): its answers count no more.
  [[nodiscard]] Result<void> past_is_over();
  // The hub has found that another life speaks as this one. What it has sent may be what this store
  // lacks: it has to be brought back before anything is published.
  [[nodiscard]] Result<void> new_life(Random& random);

  [[nodiscard]] Result<void> refused(Instant now, Code code, std::string_view what, std::string_view next);
  [[nodiscard]] Result<Credential> credential();

  // What only the hub still has of this school is to be brought back before anything is published.
  [[nodiscard]] Result<bool> restore_pending();
  [[nodiscard]] Result<void> set_restore_pending(bool pending);
  // Something has been published from this store.
  [[nodiscard]] Result<bool> has_published();

 private:
  Store& store_;
};

}  // namespace towpath
