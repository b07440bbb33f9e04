// Talks to the hub until both ends are equal, one bounded step at a time.
//
// In: the publisher's waiting segments. Out: bundles; what the hub answers goes back to
// the publisher. A daily sync is one exchange: the hub is not asked first where it stands,
// its answer says so. A lost answer costs one repetition, which the hub knows as such.
// It ends: with both ends equal, when the hub asks to come back later, or with an error.
// A quarrel (nothing moves, a third new epoch) is an error, never a loop.
// Logic only: no sockets, no sleeping.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

struct SyncReport {
  std::uint64_t exchanges = 0;      // answered by the hub
  std::uint64_t segments = 0;       // acknowledged in this sync
  std::uint64_t body_bytes = 0;     // of the segments made in this sync, without their headers
  std::uint64_t segment_bytes = 0;  // of the segments sent, repetitions included
  std::uint64_t bytes_sent = 0, bytes_received = 0;  // on the line, HTTP headers included
  bool equal = false;                                // the hub's head and digest are ours, by its answer
  bool up_to_date = false;                           // nothing waits
  std::uint32_t later_seconds = 0;                   // the hub asked to come back
  std::vector<std::string> events;  // "the hub is behind what it had acknowledged; new epoch 3"
  Head head;
};

// Hello, head and seal of a bundle take some 300 bytes; the rest of a body is for segments.
inline constexpr std::size_t kBundleFramesReserve = 4096;
// Answers in a row after which nothing has moved: twice may be a race with a restored hub.
inline constexpr std::uint32_t kStalledMax = 3;
// New epochs in one run: one repairs a fork or a lost hub, the second a race; a third is a quarrel.
inline constexpr std::uint32_t kNewEpochsMax = 2;
// School PCs drift by minutes; beyond this a person should know (nothing depends on it).
inline constexpr std::chrono::minutes kClockSkewMax{10};

struct ExchangeOptions {
  std::string school_urn;
  std::string software;
  std::string hub_url;  // for messages
  std::uint32_t dictionary_version = 0;
  std::size_t body_bytes = kBundleBytesDefault;
  std::size_t exchanges_max = 1000;  // a first load is some 5; this ends a quarrel
};

class Exchange {
 public:
  Exchange(Publisher& publisher, Sealer& sealer, Transport& transport, Clock& clock, Random& random,
           ExchangeOptions options);
  // One request and its answer. True: there is more to do. After an error nothing is lost;
  // a later Exchange goes on from what the hub has acknowledged.
  [[nodiscard]] Result<bool> step();
  // Steps until there is no more to do.
  [[nodiscard]] Result<SyncReport> run();
  [[nodiscard]] const SyncReport& report() const { return report_; }

 private:
  Publisher& publisher_;
  Sealer& sealer_;
  Transport& transport_;
  Clock& clock_;
  Random& random_;
  ExchangeOptions options_;
  SyncReport report_;
  std::uint64_t sent_before_, received_before_;  // the transport's counts when we began
  std::uint32_t stalled_ = 0;
  std::uint32_t epochs_begun_ = 0;
  bool skew_said_ = false;

  struct Heard;
  [[nodiscard]] Result<void> prepare();
  [[nodiscard]] Result<Bundle> ask(std::vector<Bytes> segments);
  void read_clock(Instant hubs);
  // Both say whether something moved.
  [[nodiscard]] Result<bool> take_head(const Heard& heard);
  [[nodiscard]] Result<bool> take_problem(const ProblemFrame& problem, const Heard& heard);
  [[nodiscard]] Result<void> begin_epoch(Epoch hub, const std::string& why);
};

}  // namespace towpath
