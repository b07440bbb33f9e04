// Random contents: rows of every operation and mix of values, and what a reader makes of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "rows/value.hpp"
#include "segment/content.hpp"

namespace towpath::test {

// A cell that owns its text and can be printed by RapidCheck.
struct Cell {
  enum Kind { kNull, kInt, kText, kUnchanged } kind = kNull;
  std::int64_t number = 0;
  std::string text;

  friend auto operator<=>(const Cell&, const Cell&) = default;
  [[nodiscard]] Value value() const {
    return kind == kInt ? Value{number} : kind == kText ? Value{std::string_view(text)} : Value{};
  }
};
inline Cell integer(std::int64_t n) { return {Cell::kInt, n, {}}; }
inline Cell words(std::string t) { return {Cell::kText, 0, std::move(t)}; }
inline Cell unchanged() { return {Cell::kUnchanged, 0, {}}; }
inline Cell cell_of(const Value& v) {
  switch (v.kind()) {
    case Value::Kind::kInt:
      return integer(v.as_int());
    case Value::Kind::kText:
      return words(std::string(v.as_text()));
    case Value::Kind::kNull:
      break;
  }
  return {};
}
inline std::ostream& operator<<(std::ostream& out, const Cell& c) {
  switch (c.kind) {
    case Cell::kInt:
      return out << c.number;
    case Cell::kText:
      return out << '"' << c.text << '"';
    case Cell::kUnchanged:
      return out << '-';
    case Cell::kNull:
      break;
  }
  return out << "null";
}

using TestRow = std::vector<Cell>;
struct TestBlock {
  std::uint16_t dataset = 0;
  Operation operation = Operation::kInsert;
  std::vector<WireField> fields;
  std::size_t key_count = 1;
  std::vector<TestRow> rows;  // ascending by key
};

inline void write_block(ContentWriter& writer, const TestBlock& block) {
  writer.begin(block.dataset, block.operation, block.fields, block.key_count);
  const std::size_t n = block.fields.size();
  const auto changed = std::make_unique<bool[]>(n);
  for (TestRow row : block.rows) {
    row.resize(n);  // kDelete rows have only their key
    std::vector<Value> values;
    for (std::size_t i = 0; i < n; ++i) {
      values.push_back(row[i].value());
      changed[i] = row[i].kind != Cell::kUnchanged;
    }
    writer.row(values, std::span<const bool>(changed.get(), n));
  }
  writer.end();
}
inline Bytes content_of(const std::vector<TestBlock>& blocks, ContentWriter writer = {}) {
  for (const TestBlock& b : blocks) write_block(writer, b);
  return writer.finish();
}

// A block as it arrives, laid out by the fields that were written: a column that did not
// travel says null (insert) or unchanged (update).
inline std::vector<TestRow> rows_of(const Block& block, const TestBlock& written) {
  std::vector<TestRow> rows;
  std::vector<Value> cells(block.fields.size());
  const auto changed = std::make_unique<bool[]>(block.fields.size());
  const std::size_t columns =
      written.operation == Operation::kDelete ? written.key_count : written.fields.size();
  for (std::size_t r = 0; r < block.rows; ++r) {
    block.row(r, cells, std::span<bool>(changed.get(), block.fields.size()));
    TestRow row(columns, block.operation == Operation::kUpdate ? unchanged() : Cell{});
    for (std::size_t i = 0; i < block.fields.size(); ++i)
      for (std::size_t f = 0; f < columns; ++f)
        if (written.fields[f].id == block.fields[i].id)
          row[f] = block.operation == Operation::kUpdate && !changed[i] ? unchanged() : cell_of(cells[i]);
    rows.push_back(std::move(row));
  }
  return rows;
}

// The first error of reading all of it; none if it reads to its end.
inline std::optional<Error> read_all(ByteView content) {
  ContentReader reader(content);
  Block block;
  for (;;) {
    auto more = reader.next(block);
    if (!more) return more.error();
    if (!*more) return std::nullopt;
  }
}

}  // namespace towpath::test
