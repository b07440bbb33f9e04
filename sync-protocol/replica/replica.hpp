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
// With kContentBytesMax each, at most 4 MB during a first load, some 40 KB from then on.
inline constexpr int kReferencesKept = 4;

struct ApplyCounts {
  std::uint64_t inserted = 0, updated = 0, deleted = 0, aside = 0;
};

// One dataset of the state: the basis of verify.
struct DatasetState {
  std::uint16_t dataset = 0;
  std::uint64_t rows = 0;
  Hash256 digest;  // the sum over this dataset's rows only
  friend bool operator==(const DatasetState&, const DatasetState&) = default;
};

class Replica {
 public:
  // Opens or makes the file for (stream, epoch). kWrongStream if it holds another,
  // kUnknownVersion if a newer dictionary wrote it, or (read only) if an older one did and
  // its tables have first to be brought up to this one's.
  [[nodiscard]] static Result<Replica> open(const Database::Options& options, const Dictionary& dictionary,
                                            StreamId stream, Epoch epoch);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

  [[nodiscard]] const Head& head() const;
  // begin(); apply() any number of times; commit(). Without commit nothing has happened.
  [[nodiscard]] Result<void> begin();
  // kRepeated (already applied, same hash: harmless), kForked (same number, other hash),
  // kOutOfOrder, kWrongStream, kMissingReference, kDigestDiffers, kDamaged, kTooLarge.
  // A refused segment leaves nothing behind; the segments before it stay in the transaction.
  [[nodiscard]] Result<ApplyCounts> apply(const OpenedSegment& segment);
  [[nodiscard]] Result<void> commit();
  void rollback();

  // How many contents are kept as references of segments before this one.
  [[nodiscard]] Result<std::uint64_t> contents_before(StreamSeq before);
  // Contents kept as references of segments before this one are gone when it returns, from the file and
  // from its log: an order. How many there were. Not within a transaction.
  [[nodiscard]] Result<std::uint64_t> forget_contents(StreamSeq before);

  // Holds what is read from here on to one moment, while another process may write.
  [[nodiscard]] Result<void> begin_reading();
  void end_reading();

  // Recomputed from the tables, never from the running digest. Datasets without rows are left out.
  [[nodiscard]] Result<std::vector<DatasetState>> states();
  // As counted while applying: what states() has to come out as.
  [[nodiscard]] std::vector<DatasetState> running_states() const;
  // Rows of a dataset in key order, fields in dictionary order.
  [[nodiscard]] Result<void> each_row(const Dataset& dataset,
                                      const std::function<Result<void>(RowView)>& visit);
  // Every row of a dataset, known or kept aside, with its key's cells and its hash; any order.
  [[nodiscard]] Result<void> each_hash(
      std::uint16_t dataset, const std::function<Result<void>(RowView key, const Hash256& row)>& visit);
  [[nodiscard]] Result<std::uint64_t> rows(const Dataset& dataset);
  [[nodiscard]] Result<std::uint64_t> rows_aside();
  // Fields of known datasets that this dictionary does not know: how many are kept aside.
  [[nodiscard]] std::size_t fields_aside() const;
  [[nodiscard]] Database& database();

 private:
  struct State;
  explicit Replica(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace towpath
