// Long work shows that it moves: to a person at a terminal, and to the service's watchdog.
//
// Counts only: what is done by how many, never what a row holds.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/adapter.hpp"

namespace towpath {

// Set by whoever wants running work to end; looked at every few thousand rows and while waiting
// for the hub. Work that was ended leaves the last good state.
using StopFlag = std::atomic<bool>;

class Watcher {
 public:
  virtual ~Watcher() = default;
  // Called at least every few seconds while work goes on.
  virtual void moves(const std::string& line) = 0;
};

// An adapter that tells how far it is, and ends early when asked; else hands everything on unchanged.
class WatchedAdapter final : public Adapter {
 public:
  // Both may be null.
  WatchedAdapter(Adapter& inner, Watcher* watcher, const StopFlag* stop, std::string source)
      : inner_(inner), watcher_(watcher), stop_(stop), source_(std::move(source)) {}
  [[nodiscard]] std::vector<std::string_view> provides() const override { return inner_.provides(); }
  // kStopped where it was asked to end, whatever the adapter makes of that.
  [[nodiscard]] Result<void> extract(RowSink& sink) override;

 private:
  Adapter& inner_;
  Watcher* watcher_;
  const StopFlag* stop_;
  std::string source_;
};

}  // namespace towpath
