#include "agent/publish/scope.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "domain/academic_year.hpp"
#include "sqlite/table.hpp"

namespace towpath {
namespace {

constexpr std::int64_t kMaskedFrom = 1;  // R1
constexpr std::int64_t kOutFrom = 2;     // R2

PupilState of_level(std::int64_t level) {
  if (level >= kOutFrom) return PupilState::kOut;
  return level >= kMaskedFrom ? PupilState::kMasked : PupilState::kWhole;
}

// In shared_pupil: an entity that is introduced, and no pupil.
constexpr std::int64_t kIntroduced = 3;
// Else: the state where something is had; of who is out, what the rules leave, less kWhole.
constexpr std::int64_t kWhole = static_cast<std::int64_t>(PupilState::kWhole);
PupilState state_of(std::int64_t number) {
  return number <= 0 ? PupilState::kOut : number == 1 ? PupilState::kMasked : PupilState::kWhole;
}

std::string column(const Dataset& dataset, std::string_view field) {
  const auto at = dataset.position(field);
  TP_ASSERT(at.has_value());
  return column_name(dataset.fields[*at]);
}

// Protection from the MIS and by hand, restriction, erasure: whom less is shared of than agreed.
Result<std::map<std::int64_t, PupilState>> rules(Store& store) {
  std::map<std::int64_t, PupilState> out;
  const auto limit = [&](std::int64_t pupil, PupilState state) {
    const auto [at, fresh] = out.emplace(pupil, state);
    if (!fresh) at->second = std::min(at->second, state);
  };
  TP_TRY(store.db().each("SELECT pupil,level,restricted,erased FROM pupil_rule", [&](Statement::Use& row) {
    limit(row.integer(0),
          row.integer(2) != 0 || row.integer(3) != 0 ? PupilState::kOut : of_level(row.integer(1)));
  }));
  if (const Dataset* protection = store.dictionary().find("protection"))
    TP_TRY(store.db().each("SELECT " + column(*protection, "pupil") + "," + column(*protection, "level") +
                               " FROM " + table_name(*protection),
                           [&](Statement::Use& row) { limit(row.integer(0), of_level(row.integer(1))); }));
  std::erase_if(out, [](const auto& one) { return one.second == PupilState::kWhole; });
  return out;
}

// What the enrolments say of a pupil.
struct Spells {
  bool on_roll = false;
  bool open = false;     // one has no end
  Date last{INT32_MIN};  // the latest end
};

Result<std::map<std::int64_t, Spells>> spells(Store& store, std::optional<Date> today) {
  std::map<std::int64_t, Spells> out;
  const Dataset* d = store.dictionary().find("enrolment");
  if (d == nullptr) return out;
  const CodeSet* statuses = store.dictionary().codeset("enrol_status");
  TP_TRY(store.db().each(
      "SELECT " + column(*d, "pupil") + "," + column(*d, "EntryDate") + "," + column(*d, "LeavingDate") +
          "," + column(*d, "EnrolStatus") + " FROM " + table_name(*d),
      [&](Statement::Use& row) {
        Spells& s = out[row.integer(0)];
        const bool ends = !row.is_null(2);
        const Date entry{static_cast<std::int32_t>(row.integer(1))};
        const Date end{static_cast<std::int32_t>(row.integer(2))};
        if (ends)
          s.last = std::max(s.last, end);
        else
          s.open = true;
        // A guest, or a pupil of a college, is here and not on the roll.
        const CodeEntry* status =
            statuses == nullptr || row.is_null(3) ? nullptr : statuses->find(row.text(3), std::nullopt);
        const bool counts = status == nullptr || status->category != "off-roll";
        const bool begun = !today || entry <= *today;
        const bool lasts = !ends || (today && end >= *today);
        if (counts && begun && lasts) s.on_roll = true;
      }));
  return out;
}

}  // namespace

Scope scope_of(const Agreement& agreement, Date today) {
  return {agreement.scope, agreement.year_groups, today};
}

PupilStates::PupilStates(bool listed, std::vector<Entry> entries)
    : listed_(listed), entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.pupil < b.pupil; });
}

const PupilStates::Entry* PupilStates::find(std::int64_t pupil) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), pupil,
                                   [](const Entry& e, std::int64_t p) { return e.pupil < p; });
  return at != entries_.end() && at->pupil == pupil ? &*at : nullptr;
}

PupilState PupilStates::of(std::int64_t pupil) const {
  const Entry* entry = find(pupil);
  if (entry != nullptr) return entry->state;
  return listed_ ? PupilState::kOut : PupilState::kWhole;
}

PupilState PupilStates::of_anybody(std::int64_t number) const {
  const Entry* entry = find(number);
  return entry != nullptr ? entry->state : PupilState::kWhole;
}

PupilState PupilStates::by_rule(std::int64_t pupil) const {
  const Entry* entry = find(pupil);
  return entry != nullptr ? entry->by_rule : PupilState::kWhole;
}

void PupilStates::introduce(std::vector<std::int64_t> numbers) {
  introduced_ = std::move(numbers);
  std::sort(introduced_.begin(), introduced_.end());
}

bool PupilStates::introduces(std::int64_t number) const {
  return std::binary_search(introduced_.begin(), introduced_.end(), number);
}

std::vector<std::int64_t> PupilStates::introduced_differently(const PupilStates& other) const {
  std::vector<std::int64_t> out;
  std::set_symmetric_difference(introduced_.begin(), introduced_.end(), other.introduced_.begin(),
                                other.introduced_.end(), std::back_inserter(out));
  return out;
}

bool PupilStates::same(const PupilStates& other) const {
  return listed_ == other.listed_ && introduced_ == other.introduced_ &&
         std::equal(entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(),
                    [](const Entry& a, const Entry& b) {
                      return a.pupil == b.pupil && a.state == b.state &&
                             (a.state != PupilState::kOut || a.by_rule == b.by_rule);
                    });
}

bool PupilStates::tightened_since(const PupilStates& before) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.by_rule < before.by_rule(e.pupil); });
}

std::vector<std::int64_t> PupilStates::differing(const PupilStates& other) const {
  std::vector<std::int64_t> out;
  for (const Entry& e : entries_)
    if (other.of(e.pupil) != e.state) out.push_back(e.pupil);
  for (const Entry& e : other.entries_)
    if (find(e.pupil) == nullptr && of(e.pupil) != e.state) out.push_back(e.pupil);
  std::sort(out.begin(), out.end());
  return out;
}

Result<PupilStates> pupil_states(Store& store, const std::string& audience, const Scope& scope,
                                 std::optional<int> leaver_years) {
  auto by_rule = rules(store);
  if (!by_rule) return fail(std::move(by_rule).error());
  const bool listed = scope.kind != ScopeKind::kEveryone || !scope.year_groups.empty();
  const bool ages = leaver_years && scope.today;
  std::map<std::int64_t, Spells> enrolled;
  if (ages || scope.kind == ScopeKind::kOnRoll) {
    auto read = spells(store, scope.today);
    if (!read) return fail(std::move(read).error());
    enrolled = std::move(*read);
  }
  const auto too_long_ago = [&](const Spells& s) {
    if (!ages || s.open || s.last.days == INT32_MIN) return false;
    return AcademicYear::of(s.last).starting() + *leaver_years < AcademicYear::of(*scope.today).starting();
  };

  std::vector<PupilStates::Entry> entries;
  if (!listed) {
    // Only the exceptions.
    std::map<std::int64_t, PupilStates::Entry> found;
    for (const auto& [pupil, state] : *by_rule) found[pupil] = {pupil, state, state};
    for (const auto& [pupil, s] : enrolled) {
      if (!too_long_ago(s)) continue;
      auto& entry = found.try_emplace(pupil, PupilStates::Entry{pupil}).first->second;
      entry.state = PupilState::kOut;
    }
    for (const auto& [pupil, entry] : found) entries.push_back(entry);
    return PupilStates(false, std::move(entries));
  }

  // Everybody, those included of whom only the number is left.
  const Dataset* pupil = store.dictionary().find("pupil");
  const Dataset* entity = store.dictionary().find(kEntityDataset);
  if (pupil == nullptr || entity == nullptr) return PupilStates(true, {});
  std::map<std::int64_t, bool> in_years;
  TP_TRY(store.db().each("SELECT " + column(*entity, "number") + " FROM " + table_name(*entity) + " WHERE " +
                             column(*entity, "kind") + "=" + std::to_string(pupil->id),
                         [&](Statement::Use& row) { in_years[row.integer(0)] = scope.year_groups.empty(); }));
  TP_TRY(store.db().each("SELECT " + column(*pupil, "pupil") + "," + column(*pupil, "NCyearActual") +
                             " FROM " + table_name(*pupil),
                         [&](Statement::Use& row) {
                           in_years[row.integer(0)] =
                               scope.year_groups.empty() ||
                               std::find(scope.year_groups.begin(), scope.year_groups.end(), row.text(1)) !=
                                   scope.year_groups.end();
                         }));
  std::set<std::int64_t> named;
  if (scope.kind == ScopeKind::kNamed) {
    auto statement = store.db().prepare("SELECT pupil FROM named_pupil WHERE audience=?1");
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    use.bind(1, std::string_view(audience));
    for (;;) {
      auto more = use.step();
      if (!more) return fail(std::move(more).error());
      if (!*more) break;
      named.insert(use.integer(0));
    }
  }
  for (const auto& [number, fits] : in_years) {
    PupilStates::Entry entry{number};
    if (const auto rule = by_rule->find(number); rule != by_rule->end())
      entry.state = entry.by_rule = rule->second;
    const auto spell = enrolled.find(number);
    const bool on_roll = spell != enrolled.end() && spell->second.on_roll;
    if (!fits || (scope.kind == ScopeKind::kOnRoll && !on_roll) ||
        (scope.kind == ScopeKind::kNamed && !named.contains(number)) ||
        (spell != enrolled.end() && too_long_ago(spell->second)))
      entry.state = PupilState::kOut;
    entries.push_back(entry);
  }
  return PupilStates(true, std::move(entries));
}

Result<PupilStates> shared_states(Store& store, const std::string& audience, bool listed) {
  auto statement =
      store.db().prepare("SELECT pupil,state FROM shared_pupil WHERE audience=?1 ORDER BY pupil");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience));
  std::vector<PupilStates::Entry> entries;
  std::vector<std::int64_t> introduced;
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) {
      PupilStates out(listed, std::move(entries));
      out.introduce(std::move(introduced));
      return out;
    }
    if (use.integer(1) == kIntroduced) {
      introduced.push_back(use.integer(0));
      continue;
    }
    const PupilState by_rule = state_of(use.integer(1) + (use.integer(1) > 0 ? 0 : kWhole));
    entries.push_back({use.integer(0), use.integer(1) > 0 ? by_rule : PupilState::kOut, by_rule});
  }
}

Result<void> keep_shared_states(Store& store, const std::string& audience, const PupilStates& states) {
  auto forget = store.db().prepare("DELETE FROM shared_pupil WHERE audience=?1");
  if (!forget) return fail(std::move(forget).error());
  {
    auto use = forget->use();
    use.bind(1, std::string_view(audience));
    TP_TRY(use.run());
  }
  auto keep = store.db().prepare("INSERT INTO shared_pupil(audience,pupil,state) VALUES(?1,?2,?3)");
  if (!keep) return fail(std::move(keep).error());
  const auto put = [&](std::int64_t number, std::int64_t state) {
    auto use = keep->use();
    use.bind(1, std::string_view(audience));
    use.bind(2, number);
    use.bind(3, state);
    return use.run();
  };
  for (const PupilStates::Entry& entry : states.entries())
    TP_TRY(put(entry.pupil, entry.state == PupilState::kOut
                                ? static_cast<std::int64_t>(entry.by_rule) - kWhole
                                : static_cast<std::int64_t>(entry.state)));
  for (const std::int64_t number : states.introduced()) TP_TRY(put(number, kIntroduced));
  return {};
}

}  // namespace towpath
