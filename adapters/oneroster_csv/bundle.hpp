// The files of one package: which are there, what the manifest says of each, and the
// account of their records.
//
// In: a FileSet. Out: records of known files, bound to their columns, and for the sink
// every record's fate. A file may be read several times (users for pupils, then for
// staff); it is opened and closed towards the sink once, and each record counts once.
// Owned by one Run.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "adapters/oneroster_csv/layout.hpp"
#include "adapters/text/csv_reader.hpp"
#include "adapters/text/file_set.hpp"

namespace towpath::oneroster {

enum class Mode : std::uint8_t { kAbsent, kBulk, kDelta };

// One record, as long as the reader stands on it.
class Record {
 public:
  Record(const Binding& binding, CsvReader& reader, FileId file, Fingerprint seed)
      : binding_(binding), reader_(reader), file_(file), seed_(seed) {}

  // The cell of a column of the layout, trimmed; empty where the file has no such column.
  [[nodiscard]] std::string_view operator[](std::size_t column) const;
  [[nodiscard]] bool has(std::size_t column) const { return binding_.at[column].has_value(); }
  // The first of these columns that holds anything.
  [[nodiscard]] std::string_view first_of(std::span<const std::size_t> columns) const;
  [[nodiscard]] const Binding& binding() const { return binding_; }
  [[nodiscard]] Origin origin(bool counted = true) const;
  [[nodiscard]] std::uint64_t line() const { return reader_.line(); }
  // Its place among the file's records, from 1.
  [[nodiscard]] std::uint64_t number() const { return reader_.records(); }
  // Of the record's bytes, seeded with the header and the school.
  [[nodiscard]] Fingerprint print() const { return fingerprint(reader_.raw(), seed_); }
  // Set where the record could not be split; cells are then as far as they go.
  [[nodiscard]] const std::optional<RecordFault>& fault() const { return fault_; }

  void load();

 private:
  const Binding& binding_;
  CsvReader& reader_;
  FileId file_;
  Fingerprint seed_;
  std::span<const std::string_view> cells_;
  std::optional<RecordFault> fault_;
};

class Bundle {
 public:
  Bundle(FileSet files, RowSink& sink, Fingerprint context);

  // Reads manifest.csv or, where it is missing, infers it. False: the package says that
  // nothing has changed (it holds nothing but its manifest).
  [[nodiscard]] Result<bool> read_manifest();

  [[nodiscard]] Mode mode(Kind kind) const { return state(kind).mode; }
  // Why a file that should be there cannot be read; null if nothing is wrong with it.
  [[nodiscard]] const Error* failed(Kind kind) const;
  [[nodiscard]] bool readable(Kind kind) const {
    return mode(kind) != Mode::kAbsent && failed(kind) == nullptr;
  }

  // Hands every record to `each`. A file that cannot be read to its end is marked failed
  // (false). A Result's error comes from `each` or the sink: the run's end.
  using Each = std::function<Result<void>(const Record&)>;
  [[nodiscard]] Result<bool> read(Kind kind, const Each& each);
  // As above, before the sink is told of anything: for a look ahead.
  [[nodiscard]] Result<void> peek(Kind kind, const std::function<void(const Record&)>& each) const;

  // Fates. unchanged(), row(), reject() and remove() as the sink's.
  void ignore(Kind kind, std::string_view reason, std::uint64_t records = 1);
  void used(Kind kind, std::uint64_t records = 1);
  [[nodiscard]] bool unchanged(Kind kind, const Origin& origin, Fingerprint print);
  [[nodiscard]] Result<void> row(Kind kind, const Origin& origin, Fingerprint print,
                                 std::span<const InCell> cells);
  [[nodiscard]] Result<void> reject(Kind kind, const Dataset& dataset, const Origin& origin, Problem problem);
  [[nodiscard]] Result<void> remove(Kind kind, const Origin& origin, std::span<const InCell> key);

  // Counts the records of files that hold nothing for us, and closes every file.
  [[nodiscard]] Result<void> finish();

  [[nodiscard]] FileId file(Kind kind) const { return *state(kind).id; }
  [[nodiscard]] RowSink& sink() { return sink_; }
  void notice_once(std::string text);

 private:
  struct State {
    Mode mode = Mode::kAbsent;
    std::string name;  // as it is spelt here; empty if it is not here
    std::optional<Error> error;
    std::optional<FileId> id;
    std::uint64_t records = 0;  // of the longest reading
    std::uint64_t fates = 0;
  };
  [[nodiscard]] State& state(Kind kind) { return states_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const State& state(Kind kind) const { return states_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] Result<CsvReader> open(const std::string& name) const;
  [[nodiscard]] Result<void> skip(const std::string& name, std::string_view reason);
  void infer(std::string_view why);
  [[nodiscard]] std::string packed_as(std::string_view file) const;

  FileSet files_;
  RowSink& sink_;
  Fingerprint context_;
  std::array<State, kKinds> states_;
  std::set<std::string> skipped_by_manifest_;
  std::set<std::string> noticed_;
};

}  // namespace towpath::oneroster
