// Whatever is agreed, decided and changed: what an audience has is what it should have, and no byte more.
#include <rapidcheck.h>

#include "tests/agent/shared_world.hpp"

namespace towpath {
namespace {

using test::Agreed;
using test::Fresh;
using test::Reader;
using test::SharedSchool;
using test::Should;

constexpr std::int64_t kDayMs = 86'400'000;

// Thrown, so that RapidCheck sees it and looks for less that does the same.
void must(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// One audience: its agreement, its stream, and what was found about them.
class Shared {
 public:
  Shared(SharedSchool& world, std::string name, const std::string& folder, Agreed first)
      : agreed(std::move(first)),
        world_(world),
        name_(std::move(name)),
        reader_(folder, stream_id("100001", name_)) {}

  Agreed agreed;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Reader& reader() { return reader_; }
  [[nodiscard]] const Should& should() const { return should_; }
  Publisher publisher() { return {world_.school.store, agreed.audience(name_, world_.today)}; }
  [[nodiscard]] std::int64_t recalls(const std::string& when) {
    return world_.school.store.db()
        .integer("SELECT count(*) FROM recall WHERE audience='" + name_ + "' AND due" + when)
        .value();
  }

  PublishReport publish() {
    Publisher p = publisher();
    const auto report = p.publish();
    must(report.has_value(), report ? "" : report.error().sentence());
    Should now = Fresh(world_, name_, agreed).should();
    look_at_segments(p, *report, now);
    note_losses(now);
    should_ = std::move(now);
    published_as_ = agreed;
    must(!publisher().pending().value(), name_ + ": publish leaves something to publish");
    return *report;
  }
  // Sends what waits; the reader is then as it should be.
  void deliver() {
    Publisher p = publisher();
    const auto waiting = p.waiting(1 << 30).value();
    for (const Bytes& bytes : waiting) {
      // What was made before a decision and has not left yet does not leave after it. (A key is needed to
      // take its row back.)
      const SegmentHeader header = open_segment(bytes).value().header;
      for (const std::size_t id : test::told_in(text_of(contents_.at({header.epoch, header.seq})))) {
        const test::Told& t = world_.told.at(id);
        must(t.field == "Component" || should_.decided.at(id), name_ + " is sent " + t.dataset + "." +
                                                                   t.field + " of " + t.pupil +
                                                                   ", which was decided otherwise");
      }
      reader_.apply(bytes);
    }
    must(p.heard(reader_.head()).value() == Publisher::Next::kGoOn,
         name_ + ": the reader is on another chain");
    if (!reader_.holds()) return;
    const auto has = reader_.rows(world_.school.dictionary);
    for (const Dataset& d : world_.school.dictionary.datasets) {
      const auto of = [&](const test::Projection& projection) {
        const auto at = projection.find(std::string(d.name));
        return at == projection.end() ? test::Projection::mapped_type{} : at->second;
      };
      const auto is = of(has), has_to_be = of(should_.rows);
      must(is == has_to_be, name_ + ": " + std::string(d.name) + " has " + std::to_string(is.size()) +
                                " rows and should have " + std::to_string(has_to_be.size()) +
                                (is.size() == has_to_be.size() ? ", others" : ""));
    }
    must(reader_.head().digest == p.head().value().digest, name_ + ": the digest is another");
  }
  // Orders that are due, carried out at the reader; a reader that was behind gets a snapshot.
  void carry_out() {
    std::vector<std::pair<Epoch, StreamSeq>> due;
    Database& db = world_.school.store.db();
    const std::string which =
        " FROM recall WHERE audience='" + name_ + "' AND due<=" + std::to_string(world_.today.days * kDayMs);
    REQUIRE(db.each("SELECT epoch,seq" + which, [&](Statement::Use& row) {
      due.emplace_back(Epoch{static_cast<std::uint32_t>(row.integer(0))},
                       StreamSeq{static_cast<std::uint64_t>(row.integer(1))});
    }));
    REQUIRE(db.exec("DELETE" + which));
    bool held = true;
    for (const auto& [epoch, seq] : due) held = reader_.carry_out(epoch, seq) && held;
    if (held) return;
    Publisher p = publisher();
    Head nothing;
    nothing.epoch = p.head().value().epoch;
    if (p.heard(nothing).value() != Publisher::Next::kNewEpoch) return;
    REQUIRE(p.new_epoch(nothing.epoch, "the reader has removed what it had"));
    publish();
  }
  // What may not be had any longer, and was to be removed by now, is in no byte of the reader's files.
  void look_at_files() {
    const std::string files = reader_.bytes();
    for (const std::size_t id : test::told_in(files)) {
      const std::string why = kept_wrongly(id);
      must(why.empty(), why);
    }
    // Four bytes may be there by chance, but not those of two that are to be gone.
    std::vector<std::string> wrong;
    for (const std::size_t id : test::numbers_in(files))
      if (id < world_.told.size() && world_.told[id].number)
        if (std::string why = kept_wrongly(id); !why.empty()) wrong.push_back(std::move(why));
    must(wrong.size() < 2, wrong.empty() ? "" : wrong.front());
  }

 private:
  // Why a value is not to be in the reader's files any longer; or nothing.
  [[nodiscard]] std::string kept_wrongly(std::size_t id) const {
    const test::Told& t = world_.told.at(id);
    const std::string what = name_ + " still holds " + t.dataset + "." + t.field + " of " + t.pupil;
    if (!had_.contains(id)) return what + ", which it never had";
    if (!should_.decided.at(id)) return what + ", which was decided otherwise";
    const auto lost = lost_.find(id);
    if (lost != lost_.end() && world_.today.days - lost->second >= kRecallAfterDays)
      return what + ", which it was to forget by now";
    return {};
  }
  // Nothing but what should be there leaves in new segments: no cell, no text in contents, none on the wire.
  void look_at_segments(Publisher& p, const PublishReport& report, const Should& now) {
    const auto check = [&](const std::set<std::size_t>& ids, bool deleted, const char* where) {
      for (const std::size_t id : ids) {
        if (id >= world_.told.size()) continue;
        const test::Told& t = world_.told[id];
        must(now.told.contains(id) || (deleted && should_.told.contains(id)),
             name_ + ": " + t.dataset + "." + t.field + " of " + t.pupil + " in " + where);
      }
    };
    std::set<std::size_t> in_contents;
    const auto waiting = p.waiting(1 << 30).value();
    for (const Bytes& bytes : waiting) {
      const auto opened = open_segment(bytes);
      REQUIRE(opened);
      const std::pair at(opened->header.epoch, opened->header.seq);
      if (contents_.contains(at)) continue;
      Bytes prefix;
      if (opened->header.reference) prefix = contents_.at({at.first, *opened->header.reference});
      const auto content = unpack_segment(*opened, prefix);
      REQUIRE(content);
      const auto raw = test::told_in(text_of(*content));
      in_contents.insert(raw.begin(), raw.end());
      check(raw, true, "a content");
      check(test::told_in(text_of(bytes)), true, "a segment");
      ContentReader in(*content);
      Block block;
      while (in.next(block).value()) {
        std::set<std::size_t> cells;
        for (const Block::Column& column : block.columns)
          for (const Value& v : column.values)
            if (const auto id = test::told_by(v)) cells.insert(*id);
        check(cells, block.operation == Operation::kDelete, "a block");
        look_at_births(block, now);
      }
      contents_[at] = *content;
    }
    if (report.snapshot)  // all that should be seen is seen: the search finds what is there
      for (const std::size_t id : now.told)
        if (!world_.told[id].number)
          must(in_contents.contains(id), name_ + ": the search does not find what is there");
  }
  // The telling days: nothing else in this school is from before 1990.
  void look_at_births(const Block& block, const Should& now) {
    std::set<std::int64_t> may;
    if (const auto pupils = now.rows.find("pupil"); pupils != now.rows.end())
      for (const auto& [key, cells] : pupils->second)
        if (const auto born = cells.find("DOB"); born != cells.end())
          may.insert(std::get<std::int64_t>(born->second));
    for (const Block::Column& column : block.columns)
      for (const Value& v : column.values)
        if (v.kind() == Value::Kind::kInt && v.as_int() > 5000 && v.as_int() < 7000)
          must(may.contains(v.as_int()), name_ + ": a day of birth");
  }
  // Since when each value may not be had any longer, where only time or scope has taken it away. What an
  // agreement takes away by scope or years is to be gone at once.
  void note_losses(const Should& now) {
    const bool scope_changed = published_as_ && (published_as_->scope != agreed.scope ||
                                                 published_as_->year_groups != agreed.year_groups);
    for (std::size_t id = 0; id < now.in_time.size(); ++id) {
      if (now.decided[id] && now.in_time[id]) {
        lost_.erase(id);
        had_.insert(id);
      } else if (had_.contains(id) && !lost_.contains(id)) {
        lost_[id] = scope_changed ? INT32_MIN / 2 : world_.today.days;
      }
    }
  }

  SharedSchool& world_;
  std::string name_;
  Reader reader_;
  Should should_;
  std::optional<Agreed> published_as_;
  std::map<std::pair<Epoch, StreamSeq>, Bytes> contents_;
  std::set<std::size_t> had_;
  std::map<std::size_t, std::int32_t> lost_;
};

template <class T>
T one_of(const std::vector<T>& list) {
  return list[static_cast<std::size_t>(*rc::gen::inRange<int>(0, static_cast<int>(list.size())))];
}
int up_to(int n) { return *rc::gen::inRange(0, n); }

Agreed any_agreement() {
  Agreed a;
  for (const char* grant : {"ROLL", "ATT-CAT", "ATT-CODE", "CHAR-BASIC", "CHAR-FULL", "ATTAIN", "PLEDGE"})
    if (up_to(4) > 0) a.grants.emplace_back(grant);
  if (a.grants.empty()) a.grants.emplace_back("ROLL");
  for (const char* field :
       {"pupil.UPN", "pupil.Surname", "pupil.DOB", "session_mark.minutes_late", "session_mark.code",
        "language.Language", "suspension.sessions", "assessment_result.Result", "activity.minutes"})
    if (up_to(6) == 0) a.without.emplace_back(field);
  a.scope =
      one_of<ScopeKind>({ScopeKind::kEveryone, ScopeKind::kEveryone, ScopeKind::kOnRoll, ScopeKind::kNamed});
  if (up_to(3) == 0) a.year_groups = one_of<std::vector<std::string>>({{"7"}, {"8"}, {"7", "9"}});
  if (up_to(3) == 0) a.retention["session_mark"] = up_to(2);
  if (up_to(4) == 0) a.retention["suspension"] = up_to(2);
  if (up_to(4) == 0) a.retention["pupil"] = 0;
  return a;
}

void anything_happens(SharedSchool& w, std::vector<Shared>& audiences, int& fresh) {
  if (w.ids.empty()) return;
  const std::string id = one_of(w.ids);
  switch (up_to(17)) {
    case 0:
      w.set("pupil", id, "Surname", w.text(id, "pupil", "Surname"));
      break;
    case 1:
      w.set("pupil", id, "UPN", w.text(id, "pupil", "UPN"));
      break;
    case 2:
      w.set("enrolment", id, "LeavingDate",
            one_of<std::string>({"", "2024-07-01", "2026-10-01", "2026-12-20"}));
      break;
    case 3:
      w.set("pupil", id, "NCyearActual", one_of<std::string>({"7", "8", "9"}));
      break;
    case 4:
      w.pupil("p" + std::to_string(fresh), one_of<std::string>({"7", "8", "9"}), fresh);
      ++fresh;
      break;
    case 5:
      if (w.ids.size() > 2) w.remove(id);
      break;
    case 6:
      w.set("session_mark", id, "code", one_of<std::string>({"/", "I", "O", "V", ""}));
      break;
    case 7:
      w.suspension(id, one_of<std::string>({"2026-10-06", "2024-10-07"}));
      break;
    case 8:
      w.remove("suspension", id);
      break;
    case 9:
      w.flag(id, one_of<std::string>({"", "R0", "R1", "R2", "R3"}));
      break;
    case 10:
      w.protect(id, up_to(4));
      break;
    case 11:
      w.restrict(id, up_to(2) == 0);
      break;
    case 12:
      if (up_to(2) == 0) w.erase(id);
      break;
    case 13:
    case 14:
      w.name(audiences[static_cast<std::size_t>(up_to(2))].name(), id, up_to(3) > 0);
      break;
    case 15:
      audiences[static_cast<std::size_t>(up_to(static_cast<int>(audiences.size())))].agreed = any_agreement();
      break;
    default:
      w.today = w.today.plus(one_of<int>({1, 10, 28, 290}));
  }
}

}  // namespace

TEST_CASE("whatever is agreed, decided and changed, each audience has a fresh projection and no byte more") {
  CHECK(rc::check([] {
    SharedSchool w;
    int fresh = 3;
    for (int i = 0; i < fresh; ++i) w.pupil("p" + std::to_string(i), i == 0 ? "8" : "7", i);
    const test::ReplicaFolder folder;
    std::vector<Shared> audiences;
    audiences.emplace_back(w, "borough", folder.make("borough"), any_agreement());
    audiences.emplace_back(w, "federation:kentish", folder.make("kentish"), any_agreement());
    w.read();
    for (const std::string& id : w.ids)
      for (Shared& a : audiences)
        if (up_to(2) == 0) w.name(a.name(), id, true);
    const auto night = [&](bool sure) {
      for (Shared& a : audiences) {
        if (!sure && up_to(4) == 0) continue;
        a.publish();
        if (!sure && up_to(3) == 0) continue;
        if (up_to(6) == 0) a.carry_out();  // an order that is there before what it speaks of
        a.deliver();
        a.carry_out();
        a.deliver();
        a.look_at_files();
      }
    };
    night(false);
    const int nights = 1 + up_to(5);
    for (int n = 0; n < nights; ++n) {
      for (int changes = up_to(4); changes >= 0; --changes) anything_happens(w, audiences, fresh);
      w.read();
      night(n + 1 == nights);
    }
    // What is left of those who left some day is gone when that day has come.
    w.today = w.today.plus(kRecallAfterDays);
    night(true);
  }));
}

namespace {

// Three pupils of years 7, 8 and 9, and one audience.
struct OneAudience {
  explicit OneAudience(Agreed agreed) : shared(world, "borough", folder.make("one"), std::move(agreed)) {
    world.pupil("p0", "7", 0);
    world.pupil("p1", "8", 1);
    world.pupil("p2", "9", 2);
    night();
  }
  PublishReport night() {
    world.read();
    const PublishReport report = shared.publish();
    shared.deliver();
    shared.carry_out();
    shared.look_at_files();
    return report;
  }
  // Whose rows the reader has, of a dataset keyed by pupil.
  std::set<std::string> whose(const std::string& dataset = "pupil") {
    std::set<std::string> out;
    const auto rows = shared.reader().rows(world.school.dictionary);
    const auto has = rows.find(dataset);
    if (has == rows.end()) return out;
    for (const auto& [key, cells] : has->second)
      for (const std::string& id : world.ids)
        if (world.number_of(id) == std::get<std::int64_t>(key[0])) out.insert(id);
    return out;
  }
  std::size_t rows(const std::string& dataset) {
    return shared.reader().rows(world.school.dictionary)[dataset].size();
  }
  // In how many rows the reader has that field.
  std::size_t with(const std::string& dataset, const std::string& field) {
    const auto all = shared.reader().rows(world.school.dictionary);
    const auto rows = all.find(dataset);
    std::size_t n = 0;
    if (rows != all.end())
      for (const auto& [key, cells] : rows->second)
        if (cells.contains(field)) ++n;
    return n;
  }
  // Something was taken back: at once, or for some day.
  bool later() { return shared.recalls(">0") > 0; }

  SharedSchool world;
  test::ReplicaFolder folder;
  Shared shared;
};
using Names = std::set<std::string>;

}  // namespace

TEST_CASE("a field left out of its grant does not go, and one left out later is taken back at once") {
  OneAudience one({{"ROLL"}, {"pupil.UPN"}});
  CHECK(one.with("pupil", "UPN") == 0);
  CHECK(one.with("pupil", "Surname") == 3);
  one.shared.agreed.without.emplace_back("pupil.Surname");
  CHECK(one.night().recalls);  // and is in no byte of the reader's files
  CHECK(one.with("pupil", "Surname") == 0);
  CHECK(one.with("pupil", "Forename") == 3);
  CHECK_FALSE(one.later());
}

TEST_CASE("pupils of other year groups do not go, and who moves up is forgotten some day") {
  OneAudience one({{"ROLL", "ATT-CODE", "ATT-CAT"}, {}, ScopeKind::kEveryone, {"7", "8"}});
  CHECK(one.whose() == Names{"p0", "p1"});
  CHECK(one.rows("session_mark") == 4);
  one.world.set("pupil", "p1", "NCyearActual", "9");
  CHECK(one.night().recalls);
  CHECK(one.whose() == Names{"p0"});
  CHECK(one.later());
  one.shared.agreed.year_groups = {"8", "9"};  // and by another agreement, at once
  CHECK(one.night().recalls);
  CHECK(one.whose() == Names{"p1", "p2"});
}

TEST_CASE("on roll is whose enrolment is open or ends in the future, and no guest") {
  OneAudience one({{"ROLL"}, {}, ScopeKind::kOnRoll});
  CHECK(one.whose() == Names{"p0", "p1", "p2"});
  one.world.set("enrolment", "p0", "LeavingDate", "2026-11-19");
  one.world.set("enrolment", "p1", "LeavingDate", "2026-11-20");  // today is the last day
  CHECK(one.night().recalls);
  CHECK(one.whose() == Names{"p1", "p2"});
  CHECK(one.later());
  one.world.set("enrolment", "p2", "EnrolStatus", "G");
  one.night();
  CHECK(one.whose() == Names{"p1"});
  one.world.today = one.world.today.plus(1);
  one.night();
  CHECK(one.whose().empty());
}

TEST_CASE("of named pupils those on the school's own list go, and nobody else") {
  OneAudience one({{"ROLL"}, {}, ScopeKind::kNamed});
  CHECK(one.whose().empty());
  one.world.name("borough", "p1", true);
  one.world.name("federation:kentish", "p2", true);  // another audience's list
  one.night();
  CHECK(one.whose() == Names{"p1"});
  CHECK(one.whose("enrolment") == Names{"p1"});
  one.world.name("borough", "p1", false);
  CHECK(one.night().recalls);
  CHECK(one.whose().empty());
}

TEST_CASE("R1 keeps back what tells of an earlier school, and R2 the whole pupil, whoever said so") {
  OneAudience one({{"ROLL", "CHAR-FULL"}});
  CHECK(one.with("pupil", "UPN") == 3);
  SECTION("by hand") {
    one.world.protect("p0", 1);
    CHECK(one.night().recalls);
    CHECK(one.whose() == Names{"p0", "p1", "p2"});
    CHECK(one.with("pupil", "UPN") == 2);
    one.world.flag("p0", "R2");  // the most restrictive wins
  }
  SECTION("by the MIS") {
    one.world.flag("p0", "R1");
    CHECK(one.night().recalls);
    CHECK(one.whose() == Names{"p0", "p1", "p2"});
    CHECK(one.with("pupil", "UPN") == 2);
    one.world.protect("p0", 2);
  }
  CHECK(one.night().recalls);
  CHECK(one.whose() == Names{"p1", "p2"});
  CHECK_FALSE(one.later());
}

TEST_CASE("a suspension of somebody who is not shared is not introduced either") {
  OneAudience one({{"ROLL", "CHAR-FULL"}});
  CHECK(one.rows("suspension") == 2);  // the third is too old
  CHECK(one.rows("entity") == 7);      // three pupils, a teacher, a group, two suspensions
  one.world.protect("p0", 2);
  one.night();
  CHECK(one.rows("suspension") == 1);
  CHECK(one.rows("entity") == 5);
  one.world.remove("suspension", "p0");  // nobody knows any more whose it was
  one.night();
  CHECK(one.rows("entity") == 5);
  one.world.remove("suspension", "p2");
  CHECK_FALSE(one.night().recalls);  // what the MIS takes away is not taken back
  CHECK(one.rows("entity") == 4);
}

TEST_CASE("rows grow too old with the first day of an academic year") {
  OneAudience one({{"ATT-CAT"}});
  one.world.today = Date::parse("2026-08-31").value();
  one.night();
  CHECK(one.rows("session_mark") == 9);  // one of each of three years
  one.world.today = Date::parse("2026-09-01").value();
  CHECK(one.night().recalls);
  CHECK(one.rows("session_mark") == 6);
  CHECK(one.later());
  one.shared.agreed.retention["session_mark"] = 0;  // fewer as agreed, and at once
  CHECK(one.night().recalls);
  CHECK(one.rows("session_mark") == 3);
}

}  // namespace towpath
