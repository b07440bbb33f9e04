// One dataset of one source, between begin() and end(): which rows are new, changed, gone.
//
// Three ways, the same result:
//   kLoad      the table is empty: rows are inserted as they come.
//   kPrints    a full extract, and the fingerprints of the last one are held: unchanged rows
//              are not parsed; the few others wait until the end, when it is known which old
//              rows have vanished, and so which are changes and which are duplicates.
//   kCompare   anything else: each row is compared with the table. Needs no trust in
//              fingerprints, and is the check on them (`extract --full`).
// Everything happens inside the run's transaction. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "agent/intake/intake.hpp"
#include "agent/intake/quality.hpp"
#include "agent/intake/row_check.hpp"
#include "agent/store/change_log.hpp"
#include "agent/store/erased.hpp"
#include "agent/store/prints.hpp"
#include "agent/store/store.hpp"

namespace towpath {

// Changed rows held until end(): more than a roll-over changes in a day. Beyond, the run begins
// again by comparing, which holds none.
inline constexpr std::size_t kPendingRowsMax = 50'000;
// Deletions of more than this share of the pupils wait for a person (DESIGN 5).
inline constexpr std::uint64_t kShrinkPercent = 10;
// So do those of more than half of any dataset that has so many rows: permissions lost, half an
// export, or a new school year whose extract no longer holds the last one's marks.
inline constexpr std::uint64_t kGuardedRows = 20;

// What a run shares between its datasets.
struct RunContext {
  Store& store;
  References& references;
  ChangeLog& log;
  Oddities& oddities;
  Quality& quality;
  const ErasedPupils& erased;
  std::int64_t run;
  std::int64_t src;
  Instant started;
  Date today;
  bool accept_deletions;
  // Writes a row to quarantine and counts it for its file.
  // `key`: the row's, if it is known.
  std::function<Result<void>(const Dataset&, const Origin&, const Problem&, std::optional<RowView> key)>
      quarantine;
  // kDelta: a good row of that key has come.
  std::function<Result<void>(const Dataset&, RowView key)> mended;
  // A row that had been counted as taken turned out not to be.
  std::function<void(const Origin&)> untake;
  // It is about a pupil that was erased: counted as ignored, and nothing of it is kept.
  std::function<void(const Origin&)> drop;
};

class DatasetIntake {
 public:
  enum class Way : std::uint8_t { kLoad, kPrints, kCompare };
  [[nodiscard]] static Result<std::unique_ptr<DatasetIntake>> begin(RunContext& run, const Dataset& dataset,
                                                                    Completeness completeness,
                                                                    bool use_prints);

  [[nodiscard]] Result<bool> unchanged(Fingerprint print);
  // True: taken (so far); false: it went to quarantine, or is about an erased pupil. Code::kTooLarge: too
  // many changed rows for kPrints; the run has to begin again by comparing.
  [[nodiscard]] Result<bool> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells);
  // A row of which nothing can be read (the adapter has said why).
  void unreadable();
  [[nodiscard]] Result<void> remove(std::span<const InCell> key);
  // `hold`: deletions are held whatever the guard says (the pupils' are).
  [[nodiscard]] Result<void> end(bool hold);

  [[nodiscard]] DatasetCounts& counts() { return counts_; }
  [[nodiscard]] const Dataset& dataset() const { return dataset_; }
  [[nodiscard]] bool held() const { return counts_.held > 0; }

 private:
  DatasetIntake(RunContext& run, const Dataset& dataset, Completeness completeness, Way way)
      : run_(run),
        dataset_(dataset),
        completeness_(completeness),
        way_(way),
        check_(dataset, run.store.dictionary(), run.references, run.oddities),
        values_(dataset.fields.size()) {
    if (run.erased.any()) pupils_ = pupil_fields(dataset);
  }

  struct Pending {
    OwnedRow row;
    Fingerprint print;
    Fingerprint old_print;  // of the row in the table
    Origin origin;
    std::string raw;
    bool same;          // the same line stands in the table
    bool listed;        // its print is in the new list already
    bool keep = false;  // a bad row: the old one stays as it was
  };

  Result<bool> load(const Origin& origin, Fingerprint print);
  Result<bool> against_table(const Origin& origin, Fingerprint print);
  Result<bool> is_restored(std::int64_t owner);
  Result<void> write(Statement& statement, RowView row, Fingerprint print);
  Result<void> replace(RowView row, Fingerprint print, std::optional<RowView> old, bool content_changed);
  Result<void> resolve_pending();
  Result<void> settle_removals(bool hold);
  // Rows of this source that `gone` picks, by key order: removed, logged, counted.
  Result<void> remove_rows(const std::function<bool(Fingerprint, std::uint64_t key_hash)>& gone);
  [[nodiscard]] bool must_hold(std::uint64_t removals, bool hold) const;
  Result<bool> give_number();
  // Also of a row that is bad: its record must not go to quarantine.
  Result<bool> is_of_erased(std::span<const InCell> cells);
  [[nodiscard]] std::uint64_t key_hash(RowView key);
  Result<bool> duplicate(const Origin& origin);
  // A row that went to quarantine must not look like a deletion.
  Result<void> keep_old_of_bad_row();
  std::optional<RowView> known_key();

  RunContext& run_;
  const Dataset& dataset_;
  Completeness completeness_;
  Way way_;
  RowCheck check_;
  std::vector<Value> values_;        // the row in hand
  std::vector<std::size_t> pupils_;  // fields that may name an erased pupil; none: nobody was erased
  std::optional<PrintList> prints_;
  std::optional<Statement> select_, insert_, replace_, touch_, delete_;
  std::unordered_set<std::uint64_t> seen_;    // key hashes: of all rows (kCompare) or of written ones
  std::unordered_set<std::uint64_t> spoilt_;  // those of seen_ that only bad rows had
  std::vector<Pending> pending_;
  std::uint64_t rows_before_ = 0;  // of this source, when the run began
  bool held_before_ = false;       // deletions wait already: until a person accepts, all do
  bool guarded_ = false;           // so it is after this run
  DatasetCounts counts_;
  Bytes scratch_;
  std::optional<std::int64_t>
      restored_;                  // the source id of rows that came back from the hub; -1: there are none
  bool distrust_prints_ = false;  // the new list holds a print it should not: drop it
  std::uint64_t unreadable_ = 0;  // kCompare: rows that may be any of those that seem gone
};

}  // namespace towpath
