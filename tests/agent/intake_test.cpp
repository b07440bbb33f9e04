#include "agent/intake/intake.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>

#include "agent/store/overview.hpp"
#include "agent/store/quarantine.hpp"
#include "tests/agent/school_source.hpp"

using namespace towpath;
using test::Record;
using test::School;

namespace {

void three_pupils(School& school) {
  school.pupil("p1", "Adams");
  school.pupil("p2", "Brown");
  school.pupil("p3", "Clark");
}

void a_week_of_marks(School& school) {
  for (const char* day : {"2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"})
    for (const char* session : {"AM", "PM"})
      for (const char* pupil : {"p1", "p2", "p3"})
        school.mark(day, session, pupil, session[0] == 'A' ? "/" : "\\");
}

const QuarantinedRow& only(const std::vector<QuarantinedRow>& rows) {
  REQUIRE(rows.size() == 1);
  return rows[0];
}

}  // namespace

TEST_CASE("a first extract fills the store and hands out numbers once") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  const ExtractReport report = school.read();
  CHECK(report.datasets.at("pupil").added == 3);
  CHECK(report.datasets.at("session_mark").added == 30);
  CHECK(school.rows("entity") == 3);
  CHECK(report.files.at("session_mark.csv").taken == 30);
  CHECK(report.complete);
}

TEST_CASE("an unchanged extract changes nothing and parses nothing") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  school.source.rows_parsed = 0;
  const ExtractReport again = school.read();
  CHECK(school.source.rows_parsed == 0);
  CHECK(again.datasets.at("session_mark").read == 30);
  CHECK(again.datasets.at("session_mark").added + again.datasets.at("session_mark").changed +
            again.datasets.at("session_mark").removed ==
        0);
  CHECK(again.files.at("session_mark.csv").taken == 30);
}

TEST_CASE("a mark rewritten later is one change") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  school.set("session_mark", school.source.file("session_mark").records[4], "code", "I");
  const ExtractReport report = school.read();
  CHECK(report.datasets.at("session_mark").changed == 1);
  CHECK(report.datasets.at("session_mark").added == 0);
  CHECK(report.datasets.at("session_mark").removed == 0);
}

TEST_CASE("a pupil who leaves the extract and returns is the same number") {
  School school;
  for (int i = 0; i < 20; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
  school.read();
  const auto before = school.table("pupil");
  auto& records = school.source.file("pupil").records;
  const Record left = records[7];
  records.erase(records.begin() + 7);
  CHECK(school.read().datasets.at("pupil").removed == 1);
  CHECK(school.rows("pupil") == 19);
  records.push_back(left);
  CHECK(school.read().datasets.at("pupil").added == 1);
  CHECK(school.table("pupil") == before);
  CHECK(school.rows("entity") == 20);
}

TEST_CASE("a reinstalled machine gives every entity the same UUID") {
  const auto uuids = [](School& school) {
    std::vector<std::string> out;
    auto statement = school.store.db().prepare("SELECT hex(uuid) FROM d_entity ORDER BY 1");
    auto use = statement->use();
    while (use.step().value()) out.emplace_back(use.text(0));
    return out;
  };
  School one, two;
  three_pupils(one);
  three_pupils(two);
  std::reverse(two.source.file("pupil").records.begin(), two.source.file("pupil").records.end());
  one.read();
  two.read();
  CHECK(uuids(one) == uuids(two));
}

TEST_CASE("a good record after a bad one of the same key is taken, whatever the table held") {
  const auto sen = [](School& school, const std::string& pupil, const std::string& provision) {
    Record record(school.dictionary.find("sen")->fields.size());
    school.set("sen", record, "pupil", pupil);
    school.set("sen", record, "StartDate", "2026-09-01");
    school.set("sen", record, "SENprovision", provision);
    school.add("sen", record);
  };
  ExtractOptions full;
  full.full = true;
  for (const bool known : {false, true})
    for (const bool compare : {false, true}) {
      School school;
      three_pupils(school);
      sen(school, "p2", "K");
      if (known) sen(school, "p1", "K");
      school.read();
      school.source.file("sen").records.clear();
      sen(school, "p2", "K");
      sen(school, "p1", "");
      sen(school, "p1", "E");
      const ExtractReport report = school.read(compare ? full : ExtractOptions{});
      CHECK(report.files.at("sen.csv").taken == 2);
      CHECK(report.files.at("sen.csv").quarantined == 1);
      CHECK(report.datasets.at("sen").added + report.datasets.at("sen").changed == 1);
      CHECK(report.datasets.at("sen").removed == 0);
      const auto table = school.table("sen");
      const ExtractReport again = school.read();
      CHECK(again.files.at("sen.csv").taken == 2);
      CHECK(school.table("sen") == table);
      sen(school, "p1", "K");  // one too many
      CHECK(school.read().files.at("sen.csv").quarantined == 2);
      CHECK(school.table("sen") == table);
    }
}

TEST_CASE("a row that cannot be taken waits in quarantine with its reason and comes in once mended") {
  School school;
  three_pupils(school);
  school.mark("2026-11-16", "AM", "p1", "/");
  Record& bad = school.mark("2026-11-17", "AM", "p9", "/");
  const ExtractReport report = school.read();
  CHECK(report.datasets.at("session_mark").quarantined == 1);
  CHECK(report.files.at("session_mark.csv").quarantined == 1);
  Quarantine quarantine(school.store);
  const auto rows = quarantine.list().value();
  CHECK(only(rows).rule == "reference");
  CHECK(only(rows).line == 3);
  CHECK(only(rows).file == "session_mark.csv");
  CHECK(rows[0].text.find("p9") == std::string::npos);
  CHECK(quarantine.show(rows[0].id).value()->raw.find("p9") != std::string::npos);

  SECTION("an unmended row stays, once") {
    CHECK(school.read().datasets.at("session_mark").quarantined == 1);
    CHECK(quarantine.count().value() == 1);
  }
  SECTION("a mended row comes in") {
    school.set("session_mark", bad, "pupil", "p2");
    CHECK(school.read().datasets.at("session_mark").added == 1);
    CHECK(quarantine.count().value() == 0);
  }
  SECTION("a reference that appears later brings the row in, unchanged") {
    school.pupil("p9", "Zola");
    CHECK(school.read().datasets.at("session_mark").added == 1);
    CHECK(quarantine.count().value() == 0);
  }
}

TEST_CASE("a row that breaks is not a deletion") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  Record& mark = school.source.file("session_mark").records[4];
  const Record good = mark;
  // With a key that can be read, and with one that cannot: the last good row stays.
  const bool readable = GENERATE(true, false);
  if (readable)
    school.set("session_mark", mark, "code", std::string(80, 'x'));
  else
    school.set("session_mark", mark, "session", "noon");
  for (int night = 0; night < 3; ++night) {
    ExtractOptions options;
    options.full = night == 2;
    const ExtractReport report = school.read(options);
    CHECK(report.datasets.at("session_mark").quarantined == 1);
    CHECK(report.datasets.at("session_mark").removed == 0);
    // Where nobody can tell which row it was, a person is told.
    CHECK(report.held == !readable);
    CHECK(school.rows("session_mark") == 30);
  }
  SECTION("and when it is mended nothing has happened") {
    mark = good;
    const ExtractReport report = school.read();
    CHECK(report.datasets.at("session_mark").changed + report.datasets.at("session_mark").removed == 0);
    CHECK(report.datasets.at("session_mark").quarantined == 0);
  }
  SECTION("and when it goes for good it is removed") {
    auto& records = school.source.file("session_mark").records;
    records.erase(records.begin() + 4);
    school.read();
    school.read();
    CHECK(school.rows("session_mark") == 29);
  }
}

TEST_CASE("of two records with one key the first is taken and the second waits") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  SECTION("in a first extract") {
    school.mark("2026-11-16", "AM", "p1", "I");
    CHECK(school.read().datasets.at("session_mark").quarantined == 1);
  }
  SECTION("in a later one, as a new line") {
    school.read();
    school.mark("2026-11-16", "AM", "p1", "I");
    const ExtractReport report = school.read();
    CHECK(report.datasets.at("session_mark").quarantined == 1);
    CHECK(report.datasets.at("session_mark").changed == 0);
  }
  SECTION("as the same line twice") {
    school.read();
    school.mark("2026-11-16", "AM", "p1", "/");
    CHECK(school.read().datasets.at("session_mark").quarantined == 1);
  }
  CHECK(school.rows("session_mark") == 30);
  CHECK(Quarantine(school.store).list().value()[0].rule == "duplicate");
  const auto before = school.table("session_mark");
  for (int night = 0; night < 3; ++night) {
    CHECK(school.read().datasets.at("session_mark").quarantined == 1);
    CHECK(school.table("session_mark") == before);
  }
}

TEST_CASE("an extract that would remove more than a tenth of the pupils waits for a person") {
  School school;
  for (int i = 0; i < 30; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
  school.read();
  auto& records = school.source.file("pupil").records;
  records.resize(26);
  school.set("pupil", records[0], "Surname", "Newname");
  const ExtractReport held = school.read();
  CHECK(held.held);
  CHECK(held.datasets.at("pupil").held == 4);
  CHECK(held.datasets.at("pupil").removed == 0);
  CHECK(held.datasets.at("pupil").changed == 1);
  CHECK(school.rows("pupil") == 30);

  SECTION("and is held again the next night") {
    CHECK(school.read().datasets.at("pupil").held == 4);
    CHECK(overview(school.store).value().held == 4);
  }
  SECTION("and goes when the person accepts") {
    ExtractOptions accept;
    accept.accept_deletions = true;
    CHECK(school.read(accept).datasets.at("pupil").removed == 4);
    CHECK(school.rows("pupil") == 26);
    CHECK_FALSE(school.read().held);
  }
  SECTION("and is over when the pupils come back") {
    for (int i = 26; i < 30; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
    const ExtractReport back = school.read();
    CHECK_FALSE(back.held);
    CHECK(back.datasets.at("pupil").removed + back.datasets.at("pupil").added == 0);
  }
  SECTION("and a full comparison holds them as well") {
    ExtractOptions full;
    full.full = true;
    CHECK(school.read(full).datasets.at("pupil").held == 4);
    CHECK(school.rows("pupil") == 30);
  }
}

TEST_CASE("an extract that empties a dataset waits for a person") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  school.source.file("session_mark").records.clear();
  const ExtractReport report = school.read();
  CHECK(report.held);
  CHECK(report.datasets.at("session_mark").held == 30);
  CHECK(school.rows("session_mark") == 30);
}

TEST_CASE("a new school year whose extract no longer has the last one's marks waits for a person") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  school.source.file("session_mark").records.clear();
  for (int night = 0; night < 3; ++night) {  // and goes on waiting while the new year grows
    for (const char* pupil : {"p1", "p2", "p3"}) school.mark(Date{21000 + night}.iso(), "AM", pupil, "/");
    const ExtractReport report = school.read();
    CHECK(report.datasets.at("session_mark").held == 30);
    CHECK(report.datasets.at("session_mark").added == 3);
    CHECK(school.rows("session_mark") == 30 + 3 * (night + 1));
  }
  ExtractOptions accept;
  accept.accept_deletions = true;
  CHECK(school.read(accept).datasets.at("session_mark").removed == 30);
  CHECK(school.rows("session_mark") == 9);
  CHECK_FALSE(school.read().held);
}

TEST_CASE("a tenth of the pupils or fewer may leave") {
  School school;
  for (int i = 0; i < 30; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
  school.read();
  school.source.file("pupil").records.resize(27);
  const ExtractReport report = school.read();
  CHECK_FALSE(report.held);
  CHECK(report.datasets.at("pupil").removed == 3);
}

TEST_CASE("a dataset that cannot be read to its end is left as it was, and the others go on") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  school.pupil("p4", "Davis");
  school.source.file("session_mark").records.resize(5);
  school.source.file("session_mark").breaks_off = true;
  const ExtractReport report = school.read();
  CHECK_FALSE(report.complete);
  CHECK(report.problems.size() == 1);
  CHECK(report.datasets.at("pupil").added == 1);
  CHECK(school.rows("session_mark") == 30);
  CHECK(report.files.at("session_mark.csv").taken == 0);

  school.source.file("session_mark").breaks_off = false;
  school.source.file("session_mark").records.clear();
  a_week_of_marks(school);
  const ExtractReport well = school.read();
  CHECK(well.complete);
  CHECK(well.datasets.at("session_mark").changed + well.datasets.at("session_mark").removed == 0);
}

TEST_CASE("a column that is gone since yesterday leaves its dataset alone until a person accepts") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  auto& columns = school.source.file("session_mark").columns;
  columns.erase(std::find(columns.begin(), columns.end(), "code"));
  for (Record& r : school.source.file("session_mark").records) school.set("session_mark", r, "code", "");
  const ExtractReport report = school.read();
  CHECK_FALSE(report.complete);
  CHECK(report.problems.at(0).find("'code'") != std::string::npos);
  CHECK(school.table("session_mark")[0].find("/") != std::string::npos);
  ExtractOptions accept;
  accept.accept_deletions = true;
  CHECK(school.read(accept).datasets.at("session_mark").changed == 30);
}

TEST_CASE("a column in another case is the same column, there or gone") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  auto& file = school.source.file("session_mark");
  const auto code = std::find(file.columns.begin(), file.columns.end(), "code") - file.columns.begin();
  file.columns[static_cast<std::size_t>(code)] = "Code";
  CHECK(school.read().complete);
  file.columns[static_cast<std::size_t>(code)] = "CODE";
  CHECK(school.read().complete);
  file.columns.erase(file.columns.begin() + code);
  CHECK_FALSE(school.read().complete);
}

TEST_CASE("a dataset that the source stops giving stays, and is told") {
  School school;
  three_pupils(school);
  a_week_of_marks(school);
  school.read();
  school.source.file("session_mark").absent = true;
  const ExtractReport report = school.read();
  CHECK(school.rows("session_mark") == 30);
  REQUIRE(report.notices.size() == 1);
  CHECK(report.notices[0].find("30") != std::string::npos);
}

TEST_CASE("codes are kept as they came beside the canonical ones") {
  School school;
  three_pupils(school);
  school.set("pupil", school.source.file("pupil").records[0], "NCyearActual", "Year 7");
  school.set("pupil", school.source.file("pupil").records[1], "NCyearActual", "Tulip");
  const ExtractReport report = school.read();
  CHECK(school.store.db()
            .text("SELECT NCyearActual||':'||NCyearActual_raw FROM d_pupil WHERE Surname='Adams'")
            .value() == "7:Year 7");
  CHECK(school.store.db()
            .text("SELECT NCyearActual||':'||NCyearActual_raw FROM d_pupil WHERE Surname='Brown'")
            .value() == "UNKNOWN:Tulip");
  const bool told = std::any_of(report.warnings.begin(), report.warnings.end(),
                                [](const Warning& w) { return w.rule == "Q12" && w.count == 1; });
  CHECK(told);
}

TEST_CASE("an attendance code is judged by the day it was given") {
  School school;
  three_pupils(school);
  school.mark("2024-07-01", "AM", "p1", "H");  // holiday agreed: valid until 18 August 2024
  school.mark("2026-11-16", "AM", "p1", "H");
  school.read();
  CHECK(school.store.db().text("SELECT code FROM d_session_mark WHERE date=19905").value() == "H");
  CHECK(school.store.db().text("SELECT code||code_raw FROM d_session_mark WHERE date>20000").value() ==
        "UNKNOWNH");
}

TEST_CASE("a meal spell that ends before it starts is not taken") {
  School school;
  three_pupils(school);
  Record spell(school.dictionary.find("fsm")->fields.size());
  school.set("fsm", spell, "pupil", "p1");
  school.set("fsm", spell, "FSMstartDate", "2026-09-01");
  school.set("fsm", spell, "FSMendDate", "2026-08-01");
  school.add("fsm", spell);
  school.read();
  CHECK(only(Quarantine(school.store).list().value()).rule == "Q06");
}

TEST_CASE("a delta adds, changes and removes what it names and nothing else") {
  School school;
  three_pupils(school);
  school.read();
  auto& file = school.source.file("pupil");
  file.completeness = Completeness::kDelta;
  file.records.clear();
  school.pupil("p2", "Browne");
  school.pupil("p4", "Davis");
  const ExtractReport report = school.read();
  CHECK(report.datasets.at("pupil").changed == 1);
  CHECK(report.datasets.at("pupil").added == 1);
  CHECK(school.rows("pupil") == 4);

  // The bulk file that follows must not believe what it remembers from before the delta.
  file.completeness = Completeness::kFull;
  file.records.clear();
  three_pupils(school);
  const ExtractReport bulk = school.read();
  CHECK(bulk.datasets.at("pupil").changed == 1);
  CHECK(school.store.db()
            .text("SELECT group_concat(Surname) FROM (SELECT Surname FROM d_pupil ORDER BY 1)")
            .value()
            .find("Brown") == 6);
}

TEST_CASE("a record that names a pupil by UPN is of whoever has that UPN today, read again or not") {
  School school;
  three_pupils(school);
  school.source.file("sen").by = "UPN";
  auto& pupils = school.source.file("pupil").records;
  school.set("pupil", pupils[0], "UPN", "A1");
  school.set("pupil", pupils[1], "UPN", "B2");
  school.source.file("sen").records.emplace_back(school.dictionary.find("sen")->fields.size());
  Record& spell = school.source.file("sen").records[0];
  school.set("sen", spell, "pupil", "A1");
  school.set("sen", spell, "StartDate", "2026-09-01");
  school.set("sen", spell, "SENprovision", "K");
  const auto whose = [&] {
    return school.store.db()
        .text("SELECT source_id FROM d_sen JOIN identity ON number=pupil WHERE dataset=3")
        .value();
  };
  school.read();
  CHECK(whose() == "p1");
  // The office had given each the other's.
  school.set("pupil", pupils[0], "UPN", "B2");
  school.set("pupil", pupils[1], "UPN", "A1");
  ExtractOptions accept;
  accept.accept_deletions = true;
  school.read(accept);
  CHECK(whose() == "p2");
  const auto parsed = school.source.rows_parsed;
  school.read();
  CHECK(school.source.rows_parsed == parsed);
}

// Found by the simulation (seed 10 as the world was then).
TEST_CASE("deletions that wait for a person wait on when a delta comes between") {
  School school;
  for (int i = 0; i < 30; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
  school.read();
  auto& file = school.source.file("pupil");
  file.records.resize(26);
  CHECK(school.read().datasets.at("pupil").held == 4);

  // So many come that those four are no longer a tenth.
  file.completeness = Completeness::kDelta;
  const auto whole = std::exchange(file.records, {});
  for (int i = 100; i < 130; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
  const auto delta = file.records;
  school.read();
  CHECK(school.store.db().integer("SELECT sum(held) FROM dataset_state").value() == 4);

  file.completeness = Completeness::kFull;
  file.records = whole;
  file.records.insert(file.records.end(), delta.begin(), delta.end());
  CHECK(school.read().datasets.at("pupil").held == 4);
  CHECK(school.rows("pupil") == 60);
  ExtractOptions accept;
  accept.accept_deletions = true;
  CHECK(school.read(accept).datasets.at("pupil").removed == 4);
}

TEST_CASE("a row in quarantine keeps its id as long as it comes as it was") {
  School school;
  three_pupils(school);
  school.mark("2026-11-16", "AM", "p8", "/");
  Record& second = school.mark("2026-11-17", "AM", "p9", "/");
  school.read();
  Quarantine quarantine(school.store);
  const auto before = quarantine.list().value();
  REQUIRE(before.size() == 2);
  school.set("session_mark", second, "pupil", "p1");
  school.mark("2026-11-18", "AM", "p7", "/");
  school.read();
  const auto after = quarantine.list().value();
  REQUIRE(after.size() == 2);
  CHECK(after[0].id == before[0].id);
  CHECK(after[1].id != before[1].id);
}

TEST_CASE("an extraction of changes only adds to quarantine, until a good row of the key comes") {
  School school;
  three_pupils(school);
  school.read();
  auto& file = school.source.file("pupil");
  file.completeness = Completeness::kDelta;
  file.records.clear();
  school.pupil("p2", std::string(300, 'x'));  // longer than a name may be
  school.read();
  Quarantine quarantine(school.store);
  REQUIRE(quarantine.count().value() == 1);
  file.records.clear();
  school.pupil("p4", "Davis");
  school.read();
  CHECK(quarantine.count().value() == 1);
  file.records.clear();
  school.pupil("p2", "Browne");
  school.read();
  CHECK(quarantine.count().value() == 0);
}

TEST_CASE("a number below nothing is not taken") {
  School school;
  three_pupils(school);
  school.set("session_mark", school.mark("2026-11-16", "AM", "p1", "L"), "minutes_late", "-5");
  CHECK(school.read().datasets.at("session_mark").quarantined == 1);
}

TEST_CASE("a dataset that was not read is not warned about, nor one that broke off") {
  School school;
  three_pupils(school);
  school.set("pupil", school.source.file("pupil").records[0], "UPN", "A1");
  school.mark("2026-11-16", "AM", "p1", "??");
  school.source.file("session_mark").breaks_off = true;
  const auto warned = [](const ExtractReport& report, const std::string& rule) {
    return std::any_of(report.warnings.begin(), report.warnings.end(),
                       [&](const Warning& w) { return w.rule == rule; });
  };
  const ExtractReport first = school.read();
  CHECK(warned(first, "Q01"));
  CHECK_FALSE(warned(first, "Q12"));
  school.source.file("pupil").absent = true;
  school.source.file("session_mark").breaks_off = false;
  const ExtractReport second = school.read();
  CHECK_FALSE(warned(second, "Q01"));
  CHECK(warned(second, "Q12"));
}

TEST_CASE("whatever a source does between nights, the store is what a fresh one would be") {
  // The fingerprints, the full comparison and a first load are three ways to one result.
  CHECK(rc::check([] {
    School school;
    for (int i = 0; i < 12; ++i) school.pupil("p" + std::to_string(i), "N" + std::to_string(i));
    auto& marks = school.source.file("session_mark").records;
    const auto random_mark = [&]() -> Record {
      Record r(school.dictionary.find("session_mark")->fields.size());
      school.set("session_mark", r, "date", Date{20700 + *rc::gen::inRange(0, 4)}.iso());
      school.set("session_mark", r, "session", *rc::gen::element<std::string>("AM", "PM"));
      school.set("session_mark", r, "pupil",
                 "p" + std::to_string(*rc::gen::inRange(0, 14)));  // p12, p13: unknown
      school.set("session_mark", r, "code", *rc::gen::element<std::string>("/", "\\", "I", "N", "?"));
      return r;
    };
    // One record a key: which of several is taken depends on what was there before.
    const auto has_key = [&](const Record& r) {
      return std::any_of(marks.begin(), marks.end(),
                         [&](const Record& m) { return m[0] == r[0] && m[1] == r[1] && m[2] == r[2]; });
    };
    ExtractOptions options;
    options.accept_deletions = true;
    for (int night = 0; night < 5; ++night) {
      const int edits = *rc::gen::inRange(0, 25);
      for (int e = 0; e < edits; ++e) {
        const auto at = static_cast<std::size_t>(*rc::gen::inRange(0, 1000));
        switch (*rc::gen::inRange(0, 5)) {
          case 0:
          case 1: {
            const Record r = random_mark();
            if (!has_key(r))
              marks.insert(marks.begin() + static_cast<std::ptrdiff_t>(at % (marks.size() + 1)), r);
            break;
          }
          case 2:
            if (!marks.empty()) marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(at % marks.size()));
            break;
          case 3:
            if (!marks.empty())
              school.set("session_mark", marks[at % marks.size()], "code",
                         *rc::gen::element<std::string>("L", "/", "U"));
            break;
          default:
            if (marks.size() > 1) std::swap(marks[at % marks.size()], marks[(at * 7 + 1) % marks.size()]);
        }
      }
      options.full = *rc::gen::inRange(0, 4) == 0;
      school.read(options);
      School fresh;
      fresh.source.files = school.source.files;
      fresh.read();
      RC_ASSERT(school.table("session_mark") == fresh.table("session_mark"));
      RC_ASSERT(Quarantine(school.store).count().value() == Quarantine(fresh.store).count().value());
    }
  }));
}
