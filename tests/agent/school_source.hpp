// A school's source in memory, for tests of intake and publish: files of lines, in an order,
// which a test changes as a school would between two nights. And the store it is read into.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "agent/intake/intake.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/store/store.hpp"

namespace towpath::test {

class TestClock final : public Clock {
 public:
  Instant now() override { return Instant{std::chrono::milliseconds{time_ += 1000}}; }

 private:
  std::int64_t time_ = 1'795'000'000'000;  // autumn 2026
};

// A record is its cells in the dictionary's order; empty text is null.
using Record = std::vector<std::string>;

struct SourceFile {
  std::string dataset;
  std::vector<std::string> columns;
  std::vector<Record> records;
  Completeness completeness = Completeness::kFull;
  bool breaks_off = false;  // cannot be read to its end
  bool absent = false;
  std::string by = {};  // references name this attribute instead of an id
};

inline std::string line_of(const Record& record) {
  std::string line;
  for (const std::string& cell : record) line += cell + ",";
  return line;
}

class SchoolSource final : public Adapter {
 public:
  explicit SchoolSource(const Dictionary& dictionary) : dictionary_(dictionary) {}
  std::vector<SourceFile> files;
  std::uint64_t rows_parsed = 0;

  SourceFile& file(std::string_view dataset) {
    for (SourceFile& f : files)
      if (f.dataset == dataset) return f;
    files.push_back({std::string(dataset), {}, {}});
    for (const Field& field : dictionary_.find(dataset)->fields)
      files.back().columns.emplace_back(field.name);
    return files.back();
  }

  std::vector<std::string_view> provides() const override { return {}; }

  Result<void> extract(RowSink& sink) override {
    for (const SourceFile& f : files) {
      if (f.absent) continue;
      const Dataset& dataset = *dictionary_.find(f.dataset);
      std::vector<std::string_view> columns(f.columns.begin(), f.columns.end());
      std::vector<std::string_view> needed;
      for (const Field& field : dataset.fields) needed.push_back(field.name);
      auto file = sink.open_file(f.dataset + ".csv", columns, needed);
      if (!file && file.error().code() != Code::kSourceChanged) return fail(std::move(file).error());
      if (!file) {
        sink.abandon(dataset, std::move(file).error());
        continue;
      }
      TP_TRY(sink.begin(dataset, f.completeness));
      std::uint64_t line = 1;
      Fingerprint seed = 0;
      for (const Field& field : dataset.fields)
        if (field.type == Type::kRef && !f.by.empty()) seed ^= sink.matched(field, f.by, {});
      for (const Record& record : f.records) {
        const std::string raw = line_of(record);
        const Origin origin{*file, ++line, true, raw};
        const Fingerprint print = fingerprint(raw, seed);
        if (sink.unchanged(origin, print)) continue;
        ++rows_parsed;
        std::vector<InCell> cells;
        for (std::size_t i = 0; i < dataset.fields.size(); ++i)
          cells.push_back(cell(dataset.fields[i], record[i], f.by));
        TP_TRY(sink.row(origin, print, cells));
      }
      if (f.breaks_off)
        sink.abandon(dataset, Error{Code::kSourceChanged, f.dataset + ".csv: changed while it was read"});
      else
        TP_TRY(sink.end(dataset));
      sink.close_file(*file, f.records.size());
    }
    return {};
  }

 private:
  static InCell cell(const Field& field, const std::string& text, const std::string& by) {
    if (text.empty() || field.type == Type::kRawCode) return InCell::null();
    switch (field.type) {
      case Type::kEntity:
        return InCell::to(text);
      case Type::kRef:
        return InCell::to(text, {}, by);
      case Type::kInt:
      case Type::kBool:
      case Type::kInstant:
        return InCell::integer(std::stoll(text));
      case Type::kDate: {
        const auto date = Date::parse(text);
        return date ? InCell::date(*date) : InCell::of(text);
      }
      default:
        return InCell::of(text);
    }
  }
  const Dictionary& dictionary_;
};

struct School {
  School() : source(dictionary), store(open()) {}

  static Store open() {
    auto opened = Store::open({":memory:", "", "100001", false}, built_in_dictionary());
    REQUIRE(opened);
    return std::move(*opened);
  }
  Result<ExtractReport> extract(ExtractOptions options = {}) {
    const AdapterContext context{dictionary, "100001", "Example School", "mis",
                                 Date::parse("2026-11-20").value()};
    return run_extract(store, source, context, clock, options);
  }
  // For extracts that have to work.
  ExtractReport read(ExtractOptions options = {}) {
    auto report = extract(options);
    if (!report) FAIL(report.error().sentence());
    for (const auto& [name, file] : report->files) {
      std::uint64_t ignored = 0;
      for (const auto& [reason, n] : file.ignored) ignored += n;
      INFO(name);
      CHECK(file.taken + file.quarantined + ignored == file.rows);
    }
    return *report;
  }

  Record& pupil(const std::string& id, const std::string& surname, const std::string& forename = "Ada") {
    Record record(dictionary.find("pupil")->fields.size());
    record[0] = id;
    set("pupil", record, "Surname", surname);
    set("pupil", record, "Forename", forename);
    return add("pupil", record);
  }
  Record& mark(const std::string& date, const std::string& session, const std::string& pupil_id,
               const std::string& code) {
    Record record(dictionary.find("session_mark")->fields.size());
    set("session_mark", record, "date", date);
    set("session_mark", record, "session", session);
    set("session_mark", record, "pupil", pupil_id);
    set("session_mark", record, "code", code);
    return add("session_mark", record);
  }
  Record& add(const std::string& dataset, const Record& record) {
    source.file(dataset).records.push_back(record);
    return source.file(dataset).records.back();
  }
  void set(std::string_view dataset, Record& record, std::string_view field, const std::string& value) const {
    record[dictionary.find(dataset)->position(field).value()] = value;
  }
  std::int64_t rows(const std::string& dataset) {
    return store.db().integer("SELECT count(*) FROM d_" + dataset).value();
  }
  // A row as text, fields joined: to compare tables whole.
  std::vector<std::string> table(const std::string& dataset) {
    std::vector<std::string> out;
    std::string columns;
    for (const Field& f : dictionary.find(dataset)->fields)
      columns += (columns.empty() ? "" : "||'|'||") + ("coalesce(\"" + std::string(f.name) + "\",'-')");
    auto statement = store.db().prepare("SELECT " + columns + " FROM d_" + dataset);
    REQUIRE(statement);
    auto use = statement->use();
    while (use.step().value()) out.emplace_back(use.text(0));
    return out;
  }

  const Dictionary& dictionary = built_in_dictionary();
  TestClock clock;
  SchoolSource source;
  Store store;
};

}  // namespace towpath::test
