// A school whose every value can be told again, what an audience should have of it, and what it has.
//
// Telling values: each text field of each pupil holds a text that is nowhere else ("TQ00017Z"), each number a
// number that is nowhere else, and `told` says whose it is. `fresh` says which rows and cells an audience
// should have, from DESIGN 8, DOMAIN 5.3 and 8.8 and the dictionary's grants, with nothing of agent/publish.
// `Reader` is what a hub or partner does: it holds a Replica in a file, and carries out orders.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <variant>

#include "agent/publish/publisher.hpp"
#include "agent/sharing/pupils.hpp"
#include "replica/replica.hpp"
#include "sqlite/table.hpp"
#include "tests/agent/school_source.hpp"

namespace towpath::test {

// --- what was agreed ---------------------------------------------------------------------------------------

struct Agreed {
  std::vector<std::string> grants;
  std::vector<std::string> without = {};
  ScopeKind scope = ScopeKind::kEveryone;
  std::vector<std::string> year_groups = {};
  std::map<std::string, int> retention = {};

  [[nodiscard]] Audience audience(const std::string& name, Date today) const {
    return {name, grants, without, {scope, year_groups, today}, retention};
  }
};

// --- telling values ----------------------------------------------------------------------------------------

struct Told {
  std::string pupil;  // of the source; empty: nobody's
  std::string dataset, field;
  std::optional<std::int32_t> day = {};  // of the row, where its dataset goes by one
  bool number = false;
};
constexpr std::int64_t kTellingNumbers = 0x3A71;  // the upper two bytes of four: ":q"

// Which of them stand in these bytes: texts; numbers as SQLite stores them, or what is one by chance.
inline std::set<std::size_t> told_in(std::string_view bytes) {
  std::set<std::size_t> out;
  for (std::size_t at = 0; (at = bytes.find("TQ", at)) != std::string_view::npos; ++at) {
    std::size_t n = 0, end = at + 2;
    while (end < bytes.size() && end < at + 7 && bytes[end] >= '0' && bytes[end] <= '9')
      n = n * 10 + static_cast<std::size_t>(bytes[end++] - '0');
    if (end == at + 7) out.insert(n);
  }
  return out;
}
inline std::set<std::size_t> numbers_in(std::string_view bytes) {
  std::set<std::size_t> out;
  for (std::size_t at = 0; (at = bytes.find(":q", at)) != std::string_view::npos && at + 4 <= bytes.size();
       ++at)
    out.insert(static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[at + 2])) << 8 |
               static_cast<std::uint8_t>(bytes[at + 3]));
  return out;
}
inline std::optional<std::size_t> told_by(const Value& v) {
  if (v.kind() == Value::Kind::kInt)
    return v.as_int() >> 16 == kTellingNumbers ? std::optional(static_cast<std::size_t>(v.as_int() & 0xFFFF))
                                               : std::nullopt;
  const auto found = told_in(v.as_text());
  return found.empty() ? std::nullopt : std::optional(*found.begin());
}

// --- the school --------------------------------------------------------------------------------------------

class SharedSchool {
 public:
  SharedSchool() : pupils_(school.store, school.clock) {
    for (const char* day : {"2023-10-02", "2024-09-02", "2026-11-16"})
      add("school_day", {{"date", day}, {"kind", "school"}});
    add("staff", {{"staff", "t1"}, {"display_name", text("", "staff", "display_name")}, {"role", "Teacher"}});
    add("group", {{"group", "g1"}, {"kind", "club"}, {"name", text("", "group", "name")}});
    add("activity", {{"activity", "a1"},
                     {"title", text("", "activity", "title")},
                     {"promise", "P01"},
                     {"minutes", number("", "activity", "minutes")}});
  }

  School school;
  std::vector<Told> told;
  Date today = Date::parse("2026-11-20").value();

  using Cells = std::vector<std::pair<std::string, std::string>>;
  Record& add(const std::string& dataset, const Cells& cells) {
    Record record(school.dictionary.find(dataset)->fields.size());
    for (const auto& [field, value] : cells) school.set(dataset, record, field, value);
    return school.add(dataset, record);
  }
  std::string text(const std::string& pupil, const std::string& dataset, const std::string& field,
                   const std::string& day = {}) {
    std::string digits = std::to_string(tell(pupil, dataset, field, day, false));
    return "TQ" + std::string(5 - digits.size(), '0') + digits + "Z";
  }
  std::string number(const std::string& pupil, const std::string& dataset, const std::string& field,
                     const std::string& day = {}) {
    return std::to_string(kTellingNumbers << 16 |
                          static_cast<std::int64_t>(tell(pupil, dataset, field, day, true)));
  }

  // With a row in every dataset that speaks of pupils.
  void pupil(const std::string& id, const std::string& year, int variant = 0) {
    ids.push_back(id);
    Cells cells{{"pupil", id}, {"NCyearActual", year}, {"Sex", "F"}};
    for (const char* field :
         {"UPN", "UniqueLearnerNumber", "Surname", "Forename", "MiddleNames", "PreferredSurname"})
      cells.emplace_back(field, text(id, "pupil", field));
    // Nobody else is as old as that, nor is anything else.
    cells.emplace_back("DOB", Date{5000 + static_cast<std::int32_t>(ids.size())}.iso());
    add("pupil", cells);
    add("enrolment",
        {{"pupil", id}, {"EntryDate", "2023-09-01"}, {"EnrolStatus", variant % 5 == 4 ? "G" : "C"}});
    for (const char* day : {"2023-10-02", "2024-09-02", "2026-11-16"})
      mark(id, day, variant % 2 == 0 ? "I" : "O");
    add("language", {{"pupil", id}, {"LanguageType", "F"}, {"Language", variant % 3 == 0 ? "BNG" : "ENG"}});
    add("language", {{"pupil", id}, {"LanguageType", "H"}, {"Language", "BNG"}});
    add("ethnicity", {{"pupil", id}, {"Ethnicity", "WBRI"}});
    add("sen", {{"pupil", id}, {"StartDate", "2024-01-08"}, {"SENprovision", "K"}});
    add("fsm", {{"pupil", id}, {"FSMstartDate", "2024-01-08"}});
    suspension(id, variant % 2 == 0 ? "2026-10-05" : "2023-11-06");
    add("participation", {{"activity", "a1"}, {"date", "2025-05-05"}, {"pupil", id}, {"status", "attended"}});
    add("group_membership",
        {{"group", "g1"}, {"member", id}, {"from", "2026-09-01"}, {"member_kind", "pupil"}});
    add("assessment_result", {{"pupil", id},
                              {"Year", "2026"},
                              {"Stage", "KS2"},
                              {"Subject", "MAT"},
                              {"Method", "TT"},
                              {"Component", text(id, "assessment_result", "Component")},
                              {"ResultQualifier", "SS"},
                              {"ResultStatus", "R"},
                              {"Result", text(id, "assessment_result", "Result")}});
  }
  void mark(const std::string& id, const std::string& day, const std::string& code) {
    add("session_mark", {{"date", day},
                         {"session", "AM"},
                         {"pupil", id},
                         {"code", code},
                         {"minutes_late", number(id, "session_mark", "minutes_late", day)}});
  }
  void suspension(const std::string& id, const std::string& day) {
    add("suspension", {{"suspension", "s" + std::to_string(++suspensions_)},
                       {"pupil", id},
                       {"category", "SUSP"},
                       {"start", day},
                       {"sessions", number(id, "suspension", "sessions", day)}});
  }
  // Every record that names the pupil, of one dataset.
  std::vector<Record*> records(const std::string& dataset, const std::string& id) {
    const auto at = pupil_field(*school.dictionary.find(dataset));
    std::vector<Record*> out;
    for (Record& r : school.source.file(dataset).records)
      if (r[*at] == id) out.push_back(&r);
    return out;
  }
  void set(const std::string& dataset, const std::string& id, const std::string& field,
           const std::string& value) {
    for (Record* r : records(dataset, id)) school.set(dataset, *r, field, value);
  }
  void remove(const std::string& dataset, const std::string& id) {
    const auto at = pupil_field(*school.dictionary.find(dataset));
    std::erase_if(school.source.file(dataset).records, [&](const Record& r) { return r[*at] == id; });
  }
  void remove(const std::string& id) {
    for (const Dataset& d : school.dictionary.datasets)
      if (pupil_field(d)) remove(std::string(d.name), id);
    std::erase(ids, id);
  }
  void read() {
    ExtractOptions options;
    options.accept_deletions = true;
    school.read(options);
    REQUIRE(school.store.db().text("SELECT group_concat(file||field||text) FROM quarantine").value() == "");
  }

  // Rules by hand. What is so already stays so.
  void protect(const std::string& id, int level) {
    if (const auto n = number_of(id); n && !erased.contains(id)) {
      if (pupils_.protect(*n, level, "head", true) || levels[id] == level) levels[id] = level;
    }
  }
  void restrict(const std::string& id, bool on) {
    if (const auto n = number_of(id); n && !erased.contains(id) && restricted.contains(id) != on) {
      REQUIRE(pupils_.restrict(*n, on, "head"));
      on ? void(restricted.insert(id)) : void(restricted.erase(id));
    }
  }
  void erase(const std::string& id) {
    if (const auto n = number_of(id); n && !erased.contains(id)) {
      REQUIRE(pupils_.erase(*n, "asked for", "head"));
      erased.insert(id);
      for (auto& [audience, list] : named) list.erase(id);
    }
  }
  void name(const std::string& audience, const std::string& id, bool on) {
    if (const auto n = number_of(id); n && !erased.contains(id) && named[audience].contains(id) != on) {
      REQUIRE(pupils_.name(audience, *n, on, "head"));
      on ? void(named[audience].insert(id)) : void(named[audience].erase(id));
    }
  }
  void flag(const std::string& id, const std::string& level) {  // of the MIS
    remove("protection", id);
    if (!level.empty()) add("protection", {{"pupil", id}, {"level", level}});
  }
  std::optional<std::int64_t> number_of(const std::string& id) {
    const auto n = school.store.db().integer(
        "SELECT coalesce(max(number),0) FROM identity WHERE dataset=3 AND source_id='" + id + "'");
    REQUIRE(n);
    return *n == 0 ? std::nullopt : std::optional(*n);
  }

  std::vector<std::string> ids;  // whom the source names
  std::map<std::string, int> levels;
  std::set<std::string> restricted, erased;
  std::map<std::string, std::set<std::string>> named;

  static std::optional<std::size_t> pupil_field(const Dataset& d) {
    if (d.name == "pupil") return 0;
    if (d.name == "group_membership") return d.position("member");
    return d.position("pupil");
  }

 private:
  std::size_t tell(const std::string& pupil, const std::string& dataset, const std::string& field,
                   const std::string& day, bool number) {
    Told t{pupil, dataset, field, {}, number};
    if (!day.empty()) t.day = Date::parse(day).value().days;
    told.push_back(t);
    REQUIRE(told.size() < 65'536);
    return told.size() - 1;
  }
  Pupils pupils_;
  int suspensions_ = 0;
};

// --- what an audience should have --------------------------------------------------------------------------

using Cell = std::variant<std::monostate, std::int64_t, std::string>;
using Row = std::vector<Cell>;
inline Cell cell_from(const Value& v) {
  if (v.is_null()) return {};
  if (v.kind() == Value::Kind::kInt) return v.as_int();
  return std::string(v.as_text());
}
// Dataset -> key -> field -> value; nulls are left out.
using Projection = std::map<std::string, std::map<Row, std::map<std::string, Cell>>>;

struct Should {
  Projection rows;
  std::set<std::size_t> told;  // the telling values in it
  // Of each telling value: its field may go, and nothing was decided about its pupil that keeps it here; and
  // it is in scope and not too old.
  std::vector<bool> decided, in_time;
};

class Fresh {
 public:
  Fresh(SharedSchool& world, const std::string& audience, const Agreed& agreed)
      : world_(world), audience_(audience), agreed_(agreed), dictionary_(world.school.dictionary) {}

  Should should() {
    read_tables();
    read_pupils();
    Should out;
    for (const Dataset& d : dictionary_.datasets) {
      if (!goes(d)) continue;
      for (const Row& row : tables_[std::string(d.name)]) {
        if (!row_goes(d, row)) continue;
        Row key(row.begin(), row.begin() + d.key_count);
        std::map<std::string, Cell> cells;
        bool beside = false;
        for (std::size_t i = 0; i < d.fields.size(); ++i) {
          Cell cell = cell_goes(d, row, i);
          if (cell.index() == 0) continue;
          beside = beside || i >= d.key_count;
          cells[std::string(d.fields[i].name)] = std::move(cell);
        }
        if (!beside && !key_granted(d)) continue;
        for (const auto& [field, cell] : cells) {
          const auto id = told_by(std::holds_alternative<std::int64_t>(cell)
                                      ? Value(std::get<std::int64_t>(cell))
                                      : Value(std::string_view(std::get<std::string>(cell))));
          if (id) out.told.insert(*id);
        }
        out.rows[std::string(d.name)][std::move(key)] = std::move(cells);
      }
    }
    for (const Told& t : world_.told) {
      const Dataset& d = *dictionary_.find(t.dataset);
      const std::size_t field = *d.position(t.field);
      const Who* who = t.pupil.empty() ? nullptr : whose(t.pupil);
      const bool gone = who == nullptr && !t.pupil.empty();  // never read
      bool decided = !gone && goes(d) && field_goes(d, field);
      if (who != nullptr) decided = decided && !who->out && !(who->masked && d.fields[field].protect != 0);
      out.decided.push_back(decided);
      out.in_time.push_back((who == nullptr || who->in_scope) && !(t.day && *t.day < first_day(d)));
    }
    return out;
  }

 private:
  struct Who {
    bool out = false, masked = false, in_scope = true;
  };

  bool granted(const Dataset& d, std::size_t field) const {
    const Field& f = d.fields[field];
    const auto has = [](const auto& list, const std::string& word) {
      return std::find(list.begin(), list.end(), word) != list.end();
    };
    return !f.grant.empty() && has(agreed_.grants, std::string(f.grant)) &&
           !has(agreed_.without, std::string(d.name) + "." + std::string(f.name));
  }
  // What is computed goes to those who may not have what it is computed from.
  bool field_goes(const Dataset& d, std::size_t field) const {
    if (field < d.key_count) return true;
    if (!granted(d, field)) return false;
    if (d.name == "session_mark" && d.fields[field].name == "category")
      return !granted(d, *d.position("code"));
    if (d.name == "language" && d.fields[field].name == "EAL") return !granted(d, *d.position("Language"));
    return true;
  }
  bool goes(const Dataset& d) const {
    for (std::size_t i = d.key_count; i < d.fields.size(); ++i)
      if (field_goes(d, i)) return true;
    return d.fields.size() == d.key_count && granted(d, 0);
  }
  bool key_granted(const Dataset& d) const {
    for (std::size_t i = 0; i < d.key_count; ++i)
      if (!granted(d, i)) return false;
    return true;
  }

  static int school_year(std::int32_t days) {  // the year in which it began
    const std::string iso = Date{days}.iso();
    return std::stoi(iso.substr(0, 4)) - (iso.substr(5, 2) < "09" ? 1 : 0);
  }
  // Academic years that a dataset's rows go back beside the present one.
  int years(const Dataset& d) const {
    int out = d.retention_years ? *d.retention_years : 1000;
    if (const auto own = agreed_.retention.find(std::string(d.name)); own != agreed_.retention.end())
      out = std::min(out, own->second);
    return out;
  }
  std::int32_t first_day(const Dataset& d) const {
    if (d.retention_date.empty() || years(d) == 1000) return INT32_MIN;
    return Date::parse(std::to_string(school_year(world_.today.days) - years(d)) + "-09-01").value().days;
  }

  void read_tables() {
    for (const Dataset& d : dictionary_.datasets) {
      auto& rows = tables_[std::string(d.name)];
      REQUIRE(world_.school.store.db().each("SELECT " + column_list(d) + " FROM " + table_name(d),
                                            [&](Statement::Use& use) {
                                              Row row;
                                              for (std::size_t i = 0; i < d.fields.size(); ++i)
                                                row.push_back(cell_from(use.value(static_cast<int>(i))));
                                              rows.push_back(std::move(row));
                                            }));
    }
  }
  static std::int64_t integer(const Cell& c) {
    return std::holds_alternative<std::int64_t>(c) ? std::get<std::int64_t>(c) : 0;
  }
  static std::string words(const Cell& c) {
    return std::holds_alternative<std::string>(c) ? std::get<std::string>(c) : "";
  }
  const Cell& at(const std::string& dataset, const Row& row, const char* field) const {
    return row[*dictionary_.find(dataset)->position(field)];
  }

  // Each pupil that has ever had a number here.
  void read_pupils() {
    const auto names = [&] {
      std::map<std::string, std::int64_t> out;
      REQUIRE(world_.school.store.db().each(
          "SELECT source_id,number FROM identity WHERE dataset=3",
          [&](Statement::Use& use) { out.emplace(use.text(0), use.integer(1)); }));
      return out;
    }();
    for (const auto& [id, number] : names) {
      Who who;
      int level = 0;
      if (const auto set = world_.levels.find(id); set != world_.levels.end()) level = set->second;
      for (const Row& row : tables_["protection"])
        if (integer(row[0]) == number) level = std::max(level, static_cast<int>(integer(row[1])));
      who.out = level >= 2 || world_.restricted.contains(id) || world_.erased.contains(id);
      who.masked = level == 1;
      bool on_roll = false, open = false;
      std::int32_t last = INT32_MIN;
      for (const Row& row : tables_["enrolment"]) {
        if (integer(row[0]) != number) continue;
        const bool ends = at("enrolment", row, "LeavingDate").index() != 0;
        const auto end = static_cast<std::int32_t>(integer(at("enrolment", row, "LeavingDate")));
        const std::string status = words(at("enrolment", row, "EnrolStatus"));
        if (ends)
          last = std::max(last, end);
        else
          open = true;
        if (integer(row[1]) <= world_.today.days && (!ends || end >= world_.today.days) && status != "G")
          on_roll = true;
      }
      std::string year;
      bool here = false;
      for (const Row& row : tables_["pupil"])
        if (integer(row[0]) == number) {
          here = true;
          year = words(at("pupil", row, "NCyearActual"));
        }
      if (!agreed_.year_groups.empty() &&
          (!here || std::find(agreed_.year_groups.begin(), agreed_.year_groups.end(), year) ==
                        agreed_.year_groups.end()))
        who.in_scope = false;
      if (agreed_.scope == ScopeKind::kOnRoll && !on_roll) who.in_scope = false;
      if (agreed_.scope == ScopeKind::kNamed && !world_.named[audience_].contains(id)) who.in_scope = false;
      if (!open && last != INT32_MIN &&
          school_year(last) + years(*dictionary_.find("pupil")) < school_year(world_.today.days))
        who.in_scope = false;
      pupils_[number] = who;
      by_id_[id] = number;
    }
  }
  const Who* whose(const std::string& id) const {
    const auto n = by_id_.find(id);
    return n == by_id_.end() ? nullptr : &pupils_.at(n->second);
  }
  // Of whom the row speaks; none: of nobody.
  std::optional<std::int64_t> subject(const Dataset& d, const Row& row) const {
    if (d.name == "group_membership")
      return integer(at("group_membership", row, "member_kind")) == 0 ? std::optional(integer(row[1]))
                                                                      : std::nullopt;
    const auto field = SharedSchool::pupil_field(d);
    if (!field) return std::nullopt;
    return integer(row[*field]);
  }
  bool row_goes(const Dataset& d, const Row& row) {
    if (d.name == "entity") {
      // Introduced is who is spoken of, and nobody else.
      const Dataset& kind = *dictionary_.find(static_cast<std::uint16_t>(integer(row[1])));
      if (kind.name == "suspension") {
        if (!goes(kind)) return false;
        for (const Row& own : tables_["suspension"])
          if (integer(own[0]) == integer(row[0])) return row_goes(kind, own);
        return false;
      }
      bool spoken = goes(kind);
      for (const Dataset& other : dictionary_.datasets)
        for (std::size_t i = 0; goes(other) && i < other.fields.size(); ++i) {
          const std::string refs = "," + std::string(other.fields[i].ref) + ",";
          spoken = spoken || (field_goes(other, i) &&
                              refs.find("," + std::string(kind.name) + ",") != std::string::npos);
        }
      if (!spoken) return false;
      if (kind.name != "pupil") return true;
      const auto who = pupils_.find(integer(row[0]));
      return who == pupils_.end() || (!who->second.out && who->second.in_scope);
    }
    if (!d.retention_date.empty()) {
      const Cell& day = row[*d.position(d.retention_date)];
      if (day.index() != 0 && integer(day) < first_day(d)) return false;
    }
    const auto pupil = subject(d, row);
    if (!pupil) return true;
    const auto who = pupils_.find(*pupil);
    return who == pupils_.end() || (!who->second.out && who->second.in_scope);
  }
  Cell cell_goes(const Dataset& d, const Row& row, std::size_t field) {
    if (!field_goes(d, field)) return {};
    if (d.fields[field].protect != 0)
      if (const auto pupil = subject(d, row); pupil && pupils_[*pupil].masked) return {};
    if (d.name == "session_mark" && d.fields[field].name == "category") {
      // P E A U X -, of the codes that this school has.
      const std::string code = words(at("session_mark", row, "code"));
      const std::map<std::string, std::int64_t> of{{"/", 0}, {"V", 1}, {"I", 2}, {"O", 3}, {"", 5}};
      return of.at(code);
    }
    if (d.name == "language" && d.fields[field].name == "EAL") {
      if (integer(at("language", row, "LanguageType")) != 0) return {};
      return std::int64_t{words(at("language", row, "Language")) == "ENG" ? 0 : 1};
    }
    return row[field];
  }

  SharedSchool& world_;
  const std::string& audience_;
  const Agreed& agreed_;
  const Dictionary& dictionary_;
  std::map<std::string, std::vector<Row>> tables_;
  std::map<std::int64_t, Who> pupils_;
  std::map<std::string, std::int64_t> by_id_;
};

// --- what it has -------------------------------------------------------------------------------------------

// A folder for replicas, in memory where there is such a place: what is looked for is in their bytes, and
// nothing is cut off here.
class ReplicaFolder {
 public:
  ReplicaFolder() {
    namespace fs = std::filesystem;
    std::string made = "/dev/shm/towpath-test-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) {
      made = (fs::temp_directory_path() / "towpath-test-XXXXXX").string();
      REQUIRE(::mkdtemp(made.data()) != nullptr);
    }
    path_ = made;
  }
  ReplicaFolder(const ReplicaFolder&) = delete;
  ReplicaFolder& operator=(const ReplicaFolder&) = delete;
  ~ReplicaFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string make(const std::string& name) const {
    std::filesystem::create_directory(path_ + "/" + name);
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

// A hub or partner: the newest complete epoch, and the next as long as it is not complete.
class Reader {
 public:
  Reader(Reader&&) = default;
  Reader(std::string folder, StreamId stream) : folder_(std::move(folder)), stream_(stream) {}

  [[nodiscard]] Head head() const { return next_ ? next_->head() : now_ ? now_->head() : Head{}; }
  void apply(const Bytes& bytes) {
    const auto opened = open_segment(bytes);
    REQUIRE(opened);
    if (head().epoch != opened->header.epoch) next_.emplace(open(opened->header.epoch));
    Replica& replica = next_ ? *next_ : *now_;
    REQUIRE(replica.begin());
    const auto done = replica.apply(*opened);
    if (!done) throw std::runtime_error(done.error().sentence());
    REQUIRE(replica.commit());
    if (next_ && next_->head().complete) {
      if (now_) drop(now_);
      now_ = std::exchange(next_, {});
    }
  }
  // papers.hpp: who holds the stream at that place or beyond removes what it keeps from before; who holds
  // less removes all of it, and asks for a snapshot. False: that.
  bool carry_out(Epoch epoch, StreamSeq seq) {
    bool held = true;
    for (auto* one : {&now_, &next_}) {
      if (!*one) continue;
      const Head h = (*one)->head();
      if (h.epoch > epoch) continue;
      if (h.epoch == epoch && h.seq >= seq) {
        REQUIRE((*one)->forget_contents(seq));
        continue;
      }
      drop(*one);
      held = false;
    }
    return held;
  }
  // Every byte of its files and of their logs.
  [[nodiscard]] std::string bytes() const {
    std::string out;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      if (file.path().extension() == ".db-shm") continue;
      std::ifstream in(file.path(), std::ios::binary);
      out.append(std::istreambuf_iterator<char>(in), {});
    }
    return out;
  }
  [[nodiscard]] Projection rows(const Dictionary& dictionary) {
    Projection out;
    if (!now_) return out;
    CHECK(now_->rows_aside().value() == 0);
    for (const Dataset& d : dictionary.datasets)
      REQUIRE(now_->each_row(d, [&](RowView row) -> Result<void> {
        Row key;
        std::map<std::string, Cell> cells;
        for (std::size_t i = 0; i < row.size(); ++i) {
          if (i < d.key_count) key.push_back(cell_from(row[i]));
          if (!row[i].is_null()) cells[std::string(d.fields[i].name)] = cell_from(row[i]);
        }
        out[std::string(d.name)][std::move(key)] = std::move(cells);
        return {};
      }));
    return out;
  }
  [[nodiscard]] bool holds() const { return now_.has_value(); }

 private:
  Database::Options file(Epoch epoch) const {
    Database::Options options;
    options.path = folder_ + "/" + std::to_string(epoch.number) + ".db";
    return options;
  }
  Replica open(Epoch epoch) {
    if (next_) drop(next_);
    auto made = Replica::open(file(epoch), built_in_dictionary(), stream_, epoch);
    REQUIRE(made);
    return std::move(*made);
  }
  void drop(std::optional<Replica>& one) {
    const auto which = file(one->head().epoch);
    one.reset();
    REQUIRE(Database::remove(which));
  }
  std::string folder_;
  StreamId stream_;
  std::optional<Replica> now_, next_;
};

}  // namespace towpath::test
