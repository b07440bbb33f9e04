// Derived fields: what may be said of a row to those who may not have what it is said from.
//
// In: a whole row of a dataset, as the school holds it. Out: the category of a mark from its code and
// date; whether English is an additional language from the first language. Stores keep these fields
// null, so that an origin and what follows from it cannot disagree; the projection of a school and the
// export of a hub that has the origin compute them. Constant, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dictionary/dictionary.hpp"
#include "rows/value.hpp"

namespace towpath {

// The derived fields of one dataset, looked up once.
class DerivedFields {
 public:
  DerivedFields(const Dictionary& dictionary, const Dataset& dataset);

  // Of the field at `position`, from the whole row; null where the row does not say. The value is an
  // integer (enum or bool): it views into nothing.
  [[nodiscard]] Value value(std::size_t position, RowView row) const;
  // The fields that it looks at, by position, its origin first; empty if the field is not derived.
  [[nodiscard]] std::vector<std::size_t> origins(std::size_t position) const;

 private:
  enum class Rule : std::uint8_t { kNone, kCategory, kEal };
  [[nodiscard]] Rule rule(std::size_t position) const;
  [[nodiscard]] Value category(RowView row) const;
  [[nodiscard]] Value eal(RowView row) const;

  const Dataset* dataset_;
  const CodeSet* set_ = nullptr;         // of the origin
  std::size_t origin_ = 0, beside_ = 0;  // the code and the field that it is read with: date, LanguageType
};

}  // namespace towpath
