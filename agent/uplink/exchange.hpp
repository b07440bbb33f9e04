// Talks to the hub until both ends are equal, one bounded step at a time; or says the same by files
// on a stick.
//
// In: the publisher's waiting segments. Out: sealed bundles; what the hub answers goes back to
// the publisher. Equal is said only on an answer signed by the pinned hub. A daily sync is one exchange: the
// hub is not asked first where it stands, its answer says so. A lost answer costs one repetition, which the
// hub knows as such. It ends: with both ends equal, when the hub asks to come back later, or with an error.
// A quarrel (nothing moves, a third new epoch) is an error, never a loop.
// Logic only: no sockets, no sleeping.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/conversation.hpp"
#include "agent/uplink/hub_peer.hpp"
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
  bool key_replaced = false;                         // this machine has a new key, and the hub knows it
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
// A hub that speaks of an epoch so far beyond ours is wrong or lies; going there would use up all that
// there are. Each recovery takes one, and a hub refuses more than a thousand at once.
inline constexpr std::uint32_t kEpochsBeyondMax = 1'000'000;
struct ExchangeOptions : Speaker {
  bool replace_key = false;  // our key is to be replaced in this exchange
  std::size_t body_bytes = kBundleBytesDefault;
  std::size_t exchanges_max = 1000;  // a first load is some 5; this ends a quarrel
};

[[nodiscard]] Speaker speaker(const ExchangeOptions& options);

// What became of a file of answers.
struct StickReport {
  std::uint64_t answers = 0;         // taken
  std::uint64_t old = 0;             // of these: answers to what has been heard of since
  std::vector<std::string> refused;  // each message that was not taken, and why
};

class Exchange {
 public:
  Exchange(Publisher& publisher, LineState& line, HubPeer& peer, Transport& transport, Clock& clock,
           Random& random, ExchangeOptions options);
  // One request and its answer. True: there is more to do. After an error nothing is lost;
  // a later Exchange goes on from what the hub has acknowledged.
  [[nodiscard]] Result<bool> step();
  // Steps until there is no more to do.
  [[nodiscard]] Result<SyncReport> run();

  // --- a stick -------------------------------------------------------------------------------
  // Everything that waits, as sealed bundles; at least one, which asks where the hub stands. May be
  // done again and again, before and after exchanges over the line: what the hub has is not taken twice.
  [[nodiscard]] Result<std::vector<Bytes>> export_bundles();
  // The hub's answers, in any order, any number of times. Those to older bundles than have been heard
  // of may move what is acknowledged forward, and mean nothing else.
  [[nodiscard]] Result<StickReport> import_answers(const std::vector<ByteView>& messages);

  [[nodiscard]] const SyncReport& report() const { return report_; }

 private:
  Publisher& publisher_;
  LineState& line_;
  ExchangeOptions options_;
  Clock& clock_;
  Conversation conversation_;
  SyncReport report_;
  std::uint32_t stalled_ = 0;
  std::uint32_t epochs_begun_ = 0;
  bool restore_asked_ = false;  // in this run; it has been done where an answer is heard after it

  struct Heard;
  [[nodiscard]] Result<void> may_publish();
  // What the hub may have and this store has not is fetched before anything more is sent.
  [[nodiscard]] Result<void> bring_back();
  [[nodiscard]] Result<void> prepare();
  [[nodiscard]] Result<HubAnswer> ask(std::vector<Bytes> segments);
  // True: there is more to do.
  [[nodiscard]] Result<bool> take(Bundle answer);
  [[nodiscard]] Result<void> take_old(const Bundle& answer);
  [[nodiscard]] Result<Heard> read(Bundle& answer);
  void note();
  // Both say whether something moved.
  [[nodiscard]] Result<bool> take_head(const Heard& heard);
  [[nodiscard]] Result<bool> take_problem(const ProblemFrame& problem, const Heard& heard);
  [[nodiscard]] Result<void> begin_epoch(Epoch hub, const std::string& why);
};

}  // namespace towpath
