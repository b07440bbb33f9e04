#include "dictionary/generator/model.hpp"

namespace towpath::generator {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '*' || c == '<' || c == '#') out += '\\';
    out += c;
  }
  return out;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

std::string type_text(const FieldModel& field) {
  if (field.type == "entity") return "own number";
  if (field.type == "ref") return "number of a " + joined(field.ref, " or ");
  if (field.type == "enum") return "one of " + joined(field.values, ", ");
  if (field.type == "text") return "text, " + std::to_string(field.max_chars);
  const std::string set = "[" + field.codeset + "](#code-set-" + field.codeset + ")";
  if (field.type == "code")
    return "code of " + set + (field.codeset_date.empty() ? "" : " on `" + field.codeset_date + "`");
  if (field.type == "raw_code") return "code as received";
  return field.type;
}

std::string span_text(const CodeSetVersionModel& version) {
  if (version.from && version.to) return version.from->iso() + " to " + version.to->iso();
  if (version.from) return "from " + version.from->iso();
  if (version.to) return "until " + version.to->iso();
  return "in force";
}

std::string note_text(const FieldModel& field) {
  std::string out = escaped(field.note);
  if (!field.derived_from.empty())
    out += " Computed from `" + field.derived_from + "`, for those who may have this and not that.";
  if (field.protect) out += " Stays in the school for a protected pupil (R1).";
  return out;
}

std::string retention_text(const DatasetModel& dataset) {
  if (!dataset.retention_years) return {};
  const std::string years = std::to_string(*dataset.retention_years);
  if (dataset.retention_date.empty())
    return " Beyond the school to the end of the academic year " + years +
           " after the one in which they left.";
  return " Beyond the school to the end of the academic year " + years + " after the one of `" +
         dataset.retention_date + "`.";
}

std::string dataset_text(const DatasetModel& dataset) {
  std::string out = "## " + dataset.name + "\n\n" + escaped(dataset.title) + ". " + escaped(dataset.note) +
                    "\n\nWire id " + std::to_string(dataset.id) + "; key: " + joined(dataset.key, ", ") +
                    "." + retention_text(dataset) + "\n\n";
  out += "| id | field | CBDS | type | class | grant | note |\n|---|---|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const FieldModel& field = dataset.fields[i];
    const bool needed = field.required || i < dataset.key.size();
    out += "| " + std::to_string(field.id) + " | `" + field.name + "`" + (needed ? " (always)" : "") + " | " +
           escaped(field.cbds) + " | " + type_text(field) + " | " + field.sensitivity + " | " +
           (field.grant.empty() ? "never leaves" : field.grant) + " | " + note_text(field) + " |\n";
  }
  return out + "\n";
}

std::string codeset_text(const CodeSetModel& set) {
  std::string out = "<a id=\"code-set-" + set.name + "\"></a>\n### " + set.name + "\n\n" +
                    escaped(set.title) + "." + (set.note.empty() ? "" : " " + escaped(set.note)) + "\n\n";
  if (!set.categories.empty()) {
    for (const CategoryModel& category : set.categories)
      out += "- category `" + category.code + "`: " + escaped(category.title) + "\n";
    out += "\n";
  }
  for (const CodeSetVersionModel& version : set.versions) {
    out += "`" + version.name + "`, " + span_text(version) + ":\n\n";
    out += "| code | meaning | category | also written |\n|---|---|---|---|\n";
    for (const CodeModel& code : version.codes)
      out += "| " + escaped(code.code) + " | " + escaped(code.label) + " | " + escaped(code.category) +
             " | " + escaped(joined(code.from, ", ")) + " |\n";
    out += "\n";
  }
  return out;
}

}  // namespace

std::string markdown(const Model& model) {
  std::string out =
      "<!-- Made from config/ by `ninja dictionary-update`. Do not edit: change the TOML. -->\n"
      "# Data dictionary\n\n"
      "Version " +
      std::to_string(model.version) +
      ". What schools and hub agree on: every dataset, its key and its fields, who must be careful with\n"
      "a field (class), under which grant of an agreement it may leave the school, and every code. A field\n"
      "without a grant never leaves. A code that no version of its set knows is held as `UNKNOWN`, with the\n"
      "code as received beside it in the school. Number of an entity means its integer in this school.\n\n"
      "## Grants\n\n| grant | gives | may be given to |\n|---|---|---|\n";
  for (const GrantModel& grant : model.grants)
    out += "| " + grant.name + " | " + escaped(grant.title) + " | " + joined(grant.to, ", ") +
           (grant.named_role ? ", for a role that the agreement names" : "") + " |\n";
  out += "\n";
  for (const DatasetModel& dataset : model.datasets) out += dataset_text(dataset);
  out += "## Code sets\n\nCase and surrounding blanks do not matter in what a source sends.\n\n";
  for (const CodeSetModel& set : model.codesets) out += codeset_text(set);
  while (out.size() > 1 && out[out.size() - 2] == '\n') out.pop_back();
  return out;
}

}  // namespace towpath::generator
