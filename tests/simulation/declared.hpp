// What the documents say of datasets, fields, codes and grants, read from config/ by this program itself.
//
// In: config/datasets/*.toml, config/codesets/*.toml, config/promises.toml as they lie in the source tree.
// Out: which fields there are, what may stand in them, and under which grant they may leave. Nothing of the
// product is asked: neither its generator nor what it compiled in, so that a mistake in either is a
// difference between what a school holds and what the model says (model.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace towpath::sim {

// --- dates: days since 1970-01-01, by the proleptic Gregorian calendar ---------------------------
[[nodiscard]] int days_of(int year, int month, int day);
[[nodiscard]] std::string iso(int days);
// YYYY-MM-DD of a day that there is.
[[nodiscard]] std::optional<int> days_from_iso(std::string_view text);

// UTF-8 without NUL, as RFC 3629 has it: the number of its characters; none if it is not that.
[[nodiscard]] std::optional<std::size_t> characters(std::string_view text);

// --- declarations --------------------------------------------------------------------------------
enum class Form : std::uint8_t {
  kEntity,
  kRef,
  kInt,
  kBool,
  kDate,
  kInstant,
  kEnum,
  kCode,
  kRaw,
  kText,
  kUuid
};

struct DeclaredField {
  unsigned id = 0;
  std::string name;
  Form form = Form::kText;
  bool required = false;
  std::size_t max_chars = 0;
  std::string grant;  // empty: never leaves
  std::string codeset, codeset_date;
  std::vector<std::string> values;  // of an enum
  std::vector<std::string> refs;    // datasets that it may point at
  std::string derived_from;         // no source fills it, no store holds it
};

struct DeclaredDataset {
  unsigned id = 0;
  std::string name;
  std::size_t key_count = 0;
  bool entity = false;
  std::vector<DeclaredField> fields;  // the key's first; each code's raw companion right after it
  // Throws where there is none of that name.
  [[nodiscard]] std::size_t position(std::string_view field) const;
  [[nodiscard]] bool has(std::string_view field) const;
};

class Declared {
 public:
  // `config`: the folder.
  explicit Declared(const std::string& config);
  // Of the tree that this program was built from, read once.
  [[nodiscard]] static const Declared& here();
  // What a program of the dictionary's version knows: this one's, or the one before, as the simulation has
  // it: a dataset less, a text, a date and a code.
  [[nodiscard]] static const Declared& of(unsigned version);
  [[nodiscard]] unsigned version() const { return version_; }

  // `entity` first, then by id.
  [[nodiscard]] const std::vector<DeclaredDataset>& datasets() const { return datasets_; }
  // Null where there is none.
  [[nodiscard]] const DeclaredDataset* find(std::string_view name) const;
  [[nodiscard]] const DeclaredDataset& dataset(std::string_view name) const;
  // The code that `raw` means on that day (none: the newest version); none if no code does.
  [[nodiscard]] std::optional<std::string> code(const std::string& set, const std::string& raw,
                                                std::optional<int> day) const;
  // The category of a canonical code on that day; none where it has none, or is none.
  [[nodiscard]] std::optional<std::string> category(const std::string& set, const std::string& code,
                                                    std::optional<int> day) const;
  // All that a field names, sorted.
  [[nodiscard]] const std::vector<std::string>& grants() const { return grants_; }

 private:
  struct Version {
    std::optional<int> from, to;
    std::map<std::string, std::string> exact;   // code -> code
    std::map<std::string, std::string> folded;  // spelling -> the first code that has it
    std::map<std::string, std::string> category;
  };
  unsigned version_ = 0;
  std::vector<DeclaredDataset> datasets_;
  [[nodiscard]] const Version* version_on(const std::string& set, std::optional<int> day) const;
  std::map<std::string, std::vector<Version>> sets_;  // oldest first
  std::vector<std::string> grants_;
};

}  // namespace towpath::sim
