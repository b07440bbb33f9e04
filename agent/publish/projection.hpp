// What an audience may have of each dataset: the key, and the fields whose grant it has.
//
// A dataset goes if any field beside its key is granted (or it has none, and its key is).
// A field without a grant, or whose grant the audience lacks, is gone here: nothing
// downstream ever sees it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dictionary/dictionary.hpp"
#include "rows/value.hpp"
#include "segment/content.hpp"
#include "segment/digest.hpp"

namespace towpath {

class ProjectedDataset {
 public:
  ProjectedDataset(const Dataset& dataset, std::vector<std::size_t> positions);

  [[nodiscard]] const Dataset& dataset() const { return *dataset_; }
  [[nodiscard]] std::span<const WireField> fields() const { return fields_; }
  // The part of a whole row that goes; views into `row`.
  void project(RowView row, std::span<Value> out) const;
  [[nodiscard]] Hash256 hash(RowView projected) { return hasher_(projected); }
  // "SELECT columns FROM table".
  [[nodiscard]] std::string select() const;

 private:
  const Dataset* dataset_;
  std::vector<std::size_t> positions_;  // in the dataset's fields, key first
  std::vector<WireField> fields_;
  RowHasher hasher_;
};

// Ascending by wire id. No grants named: every grant that the dictionary has.
[[nodiscard]] std::vector<ProjectedDataset> project_dictionary(const Dictionary& dictionary,
                                                               const std::vector<std::string>& grants);

}  // namespace towpath
