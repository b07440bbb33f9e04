// The dictionary as its files declare it, on its way to C++ tables and to the page.
//
// In: the folder config/ (dictionary.toml, promises.toml, datasets/, codesets/, dictionary.lock).
// Out: a Model that holds no contradiction, or every fault found, each with file and line; from a
// Model, the source of tp_dictionary's tables, the page docs/data-dictionary.md and the lock.
// Runs when towpath is built, never in a school: nothing here is linked into the programs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/date.hpp"

namespace towpath::generator {

struct Place {
  std::string file;  // as seen from config/: "datasets/pupil.toml"
  unsigned line = 0;
};

struct Fault {
  Place place;
  std::string what;
};
// "datasets/pupil.toml:12: what"
[[nodiscard]] std::string to_string(const Fault& fault);

struct GrantModel {
  std::string name, title;
  std::vector<std::string> to;
  bool named_role = false;
  Place place;
};

struct FieldModel {
  int id = 0;
  std::string name, cbds;
  std::string type;  // as in TOML; "raw_code" for the companion of a code
  std::string sensitivity;
  bool required = false;
  int max_chars = 0;
  std::string grant;
  std::string codeset, codeset_date;
  std::vector<std::string> ref;
  std::vector<std::string> values;
  std::string derived_from;
  bool protect = false;
  std::string note;
  Place place;
};

struct DatasetModel {
  int id = 0;
  std::string name, title, note;
  std::vector<std::string> key;
  bool entity = false;
  std::optional<int> retention_years;
  std::string retention_date;
  std::vector<FieldModel> fields;
  Place place;
};

struct CodeModel {
  std::string code, label, category;
  std::vector<std::string> from;
  Place place;
};
struct CodeSetVersionModel {
  std::string name;
  std::optional<Date> from, to;
  std::vector<CodeModel> codes;
  Place place;
};
struct CategoryModel {
  std::string code, title;
};
struct CodeSetModel {
  std::string name, title, note;
  std::vector<CategoryModel> categories;
  std::vector<CodeSetVersionModel> versions;
  Place place;
};

struct PromiseModel {
  std::string code, title;
  Place place;
};

struct Model {
  int version = 0;
  std::vector<GrantModel> grants;
  std::vector<DatasetModel> datasets;  // by wire id
  std::vector<CodeSetModel> codesets;  // by name; "promise" is made of promises.toml
  std::vector<PromiseModel> promises;
};

// Reads every file; what cannot be understood becomes a fault. The Model is usable only if
// `faults` stays empty after check() too.
[[nodiscard]] Model load(const std::filesystem::path& config, std::vector<Fault>& faults);

// Contradictions inside the model: ids used twice, references to nothing, versions that overlap.
void check(const Model& model, std::vector<Fault>& faults);

// One line for each wire id ever used, with what it means (key, type, values). Sorted.
[[nodiscard]] std::vector<std::string> lock_lines(const Model& model);

// Compares with the lock. An id that changed its meaning is a fault, and so is a new one under the
// version that the lock has. Lines that the lock lacks come back: it must be written anew.
[[nodiscard]] std::vector<std::string> check_lock(const Model& model, const std::filesystem::path& lock,
                                                  std::vector<Fault>& faults);
// The lock's new text: what it had, and what is new.
[[nodiscard]] std::string merged_lock(const Model& model, const std::filesystem::path& lock);

// The tables that tp_dictionary is compiled from.
[[nodiscard]] std::string cpp_source(const Model& model);
// docs/data-dictionary.md
[[nodiscard]] std::string markdown(const Model& model);

}  // namespace towpath::generator
