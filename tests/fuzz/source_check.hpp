// A package of files on a disk in memory, read by its adapter as a school's would be; and what every
// adapter promises, checked.
//
// Three readings: into a sink that keeps the contract's accounts, the same again with every row known, and
// through the real intake into a store, twice: what was read whole once changes nothing the second time.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "adapters/api/source_config.hpp"
#include "adapters/text/zip_writer.hpp"
#include "agent/intake/intake.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/store/store.hpp"
#include "check.hpp"
#include "core/text.hpp"
#include "package.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/sim_vfs.hpp"

namespace towpath::fuzz {

// A folder in memory that goes with the process.
class Folder {
 public:
  Folder() : path_("/dev/shm/towpath-fuzz-" + std::to_string(getpid())) {
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  // The package as files, or as one zip. The path that a configuration would name.
  std::string hold(const Package& package, bool zip) {
    for (const std::string& name : names_) std::filesystem::remove(path_ + "/" + name);
    names_.clear();
    if (!zip) {
      for (const PackedFile& f : package.files) write(f.name, f.content);
      return path_;
    }
    std::vector<ZipEntry> entries;
    std::set<std::string> seen;
    for (const PackedFile& f : package.files)
      if (seen.insert(f.name).second) entries.push_back({f.name, f.content});
    const Bytes bytes = good(make_zip(entries, Instant{}), "a zip");
    write("package.zip", towpath::text_of(ByteView(bytes)));
    return path_ + "/package.zip";
  }

 private:
  void write(const std::string& name, std::string_view content) {
    std::ofstream(path_ + "/" + name, std::ios::binary | std::ios::trunc) << content;
    names_.insert(name);
  }
  std::string path_;
  std::set<std::string> names_;
};

// Every record has one fate; a dataset is begun once and ended or abandoned; no row has a wrong shape.
class ContractSink final : public RowSink {
 public:
  std::set<Fingerprint> known;
  std::vector<Fingerprint> prints;
  std::set<std::string> ended;
  std::uint64_t rows = 0;

  Result<FileId> open_file(std::string_view name, std::span<const std::string_view>,
                           std::span<const std::string_view>) override {
    for (const File& f : files_) FUZZ_CHECK(f.name != name);
    files_.push_back({std::string(name), 0, {}});
    return static_cast<FileId>(files_.size() - 1);
  }
  void ignore(FileId file, std::string_view reason, std::uint64_t records) override {
    FUZZ_CHECK(!reason.empty() && records > 0);
    at(file).fates += records;
  }
  void used(FileId file, std::uint64_t records) override { at(file).fates += records; }
  void close_file(FileId file, std::uint64_t records) override { at(file).records = records; }
  Result<void> begin(const Dataset& dataset, Completeness completeness) override {
    FUZZ_CHECK(open_ == nullptr);
    FUZZ_CHECK(begun_.insert(std::string(dataset.name)).second);
    FUZZ_CHECK(!abandoned_.contains(std::string(dataset.name)));
    open_ = &dataset;
    delta_ = completeness == Completeness::kDelta;
    return {};
  }
  Fingerprint matched(const Field& reference, std::string_view by, std::string_view) override {
    FUZZ_CHECK(open_ != nullptr && reference.type == Type::kRef && !by.empty());
    return fingerprint(by);
  }
  bool unchanged(const Origin& origin, Fingerprint print) override {
    FUZZ_CHECK(open_ != nullptr);
    if (!known.contains(print)) return false;
    if (origin.counted) ++at(origin.file).fates;
    return true;
  }
  Result<void> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) override {
    FUZZ_CHECK(open_ != nullptr && cells.size() == open_->fields.size());
    FUZZ_CHECK(!known.contains(print));
    for (std::size_t i = 0; i < cells.size(); ++i) shape(open_->fields[i], cells[i]);
    if (origin.counted) ++at(origin.file).fates;
    prints.push_back(print);
    ++rows;
    return {};
  }
  Result<void> reject(const Dataset&, const Origin& origin, Problem problem) override {
    FUZZ_CHECK(!problem.text.empty() && !problem.rule.empty());
    harmless(problem.text);
    if (origin.counted) ++at(origin.file).fates;
    return {};
  }
  Result<void> remove(const Origin& origin, std::span<const InCell> key) override {
    FUZZ_CHECK(open_ != nullptr && delta_ && key.size() == open_->key_count);
    if (origin.counted) ++at(origin.file).fates;
    return {};
  }
  Result<void> end(const Dataset& dataset) override {
    FUZZ_CHECK(open_ == &dataset);
    ended.insert(std::string(dataset.name));
    open_ = nullptr;
    return {};
  }
  void abandon(const Dataset& dataset, Error why) override {
    FUZZ_CHECK(open_ == nullptr || open_ == &dataset);
    FUZZ_CHECK(!ended.contains(std::string(dataset.name)));
    harmless(why);
    abandoned_.insert(std::string(dataset.name));
    open_ = nullptr;
  }
  void notice(std::string text) override {
    FUZZ_CHECK(!text.empty());
    harmless(text);
  }

  void check_accounts() const {
    FUZZ_CHECK(open_ == nullptr);
    for (const std::string& name : begun_) FUZZ_CHECK(ended.contains(name) != abandoned_.contains(name));
    for (const File& f : files_) {
      FUZZ_CHECK(f.records);
      FUZZ_CHECK(f.fates == *f.records);
    }
  }
  [[nodiscard]] bool whole() const { return abandoned_.empty(); }

 private:
  struct File {
    std::string name;
    std::uint64_t fates = 0;
    std::optional<std::uint64_t> records;
  };
  File& at(FileId file) {
    FUZZ_CHECK(file < files_.size() && !files_[file].records);
    return files_[file];
  }
  static void shape(const Field& field, const InCell& cell) {
    switch (cell.kind) {
      case InCell::Kind::kNull:
        return;
      case InCell::Kind::kInt:
        FUZZ_CHECK(!is_text(field.type) && field.type != Type::kEnum && field.type != Type::kRef);
        return;
      case InCell::Kind::kText:
        FUZZ_CHECK((is_text(field.type) && field.type != Type::kRawCode) || field.type == Type::kEnum);
        return;
      case InCell::Kind::kRef:
        FUZZ_CHECK(field.type == Type::kEntity || field.type == Type::kRef);
        FUZZ_CHECK(!cell.ref.id.empty());
    }
  }
  const Dataset* open_ = nullptr;
  bool delta_ = false;
  std::vector<File> files_;
  std::set<std::string> begun_, abandoned_;
};

class SourceCheck final : public Clock {
 public:
  SourceCheck() {
    good(open(), "a store");
    base_ = disk_.image();
  }
  Instant now() override { return time_ += std::chrono::seconds(1); }

  void run(const SourceConfig& config) {
    const AdapterContext context{built_in_dictionary(), "100001", "Example School", "mis",
                                 *Date::parse("2026-11-23")};
    auto made = make_adapter(config, context);
    if (!made) return harmless(made.error());
    Adapter& adapter = **made;
    ContractSink first;
    if (auto done = adapter.extract(first); !done) {
      harmless(done.error());
      return;
    }
    first.check_accounts();
    ContractSink second;
    second.known.insert(first.prints.begin(), first.prints.end());
    good(adapter.extract(second), "the same again");
    second.check_accounts();
    FUZZ_CHECK(second.rows == 0);
    FUZZ_CHECK(second.ended == first.ended);
    take_in(adapter, context);
  }

 private:
  Result<Store> open() {
    return Store::open({"school.db", disk_.vfs(), "100001", false}, built_in_dictionary());
  }
  void take_in(Adapter& adapter, const AdapterContext& context) {
    time_ = *parse_instant("2026-11-23T05:30:00Z");
    disk_.restore(base_);
    Store store = good(open(), "the store");
    const auto report = run_extract(store, adapter, context, *this, {true, false});
    if (!report) return harmless(report.error());
    account(*report);
    const auto again = good(run_extract(store, adapter, context, *this, {true, false}), "the same again");
    account(again);
    for (const auto& [name, counts] : again.datasets) {
      if (counts.added + counts.changed + counts.removed == 0) continue;
      std::fprintf(stderr, "%s: %lu added, %lu changed, %lu removed\n", name.c_str(), counts.added,
                   counts.changed, counts.removed);
      FUZZ_CHECK(!report->complete);  // a second reading of the same changes nothing
    }
    // And what was taken can leave.
    Publisher publisher(store, Audience{"borough", {}});
    good(publisher.publish(), "publishing it");
    good(publisher.states(), "its digests");
  }
  static void account(const ExtractReport& report) {
    for (const auto& [name, file] : report.files) {
      std::uint64_t ignored = 0;
      for (const auto& [reason, n] : file.ignored) ignored += n;
      FUZZ_CHECK(file.taken + file.quarantined + ignored == file.rows);
    }
    for (const auto* list : {&report.problems, &report.notices})
      for (const std::string& text : *list) harmless(text);
    for (const Warning& w : report.warnings) harmless(w.text);
  }

  Instant time_{};
  sim::SimDisk disk_{sim::SimRandom(5, "disk")};
  sim::SimDisk::Image base_;
};

}  // namespace towpath::fuzz
