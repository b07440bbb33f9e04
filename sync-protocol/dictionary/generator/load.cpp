// The only file that sees toml++.
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>

#include "dictionary/generator/model.hpp"

namespace towpath::generator {
namespace {

namespace fs = std::filesystem;

// Reads keys of one table, and complains of what it was not asked for.
class Reader {
 public:
  Reader(const toml::table& table, std::string file, unsigned line, std::vector<Fault>& faults)
      : table_(table), file_(std::move(file)), line_(line), faults_(faults) {}

  [[nodiscard]] Place place() const { return {file_, line_}; }

  std::string text(std::string_view key, bool needed = true) {
    const toml::node* node = get(key, needed, "text");
    if (node == nullptr) return {};
    const auto value = node->value_exact<std::string>();
    if (!value) return wrong<std::string>(*node, key, "text");
    if (needed && value->empty()) return wrong<std::string>(*node, key, "text that is not empty");
    return *value;
  }
  int number(std::string_view key, int low, int high, bool needed = true) {
    const toml::node* node = get(key, needed, "a number");
    if (node == nullptr) return 0;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < low || *value > high)
      return wrong<int>(*node, key,
                        "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return static_cast<int>(*value);
  }
  bool flag(std::string_view key) {
    const toml::node* node = get(key, false, "true or false");
    if (node == nullptr) return false;
    const auto value = node->value_exact<bool>();
    return value ? *value : wrong<bool>(*node, key, "true or false");
  }
  std::optional<Date> date(std::string_view key) {
    const toml::node* node = get(key, false, "a date");
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<toml::date>();
    if (!value) return wrong<std::optional<Date>>(*node, key, "a date such as 2024-08-19");
    return Date::from_ymd(value->year, value->month, value->day);
  }
  std::vector<std::string> texts(std::string_view key, bool needed = false) {
    std::vector<std::string> out;
    const toml::node* node = get(key, needed, "a list of texts");
    if (node == nullptr) return out;
    const toml::array* array = node->as_array();
    if (array == nullptr) return wrong<std::vector<std::string>>(*node, key, "a list of texts");
    for (const toml::node& item : *array) {
      const auto value = item.value_exact<std::string>();
      if (!value || value->empty())
        return wrong<std::vector<std::string>>(item, key, "a list of texts that are not empty");
      out.push_back(*value);
    }
    return out;
  }
  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  // Each table of a list of tables.
  template <class Use>
  void each(std::string_view key, bool needed, Use use) {
    const toml::node* node = get(key, needed, "a list of tables");
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) return (void)wrong<int>(*node, key, "a list of tables");
    for (const toml::node& item : *array) {
      const toml::table* table = item.as_table();
      if (table == nullptr) {
        (void)wrong<int>(item, key, "a list of tables");
        continue;
      }
      Reader reader(*table, file_, item.source().begin.line, faults_);
      use(reader);
      reader.done();
    }
  }
  // Call when all has been asked for.
  void done() {
    for (const auto& [key, node] : table_)
      if (std::find(asked_.begin(), asked_.end(), key.str()) == asked_.end())
        faults_.push_back({{file_, node.source().begin.line},
                           "'" + std::string(key.str()) + "' is not a key that belongs here"});
  }

 private:
  const toml::node* get(std::string_view key, bool needed, std::string_view wanted) {
    asked_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr && needed)
      faults_.push_back(
          {place(), "'" + std::string(key) + "' is missing; it has to be " + std::string(wanted)});
    return node;
  }
  template <class T>
  T wrong(const toml::node& node, std::string_view key, std::string_view wanted) {
    faults_.push_back(
        {{file_, node.source().begin.line}, "'" + std::string(key) + "' has to be " + std::string(wanted)});
    return T{};
  }

  const toml::table& table_;
  std::string file_;
  unsigned line_;
  std::vector<Fault>& faults_;
  std::vector<std::string> asked_;
};

// One file; `use` gets its root table.
template <class Use>
void read_file(const fs::path& config, const std::string& name, std::vector<Fault>& faults, Use use) {
  if (!fs::is_regular_file(config / name)) {
    faults.push_back({{name, 0}, "there is no such file in " + config.string()});
    return;
  }
  toml::table root;
  try {
    root = toml::parse_file((config / name).string());
  } catch (const toml::parse_error& error) {
    faults.push_back({{name, error.source().begin.line}, "not TOML: " + std::string(error.description())});
    return;
  }
  Reader reader(root, name, 1, faults);
  use(reader);
  reader.done();
}

std::vector<std::string> toml_files(const fs::path& config, const std::string& folder,
                                    std::vector<Fault>& faults) {
  std::vector<std::string> names;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(config / folder, gone))
    if (entry.path().extension() == ".toml") names.push_back(folder + "/" + entry.path().filename().string());
  if (names.empty()) faults.push_back({{folder, 0}, "this folder holds no .toml file"});
  std::sort(names.begin(), names.end());
  return names;
}

void require_own_name(const std::string& name, const Place& place, std::vector<Fault>& faults) {
  if (fs::path(place.file).stem().string() != name)
    faults.push_back({place, "name is '" + name + "', but the file is called " + place.file});
}

void read_field(Reader& in, DatasetModel& dataset, std::vector<Fault>& faults) {
  FieldModel field;
  field.place = in.place();
  field.id = in.number("id", 1, 255);  // a byte on the wire
  field.name = in.text("name");
  field.cbds = in.text("cbds", false);
  field.type = in.text("type");
  field.sensitivity = in.text("class");
  field.required = in.flag("required");
  field.grant = in.text("grant", false);
  field.note = in.text("note");
  field.max_chars = in.number("max_chars", 1, 4000, field.type == "text");
  field.ref = in.texts("ref", field.type == "ref");
  field.values = in.texts("values", field.type == "enum");
  field.codeset = in.text("codeset", field.type == "code");
  field.codeset_date = in.text("codeset_date", false);
  field.derived_from = in.text("derived_from", false);
  field.protect = in.flag("protect");
  const int raw_id = in.number("raw_id", 1, 255, field.type == "code");
  const std::string raw_grant = in.text("raw_grant", false);

  const auto only = [&](bool present, std::string_view key, std::string_view type) {
    if (present && field.type != type)
      faults.push_back({field.place, "field '" + field.name + "': '" + std::string(key) + "' is for type \"" +
                                         std::string(type) + "\" only"});
  };
  only(field.max_chars != 0, "max_chars", "text");
  only(!field.ref.empty(), "ref", "ref");
  only(!field.values.empty(), "values", "enum");
  only(!field.codeset.empty(), "codeset", "code");
  only(!field.codeset_date.empty(), "codeset_date", "code");
  only(raw_id != 0, "raw_id", "code");
  only(!raw_grant.empty(), "raw_grant", "code");

  const bool code = field.type == "code";
  FieldModel raw = field;
  dataset.fields.push_back(std::move(field));
  if (!code) return;
  raw.id = raw_id;
  raw.note = "The code as received, where it is not the canonical one.";
  raw.name += "_raw";
  raw.cbds.clear();
  raw.type = "raw_code";
  raw.required = false;
  raw.grant = raw_grant;
  dataset.fields.push_back(std::move(raw));
}

CodeModel read_code(Reader& in) {
  CodeModel code;
  code.place = in.place();
  code.code = in.text("code");
  code.label = in.text("label");
  code.category = in.text("category", false);
  code.from = in.texts("from");
  return code;
}

}  // namespace

std::string to_string(const Fault& fault) {
  std::string out = fault.place.file;
  if (fault.place.line != 0) out += ":" + std::to_string(fault.place.line);
  return out + ": " + fault.what;
}

Model load(const fs::path& config, std::vector<Fault>& faults) {
  Model model;
  read_file(config, "dictionary.toml", faults, [&](Reader& in) {
    model.version = in.number("version", 1, 1'000'000);
    in.each("grant", true, [&](Reader& grant) {
      GrantModel g;
      g.place = grant.place();
      g.name = grant.text("name");
      g.title = grant.text("title");
      g.to = grant.texts("to", true);
      g.named_role = grant.flag("named_role");
      model.grants.push_back(std::move(g));
    });
  });
  for (const std::string& name : toml_files(config, "datasets", faults))
    read_file(config, name, faults, [&](Reader& in) {
      DatasetModel dataset;
      dataset.place = in.place();
      dataset.id = in.number("id", 1, 65535);
      dataset.name = in.text("name");
      dataset.title = in.text("title");
      dataset.note = in.text("note");
      dataset.key = in.texts("key", true);
      dataset.entity = in.flag("entity");
      if (in.has("retention_years")) dataset.retention_years = in.number("retention_years", 0, 30);
      dataset.retention_date = in.text("retention_date", false);
      in.each("field", true, [&](Reader& field) { read_field(field, dataset, faults); });
      require_own_name(dataset.name, dataset.place, faults);
      model.datasets.push_back(std::move(dataset));
    });
  for (const std::string& name : toml_files(config, "codesets", faults))
    read_file(config, name, faults, [&](Reader& in) {
      CodeSetModel set;
      set.place = in.place();
      set.name = in.text("name");
      set.title = in.text("title");
      set.note = in.text("note", false);
      in.each("category", false, [&](Reader& category) {
        set.categories.push_back({category.text("code"), category.text("title")});
      });
      in.each("version", true, [&](Reader& version) {
        CodeSetVersionModel v;
        v.place = version.place();
        v.name = version.text("name");
        v.from = version.date("from");
        v.to = version.date("to");
        version.each("codes", true, [&](Reader& code) { v.codes.push_back(read_code(code)); });
        set.versions.push_back(std::move(v));
      });
      require_own_name(set.name, set.place, faults);
      model.codesets.push_back(std::move(set));
    });
  read_file(config, "promises.toml", faults, [&](Reader& in) {
    CodeSetModel set;
    set.place = in.place();
    set.name = "promise";
    set.title = "Promises of the entitlement pledge";
    CodeSetVersionModel version;
    version.place = in.place();
    version.name = in.text("version");
    in.each("promise", true, [&](Reader& promise) {
      CodeModel code;
      code.place = promise.place();
      code.code = promise.text("code");
      code.label = promise.text("title");
      code.from = promise.texts("from");
      model.promises.push_back({code.code, code.label, code.place});
      version.codes.push_back(std::move(code));
    });
    set.versions.push_back(std::move(version));
    model.codesets.push_back(std::move(set));
  });
  std::stable_sort(model.datasets.begin(), model.datasets.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  std::stable_sort(model.codesets.begin(), model.codesets.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return model;
}

}  // namespace towpath::generator
