// A replica's tables: how a dictionary's datasets lie in the file, and how a file that an
// older dictionary wrote is brought up to a newer one.
//
// A dataset's table has the dictionary's columns, then one column for each field that a
// newer agent sent and the dictionary does not know ("aside_<field id>_int" or "_text").
// Rows of unknown datasets lie in `aside_row` whole. Used by replica.cpp only.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "dictionary/dictionary.hpp"
#include "segment/content.hpp"
#include "segment/digest.hpp"
#include "sqlite/database.hpp"

namespace towpath::replica {

// Of the file. Changes with its tables.
inline constexpr std::int64_t kFormat = 1;

struct Column {
  std::uint8_t id;
  bool text;
  bool blob;         // stored as BLOB: UUIDs, and text whose field is unknown
  std::string name;  // quoted
};

// A field that the dictionary does not know, of a dataset that it does.
struct AsideField {
  std::uint16_t dataset;
  std::uint8_t field;
  bool text;
  friend auto operator<=>(const AsideField&, const AsideField&) = default;
};
using AsideFields = std::set<AsideField>;
[[nodiscard]] std::string aside_column(const AsideField& field);

// What a dictionary's tables look like, as one hash: equal means nothing to bring up.
[[nodiscard]] Hash256 shape_of(const Dictionary& dictionary);

// Makes all tables of an empty file. Within a transaction.
[[nodiscard]] Result<void> create_tables(Database& database, const Dictionary& dictionary);
// Brings the tables of an older dictionary up to this one: new datasets and fields, other
// names; what was kept aside and is known now moves in. Within a transaction.
[[nodiscard]] Result<void> bring_up(Database& database, const Dictionary& dictionary);

[[nodiscard]] Result<AsideFields> read_aside_fields(Database& database);
[[nodiscard]] Result<void> add_aside_field(Database& database, const Dataset& dataset,
                                           const AsideField& field);

// The statements of one dataset's table, compiled at first use. Column positions are
// parameter numbers less one; the key comes first.
class Table {
 public:
  Table(Database& database, const Dataset& dataset, const AsideFields& aside);

  [[nodiscard]] const Dataset& dataset() const { return dataset_; }
  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::optional<std::size_t> position(std::uint8_t field, bool text) const;
  [[nodiscard]] Hash256 hash(RowView cells);

  // False where a row of that key is there already; then nothing has been done.
  [[nodiscard]] Result<bool> insert(RowView cells);
  // The row of `cells`' key; none if there is no such row.
  [[nodiscard]] Result<std::optional<OwnedRow>> find(RowView cells);
  [[nodiscard]] Result<void> update(RowView cells);
  [[nodiscard]] Result<void> erase(RowView cells);
  // All rows in key order, every column.
  [[nodiscard]] Result<void> each(const std::function<Result<void>(RowView)>& visit);

 private:
  [[nodiscard]] Result<Statement*> ready(std::optional<Statement>& statement,
                                         std::string (Table::*sql)() const);
  [[nodiscard]] std::string insert_sql() const;
  [[nodiscard]] std::string find_sql() const;
  [[nodiscard]] std::string update_sql() const;
  [[nodiscard]] std::string erase_sql() const;
  [[nodiscard]] std::string names() const;

  Database& database_;
  const Dataset& dataset_;
  std::vector<Column> columns_;
  RowHasher hasher_;
  // Two columns may hold one field, as one kind and as the other; at most one is not null.
  std::vector<std::pair<std::size_t, std::size_t>> twins_;  // column, position in merged_
  std::vector<Value> merged_;
  std::vector<Value> found_;
  std::optional<Statement> insert_, find_, update_, erase_;
};

// Rows of datasets that the dictionary does not know, or whose key it knows otherwise.
class AsideRows {
 public:
  explicit AsideRows(Database& database) : database_(database) {}

  // A cell and the wire field it is of.
  struct Cell {
    WireField field;
    Value value;
  };
  struct Row {
    std::vector<Cell> key;   // in key order, none null
    std::vector<Cell> rest;  // ascending field id, none null
  };
  [[nodiscard]] static Bytes encode(const std::vector<Cell>& cells);
  // False if damaged. The cells view into `bytes`.
  [[nodiscard]] static bool decode(ByteView bytes, std::vector<Cell>& cells);
  [[nodiscard]] static Hash256 hash(std::uint16_t dataset, const Row& row);

  // The bytes of the row's other fields; none if there is no such row.
  [[nodiscard]] Result<std::optional<Bytes>> find(std::uint16_t dataset, ByteView key);
  [[nodiscard]] Result<void> put(std::uint16_t dataset, ByteView key, ByteView rest);
  [[nodiscard]] Result<void> erase(std::uint16_t dataset, ByteView key);
  [[nodiscard]] Result<std::vector<std::uint16_t>> datasets();
  [[nodiscard]] Result<void> each(std::uint16_t dataset,
                                  const std::function<Result<void>(const Row&)>& visit);

 private:
  [[nodiscard]] Result<Statement*> ready(std::optional<Statement>& statement, const char* sql);
  Database& database_;
  std::optional<Statement> find_, put_, erase_;
};

}  // namespace towpath::replica
