// A RowSink that remembers what it was told and fails the test that breaks the protocol.
//
// Give it the prints of an earlier run (remember()) and it answers unchanged() as the
// store would. Rows are kept as text, so that a test can say what it expects in a line.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/api/adapter.hpp"

namespace towpath::testing {

struct SeenRow {
  std::string file;
  std::uint64_t line = 0;
  bool counted = true;
  Fingerprint print = 0;
  std::vector<std::string> cells;  // "" for null; refs as "dataset:id" or "dataset:by=id"
  bool operator==(const SeenRow& other) const { return cells == other.cells && print == other.print; }
};
struct SeenReject {
  std::string dataset, file, rule, field, text, raw;
  std::uint64_t line = 0;
  bool counted = true;
};
struct SeenFile {
  std::string name;
  std::vector<std::string> columns, needed;
  std::uint64_t taken = 0, quarantined = 0, used = 0, removed = 0;
  std::map<std::string, std::uint64_t> ignored;
  std::optional<std::uint64_t> records;
  [[nodiscard]] std::uint64_t ignored_in_all() const {
    std::uint64_t n = 0;
    for (const auto& [reason, count] : ignored) n += count;
    return n;
  }
};

class RecordingSink final : public RowSink {
 public:
  explicit RecordingSink(const Dictionary& dictionary = built_in_dictionary()) : dictionary_(dictionary) {}

  std::map<std::string, std::vector<SeenRow>> rows;
  std::map<std::string, std::vector<std::vector<std::string>>> removed;
  std::map<std::string, Completeness> begun;
  std::set<std::string> ended;
  std::map<std::string, Error> abandoned;
  std::vector<SeenReject> rejects;
  std::vector<SeenFile> files;
  std::vector<std::string> notices;
  std::map<std::string, std::uint64_t> kept;  // rows that unchanged() answered for
  std::optional<std::string> fail_open;       // a file whose column "is gone since yesterday"
  std::optional<std::size_t> full_after;      // the disk is full after so many rows
  std::string attributes;                     // what references by an attribute are looked up in
  std::function<void()> on_row;               // something happens while the source is read

  void remember(const RecordingSink& earlier) {
    for (const auto& [dataset, seen] : earlier.rows)
      for (const SeenRow& row : seen) known_.insert({dataset, row.print});
  }

  [[nodiscard]] const SeenFile& file(const std::string& name) const {
    for (const SeenFile& f : files)
      if (f.name == name) return f;
    FAIL("no file " << name << " was opened");
    return files.front();
  }
  [[nodiscard]] bool noticed(const std::string& part) const {
    for (const std::string& notice : notices)
      if (notice.find(part) != std::string::npos) return true;
    return false;
  }
  // A cell of the row whose first cell is `key`.
  [[nodiscard]] std::string cell(const std::string& dataset, const std::string& key,
                                 std::string_view field) const {
    const Dataset* d = dictionary_.find(dataset);
    REQUIRE(d != nullptr);
    const auto position = d->position(field);
    REQUIRE(position);
    const auto found = rows.find(dataset);
    REQUIRE(found != rows.end());
    for (const SeenRow& row : found->second)
      if (row.cells[0] == key) return row.cells[*position];
    FAIL("no " << dataset << " " << key);
    return {};
  }
  [[nodiscard]] std::size_t count(const std::string& dataset) const {
    const auto found = rows.find(dataset);
    return found == rows.end() ? 0 : found->second.size();
  }

  // After extract(): nothing is left open, and every record has one fate.
  void check_accounts() const {
    CHECK_FALSE(open_dataset_.has_value());
    for (const auto& [name, completeness] : begun) {
      INFO("dataset " << name);
      CHECK((ended.contains(name) != abandoned.contains(name)));
    }
    for (const SeenFile& f : files) {
      INFO("file " << f.name);
      REQUIRE(f.records.has_value());
      CHECK(f.taken + f.quarantined + f.used + f.removed + f.ignored_in_all() == *f.records);
    }
  }

  // --- RowSink -----------------------------------------------------------------------------
  Result<FileId> open_file(std::string_view name, std::span<const std::string_view> columns,
                           std::span<const std::string_view> needed) override {
    for (const SeenFile& f : files) CHECK(f.name != name);
    if (fail_open && *fail_open == name)
      return fail(Code::kSourceChanged, std::string(name) + " has lost a column since yesterday");
    SeenFile f;
    f.name = name;
    f.columns.assign(columns.begin(), columns.end());
    f.needed.assign(needed.begin(), needed.end());
    files.push_back(std::move(f));
    return static_cast<FileId>(files.size() - 1);
  }
  void ignore(FileId file, std::string_view reason, std::uint64_t records) override {
    CHECK_FALSE(reason.empty());
    CHECK(records > 0);
    at(file).ignored[std::string(reason)] += records;
  }
  void used(FileId file, std::uint64_t records) override { at(file).used += records; }
  void close_file(FileId file, std::uint64_t records) override {
    SeenFile& f = at(file);
    f.records = records;
  }

  Result<void> begin(const Dataset& dataset, Completeness completeness) override {
    INFO("begin " << dataset.name);
    CHECK_FALSE(open_dataset_.has_value());
    CHECK_FALSE(begun.contains(std::string(dataset.name)));
    CHECK_FALSE(abandoned.contains(std::string(dataset.name)));
    begun[std::string(dataset.name)] = completeness;
    open_dataset_ = dataset.name;
    rows[std::string(dataset.name)];
    return {};
  }
  Fingerprint matched(const Field&, std::string_view by, std::string_view) override {
    return fingerprint(attributes, fingerprint(by));
  }
  bool unchanged(const Origin& origin, Fingerprint print) override {
    REQUIRE(open_dataset_);
    if (!known_.contains({*open_dataset_, print})) return false;
    ++kept[*open_dataset_];
    if (origin.counted) ++at(origin.file).taken;
    return true;
  }
  Result<void> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) override {
    REQUIRE(open_dataset_);
    if (on_row) on_row();
    const Dataset& dataset = *dictionary_.find(*open_dataset_);
    REQUIRE(cells.size() == dataset.fields.size());
    SeenFile& f = at(origin.file);
    CHECK_FALSE(known_.contains({*open_dataset_, print}));  // it was said to be unchanged
    if (full_after && seen_rows_++ >= *full_after) return fail(Code::kDiskFull, "the disk is full");
    SeenRow row{f.name, origin.line, origin.counted, print, {}};
    for (std::size_t i = 0; i < cells.size(); ++i) row.cells.push_back(text(dataset.fields[i], cells[i]));
    if (origin.counted) ++f.taken;
    rows[*open_dataset_].push_back(std::move(row));
    return {};
  }
  Result<void> reject(const Dataset& dataset, const Origin& origin, Problem problem) override {
    CHECK_FALSE(problem.text.empty());
    CHECK_FALSE(problem.rule.empty());
    SeenFile& f = at(origin.file);
    rejects.push_back({std::string(dataset.name), f.name, std::string(problem.rule),
                       std::string(problem.field), problem.text, std::string(origin.raw), origin.line,
                       origin.counted});
    if (origin.counted) ++f.quarantined;
    return {};
  }
  Result<void> remove(const Origin& origin, std::span<const InCell> key) override {
    REQUIRE(open_dataset_);
    CHECK(begun[*open_dataset_] == Completeness::kDelta);
    const Dataset& dataset = *dictionary_.find(*open_dataset_);
    REQUIRE(key.size() == dataset.key_count);
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < key.size(); ++i) cells.push_back(text(dataset.fields[i], key[i]));
    removed[*open_dataset_].push_back(std::move(cells));
    if (origin.counted) ++at(origin.file).removed;
    return {};
  }
  Result<void> end(const Dataset& dataset) override {
    REQUIRE(open_dataset_);
    CHECK(*open_dataset_ == dataset.name);
    ended.insert(std::string(dataset.name));
    open_dataset_.reset();
    return {};
  }
  void abandon(const Dataset& dataset, Error why) override {
    INFO("abandon " << dataset.name << ": " << why.sentence());
    CHECK_FALSE(ended.contains(std::string(dataset.name)));
    if (open_dataset_) {
      CHECK(*open_dataset_ == dataset.name);
    }
    open_dataset_.reset();
    rows.erase(std::string(dataset.name));
    abandoned.emplace(std::string(dataset.name), std::move(why));
  }
  void notice(std::string text) override {
    CHECK_FALSE(text.empty());
    notices.push_back(std::move(text));
  }

 private:
  SeenFile& at(FileId file) {
    REQUIRE(file < files.size());
    CHECK_FALSE(files[file].records.has_value());  // it was closed
    return files[file];
  }
  static std::string text(const Field& field, const InCell& cell) {
    INFO("field " << field.name);
    switch (cell.kind) {
      case InCell::Kind::kNull:
        return {};
      case InCell::Kind::kInt:
        CHECK_FALSE(is_text(field.type));
        CHECK(field.type != Type::kEnum);
        return field.type == Type::kDate ? Date{static_cast<std::int32_t>(cell.number)}.iso()
                                         : std::to_string(cell.number);
      case InCell::Kind::kText:
        CHECK((is_text(field.type) || field.type == Type::kEnum));
        CHECK(field.type != Type::kRawCode);
        return std::string(cell.text);
      case InCell::Kind::kRef:
        break;
    }
    CHECK((field.type == Type::kEntity || field.type == Type::kRef));
    CHECK_FALSE(cell.ref.id.empty());
    std::string out(cell.ref.dataset);
    out += ':';
    if (!cell.ref.source.empty()) out += std::string(cell.ref.source) + "/";
    if (!cell.ref.by.empty()) out += std::string(cell.ref.by) + "=";
    return out + std::string(cell.ref.id);
  }

  const Dictionary& dictionary_;
  std::optional<std::string> open_dataset_;
  std::set<std::pair<std::string, Fingerprint>> known_;
  std::size_t seen_rows_ = 0;
};

}  // namespace towpath::testing
