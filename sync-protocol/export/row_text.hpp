// One row of a dataset as text: a CSV line (RFC 4180) or an NDJSON object.
//
// In: a row, and the UUIDs of its school's entities. Out: bytes. Values are given exactly as the
// school sent them: dates as ISO, enums by name, truth as true/false, entities as number and
// UUID; a session mark also with its category and the code set that says so. Used by rows_out.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.hpp"
#include "dictionary/dictionary.hpp"
#include "domain/derived.hpp"
#include "rows/value.hpp"

namespace towpath {

enum class ExportFormat : std::uint8_t { kCsv, kNdjson };

// Number -> UUID, of one school. Filled in ascending order.
class EntityNames {
 public:
  void add(std::int64_t number, const Uuid& uuid) { names_.push_back({number, uuid}); }
  [[nodiscard]] const Uuid* find(std::int64_t number) const;

 private:
  struct Name {
    std::int64_t number;
    Uuid uuid;
  };
  std::vector<Name> names_;
};

class RowText {
 public:
  RowText(const Dictionary& dictionary, const Dataset& dataset, ExportFormat format);

  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  void header(std::string& out) const;  // nothing for NDJSON
  void row(const std::string& urn, RowView row, const EntityNames& names, std::string& out);

 private:
  enum class Kind : std::uint8_t { kNull, kText, kPlain };  // plain: no quotes in JSON
  void cell(Kind kind, std::string_view text, std::string& out);
  void value(const Field& field, const Value& value, std::string& out);
  void code_set(RowView row, std::string& out);

  const Dictionary& dictionary_;
  const Dataset& dataset_;
  const DerivedFields derived_;
  const ExportFormat format_;
  std::vector<std::string> columns_, keys_;  // keys_: "name": as JSON
  std::size_t at_ = 0;
  // session_mark only: where its code and date stand.
  std::optional<std::size_t> code_, date_;
};

}  // namespace towpath
