#include "tests/simulation/federation/source.hpp"

#include <algorithm>
#include <array>

namespace towpath::sim::fed {
namespace {

constexpr const char* kSource = "mis";
constexpr std::array<const char*, 8> kMarks{"/", "/", "/", "\\", "L", "I", "N", "M"};
constexpr std::array<const char*, 3> kYears{"3", "4", "5"};
constexpr std::size_t kRegistersShown = 6;  // days; older ones fall out of the export

std::string mis(const std::string& id) { return std::string(kSource) + ":" + id; }
std::string entity(const std::string& id) { return "pupil:" + mis(id); }

}  // namespace

Source::Row Source::row(std::string_view dataset) {
  const DeclaredDataset& d = Declared::here().dataset(dataset);
  return {d, Cells(d.fields.size())};
}
Source::Row& Source::Row::set(std::string_view field, std::string value) {
  cells[dataset.position(field)] = std::move(value);
  return *this;
}
SimTable& Source::table(std::string_view dataset) {
  return *std::find_if(tables_.begin(), tables_.end(),
                       [&](const SimTable& t) { return t.dataset->name == dataset; });
}
void Source::add(Row row) {
  SimTable& t = table(row.dataset.name);
  for (const SimRecord& r : t.records)
    if (std::equal(row.cells.begin(), row.cells.begin() + static_cast<std::ptrdiff_t>(row.dataset.key_count),
                   r.cells.begin()))
      return;
  t.records.push_back({std::move(row.cells)});
}
std::string Source::text(std::string_view dataset, std::string_view field, const std::string& pupil) {
  return words_.make(urn_, dataset, field, pupil.empty() ? std::string() : entity(pupil));
}
std::string& Source::cell(SimTable& table, SimRecord& record, std::string_view field) const {
  return record.cells[table.dataset->position(field)];
}
SimRecord* Source::of_pupil(std::string_view dataset, const std::string& id) {
  SimTable& t = table(dataset);
  const bool own = dataset == "pupil";
  for (SimRecord& r : t.records)
    if (cell(t, r, "pupil") == (own ? id : mis(id))) return &r;
  return nullptr;
}

Source::Source(std::string urn, SimRandom random, Words& words, std::size_t pupils, int today)
    : urn_(std::move(urn)), days_(random), random_(days_.split()), words_(words), today_(today) {
  for (const char* dataset :
       {"school_day", "pupil", "staff", "group", "activity", "protection", "enrolment", "sen", "ethnicity",
        "language", "group_membership", "session_mark", "participation"})
    tables_.push_back({&Declared::here().dataset(dataset), {}});
  add(row("staff")
          .set("staff", "t1")
          .set("display_name", text("staff", "display_name", ""))
          .set("role", text("staff", "role", "")));
  for (const char* year : kYears)
    add(row("group")
            .set("group", std::string("g") + year)
            .set("kind", "registration")
            .set("name", text("group", "name", ""))
            .set("NCyear", year));
  for (std::size_t i = 0; i < pupils; ++i) join(i == 0);
  registers();
  meet();
}

void Source::join(bool gone_in_july) {
  std::string id = "p" + std::to_string(++ids_);
  if (!left_.empty() && random_.chance(40)) {
    id = left_.back();
    left_.pop_back();
  }
  const char* year = kYears[random_.below(kYears.size())];
  if (of_pupil("pupil", id) == nullptr)
    add(row("pupil")
            .set("pupil", id)
            .set("UPN", text("pupil", "UPN", id))
            .set("Surname", text("pupil", "Surname", id))
            .set("Forename", text("pupil", "Forename", id))
            .set("MiddleNames", text("pupil", "MiddleNames", id))
            .set("DOB", iso(15'700 + static_cast<int>(random_.below(600))))
            .set("NCyearActual", year));
  const int from = gone_in_july ? today_ - 300 : today_;
  add(row("enrolment")
          .set("pupil", mis(id))
          .set("EntryDate", iso(from))
          .set("EnrolStatus", "C")
          .set("LeavingDate", gone_in_july ? iso(days_of(2026, 7, 17)) : ""));
  add(row("group_membership")
          .set("group", mis(std::string("g") + year))
          .set("member", mis(id))
          .set("from", iso(from))
          .set("member_kind", "pupil"));
  if (random_.chance(60))
    add(row("sen")
            .set("pupil", mis(id))
            .set("StartDate", iso(from))
            .set("SENprovision", random_.chance(50) ? "N" : text("sen", "SENprovision_raw", id)));
  if (random_.chance(60))
    add(row("ethnicity")
            .set("pupil", mis(id))
            .set("Ethnicity", random_.chance(50) ? "WBRI" : text("ethnicity", "Ethnicity_raw", id)));
  if (random_.chance(60))
    add(row("language")
            .set("pupil", mis(id))
            .set("LanguageType", random_.chance(80) ? "F" : "H")
            .set("Language", random_.chance(50) ? "ENG" : text("language", "Language_raw", id)));
  // Some were registered last school year, too.
  if (random_.chance(30))
    for (const char* session : {"AM", "PM"})
      add(row("session_mark")
              .set("date", iso(days_of(2026, 7, 14)))
              .set("session", session)
              .set("pupil", mis(id))
              .set("code", "/"));
  if (!gone_in_july) on_roll_.push_back(id);
}

void Source::leave(std::size_t at) {
  const std::string id = on_roll_[at];
  on_roll_.erase(on_roll_.begin() + static_cast<std::ptrdiff_t>(at));
  left_.push_back(id);
  SimTable& t = table("enrolment");
  // Today was the last day, or some day soon will be.
  const int last = today_ + (random_.chance(50) ? 0 : static_cast<int>(random_.between(1, 4)));
  for (SimRecord& r : t.records)
    if (cell(t, r, "pupil") == mis(id) && cell(t, r, "LeavingDate").empty())
      cell(t, r, "LeavingDate") = iso(last);
}

void Source::vanish(std::size_t at) {
  const std::string id = on_roll_[at];
  on_roll_.erase(on_roll_.begin() + static_cast<std::ptrdiff_t>(at));
  left_.push_back(id);
  for (SimTable& t : tables_) {
    const char* field = t.dataset->name == "group_membership" ? "member" : "pupil";
    if (!t.dataset->has(field)) continue;
    const std::string there = t.dataset->name == "pupil" ? id : mis(id);
    std::erase_if(t.records, [&](SimRecord& r) { return cell(t, r, field) == there; });
  }
}

void Source::registers() {
  add(row("school_day")
          .set("date", iso(today_))
          .set("kind", "school")
          .set("am_open", "1")
          .set("pm_open", "1")
          .set("term", "AUT1"));
  for (const char* session : {"AM", "PM"})
    for (const std::string& id : on_roll_) {
      if (random_.chance(5)) continue;
      Row mark = row("session_mark");
      mark.set("date", iso(today_)).set("session", session).set("pupil", mis(id));
      if (random_.chance(6))
        mark.set("code", text("session_mark", "code_raw", id));
      else if (!random_.chance(5))
        mark.set("code", kMarks[random_.below(kMarks.size())]);
      table("session_mark").records.push_back({std::move(mark.cells)});
    }
  const std::string oldest = iso(today_ - static_cast<int>(kRegistersShown)),
                    summer = iso(days_of(2026, 8, 1));
  std::erase_if(table("session_mark").records,
                [&](const SimRecord& r) { return r.cells[0] < oldest && r.cells[0] > summer; });
}

void Source::meet() {
  SimTable& clubs = table("activity");
  if (clubs.records.empty() || random_.chance(10)) {
    const std::string id = "c" + std::to_string(++ids_);
    add(row("activity")
            .set("activity", id)
            .set("title", text("activity", "title", ""))
            .set("promise", "P02")
            .set("kind", "club"));
  }
  const std::string club = clubs.records[random_.below(clubs.records.size())].cells[0];
  for (const std::string& id : on_roll_)
    if (random_.chance(20))
      add(row("participation")
              .set("activity", mis(club))
              .set("date", iso(today_))
              .set("pupil", mis(id))
              .set("status", random_.chance(70) ? "attended" : "offered"));
}

void Source::change_something() {
  static constexpr std::array<const char*, 4> kFields{"Surname", "Forename", "UPN", "PreferredForename"};
  SimTable& pupils = table("pupil");
  if (pupils.records.empty()) return;
  SimRecord& pupil = pupils.records[random_.below(pupils.records.size())];
  const std::string id = pupil.cells[0];
  switch (random_.below(4)) {
    case 0:
    case 1: {
      const char* field = kFields[random_.below(kFields.size())];
      cell(pupils, pupil, field) = text("pupil", field, id);
      break;
    }
    case 2:
      cell(pupils, pupil, "NCyearActual") = kYears[random_.below(kYears.size())];
      break;
    default: {  // a flag in the MIS, or no longer
      SimTable& flags = table("protection");
      const auto had =
          std::erase_if(flags.records, [&](SimRecord& r) { return cell(flags, r, "pupil") == mis(id); });
      if (had == 0 || random_.chance(50))
        add(row("protection").set("pupil", mis(id)).set("level", "R" + std::to_string(random_.below(4))));
    }
  }
}

void Source::next_day(int today) {
  today_ = today;
  random_ = days_.split();
  if (random_.chance(20)) join(false);
  if (on_roll_.size() > 3 && random_.chance(15)) leave(random_.below(on_roll_.size()));
  if (on_roll_.size() > 3 && random_.chance(7)) vanish(random_.below(on_roll_.size()));
  for (std::size_t n = random_.below(3); n > 0; --n) change_something();
  registers();
  if (random_.chance(60)) meet();
  SimTable& marks = table("session_mark");
  if (random_.chance(30) && !marks.records.empty())
    cell(marks, marks.records[random_.below(marks.records.size())], "code") = "I";
}

SimExport Source::truth() const {
  SimExport all;
  all.source = kSource;
  all.tables = tables_;
  return all;
}

std::vector<std::string> Source::pupils() const {
  std::vector<std::string> all;
  for (const SimTable& t : tables_)
    if (t.dataset->name == "pupil")
      for (const SimRecord& r : t.records) all.push_back(entity(r.cells[0]));
  return all;
}

}  // namespace towpath::sim::fed
