// The line between a school and the hub, with one mishap a request at most: the request or the answer is
// lost, cut or flipped; a request arrives twice, late, or an old one again; the hub's machine goes down over
// it. And weeks without any line.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "agent/uplink/transport.hpp"
#include "tests/simulation/federation/hub.hpp"
#include "tests/simulation/federation/mishaps.hpp"

namespace towpath::sim::fed {

class Link final : public Transport {
 public:
  Link(std::string urn, Hub& hub, SimRandom random, SimTime& time, Trace& trace, const Mishaps& mishaps)
      : urn_(std::move(urn)), hub_(hub), requests_(random), time_(time), trace_(trace), mishaps_(mishaps) {}
  [[nodiscard]] Result<Reply> exchange(ByteView body) override;
  [[nodiscard]] std::uint64_t bytes_sent() const override { return sent_; }
  [[nodiscard]] std::uint64_t bytes_received() const override { return received_; }

  // Offline until then.
  void cut_until(Instant then) { offline_until_ = then; }
  [[nodiscard]] bool offline() const { return time_.now < offline_until_; }
  void heal() {
    mishaps_ = Mishaps();
    for (std::size_t i = 0; i < kMishapCount; ++i) mishaps_.set(static_cast<Mishap>(i), 0);
    offline_until_ = {};
  }
  // What is still on its way arrives. False: there is nothing.
  bool deliver_late();
  // Called with what leaves the school, before anything is done to it.
  std::function<void(ByteView)> departs;
  // Something was done to a call since the last time this was asked.
  [[nodiscard]] bool take_disturbed() { return std::exchange(disturbed_, false); }
  [[nodiscard]] unsigned asked() const { return asked_; }

 private:
  [[nodiscard]] std::optional<Result<Bytes>> deliver(ByteView request);
  void damage(Bytes& bytes, bool cut);

  std::string urn_;
  Hub& hub_;
  SimRandom requests_;
  SimTime& time_;
  Trace& trace_;
  Mishaps mishaps_;
  Instant offline_until_{};
  SimRandom random_{0, ""};
  std::deque<Bytes> old_, late_;
  std::uint64_t sent_ = 0, received_ = 0;
  unsigned asked_ = 0;
  bool disturbed_ = false;
};

// An event that says what struck.
void tell(Trace& trace, Mishap mishap, const std::string& detail = {});

}  // namespace towpath::sim::fed
