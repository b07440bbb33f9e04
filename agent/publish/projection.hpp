// What an audience may have of each dataset: which fields, of which pupils, how far back.
//
// In: an agreement's grants, the fields left out, scope and retention (a Specification), and the state of
// each pupil. Out: of a whole row, the part that goes, or nothing. A dataset goes if any field beside its
// key is granted (or it has none, and its key is). A field without a grant, or whose grant the audience
// lacks, is gone here: nothing downstream ever sees it. Derived fields are computed here, for those who
// may not have what they derive from.
// A Specification can be kept as text, so that the next publish knows what the last one went by.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/publish/scope.hpp"
#include "dictionary/dictionary.hpp"
#include "domain/derived.hpp"
#include "rows/value.hpp"
#include "segment/content.hpp"
#include "segment/digest.hpp"
#include "segment/segment.hpp"

namespace towpath {

struct Audience {
  std::string name;                       // "borough"
  std::vector<std::string> grants;        // empty: every grant the dictionary names
  std::vector<std::string> without = {};  // "pupil.UPN": fields of these grants that do not go
  Scope scope = {};
  std::map<std::string, int> retention_years = {};  // dataset -> academic years, where fewer than usual
  SegmentSigner signer = {};                        // for streams that others pass on
};

struct DatasetSpec {
  std::uint16_t id = 0;
  std::vector<std::uint8_t> fields;  // wire ids, key first, in the dictionary's order
  // The key is not granted by itself: a row goes only where something beside it is said.
  bool beside_key = false;
  std::optional<int> years;            // retention, and the first day that it leaves today
  std::optional<std::int32_t> cutoff;  // days since 1970-01-01; rows of before do not go
  // `entity` only: of which datasets; none: of all.
  std::optional<std::vector<std::uint16_t>> kinds;
  // `entity` only: what is about one pupil (a suspension) is introduced where its own row goes, else always.
  bool with_row = false;

  friend bool operator==(const DatasetSpec&, const DatasetSpec&) = default;
};

struct Specification {
  // Kind, year groups, and years after leaving, as the agreement has them.
  std::string scope;
  bool listed = false;                // PupilStates::listed
  std::vector<DatasetSpec> datasets;  // ascending by id

  [[nodiscard]] std::string text() const;
  // None where it is of no version that this program knows. What earlier programs kept (everyone, every
  // entity, no retention) is read, too.
  [[nodiscard]] static std::optional<Specification> parse(std::string_view text);
  [[nodiscard]] const DatasetSpec* find(std::uint16_t id) const;
  friend bool operator==(const Specification&, const Specification&) = default;
};
[[nodiscard]] Specification specify(const Dictionary& dictionary, const Audience& audience);
// As the audience's agreement or else the dictionary says; none: for ever.
[[nodiscard]] std::optional<int> leaver_years(const Dictionary& dictionary, const Audience& audience);

class ProjectedDataset {
 public:
  // Fields of `spec` that the dictionary does not know make known() false.
  ProjectedDataset(const Dictionary& dictionary, const Dataset& dataset, const DatasetSpec& spec);

  [[nodiscard]] const Dataset& dataset() const { return *dataset_; }
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] const DatasetSpec& spec() const { return spec_; }
  [[nodiscard]] std::span<const WireField> fields() const { return fields_; }
  [[nodiscard]] std::span<const std::size_t> positions() const { return positions_; }
  [[nodiscard]] bool has(std::size_t position) const { return has_[position]; }
  // The part of a whole row that goes, or false where the row does not. Views into `row`. One cell for
  // each of `positions` (key first); null for those that this projection does not have.
  [[nodiscard]] bool project(RowView row, const PupilStates& states, std::span<const std::size_t> positions,
                             std::span<Value> out) const;
  [[nodiscard]] bool project(RowView row, const PupilStates& states, std::span<Value> out) const {
    return project(row, states, positions_, out);
  }
  // A row of `entity` that goes because that entity's own row does, and for no other reason.
  [[nodiscard]] bool goes_with_own_row(RowView row) const;
  // Whether retention alone keeps it back.
  [[nodiscard]] bool too_old(RowView row) const;
  // Of the pupils that it speaks of, the one of whom least may be had.
  [[nodiscard]] PupilState state(RowView row, const PupilStates& states) const;
  [[nodiscard]] PupilState by_rule(RowView row, const PupilStates& states) const;
  [[nodiscard]] Hash256 hash(RowView projected) { return hasher_(projected); }

 private:
  template <class Of>
  PupilState least(RowView row, Of of) const;

  const Dataset* dataset_;
  DatasetSpec spec_;
  std::vector<std::size_t> positions_;  // in the dataset's fields, key first
  std::vector<bool> has_;               // by position
  std::vector<WireField> fields_;
  DerivedFields derived_;
  std::vector<std::size_t> pupils_;   // positions that name a pupil
  std::vector<std::size_t> anybody_;  // positions that may name a pupil or somebody else
  std::optional<std::size_t> kind_;   // `entity`: where the kind stands
  std::uint16_t pupil_kind_ = 0;
  std::vector<std::uint16_t> about_pupils_;  // kinds that go with their own row
  std::optional<std::size_t> date_;          // of the cutoff
  bool known_ = true;
  RowHasher hasher_;
};

// The positions at which a dataset's rows name a pupil, for SQL and for walking only their rows.
[[nodiscard]] std::vector<std::size_t> pupil_positions(const Dataset& dataset);

// Its entities are about one pupil each, and no pupils: suspensions.
[[nodiscard]] bool is_about_pupil(const Dataset& dataset);

// Ascending by wire id. None where the dictionary lacks something that the specification names.
[[nodiscard]] std::optional<std::vector<ProjectedDataset>> project_by(const Dictionary& dictionary,
                                                                      const Specification& spec);
// Of everyone, for ever. No grants named: every grant that the dictionary has.
[[nodiscard]] std::vector<ProjectedDataset> project_dictionary(const Dictionary& dictionary,
                                                               const std::vector<std::string>& grants,
                                                               const std::vector<std::string>& without = {});

}  // namespace towpath
