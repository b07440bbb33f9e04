#include "agent/store/erased.hpp"

#include "core/ascii.hpp"

namespace towpath {

Result<ErasedPupils> ErasedPupils::open(Store& store) {
  ErasedPupils out(store);
  TP_TRY(store.db().each("SELECT pupil FROM pupil_rule WHERE erased<>0",
                         [&](Statement::Use& row) { out.numbers_.insert(row.integer(0)); }));
  TP_TRY(store.db().each("SELECT name FROM erased_name",
                         [&](Statement::Use& row) { out.names_.emplace(row.text(0)); }));
  return out;
}

Result<bool> ErasedPupils::contains(std::string_view attribute, std::string_view value) const {
  if (names_.empty()) return false;
  Audit audit(store_->db());
  const auto name = erased_name(audit, attribute, value);
  if (!name) return fail(name.error());
  return names_.contains(*name);
}

std::vector<std::size_t> pupil_fields(const Dataset& dataset) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    if (field.type == Type::kEntity && dataset.name == "pupil") out.push_back(i);
    if (field.type == Type::kRef && (',' + std::string(field.ref) + ',').find(",pupil,") != std::string::npos)
      out.push_back(i);
  }
  return out;
}

Result<std::string> erased_name(Audit& audit, std::string_view attribute, std::string_view value) {
  return audit.pseudonym(Uuid::named(kTowpathSpace, std::string(attribute) + " " + lower(value)));
}

}  // namespace towpath
