// The work on one school's stream to the borough: one bundle of one enrolled school, which is
// locked meanwhile.
//
// In: the bundle's segments and questions. Out: frames: the newest epoch's head (the acknowledgement, after
// the commit), problems, answers to questions. Segments are applied in order, as many as fit, in one
// transaction an epoch; a refused one takes nothing with it. The hub's own trouble is a request to come
// back, never said of a segment.
// Made by the service for each bundle whose key, signature and turn are good.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agreement/papers.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/exchange/shelf.hpp"
#include "hub/registry/registry.hpp"
#include "replica/compare.hpp"

namespace towpath {

// When the hub has no room or its disk fails: long enough for a person to have looked.
inline constexpr std::uint32_t kLaterDiskSeconds = 600;
// When another process holds the school's file for longer than SQLite waits.
inline constexpr std::uint32_t kLaterBusySeconds = 30;
// How far above the newest that the hub holds a bundle may begin an epoch. Each recovery of a school
// takes one, and a hub that was brought back from a backup may lack some; a stolen key that took the
// last of the 32 bits at once would leave the right machine none to begin, for ever.
inline constexpr std::uint64_t kEpochsAheadMax = 1'000;

class Visit {
 public:
  using Say = std::function<void(const std::string& line)>;
  using SayRefused = std::function<void(Code code, const std::string& text)>;
  Visit(Registry& registry, Shelf& shelf, const Dictionary& dictionary, Say say, SayRefused say_refused,
        std::string urn);

  // Of a bundle that may not be used: says where the hub stands, and why nothing was taken.
  void refuse(Code code, std::string text);

  // `other`: streams whose segments somebody else takes.
  void receive(const Bundle& bundle, const std::set<StreamId>& others = {});
  // Nothing may be stored: no agreement with the school is in force. Said once, where it sends something.
  void not_agreed(std::string why) { not_agreed_ = std::move(why); }
  // Removes what the order says from what is held here. Done twice, it finds less; `note` hears before
  // each removal what has gone then.
  [[nodiscard]] Result<ReceiptPaper> carry_out(const OrderPaper& order, const BeforeRemoval& note);
  // Rows of the school are held here.
  [[nodiscard]] Result<bool> holds();

  // The newest epoch's head goes first: it is what the writer goes on from.
  [[nodiscard]] std::vector<Frame> frames() &&;
  void put_away();
  [[nodiscard]] const ProblemFrame* first_problem() const;

 private:
  void say(const std::string& line) const { say_("school " + urn_ + ": " + line); }
  void problem(Code code, StreamSeq seq, std::string text);
  // The hub's own trouble is a request to come back; what it is stands in its log only.
  void trouble(const Error& error, StreamSeq seq);

  std::vector<OpenedSegment> open_segments(const Bundle& bundle, const std::set<StreamId>& others);
  [[nodiscard]] Result<void> remove_all(ReceiptPaper& receipt, const BeforeRemoval& note);
  [[nodiscard]] Result<void> remove_before(const OrderPaper& order, ReceiptPaper& receipt,
                                           const BeforeRemoval& note);

  // Opens the newest epoch's replica, if there is one.
  [[nodiscard]] Result<void> newest();
  [[nodiscard]] Result<Replica> open(Epoch epoch);

  void apply(Epoch epoch, std::span<const OpenedSegment> segments);

  // Between the complete epoch that readers see and the newest, nothing is needed.
  void drop_unfinished(Epoch complete);
  void drop(Epoch epoch);
  void reopen(const Error& why);

  // One transaction. False where it could not be committed; then nothing of it is in force.
  bool apply_to(Replica& replica, std::span<const OpenedSegment> segments);

  // A file that SQLite calls damaged is lost; coming back later would not help.
  bool stopped(const Error& error, StreamSeq seq);

  // What the school asks, once its segments are in.
  void questions(const Bundle& bundle);

  // From what readers see: the newest state that came whole. A school that has sent none gets one
  // part with nothing in it.
  void give_back(const RestoreQuestionFrame& question);

  void compare_digests(const DigestsFrame& theirs);

  void compare_buckets(const BucketsQuestion& question);

  Registry& registry_;
  Shelf& shelf_;
  const Dictionary& dictionary_;
  const Say say_;
  const SayRefused say_refused_;
  const std::string urn_;
  const StreamId stream_;
  std::optional<Replica> replica_;  // of head_.epoch
  Head head_;                       // the newest epoch's
  bool looked_ = false;             // head_ is known
  std::uint64_t epoch_max_ = 0;     // that this bundle may begin, however many it brings
  bool older_ = false;              // there are older epochs
  bool lost_ = false;               // the file that was to be written is damaged
  std::optional<std::string> not_agreed_;
  std::uint32_t later_ = 0;
  std::vector<ProblemFrame> problems_;
  std::vector<Frame> answers_;
};

}  // namespace towpath
