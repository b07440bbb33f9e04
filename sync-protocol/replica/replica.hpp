// A replica: the state of one epoch of one stream, in one SQLite file.
//
// In: segments, in order. Out: tables as the dictionary says, the head, and the digest.
// Applied once: data, head, digest and the content kept as reference are committed in one
// transaction; a killed process finds either all of a segment or nothing. A segment whose
// digest does not come out is refused and leaves nothing behind. What the dictionary does
// not know (newer agent) is kept aside in full, counts in the digest, and moves into its
// table when a newer dictionary opens the file.
// Used by hub/ingest, and by agent/replica for partner schools. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "dictionary/dictionary.hpp"
#include "segment/digest.hpp"
#include "segment/segment.hpp"
#include "sqlite/database.hpp"

namespace towpath {

// Contents kept as possible prefixes: enough for a writer that missed an answer or two.
inline constexpr int kReferencesKept = 4;

struct ApplyCounts {
  std::uint64_t inserted = 0, updated = 0, deleted = 0, aside = 0;
};

// One dataset of the state: the basis of verify.
struct DatasetState {
  std::uint16_t dataset = 0;
  std::uint64_t rows = 0;
  Hash256 digest;          // the sum over this dataset's rows only
};

class Replica {
 public:
  // Opens or makes the file for (stream, epoch). kWrongStream if it holds another.
  [[nodiscard]] static Result<Replica> open(const Database::Options& options,
                                            const Dictionary& dictionary, StreamId stream, Epoch epoch);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

  [[nodiscard]] const Head& head() const;
  // begin(); apply() any number of times; commit(). Without commit nothing has happened.
  [[nodiscard]] Result<void> begin();
  // kRepeated (already applied, same hash: harmless), kForked (same number, other hash),
  // kOutOfOrder, kWrongStream, kMissingReference, kDigestDiffers, kDamaged, kTooLarge.
  // After an error other than kRepeated the transaction must be rolled back to the last mark();
  [[nodiscard]] Result<ApplyCounts> apply(const OpenedSegment& segment);
  [[nodiscard]] Result<void> commit();
  void rollback();

  // Recomputed from the tables, never from the running digest.
  [[nodiscard]] Result<std::vector<DatasetState>> states();
  // Rows of a dataset in key order, fields in dictionary order.
  [[nodiscard]] Result<void> each_row(const Dataset& dataset, const std::function<Result<void>(RowView)>& visit);
  [[nodiscard]] Result<std::uint64_t> rows(const Dataset& dataset);
  [[nodiscard]] Result<std::uint64_t> rows_aside();
  [[nodiscard]] Database& database();

 private:
  struct State;
  explicit Replica(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace towpath
