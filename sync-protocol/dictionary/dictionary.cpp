#include "dictionary/dictionary.hpp"

#include <algorithm>

namespace towpath {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Whether `list`, comma-separated, holds `word`. Case does not matter.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (same_folded(list.substr(0, comma), word)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

std::optional<std::size_t> Dataset::position(std::string_view field) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == field) return i;
  return std::nullopt;
}

std::optional<std::size_t> Dataset::position_of_id(std::uint8_t field_id) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].id == field_id) return i;
  return std::nullopt;
}

bool Dataset::local() const {
  return std::all_of(fields.begin(), fields.end(), [](const Field& field) { return field.grant.empty(); });
}

const CodeSetVersion* CodeSet::version_on(std::optional<Date> day) const {
  if (versions.empty()) return nullptr;
  if (!day) return &versions.back();
  for (auto v = versions.rbegin(); v != versions.rend(); ++v)
    if (v->from <= *day) return *day <= v->to ? &*v : nullptr;
  return nullptr;
}

const CodeEntry* CodeSet::find(std::string_view raw, std::optional<Date> day) const {
  const CodeSetVersion* version = version_on(day);
  if (version == nullptr) return nullptr;
  // Nearly every code arrives as itself.
  for (const CodeEntry& entry : version->entries)
    if (entry.code == raw) return &entry;
  const std::string_view word = trimmed(raw);
  if (word.empty()) return nullptr;
  for (const CodeEntry& entry : version->entries)
    if (same_folded(entry.code, word) || lists(entry.maps_from, word)) return &entry;
  return nullptr;
}

const Dataset* Dictionary::find(std::string_view name) const {
  for (const Dataset& dataset : datasets)
    if (dataset.name == name) return &dataset;
  return nullptr;
}

const Dataset* Dictionary::find(std::uint16_t id) const {
  for (const Dataset& dataset : datasets)
    if (dataset.id == id) return &dataset;
  return nullptr;
}

const CodeSet* Dictionary::codeset(std::string_view name) const {
  for (const CodeSet& set : codesets)
    if (set.name == name) return &set;
  return nullptr;
}

const GrantRight* Dictionary::grant(std::string_view name) const {
  for (const GrantRight& right : grant_rights)
    if (right.name == name) return &right;
  return nullptr;
}

}  // namespace towpath
