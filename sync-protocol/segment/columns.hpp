// The columns of one block: how they are told apart on the wire, and the two modelled ones.
//
// The functions here run in both directions (see range_coder.hpp): what the writer codes,
// the reader decodes by the same lines. Layout: docs/segment-format.md, "Columns".
// Private to this module.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "segment/model.hpp"

namespace towpath::codec {

// Low three bits of a column's tag.
enum class Encoding : std::uint8_t {
  kConstant = 0,  // one value for all rows
  kPlain = 1,     // integers: differences as varints; zstd knows them from yesterday
  kRuns = 2,      // integers: (difference, how often more) as varints
  kNumbers = 3,   // integers: differences, modelled
  kSymbols = 4,   // a table of at most 64 values, and which one each row has, modelled
  kTexts = 5,     // lengths, then bytes
  kFixed = 6,     // one length, then bytes: UUIDs
};
inline constexpr std::uint8_t kTagEncoding = 0x07;
inline constexpr std::uint8_t kTagText = 0x08;  // else integers
inline constexpr std::uint8_t kTagNulls =
    0x10;  // kConstant: it is null; kSymbols: one of the table is; else: a null map
inline constexpr std::uint8_t kTagSome = 0x20;  // kUpdate: not every row is meant; a map says which

// What a modelled column may look at: all of it is known to both ends before the column.
struct RowContext {
  std::vector<std::uint32_t> who;  // a row's last key value, numbered by first appearance
  std::size_t whos = 0;
  std::vector<std::uint8_t> key;     // low bits of the key column before it
  std::vector<std::uint8_t> beside;  // symbol of the nearest symbol column to the left that has this row
  std::vector<std::uint8_t> shift;   // 1 + the first key column that differs from the row before; 0 none

  void start(std::size_t rows) {
    who.assign(rows, 0);
    whos = 0;
    key.assign(rows, 0);
    beside.assign(rows, 0);
    shift.assign(rows, 0);
  }
  // Once the key is known: `last` are the values of the last key column if it holds integers,
  // `before` those of the one before it.
  void keys_known(std::span<const std::int64_t> last, std::span<const std::int64_t> before) {
    if (!last.empty()) {
      std::unordered_map<std::int64_t, std::uint32_t> numbers;
      for (std::size_t r = 0; r < last.size(); ++r)
        who[r] = numbers.try_emplace(last[r], static_cast<std::uint32_t>(numbers.size())).first->second;
      whos = numbers.size();
    }
    for (std::size_t r = 0; r < before.size(); ++r) key[r] = static_cast<std::uint8_t>(before[r] & 3);
  }
  // A key column other than the last: rows where it, and none before it, differs from the row before.
  template <class Values>
  void key_column(std::size_t index, const Values& values) {
    for (std::size_t r = 1; r < shift.size(); ++r)
      if (shift[r] == 0 && !(values[r] == values[r - 1])) shift[r] = static_cast<std::uint8_t>(index + 1);
  }
};

// Symbols of the rows listed in `rows`, in that order. `symbols` is read or filled.
template <class Coder>
void code_symbols(Coder& coder, unsigned table, unsigned usual, std::span<const std::uint32_t> rows,
                  std::span<std::uint8_t> symbols, const RowContext& context) {
  SymbolModel model(table, usual, context.whos);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint32_t r = rows[i];
    symbols[i] = static_cast<std::uint8_t>(
        model.code(coder, symbols[i], context.who[r], context.key[r], context.beside[r]));
  }
}

// Differences of the rows listed in `rows`. False if damaged.
template <class Coder>
bool code_numbers(Coder& coder, std::span<const std::uint32_t> rows, std::span<std::int64_t> values,
                  const RowContext& context) {
  NumberModel model;
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto difference = static_cast<std::int64_t>(static_cast<std::uint64_t>(values[i]) - before);
    const std::int64_t d = unzigzag(model.code(coder, zigzag(difference), context.shift[rows[i]]));
    before += static_cast<std::uint64_t>(d);
    values[i] = static_cast<std::int64_t>(before);
  }
  return !model.damaged();
}

}  // namespace towpath::codec
