#include "agent/intake/row_check.hpp"

#include <algorithm>

#include "sqlite/table.hpp"

namespace towpath {
namespace {

Problem problem(std::string_view rule, const Field& field, std::string text) {
  return Problem{rule, field.name, std::move(text)};
}

std::string named(const Field& field) { return std::string(field.name); }

std::size_t code_points(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto b = static_cast<unsigned char>(text[i]);
    if (b < 0x80) {
      if (b == 0) return false;
      ++i;
      continue;
    }
    const int n = b >= 0xc2 && b < 0xe0 ? 1 : b >= 0xe0 && b < 0xf0 ? 2 : b >= 0xf0 && b < 0xf5 ? 3 : 0;
    if (n == 0 || text.size() - i <= static_cast<std::size_t>(n)) return false;
    for (int k = 1; k <= n; ++k)
      if ((static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0xc0) != 0x80) return false;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((b == 0xe0 && second < 0xa0) || (b == 0xed && second >= 0xa0) || (b == 0xf0 && second < 0x90) ||
        (b == 0xf4 && second >= 0x90))
      return false;
    i += static_cast<std::size_t>(n) + 1;
  }
  return true;
}

// --- References ----------------------------------------------------------------------

Result<References::Attribute*> References::attribute(const Dataset& dataset, std::string_view field) {
  for (const auto& a : attributes_)
    if (a->dataset == dataset.id && a->field == field) return a.get();
  const auto at = dataset.position(field);
  if (!at)
    return fail(
        Code::kConfig,
        "references by " + std::string(field) + ": " + std::string(dataset.name) + " has no such field",
        "Correct `by` in the source's mapping");
  auto made = std::make_unique<Attribute>(Attribute{dataset.id, std::string(field), {}});
  auto statement = store_.db().prepare("SELECT " + column_name(dataset.fields[*at]) + "," +
                                       column_name(dataset.fields[0]) + " FROM " + table_name(dataset));
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) break;
    if (use.is_null(0)) continue;
    const auto [place, fresh] = made->numbers.emplace(std::string(use.text(0)), use.integer(1));
    if (!fresh) place->second = -1;
  }
  attributes_.push_back(std::move(made));
  return attributes_.back().get();
}

void References::forget(const Dataset& dataset) {
  std::erase_if(attributes_, [&](const auto& a) { return a->dataset == dataset.id; });
}

Result<Fingerprint> References::matched(const Field& field, std::string_view by, std::string_view only) {
  Fingerprint print = 0;
  std::string_view names = field.ref;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(','), names.size());
    const Dataset* dataset = store_.dictionary().find(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    if (dataset == nullptr || (!only.empty() && dataset->name != only)) continue;
    const auto at = dataset->position(by);
    if (!at) continue;
    TP_TRY(store_.db().each(
        "SELECT " + column_name(dataset->fields[*at]) + "," + column_name(dataset->fields[0]) + " FROM " +
            table_name(*dataset) + " WHERE " + column_name(dataset->fields[*at]) + " IS NOT NULL ORDER BY 2",
        [&](Statement::Use& use) {
          print = fingerprint(use.text(0), print ^ static_cast<Fingerprint>(use.integer(1)));
        }));
  }
  return print;
}

Result<References::Answer> References::find(const Field& field, const SourceRef& ref) {
  std::string_view names = field.ref;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(','), names.size());
    const Dataset* dataset = store_.dictionary().find(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    if (dataset == nullptr || (!ref.dataset.empty() && dataset->name != ref.dataset)) continue;
    if (ref.by.empty()) {
      auto number = identities_.find(*dataset, space(ref), ref.id);
      if (!number) return fail(std::move(number).error());
      if (*number) return Answer{**number, false};
      continue;
    }
    if (!dataset->position(ref.by)) continue;
    auto in = attribute(*dataset, ref.by);
    if (!in) return fail(std::move(in).error());
    const auto found = (*in)->numbers.find(std::string(ref.id));
    if (found == (*in)->numbers.end()) continue;
    if (found->second < 0) return Answer{std::nullopt, true};
    return Answer{found->second, false};
  }
  return Answer{};
}

// --- RowCheck ------------------------------------------------------------------------

RowCheck::RowCheck(const Dataset& dataset, const Dictionary& dictionary, References& references,
                   Oddities& oddities)
    : dataset_(dataset),
      references_(references),
      oddities_(oddities),
      sets_(dataset.fields.size()),
      day_of_(dataset.fields.size(), -1),
      hits_(dataset.fields.size()) {
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    if (field.type != Type::kCode) continue;
    sets_[i] = dictionary.codeset(field.codeset);
    TP_ASSERT(sets_[i] != nullptr);
    if (const auto at = dataset.position(field.codeset_date)) day_of_[i] = static_cast<int>(*at);
  }
}

std::optional<Problem> RowCheck::code(std::size_t at, const InCell& cell, std::span<Value> row,
                                      std::optional<Date> day) {
  const Field& field = dataset_.fields[at];
  if (cell.kind != InCell::Kind::kText) return problem("type", field, named(field) + " is not a code");
  const CodeSet& set = *sets_[at];
  const CodeSetVersion* version = set.version_on(day);
  CodeHit* hit = nullptr;
  for (CodeHit& h : hits_[at])
    if (h.version == version && h.raw == cell.text) {
      hit = &h;
      break;
    }
  if (hit == nullptr) {
    if (!valid_utf8(cell.text) || code_points(cell.text) > 64)
      return problem("type", field, named(field) + " is not a code (too long, or not text)");
    const CodeEntry* entry = set.find(cell.text, day);
    // Codes are few; a column of anything else fills this up and then starts anew.
    if (hits_[at].size() >= 256) hits_[at].clear();
    std::string_view odd;
    if (entry == nullptr) {
      // Known, but not on that day (Q07), or not at all (Q12).
      const bool ever = std::any_of(set.versions.begin(), set.versions.end(), [&](const CodeSetVersion& v) {
        return set.find(cell.text, v.from) != nullptr;
      });
      odd = ever ? "Q07" : "Q12";
    }
    hits_[at].push_back(
        {version, std::string(cell.text), entry != nullptr ? entry->code : kUnknownCode, odd});
    hit = &hits_[at].back();
  }
  if (!hit->odd.empty()) oddities_.add(hit->odd, std::string(dataset_.name) + "." + std::string(field.name));
  row[at] = Value{hit->canonical};
  const std::size_t raw = at + 1;  // its companion stands right after it
  if (raw < dataset_.fields.size() && dataset_.fields[raw].type == Type::kRawCode &&
      hit->canonical != cell.text)
    row[raw] = Value{cell.text};
  return std::nullopt;
}

Result<std::optional<Problem>> RowCheck::check(std::span<const InCell> cells, std::span<Value> row) {
  const std::size_t n = dataset_.fields.size();
  TP_ASSERT(cells.size() == n && row.size() == n);
  for (Value& v : row) v = Value{};
  // Codes come last: which version holds depends on the row's date.
  bool codes = false;
  key_known_ = false;
  for (std::size_t i = 0; i < n; ++i) {
    if (i == dataset_.key_count) key_known_ = !codes;
    const Field& field = dataset_.fields[i];
    const InCell& cell = cells[i];
    if (field.derived()) continue;  // never a source's word
    if (cell.kind == InCell::Kind::kNull) {
      if (i < dataset_.key_count || field.required)
        return problem("required", field, named(field) + " is missing");
      continue;
    }
    switch (field.type) {
      case Type::kEntity:
        if (cell.kind != InCell::Kind::kRef || cell.ref.id.empty())
          return problem("required", field, "the record has no id of its own");
        own_ = cell.ref;
        break;
      case Type::kRef: {
        if (cell.kind != InCell::Kind::kRef || cell.ref.id.empty())
          return problem("required", field, named(field) + " is missing");
        auto answer = references_.find(field, cell.ref);
        if (!answer) return fail(std::move(answer).error());
        if (answer->several)
          return problem(
              "reference", field,
              named(field) + ": several records have this " + std::string(cell.ref.by) + "; none was chosen");
        if (!answer->number)
          return problem("reference", field, named(field) + " points to a record that no source has given");
        row[i] = Value{*answer->number};
        break;
      }
      case Type::kBool:
        if (cell.kind != InCell::Kind::kInt || (cell.number != 0 && cell.number != 1))
          return problem("type", field, named(field) + " is not true or false");
        row[i] = Value{cell.number};
        break;
      case Type::kInt:
      case Type::kInstant:
        if (cell.kind != InCell::Kind::kInt) return problem("type", field, named(field) + " is not a number");
        // Years, ranks, minutes, pence: nothing that the dictionary counts can be below nothing.
        if (field.type == Type::kInt && (cell.number < 0 || cell.number > kIntMax))
          return problem("type", field, named(field) + " is below 0 or above " + std::to_string(kIntMax));
        row[i] = Value{cell.number};
        break;
      case Type::kDate:
        if (cell.kind != InCell::Kind::kInt) return problem("type", field, named(field) + " is not a date");
        if (cell.number < kDateMin.days || cell.number > kDateMax.days)
          return problem("type", field, named(field) + " is not between 1900 and 2100");
        row[i] = Value{cell.number};
        break;
      case Type::kEnum: {
        std::int64_t index = -1;
        if (cell.kind == InCell::Kind::kText) {
          for (std::size_t k = 0; k < field.values.size(); ++k)
            if (field.values[k] == cell.text) index = static_cast<std::int64_t>(k);
        } else if (cell.kind == InCell::Kind::kInt && cell.number >= 0 &&
                   cell.number < static_cast<std::int64_t>(field.values.size())) {
          index = cell.number;
        }
        if (index < 0) {
          std::string known;
          for (const std::string_view v : field.values) known += (known.empty() ? "" : ", ") + std::string(v);
          return problem("type", field, named(field) + " is none of: " + known);
        }
        row[i] = Value{index};
        break;
      }
      case Type::kCode:
        codes = true;
        break;
      case Type::kRawCode:
        break;  // made from its code
      case Type::kUuid:
      case Type::kText:
        if (cell.kind != InCell::Kind::kText) return problem("type", field, named(field) + " is not text");
        if (!valid_utf8(cell.text))
          return problem("encoding", field, named(field) + " is not UTF-8 text; set the source's encoding");
        if (field.max_chars > 0 && cell.text.size() > field.max_chars &&
            code_points(cell.text) > field.max_chars)
          return problem("type", field,
                         named(field) + " is longer than " + std::to_string(field.max_chars) + " characters");
        row[i] = Value{cell.text};
        break;
    }
  }
  if (!codes) return std::nullopt;
  for (std::size_t i = 0; i < n; ++i) {
    if (dataset_.fields[i].type != Type::kCode || cells[i].kind == InCell::Kind::kNull) continue;
    std::optional<Date> day;
    if (day_of_[i] >= 0 && !row[static_cast<std::size_t>(day_of_[i])].is_null())
      day = Date{static_cast<std::int32_t>(row[static_cast<std::size_t>(day_of_[i])].as_int())};
    if (auto bad = code(i, cells[i], row, day)) return bad;
  }
  return std::nullopt;
}

}  // namespace towpath
