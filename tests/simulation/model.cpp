#include "tests/simulation/model.hpp"

#include <algorithm>

namespace towpath::sim {
namespace {

constexpr const char* kNull = "-";

// Q: the only codes that the source of this world gives that no set knows begin with it.
// Another is unknown where the dictionary's newest set lacks it.
bool is_unknown_code(const Dictionary& dictionary, const Field& field, const std::string& text) {
  if (text.starts_with("?")) return true;
  for (const CodeSet& set : dictionary.codesets)
    if (set.name == field.codeset) {
      const auto& entries = set.versions.back().entries;
      return std::none_of(entries.begin(), entries.end(), [&](const CodeEntry& e) { return e.code == text; });
    }
  return false;
}

std::string entity_of(std::string_view dataset, const std::string& id) {
  return std::string(dataset) + ":" + id;
}

// Which dataset a reference names: here always the first.
std::string_view referred(const Field& field) { return field.ref.substr(0, field.ref.find(',')); }

std::string number_of_enum(const Field& field, const std::string& text) {
  for (std::size_t i = 0; i < field.values.size(); ++i)
    if (field.values[i] == text) return std::to_string(i);
  return "?";
}

std::string in_store(const Dictionary& dictionary, const Dataset& dataset, std::size_t at,
                     const std::vector<std::string>& cells) {
  const Field& field = dataset.fields[at];
  const std::string& text = cells[at];
  if (field.type == Type::kRawCode) {
    const std::string& code = cells[at - 1];
    return !code.empty() && is_unknown_code(dictionary, dataset.fields[at - 1], code) ? code : kNull;
  }
  if (text.empty()) return kNull;
  switch (field.type) {
    case Type::kEntity:
      return entity_of(dataset.name, text);
    case Type::kRef:
      return entity_of(referred(field), text);
    case Type::kDate:
      return std::to_string(Date::parse(text).value().days);
    case Type::kEnum:
      return number_of_enum(field, text);
    case Type::kCode:
      return is_unknown_code(dictionary, field, text) ? std::string(kUnknownCode) : text;
    default:
      return text;
  }
}

std::string join(const std::vector<std::string>& cells, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += cells[i] + "|";
  return text;
}

std::vector<std::string> split(const std::string& row) {
  std::vector<std::string> cells(1);
  for (const char c : row) {
    if (c == '|')
      cells.emplace_back();
    else
      cells.back() += c;
  }
  cells.pop_back();
  return cells;
}

}  // namespace

Image as_known_by(const Dictionary& to, const Dictionary& from, const Image& image) {
  Image out;
  for (const auto& [name, rows] : image) {
    const Dataset* known = to.find(std::string_view(name));
    if (known == nullptr) continue;
    const Dataset& was = *from.find(std::string_view(name));
    for (const auto& [key, row] : rows) {
      const std::vector<std::string> cells = split(row);
      std::vector<std::string> now;
      for (const Field& field : known->fields) {
        const auto at = was.position(field.name);
        now.push_back(at ? cells[*at] : std::string(kNull));
      }
      out[name][key] = join(now, now.size());
    }
  }
  return out;
}

std::string differences(const Image& expected, const Image& found) {
  std::string text;
  int named = 0;
  std::set<std::string> datasets;
  for (const Image* side : {&expected, &found})
    for (const auto& [dataset, rows] : *side) datasets.insert(dataset);
  static const Rows kNone;
  for (const std::string& dataset : datasets) {
    const Rows& a = expected.contains(dataset) ? expected.at(dataset) : kNone;
    const Rows& b = found.contains(dataset) ? found.at(dataset) : kNone;
    const auto name = [&](const char* what, const std::string& key) {
      if (++named <= 8) text += "\n    " + dataset + " " + key + " " + what;
    };
    for (const auto& [key, row] : a) {
      if (!b.contains(key))
        name("is missing", key);
      else if (b.at(key) != row)
        name(("is " + b.at(key) + ", not " + row).c_str(), key);
    }
    for (const auto& [key, row] : b)
      if (!a.contains(key)) name("should not be there", key);
  }
  if (named > 8) text += "\n    and " + std::to_string(named - 8) + " more";
  return text;
}

SchoolModel::Outcome SchoolModel::after(const SimExport& night, bool accept_deletions) const {
  Outcome out = now();
  if (night.fails) return out;
  bool pupils_held = false;  // deletions of pupils wait: whatever hangs on them waits too
  bool pupils_may_be_held = false;
  for (const SimTable& table : night.tables) {
    if (table.state != SimTable::State::kWhole) continue;
    const Dataset& dataset = *table.dataset;
    Rows& rows = out.rows[std::string(dataset.name)];
    std::set<std::string>& restored = out.restored[std::string(dataset.name)];
    Rows before = rows;  // of this source
    for (const std::string& key : restored) before.erase(key);
    std::set<std::string> seen;
    std::size_t added = 0, unreadable = 0;
    for (const SimRecord& record : table.records) {
      bool readable = record.kind != SimRecord::Kind::kUnreadable;
      for (std::size_t i = 0; readable && i < dataset.fields.size(); ++i)
        if (dataset.fields[i].type == Type::kRef && !record.cells[i].empty())
          readable = out.named.contains(entity_of(referred(dataset.fields[i]), record.cells[i]));
      if (!readable) {
        ++unreadable;
        continue;
      }
      std::vector<std::string> cells(dataset.fields.size());
      for (std::size_t i = 0; i < cells.size(); ++i)
        cells[i] = in_store(*dictionary_, dataset, i, record.cells);
      const std::string key = join(cells, dataset.key_count);
      if (!seen.insert(key).second) continue;
      if (record.kind == SimRecord::Kind::kBadCell) continue;  // the old row, if any, stays
      if (!before.contains(key)) ++added;
      rows[key] = join(cells, cells.size());
      restored.erase(key);
      if (dataset.entity) out.named.insert(cells[0]);
      if (dataset.entity && out.known.insert(cells[0]).second) {
        const Uuid uuid = uuid_of(cells[0]);
        out.rows[std::string(kEntityDataset)][cells[0] + "|"] =
            cells[0] + "|" + std::to_string(dataset.id) + "|" + uuid.text() + "|";
      }
    }
    std::vector<std::string> gone;
    for (const auto& [key, row] : before)
      if (!seen.contains(key)) gone.push_back(key);
    const std::string name(dataset.name);
    const bool pupil = name == "pupil";
    out.held[name] = false;
    if (gone.empty()) continue;
    const bool guarded = !accept_deletions;
    const bool hold =
        pupils_held || held_.contains(name) || (pupil && gone.size() * 100 > before.size() * 10) ||
        (before.size() >= 20 && gone.size() * 2 > before.size()) || before.size() + added <= gone.size();
    // An unreadable record may be any of those that seem gone, so some or all of them stay.
    if (guarded && (unreadable > 0 || pupils_may_be_held || maybe_held_.contains(name))) {
      out.open[name] = {gone.begin(), gone.end()};
      if (pupil) pupils_may_be_held = true;
    } else if (guarded && hold) {
      out.held[name] = true;
      if (pupil) pupils_held = true;
    } else {
      for (const std::string& key : gone) rows.erase(key);
    }
  }
  return out;
}

// The pledge's rows, and the entities that they speak of; what is here already stays as it is.
SchoolModel::Outcome SchoolModel::after_restore(const Image& hub) const {
  Outcome out = now();
  const auto introduce = [&](const std::string& entity) {
    const auto entities = hub.find(std::string(kEntityDataset));
    if (entities == hub.end() || !entities->second.contains(entity + "|")) return;
    if (out.known.insert(entity).second)
      out.rows[std::string(kEntityDataset)][entity + "|"] = entities->second.at(entity + "|");
  };
  for (const char* name : {"activity", "participation"}) {
    const auto held = hub.find(name);
    if (held == hub.end()) continue;
    const Dataset& dataset = *dictionary_->find(std::string_view(name));
    for (const auto& [key, row] : held->second) {
      const std::vector<std::string> cells = split(row);
      for (std::size_t i = 0; i < cells.size(); ++i)
        if (const Type type = dataset.fields[i].type; type == Type::kEntity || type == Type::kRef)
          introduce(cells[i]);
      if (out.rows[name].try_emplace(key, row).second) out.restored[name].insert(key);
    }
  }
  return out;
}

void SchoolModel::upgrade(const Dictionary& dictionary) {
  rows_ = as_known_by(dictionary, *dictionary_, rows_);
  dictionary_ = &dictionary;
}

void SchoolModel::commit(const Outcome& outcome, Image rows) {
  rows_ = std::move(rows);
  known_ = outcome.known;
  named_ = outcome.named;
  restored_ = outcome.restored;
  for (const auto& [dataset, held] : outcome.held) {
    held_.erase(dataset);
    maybe_held_.erase(dataset);
    if (held) held_.insert(dataset);
    if (const auto open = outcome.open.find(dataset); open != outcome.open.end())
      for (const std::string& key : open->second)
        if (rows_[dataset].contains(key)) maybe_held_.insert(dataset);
  }
}

Image SchoolModel::projected(const std::vector<std::string>& grants) const {
  const auto granted = [&](const Field& field) {
    return !field.grant.empty() &&
           (grants.empty() || std::find(grants.begin(), grants.end(), field.grant) != grants.end());
  };
  Image out;
  for (const auto& [name, rows] : rows_) {
    const Dataset& dataset = *dictionary_->find(std::string_view(name));
    bool any = dataset.fields.size() == dataset.key_count && granted(dataset.fields[0]);
    for (const Field& field : dataset.fields.subspan(dataset.key_count)) any = any || granted(field);
    if (!any || rows.empty()) continue;
    for (const auto& [key, row] : rows) {
      std::vector<std::string> cells = split(row);
      for (std::size_t i = dataset.key_count; i < cells.size(); ++i)
        if (!granted(dataset.fields[i])) cells[i] = kNull;
      out[name][key] = join(cells, cells.size());
    }
  }
  return out;
}

Uuid SchoolModel::uuid_of(const std::string& entity) const {
  const std::size_t colon = entity.find(':');
  Bytes name;
  Writer w(name);
  w.sized(urn_);
  w.sized(entity.substr(0, colon));
  w.sized(kSourceName);
  w.sized(entity.substr(colon + 1));
  return Uuid::named(kTowpathSpace, text_of(name));
}

std::map<std::string, std::string> SchoolModel::entities() const {
  std::map<std::string, std::string> all;
  for (const std::string& entity : known_) all[uuid_of(entity).text()] = entity;
  return all;
}

std::string ImageReader::cell(const Field& field, const Value& value) const {
  if (value.is_null()) return kNull;
  switch (field.type) {
    case Type::kEntity:
    case Type::kRef: {
      const auto found = numbers_.find(value.as_int());
      return found == numbers_.end() ? "#" + std::to_string(value.as_int()) : found->second;
    }
    case Type::kUuid: {
      Uuid uuid;
      if (value.as_text().size() != uuid.bytes.size()) return "?";
      std::copy_n(value.as_text().begin(), uuid.bytes.size(), uuid.bytes.begin());
      return uuid.text();
    }
    default:
      return value.kind() == Value::Kind::kInt ? std::to_string(value.as_int())
                                               : std::string(value.as_text());
  }
}

void ImageReader::row(const Dataset& dataset, RowView row) {
  if (dataset.name == kEntityDataset) {
    const auto found = entities_.find(cell(dataset.fields[2], row[2]));
    if (found != entities_.end()) numbers_[row[0].as_int()] = found->second;
  }
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < row.size(); ++i) cells.push_back(cell(dataset.fields[i], row[i]));
  image_[std::string(dataset.name)][join(cells, dataset.key_count)] = join(cells, cells.size());
}

}  // namespace towpath::sim
