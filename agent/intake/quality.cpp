#include "agent/intake/quality.hpp"

#include <algorithm>
#include <functional>

#include "domain/upn.hpp"
#include "domain/year_group.hpp"

namespace towpath {
namespace {

int position(const Dataset& dataset, std::string_view field) {
  const auto at = dataset.position(field);
  return at ? static_cast<int>(*at) : -1;
}

std::size_t at(int position) { return static_cast<std::size_t>(position); }

// Temporary UPNs should be replaced in weeks (DOMAIN 1.1).
constexpr int kTemporaryUpnDays = 42;
// N must be resolved within five school days: a week (DOMAIN 2.9).
constexpr int kUnsettledDays = 7;

void warn(std::vector<Warning>& out, std::string_view rule, std::string_view text, std::int64_t count) {
  if (count > 0) out.push_back({std::string(rule), std::string(text), static_cast<std::uint64_t>(count)});
}

Result<void> pupils(Store& store, const Dataset& pupil, Date today, std::vector<Warning>& out) {
  std::unordered_map<std::int64_t, std::int64_t> since;  // identity is keyed by source id: one pass over it
  TP_TRY(store.db().each("SELECT number,since FROM identity WHERE dataset=" + std::to_string(pupil.id),
                         [&](Statement::Use& use) { since[use.integer(0)] = use.integer(1); }));
  std::int64_t upn_bad = 0, upn_old = 0, year_odd = 0;
  TP_TRY(store.db().each("SELECT pupil,UPN,NCyearActual,DOB FROM d_pupil", [&](Statement::Use& use) {
    const std::string_view upn = use.text(1);
    if (!upn.empty() && !is_upn_absence(upn)) {
      const auto parsed = Upn::parse(upn);
      if (!parsed)
        ++upn_bad;
      else if (parsed->temporary() && today.days - since[use.integer(0)] > kTemporaryUpnDays)
        ++upn_old;
    }
    if (use.is_null(2) || use.is_null(3)) return;
    const auto expected = expected_year_index(Date{static_cast<std::int32_t>(use.integer(3))}, today);
    const auto actual = year_group_index(use.text(2));
    if (expected && actual && std::abs(*expected - *actual) > 1) ++year_odd;
  }));
  warn(out, "Q01", "UPNs are not of the right form, or their check letter is wrong", upn_bad);
  warn(out, "Q01", "temporary UPNs are older than six weeks", upn_old);
  warn(out, "Q04", "pupils' year group is more than a year off their age", year_odd);
  return {};
}

struct CountRule {
  std::string_view rule, dataset, text, sql;  // asked when the dataset is read
};

// On roll: an enrolment that counts and has not ended.
constexpr CountRule kCountRules[] = {
    {"Q02", "pupil",
     "UPNs are shared by several pupils on roll; they are kept out of matching across schools",
     "SELECT count(*) FROM (SELECT 1 FROM d_pupil p WHERE p.UPN IS NOT NULL AND NOT EXISTS(SELECT 1 FROM "
     "d_enrolment e "
     "WHERE e.pupil=p.pupil AND e.LeavingDate IS NOT NULL AND e.LeavingDate<?1) GROUP BY p.UPN HAVING "
     "count(*)>1)"},
    {"Q03", "pupil", "pupils look like duplicates of another (same names, birth date and sex, other UPN)",
     "SELECT coalesce(sum(n-1),0) FROM (SELECT count(*) n FROM d_pupil WHERE DOB IS NOT NULL GROUP BY "
     "lower(Surname),"
     "lower(Forename),DOB,Sex HAVING count(*)>1 AND ?1>0)"},
    {"Q05", "sen", "pupils with SEN support or a plan (K, E) have no type of need",
     "SELECT count(*) FROM d_sen s WHERE s.SENprovision IN('K','E') AND (s.EndDate IS NULL OR s.EndDate>=?1) "
     "AND "
     "EXISTS(SELECT 1 FROM d_sen_need) AND NOT EXISTS(SELECT 1 FROM d_sen_need n WHERE n.pupil=s.pupil)"},
    {"Q05", "sen_need", "pupils have types of need but neither SEN support nor a plan (K, E)",
     "SELECT count(DISTINCT n.pupil) FROM d_sen_need n WHERE NOT EXISTS(SELECT 1 FROM d_sen s WHERE "
     "s.pupil=n.pupil AND "
     "s.SENprovision IN('K','E') AND (s.EndDate IS NULL OR s.EndDate>=?1))"},
    {"Q05", "sen_need", "pupils have types of need but none of rank 1",
     "SELECT count(*) FROM (SELECT 1 FROM d_sen_need WHERE ?1>0 GROUP BY pupil HAVING min(SENtypeRank)>1)"},
    {"Q06", "fsm", "free school meal spells of one pupil overlap",
     "SELECT count(*) FROM d_fsm a JOIN d_fsm b ON a.pupil=b.pupil AND a.FSMstartDate<b.FSMstartDate "
     "WHERE a.FSMendDate IS NULL OR a.FSMendDate>=b.FSMstartDate AND ?1>0"},
};

}  // namespace

Quality::Quality(const Dictionary& dictionary, Date today) : today_(today), dictionary_(&dictionary) {
  if (const Dataset* d = dictionary.find("session_mark"))
    marks_ = {d,
              position(*d, "date"),
              position(*d, "session"),
              position(*d, "pupil"),
              position(*d, "code"),
              position(*d, "code_raw")};
  const struct { std::string_view dataset, start, end; } spells[] = {{"fsm", "FSMstartDate", "FSMendDate"}};
  for (const auto& s : spells)
    if (const Dataset* d = dictionary.find(s.dataset))
      spells_.push_back({d, position(*d, s.start), position(*d, s.end)});
}

std::optional<Problem> Quality::row(const Dataset& dataset, RowView row) {
  if (&dataset == marks_.dataset && marks_.date >= 0 && marks_.pupil >= 0) {
    const auto day = static_cast<std::int32_t>(row[at(marks_.date)].as_int());
    if (day != last_day_) days_marked_.insert(day);  // registers come day by day
    last_day_ = day;
    const auto [place, fresh] =
        pupils_marked_.try_emplace(row[at(marks_.pupil)].as_int(), MarkDays{day, day});
    if (!fresh) {
      place->second.first = std::min(place->second.first, day);
      place->second.last = std::max(place->second.last, day);
    }
    if (marks_.code >= 0) {
      const std::string_view code = row[at(marks_.code)].as_text();
      const bool afternoon = marks_.session >= 0 && row[at(marks_.session)].as_int() == 1;
      if (code == (afternoon ? "/" : "\\")) ++slash_wrong_;
    }
    return std::nullopt;
  }
  for (const Spell& spell : spells_) {
    if (spell.dataset != &dataset || spell.start < 0 || spell.end < 0) continue;
    const Value& end = row[at(spell.end)];
    if (!end.is_null() && end.as_int() < row[at(spell.start)].as_int())
      return Problem{"Q06", dataset.fields[at(spell.end)].name,
                     std::string(dataset.fields[at(spell.end)].name) + " lies before " +
                         std::string(dataset.fields[at(spell.start)].name)};
  }
  return std::nullopt;
}

Result<std::vector<Warning>> Quality::finish(Store& store) {
  std::vector<Warning> out;
  for (const std::string_view needed :
       {"pupil", "enrolment", "sen", "sen_need", "fsm", "session_mark", "school_day"})
    if (dictionary_->find(needed) == nullptr) return out;
  if (read_.contains("pupil")) TP_TRY(pupils(store, *dictionary_->find("pupil"), today_, out));
  for (const CountRule& rule : kCountRules) {
    if (!read_.contains(rule.dataset)) continue;
    auto statement = store.db().prepare(std::string(rule.sql));
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    use.bind(1, std::int64_t{today_.days});
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    warn(out, rule.rule, rule.text, *row ? use.integer(0) : 0);
  }
  warn(out, "Q07", "marks have / in the afternoon or \\ in the morning",
       static_cast<std::int64_t>(slash_wrong_));
  if (!days_marked_.empty()) {
    std::int64_t closed = 0;
    TP_TRY(store.db().each("SELECT \"date\" FROM d_school_day WHERE kind<>0", [&](Statement::Use& use) {
      closed += days_marked_.contains(static_cast<std::int32_t>(use.integer(0))) ? 1 : 0;
    }));
    warn(out, "Q07", "days on which the school is closed have marks", closed);
  }
  if (!read_.contains("session_mark")) return out;
  auto unsettled = store.db().integer("SELECT count(*) FROM d_session_mark WHERE \"code\"='N' AND \"date\"<" +
                                      std::to_string(today_.days - kUnsettledDays));
  if (!unsettled) return fail(std::move(unsettled).error());
  warn(out, "Q08", "marks have been N (reason not yet known) for more than five school days", *unsettled);
  if (!pupils_marked_.empty()) {
    std::int64_t outside = 0;
    TP_TRY(store.db().each(
        "SELECT pupil,min(EntryDate),max(coalesce(LeavingDate,2147483647)) FROM d_enrolment GROUP BY pupil",
        [&](Statement::Use& use) {
          const auto found = pupils_marked_.find(use.integer(0));
          if (found == pupils_marked_.end()) return;
          if (found->second.first < use.integer(1) || found->second.last > use.integer(2)) ++outside;
        }));
    warn(out, "Q10", "pupils have marks before they entered or after they left", outside);
  }
  return out;
}

}  // namespace towpath
