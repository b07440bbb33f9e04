// Whoever has all keys: reads every bundle that leaves a school or the hub, and remembers what was in it.
//
// What leaves a school: only segments of audiences whose agreement its people have approved and that is in
// force today; in them only fields, pupils and telling words that may leave at that moment; a federation's
// signed by the school. Beside segments no telling word at all. Post goes first.
// What leaves the hub for a school: partners' segments exactly as they left their school, and to nobody
// whom the hub knows to have withdrawn or left.
// What lies on disks: of stored segments (by their bytes) and telling words, see lies().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agreement/papers.hpp"
#include "bundle/bundle.hpp"
#include "hub/trust/keyring.hpp"
#include "tests/simulation/federation/oracle.hpp"
#include "trust/sealed.hpp"

namespace towpath::sim::fed {

class Witness {
 public:
  explicit Witness(const Words& words) : words_(words) {}
  void remember(PartySecret secret);  // of a school

  // A school's bundle leaves.
  struct Leaving {
    std::string urn;
    const Image& rows;
    const Decisions& decisions;
    const std::map<std::string, std::string>& entities;  // by UUID: every one that the school ever had
    int today;
  };
  void departs(const Leaving& from, ByteView message, Keyring& hub);
  // The school's machine was set back, or lost: it may count from where it was, and what it seals now is no
  // older than what it ordered before.
  void new_life(const std::string& urn) { ++lives_[urn]; }
  // Waits in a school's outbox: what left the scope since then may leave with it, and is recalled later.
  void sealed(const Hash256& segment) { sealed_.insert(segment); }
  // The hub's answer to it leaves. `members`: federation -> URNs, as the operator has them.
  void answers(const std::string& urn, ByteView request, ByteView answer, Keyring& hub,
               const std::map<std::string, std::set<std::string>>& members);

  // Of one audience of a school: segments that have left, oldest first as they left.
  struct Segment {
    StreamId stream;
    Epoch epoch;
    StreamSeq seq;
    bool reference = false;
    Bytes sealed, content;
    Hash256 previous;
    unsigned life = 0;                            // of the school's machine, when it first left
    std::map<std::int64_t, std::string> numbers;  // whose they are
  };
  // Names the first segment of the stream whose bytes lie in there and that `forbidden` says may not.
  [[nodiscard]] std::optional<std::string> lies(StreamId stream, std::string_view bytes,
                                                const std::function<bool(const Segment&)>& forbidden) const;

  // The orders that have left a school, newest last.
  struct Ordered {
    DeedId id;
    OrderPaper paper;
    unsigned life = 0;
  };
  [[nodiscard]] const std::map<std::string, std::vector<Ordered>>& orders() const { return orders_; }
  // This school has said, in a receipt that left it, that it has carried that order out.
  [[nodiscard]] bool has_receipt(const std::string& urn, const DeedId& order) const {
    const auto found = receipts_.find(urn);
    return found != receipts_.end() && found->second.contains(order);
  }
  // Deeds that the hub has said it took, by school.
  [[nodiscard]] const std::map<std::string, std::set<DeedId>>& taken() const { return taken_; }
  // The hub was set back to when this was kept.
  struct Knowledge {
    std::map<std::string, std::set<DeedId>> taken;
    std::map<std::pair<std::string, std::string>, std::pair<std::uint64_t, bool>> approved;
  };
  [[nodiscard]] Knowledge knowledge() const { return {taken_, approved_}; }
  void set_back(const Knowledge& then) {
    taken_ = then.taken;
    approved_ = then.approved;
  }
  // The newest decision of this school that the hub has taken about it is an approval.
  [[nodiscard]] bool approves(const std::string& urn, const std::string& audience) const {
    const auto found = approved_.find({urn, audience});
    return found != approved_.end() && found->second.second;
  }
  // Which audience an agreement is for, when it is offered.
  void offered(const Paper& paper) { audience_of_[paper.id] = paper.audience; }
  [[nodiscard]] std::size_t segments() const { return segments_.size(); }

 private:
  [[nodiscard]] Bundle read(ByteView sealed, Keyring& hub) const;
  void check_segment(const Leaving& from, ByteView bytes, const PartyKey& key);

  const Words& words_;
  std::map<KeyId, PartySecret> secrets_;
  std::map<Hash256, Segment> segments_;
  std::map<StreamId, std::vector<Hash256>> by_stream_;
  std::set<Hash256> sealed_;
  std::map<std::string, unsigned> lives_;
  std::map<std::string, std::vector<Ordered>> orders_;
  std::map<std::string, std::set<DeedId>> taken_, receipts_;
  // (school, audience) -> the newest decision that the hub has taken: its number, and what it was.
  std::map<std::pair<std::string, std::string>, std::pair<std::uint64_t, bool>> approved_;
  std::map<std::string, std::string> audience_of_;
};

}  // namespace towpath::sim::fed
