// The line between a school and the hub: a Transport that does to bundles what lines do.
//
// Each call has one mishap or none: the request or the answer is lost, cut off or has a bit
// flipped; the request arrives twice, or after newer ones; an old one arrives again first; a web filter
// or a proxy answers in the hub's place; the hub's machine, or the school's, goes down meanwhile. And
// there are spells: days without a line, or with one that works in one direction. Nothing waits: a
// slow line moves the world's time on.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "agent/uplink/transport.hpp"
#include "tests/simulation/mishaps.hpp"
#include "tests/simulation/sim_hub.hpp"

namespace towpath::sim {

class SimLink final : public Transport {
 public:
  // `hub_changes`: how many an exchange may make on the hub's disk, about: its mishaps strike within.
  SimLink(std::string urn, SimHub& hub, SimRandom random, SimTime& time, Trace& trace, const Mishaps& mishaps,
          std::size_t hub_changes);
  [[nodiscard]] Result<Reply> exchange(ByteView body) override;
  [[nodiscard]] std::uint64_t bytes_sent() const override { return sent_; }
  [[nodiscard]] std::uint64_t bytes_received() const override { return received_; }

  // A spell may begin.
  void begin_day();
  // No mishaps from here on; what was late is still to come (deliver_late).
  void heal();
  // What is still on its way arrives. False: there is nothing.
  bool deliver_late();
  // Requests so far.
  [[nodiscard]] unsigned asked() const { return asked_; }
  // Something was done to a call since the last time this was asked.
  [[nodiscard]] bool take_disturbed() { return std::exchange(disturbed_, false); }
  // Called with what leaves the school, before anything is done to it.
  std::function<void(ByteView)> departs;
  // Whether the hub's latest answer, as it came here, asks to come back later.
  [[nodiscard]] bool asked_for_later() const { return asked_for_later_; }
  // Called when a request of before has replaced the school's key.
  std::function<void()> overtaken;
  // Called while the answer is on its way.
  std::function<void()> meanwhile;

 private:
  void damage(Bytes& bytes, bool cut);
  Result<Reply> answered(std::optional<Result<Bytes>> answer, std::optional<Mishap> fate);
  std::optional<Result<Bytes>> deliver(ByteView request);

  static constexpr std::size_t kOldKept = 6;
  std::string urn_;
  SimHub& hub_;
  SimRandom days_, requests_;
  SimRandom random_;  // of the request in hand
  SimTime& time_;
  Trace& trace_;
  Mishaps mishaps_;
  std::size_t hub_changes_;
  std::deque<Bytes> old_;      // requests of before, to arrive again
  std::deque<Bytes> late_;     // requests that have not arrived yet
  std::deque<Bytes> answers_;  // of before, as a proxy keeps them
  struct Spell {
    Mishap mishap;
    Instant until;
    std::size_t at = 0;  // where it cuts
    bool answers = false;
  };
  std::optional<Spell> spell_;
  std::uint64_t sent_ = 0, received_ = 0;
  unsigned asked_ = 0;
  bool disturbed_ = false, asked_for_later_ = false;
};

}  // namespace towpath::sim
