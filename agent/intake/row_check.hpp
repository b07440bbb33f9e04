// From an adapter's cells to a row of the dictionary: types, required fields, code sets,
// references. What does not pass is a Problem, and the row goes to quarantine; what is odd
// but usable is counted (unknown codes), and the row is taken.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "agent/store/identities.hpp"
#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "rows/value.hpp"

namespace towpath {

// Dates outside are typing errors: nobody at a school was born before, no plan reaches beyond.
inline constexpr Date kDateMin{-25567};  // 1900-01-01
inline constexpr Date kDateMax{47846};   // 2100-12-31
// The dearest trip in pence and the longest activity in minutes lie far below.
inline constexpr std::int64_t kIntMax = 1'000'000'000;

// Turns what sources call things into numbers. One a run.
class References {
 public:
  References(Store& store, Identities& identities, std::string space)
      : store_(store), identities_(identities), space_(std::move(space)) {}
  // None if nothing has ever had that id; several if an attribute fits more than one.
  struct Answer {
    std::optional<std::int64_t> number;
    bool several = false;
  };
  [[nodiscard]] Result<Answer> find(const Field& field, const SourceRef& ref);
  // Of all that a reference by an attribute is looked up in.
  [[nodiscard]] Result<Fingerprint> matched(const Field& field, std::string_view by,
                                            std::string_view dataset);
  [[nodiscard]] Identities& identities() { return identities_; }
  // The id space that a reference means.
  [[nodiscard]] std::string_view space(const SourceRef& ref) const {
    return ref.source.empty() ? std::string_view(space_) : ref.source;
  }
  // Rows of `dataset` have changed: attributes are read again.
  void forget(const Dataset& dataset);

 private:
  struct Attribute {
    std::uint16_t dataset;
    std::string field;
    std::unordered_map<std::string, std::int64_t> numbers;  // -1: several
  };
  Result<Attribute*> attribute(const Dataset& dataset, std::string_view field);
  Store& store_;
  Identities& identities_;
  std::string space_;
  std::vector<std::unique_ptr<Attribute>> attributes_;
};

// Odd values met in a run: (rule, code set or field) -> times.
struct Oddities {
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
  void add(std::string_view rule, std::string_view what) { ++counts[{std::string(rule), std::string(what)}]; }
};

class RowCheck {
 public:
  RowCheck(const Dataset& dataset, const Dictionary& dictionary, References& references, Oddities& oddities);

  // Fills `row` but for its own number, which is given once the row is good: own() says by
  // which id. The values view into the cells and this object; valid until the next call.
  [[nodiscard]] Result<std::optional<Problem>> check(std::span<const InCell> cells, std::span<Value> row);
  [[nodiscard]] const SourceRef& own() const { return own_; }
  // After a problem: whether the key came out all the same (but for the row's own number).
  [[nodiscard]] bool key_known() const { return key_known_; }

 private:
  struct CodeHit {
    const CodeSetVersion* version;
    std::string raw;
    std::string_view canonical;  // in the dictionary
    std::string_view odd;        // the rule to count it under; empty if it is known
  };
  std::optional<Problem> code(std::size_t at, const InCell& cell, std::span<Value> row,
                              std::optional<Date> day);

  const Dataset& dataset_;
  References& references_;
  Oddities& oddities_;
  SourceRef own_;
  bool key_known_ = false;
  std::vector<const CodeSet*> sets_;        // by field position
  std::vector<int> day_of_;                 // by field position: where its date stands, or -1
  std::vector<std::vector<CodeHit>> hits_;  // by field position: codes met, most frequent few
};

[[nodiscard]] bool valid_utf8(std::string_view text);

}  // namespace towpath
