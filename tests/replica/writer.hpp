// A writer of segments for tests: a plain map of rows, and what it takes to tell a replica.
//
// In: put() and erase() on ordinary maps. Out: sealed segments that carry the difference
// since the last one, with chain, digest and reference as a school's publisher makes them.
// The maps are the model that a replica is compared with.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dictionary/dictionary.hpp"
#include "replica/replica.hpp"
#include "segment/digest.hpp"
#include "segment/segment.hpp"

namespace towpath::test {

using Cell = std::variant<std::monostate, std::int64_t, std::string>;
using Cells = std::vector<Cell>;

inline Value value_of(const Cell& cell) {
  if (const auto* n = std::get_if<std::int64_t>(&cell)) return Value{*n};
  if (const auto* t = std::get_if<std::string>(&cell)) return Value{std::string_view(*t)};
  return Value{};
}
inline Cell cell_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kInt:
      return value.as_int();
    case Value::Kind::kText:
      return std::string(value.as_text());
    default:
      return std::monostate{};
  }
}
inline std::vector<Value> values_of(const Cells& cells) {
  std::vector<Value> values;
  for (const Cell& c : cells) values.push_back(value_of(c));
  return values;
}
inline Cells cells_of(RowView row) {
  Cells cells;
  for (const Value& v : row) cells.push_back(cell_of(v));
  return cells;
}

// A dataset as the writer sees it; the reader's dictionary may know more or less.
struct Shape {
  std::uint16_t id;
  std::size_t key_count;
  std::vector<WireField> fields;
};
inline Shape shape_of(const Dataset& dataset) {
  Shape shape{dataset.id, dataset.key_count, {}};
  for (const Field& f : dataset.fields) shape.fields.push_back({f.id, is_text(f.type)});
  return shape;
}

class TestWriter {
 public:
  using Rows = std::map<Cells, Cells>;  // key -> the other fields

  TestWriter(StreamId stream, Epoch epoch, std::vector<Shape> shapes)
      : stream_(stream), epoch_(epoch), shapes_(std::move(shapes)) {
    head_.epoch = epoch;
  }

  void put(std::uint16_t dataset, const Cells& row) {
    const Shape& s = shape(dataset);
    REQUIRE(row.size() == s.fields.size());
    const auto split = row.begin() + static_cast<std::ptrdiff_t>(s.key_count);
    now_[dataset][Cells(row.begin(), split)] = Cells(split, row.end());
  }
  void erase(std::uint16_t dataset, const Cells& key) { now_[dataset].erase(key); }
  [[nodiscard]] const Rows& rows(std::uint16_t dataset) { return now_[dataset]; }

  struct How {
    bool snapshot = false, snapshot_end = false;
    std::optional<StreamSeq> reference = std::nullopt;
    bool whole_rows = false;  // changes as whole rows instead of updates
    bool lie_about_digest = false;
  };
  // What has changed since the last segment, sealed; it counts as sent.
  SealedSegment seal(const How& how) {
    const Bytes content = content_since(how.whole_rows);
    SegmentHeader h;
    h.stream = stream_;
    h.epoch = epoch_;
    h.seq = StreamSeq{head_.seq.number + 1};
    h.previous = head_.segment;
    h.dictionary_version = 1;
    h.snapshot = how.snapshot;
    h.snapshot_end = how.snapshot_end;
    h.reference = how.reference;
    h.digest = digest();
    if (how.lie_about_digest) h.digest.bytes[0] ^= 1;
    auto sealed =
        seal_segment(h, content, how.reference ? contents_.at(how.reference->number) : Bytes{}, signer);
    REQUIRE(sealed);
    contents_[h.seq.number] = content;
    sent_ = now_;
    head_.seq = h.seq;
    head_.segment = sealed->hash;
    head_.digest = h.digest;
    head_.complete = head_.complete || how.snapshot_end;
    return std::move(*sealed);
  }
  SealedSegment snapshot() { return seal({.snapshot = true, .snapshot_end = true}); }
  SealedSegment delta() { return seal({}); }

  SegmentSigner signer = {};  // for streams that are passed on

  [[nodiscard]] const Head& head() const { return head_; }
  [[nodiscard]] StreamId stream() const { return stream_; }
  [[nodiscard]] Hash256 digest() {
    StateDigest total;
    for (const auto& [dataset, rows] : now_)
      for (const auto& [key, rest] : rows) total.add(hash(dataset, key, rest));
    return total.value();
  }
  [[nodiscard]] Hash256 hash(std::uint16_t dataset, const Cells& key, const Cells& rest) {
    const Shape& s = shape(dataset);
    std::vector<std::uint8_t> ids;
    for (const WireField& f : s.fields) ids.push_back(f.id);
    Cells all = key;
    all.insert(all.end(), rest.begin(), rest.end());
    return RowHasher(dataset, ids)(values_of(all));
  }

 private:
  const Shape& shape(std::uint16_t dataset) const {
    for (const Shape& s : shapes_)
      if (s.id == dataset) return s;
    FAIL("the test has no dataset " << dataset);
    return shapes_.front();
  }

  Bytes content_since(bool whole_rows) {
    ContentWriter writer;
    std::vector<Shape> ordered = shapes_;
    std::sort(ordered.begin(), ordered.end(), [](const Shape& a, const Shape& b) { return a.id < b.id; });
    for (const Shape& s : ordered) {
      const Rows& before = sent_[s.id];
      const Rows& after = now_[s.id];
      Rows inserted, updated;
      std::vector<Cells> deleted;
      for (const auto& [key, rest] : after) {
        const auto old = before.find(key);
        if (old == before.end() || (whole_rows && old->second != rest))
          inserted[key] = rest;
        else if (old->second != rest)
          updated[key] = rest;
      }
      for (const auto& [key, rest] : before)
        if (!after.contains(key)) deleted.push_back(key);
      if (!inserted.empty()) {
        writer.begin(s.id, Operation::kInsert, s.fields, s.key_count);
        for (const auto& [key, rest] : inserted) writer.row(joined(key, rest));
        writer.end();
      }
      if (!updated.empty()) {
        writer.begin(s.id, Operation::kUpdate, s.fields, s.key_count);
        for (const auto& [key, rest] : updated) {
          const auto changed = std::make_unique<bool[]>(s.fields.size());
          for (std::size_t i = 0; i < rest.size(); ++i)
            changed[s.key_count + i] = rest[i] != before.at(key)[i];
          writer.row(joined(key, rest), {changed.get(), s.fields.size()});
        }
        writer.end();
      }
      if (!deleted.empty()) {
        writer.begin(s.id, Operation::kDelete, std::span(s.fields).first(s.key_count), s.key_count);
        for (const Cells& key : deleted) writer.row(joined(key, {}));
        writer.end();
      }
    }
    return writer.finish();
  }
  std::vector<Value>& joined(const Cells& key, const Cells& rest) {
    scratch_.clear();
    for (const auto* part : {&key, &rest})
      for (const Cell& c : *part) scratch_.push_back(value_of(c));
    return scratch_;
  }

  StreamId stream_;
  Epoch epoch_;
  std::vector<Shape> shapes_;
  std::map<std::uint16_t, Rows> now_, sent_;
  std::map<std::uint64_t, Bytes> contents_;
  Head head_;
  std::vector<Value> scratch_;
};

// A folder that goes with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string made = (std::filesystem::temp_directory_path() / "towpath-test-XXXXXX").string();
    REQUIRE(::mkdtemp(made.data()) != nullptr);
    path_ = made;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace towpath::test
