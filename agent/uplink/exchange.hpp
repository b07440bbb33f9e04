// Talks to the hub until both ends are equal, one bounded step at a time; or says the same by files
// on a stick.
//
// In: a desk: the streams that may speak, and the post that goes out with them. Out: sealed bundles; what
// the hub answers goes back to desk and publishers. Post goes first in both directions: what an answer
// brings of it is taken before anything else is decided, also from one that refuses the bundle, and before
// anything is published again. Equal is said only on an answer signed by the pinned hub. A daily sync is one
// exchange: the hub is not asked first where it stands, its answer says so. A lost answer costs one
// repetition, which the hub knows as such. Each stream goes its own way: one that is refused or quarrels
// does not keep the others from being sent. It ends: with all streams equal and no post waiting at either
// end, when the hub asks to come back later, or with an error. A quarrel (nothing moves, a third new epoch
// of a stream) is an error, never a loop.
// Logic only: no sockets, no sleeping.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/conversation.hpp"
#include "agent/uplink/desk.hpp"
#include "agent/uplink/hub_peer.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// One stream in this sync.
struct StreamReport {
  std::string audience;
  Head head;                   // ours
  std::uint64_t segments = 0;  // acknowledged in this sync
  bool heard = false;          // the hub has said where it stands
  bool equal = false;          // by its last answer
  bool up_to_date = false;     // nothing waits here
  std::string problem;         // why no more of it is sent; empty: nothing is in its way
};

struct SyncReport {
  std::uint64_t exchanges = 0;      // answered by the hub
  std::uint64_t segments = 0;       // acknowledged in this sync, of all streams
  std::uint64_t body_bytes = 0;     // of the segments made in this sync, without their headers
  std::uint64_t segment_bytes = 0;  // of the segments sent, repetitions included
  std::uint64_t bytes_sent = 0, bytes_received = 0;  // on the line, HTTP headers included
  // The hub's heads and digests are ours, by its answer; also where there is no stream yet.
  bool equal = false;
  bool up_to_date = false;          // nothing waits
  bool key_replaced = false;        // this machine has a new key, and the hub knows it
  std::uint32_t later_seconds = 0;  // the hub asked to come back
  std::vector<std::string> events;  // "the hub is behind what it had acknowledged; new epoch 3"
  Head head;                        // of the first stream: the borough's, where it is shared
  std::vector<StreamReport> streams;
};

// Hello, head and seal of a bundle take some 300 bytes; the rest of a body is for segments.
inline constexpr std::size_t kBundleFramesReserve = 4096;
// A head in a bundle: stream, epoch, sequence and two hashes, some 100 bytes.
inline constexpr std::size_t kHeadFrameBytes = 128;
// Answers in a row after which nothing has moved: twice may be a race with a restored hub.
inline constexpr std::uint32_t kStalledMax = 3;
// New epochs of a stream in one run: one repairs a fork or a lost hub, the second a race; a third is a
// quarrel.
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
  Exchange(Desk& desk, LineState& line, HubPeer& peer, Transport& transport, Clock& clock, Random& random,
           ExchangeOptions options);
  // One stream, and no post.
  Exchange(Publisher& publisher, LineState& line, HubPeer& peer, Transport& transport, Clock& clock,
           Random& random, ExchangeOptions options);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
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
  // What is remembered of a stream between the answers of one run.
  struct Course {
    StreamReport report;
    std::uint32_t stalled = 0;
    std::uint32_t epochs_begun = 0;
    std::uint64_t sent = 0;      // segments in the last bundle
    std::optional<Error> error;  // no more is sent of it in this run
  };
  struct Heard;
  struct Answer;

  Exchange(std::unique_ptr<Desk> own, LineState& line, HubPeer& peer, Transport& transport, Clock& clock,
           Random& random, ExchangeOptions options);
  [[nodiscard]] bool alone() const { return own_ != nullptr; }
  [[nodiscard]] StreamId borough() const;
  [[nodiscard]] Publisher* of_borough() const;
  [[nodiscard]] Course& course(const Publisher& publisher);
  // What an event is about, where that is not the borough: "federation:kentish: ".
  [[nodiscard]] std::string about(const Publisher& publisher) const;
  [[nodiscard]] Result<void> refresh();
  // What an answer brings of post; before anything else is done with it.
  [[nodiscard]] Result<void> take_post(const Bundle& answer);
  [[nodiscard]] Result<void> may_publish();
  // What the hub may have and this store has not is fetched before anything more is sent.
  [[nodiscard]] Result<void> bring_back();
  [[nodiscard]] Result<void> prepare();
  // Heads of all streams, and their segments into what `post` leaves of a body.
  [[nodiscard]] Result<std::vector<Frame>> fill(std::vector<Frame> post);
  // True: there is more to do.
  [[nodiscard]] Result<bool> take(Bundle answer);
  [[nodiscard]] Result<bool> take_stream(Publisher& publisher, Course& course, const Heard& heard,
                                         bool later);
  [[nodiscard]] Result<bool> post_waits();
  [[nodiscard]] Result<void> take_old(const Bundle& answer);
  [[nodiscard]] Result<Answer> read(Bundle& answer);
  void note();
  // Both say whether something moved.
  [[nodiscard]] Result<bool> take_head(Publisher& publisher, Course& course, const Heard& heard);
  [[nodiscard]] Result<bool> take_problem(Publisher& publisher, Course& course, const ProblemFrame& problem,
                                          const Heard& heard);
  [[nodiscard]] Result<void> begin_epoch(Publisher& publisher, Course& course, Epoch hub,
                                         const std::string& why);

  std::unique_ptr<Desk> own_;  // around one publisher
  Desk& desk_;
  LineState& line_;
  ExchangeOptions options_;
  Clock& clock_;
  Conversation conversation_;
  SyncReport report_;
  std::vector<Publisher*> streams_;
  bool streams_known_ = false;
  std::map<StreamId, Course> courses_;
  std::size_t turn_ = 0;          // whose segments come first into the next bundle
  std::uint32_t empty_more_ = 0;  // answers in a row that promised more and brought nothing
  Desk::Taken taken_;             // of the last answer
  bool restore_asked_ = false;    // in this run; it has been done where an answer is heard after it
};

}  // namespace towpath
