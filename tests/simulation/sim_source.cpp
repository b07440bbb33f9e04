#include "tests/simulation/sim_source.hpp"

#include <algorithm>
#include <array>

#include "tests/simulation/telling.hpp"

namespace towpath::sim {
namespace {

// Registers go back so many days; what is older falls out of the export.
constexpr int kDaysShown = 8;
constexpr std::size_t kYears = 2;  // year groups of this school: 3 and 4

constexpr std::array<const char*, 12> kSyllables{"ab", "mo", "Ö", "ne",   "shá", "ri",
                                                 "ta", "lu", "'", "king", " ",   "żo"};
constexpr std::array<const char*, 6> kMarks{"/", "\\", "I", "L", "N", "M"};
constexpr std::array<const char*, 3> kCategories{"TARGETED", "EXPANDED", "OTHER"};
constexpr std::array<const char*, 3> kProvisions{"N", "SEN support", "E"};
constexpr std::array<const char*, 4> kEthnicities{"WBRI", "WIRI", "wbri ", "WBRI"};
// What fits into a text, barely: line ends, marks that turn the direction, the replacement character, the
// last character there is, what a CSV or a separator may trip over.
constexpr std::array<const char*, 10> kEdges{
    "a\nb", "\r\n", "\t", "\xe2\x80\x8f\xd7\x90", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\"", "a|b", "-", ",;"};

bool same_key(const SimTable& table, const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(table.dataset->key_count), b.begin());
}

}  // namespace

SimSource::Row SimSource::row(std::string_view dataset) {
  const DeclaredDataset& d = Declared::here().dataset(dataset);
  return {d, Cells(d.fields.size())};
}
SimSource::Row& SimSource::Row::set(std::string_view field, std::string value) {
  cells[dataset.position(field)] = std::move(value);
  return *this;
}
SimTable* SimSource::find(std::string_view dataset, std::size_t source) {
  for (SimTable& t : sources_[source].tables)
    if (t.dataset->name == dataset) return &t;
  return nullptr;
}
SimTable& SimSource::table(std::string_view dataset, std::size_t source) { return *find(dataset, source); }
void SimSource::add(SimTable& table, const Row& row) {
  for (const SimRecord& r : table.records)
    if (same_key(table, r.cells, row.cells)) return;
  table.records.push_back({row.cells});
}
void SimSource::set(SimTable& table, SimRecord& record, std::string_view field, std::string value) const {
  record.cells[table.dataset->position(field)] = std::move(value);
}

// --- what stands in cells --------------------------------------------------------------------

std::string SimSource::text(std::string_view dataset, std::string_view field, std::size_t most) {
  const DeclaredDataset& d = Declared::here().dataset(dataset);
  const DeclaredField& f = d.fields[d.position(field)];
  std::string out = telling_word(telling_letter(f.grant), ++words_);
  if (most == 0) return out;
  out += " N";
  for (std::size_t n = random_.between(1, most); n > 0; --n)
    out += kSyllables[random_.below(kSyllables.size())];
  if (options_.mishaps.strikes(Mishap::kSourceEdge, random_)) {
    out += kEdges[random_.below(kEdges.size())];
    if (random_.chance(30)) out = " " + out;
    if (random_.chance(40))
      for (std::size_t n = characters(out).value(); n < f.max_chars; ++n) out += "ö";
  }
  return out;
}

// A code that no set knows, now and then: what came stands in the raw companion.
std::string SimSource::code(std::string_view dataset, std::string_view field, const char* usual) {
  if (!random_.chance(8)) return usual;
  return text(dataset, std::string(field) + "_raw", 0);
}

std::string SimSource::number(const char* usual) {
  if (!options_.mishaps.strikes(Mishap::kSourceEdge, random_)) return usual;
  return random_.chance(50) ? "0" : "1000000000";
}

// --- the school ----------------------------------------------------------------------------

SimSource::SimSource(SimRandom random, Options options, int first_day)
    : days_(random), random_(days_.split()), options_(options), today_(first_day - 1) {
  const Declared& all = Declared::here();
  const auto source = [&](std::string name, std::vector<const char*> datasets) {
    Source& made = sources_.emplace_back();
    made.name = std::move(name);
    for (const char* dataset : datasets) made.tables.push_back({&all.dataset(dataset), {}});
    made.deltas = random_.chance(30);
  };
  const bool spreadsheet = random_.chance(40);
  std::vector<const char*> datasets{"school_day",       "pupil",       "group", "enrolment", "fsm",
                                    "group_membership", "session_mark"};
  if (random_.chance(30))
    datasets.insert(datasets.end() - 1, {"staff", "sen", "ethnicity", "assessment_result"});
  if (!spreadsheet) datasets.insert(datasets.end(), {"activity", "participation"});
  source("mis", datasets);
  if (spreadsheet) {
    source("clubs", {"group", "group_membership", "activity", "participation"});
    if (random_.chance(30)) sources_[1].tables.push_back({&all.dataset("school_day"), {}});
    clubs_at_ = 1;
  }
  for (std::size_t year = 0; year < kYears; ++year) {
    groups_.push_back("g" + std::to_string(++ids_));
    add(table("group"), row("group")
                            .set("group", groups_.back())
                            .set("kind", "registration")
                            .set("name", text("group", "name", 3))
                            .set("NCyear", std::to_string(3 + year)));
  }
  if (SimTable* staff = find("staff"))
    for (int i = 1; i <= 2; ++i)
      add(*staff, row("staff")
                      .set("staff", "t" + std::to_string(i))
                      .set("display_name", text("staff", "display_name", 3))
                      .set("role", text("staff", "role", 1)));
  today_ -= options.days_before;
  for (std::size_t i = 0; i < options.pupils; ++i) join(i % kYears);
  for (int day = 0; day <= options.days_before; ++day) next_day();
  struck_.clear();
}

void SimSource::join(std::size_t year) {
  std::string id = "p" + std::to_string(++ids_);
  if (!left_.empty() && random_.chance(40)) {  // a leaver who returns
    id = left_.back();
    left_.pop_back();
  }
  Row pupil = row("pupil");
  pupil.set("pupil", id)
      .set("Surname", text("pupil", "Surname", 4))
      .set("Forename", text("pupil", "Forename", 3))
      .set("DOB", random_.chance(3) ? (random_.chance(50) ? "1900-01-01" : "2100-12-31")
                                    : iso(15700 + static_cast<int>(random_.below(600))))
      .set("Sex", code("pupil", "Sex",
                       random_.chance(50)   ? "F"
                       : random_.chance(50) ? "M"
                                            : " male"))
      .set("NCyearActual", std::to_string(3 + year));
  if (random_.chance(30)) pupil.set("MiddleNames", text("pupil", "MiddleNames", 2));
  add(table("pupil"), pupil);
  add(table("enrolment"), row("enrolment")
                              .set("pupil", ref(id))
                              .set("EntryDate", iso(today_))
                              .set("EnrolStatus", code("enrolment", "EnrolStatus", "C")));
  add(table("group_membership"), row("group_membership")
                                     .set("group", ref(groups_[year]))
                                     .set("member", ref(id))
                                     .set("from", iso(today_))
                                     .set("member_kind", "pupil"));
  if (SimTable* ethnicity = find("ethnicity"))
    add(*ethnicity, row("ethnicity")
                        .set("pupil", ref(id))
                        .set("Ethnicity", code("ethnicity", "Ethnicity",
                                               kEthnicities[random_.below(kEthnicities.size())])));
  on_roll_.push_back(id);
}

void SimSource::leave(std::size_t at) {
  const std::string id = on_roll_[at];
  on_roll_.erase(on_roll_.begin() + static_cast<std::ptrdiff_t>(at));
  left_.push_back(id);
  const bool forgotten = random_.chance(50);  // some systems drop a leaver's register at once
  for (SimTable& t : sources_[0].tables) {
    const DeclaredDataset& d = *t.dataset;
    if (d.name == "participation") continue;  // what has been done for somebody stays
    if (d.name == "session_mark" && !forgotten) continue;
    for (std::size_t place = 0; place < d.key_count; ++place) {
      const bool own = d.fields[place].form == Form::kEntity && d.name == "pupil";
      const bool refers = d.fields[place].form == Form::kRef && d.fields[place].refs[0] == "pupil";
      if (!own && !refers) continue;
      const std::string there = own ? id : ref(id);
      if (d.name == "enrolment") {
        for (SimRecord& r : t.records)
          if (r.cells[place] == there) set(t, r, "LeavingDate", iso(today_));
      } else {
        std::erase_if(t.records, [&](const SimRecord& r) { return r.cells[place] == there; });
      }
    }
  }
}

void SimSource::mark_day() {
  const auto day = [&](const char* pm) {
    return row("school_day")
        .set("date", iso(today_))
        .set("kind", "school")
        .set("am_open", "1")
        .set("pm_open", pm)
        .set("term", "AUT1");
  };
  add(table("school_day"), day(random_.chance(90) ? "1" : "0"));
  // The spreadsheet keeps a calendar, too: of two sources the first that gave a day has it.
  if (sources_.size() > 1)
    if (SimTable* days = find("school_day", 1); days != nullptr && random_.chance(60)) add(*days, day("1"));
  SimTable& marks = table("session_mark");
  const Row blank = row("session_mark");
  const std::string date = iso(today_);
  for (const char* session : {"AM", "PM"})
    for (const std::string& id : on_roll_) {
      if (random_.chance(3)) continue;  // the register was not taken
      Row mark = blank;
      mark.cells[0] = date;
      mark.cells[1] = session;
      mark.cells[2] = ref(id);
      mark.set("code", random_.chance(85)
                           ? kMarks[0]
                           : code("session_mark", "code", kMarks[random_.below(kMarks.size())]));
      if (random_.chance(5)) mark.set("minutes_late", number("7"));
      marks.records.push_back({std::move(mark.cells)});
    }
  const std::string oldest = iso(today_ - std::max(kDaysShown, 2 * options_.days_before));
  std::erase_if(marks.records, [&](const SimRecord& r) { return r.cells[0] < oldest; });
}

// For the pledge: a new club now and then, and who came today.
void SimSource::meet() {
  if (!clubs_) return;
  SimTable& clubs = table("activity", clubs_at_);
  const std::string& name = sources_[clubs_at_].name;
  if (clubs.records.empty() || random_.chance(20)) {
    const std::string id = "c" + std::to_string(++ids_);
    add(clubs, row("activity")
                   .set("activity", id)
                   .set("title", text("activity", "title", 4))
                   .set("promise", code("activity", "promise", random_.chance(50) ? "P02" : "p6"))
                   .set("kind", "club")
                   .set("minutes", number("45")));
    if (clubs_at_ > 0) {
      add(table("group", clubs_at_),
          row("group").set("group", id).set("kind", "club").set("name", text("group", "name", 2)));
      for (const std::string& pupil : on_roll_)
        if (random_.chance(30))
          add(table("group_membership", clubs_at_), row("group_membership")
                                                        .set("group", name + ":" + id)
                                                        .set("member", ref(pupil))
                                                        .set("from", iso(today_))
                                                        .set("member_kind", "pupil")
                                                        .set("to", random_.chance(5) ? "2100-12-31" : ""));
    }
  }
  const std::string club = clubs.records[random_.below(clubs.records.size())].cells[0];
  for (const std::string& id : on_roll_)
    if (random_.chance(15))
      add(table("participation", clubs_at_), row("participation")
                                                 .set("activity", name + ":" + club)
                                                 .set("date", iso(today_))
                                                 .set("pupil", ref(id))
                                                 .set("status", random_.chance(70) ? "attended" : "offered"));
}

void SimSource::lose_clubs() {
  clubs_ = false;
  if (clubs_at_ > 0) {
    sources_.pop_back();
    clubs_at_ = 0;
    return;
  }
  std::erase_if(sources_[0].tables, [](const SimTable& t) {
    return t.dataset->name == "activity" || t.dataset->name == "participation";
  });
}

bool SimSource::strikes(Mishap mishap) {
  const bool struck = options_.mishaps.strikes(mishap, random_);
  if (struck) struck_.push_back(mishap);
  return struck;
}

void SimSource::next_day() {
  random_ = days_.split();
  ++today_;
  if (strikes(Mishap::kSourceYear)) new_year();
  if (strikes(Mishap::kSourceMis)) new_mis();
  meet();
  if (random_.chance(30)) join(random_.below(kYears));
  if (on_roll_.size() > 4 && random_.chance(20)) leave(random_.below(on_roll_.size()));
  mark_day();
  change_pupils();
  change_marks();
  change_spells();
  if (random_.chance(10)) {
    auto& tables = sources_[random_.below(sources_.size())].tables;
    auto& records = tables[random_.below(tables.size())].records;
    for (std::size_t i = records.size(); i > 1; --i) std::swap(records[i - 1], records[random_.below(i)]);
  }
}

void SimSource::change_pupils() {
  SimTable& pupils = table("pupil");
  for (std::size_t n = random_.below(3); n > 0 && !pupils.records.empty(); --n) {
    static constexpr std::array<const char*, 6> kFields{"Surname",     "PreferredForename",   "UPN",
                                                        "MiddleNames", "UniqueLearnerNumber", "Forename"};
    const char* field = kFields[random_.below(kFields.size())];
    const bool short_one = std::string_view(field).starts_with('U');
    set(pupils, pupils.records[random_.below(pupils.records.size())], field,
        text("pupil", field, short_one ? 0 : 3));
  }
  if (strikes(Mishap::kSourceIds) && !on_roll_.empty()) {
    std::string& id = on_roll_[random_.below(on_roll_.size())];  // merged by hand, say
    const std::string next = "p" + std::to_string(++ids_);
    rename("pupil", id, next);
    id = next;
  }
}

void SimSource::change_marks() {
  auto& marks = table("session_mark");
  for (std::size_t n = random_.below(5); n > 0 && !marks.records.empty(); --n)
    set(marks, marks.records[random_.below(marks.records.size())], "code",
        code("session_mark", "code", kMarks[random_.below(kMarks.size())]));
  if (marks.records.size() > 1 && random_.chance(15))
    marks.records.erase(marks.records.begin() +
                        static_cast<std::ptrdiff_t>(random_.below(marks.records.size())));
}

void SimSource::change_spells() {
  if (on_roll_.empty()) return;
  const auto somebody = [&] { return ref(on_roll_[random_.below(on_roll_.size())]); };
  SimTable& spells = table("fsm");
  if (random_.chance(25))
    add(spells, row("fsm")
                    .set("pupil", somebody())
                    .set("FSMstartDate", iso(today_))
                    .set("category", code("fsm", "category", kCategories[random_.below(kCategories.size())]))
                    .set("UKcountry", code("fsm", "UKcountry", random_.chance(50) ? "ENG" : "england")));
  if (!spells.records.empty() && random_.chance(20))
    set(spells, spells.records[random_.below(spells.records.size())], "FSMendDate",
        random_.chance(20) ? "2100-12-31" : iso(today_ + 30));
  // A date that is part of the key was wrong.
  if (!spells.records.empty() && random_.chance(10)) {
    SimRecord changed = spells.records.back();
    set(spells, changed, "FSMstartDate", iso(today_ - static_cast<int>(random_.below(400))));
    const bool there = std::any_of(spells.records.begin(), spells.records.end(), [&](const SimRecord& r) {
      return same_key(spells, r.cells, changed.cells);
    });
    if (!there) spells.records.back() = changed;
  }
  if (!spells.records.empty() && random_.chance(10)) spells.records.pop_back();
  if (SimTable* sen = find("sen"); sen != nullptr && random_.chance(20))
    add(*sen, row("sen")
                  .set("pupil", somebody())
                  .set("StartDate", iso(today_))
                  .set("SENprovision",
                       code("sen", "SENprovision", kProvisions[random_.below(kProvisions.size())])));
  if (SimTable* results = find("assessment_result"); results != nullptr && random_.chance(30)) {
    Row result = row("assessment_result");
    result.set("pupil", somebody()).set("Year", number("2026"));
    for (const char* part :
         {"Stage", "Subject", "Method", "Component", "ResultQualifier", "ResultStatus", "Result"})
      result.set(part, text("assessment_result", part, random_.below(3)));
    add(*results, result);
  }
}

void SimSource::rename(const std::string& dataset, const std::string& from, const std::string& to) {
  const std::string& name = sources_[0].name;
  for (Source& source : sources_)
    for (SimTable& t : source.tables)
      for (std::size_t i = 0; i < t.dataset->fields.size(); ++i) {
        const DeclaredField& field = t.dataset->fields[i];
        const bool own = field.form == Form::kEntity && t.dataset->name == dataset && &source == &sources_[0];
        const bool refers = field.form == Form::kRef && field.refs[0] == dataset;
        if (!own && !refers) continue;
        for (SimRecord& r : t.records)
          if (r.cells[i] == (own ? from : name + ":" + from)) r.cells[i] = own ? to : name + ":" + to;
      }
}

// The first of September: everybody moves up, the oldest leave, a new year comes, groups have other names,
// and the export holds this year's registers and calendar only.
void SimSource::new_year() {
  SimTable& pupils = table("pupil");
  for (std::size_t i = on_roll_.size(); i-- > 0;) {
    const auto found = std::find_if(pupils.records.begin(), pupils.records.end(),
                                    [&](const SimRecord& r) { return r.cells[0] == on_roll_[i]; });
    const std::size_t year = pupils.dataset->position("NCyearActual");
    if (found->cells[year] == std::to_string(2 + kYears))
      leave(i);
    else
      found->cells[year] = std::to_string(2 + kYears);
  }
  std::rotate(groups_.begin(), groups_.begin() + 1, groups_.end());
  SimTable& groups = table("group");
  for (SimRecord& r : groups.records) {
    const auto at = std::find(groups_.begin(), groups_.end(), r.cells[0]) - groups_.begin();
    set(groups, r, "name", text("group", "name", 3));
    set(groups, r, "NCyear", std::to_string(3 + static_cast<std::size_t>(at)));
  }
  table("session_mark").records.clear();
  table("school_day").records.clear();
  for (std::size_t n = random_.between(3, 6); n > 0; --n) join(0);
}

// Another system, with ids of its own, in an order of its own; perhaps configured under another name.
void SimSource::new_mis() {
  for (std::string* id = on_roll_.data(); id != on_roll_.data() + on_roll_.size(); ++id) {
    const std::string next = "q" + std::to_string(++ids_);
    rename("pupil", *id, next);
    *id = next;
  }
  left_.clear();
  for (std::string& id : groups_) {
    const std::string next = "h" + std::to_string(++ids_);
    rename("group", id, next);
    id = next;
  }
  Source& mis = sources_[0];
  for (SimTable& t : mis.tables)
    for (std::size_t i = t.records.size(); i > 1; --i)
      std::swap(t.records[i - 1], t.records[random_.below(i)]);
  mis.told.clear();
  mis.last_delta.clear();
  if (!random_.chance(25)) return;
  // Its rows under the old name stay: nothing says that they are gone.
  const std::string from = mis.name + ":";
  mis.name = "mis" + std::to_string(++ids_);
  for (Source& source : sources_) {
    source.told.clear();
    source.last_delta.clear();
    for (SimTable& t : source.tables)
      for (SimRecord& r : t.records)
        for (std::size_t i = 0; i < t.dataset->fields.size(); ++i)
          if (t.dataset->fields[i].form == Form::kRef && r.cells[i].starts_with(from))
            r.cells[i] = mis.name + ":" + r.cells[i].substr(from.size());
  }
}

// --- a night's export ------------------------------------------------------------------------

SimExport SimSource::truth(std::size_t source) const {
  return {sources_[source].name, sources_[source].tables, false};
}

SimExport SimSource::night(std::size_t at) {
  Source& source = sources_[at];
  SimExport out = truth(at);
  if (source.deltas && !source.told.empty() && random_.chance(60))
    tell_changes(source, out);
  else
    spoil(out);
  source.told = source.tables;
  return out;
}

void SimSource::spoil(SimExport& out) {
  const auto any = [&]() -> SimTable& { return out.tables[random_.below(out.tables.size())]; };
  if (strikes(Mishap::kSourceFails)) out.fails = true;
  if (strikes(Mishap::kSourceBreaks)) any().state = SimTable::State::kBreaksOff;
  if (strikes(Mishap::kSourceAbsent)) any().state = SimTable::State::kAbsent;
  forget_pupils(out);
  if (strikes(Mishap::kSourceCell)) spoil_cell(out);
  if (strikes(Mishap::kSourceTwice)) repeat_record(out);
  if (strikes(Mishap::kSourceRecord)) {
    SimTable& t = any();
    if (!t.records.empty()) {
      SimRecord& r = t.records[random_.below(t.records.size())];
      hide_words(*t.dataset, r);
      r.kind = SimRecord::Kind::kUnreadable;
    }
  }
}

// An export by year group that lost half of them; one that lacks more from night to night; one that does not
// have today's new pupil yet, though its register does.
void SimSource::forget_pupils(SimExport& out) {
  const bool half = strikes(Mishap::kSourceHalf);
  const bool shrinks = strikes(Mishap::kSourceShrinks);
  const bool late = strikes(Mishap::kSourceLate);
  for (SimTable& t : out.tables) {
    if (t.dataset->name != "pupil") continue;
    if (half) t.records.resize((t.records.size() + 1) / 2);
    if (shrinks || missing_ > 0) ++missing_;
    if (missing_ * 2 > t.records.size() || random_.chance(15)) missing_ = 0;
    t.records.erase(t.records.begin(),
                    t.records.begin() + static_cast<std::ptrdiff_t>(std::min(missing_, t.records.size())));
    if (late && !t.records.empty()) t.records.pop_back();
  }
}

// What stands in a record that cannot be taken must never leave.
void SimSource::hide_words(const DeclaredDataset& dataset, SimRecord& record) {
  for (std::size_t i = dataset.key_count; i < dataset.fields.size(); ++i)
    if (dataset.fields[i].form == Form::kText || dataset.fields[i].form == Form::kCode)
      if (!record.cells[i].empty()) record.cells[i] = telling_word(kNotTaken, ++words_);
}

void SimSource::spoil_cell(SimExport& out) {
  struct Bad {
    const char *dataset, *field;
    std::string value;
  };
  static const std::vector<Bad> kBad{{"pupil", "Surname", ""},
                                     {"pupil", "Forename", std::string("a\0b", 3)},
                                     {"pupil", "Surname", "Sm\xffth"},
                                     {"pupil", "Surname", "\xed\xa0\x80"},
                                     {"pupil", "PreferredSurname", std::string(101, 'x')},
                                     {"pupil", "DOB", "2026-02-30"},
                                     {"pupil", "DOB", "1899-12-31"},
                                     {"pupil", "NCyearActual", std::string(65, '4')},
                                     {"session_mark", "minutes_late", "some"},
                                     {"session_mark", "minutes_late", "-1"},
                                     {"session_mark", "minutes_late", "1000000001"},
                                     {"fsm", "FSMendDate", "1999-01-01"},
                                     {"fsm", "reviewed_on", "2101-01-01"},
                                     {"activity", "title", ""},
                                     {"group", "name", ""},
                                     {"group_membership", "member_kind", "dog"},
                                     {"school_day", "am_open", "2"},
                                     {"school_day", "kind", "fair"},
                                     // In a key: nothing can be told of the row.
                                     {"session_mark", "date", "1st"},
                                     {"session_mark", "session", "EVE"},
                                     {"enrolment", "pupil", "mis:nobody"}};
  const Bad& bad = kBad[random_.below(kBad.size())];
  for (SimTable& t : out.tables) {
    if (t.dataset->name != bad.dataset || t.records.empty()) continue;
    SimRecord& r = t.records[random_.below(t.records.size())];
    hide_words(*t.dataset, r);
    set(t, r, bad.field, bad.value);
  }
}

// The same record a second time, before or after the first, and perhaps with something else in it.
void SimSource::repeat_record(SimExport& out) {
  SimTable& t = out.tables[random_.below(out.tables.size())];
  if (t.records.empty()) return;
  SimRecord again = t.records[random_.below(t.records.size())];
  for (std::size_t i = t.dataset->key_count; i < t.dataset->fields.size() && random_.chance(50); ++i)
    if (const DeclaredField& f = t.dataset->fields[i]; f.form == Form::kText)
      again.cells[i] = text(t.dataset->name, f.name, 0);
    else if (f.form == Form::kCode)
      again.cells[i] = random_.chance(50) ? "" : text(t.dataset->name, f.name + "_raw", 0);
  t.records.insert(t.records.begin() + static_cast<std::ptrdiff_t>(random_.below(t.records.size() + 1)),
                   std::move(again));
}

// What has changed since it was last asked, whoever heard that; or once more what it said then.
void SimSource::tell_changes(Source& source, SimExport& out) {
  const bool lost = strikes(Mishap::kSourceDeltaLost);
  const bool again = strikes(Mishap::kSourceDeltaAgain) && !source.last_delta.empty();
  for (std::size_t at = 0; at < out.tables.size(); ++at) {
    SimTable& t = out.tables[at];
    const auto was = std::find_if(source.told.begin(), source.told.end(),
                                  [&](const SimTable& o) { return o.dataset == t.dataset; });
    if (was == source.told.end()) continue;
    const auto key_of = [&](const SimRecord& r) {
      return std::vector(r.cells.begin(),
                         r.cells.begin() + static_cast<std::ptrdiff_t>(t.dataset->key_count));
    };
    std::map<Cells, const SimRecord*> before;
    for (const SimRecord& r : was->records) before[key_of(r)] = &r;
    std::vector<SimRecord> changes;
    for (const SimRecord& r : t.records) {
      const auto old = before.find(key_of(r));
      if (old == before.end() || !(*old->second == r)) changes.push_back(r);
      if (old != before.end()) before.erase(old);
    }
    for (const auto& [key, record] : before) {
      changes.push_back(*record);
      changes.back().kind = SimRecord::Kind::kRemove;
    }
    t.records = std::move(changes);
    t.delta = true;
  }
  if (again)
    out.tables = source.last_delta;
  else
    source.last_delta = out.tables;
  if (lost) out.fails = true;
}

}  // namespace towpath::sim
