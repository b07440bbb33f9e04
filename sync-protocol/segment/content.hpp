// A segment's content: changed rows, sorted by key, written column by column.
//
// In: per dataset and operation, rows sorted by key. Out: bytes that are the same for
// the same rows, and that a reader understands without a dictionary: every column says
// its wire id and whether it holds integers or text, so that what a newer agent sends
// can be kept aside. Layout: docs/segment-format.md, "Content".
// Used by agent/publish (writer) and replica (reader). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "rows/value.hpp"

namespace towpath {

// Raw content of one segment. A school's whole day is some 10 KB; a first load is cut into
// such pieces, so that neither end ever holds more than a few megabytes.
inline constexpr std::size_t kContentBytesMax = 1024 * 1024;
// Cells (rows x columns) of one segment: bounds the decoded size to 8 MB (32 bytes a cell),
// whatever a modelled column claims to hold. A first load is some twenty segments.
inline constexpr std::size_t kCellsMax = 256 * 1024;
inline constexpr std::size_t kColumnsMax = 64;      // the widest dataset has some 20
inline constexpr std::size_t kTextBytesMax = 4096;  // one cell: 1,000 code points of four bytes

enum class Operation : std::uint8_t {
  kInsert = 0,  // whole rows; a row of the same key is replaced
  kUpdate = 1,  // keys, and for each other column which rows it changes and to what
  kDelete = 2,  // keys only
};

struct WireField {
  std::uint8_t id;
  bool text;  // else integers
};

// Writes one segment's content. Blocks come in ascending (dataset, operation) order, rows
// in ascending key order, and no more than kCellsMax cells; all are asserted.
class ContentWriter {
 public:
  ContentWriter();
  ~ContentWriter();
  ContentWriter(ContentWriter&&) noexcept;
  ContentWriter& operator=(ContentWriter&&) noexcept;

  // Before the first begin(): the content that the segment will name as its reference, if any.
  // What repeats from there is then written so that zstd finds it (the pupils of yesterday's
  // register). It must stay alive until finish(). The content can be read without it.
  void reference(ByteView content);
  // `fields`: the columns, key_count key columns first.
  void begin(std::uint16_t dataset, Operation operation, std::span<const WireField> fields,
             std::size_t key_count);
  // kInsert: a cell a field. kUpdate: likewise, and `changed[i]` says whether non-key field i
  // (position in fields) is meant; others are not looked at. kDelete: the key cells.
  void row(RowView cells, std::span<const bool> changed = {});
  void end();

  [[nodiscard]] std::size_t rows() const;  // in all blocks
  [[nodiscard]] std::size_t cells() const;
  // An upper bound of finish().size() so far, cheap; cut the segment before it passes the limit.
  [[nodiscard]] std::size_t bytes_bound() const;
  [[nodiscard]] Bytes finish();  // and start anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One decoded block. Columns are decoded whole; text views into the reader's memory.
struct Block {
  std::uint16_t dataset = 0;
  Operation operation = Operation::kInsert;
  std::size_t key_count = 0;
  std::size_t rows = 0;
  // What was sent: a non-key column that is null in every row (kInsert) or changed in none
  // (kUpdate) does not travel.
  std::vector<WireField> fields;

  // Fills `cells` (one a field) with row r. For kUpdate, `changed` (one a field) too.
  void row(std::size_t r, std::span<Value> cells, std::span<bool> changed) const;

  struct Column {
    std::vector<Value> values;  // one a row (kUpdate: null where not changed)
    std::vector<bool> changed;  // kUpdate only
  };
  std::vector<Column> columns;
  Bytes text;  // what the values' text views into
};

// Reads content that has already been checked by length and hash; still treats every byte as
// hostile: all limits above hold, rows are strictly ascending by key, nothing is left over.
class ContentReader {
 public:
  explicit ContentReader(ByteView content);  // views into it
  ~ContentReader();
  ContentReader(ContentReader&&) noexcept;
  ContentReader& operator=(ContentReader&&) noexcept;
  // The next block; false at the end; kDamaged / kTooLarge otherwise. `out` is reused.
  [[nodiscard]] Result<bool> next(Block& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// How many bytes at the end of a content are coded bits, which nothing shrinks further;
// 0 for bytes that are no content.
[[nodiscard]] std::size_t coded_tail(ByteView content);

}  // namespace towpath
