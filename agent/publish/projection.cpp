#include "agent/publish/projection.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "domain/academic_year.hpp"
#include "sqlite/table.hpp"

namespace towpath {
namespace {

constexpr std::string_view kFormat = "2 ";  // what a kept specification begins with
constexpr std::string_view kPupil = "pupil";

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Each of the words between the separators.
std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(by);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

template <class N>
std::optional<N> number(std::string_view text) {
  N n{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

template <class N>
std::optional<std::vector<N>> numbers(std::string_view text) {
  std::vector<N> out;
  for (const std::string_view word : split(text, ',')) {
    const auto n = number<N>(word);
    if (!n) return std::nullopt;
    out.push_back(*n);
  }
  return out;
}

template <class N>
std::string joined(const std::vector<N>& list) {
  std::string out;
  for (const N n : list) out += (out.empty() ? "" : ",") + std::to_string(n);
  return out;
}

std::vector<std::size_t> positions_of(const Dataset& dataset, const DatasetSpec& spec) {
  std::vector<std::size_t> out;
  for (const std::uint8_t id : spec.fields)
    if (const auto at = dataset.position_of_id(id)) out.push_back(*at);
  return out;
}

std::vector<std::uint8_t> ids(const Dataset& dataset, const std::vector<std::size_t>& positions) {
  std::vector<std::uint8_t> out;
  for (const std::size_t p : positions) out.push_back(dataset.fields[p].id);
  return out;
}

bool is_pupil(const Dataset& dataset) { return dataset.name == kPupil; }

// Whether the reference may name a pupil, and whether nobody else.
bool may_be_pupil(const Field& field) {
  const auto targets = split(field.ref, ',');
  return std::find(targets.begin(), targets.end(), kPupil) != targets.end();
}

std::string_view word_of(ScopeKind kind) {
  switch (kind) {
    case ScopeKind::kEveryone:
      return "everyone";
    case ScopeKind::kOnRoll:
      return "roll";
    case ScopeKind::kNamed:
      return "named";
  }
  return "everyone";
}

// As dictionary and agreement say, whichever is less.
std::optional<int> years_of(const Dataset& dataset, const Audience& audience) {
  std::optional<int> years;
  if (dataset.retention_years) years = *dataset.retention_years;
  if (const auto own = audience.retention_years.find(std::string(dataset.name));
      own != audience.retention_years.end())
    years = years ? std::min(*years, own->second) : own->second;
  return years;
}

std::optional<DatasetSpec> specify(const Dataset& dataset, const Audience& audience) {
  const auto granted = [&](const Field& field) {
    if (field.grant.empty()) return false;  // local: never leaves
    if (contains(audience.without, std::string(dataset.name) + "." + std::string(field.name))) return false;
    return audience.grants.empty() || contains(audience.grants, field.grant);
  };
  DatasetSpec spec;
  spec.id = dataset.id;
  std::vector<bool> goes(dataset.fields.size());
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    goes[i] = i < dataset.key_count || (granted(field) && !field.derived());
  }
  // What may be derived goes where its origin does not.
  for (std::size_t i = dataset.key_count; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    if (!field.derived() || !granted(field)) continue;
    const auto origin = dataset.position(field.derived_from);
    goes[i] = origin && !goes[*origin];
  }
  for (std::size_t i = 0; i < dataset.fields.size(); ++i)
    if (goes[i]) spec.fields.push_back(dataset.fields[i].id);
  const bool keys_only = dataset.fields.size() == dataset.key_count;
  if (spec.fields.size() == dataset.key_count && !(keys_only && granted(dataset.fields[0])))
    return std::nullopt;
  spec.beside_key = !std::all_of(dataset.fields.begin(), dataset.fields.begin() + dataset.key_count, granted);
  if (audience.scope.today && !dataset.retention_date.empty()) {
    spec.years = years_of(dataset, audience);
    if (spec.years)
      spec.cutoff =
          AcademicYear::starting_in(AcademicYear::of(*audience.scope.today).starting() - *spec.years)
              .first_day()
              .days;
  }
  return spec;
}

}  // namespace

std::optional<int> leaver_years(const Dictionary& dictionary, const Audience& audience) {
  const Dataset* pupil = dictionary.find(kPupil);
  if (pupil == nullptr || !audience.scope.today) return std::nullopt;
  return years_of(*pupil, audience);
}

Specification specify(const Dictionary& dictionary, const Audience& audience) {
  Specification out;
  std::string groups;
  for (const std::string& group : audience.scope.year_groups) groups += (groups.empty() ? "" : ",") + group;
  const auto years = leaver_years(dictionary, audience);
  out.scope = std::string(word_of(audience.scope.kind)) + " " + (groups.empty() ? "-" : groups) + " " +
              (years ? std::to_string(*years) : "-");
  out.listed = audience.scope.kind != ScopeKind::kEveryone || !audience.scope.year_groups.empty();
  std::set<std::string_view> spoken_of;
  for (const Dataset& dataset : dictionary.datasets) {
    auto spec = specify(dataset, audience);
    if (!spec) continue;
    if (dataset.entity) spoken_of.insert(dataset.name);
    for (const std::uint8_t id : spec->fields)
      for (const std::string_view target : split(dataset.fields[*dataset.position_of_id(id)].ref, ','))
        spoken_of.insert(target);
    out.datasets.push_back(std::move(*spec));
  }
  std::sort(out.datasets.begin(), out.datasets.end(),
            [](const DatasetSpec& a, const DatasetSpec& b) { return a.id < b.id; });
  // Nobody is introduced of whom nothing is said.
  const Dataset* entity = dictionary.find(kEntityDataset);
  for (DatasetSpec& spec : out.datasets) {
    if (entity == nullptr || spec.id != entity->id) continue;
    std::vector<std::uint16_t> kinds;
    bool all = true;
    for (const Dataset& dataset : dictionary.datasets) {
      if (!dataset.entity) continue;
      if (spoken_of.contains(dataset.name))
        kinds.push_back(dataset.id);
      else
        all = false;
    }
    std::sort(kinds.begin(), kinds.end());
    if (!all) spec.kinds = std::move(kinds);
    spec.with_row = true;
  }
  return out;
}

std::string Specification::text() const {
  std::string out = std::string(kFormat) + scope + (listed ? " listed" : " -");
  for (const DatasetSpec& d : datasets) {
    out += "|" + std::to_string(d.id) + ":" + joined(d.fields);
    if (d.beside_key) out += "!";
    if (d.years) out += "@" + std::to_string(*d.years) + ":" + std::to_string(d.cutoff.value_or(0));
    if (d.kinds) out += "=" + joined(*d.kinds);
    if (d.with_row) out += "~";
  }
  return out;
}

std::optional<Specification> Specification::parse(std::string_view text) {
  Specification out;
  if (!text.starts_with(kFormat)) {
    // "3:1,2,;8:1,2,3,;": everyone, for ever.
    out.scope = "everyone - -";
    for (std::string_view part : split(text, ';')) {
      if (part.empty()) continue;
      const auto colon = part.find(':');
      if (colon == std::string_view::npos || !part.ends_with(',')) return std::nullopt;
      const auto id = number<std::uint16_t>(part.substr(0, colon));
      auto fields = numbers<std::uint8_t>(part.substr(colon + 1, part.size() - colon - 2));
      if (!id || !fields) return std::nullopt;
      DatasetSpec d;
      d.id = *id;
      d.fields = std::move(*fields);
      out.datasets.push_back(std::move(d));
    }
    if (out.datasets.empty()) return std::nullopt;
    return out;
  }
  text.remove_prefix(kFormat.size());
  const auto parts = split(text, '|');
  const auto words = split(parts[0], ' ');
  if (words.size() != 4) return std::nullopt;
  out.scope = std::string(words[0]) + " " + std::string(words[1]) + " " + std::string(words[2]);
  out.listed = words[3] == "listed";
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::string_view part = parts[i];
    DatasetSpec d;
    if (part.ends_with('~')) {
      d.with_row = true;
      part.remove_suffix(1);
    }
    if (const auto at = part.find('='); at != std::string_view::npos) {
      d.kinds = std::vector<std::uint16_t>{};
      if (at + 1 < part.size()) d.kinds = numbers<std::uint16_t>(part.substr(at + 1));
      if (!d.kinds) return std::nullopt;
      part = part.substr(0, at);
    }
    if (const auto at = part.find('@'); at != std::string_view::npos) {
      const auto two = split(part.substr(at + 1), ':');
      if (two.size() != 2) return std::nullopt;
      d.years = number<int>(two[0]);
      d.cutoff = number<std::int32_t>(two[1]);
      if (!d.years || !d.cutoff) return std::nullopt;
      part = part.substr(0, at);
    }
    if (part.ends_with('!')) {
      d.beside_key = true;
      part.remove_suffix(1);
    }
    const auto colon = part.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto id = number<std::uint16_t>(part.substr(0, colon));
    auto fields = numbers<std::uint8_t>(part.substr(colon + 1));
    if (!id || !fields) return std::nullopt;
    d.id = *id;
    d.fields = std::move(*fields);
    out.datasets.push_back(std::move(d));
  }
  return out;
}

const DatasetSpec* Specification::find(std::uint16_t id) const {
  for (const DatasetSpec& d : datasets)
    if (d.id == id) return &d;
  return nullptr;
}

ProjectedDataset::ProjectedDataset(const Dictionary& dictionary, const Dataset& dataset,
                                   const DatasetSpec& spec)
    : dataset_(&dataset),
      spec_(spec),
      positions_(positions_of(dataset, spec)),
      has_(dataset.fields.size()),
      derived_(dictionary, dataset),
      hasher_(dataset.id, ids(dataset, positions_)) {
  for (const std::size_t p : positions_) {
    has_[p] = true;
    fields_.push_back({dataset.fields[p].id, is_text(dataset.fields[p].type)});
  }
  known_ = positions_.size() == spec.fields.size() && positions_.size() >= dataset.key_count;
  for (std::size_t k = 0; known_ && k < dataset.key_count; ++k) known_ = positions_[k] == k;
  if (dataset.name == kEntityDataset) {
    kind_ = dataset.position("kind");
    if (const Dataset* pupil = dictionary.find(kPupil)) pupil_kind_ = pupil->id;
    if (spec.with_row)
      for (const Dataset& other : dictionary.datasets)
        if (is_about_pupil(other)) about_pupils_.push_back(other.id);
  } else if (is_pupil(dataset)) {
    pupils_.push_back(0);
  }
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& field = dataset.fields[i];
    if (!may_be_pupil(field)) continue;
    (field.ref == kPupil ? pupils_ : anybody_).push_back(i);
  }
  if (spec.cutoff) {
    date_ = dataset.position(dataset.retention_date);
    known_ = known_ && date_.has_value();
  }
}

template <class Of>
PupilState ProjectedDataset::least(RowView row, Of of) const {
  PupilState state = PupilState::kWhole;
  for (const std::size_t p : pupils_)
    if (!row[p].is_null()) state = std::min(state, of(row[p].as_int(), true));
  for (const std::size_t p : anybody_)
    if (!row[p].is_null()) state = std::min(state, of(row[p].as_int(), false));
  if (kind_ && row[*kind_].as_int() == pupil_kind_) state = std::min(state, of(row[0].as_int(), true));
  return state;
}

PupilState ProjectedDataset::state(RowView row, const PupilStates& states) const {
  return least(row, [&](std::int64_t number, bool pupil) {
    return pupil ? states.of(number) : states.of_anybody(number);
  });
}

PupilState ProjectedDataset::by_rule(RowView row, const PupilStates& states) const {
  return least(row, [&](std::int64_t number, bool) { return states.by_rule(number); });
}

bool ProjectedDataset::goes_with_own_row(RowView row) const {
  return kind_ &&
         std::find(about_pupils_.begin(), about_pupils_.end(), row[*kind_].as_int()) != about_pupils_.end();
}

bool ProjectedDataset::too_old(RowView row) const {
  return date_ && !row[*date_].is_null() && row[*date_].as_int() < *spec_.cutoff;
}

bool ProjectedDataset::project(RowView row, const PupilStates& states, std::span<const std::size_t> positions,
                               std::span<Value> out) const {
  if (too_old(row)) return false;
  if (kind_ && spec_.kinds &&
      !std::binary_search(spec_.kinds->begin(), spec_.kinds->end(),
                          static_cast<std::uint16_t>(row[*kind_].as_int())))
    return false;
  if (goes_with_own_row(row) && !states.introduces(row[0].as_int())) return false;
  const PupilState whose = state(row, states);
  if (whose == PupilState::kOut) return false;
  bool anything = false;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::size_t p = positions[i];
    const Field& field = dataset_->fields[p];
    out[i] = Value{};
    if (!has_[p] || (whose == PupilState::kMasked && field.protect != 0)) continue;
    out[i] = field.derived() ? derived_.value(p, row) : row[p];
    anything = anything || (p >= dataset_->key_count && !out[i].is_null());
  }
  return anything || !spec_.beside_key;
}

bool is_about_pupil(const Dataset& dataset) {
  return dataset.entity && !is_pupil(dataset) &&
         std::any_of(dataset.fields.begin(), dataset.fields.end(),
                     [](const Field& f) { return f.ref == kPupil; });
}

std::vector<std::size_t> pupil_positions(const Dataset& dataset) {
  std::vector<std::size_t> out;
  if (dataset.name == kEntityDataset || is_pupil(dataset)) out.push_back(0);
  for (std::size_t i = 0; i < dataset.fields.size(); ++i)
    if (may_be_pupil(dataset.fields[i])) out.push_back(i);
  return out;
}

std::optional<std::vector<ProjectedDataset>> project_by(const Dictionary& dictionary,
                                                        const Specification& spec) {
  std::vector<ProjectedDataset> out;
  for (const DatasetSpec& d : spec.datasets) {
    const Dataset* dataset = dictionary.find(d.id);
    if (dataset == nullptr) return std::nullopt;
    out.emplace_back(dictionary, *dataset, d);
    if (!out.back().known()) return std::nullopt;
  }
  return out;
}

std::vector<ProjectedDataset> project_dictionary(const Dictionary& dictionary,
                                                 const std::vector<std::string>& grants,
                                                 const std::vector<std::string>& without) {
  auto out = project_by(dictionary, specify(dictionary, Audience{"", grants, without}));
  TP_ASSERT(out.has_value());
  return std::move(*out);
}

}  // namespace towpath
