// Pupils that were erased: what the sources still say about them is dropped as it comes.
//
// Their numbers stay (a number is never given to somebody else), and, for sources that name pupils by an
// attribute, pseudonyms under the audit log's secret; nothing else of them does.
// Written by agent/sharing, asked by agent/intake for each row, if anybody was erased at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "agent/store/store.hpp"
#include "audit/audit.hpp"
#include "core/result.hpp"

namespace towpath {

class ErasedPupils {
 public:
  [[nodiscard]] static Result<ErasedPupils> open(Store& store);
  [[nodiscard]] bool any() const { return !numbers_.empty(); }
  [[nodiscard]] bool contains(std::int64_t pupil) const { return numbers_.contains(pupil); }
  // By what a source calls it: "UPN".
  [[nodiscard]] Result<bool> contains(std::string_view attribute, std::string_view value) const;

 private:
  explicit ErasedPupils(Store& store) : store_(&store) {}
  Store* store_;
  std::unordered_set<std::int64_t> numbers_;
  std::unordered_set<std::string> names_;
};

// Fields of this dataset that name a pupil: its own number, or references to one.
[[nodiscard]] std::vector<std::size_t> pupil_fields(const Dataset& dataset);
// How a pupil is known after its rows are gone: its pseudonym under an attribute, as erased_name has it.
[[nodiscard]] Result<std::string> erased_name(Audit& audit, std::string_view attribute,
                                              std::string_view value);

}  // namespace towpath
