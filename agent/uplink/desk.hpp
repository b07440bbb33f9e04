// The school's desk: which streams speak, what post goes out with them, and where what comes in is
// put. What Exchange knows of agreements, orders and partners is this and no more.
//
// Post goes before everything else in both directions. What is taken is safe on disk when take()
// returns, so that the next bundle may say so. Implemented by agent/sharing's HubDesk.
#pragma once

#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"

namespace towpath {

class Desk {
 public:
  virtual ~Desk() = default;
  // A publisher for each audience whose agreement is approved and in force now, the borough's first; may
  // be none. The pointers hold until the next call.
  [[nodiscard]] virtual Result<std::vector<Publisher*>> streams() = 0;
  // After each publish: what the change recalls becomes orders.
  [[nodiscard]] virtual Result<void> published() = 0;
  // For the next bundle, in this order, before all heads and segments: decisions, orders and receipts
  // that the hub has not taken; the mark of its post that we hold; where our partners' replicas stand.
  [[nodiscard]] virtual Result<std::vector<Frame>> outgoing() = 0;

  struct Taken {
    bool moved = false;               // something new is here
    bool more = false;                // the hub has more for us: ask again
    bool streams_changed = false;     // ask streams() again before anything else is published
    std::vector<std::string> events;  // for people
  };
  // What an answer (also one that refuses our bundle) brought of post, acknowledgements and partners'
  // segments. Frames of other kinds are not looked at.
  [[nodiscard]] virtual Result<Taken> take(const Bundle& answer) = 0;
};

}  // namespace towpath
