// One [[source.table]], checked against the dictionary and ready to convert records.
//
// compile() finds every mistake that the configuration alone shows; bind() those that
// a file's header shows; convert() turns one record's cells into a row or says why not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "adapters/api/source_config.hpp"
#include "adapters/text/cells.hpp"
#include "adapters/text/csv_reader.hpp"

namespace towpath {

class Table {
 public:
  [[nodiscard]] static Result<Table> compile(const TableMapping& mapping, const SourceConfig& source,
                                             const AdapterContext& context);

  [[nodiscard]] const Dataset& dataset() const { return *dataset_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] bool append() const { return append_; }
  [[nodiscard]] CsvOptions csv(std::string name) const;
  // The columns that the mapping reads, as the configuration spells them: one that is gone
  // would empty a field in every row.
  [[nodiscard]] std::vector<std::string_view> needed() const;

  struct Binding {
    std::vector<std::size_t> columns;  // for each Cell, its column; unused for constants
    std::vector<std::size_t> where;    // for each filter
    std::vector<std::string> notices;  // "column 'upn' was taken for 'UPN'"
    Fingerprint print = 0;             // of mapping, header and school
  };
  // kBadInput where a column is missing or there twice.
  [[nodiscard]] Result<Binding> bind(const CsvReader& reader) const;

  // The seed of this file's prints: of the binding, and of what references by an attribute (`by`) are looked
  // up in.
  [[nodiscard]] Fingerprint seed(const Binding& binding, RowSink& sink) const;

  struct Ignored {
    std::string_view reason;
  };
  // The row's cells, in `row` (sized to the dataset's fields); or why there is none. Views
  // are into `fields` and into the table.
  [[nodiscard]] std::variant<std::monostate, Ignored, Problem> convert(
      const Binding& binding, std::span<const std::string_view> fields, std::span<InCell> row) const;

 private:
  struct Cell {
    std::size_t position = 0;  // in the dataset's fields
    std::string column;
    std::string constant;  // instead of a column
    DateFormat format;
    std::map<std::string, std::string, std::less<>> values;
    std::string source;
    std::string by;
    std::string_view dataset;              // references that can mean one dataset only
    std::optional<std::size_t> kind_from;  // references that can mean several: the cell that says which
  };
  struct Filter {
    std::string column;
    std::vector<std::string> values;
    std::string reason;
  };
  [[nodiscard]] std::optional<Problem> convert_cell(const Cell& cell, std::string_view raw,
                                                    InCell& out) const;

  const Dataset* dataset_ = nullptr;
  std::string file_;
  bool append_ = false;
  char delimiter_ = ',';
  TextEncoding encoding_ = TextEncoding::kUtf8;
  std::vector<Cell> cells_;
  std::vector<Filter> filters_;
  std::string id_space_;
  Date today_;
  Fingerprint mapping_print_ = 0;
};

// Where in `header` a column is. kBadInput if it is missing or there twice; `notice` is
// set where only its case differs. What else is in the header is told only if it is one for certain.
[[nodiscard]] Result<std::size_t> find_column(std::span<const std::string> header, std::string_view column,
                                              std::string_view file, bool is_header, std::string* notice);

}  // namespace towpath
