// Replicas that stay open between exchanges. What is lent out is nowhere else: its school is locked.
// Thread-safe. Used by the hub's service and its visits.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "replica/replica.hpp"

namespace towpath {

// A first load comes in a few bundles, and opening costs a fifth of a delta. Each may hold a page
// cache of 1 MB and its statements.
inline constexpr std::size_t kReplicasOpen = 8;

class Shelf {
 public:
  std::optional<Replica> take(const std::string& urn, Epoch epoch) {
    const std::lock_guard lock(mutex_);
    for (auto at = kept_.begin(); at != kept_.end(); ++at)
      if (at->urn == urn && at->epoch == epoch) {
        std::optional<Replica> replica(std::move(at->replica));
        kept_.erase(at);
        return replica;
      }
    return std::nullopt;
  }
  void put(const std::string& urn, Epoch epoch, Replica replica) {
    std::list<Kept> closing;  // outside the lock: closing may write
    const std::lock_guard lock(mutex_);
    kept_.push_front({urn, epoch, std::move(replica)});
    if (kept_.size() > kReplicasOpen) closing.splice(closing.begin(), kept_, std::prev(kept_.end()));
  }
  void close_before(const std::string& urn, Epoch keep) {
    const std::lock_guard lock(mutex_);
    kept_.remove_if([&](const Kept& k) { return k.urn == urn && k.epoch < keep; });
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    kept_.clear();
  }

 private:
  struct Kept {
    std::string urn;
    Epoch epoch;
    Replica replica;
  };
  std::mutex mutex_;
  std::list<Kept> kept_;  // latest first
};

}  // namespace towpath
