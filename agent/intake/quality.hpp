// The quality rules of the domain sheet (8.9) that one school can check by itself.
//
// A rule that blocks (Q06) answers with a Problem; the others are counted and told as
// warnings, without personal data: rule, sentence, how many. Rules about single rows look
// at rows that are new or changed in this run; rules about the whole look at the tables.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "agent/intake/intake.hpp"
#include "agent/store/store.hpp"
#include "rows/value.hpp"

namespace towpath {

class Quality {
 public:
  Quality(const Dictionary& dictionary, Date today);

  // The run reads this dataset: the rules about it are asked at the end, and no others.
  void reads(const Dataset& dataset) { read_.insert(dataset.name); }
  // A new or changed row. A problem sends it to quarantine.
  [[nodiscard]] std::optional<Problem> row(const Dataset& dataset, RowView row);
  // After the last row, inside the run's transaction.
  [[nodiscard]] Result<std::vector<Warning>> finish(Store& store);

 private:
  // Where the fields that the rules read stand; -1 where this dictionary has none.
  struct Marks {
    const Dataset* dataset = nullptr;
    int date = -1, session = -1, pupil = -1, code = -1, raw = -1;
  } marks_;
  struct Spell {
    const Dataset* dataset = nullptr;
    int start = -1, end = -1;
  };
  std::vector<Spell> spells_;
  struct MarkDays {
    std::int32_t first, last;
  };
  Date today_;
  const Dictionary* dictionary_;
  std::set<std::string_view> read_;
  std::set<std::int32_t> days_marked_;
  std::int32_t last_day_ = INT32_MIN;
  std::unordered_map<std::int64_t, MarkDays> pupils_marked_;
  std::uint64_t slash_wrong_ = 0;
};

}  // namespace towpath
