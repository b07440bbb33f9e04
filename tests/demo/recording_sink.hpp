// A RowSink that keeps everything as text, and knows which fingerprints it has seen.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "adapters/api/adapter.hpp"

namespace towpath::testing {

class RecordingSink : public RowSink {
 public:
  std::set<Fingerprint> known;                                        // what unchanged() says yes to
  std::map<std::string, std::vector<std::vector<std::string>>> rows;  // dataset -> rows
  std::map<std::string, std::uint64_t> read;                          // rows offered, sent or skipped
  std::map<std::string, std::uint64_t> closed;                        // file -> records
  std::set<Fingerprint> prints;
  std::vector<std::string> order;
  std::uint64_t asked = 0, sent = 0;

  Result<FileId> open_file(std::string_view name, std::span<const std::string_view>,
                           std::span<const std::string_view>) override {
    files_.emplace_back(name);
    return static_cast<FileId>(files_.size() - 1);
  }
  void ignore(FileId, std::string_view, std::uint64_t) override {}
  void used(FileId, std::uint64_t) override {}
  void close_file(FileId file, std::uint64_t records) override { closed[files_.at(file)] = records; }
  Result<void> begin(const Dataset& dataset, Completeness) override {
    current_ = &dataset;
    order.emplace_back(dataset.name);
    rows[std::string(dataset.name)];
    return {};
  }
  Fingerprint matched(const Field&, std::string_view, std::string_view) override { return 0; }
  bool unchanged(const Origin&, Fingerprint print) override {
    ++asked;
    ++read[std::string(current_->name)];
    prints.insert(print);
    return known.contains(print);
  }
  Result<void> row(const Origin&, Fingerprint print, std::span<const InCell> cells) override {
    ++sent;
    if (!prints.contains(print)) return fail(Code::kInternal, "row() without unchanged()");
    std::vector<std::string> out;
    for (const InCell& cell : cells) {
      switch (cell.kind) {
        case InCell::Kind::kNull:
          out.emplace_back();
          break;
        case InCell::Kind::kInt:
          out.push_back(std::to_string(cell.number));
          break;
        case InCell::Kind::kText:
          out.emplace_back(cell.text);
          break;
        case InCell::Kind::kRef:
          out.emplace_back(cell.ref.id);
          break;
      }
    }
    rows[std::string(current_->name)].push_back(std::move(out));
    return {};
  }
  Result<void> reject(const Dataset&, const Origin&, Problem) override {
    return fail(Code::kInternal, "the demo school rejects nothing");
  }
  Result<void> remove(const Origin&, std::span<const InCell>) override { return {}; }
  Result<void> end(const Dataset& dataset) override {
    if (current_ != &dataset) return fail(Code::kInternal, "end of another dataset");
    current_ = nullptr;
    return {};
  }
  void abandon(const Dataset&, Error) override {}
  void notice(std::string) override {}

 private:
  const Dataset* current_ = nullptr;
  std::vector<std::string> files_;
};

}  // namespace towpath::testing
