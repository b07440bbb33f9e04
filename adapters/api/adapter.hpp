// What every adapter looks like from outside, and where its rows go.
//
// In: one configured source (a folder, a zip, a database, a seed). Out: canonical
// rows of the dictionary's datasets, to a RowSink. An adapter only reads: it never
// writes to the source, never waits, never keeps what it has handed on, and knows
// nothing of the store. Called by agent/intake, one adapter at a time.
//
// What stays true:
//   - Every record of every source file has exactly one fate: taken, quarantined
//     (with a reason) or ignored (with a reason). close_file() states the record
//     count and the sink checks the sum. No row disappears.
//   - A dataset is between begin() and end(); begin() may be called once per dataset
//     and run. A dataset that cannot be read whole is not begun, or is abandoned
//     (abandon()): the sink then changes nothing in it, and other datasets go on.
//   - Same source, same rows, in the same order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath {

// A reference to an entity by the id that the source gives it. `source` names the
// source whose ids they are (empty: this source). `by` = a field's name when the id
// is not the source's own id but a matched attribute ("UPN"); empty otherwise.
// `dataset` says which of them where the field may point at several (a member is a pupil
// or staff); empty where there is only one, or where the adapter does not know.
struct SourceRef {
  std::string_view id = {};
  std::string_view source = {};
  std::string_view by = {};
  std::string_view dataset = {};
};

// One cell on its way in. Codes come as received (intake makes canonical and raw
// columns of them), enums as their name, dates and numbers parsed by the adapter.
// kEntity and kRef fields come as SourceRef (ref), the others as below.
struct InCell {
  enum class Kind : std::uint8_t { kNull, kInt, kText, kRef };
  Kind kind = Kind::kNull;
  std::int64_t number = 0;  // kInt: integers, bools, dates (days), instants (ms)
  std::string_view text;    // kText: text, codes, enum names
  SourceRef ref;            // kRef

  static InCell null() { return {}; }
  static InCell integer(std::int64_t v) {
    InCell c;
    c.kind = Kind::kInt;
    c.number = v;
    return c;
  }
  static InCell date(Date d) { return integer(d.days); }
  static InCell of(std::string_view v) {
    InCell c;
    c.kind = Kind::kText;
    c.text = v;
    return c;
  }
  static InCell to(std::string_view id, std::string_view source = {}, std::string_view by = {},
                   std::string_view dataset = {}) {
    InCell c;
    c.kind = Kind::kRef;
    c.ref = {id, source, by, dataset};
    return c;
  }
};

// How much of the truth a dataset's rows are.
enum class Completeness : std::uint8_t {
  kFull,   // what is missing is gone
  kDelta,  // only what changed; deletions come as remove()
};

using FileId = std::uint32_t;

// Where a row came from. `raw` (the record's bytes, or a readable form of it) is kept
// only if the row goes to quarantine. A record that makes several rows counts once:
// `counted` is true for its first row only.
struct Origin {
  FileId file = 0;
  std::uint64_t line = 0;  // first line of the record, 1-based; 0 where there are no lines
  bool counted = true;
  std::string_view raw;
};

// Why a row cannot be taken, in words a technician understands.
struct Problem {
  std::string_view rule;   // "Q12", "type", "required", "reference", "duplicate", "ragged"...
  std::string_view field;  // dictionary or source column name, may be empty
  std::string text;        // "birthDate is not a date (expected YYYY-MM-DD)"; no other cell's value
};

class RowSink {
 public:
  virtual ~RowSink() = default;

  // --- files and their record counts -------------------------------------------------
  // `columns`: the header as read (empty for sources without one). The sink compares it
  // with the last run: kSourceChanged if a column is gone that `needed` names; the file then
  // has no id, and the adapter abandons its datasets. A file is opened before it is given to
  // any dataset and may stay open across several (a record counts once); where a file is read
  // once for each of several datasets its name says for which: "pupils.csv (sen)".
  virtual Result<FileId> open_file(std::string_view name, std::span<const std::string_view> columns,
                                   std::span<const std::string_view> needed) = 0;
  // A record that makes no row on purpose: "role is parent", "belongs to another school".
  virtual void ignore(FileId file, std::string_view reason, std::uint64_t records = 1) = 0;
  // A record that completed rows that other records began (a course's subject, a birth date).
  virtual void used(FileId file, std::uint64_t records = 1) = 0;
  virtual void close_file(FileId file, std::uint64_t records) = 0;

  // --- rows ----------------------------------------------------------------------------
  virtual Result<void> begin(const Dataset& dataset, Completeness completeness) = 0;
  // What a reference by an attribute is looked up in, as it is now: a print of its own, which belongs to
  // the print of every row with such a reference (SourceRef::by): the same bytes mean another
  // row once a UPN has been corrected.
  [[nodiscard]] virtual Fingerprint matched(const Field& reference, std::string_view by,
                                            std::string_view dataset) = 0;
  // Asked before a row is parsed. True: the row made from exactly these source bytes is in
  // the store already; it is counted as read and taken, and must not be sent by row().
  // `print` covers everything the row depends on (seed it with the mapping's and header's hash).
  [[nodiscard]] virtual bool unchanged(const Origin& origin, Fingerprint print) = 0;
  // One row, cells in the dictionary's field order (kRawCode cells are left null). The sink
  // quarantines what it cannot take. An error is the run's end (disk full), not the row's.
  virtual Result<void> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) = 0;
  // A row that the adapter itself cannot make: ragged, a date that is none.
  virtual Result<void> reject(const Dataset& dataset, const Origin& origin, Problem problem) = 0;
  // kDelta only: the source says that the row is gone. Key cells only.
  virtual Result<void> remove(const Origin& origin, std::span<const InCell> key) = 0;
  // All of the dataset has been handed over.
  virtual Result<void> end(const Dataset& dataset) = 0;
  // The dataset could not be read to its end, or (without begin()) not at all: nothing of it
  // may be changed. Its records so far keep their fates.
  virtual void abandon(const Dataset& dataset, Error why) = 0;

  // --- things to tell a person ----------------------------------------------------------
  // "users.csv: column 'wombat' is not known and was not read". Never personal data.
  virtual void notice(std::string text) = 0;
};

// What an adapter needs to know of its school and its world; outlives the adapter.
struct AdapterContext {
  const Dictionary& dictionary;
  std::string school_urn;
  std::string school_name;
  std::string source;  // the configured source's name
  Date today;          // civil date of the run
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  // Which datasets this source would give: shown by status, used by the empty-dataset guard.
  [[nodiscard]] virtual std::vector<std::string_view> provides() const = 0;
  // Hands over everything. An error means that the source as a whole could not be read
  // (folder gone, zip damaged, a choice is needed); the sink then keeps the last good state.
  [[nodiscard]] virtual Result<void> extract(RowSink& sink) = 0;
};

}  // namespace towpath
