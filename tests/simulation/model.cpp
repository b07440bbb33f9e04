#include "tests/simulation/model.hpp"

#include <algorithm>
#include <optional>

#include "tests/simulation/trace.hpp"

namespace towpath::sim {
namespace {

constexpr const char* kUnknown = "UNKNOWN";  // a code that no set knows (decision 0001)
constexpr const char* kFromHub = "(restored)";
constexpr const char* kEntities = "entity";
// Typing errors lie outside: 1900 to 2100, and what nothing at a school counts up to.
constexpr std::int64_t kIntMost = 1'000'000'000;
constexpr std::size_t kCodeChars = 64;

std::string called(std::string_view dataset, std::string_view source, std::string_view id) {
  return std::string(dataset) + ":" + std::string(source) + ":" + std::string(id);
}

std::string join(const std::vector<std::string>& cells, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) (text += cells[i]) += kCellEnd;
  return text;
}

std::vector<std::string> split(const std::string& row) {
  std::vector<std::string> cells;
  for (std::size_t at = 0; at < row.size();) {
    const std::size_t end = row.find(kCellEnd, at);
    cells.push_back(row.substr(at, end - at));
    at = end + 1;
  }
  return cells;
}

bool is_of(const std::string& row, const std::string& source) {
  return row.size() > source.size() + 1 && row[row.size() - source.size() - 2] == kCellEnd &&
         row.compare(row.size() - source.size() - 1, source.size(), source) == 0;
}

std::optional<std::int64_t> number(const std::string& text) {
  std::size_t used = 0;
  try {
    const std::int64_t value = std::stoll(text, &used);
    if (used == text.size() && text[0] != '+' && text[0] != ' ') return value;
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

// What a cell is in the store; none if it cannot be taken. References and codes are others' matter.
std::optional<std::string> plain(const DeclaredField& field, const std::string& text) {
  switch (field.form) {
    case Form::kInt: {
      const auto n = number(text);
      return n && *n >= 0 && *n <= kIntMost ? std::optional(text) : std::nullopt;
    }
    case Form::kBool:
      return text == "0" || text == "1" ? std::optional(text) : std::nullopt;
    case Form::kInstant:
      return number(text) ? std::optional(text) : std::nullopt;
    case Form::kDate: {
      static const int first = days_of(1900, 1, 1), last = days_of(2100, 12, 31);
      const auto day = days_from_iso(text);
      return day && *day >= first && *day <= last ? std::optional(std::to_string(*day)) : std::nullopt;
    }
    case Form::kEnum:
      for (std::size_t i = 0; i < field.values.size(); ++i)
        if (field.values[i] == text) return std::to_string(i);
      return std::nullopt;
    default: {
      const auto n = characters(text);
      return n && (field.max_chars == 0 || *n <= field.max_chars) ? std::optional(text) : std::nullopt;
    }
  }
}

// A record, judged: its row as it should be, or at least its key, or nothing.
struct Judged {
  enum class Fate : std::uint8_t { kGood, kBad, kNoKey } fate = Fate::kNoKey;
  std::vector<std::string> cells;
};

std::optional<std::string> key_cell(const DeclaredDataset& dataset, const DeclaredField& field,
                                    const std::string& text, const std::string& source,
                                    const std::set<std::string>& named) {
  if (text.empty()) return std::nullopt;
  if (field.form == Form::kEntity) return called(dataset.name, source, text);
  if (field.form != Form::kRef) return plain(field, text);
  for (const std::string& to : field.refs)
    if (named.contains(to + ":" + text)) return to + ":" + text;
  return std::nullopt;
}

Judged judge(const Declared& declared, const DeclaredDataset& dataset, const SimRecord& record,
             const std::string& source, const std::set<std::string>& named) {
  Judged j;
  if (record.kind == SimRecord::Kind::kUnreadable) return j;
  j.cells.assign(dataset.fields.size(), std::string(kNull));
  for (std::size_t i = 0; i < dataset.key_count; ++i) {
    auto cell = key_cell(dataset, dataset.fields[i], record.cells[i], source, named);
    if (!cell) return j;
    j.cells[i] = std::move(*cell);
  }
  j.fate = Judged::Fate::kBad;
  for (std::size_t i = dataset.key_count; i < dataset.fields.size(); ++i) {
    const DeclaredField& field = dataset.fields[i];
    const std::string& text = record.cells[i];
    if (field.form == Form::kRaw) continue;
    if (text.empty()) {
      if (field.required) return j;
      continue;
    }
    if (field.form != Form::kCode) {
      auto cell = plain(field, text);
      if (!cell) return j;
      j.cells[i] = std::move(*cell);
      continue;
    }
    const auto n = characters(text);
    if (!n || *n > kCodeChars) return j;
    std::optional<int> day;
    if (!field.codeset_date.empty()) day = days_from_iso(record.cells[dataset.position(field.codeset_date)]);
    const auto code = declared.code(field.codeset, text, day);
    j.cells[i] = code.value_or(kUnknown);
    if (j.cells[i] != text) j.cells[i + 1] = text;
  }
  // Rule Q06: a spell does not end before it begins.
  if (dataset.name == "fsm") {
    const std::string& end = j.cells[dataset.position("FSMendDate")];
    if (end != kNull && std::stoi(end) < std::stoi(j.cells[dataset.position("FSMstartDate")])) return j;
  }
  j.fate = Judged::Fate::kGood;
  return j;
}

std::string readable(std::string text) {
  for (char& c : text)
    if (c == kCellEnd)
      c = '|';
    else if (c == kNull[0])
      c = '~';
  return text;
}

}  // namespace

Image as_known_by(const Declared& to, const Declared& from, const Image& image) {
  if (&to == &from) return image;
  Image out;
  for (const auto& [name, rows] : image) {
    const DeclaredDataset* known = to.find(name);
    if (known == nullptr) continue;
    const DeclaredDataset& was = from.dataset(name);
    for (const auto& [key, row] : rows) {
      const std::vector<std::string> cells = split(row);
      std::vector<std::string> now;
      for (const DeclaredField& field : known->fields)
        now.push_back(was.has(field.name) ? cells[was.position(field.name)] : std::string(kNull));
      now.insert(now.end(), cells.begin() + static_cast<std::ptrdiff_t>(was.fields.size()), cells.end());
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
    if (a == b) continue;
    const auto name = [&](const std::string& what, const std::string& key) {
      if (++named <= 8) text += "\n    " + dataset + " " + readable(key) + " " + what;
    };
    for (const auto& [key, row] : a) {
      if (!b.contains(key))
        name("is missing", key);
      else if (b.at(key) != row)
        name("is " + readable(b.at(key)) + ", not " + readable(row), key);
    }
    for (const auto& [key, row] : b)
      if (!a.contains(key)) name("should not be there", key);
  }
  if (named > 8) text += "\n    and " + std::to_string(named - 8) + " more";
  return text;
}

// --- a run -------------------------------------------------------------------------------------

// One dataset of a run.
struct SchoolModel::Reading {
  Outcome& out;
  const SimTable& table;
  const std::string& source;
  bool accept;
  bool& pupils_held;  // deletions of pupils wait: whatever hangs on them waits, too
  bool& pupils_may_be_held;
};

void SchoolModel::introduce(Outcome& out, const DeclaredDataset& dataset, const std::string& entity) const {
  out.named.insert(entity);
  if (!out.known.insert(entity).second) return;
  out.rows[kEntities][entity + kCellEnd] = join({entity, std::to_string(dataset.id), uuid_of(entity)}, 3);
}

SchoolModel::Outcome SchoolModel::after(const SimExport& night, bool accept_deletions) const {
  Outcome out = now();
  out.source = night.source;
  if (night.fails) return out;
  // While another source's pupils wait, nothing that may hang on them goes.
  bool pupils_held = false, pupils_may_be_held = false;
  for (const std::string& source : pupils_wait_) pupils_held = pupils_held || source != night.source;
  for (const SimTable& table : night.tables) {
    if (table.state != SimTable::State::kWhole) continue;
    Reading reading{out, table, night.source, accept_deletions, pupils_held, pupils_may_be_held};
    if (table.delta)
      read_delta(reading);
    else
      read_full(reading);
  }
  return out;
}

void SchoolModel::read_full(Reading& reading) const {
  Outcome& out = reading.out;
  const DeclaredDataset& dataset = *reading.table.dataset;
  const std::string& source = reading.source;
  Rows& rows = out.rows[dataset.name];
  Rows before;
  for (const auto& [key, row] : rows)
    if (is_of(row, source)) before.emplace_hint(before.end(), key, row);
  std::set<std::string> seen, taken;
  std::size_t added = 0, no_key = 0;
  for (const SimRecord& record : reading.table.records) {
    Judged j = judge(*declared_, dataset, record, source, out.named);
    if (j.fate == Judged::Fate::kNoKey) {
      ++no_key;
      continue;
    }
    std::string key = join(j.cells, dataset.key_count);
    seen.insert(key);
    if (j.fate == Judged::Fate::kBad) continue;  // the old row, if any, stays
    if (dataset.entity) introduce(out, dataset, j.cells[0]);
    std::string row = join(j.cells, j.cells.size());
    (row += source) += kCellEnd;
    const auto there = rows.find(key);
    if (!taken.insert(key).second) {
      // A second one: the first stays, unless this is what the store had.
      const auto old = before.find(key);
      if (old != before.end() && row == old->second && there->second != row)
        out.either[dataset.name][key] = {there->second, row};
      continue;
    }
    if (there != rows.end() && !is_of(there->second, source) && !is_of(there->second, kFromHub)) continue;
    if (!before.contains(key)) ++added;
    rows.insert_or_assign(std::move(key), std::move(row));
  }
  Outcome::Read& read = out.read[dataset.name];
  for (const auto& [key, row] : before)
    if (!seen.contains(key)) read.gone.insert(key);
  const std::size_t gone = read.gone.size();
  if (gone == 0) return;
  const Of of{source, dataset.name};
  const bool pupil = dataset.name == "pupil";
  const bool hold = reading.pupils_held || held_.contains(of) || (pupil && gone * 100 > before.size() * 10) ||
                    (before.size() >= 20 && gone * 2 > before.size()) || before.size() + added <= gone;
  if (!reading.accept && (no_key > 0 || reading.pupils_may_be_held || maybe_held_.contains(of))) {
    // What cannot be read may be any of those that seem gone, so some or all of them stay.
    out.open[dataset.name] = read.gone;
    if (pupil) reading.pupils_may_be_held = true;
  } else if (!reading.accept && hold) {
    read.held = true;
    if (pupil) reading.pupils_held = true;
  } else {
    for (const std::string& key : read.gone) rows.erase(key);
  }
}

// A delta: what it names, and nothing else.
void SchoolModel::read_delta(Reading& reading) const {
  Outcome& out = reading.out;
  const DeclaredDataset& dataset = *reading.table.dataset;
  const std::string& source = reading.source;
  Rows& rows = out.rows[dataset.name];
  for (const SimRecord& record : reading.table.records) {
    Judged j = judge(*declared_, dataset, record, source, out.named);
    if (j.fate == Judged::Fate::kNoKey) continue;
    std::string key = join(j.cells, dataset.key_count);
    const auto there = rows.find(key);
    const bool ours = there != rows.end() && is_of(there->second, source);
    if (record.kind == SimRecord::Kind::kRemove) {
      if (ours) rows.erase(there);
      continue;
    }
    if (j.fate == Judged::Fate::kBad) continue;
    if (dataset.entity) introduce(out, dataset, j.cells[0]);
    if (there != rows.end() && !ours && !is_of(there->second, kFromHub)) continue;
    std::string row = join(j.cells, j.cells.size());
    (row += source) += kCellEnd;
    rows.insert_or_assign(std::move(key), std::move(row));
  }
}

// The pledge's rows, and the entities that they speak of; what is here already stays as it is.
SchoolModel::Outcome SchoolModel::after_restore(const Image& hub) const {
  Outcome out = now();
  const auto entities = hub.find(kEntities);
  for (const char* name : {"activity", "participation"}) {
    const auto held = hub.find(name);
    if (held == hub.end()) continue;
    const DeclaredDataset& dataset = declared_->dataset(name);
    for (const auto& [key, row] : held->second) {
      const std::vector<std::string> cells = split(row);
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const Form form = dataset.fields[i].form;
        if ((form != Form::kEntity && form != Form::kRef) || cells[i] == kNull) continue;
        if (entities == hub.end() || !entities->second.contains(cells[i] + kCellEnd)) continue;
        if (out.known.insert(cells[i]).second)
          out.rows[kEntities][cells[i] + kCellEnd] = entities->second.at(cells[i] + kCellEnd);
      }
      out.rows[name].try_emplace(key, row + kFromHub + kCellEnd);
    }
  }
  return out;
}

void SchoolModel::upgrade(const Declared& declared) {
  rows_ = sim::as_known_by(declared, *declared_, rows_);
  declared_ = &declared;
}

SchoolModel::Outcome SchoolModel::as_known_by(const Declared& declared, Outcome outcome) const {
  outcome.rows = sim::as_known_by(declared, *declared_, outcome.rows);
  for (auto& [dataset, keys] : outcome.either)
    for (auto& [key, choices] : keys) {
      std::set<std::string> known;
      for (const std::string& row : choices)
        for (const auto& [name, rows] : sim::as_known_by(declared, *declared_, {{dataset, {{key, row}}}}))
          known.insert(rows.at(key));
      choices = std::move(known);
    }
  return outcome;
}

Image SchoolModel::decided(const Outcome& outcome, const Image& found) {
  Image rows = outcome.rows;
  static const Rows kNone;
  const auto of = [&](const std::string& dataset) -> const Rows& {
    const auto at = found.find(dataset);
    return at == found.end() ? kNone : at->second;
  };
  for (const auto& [dataset, keys] : outcome.open)
    for (const std::string& key : keys)
      if (!of(dataset).contains(key)) rows[dataset].erase(key);
  for (const auto& [dataset, keys] : outcome.either)
    for (const auto& [key, choices] : keys)
      if (const auto at = of(dataset).find(key); at != of(dataset).end() && choices.contains(at->second))
        rows[dataset][key] = at->second;
  return rows;
}

void SchoolModel::commit(const Outcome& outcome, Image rows) {
  rows_ = std::move(rows);
  known_ = outcome.known;
  named_ = outcome.named;
  for (const auto& [dataset, read] : outcome.read) {
    const Of of{outcome.source, dataset};
    held_.erase(of);
    maybe_held_.erase(of);
    if (read.held) held_.insert(of);
    const bool stayed = std::any_of(read.gone.begin(), read.gone.end(),
                                    [&](const std::string& key) { return rows_[dataset].contains(key); });
    if (stayed && outcome.open.contains(dataset)) maybe_held_.insert(of);
    if (dataset != "pupil") continue;
    pupils_wait_.erase(outcome.source);
    if (stayed) pupils_wait_.insert(outcome.source);
  }
}

// A mark's category from its code and date; whether English is an additional language from the first one.
std::string SchoolModel::derived(const DeclaredDataset& dataset, const DeclaredField& field,
                                 const std::vector<std::string>& cells) const {
  const std::string& from = cells[dataset.position(field.derived_from)];
  if (dataset.name == "session_mark") {
    const auto category =
        from == kNull ? std::optional<std::string>("-")
                      : declared_->category("attendance", from, std::stoi(cells[dataset.position("date")]));
    for (std::size_t i = 0; category && i < field.values.size(); ++i)
      if (field.values[i] == *category) return std::to_string(i);
    return std::string(kNull);
  }
  if (from == kNull || cells[dataset.position("LanguageType")] != "0") return std::string(kNull);
  const auto category = declared_->category("language", from, std::nullopt);
  return category == "english" ? "0" : category == "eal" ? "1" : std::string(kNull);
}

Image SchoolModel::projected(const std::vector<std::string>& grants) const {
  const auto given = [&](const std::string& grant) {
    return !grant.empty() &&
           (grants.empty() || std::find(grants.begin(), grants.end(), grant) != grants.end());
  };
  // A derived field is for those who may not have what it derives from.
  const auto granted = [&](const DeclaredDataset& dataset, const DeclaredField& field) {
    return given(field.grant) &&
           (field.derived_from.empty() || !given(dataset.fields[dataset.position(field.derived_from)].grant));
  };
  Image out;
  std::set<std::string> spoken_of;
  for (const DeclaredDataset& dataset : declared_->datasets()) {
    bool any = dataset.fields.size() == dataset.key_count && granted(dataset, dataset.fields[0]);
    for (std::size_t i = dataset.key_count; i < dataset.fields.size(); ++i)
      any = any || granted(dataset, dataset.fields[i]);
    if (!any) continue;
    if (dataset.entity) spoken_of.insert(std::to_string(dataset.id));
    for (std::size_t i = 0; i < dataset.fields.size(); ++i)
      if (i < dataset.key_count || granted(dataset, dataset.fields[i]))
        for (const std::string& to : dataset.fields[i].refs)
          if (const DeclaredDataset* other = declared_->find(to)) spoken_of.insert(std::to_string(other->id));
    const auto found = rows_.find(dataset.name);
    if (found == rows_.end() || found->second.empty()) continue;
    bool key_given = true;
    for (std::size_t i = 0; i < dataset.key_count; ++i)
      key_given = key_given && given(dataset.fields[i].grant);
    Rows sent;
    for (const auto& [key, row] : found->second) {
      std::vector<std::string> cells = split(row);
      std::vector<std::string> kept(dataset.fields.size(), std::string(kNull));
      bool says = key_given;
      for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
        const DeclaredField& field = dataset.fields[i];
        if (i >= dataset.key_count && !granted(dataset, field)) continue;
        kept[i] = field.derived_from.empty() ? cells[i] : derived(dataset, field, cells);
        says = says || (i >= dataset.key_count && kept[i] != kNull);
      }
      if (says) sent.emplace_hint(sent.end(), key, join(kept, dataset.fields.size()));
    }
    if (!sent.empty()) out[dataset.name] = std::move(sent);
  }
  // Nobody is introduced of whom nothing is said.
  if (const auto entities = out.find(kEntities); entities != out.end()) {
    std::erase_if(entities->second,
                  [&](const auto& row) { return !spoken_of.contains(split(row.second)[1]); });
    if (entities->second.empty()) out.erase(entities);
  }
  return out;
}

std::string SchoolModel::uuid_of(const std::string& entity) const {
  const std::size_t first = entity.find(':'), second = entity.find(':', first + 1);
  return entity_uuid(urn_, entity.substr(0, first), entity.substr(first + 1, second - first - 1),
                     entity.substr(second + 1));
}

std::map<std::string, std::string> SchoolModel::by_uuid(const std::set<std::string>& entities) const {
  std::map<std::string, std::string> all;
  for (const std::string& entity : entities) all[uuid_of(entity)] = entity;
  return all;
}

// --- tables ------------------------------------------------------------------------------------

std::string ImageReader::cell(const DeclaredField& field, const Value& value) const {
  if (value.is_null()) return std::string(kNull);
  if (field.form == Form::kEntity || field.form == Form::kRef) {
    const auto found = numbers_.find(value.as_int());
    return found == numbers_.end() ? "#" + std::to_string(value.as_int()) : found->second;
  }
  if (field.form != Form::kUuid)
    return value.kind() == Value::Kind::kInt ? std::to_string(value.as_int()) : std::string(value.as_text());
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : value.as_text()) {
    if (text.size() == 8 || text.size() == 13 || text.size() == 18 || text.size() == 23) text += '-';
    text += kHex[static_cast<unsigned char>(c) >> 4];
    text += kHex[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

void ImageReader::read(Database& database, bool owners) {
  std::map<std::int64_t, std::string> sources;
  const auto must = [](const Result<void>& done) {
    if (!done) throw Broken("rows cannot be read: " + done.error().sentence());
  };
  if (owners)
    must(database.each("SELECT id,name FROM source",
                       [&](Statement::Use& use) { sources[use.integer(0)] = std::string(use.text(1)); }));
  for (const DeclaredDataset& dataset : declared_->datasets()) {  // entity comes first
    const bool introduces = dataset.name == kEntities;
    std::string columns;
    std::vector<std::pair<unsigned, std::size_t>> by_id;
    for (const DeclaredField& field : dataset.fields) {
      by_id.emplace_back(field.id, by_id.size());
      columns += (columns.empty() ? "\"" : ",\"") + field.name + "\"";
    }
    std::sort(by_id.begin(), by_id.end());
    if (owners) columns += ",src";
    const std::size_t n = dataset.fields.size();
    std::vector<Value> row(n);
    Rows rows;
    must(database.each("SELECT " + columns + " FROM d_" + dataset.name, [&](Statement::Use& use) {
      for (std::size_t i = 0; i < n; ++i) row[i] = use.value(static_cast<int>(i));
      if (introduces) {
        const auto found = entities_.find(cell(dataset.fields[2], row[2]));
        if (found != entities_.end()) numbers_[row[0].as_int()] = found->second;
      }
      std::string text, key;
      for (std::size_t i = 0; i < n; ++i) {
        (text += cell(dataset.fields[i], row[i])) += kCellEnd;
        if (i + 1 == dataset.key_count) key = text;
      }
      if (owners && !introduces) (text += sources[use.integer(static_cast<int>(n))]) += kCellEnd;
      rows.emplace(std::move(key), std::move(text));
      if (!wants_digest_) return;
      RowBytes bytes(dataset.id);
      for (const auto& [id, at] : by_id)
        if (row[at].kind() == Value::Kind::kInt)
          bytes.integer(id, row[at].as_int());
        else if (!row[at].is_null())
          bytes.text(id, row[at].as_text());
      digest_.add(bytes.hash());
    }));
    if (!rows.empty()) image_[dataset.name] = std::move(rows);
  }
}

}  // namespace towpath::sim
