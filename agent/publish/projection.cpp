#include "agent/publish/projection.hpp"

#include <algorithm>

#include "sqlite/table.hpp"

namespace towpath {
namespace {

std::vector<std::uint8_t> ids(const Dataset& dataset, const std::vector<std::size_t>& positions) {
  std::vector<std::uint8_t> out;
  for (const std::size_t p : positions) out.push_back(dataset.fields[p].id);
  return out;
}

}  // namespace

ProjectedDataset::ProjectedDataset(const Dataset& dataset, std::vector<std::size_t> positions)
    : dataset_(&dataset), positions_(std::move(positions)), hasher_(dataset.id, ids(dataset, positions_)) {
  for (const std::size_t p : positions_)
    fields_.push_back({dataset.fields[p].id, is_text(dataset.fields[p].type)});
}

void ProjectedDataset::project(RowView row, std::span<Value> out) const {
  for (std::size_t i = 0; i < positions_.size(); ++i) out[i] = row[positions_[i]];
}

std::string ProjectedDataset::select() const {
  std::string columns;
  for (const std::size_t p : positions_)
    columns += (columns.empty() ? "" : ",") + column_name(dataset_->fields[p]);
  return "SELECT " + columns + " FROM " + table_name(*dataset_);
}

std::vector<ProjectedDataset> project_dictionary(const Dictionary& dictionary,
                                                 const std::vector<std::string>& grants) {
  const auto granted = [&](const Field& field) {
    if (field.grant.empty() || field.derived()) return false;  // local: never leaves
    return grants.empty() || std::find(grants.begin(), grants.end(), field.grant) != grants.end();
  };
  std::vector<ProjectedDataset> out;
  for (const Dataset& dataset : dictionary.datasets) {
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < dataset.key_count; ++i) positions.push_back(i);
    for (std::size_t i = dataset.key_count; i < dataset.fields.size(); ++i)
      if (granted(dataset.fields[i])) positions.push_back(i);
    const bool keys_only = dataset.fields.size() == dataset.key_count;
    if (positions.size() > dataset.key_count || (keys_only && granted(dataset.fields[0])))
      out.emplace_back(dataset, std::move(positions));
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.dataset().id < b.dataset().id; });
  return out;
}

}  // namespace towpath
