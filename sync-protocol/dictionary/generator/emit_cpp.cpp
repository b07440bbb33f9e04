#include <algorithm>
#include <map>

#include "dictionary/generator/model.hpp"

namespace towpath::generator {
namespace {

// A C++ string literal. Octal escapes end after three digits; hexadecimal ones would not.
std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      out += '\\';
      for (const int shift : {6, 3, 0}) out += static_cast<char>('0' + ((byte >> shift) & 7));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

std::string type_name(const std::string& type) {
  static const std::map<std::string, std::string> kNames{
      {"entity", "kEntity"},    {"ref", "kRef"},         {"int", "kInt"},   {"bool", "kBool"},
      {"date", "kDate"},        {"instant", "kInstant"}, {"enum", "kEnum"}, {"code", "kCode"},
      {"raw_code", "kRawCode"}, {"text", "kText"},       {"uuid", "kUuid"}};
  return "Type::" + kNames.at(type);
}

std::string sensitivity_name(const std::string& sensitivity) {
  std::string name = sensitivity;
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return "Sensitivity::k" + name;
}

// `none` is what the open end of a version becomes.
std::string date_value(const std::optional<Date>& date, std::string_view none) {
  return "Date{" + (date ? std::to_string(date->days) : std::string(none)) + "}";
}

}  // namespace

std::string cpp_source(const Model& model) {
  std::string out =
      "// Made by tp_dictionary_generator from config/. Do not edit: change the TOML.\n"
      "#include \"dictionary/dictionary.hpp\"\n\n"
      "#include <cstdint>\n\n"
      "namespace towpath {\nnamespace {\n\n";
  for (const DatasetModel& dataset : model.datasets) {
    const std::string id = std::to_string(dataset.id);
    for (const FieldModel& field : dataset.fields) {
      if (field.values.empty()) continue;
      out += "constexpr std::string_view kValues" + id + "_" + std::to_string(field.id) + "[] = {";
      for (const std::string& value : field.values) out += literal(value) + ", ";
      out += "};\n";
    }
    out += "constexpr Field kFields" + id + "[] = {\n";
    for (const FieldModel& field : dataset.fields) {
      out += "    {" + std::to_string(field.id) + ", " + literal(field.name) + ", " + literal(field.cbds) +
             ", " + type_name(field.type) + ", " + sensitivity_name(field.sensitivity) + ", " +
             (field.required ? "true" : "false") + ", " + std::to_string(field.max_chars) + ", " +
             literal(field.grant) + ", " + literal(field.codeset) + ", " + literal(field.codeset_date) +
             ", " + literal(joined(field.ref)) + ", " +
             (field.values.empty() ? "{}" : "kValues" + id + "_" + std::to_string(field.id)) + ",\n     " +
             literal(field.note) + ", " + literal(field.derived_from) + ", " + (field.protect ? "1" : "0") +
             "},\n";
    }
    out += "};\n\n";
  }
  out += "constexpr Dataset kDatasets[] = {\n";
  for (const DatasetModel& dataset : model.datasets)
    out += "    {" + std::to_string(dataset.id) + ", " + literal(dataset.name) + ", " +
           literal(dataset.title) + ", " + std::to_string(dataset.key.size()) + ", " +
           (dataset.entity ? "true" : "false") + ", kFields" + std::to_string(dataset.id) + ", " +
           (dataset.retention_years ? "std::uint8_t{" + std::to_string(*dataset.retention_years) + "}"
                                    : "std::nullopt") +
           ", " + literal(dataset.retention_date) + "},\n";
  out += "};\n\n";

  for (std::size_t s = 0; s < model.codesets.size(); ++s) {
    const CodeSetModel& set = model.codesets[s];
    for (std::size_t v = 0; v < set.versions.size(); ++v) {
      out += "constexpr CodeEntry kCodes" + std::to_string(s) + "_" + std::to_string(v) + "[] = {\n";
      for (const CodeModel& code : set.versions[v].codes)
        out += "    {" + literal(code.code) + ", " + literal(code.label) + ", " + literal(code.category) +
               ", " + literal(joined(code.from)) + "},\n";
      out += "};\n";
    }
    out += "constexpr CodeSetVersion kVersions" + std::to_string(s) + "[] = {\n";
    for (std::size_t v = 0; v < set.versions.size(); ++v)
      out += "    {" + literal(set.versions[v].name) + ", " + date_value(set.versions[v].from, "INT32_MIN") +
             ", " + date_value(set.versions[v].to, "INT32_MAX") + ", kCodes" + std::to_string(s) + "_" +
             std::to_string(v) + "},\n";
    out += "};\n\n";
  }
  out += "constexpr CodeSet kCodeSets[] = {\n";
  for (std::size_t s = 0; s < model.codesets.size(); ++s)
    out += "    {" + literal(model.codesets[s].name) + ", kVersions" + std::to_string(s) + "},\n";
  out += "};\n\nconstexpr Promise kPromises[] = {\n";
  for (const PromiseModel& promise : model.promises)
    out += "    {" + literal(promise.code) + ", " + literal(promise.title) + "},\n";
  out += "};\n\nconstexpr std::string_view kGrants[] = {";
  for (const GrantModel& grant : model.grants) out += literal(grant.name) + ", ";
  out += "};\n\nconstexpr GrantRight kGrantRights[] = {\n";
  for (const GrantModel& grant : model.grants) {
    const auto to = [&](std::string_view audience) {
      return std::find(grant.to.begin(), grant.to.end(), audience) != grant.to.end() ? "true" : "false";
    };
    out += "    {" + literal(grant.name) + ", " + literal(grant.title) + ", " + to("borough") + ", " +
           to("federation") + ", " + (grant.named_role ? "true" : "false") + "},\n";
  }
  out += "};\n\nconstexpr Dictionary kDictionary{" + std::to_string(model.version) +
         ", kDatasets, kCodeSets, kPromises, kGrants, kGrantRights};\n\n}  // namespace\n\n"
         "const Dictionary& built_in_dictionary() { return kDictionary; }\n\n}  // namespace towpath\n";
  return out;
}

}  // namespace towpath::generator
