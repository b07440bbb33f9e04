#include "tests/simulation/declared.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

namespace towpath::sim {
namespace {

constexpr int kMonthDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

bool leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }
int days_in(int year, int month) { return kMonthDays[month - 1] + (month == 2 && leap(year) ? 1 : 0); }
// Days from 1970-01-01 to the first of that year.
int first_of(int year) {
  const auto leaps_before = [](int y) { return (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400; };
  return 365 * (year - 1970) + leaps_before(year) - leaps_before(1970);
}

std::string folded(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  std::string out(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string text_of(const toml::table& table, const char* key) { return table[key].value_or(std::string()); }

std::vector<std::string> texts_of(const toml::node_view<const toml::node>& node) {
  std::vector<std::string> out;
  if (const toml::array* array = node.as_array())
    for (const toml::node& one : *array) out.push_back(one.value_or(std::string()));
  return out;
}

Form form_of(const std::string& type) {
  static const std::map<std::string, Form> kForms{
      {"entity", Form::kEntity}, {"ref", Form::kRef},   {"int", Form::kInt},   {"bool", Form::kBool},
      {"date", Form::kDate},     {"enum", Form::kEnum}, {"code", Form::kCode}, {"instant", Form::kInstant},
      {"text", Form::kText},     {"uuid", Form::kUuid}};
  return kForms.at(type);
}

std::optional<int> day_of(const toml::node_view<const toml::node>& node) {
  const auto date = node.value<toml::date>();
  if (!date) return std::nullopt;
  return days_of(date->year, date->month, date->day);
}

// A field, and its raw companion where it is a code.
std::vector<DeclaredField> fields_of(const toml::table& t) {
  DeclaredField field;
  field.id = t["id"].value_or(0U);
  field.name = text_of(t, "name");
  field.form = form_of(text_of(t, "type"));
  field.derived_from = text_of(t, "derived_from");
  field.required = t["required"].value_or(false);
  field.max_chars = t["max_chars"].value_or(std::size_t{0});
  field.grant = text_of(t, "grant");
  field.codeset = text_of(t, "codeset");
  field.codeset_date = text_of(t, "codeset_date");
  field.values = texts_of(t["values"]);
  field.refs = texts_of(t["ref"]);
  std::vector<DeclaredField> out{field};
  if (field.form != Form::kCode) return out;
  DeclaredField raw;
  raw.id = t["raw_id"].value_or(0U);
  raw.name = field.name + "_raw";
  raw.form = Form::kRaw;
  raw.grant = text_of(t, "raw_grant");
  out.push_back(raw);
  return out;
}

DeclaredDataset dataset_of(const toml::table& file) {
  DeclaredDataset d;
  d.id = file["id"].value_or(0U);
  d.name = text_of(file, "name");
  d.entity = file["entity"].value_or(false);
  const std::vector<std::string> key = texts_of(file["key"]);
  d.key_count = key.size();
  std::vector<DeclaredField> all;
  for (const toml::node& one : *file["field"].as_array())
    for (DeclaredField& field : fields_of(*one.as_table())) all.push_back(std::move(field));
  for (const std::string& name : key)
    for (const DeclaredField& field : all)
      if (field.name == name) d.fields.push_back(field);
  for (const DeclaredField& field : all)
    if (std::find(key.begin(), key.end(), field.name) == key.end()) d.fields.push_back(field);
  if (d.fields.size() != all.size()) throw std::runtime_error(d.name + ": its key is not among its fields");
  return d;
}

std::vector<std::string> toml_files(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

int days_of(int year, int month, int day) {
  int days = first_of(year) + day - 1;
  for (int m = 1; m < month; ++m) days += days_in(year, m);
  return days;
}

std::string iso(int days) {
  int year = 1970 + days / 366;
  while (first_of(year) > days) --year;
  while (first_of(year + 1) <= days) ++year;
  int rest = days - first_of(year), month = 1;
  while (rest >= days_in(year, month)) rest -= days_in(year, month++);
  const auto digits = [](int n, std::size_t width) {
    std::string text = std::to_string(n);
    return std::string(width - std::min(width, text.size()), '0') + text;
  };
  return digits(year, 4) + "-" + digits(month, 2) + "-" + digits(rest + 1, 2);
}

std::optional<int> days_from_iso(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  int part[3] = {0, 0, 0};
  for (std::size_t i = 0, at = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7) {
      ++at;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    part[at] = part[at] * 10 + (text[i] - '0');
  }
  const auto [year, month, day] = part;
  if (month < 1 || month > 12 || day < 1 || day > days_in(year, month)) return std::nullopt;
  return days_of(year, month, day);
}

std::optional<std::size_t> characters(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++n) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t more = first < 0x80 ? 0 : first < 0xc0 ? 9 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (first == 0 || first > 0xf4 || more == 9 || i + more >= text.size()) return std::nullopt;
    std::uint32_t c = more == 0 ? first : first & (0x3fU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next < 0x80 || next > 0xbf) return std::nullopt;
      c = c << 6 | (next & 0x3fU);
    }
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (c < kLeast[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return std::nullopt;
    i += more + 1;
  }
  return n;
}

bool DeclaredDataset::has(std::string_view field) const {
  return std::any_of(fields.begin(), fields.end(), [&](const DeclaredField& f) { return f.name == field; });
}

std::size_t DeclaredDataset::position(std::string_view field) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == field) return i;
  throw std::runtime_error("dataset " + name + " has no field " + std::string(field));
}

Declared::Declared(const std::string& config) {
  version_ = toml::parse_file(config + "/dictionary.toml")["version"].value_or(0U);
  for (const std::string& path : toml_files(config + "/datasets"))
    datasets_.push_back(dataset_of(toml::parse_file(path)));
  std::sort(datasets_.begin(), datasets_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const std::string& path : toml_files(config + "/codesets")) {
    const toml::table file = toml::parse_file(path);
    std::vector<Version>& versions = sets_[text_of(file, "name")];
    for (const toml::node& one : *file["version"].as_array()) {
      const toml::table& t = *one.as_table();
      Version version{day_of(t["from"]), day_of(t["to"]), {}, {}, {}};
      for (const toml::node& entry : *t["codes"].as_array()) {
        const toml::table& e = *entry.as_table();
        const std::string code = text_of(e, "code");
        version.exact.emplace(code, code);
        version.category.emplace(code, text_of(e, "category"));
        version.folded.emplace(folded(code), code);
        for (const std::string& spelling : texts_of(e["from"]))
          version.folded.emplace(folded(spelling), code);
      }
      versions.push_back(std::move(version));
    }
    std::sort(versions.begin(), versions.end(), [](const Version& a, const Version& b) {
      return a.from.value_or(INT32_MIN) < b.from.value_or(INT32_MIN);
    });
  }
  Version promises;
  const toml::table promised = toml::parse_file(config + "/promises.toml");
  for (const toml::node& one : *promised["promise"].as_array()) {
    const toml::table& t = *one.as_table();
    const std::string code = text_of(t, "code");
    promises.exact.emplace(code, code);
    promises.folded.emplace(folded(code), code);
    for (const std::string& spelling : texts_of(t["from"])) promises.folded.emplace(folded(spelling), code);
  }
  sets_["promise"] = {promises};
  std::set<std::string> grants;
  for (const DeclaredDataset& d : datasets_)
    for (const DeclaredField& f : d.fields)
      if (!f.grant.empty()) grants.insert(f.grant);
  grants_.assign(grants.begin(), grants.end());
}

const Declared& Declared::here() {
  static const Declared declared(TOWPATH_CONFIG);
  return declared;
}

const Declared& Declared::of(unsigned version) {
  static const Declared before = [] {
    Declared older = here();
    --older.version_;
    std::erase_if(older.datasets_, [](const DeclaredDataset& d) { return d.name == "fsm"; });
    for (DeclaredDataset& d : older.datasets_)
      std::erase_if(d.fields, [&](const DeclaredField& f) {
        return (d.name == "pupil" && (f.name == "MiddleNames" || f.name == "PreferredForename")) ||
               (d.name == "enrolment" && f.name == "LeavingDate");
      });
    for (Version& v : older.sets_.at("attendance"))
      for (auto* codes : {&v.exact, &v.folded})
        std::erase_if(*codes, [](const auto& code) { return code.second == "M"; });
    return older;
  }();
  for (const Declared* one : {&here(), &before})
    if (one->version() == version) return *one;
  throw std::runtime_error("nothing is known of the dictionary's version " + std::to_string(version));
}

const DeclaredDataset* Declared::find(std::string_view name) const {
  for (const DeclaredDataset& d : datasets_)
    if (d.name == name) return &d;
  return nullptr;
}

const DeclaredDataset& Declared::dataset(std::string_view name) const {
  if (const DeclaredDataset* found = find(name)) return *found;
  throw std::runtime_error("there is no dataset " + std::string(name));
}

const Declared::Version* Declared::version_on(const std::string& set, std::optional<int> day) const {
  const std::vector<Version>& versions = sets_.at(set);
  if (!day) return &versions.back();
  for (const Version& v : versions)
    if (v.from.value_or(INT32_MIN) <= *day && *day <= v.to.value_or(INT32_MAX)) return &v;
  return nullptr;
}

std::optional<std::string> Declared::category(const std::string& set, const std::string& code,
                                              std::optional<int> day) const {
  const Version* in_force = version_on(set, day);
  if (in_force == nullptr) return std::nullopt;
  const auto found = in_force->category.find(code);
  return found == in_force->category.end() || found->second.empty() ? std::nullopt
                                                                    : std::optional(found->second);
}

std::optional<std::string> Declared::code(const std::string& set, const std::string& raw,
                                          std::optional<int> day) const {
  const Version* in_force = version_on(set, day);
  if (in_force == nullptr) return std::nullopt;
  if (const auto found = in_force->exact.find(raw); found != in_force->exact.end()) return found->second;
  const std::string spelling = folded(raw);
  if (spelling.empty()) return std::nullopt;
  const auto found = in_force->folded.find(spelling);
  return found == in_force->folded.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace towpath::sim
