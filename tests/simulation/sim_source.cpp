#include "tests/simulation/sim_source.hpp"

#include <algorithm>
#include <array>

namespace towpath::sim {
namespace {

// Registers go back so many days; what is older falls out of the export.
constexpr int kDaysShown = 8;

constexpr std::array<const char*, 12> kSyllables{"ab", "mo", "Ö", "ne",   "shá", "ri",
                                                 "ta", "lu", "'", "king", " ",   "żo"};
constexpr std::array<const char*, 7> kMarks{"/", "\\", "I", "L", "N", "M", "?new"};
constexpr std::array<const char*, 4> kCategories{"TARGETED", "EXPANDED", "OTHER", "?odd"};

std::string line_of(const SimRecord& record) {
  std::string line;
  for (const std::string& cell : record.cells) line += cell + ",";
  return line;
}

InCell in_cell(const Field& field, const std::string& text) {
  if (text.empty() || field.type == Type::kRawCode) return InCell::null();
  switch (field.type) {
    case Type::kEntity:
    case Type::kRef:
      return InCell::to(text);
    case Type::kInt:
    case Type::kBool:
    case Type::kInstant: {
      const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
      return digits ? InCell::integer(std::stoll(text)) : InCell::of(text);
    }
    case Type::kDate: {
      const auto date = Date::parse(text);
      return date ? InCell::date(*date) : InCell::of(text);
    }
    default:
      return InCell::of(text);
  }
}

}  // namespace

std::string SimExport::text() const {
  std::string out;
  for (const SimTable& t : tables) {
    std::size_t bad = 0;
    for (const SimRecord& r : t.records) bad += r.kind == SimRecord::Kind::kGood ? 0 : 1;
    out += " " + std::string(t.dataset->name) + " " + std::to_string(t.records.size());
    if (bad > 0) out += "(" + std::to_string(bad) + " bad)";
    if (t.state == SimTable::State::kBreaksOff) out += "(breaks off)";
    if (t.state == SimTable::State::kAbsent) out += "(absent)";
  }
  return fails ? out + " and fails" : out;
}

SimExport as_known_by(const Dictionary& dictionary, SimExport night) {
  std::erase_if(night.tables, [&](const SimTable& t) { return dictionary.find(t.dataset->name) == nullptr; });
  for (SimTable& t : night.tables) {
    const Dataset& known = *dictionary.find(t.dataset->name);
    for (SimRecord& record : t.records) {
      std::vector<std::string> cells;
      for (const Field& field : known.fields)
        cells.push_back(record.cells[t.dataset->position(field.name).value()]);
      record.cells = std::move(cells);
    }
    t.dataset = &known;
  }
  return night;
}

// --- the adapter ---------------------------------------------------------------------------

std::vector<std::string_view> SimAdapter::provides() const {
  std::vector<std::string_view> names;
  for (const SimTable& t : night_.tables) names.push_back(t.dataset->name);
  return names;
}

Result<void> SimAdapter::extract(RowSink& sink) {
  for (std::size_t i = 0; i < night_.tables.size(); ++i) {
    if (night_.fails && i == night_.tables.size() / 2)
      return fail(Code::kIo, "the export's folder is gone", "Check that it is there");
    if (night_.tables[i].state != SimTable::State::kAbsent) TP_TRY(table(sink, night_.tables[i]));
  }
  return {};
}

Result<void> SimAdapter::table(RowSink& sink, const SimTable& table) {
  const Dataset& dataset = *table.dataset;
  std::vector<std::string_view> columns;
  for (const Field& field : dataset.fields) columns.push_back(field.name);
  const std::string name = std::string(dataset.name) + ".csv";
  auto file = sink.open_file(name, columns, columns);
  if (!file) return fail(std::move(file).error());
  TP_TRY(sink.begin(dataset, Completeness::kFull));
  std::size_t most = table.records.size();
  if (table.state == SimTable::State::kBreaksOff) most /= 2;
  for (std::size_t i = 0; i < most; ++i) {
    const SimRecord& record = table.records[i];
    const std::string raw = line_of(record);
    const Origin origin{*file, i + 2, true, raw};
    if (record.kind == SimRecord::Kind::kUnreadable) {
      TP_TRY(sink.reject(dataset, origin, Problem{"ragged", "", "the record has too few columns"}));
      continue;
    }
    const Fingerprint print = fingerprint(raw + std::to_string(dictionary_));
    if (sink.unchanged(origin, print)) continue;
    std::vector<InCell> cells;
    for (std::size_t c = 0; c < dataset.fields.size(); ++c)
      cells.push_back(in_cell(dataset.fields[c], record.cells[c]));
    TP_TRY(sink.row(origin, print, cells));
  }
  if (table.state == SimTable::State::kBreaksOff)
    sink.abandon(dataset, Error{Code::kSourceChanged, name + " changed while it was read"});
  else
    TP_TRY(sink.end(dataset));
  sink.close_file(*file, most);
  return {};
}

// --- the school ----------------------------------------------------------------------------

SimSource::SimSource(const Dictionary& dictionary, SimRandom random, Options options, Date first_day)
    : dictionary_(dictionary), random_(random), options_(options), today_(first_day.plus(-1)) {
  for (const char* name : {"school_day", "pupil", "group", "enrolment", "fsm", "group_membership",
                           "session_mark", "activity", "participation"})
    tables_.push_back({dictionary.find(std::string_view(name)), {}, SimTable::State::kWhole});
  for (int g = 1; g <= 2; ++g) {
    groups_.push_back("g" + std::to_string(g));
    auto cells = blank("group");
    cells[0] = groups_.back();
    set("group", cells, "kind", "registration");
    set("group", cells, "name", text(3));
    set("group", cells, "NCyear", std::to_string(g + 2));
    table("group").records.push_back({cells, {}});
  }
  today_ = today_.plus(-options.days_before);
  for (std::size_t i = 0; i < options.pupils; ++i) join(i % 2);
  for (int day = 0; day <= options.days_before; ++day) next_day();
}

SimTable& SimSource::table(std::string_view dataset) {
  return *std::find_if(tables_.begin(), tables_.end(),
                       [&](const SimTable& t) { return t.dataset->name == dataset; });
}
std::vector<std::string> SimSource::blank(std::string_view dataset) const {
  return std::vector<std::string>(dictionary_.find(dataset)->fields.size());
}
void SimSource::set(std::string_view dataset, std::vector<std::string>& cells, std::string_view field,
                    std::string value) const {
  cells[dictionary_.find(dataset)->position(field).value()] = std::move(value);
}
std::string SimSource::text(std::size_t most) {
  std::string out = "N";
  for (std::size_t n = random_.between(1, most); n > 0; --n)
    out += kSyllables[random_.below(kSyllables.size())];
  return out + "e";
}

void SimSource::join(std::size_t group) {
  std::string id = "p" + std::to_string(++ids_);
  if (!left_.empty() && random_.chance(40)) {  // a leaver who returns
    id = left_.back();
    left_.pop_back();
  }
  auto pupil = blank("pupil");
  pupil[0] = id;
  set("pupil", pupil, "Surname", text(4));
  set("pupil", pupil, "Forename", text(3));
  set("pupil", pupil, "MiddleNames", random_.chance(30) ? text(2) : "");
  set("pupil", pupil, "DOB", Date{15700 + static_cast<std::int32_t>(random_.below(600))}.iso());
  set("pupil", pupil, "Sex", random_.chance(50) ? "F" : "M");
  set("pupil", pupil, "NCyearActual", std::to_string(3 + group));
  table("pupil").records.push_back({pupil, {}});
  auto spell = blank("enrolment");
  set("enrolment", spell, "pupil", id);
  set("enrolment", spell, "EntryDate", today_.iso());
  set("enrolment", spell, "EnrolStatus", "C");
  auto& spells = table("enrolment").records;
  if (std::none_of(spells.begin(), spells.end(),
                   [&](const SimRecord& r) { return r.cells[0] == spell[0] && r.cells[1] == spell[1]; }))
    spells.push_back({spell, {}});
  auto member = blank("group_membership");
  set("group_membership", member, "group", groups_[group]);
  set("group_membership", member, "member", id);
  set("group_membership", member, "from", today_.iso());
  set("group_membership", member, "member_kind", "pupil");
  auto& members = table("group_membership").records;
  if (std::none_of(members.begin(), members.end(), [&](const SimRecord& r) {
        return r.cells[0] == member[0] && r.cells[1] == member[1] && r.cells[2] == member[2];
      }))
    members.push_back({member, {}});
  on_roll_.push_back(id);
}

void SimSource::leave(std::size_t at) {
  const std::string id = on_roll_[at];
  on_roll_.erase(on_roll_.begin() + static_cast<std::ptrdiff_t>(at));
  left_.push_back(id);
  const bool forgotten = random_.chance(50);  // some systems drop a leaver's register at once
  for (SimTable& t : tables_) {
    const Dataset& d = *t.dataset;
    const auto place = d.position(d.name == "group_membership" ? "member" : "pupil");
    if (!place) continue;
    if (d.name == "enrolment") {
      for (SimRecord& r : t.records)
        if (r.cells[*place] == id) set("enrolment", r.cells, "LeavingDate", today_.iso());
    } else if (d.name == "participation") {
      continue;  // what has been done for somebody stays
    } else if (d.name != "session_mark" || forgotten) {
      std::erase_if(t.records, [&](const SimRecord& r) { return r.cells[*place] == id; });
    }
  }
}

void SimSource::mark_day() {
  auto& days = table("school_day").records;
  auto day = blank("school_day");
  set("school_day", day, "date", today_.iso());
  set("school_day", day, "kind", "school");
  set("school_day", day, "am_open", "1");
  set("school_day", day, "pm_open", random_.chance(90) ? "1" : "0");
  set("school_day", day, "term", "AUT1");
  days.push_back({day, {}});
  auto& marks = table("session_mark").records;
  for (const char* session : {"AM", "PM"})
    for (const std::string& id : on_roll_) {
      if (random_.chance(3)) continue;  // the register was not taken
      auto mark = blank("session_mark");
      set("session_mark", mark, "date", today_.iso());
      set("session_mark", mark, "session", session);
      set("session_mark", mark, "pupil", id);
      set("session_mark", mark, "code",
          random_.chance(85) ? kMarks[0] : kMarks[random_.below(kMarks.size())]);
      if (random_.chance(5))
        set("session_mark", mark, "minutes_late", std::to_string(random_.between(1, 40)));
      marks.push_back({mark, {}});
    }
  const std::string oldest = today_.plus(-std::max(kDaysShown, 2 * options_.days_before)).iso();
  std::erase_if(marks, [&](const SimRecord& r) { return r.cells[0] < oldest; });
}

// For the pledge: a new club now and then, and who came today.
void SimSource::meet() {
  if (tables_.back().dataset->name != "participation") return;
  auto& clubs = table("activity").records;
  if (clubs.empty() || random_.chance(20)) {
    auto club = blank("activity");
    club[0] = "c" + std::to_string(++clubs_);
    set("activity", club, "title", text(4));
    set("activity", club, "promise", "?" + text(1));
    set("activity", club, "kind", "club");
    clubs.push_back({club, {}});
  }
  const std::string club = clubs[random_.below(clubs.size())].cells[0];
  for (const std::string& id : on_roll_) {
    if (!random_.chance(15)) continue;
    auto came = blank("participation");
    set("participation", came, "activity", club);
    set("participation", came, "date", today_.iso());
    set("participation", came, "pupil", id);
    set("participation", came, "status", random_.chance(70) ? "attended" : "offered");
    table("participation").records.push_back({came, {}});
  }
}

void SimSource::lose_clubs() {
  std::erase_if(tables_, [](const SimTable& t) {
    return t.dataset->name == "activity" || t.dataset->name == "participation";
  });
}

void SimSource::next_day() {
  today_ = today_.plus(1);
  meet();
  if (random_.chance(30)) join(random_.below(groups_.size()));
  if (on_roll_.size() > 4 && random_.chance(20)) leave(random_.below(on_roll_.size()));
  mark_day();

  auto& pupils = table("pupil").records;
  for (std::size_t n = random_.below(3); n > 0; --n) {
    static constexpr std::array<const char*, 5> kFields{"Surname", "PreferredForename", "UPN", "MiddleNames",
                                                        "Forename"};
    set("pupil", pupils[random_.below(pupils.size())].cells, kFields[random_.below(kFields.size())], text(3));
  }
  auto& marks = table("session_mark").records;
  for (std::size_t n = random_.below(5); n > 0 && !marks.empty(); --n)
    set("session_mark", marks[random_.below(marks.size())].cells, "code",
        kMarks[random_.below(kMarks.size())]);
  if (marks.size() > 1 && random_.chance(15))
    marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(random_.below(marks.size())));
  if (random_.chance(25)) {
    auto spell = blank("fsm");
    set("fsm", spell, "pupil", on_roll_[random_.below(on_roll_.size())]);
    set("fsm", spell, "FSMstartDate", today_.iso());
    set("fsm", spell, "category", kCategories[random_.below(kCategories.size())]);
    set("fsm", spell, "UKcountry", "ENG");
    table("fsm").records.push_back({spell, {}});
  }
  if (auto& spells = table("fsm").records; !spells.empty() && random_.chance(20))
    set("fsm", spells[random_.below(spells.size())].cells, "FSMendDate", today_.plus(30).iso());
  if (auto& spells = table("fsm").records; !spells.empty() && random_.chance(10)) spells.pop_back();
  if (random_.chance(10)) {
    auto& records = tables_[random_.below(tables_.size())].records;
    for (std::size_t i = records.size(); i > 1; --i) std::swap(records[i - 1], records[random_.below(i)]);
  }
}

SimExport SimSource::truth() const { return {tables_, false}; }

SimExport SimSource::night() {
  SimExport out = truth();
  const Mishaps& mishaps = options_.mishaps;
  const auto any = [&]() -> SimTable& { return out.tables[random_.below(out.tables.size())]; };
  if (mishaps.strikes(Mishap::kSourceFails, random_)) out.fails = true;
  if (mishaps.strikes(Mishap::kSourceBreaks, random_)) any().state = SimTable::State::kBreaksOff;
  if (mishaps.strikes(Mishap::kSourceAbsent, random_)) any().state = SimTable::State::kAbsent;
  if (mishaps.strikes(Mishap::kSourceHalf, random_)) {  // an export by year group that lost half of them
    auto& pupils = out.tables[1].records;
    pupils.resize((pupils.size() + 1) / 2);
  }
  if (mishaps.strikes(Mishap::kSourceCell, random_)) {
    static constexpr std::array<std::array<const char*, 3>, 4> kBad{{{"pupil", "Surname", ""},
                                                                     {"session_mark", "minutes_late", "some"},
                                                                     {"group", "name", ""},
                                                                     {"school_day", "kind", "fair"}}};
    const auto& [dataset, field, value] = kBad[random_.below(kBad.size())];
    for (SimTable& t : out.tables)
      if (t.dataset->name == dataset && !t.records.empty()) {
        SimRecord& r = t.records[random_.below(t.records.size())];
        set(dataset, r.cells, field, value);
        r.kind = SimRecord::Kind::kBadCell;
      }
  }
  if (mishaps.strikes(Mishap::kSourceRecord, random_)) {
    SimTable& t = any();
    if (!t.records.empty()) t.records[random_.below(t.records.size())].kind = SimRecord::Kind::kUnreadable;
  }
  return out;
}

}  // namespace towpath::sim
