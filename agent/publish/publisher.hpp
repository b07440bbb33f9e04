// From the store to an audience's stream: what changed since the last segment, projected
// through what the audience may have, sealed into segments in the outbox.
//
// In: the change log and the tables. Out: segments in the store's outbox, in order, each
// needing at most the one it names as its reference. Fields without a grant never reach a
// segment. Several days missed travel as one delta. Called by the CLI and the service loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/publish/projection.hpp"
#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "segment/segment.hpp"

namespace towpath {

struct Audience {
  std::string name;                 // "borough"
  std::vector<std::string> grants;  // empty: every grant the dictionary names
};

struct PublishReport {
  Epoch epoch;
  std::uint64_t segments = 0;  // made now
  std::uint64_t rows = 0;
  std::uint64_t content_bytes = 0, body_bytes = 0;
  bool snapshot = false;
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
  [[nodiscard]] Result<void> each_row(const Dataset& dataset,
                                      const std::function<Result<void>(RowView)>& visit);

 private:
  struct Stream;  // our row of the stream table
  class Cutter;   // rows into sealed segments
  Result<Stream> load();
  Result<void> save(const Stream& stream);
  Result<void> snapshot(Cutter& out);
  Result<void> delta(Cutter& out, std::int64_t since);
  Result<void> delta_of(Cutter& out, ProjectedDataset& dataset, std::int64_t since);
  Result<void> whole(Cutter& out, ProjectedDataset& dataset);
  Result<std::optional<Bytes>> content(StreamSeq seq);

  Store& store_;
  Audience audience_;
  std::string grants_;  // as kept in the stream table: a change begins a new epoch
  StreamId stream_;
  std::vector<ProjectedDataset> datasets_;
};

}  // namespace towpath
