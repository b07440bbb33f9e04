#include "hub/exchange/watch.hpp"

#include <Poco/Exception.h>

#include <algorithm>
#include <vector>

namespace towpath {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How often deadlines are looked at; half a second more or less does not matter to anybody.
constexpr milliseconds kWatchEvery{500};
// Idle this long, a connection may be ended for one that waits: a handshake and a header need some
// round trips, and the slowest line that we know of takes less for them.
constexpr milliseconds kIdleEnough{2'000};

}  // namespace

Watch::Watch(const HttpOptions& options, std::function<std::size_t()> waiting)
    : options_(options), waiting_(std::move(waiting)), thread_([this] { run(); }) {}
Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watch::Stay::waiting() { watch_.phase(id_, Phase::kWaiting, watch_.options_.header_time); }
void Watch::Stay::reading(std::size_t bytes) { watch_.phase(id_, Phase::kReading, watch_.line_time(bytes)); }
void Watch::Stay::answering() { watch_.phase(id_, Phase::kAnswering, std::nullopt); }
void Watch::Stay::sending(std::size_t bytes) { watch_.phase(id_, Phase::kSending, watch_.line_time(bytes)); }
void Watch::Stay::draining() { watch_.phase(id_, Phase::kReading, watch_.options_.drain_time); }

milliseconds Watch::line_time(std::size_t bytes) const {
  return options_.body_time +
         milliseconds(1000 * bytes / std::max<std::size_t>(1, options_.body_bytes_a_second));
}

std::uint64_t Watch::enter(const Poco::Net::StreamSocket& socket) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t id = ++last_;
  const auto now = SteadyClock::now();
  open_.emplace(id, Connection{socket, Phase::kWaiting, now, now + options_.header_time});
  if (stopping_) end(open_.at(id));
  return id;
}
void Watch::leave(std::uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    open_.erase(id);
  }
  changed_.notify_all();
}
void Watch::phase(std::uint64_t id, Phase phase, std::optional<milliseconds> time) {
  const std::lock_guard lock(mutex_);
  const auto at = open_.find(id);
  if (at == open_.end()) return;
  at->second.phase = phase;
  at->second.since = SteadyClock::now();
  at->second.deadline = time ? std::optional(at->second.since + *time) : std::nullopt;
  if (stopping_ && phase == Phase::kWaiting) end(at->second);
}
void Watch::end(Connection& c) {
  c.deadline.reset();
  try {
    c.socket.shutdown();
  } catch (const Poco::Exception&) {
    // It has ended already.
  }
}

void Watch::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (auto& [id, c] : open_)
    if (c.phase == Phase::kWaiting || c.phase == Phase::kReading) end(c);
  const auto gone = [this] { return open_.empty(); };
  if (!changed_.wait_for(lock, options_.stop_time, gone))
    for (auto& [id, c] : open_) end(c);
  changed_.wait_for(lock, milliseconds(500), gone);
}
bool Watch::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Watch::end_idle(std::size_t wanted, Time now) {
  std::vector<Connection*> idle;
  for (auto& [id, c] : open_)
    if (c.phase == Phase::kWaiting && c.deadline &&
        now - c.since >= std::min(kIdleEnough, options_.header_time))
      idle.push_back(&c);
  std::sort(idle.begin(), idle.end(),
            [](const Connection* a, const Connection* b) { return a->since < b->since; });
  for (std::size_t i = 0; i < std::min(wanted, idle.size()); ++i) end(*idle[i]);
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    changed_.wait_for(lock, kWatchEvery, [this] { return over_; });
    lock.unlock();
    const std::size_t wanted = waiting_();
    lock.lock();
    const auto now = SteadyClock::now();
    for (auto& [id, c] : open_)
      if (c.deadline && *c.deadline <= now) end(c);
    if (wanted > 0) end_idle(wanted, now);
  }
}

}  // namespace towpath
