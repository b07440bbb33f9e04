#include "audit/audit.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <vector>

#include "tests/trust/trust_world.hpp"

using namespace towpath;

namespace {

constexpr Instant kNow{std::chrono::milliseconds{1795421700000}};

// A database in memory with an audit log of `entries` entries.
struct Log {
  explicit Log(int entries, std::uint64_t seed = 1) {
    SeededRandom random{seed};
    auto tx = db.begin().value();
    REQUIRE(Audit::create(db, random));
    for (int i = 1; i <= entries; ++i)
      REQUIRE(audit.append(kNow + std::chrono::minutes{i}, i % 2 ? "order-issued" : "receipt",
                           "Entry " + std::to_string(i) + " of a test"));
    REQUIRE(tx.commit());
  }
  // What somebody with the file and a shell can do.
  void by_force(const std::string& sql) {
    for (const char* trigger : {"audit_stays", "audit_keeps", "audit_grows"})
      REQUIRE(db.exec(std::string("DROP TRIGGER IF EXISTS ") + trigger));
    const auto done = db.exec(sql);
    if (!done) FAIL(done.error().sentence());
  }
  Database db = [] {
    Database::Options options;
    options.path = ":memory:";
    return Database::open(options).value();
  }();
  Audit audit{db};
};

std::string n(int number) { return std::to_string(number); }

}  // namespace

TEST_CASE("what is appended is read back in order, numbered from 1, and verifies") {
  Log log(3);
  std::vector<AuditEntry> entries;
  REQUIRE(log.audit.each([&](const AuditEntry& e) { entries.push_back(e); }));
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].number == 1);
  CHECK(entries[2].number == 3);
  CHECK(entries[1].kind == "receipt");
  CHECK(entries[1].what == "Entry 2 of a test");
  CHECK(entries[1].at == kNow + std::chrono::minutes{2});
  const AuditHead head = log.audit.head().value();
  CHECK(head.number == 3);
  CHECK(head.hash == entries[2].hash);
  const AuditHead verified = log.audit.verify(head).value();
  CHECK(verified.number == 3);
  CHECK(verified.hash == head.hash);
}

TEST_CASE("an empty log is in order, unless a head was noted") {
  Log log(0);
  CHECK(log.audit.head().value().number == 0);
  CHECK(log.audit.verify().value().number == 0);
  CHECK(log.audit.verify({1, {}}).error().code() == Code::kDamaged);
}

TEST_CASE("an entry is there if and only if what it tells of was committed") {
  Log log(1);
  {
    auto tx = log.db.begin().value();
    REQUIRE(log.audit.append(kNow, "order-issued", "Rolled back"));
  }
  CHECK(log.audit.verify().value().number == 1);
}

TEST_CASE("entries are neither changed, nor removed, nor replaced, nor put in out of turn") {
  Log log(3);
  const AuditHead head = log.audit.head().value();
  for (const char* sql :
       {"UPDATE audit SET what='other' WHERE number=2", "UPDATE audit SET number=9 WHERE number=3",
        "DELETE FROM audit WHERE number=3", "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit(number,at,kind,what,hash) VALUES(2,0,'a','b',x'00')",
        "REPLACE INTO audit(number,at,kind,what,hash) VALUES(3,0,'a','b',x'00')",
        "INSERT INTO audit(number,at,kind,what,hash) VALUES(5,0,'a','b',x'00')",
        "INSERT INTO audit(number,at,kind,what,hash) VALUES(0,0,'a','b',x'00')",
        "INSERT INTO audit(at,kind,what,hash) VALUES(0,'a','b',x'00')"}) {
    INFO(sql);
    CHECK_FALSE(log.db.exec(sql));
  }
  CHECK(log.audit.verify(head).value().hash == head.hash);
}

TEST_CASE("whatever is done to the file by force is found, with the entry") {
  CHECK(rc::check([] {
    const int entries = *rc::gen::inRange(2, 12);
    Log log(entries);
    const AuditHead noted = log.audit.head().value();
    const int at = *rc::gen::inRange(1, entries + 1);
    const int other = *rc::gen::inRange(1, entries + 1);
    const int how = *rc::gen::inRange(0, 7);
    int first = at;
    const std::string here = " WHERE number=" + n(at);
    switch (how) {
      case 0: {  // one byte of a text, by position
        const std::string column = *rc::gen::element<std::string>("what", "kind");
        const int position = *rc::gen::inRange(1, 8);
        log.by_force("UPDATE audit SET " + column + "=substr(" + column + ",1," + n(position - 1) +
                     ")||char(unicode(substr(" + column + "," + n(position) + ",1))+1)||substr(" + column +
                     "," + n(position + 1) + ")" + here);
        break;
      }
      case 1:
        log.by_force("UPDATE audit SET at=at+" + n(*rc::gen::inRange(1, 1000)) + here);
        break;
      case 2: {  // one bit of the hash
        AuditEntry entry;
        (void)log.audit.each([&](const AuditEntry& e) {
          if (e.number == static_cast<std::uint64_t>(at)) entry = e;
        });
        entry.hash.bytes[*rc::gen::inRange<std::size_t>(0, 32)] ^=
            static_cast<std::uint8_t>(1U << *rc::gen::inRange(0, 8));
        log.by_force("UPDATE audit SET hash=x'" + entry.hash.hex() + "'" + here);
        break;
      }
      case 3:  // removed, the others moved up
        log.by_force("DELETE FROM audit" + here);
        log.by_force("UPDATE audit SET number=-number WHERE number>" + n(at) +
                     "; UPDATE audit SET number=-number-1 WHERE number<0");
        break;
      case 4:  // removed
        log.by_force("DELETE FROM audit" + here);
        break;
      case 5:  // a copy put in, the others moved down
        log.by_force("UPDATE audit SET number=-number WHERE number>" + n(at) +
                     "; UPDATE audit SET number=1-number WHERE number<0; INSERT INTO audit SELECT number+1,"
                     "at,kind,what,hash FROM audit" +
                     here);
        first = at + 1;
        break;
      default:  // two swapped
        RC_PRE(at != other);
        log.by_force("UPDATE audit SET number=-1" + here + "; UPDATE audit SET number=" + n(at) +
                     " WHERE number=" + n(other) + "; UPDATE audit SET number=" + n(other) +
                     " WHERE number=-1");
        first = std::min(at, other);
        break;
    }
    const auto verified = log.audit.verify(noted);
    RC_ASSERT_FALSE(verified.has_value());
    RC_ASSERT(verified.error().code() == Code::kDamaged);
    RC_ASSERT(verified.error().what().find("entry " + n(first) + ":") != std::string::npos);
  }));
}

TEST_CASE("a cut tail looks whole, and is found by a head that was noted") {
  Log log(5);
  const AuditHead noted = log.audit.head().value();
  log.by_force("DELETE FROM audit WHERE number>3");
  CHECK(log.audit.verify().value().number == 3);
  const auto verified = log.audit.verify(noted);
  REQUIRE_FALSE(verified);
  CHECK_THAT(verified.error().sentence(), Catch::Contains("entry 4") && Catch::Contains("entry 5 was noted"));
}

TEST_CASE("a log written anew from its middle is found by a head noted before") {
  Log log(5);
  const AuditHead noted = log.audit.head().value();
  log.by_force("DELETE FROM audit WHERE number>3");
  auto tx = log.db.begin().value();
  for (int i = 0; i < 5; ++i) REQUIRE(log.audit.append(kNow, "receipt", "Another story"));
  REQUIRE(tx.commit());
  CHECK(log.audit.verify().value().number == 8);
  CHECK(log.audit.verify(noted).error().code() == Code::kDamaged);
}

TEST_CASE("the log goes on after a head that was noted") {
  Log log(2);
  const AuditHead noted = log.audit.head().value();
  auto tx = log.db.begin().value();
  REQUIRE(log.audit.append(kNow, "receipt", "One more"));
  REQUIRE(tx.commit());
  CHECK(log.audit.verify(noted).value().number == 3);
}

TEST_CASE("a pupil has one pseudonym in a log, another in another log, and it is not the UUID's own hash") {
  Log a(0, 1), b(0, 2);
  const Uuid pupil = Uuid::named(kTowpathSpace, "pupil"), other = Uuid::named(kTowpathSpace, "other");
  const std::string name = a.audit.pseudonym(pupil).value();
  CHECK(name.size() == 16);
  CHECK(a.audit.pseudonym(pupil).value() == name);
  CHECK(a.audit.pseudonym(other).value() != name);
  CHECK(b.audit.pseudonym(pupil).value() != name);
  // The secret is made once: creating again changes nothing.
  SeededRandom random{3};
  auto tx = a.db.begin().value();
  REQUIRE(Audit::create(a.db, random));
  REQUIRE(tx.commit());
  CHECK(a.audit.pseudonym(pupil).value() == name);
}

TEST_CASE("a sentence with line breaks and control characters becomes one harmless line") {
  Log log(0);
  auto tx = log.db.begin().value();
  REQUIRE(log.audit.append(kNow, "receipt", "one\ntwo\x1b[2J"));
  REQUIRE(tx.commit());
  std::string what;
  REQUIRE(log.audit.each([&](const AuditEntry& e) { what = e.what; }));
  CHECK(what == "one two?[2J");
  CHECK(log.audit.verify());
}

TEST_CASE("what was kept for its years goes, the chain goes on, and a head noted since then still holds") {
  Log log(0);
  const auto at = [](int year, int month) {
    return Instant{std::chrono::days{Date::from_ymd(year, static_cast<unsigned>(month), 2)->days}};
  };
  {
    auto tx = log.db.begin().value();
    for (const Instant when : {at(2018, 10), at(2019, 7), at(2019, 10), at(2026, 9)})
      REQUIRE(log.audit.append(when, "receipt", "of that day"));
    REQUIRE(tx.commit());
  }
  std::vector<AuditEntry> before;
  REQUIRE(log.audit.each([&](const AuditEntry& e) { before.push_back(e); }));
  const auto purge = [&](Instant now) {
    auto tx = log.db.begin().value();
    const std::uint64_t gone = log.audit.purge(now).value();
    REQUIRE(tx.commit());
    return gone;
  };
  CHECK(purge(at(2025, 11)) == 0);  // 2018/19 ended seven years ago in August 2026
  CHECK(purge(at(2026, 11)) == 2);
  CHECK(purge(at(2026, 12)) == 0);
  std::vector<AuditEntry> after;
  REQUIRE(log.audit.each([&](const AuditEntry& e) { after.push_back(e); }));
  REQUIRE(after.size() == 3);
  CHECK(after[0].number == 3);
  CHECK(after[2].kind == "audit-purged");
  CHECK(log.audit.verify().value().number == 5);
  CHECK(log.audit.verify({before[3].number, before[3].hash}));
  CHECK(log.audit.verify({before[1].number, before[1].hash}));  // the last that is gone
  CHECK(log.audit.verify({before[0].number, before[0].hash}).error().code() == Code::kNotFound);
  CHECK(log.audit.verify({before[1].number, before[0].hash}).error().code() == Code::kDamaged);
  // What is kept is still refused to go, and found where it went by force.
  CHECK_FALSE(log.db.exec("DELETE FROM audit WHERE number=3"));
  log.by_force("DELETE FROM audit WHERE number=3");
  CHECK(log.audit.verify().error().code() == Code::kDamaged);
}

TEST_CASE("a log of which all is old keeps its newest entry, and its numbers go on") {
  Log log(3);
  auto tx = log.db.begin().value();
  const Instant later = kNow + std::chrono::days{20 * 365};
  CHECK(log.audit.purge(later).value() == 2);
  CHECK(log.audit.purge(later).value() == 1);  // it is not the newest any more
  CHECK(log.audit.purge(later).value() == 0);
  REQUIRE(tx.commit());
  CHECK(log.audit.verify().value().number == 5);
}
