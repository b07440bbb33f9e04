#include "hub/exchange/limits.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/result.hpp"

namespace towpath {
namespace {

// Who has run out is told to come back when this many will be there: once for one would be a
// request a second for nothing.
constexpr std::uint64_t kTokensToComeBackFor = 30;
// Forgetting is done in sweeps; below this many keys (some 100 bytes each) it is not worth one.
constexpr std::size_t kKeysBeforeSweep = 4096;
// A token in the unit that a bucket counts in: a minute's milliseconds. A millisecond then brings
// exactly `per_minute` units, and nothing is rounded.
constexpr std::uint64_t kToken = 60'000;

}  // namespace

struct Limits::State {
  struct Key {
    std::uint32_t tickets = 0;
    std::uint64_t units = 0;
    Instant at;
  };

  State(Clock& c, const LimitOptions& o) : clock(c), options(o) {}

  [[nodiscard]] std::uint64_t full() const { return kToken * options.burst; }
  void refill(Key& key, Instant now) const {
    if (now > key.at) {
      const auto passed = static_cast<std::uint64_t>((now - key.at).count());
      const std::uint64_t missing = full() - key.units;
      const std::uint64_t rate = options.per_minute;
      key.units += rate == 0 ? 0 : passed >= missing / rate + 1 ? missing : std::min(missing, passed * rate);
    }
    key.at = now;
  }
  // What is as good as new need not be remembered.
  void sweep(Instant now) {
    for (auto at = keys.begin(); at != keys.end();) {
      refill(at->second, now);
      at = at->second.tickets == 0 && at->second.units == full() ? keys.erase(at) : std::next(at);
    }
    sweep_at = std::max(kKeysBeforeSweep, 2 * keys.size());
  }
  void release(const std::string& name) {
    const std::lock_guard lock(mutex);
    Key& key = keys.at(name);  // a key with a ticket is never forgotten
    TP_ASSERT(key.tickets > 0);
    if (--key.tickets > 0) --extra;
  }

  Clock& clock;
  const LimitOptions options;
  mutable std::mutex mutex;
  std::unordered_map<std::string, Key> keys;
  std::size_t sweep_at = kKeysBeforeSweep;
  std::uint32_t extra = 0;  // tickets beyond the first of their key
};

struct Limits::Ticket::Place {
  std::shared_ptr<Limits::State> state;
  std::string key;
  Place(std::shared_ptr<Limits::State> s, std::string k) : state(std::move(s)), key(std::move(k)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { state->release(key); }
};

Limits::Ticket::Ticket(std::unique_ptr<Place> place) : place_(std::move(place)) {}
Limits::Ticket::Ticket(Ticket&& other) noexcept = default;
Limits::Ticket& Limits::Ticket::operator=(Ticket&& other) noexcept = default;
Limits::Ticket::~Ticket() = default;

Limits::Limits(Clock& clock, const LimitOptions& options) : state_(std::make_shared<State>(clock, options)) {}
Limits::~Limits() = default;

tl::expected<Limits::Ticket, Limits::Later> Limits::admit(const std::string& name) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const Instant now = s.clock.now();
  if (s.keys.size() >= s.sweep_at) s.sweep(now);
  const auto [at, fresh] = s.keys.try_emplace(name);
  State::Key& key = at->second;
  if (fresh) {
    key.units = s.full();
    key.at = now;
  } else {
    s.refill(key, now);
  }
  const bool first = key.tickets == 0;
  if ((s.options.at_once > 0 && key.tickets >= s.options.at_once) ||
      (!first && s.options.extra_at_once > 0 && s.extra >= s.options.extra_at_once))
    return tl::unexpected(Later{Later::Why::kBusy, std::max(1U, s.options.busy_seconds)});
  if (key.units < kToken) {
    const std::uint64_t wanted =
        kToken * std::min<std::uint64_t>(kTokensToComeBackFor, std::max(1U, s.options.burst));
    const std::uint64_t a_second = std::uint64_t{1000} * std::max(1U, s.options.per_minute);
    return tl::unexpected(Later{Later::Why::kTooMany,
                                static_cast<std::uint32_t>((wanted - key.units + a_second - 1) / a_second)});
  }
  // The place first: it may fail for want of memory, and then nothing has been taken.
  auto place = std::make_unique<Ticket::Place>(state_, name);
  key.units -= kToken;
  ++key.tickets;
  if (!first) ++s.extra;
  return Ticket(std::move(place));
}

std::size_t Limits::remembered() const {
  const std::lock_guard lock(state_->mutex);
  return state_->keys.size();
}

}  // namespace towpath
