#include "tests/simulation/federation/oracle.hpp"

#include <algorithm>

namespace towpath::sim::fed {
namespace {

std::vector<std::string> split(const std::string& row) {
  std::vector<std::string> cells;
  for (std::size_t at = 0; at < row.size();) {
    const std::size_t end = row.find(kCellEnd, at);
    cells.push_back(row.substr(at, end - at));
    at = end + 1;
  }
  return cells;
}
std::string join(const std::vector<std::string>& cells, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) (text += cells[i]) += kCellEnd;
  return text;
}
bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}
bool is_pupil(const std::string& entity) { return entity.starts_with("pupil:"); }

// The academic year that a day is of: from September.
int academic_year(int day) {
  int year = 1969 + day / 366;
  while (days_of(year + 1, 9, 1) <= day) ++year;
  return year;
}

// R1: what tells of an earlier school (config/datasets, `protect`).
bool withheld_from_r1(const std::string& dataset, const std::string& field) {
  return dataset == "pupil" && field == "UPN";
}

// The position in "P E A U X -"; DOMAIN 2.9. Null: nobody knows the code.
std::string category(const std::string& code) {
  if (code == kNull) return "5";
  if (code == "/" || code == "\\" || code == "L") return "0";
  if (code == "I" || code == "M") return "2";
  if (code == "N") return "3";
  return std::string(kNull);
}
std::string eal(const std::vector<std::string>& cells, const DeclaredDataset& d) {
  if (cells[d.position("LanguageType")] != "0") return std::string(kNull);
  return cells[d.position("Language")] == "ENG" ? "0" : std::string(kNull);
}

// How many academic years after a row's own, and the day that says which is its own (DOMAIN 5).
struct Keep {
  int years;
  const char* date;
};
std::optional<Keep> keep(const Paper& paper, const std::string& dataset) {
  std::optional<Keep> usual;
  if (dataset == "session_mark") usual = Keep{2, "date"};
  if (dataset == "participation") usual = Keep{5, "date"};
  if (!usual) return usual;
  const auto own = paper.retention.find(dataset);
  if (own != paper.retention.end()) usual->years = std::min(usual->years, own->second);
  return usual;
}

}  // namespace

void Decisions::Decision::approve(const Paper& newer, int day) {
  *this = on(day);
  // It leaves no day to what begins no sooner.
  std::erase_if(next, [&](const Paper& p) { return p.start >= newer.start; });
  if (state == State::kOver || paper.start >= newer.start || newer.start <= day)
    *this = {newer, State::kApproved, {}};
  else
    next.push_back(newer);
}

Decisions::Decision Decisions::Decision::on(int day) const {
  Decision now = *this;
  while (!now.next.empty() &&
         (now.next.front().start <= day || now.state == State::kOver || now.paper.end < day)) {
    now.paper = now.next.front();
    now.state = State::kApproved;
    now.next.erase(now.next.begin());
  }
  return now;
}

const Paper* Decisions::in_force(const std::string& audience, int day) const {
  const auto found = by_audience.find(audience);
  if (found == by_audience.end() || found->second.state == State::kOver) return nullptr;
  const Decision& d = found->second;
  const Paper* now = d.state == State::kApproved ? &d.paper : nullptr;
  for (const Paper& one : d.next)
    if (one.start <= day) now = &one;
  return now != nullptr && now->in_force(day) ? now : nullptr;
}

Oracle::Oracle(const Image& rows, const Decisions& decisions, int today)
    : rows_(rows), decisions_(decisions), today_(today) {
  const auto each = [&](const char* dataset, auto&& visit) {
    const auto found = rows.find(dataset);
    if (found == rows.end()) return;
    const DeclaredDataset& d = Declared::here().dataset(dataset);
    for (const auto& [key, row] : found->second) visit(split(row), d);
  };
  each("pupil", [&](const std::vector<std::string>& c, const DeclaredDataset& d) {
    pupils_[c[0]].year = c[d.position("NCyearActual")];
  });
  each("enrolment", [&](const std::vector<std::string>& c, const DeclaredDataset& d) {
    Pupil& p = pupils_[c[0]];
    const std::string& leaving = c[d.position("LeavingDate")];
    p.enrolled = true;
    if (leaving == kNull || std::stoi(leaving) >= today)
      p.on_roll = true;
    else
      p.last_year = std::max(p.last_year, academic_year(std::stoi(leaving)));
  });
  each("protection", [&](const std::vector<std::string>& c, const DeclaredDataset& d) {
    pupils_[c[0]].flag = std::stoi(c[d.position("level")]);
  });
}

int Oracle::level(const std::string& pupil) const {
  int most = 0;
  if (const auto p = pupils_.find(pupil); p != pupils_.end()) most = p->second.flag;
  if (const auto r = decisions_.rules.find(pupil); r != decisions_.rules.end())
    most = std::max(most, r->second.level);
  return most;
}

bool Oracle::ruled_out(const std::string& pupil) const {
  if (level(pupil) >= 2) return true;
  const auto rule = decisions_.rules.find(pupil);
  return rule != decisions_.rules.end() && (rule->second.restricted || rule->second.erased);
}

bool Oracle::shown(const Paper& paper, const std::string& pupil) const {
  if (ruled_out(pupil)) return false;
  const auto found = pupils_.find(pupil);
  static const Pupil kGone;
  const Pupil& p = found == pupils_.end() ? kGone : found->second;
  if (paper.scope == Paper::Scope::kOnRoll && !p.on_roll) return false;
  if (paper.scope == Paper::Scope::kNamed) {
    const auto list = decisions_.named.find(paper.audience);
    if (list == decisions_.named.end() || !list->second.contains(pupil)) return false;
  }
  if (!paper.year_groups.empty() && !contains(paper.year_groups, p.year)) return false;
  if (p.enrolled && !p.on_roll) {
    int years = 1;
    if (const auto own = paper.retention.find("pupil"); own != paper.retention.end())
      years = std::min(years, own->second);
    if (academic_year(today_) - p.last_year > years) return false;
  }
  return true;
}

bool Oracle::goes(const Paper& paper, const DeclaredDataset& dataset, const DeclaredField& field) const {
  if (field.grant.empty() || !contains(paper.grants, field.grant)) return false;
  if (contains(paper.without, dataset.name + "." + field.name)) return false;
  // Where the origin goes, what follows from it does not.
  return field.derived_from.empty() ||
         !goes(paper, dataset, dataset.fields[dataset.position(field.derived_from)]);
}

bool Oracle::goes(const Paper& paper, const DeclaredDataset& d) const {
  bool any = d.fields.size() == d.key_count && goes(paper, d, d.fields[0]);
  for (std::size_t i = d.key_count; i < d.fields.size(); ++i) any = any || goes(paper, d, d.fields[i]);
  return any;
}

Image Oracle::projected(const Paper& paper) const {
  Image out;
  // Nobody is introduced of whom nothing is said.
  std::set<unsigned> spoken_of;
  for (const DeclaredDataset& d : Declared::here().datasets()) {
    if (!goes(paper, d)) continue;
    if (d.entity) spoken_of.insert(d.id);
    for (std::size_t i = 0; i < d.fields.size(); ++i)
      if (i < d.key_count || goes(paper, d, d.fields[i]))
        for (const std::string& to : d.fields[i].refs) spoken_of.insert(Declared::here().dataset(to).id);
  }
  for (const auto& [name, rows] : rows_) {
    const DeclaredDataset& d = Declared::here().dataset(name);
    if (!goes(paper, d)) continue;
    const std::optional<Keep> keeps = keep(paper, name);
    Rows sent;
    for (const auto& [key, row] : rows) {
      std::vector<std::string> cells = split(row);
      std::string pupil;
      bool whole = true;
      for (std::size_t i = 0; i < d.fields.size(); ++i) {
        const Form form = d.fields[i].form;
        if ((form == Form::kEntity || form == Form::kRef) && is_pupil(cells[i])) {
          pupil = cells[i];
          whole = whole && shown(paper, pupil);
        }
      }
      if (!whole) continue;
      if (name == "entity" && !spoken_of.contains(static_cast<unsigned>(std::stoul(cells[1])))) continue;
      if (keeps) {
        const int day = std::stoi(cells[d.position(keeps->date)]);
        if (academic_year(today_) - academic_year(day) > keeps->years) continue;
      }
      const std::vector<std::string> before = cells;
      for (std::size_t i = d.key_count; i < d.fields.size(); ++i) {
        const DeclaredField& field = d.fields[i];
        if (!goes(paper, d, field) ||
            (!pupil.empty() && level(pupil) >= 1 && withheld_from_r1(name, field.name)))
          cells[i] = kNull;
        else if (field.name == "category")
          cells[i] = category(before[d.position("code")]);
        else if (field.name == "EAL")
          cells[i] = eal(before, d);
      }
      // Where the key is not granted by itself, only what says something beside it.
      if (!goes(paper, d, d.fields[0]) &&
          std::all_of(cells.begin() + static_cast<std::ptrdiff_t>(d.key_count),
                      cells.begin() + static_cast<std::ptrdiff_t>(d.fields.size()),
                      [](const std::string& cell) { return cell == kNull; }))
        continue;
      sent.emplace(key, join(cells, d.fields.size()));
    }
    if (!sent.empty()) out[name] = std::move(sent);
  }
  return out;
}

bool Oracle::may_leave(const Paper& paper, const Word& word) const {
  const DeclaredDataset& d = Declared::here().dataset(word.dataset);
  const DeclaredField& field = d.fields[d.position(word.field)];
  if (!goes(paper, d, field)) return false;
  if (word.pupil.empty()) return true;
  if (level(word.pupil) >= 1 && withheld_from_r1(word.dataset, word.field)) return false;
  return shown(paper, word.pupil);
}

bool Oracle::may_lie(const Paper& paper, const Word& word, bool all) const {
  if (may_leave(paper, word)) return true;
  const DeclaredDataset& d = Declared::here().dataset(word.dataset);
  if (!goes(paper, d, d.fields[d.position(word.field)]) || word.pupil.empty() || ruled_out(word.pupil))
    return false;
  if (level(word.pupil) >= 1 && withheld_from_r1(word.dataset, word.field)) return false;
  if (!all) return true;
  // The MIS has taken the pupil away: nobody has recalled anything.
  const auto found = pupils_.find(word.pupil);
  return found == pupils_.end() || !found->second.enrolled;
}

}  // namespace towpath::sim::fed
