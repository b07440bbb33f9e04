// From the store to an audience's stream: what changed since the last segment, projected
// through what the audience may have, sealed into segments in the outbox.
//
// In: the change log, the tables, and what is shared with the audience today (agreement, scope, rules about
// pupils, retention). Out: segments in the store's outbox, in order, each needing at most the one it names
// as its reference. What the projection does not let through never reaches a segment. Several days missed
// travel as one delta.
// Where what is shared differs from the last time, both projections are compared, the one of then over the
// rows of then, and only the difference is sent. What the audience has and may not have any longer is taken
// back by that, and noted in the table `recall`: from which segment on nothing of it is needed.
// Called by the CLI and the service loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/publish/projection.hpp"
#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "segment/segment.hpp"

namespace towpath {

// How long an audience keeps what it was sent of a pupil who has left its scope, or that has grown too old:
// so long it may still go back to it as it was. What was taken back by a decision is due at once.
inline constexpr int kRecallAfterDays = 28;

struct PublishReport {
  Epoch epoch;
  std::uint64_t segments = 0;  // made now
  std::uint64_t rows = 0;
  std::uint64_t content_bytes = 0, body_bytes = 0;
  bool snapshot = false;
  bool recalls = false;  // something that had been shared is not any longer
};

class Publisher {
 public:
  Publisher(Store& store, Audience audience);

  // Makes what there is to send, in one transaction: an epoch's snapshot, or one delta of all
  // that changed since the last one. Segments that wait unacknowledged stay as they are; more
  // are only appended after them. Memory holds one segment at a time.
  [[nodiscard]] Result<PublishReport> publish();

  // The hub's acknowledged head as last heard.
  [[nodiscard]] Result<Head> acknowledged();
  // Our own head: the last segment made.
  [[nodiscard]] Result<Head> head();
  // Segments after `acknowledged`, oldest first, at most `bytes_max` in all (at least one if any).
  [[nodiscard]] Result<std::vector<Bytes>> waiting(std::size_t bytes_max);
  [[nodiscard]] Result<std::uint64_t> waiting_count();
  // True if publish() would make something.
  [[nodiscard]] Result<bool> pending();

  enum class Next : std::uint8_t { kGoOn, kNewEpoch };
  // The hub says where it stands. Adopts it when it is on our chain (acknowledges, forgets what is
  // safe); otherwise says that a new epoch is needed.
  [[nodiscard]] Result<Next> heard(const Head& hub);
  // Forgets the outbox and begins an epoch later than `at_least` with a snapshot.
  [[nodiscard]] Result<void> new_epoch(Epoch at_least, std::string_view why);
  // The hub lacks the reference of segment `seq`: seals it and all after it again without one. False,
  // and nothing is changed, where too many have been made since for what it builds on to be kept here
  // still: a new epoch is needed.
  [[nodiscard]] Result<bool> without_reference(StreamSeq seq);

  [[nodiscard]] StreamId stream() const { return stream_; }
  [[nodiscard]] const std::string& audience() const { return audience_.name; }
  // Per dataset, recomputed from the tables through the projection: verify.
  struct State {
    std::uint16_t dataset;
    std::uint64_t rows;
    Hash256 digest;
  };
  [[nodiscard]] Result<std::vector<State>> states();
  // One dataset as the audience has it, in key order: key cells first, then the granted ones.
  // `pupil`: only rows that speak of them.
  [[nodiscard]] Result<void> each_row(const Dataset& dataset,
                                      const std::function<Result<void>(RowView)>& visit,
                                      std::optional<std::int64_t> pupil = {});
  // Likewise: the key's cells and the row's hash.
  [[nodiscard]] Result<void> each_hash(const Dataset& dataset,
                                       const std::function<Result<void>(RowView, const Hash256&)>& visit);

  // What the audience may have, a dataset at a time, with the fields that go (the key first).
  struct Shared {
    const Dataset* dataset = nullptr;
    std::vector<const Field*> fields;
    std::optional<std::uint64_t> rows;  // in its stream, as last published; none: nothing of it yet
  };
  [[nodiscard]] Result<std::vector<Shared>> shared();
  // When the hub was last heard about this stream.
  [[nodiscard]] Result<std::optional<Instant>> last_exchange();

 private:
  struct Stream;     // our row of the stream table
  struct Before;     // the projection that was last published
  class Cutter;      // rows into sealed segments
  class Difference;  // what was shared then against what is shared now
  Result<Stream> load();
  Result<void> save(const Stream& stream);
  Result<PupilStates> states_now();
  Result<Before> last_published(const Stream& stream);
  Result<void> begin_epoch(Stream& stream, Epoch at_least);
  Result<void> snapshot(Cutter& out, const PupilStates& states);
  Result<void> recall(const Head& head, std::int64_t due);
  [[nodiscard]] Result<std::optional<StreamSeq>> recalled_later(const Stream& stream);
  Result<void> keep_counts(const std::map<std::uint16_t, std::int64_t>& rows);
  Result<std::map<std::uint16_t, std::int64_t>> counts();
  Result<std::optional<Bytes>> content(StreamSeq seq);
  Result<void> run(const char* sql);  // ?1: the audience

  Store& store_;
  Audience audience_;
  Specification spec_;
  std::optional<int> leaver_years_;
  StreamId stream_;
  std::vector<ProjectedDataset> datasets_;
};

}  // namespace towpath
