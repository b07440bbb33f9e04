#include <algorithm>
#include <map>
#include <set>

#include "dictionary/generator/model.hpp"

namespace towpath::generator {
namespace {

const std::set<std::string> kTypes{"entity", "ref",  "int",      "bool", "date", "instant",
                                   "enum",   "code", "raw_code", "text", "uuid"};
const std::set<std::string> kSensitivities{"operational", "identity",   "contact", "special",
                                           "attainment",  "attendance", "pledge"};

std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

// Names become SQL columns, CSV headers and command line words.
bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 60) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
           return letter(c) || (c >= '0' && c <= '9') || c == '_';
         });
}

std::string where(const Place& place) { return place.file + ":" + std::to_string(place.line); }

class Checker {
 public:
  Checker(const Model& model, std::vector<Fault>& faults) : model_(model), faults_(faults) {}

  void run() {
    for (const GrantModel& grant : model_.grants) {
      once(grants_, grant.name, grant.place, "grant " + in_quotes(grant.name));
      if (grant.to.empty()) fault(grant.place, "grant " + in_quotes(grant.name) + ": nobody may have it");
      std::set<std::string> to;
      for (const std::string& audience : grant.to) {
        if (audience != "borough" && audience != "federation")
          fault(grant.place, "grant " + in_quotes(grant.name) +
                                 ": to is \"borough\" or \"federation\", not " + in_quotes(audience));
        if (!to.insert(audience).second)
          fault(grant.place,
                "grant " + in_quotes(grant.name) + ": to names " + in_quotes(audience) + " twice");
      }
    }
    for (const CodeSetModel& set : model_.codesets)
      once(codesets_, set.name, set.place, "code set " + in_quotes(set.name));
    std::map<std::string, Place> names, ids;
    for (const DatasetModel& dataset : model_.datasets) {
      once(names, folded(dataset.name), dataset.place, "dataset " + in_quotes(dataset.name));
      once(ids, std::to_string(dataset.id), dataset.place, "wire id " + std::to_string(dataset.id));
      datasets_.emplace(dataset.name, &dataset);
    }
    for (const DatasetModel& dataset : model_.datasets) check_dataset(dataset);
    for (const CodeSetModel& set : model_.codesets) check_codeset(set);
  }

 private:
  void fault(const Place& place, std::string what) { faults_.push_back({place, std::move(what)}); }

  void once(std::map<std::string, Place>& seen, const std::string& key, const Place& place,
            const std::string& what) {
    const auto [at, fresh] = seen.emplace(key, place);
    if (!fresh) fault(place, what + " is taken already, at " + where(at->second));
  }

  void check_dataset(const DatasetModel& dataset) {
    if (!is_name(dataset.name)) fault(dataset.place, in_quotes(dataset.name) + " cannot be a dataset's name");
    check_retention(dataset);
    local_ = std::all_of(dataset.fields.begin(), dataset.fields.end(),
                         [](const FieldModel& field) { return field.grant.empty(); });
    std::map<std::string, Place> names, ids;
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      const FieldModel& field = dataset.fields[i];
      once(names, folded(field.name), field.place, "field " + in_quotes(field.name));
      once(ids, std::to_string(field.id), field.place, "wire id " + std::to_string(field.id));
      check_field(dataset, field, i < dataset.key.size());
    }
    for (std::size_t k = 0; k < dataset.key.size(); ++k)
      if (k >= dataset.fields.size() || dataset.fields[k].name != dataset.key[k])
        fault(k < dataset.fields.size() ? dataset.fields[k].place : dataset.place,
              "the key's fields come first, in the key's order: field " + std::to_string(k + 1) +
                  " has to be " + in_quotes(dataset.key[k]));
    if (dataset.key.empty()) fault(dataset.place, "a dataset needs a key");
    const bool keyed_by_entity =
        dataset.key.size() == 1 && !dataset.fields.empty() && dataset.fields[0].type == "entity";
    if (dataset.entity && !keyed_by_entity)
      fault(dataset.place, "an entity's key is one field of type \"entity\"");
    if (!dataset.entity && keyed_by_entity && dataset.name != "entity")
      fault(dataset.place, "its key is of type \"entity\": say entity = true");
  }

  void check_retention(const DatasetModel& dataset) {
    if (!dataset.retention_date.empty()) {
      const FieldModel* date = find(dataset, dataset.retention_date);
      if (date == nullptr || date->type != "date")
        fault(dataset.place, "retention_date names " + in_quotes(dataset.retention_date) +
                                 ", which is not a date of this dataset");
      if (!dataset.retention_years) fault(dataset.place, "retention_date needs retention_years");
    } else if (dataset.retention_years && dataset.name != "pupil") {
      fault(dataset.place, "retention_years needs a retention_date; only pupils are kept by when they left");
    }
  }

  void check_derived(const DatasetModel& dataset, const FieldModel& field, bool in_key) {
    const std::string me = "field " + in_quotes(field.name) + ": ";
    const FieldModel* from = find(dataset, field.derived_from);
    if (from == nullptr || !from->derived_from.empty())
      fault(field.place, me + "derived_from names " + in_quotes(field.derived_from) +
                             ", which is not a field of this dataset as a source gives it");
    if (in_key || field.required || field.grant.empty() || field.type == "code")
      fault(field.place, me + "a derived field has a grant, is no code, and is neither key nor required");
    else if (from != nullptr && from->grant == field.grant)
      fault(field.place, me + "who may have it may have " + in_quotes(field.derived_from) + " itself");
    if (&field != &dataset.fields.back() && (&field + 1)->derived_from.empty())
      fault(field.place, me + "derived fields come last");
  }

  void check_field(const DatasetModel& dataset, const FieldModel& field, bool in_key) {
    const std::string me = "field " + in_quotes(field.name) + ": ";
    if (!is_name(field.name)) fault(field.place, in_quotes(field.name) + " cannot be a field's name");
    if (!kTypes.count(field.type)) fault(field.place, me + "there is no type \"" + field.type + "\"");
    if (!kSensitivities.count(field.sensitivity))
      fault(field.place, me + "there is no class \"" + field.sensitivity + "\"");
    if (!field.grant.empty() && !grants_.count(field.grant))
      fault(field.place, me + "there is no grant \"" + field.grant + "\" in dictionary.toml");
    if (field.type == "entity" && (!in_key || dataset.key.size() != 1))
      fault(field.place, me + "type \"entity\" is for the key of an entity; elsewhere it is a \"ref\"");
    if (in_key && (field.type == "code" || field.type == "raw_code"))
      fault(field.place, me + "a code cannot be part of a key: a new version of its set would move the row");
    // A row may leave without some of its fields, never without its key.
    if (in_key && field.grant.empty() && !local_) fault(field.place, me + "a field of the key needs a grant");
    if (in_key && field.required)
      fault(field.place, me + "fields of the key are always required: do not say so");
    if (!field.derived_from.empty()) check_derived(dataset, field, in_key);
    if (field.protect && (in_key || field.required))
      fault(field.place, me + "a row cannot go without it: it cannot be protected");
    if (field.sensitivity == "contact" && !field.grant.empty() && !field.protect)
      fault(field.place, me + "contacts do not leave for a protected pupil: say protect = true");
    for (const std::string& target : field.ref) {
      const auto found = datasets_.find(target);
      if (found == datasets_.end())
        fault(field.place, me + "refers to dataset " + in_quotes(target) + ", which does not exist");
      else if (!found->second->entity)
        fault(field.place, me + "refers to " + in_quotes(target) + ", which is not an entity");
    }
    if (!field.codeset.empty() && !codesets_.count(field.codeset))
      fault(field.place, me + "there is no code set " + in_quotes(field.codeset));
    if (!field.codeset_date.empty()) {
      const auto date = std::find_if(dataset.fields.begin(), dataset.fields.end(),
                                     [&](const FieldModel& f) { return f.name == field.codeset_date; });
      if (date == dataset.fields.end() || date->type != "date")
        fault(field.place, me + "codeset_date names " + in_quotes(field.codeset_date) +
                               ", which is not a date of this dataset");
    }
    std::set<std::string> values;
    for (const std::string& value : field.values)
      if (!values.insert(folded(value)).second)
        fault(field.place, me + "has the value " + in_quotes(value) + " twice");
  }

  [[nodiscard]] static const FieldModel* find(const DatasetModel& dataset, std::string_view name) {
    for (const FieldModel& field : dataset.fields)
      if (field.name == name) return &field;
    return nullptr;
  }

  void check_codeset(const CodeSetModel& set) {
    if (!is_name(set.name)) fault(set.place, in_quotes(set.name) + " cannot be a code set's name");
    std::set<std::string> categories;
    for (const CategoryModel& category : set.categories) categories.insert(category.code);
    for (std::size_t v = 0; v < set.versions.size(); ++v) {
      const CodeSetVersionModel& version = set.versions[v];
      const bool first = v == 0, last = v + 1 == set.versions.size();
      if (version.from && version.to && *version.to < *version.from)
        fault(version.place, "version " + in_quotes(version.name) + " ends before it begins");
      if (!first && !version.from)
        fault(version.place, "version " + in_quotes(version.name) + " needs a first day (from)");
      if (!last && !version.to)
        fault(version.place, "version " + in_quotes(version.name) + " needs a last day (to)");
      if (!first && version.from && set.versions[v - 1].to &&
          *version.from != set.versions[v - 1].to->plus(1))
        fault(version.place, "version " + in_quotes(version.name) + " has to begin on the day after " +
                                 set.versions[v - 1].to->iso() + ", when the version before it ends");
      check_codes(set, version, categories);
    }
  }

  void check_codes(const CodeSetModel& set, const CodeSetVersionModel& version,
                   const std::set<std::string>& categories) {
    // Every spelling leads to one code, whatever its case.
    std::map<std::string, Place> spellings;
    for (const CodeModel& code : version.codes) {
      if (code.code == "UNKNOWN") fault(code.place, "UNKNOWN is what a code becomes that no set knows");
      once(spellings, folded(code.code), code.place, "code " + in_quotes(code.code));
      for (const std::string& from : code.from) {
        if (from.find(',') != std::string::npos)
          fault(code.place,
                "the spelling " + in_quotes(from) + " holds a comma; the table separates them by commas");
        if (folded(from) != folded(code.code))
          once(spellings, folded(from), code.place, "spelling " + in_quotes(from));
      }
      if (!code.category.empty() && !categories.count(code.category))
        fault(code.place, "code " + in_quotes(code.code) + ": category " + in_quotes(code.category) +
                              " is not among the categories of " + set.name);
    }
  }

  const Model& model_;
  std::vector<Fault>& faults_;
  std::map<std::string, Place> grants_, codesets_;
  std::map<std::string, const DatasetModel*> datasets_;
  bool local_ = false;  // the dataset in hand: no field has a grant
};

}  // namespace

void check(const Model& model, std::vector<Fault>& faults) { Checker(model, faults).run(); }

}  // namespace towpath::generator
