#include "domain/derived.hpp"

#include "domain/attendance.hpp"

namespace towpath {

DerivedFields::DerivedFields(const Dictionary& dictionary, const Dataset& dataset) : dataset_(&dataset) {
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Rule which = rule(i);
    if (which == Rule::kNone) continue;
    const auto origin = dataset.position(dataset.fields[i].derived_from);
    const auto beside = dataset.position(which == Rule::kCategory ? "date" : "LanguageType");
    if (!origin || !beside) continue;
    origin_ = *origin;
    beside_ = *beside;
    set_ = dictionary.codeset(dataset.fields[*origin].codeset);
  }
}

DerivedFields::Rule DerivedFields::rule(std::size_t position) const {
  const Field& field = dataset_->fields[position];
  if (!field.derived()) return Rule::kNone;
  if (dataset_->name == "session_mark" && field.name == "category") return Rule::kCategory;
  if (dataset_->name == "language" && field.name == "EAL") return Rule::kEal;
  return Rule::kNone;  // a newer dictionary's: not ours to say
}

std::vector<std::size_t> DerivedFields::origins(std::size_t position) const {
  if (rule(position) == Rule::kNone || set_ == nullptr) return {};
  return {origin_, beside_};
}

Value DerivedFields::value(std::size_t position, RowView row) const {
  if (set_ == nullptr) return {};
  switch (rule(position)) {
    case Rule::kCategory:
      return category(row);
    case Rule::kEal:
      return eal(row);
    case Rule::kNone:
      break;
  }
  return {};
}

Value DerivedFields::category(RowView row) const {
  const Value& code = row[origin_];
  const Value& day = row[beside_];
  if (day.is_null() || day.as_int() < INT32_MIN || day.as_int() > INT32_MAX) return {};
  const auto found = AttendanceCodes(*set_).category(code.is_null() ? std::string_view{} : code.as_text(),
                                                     Date{static_cast<std::int32_t>(day.as_int())});
  if (!found) return {};
  return Value{static_cast<std::int64_t>(*found)};  // the field's values are in the order of the categories
}

Value DerivedFields::eal(RowView row) const {
  constexpr std::int64_t kFirst = 0;  // LanguageType F
  if (row[beside_].is_null() || row[beside_].as_int() != kFirst || row[origin_].is_null()) return {};
  const CodeEntry* entry = set_->find(row[origin_].as_text(), std::nullopt);
  if (entry == nullptr) return {};
  if (entry->category == "english") return Value{std::int64_t{0}};
  if (entry->category == "eal") return Value{std::int64_t{1}};
  return {};
}

}  // namespace towpath
