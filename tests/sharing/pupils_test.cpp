// What is set for single pupils, and what an erasure leaves.
#include "agent/sharing/pupils.hpp"

#include <filesystem>
#include <fstream>

#include "tests/sharing/sharing_world.hpp"

namespace towpath {
namespace {

using Catch::Matchers::Contains;
using test::SharingWorld;

constexpr const char* kBy = "safeguarding lead, C. Example";

struct PupilsWorld : SharingWorld {
  PupilsWorld() {
    one("p-000001", "Zebedee", "Quentin Ambrose", "A123456789012", "2014-03-09");
    one("p-000002", "Smith", "Ada", "B123456789012", "2014-03-09");
    one("p-000003", "Smith", "Bea", "C123456789012", "2014-03-09");
    for (const char* day : {"2026-11-16", "2026-11-17"})
      for (const char* id : {"p-000001", "p-000002"}) school.mark(day, "AM", id, "/");
    school.read();
  }
  void one(const std::string& id, const std::string& surname, const std::string& forename,
           const std::string& upn, const std::string& born) {
    test::Record& record = school.pupil(id, surname, forename);
    school.set("pupil", record, "UPN", upn);
    school.set("pupil", record, "DOB", born);
  }
  Pupils pupils() { return {school.store, clock}; }
  std::int64_t number(const std::string& upn) {
    auto found = pupils().one(upn, today());
    if (!found) FAIL(found.error().sentence());
    return *found;
  }
};

TEST_CASE("a pupil is found by number, UUID, UPN, or surname and date of birth") {
  PupilsWorld world;
  const std::int64_t pupil = world.number("a123456789012");
  CHECK(world.pupils().one(std::to_string(pupil), world.today()).value() == pupil);
  CHECK(world.pupils().one("zebedee 2014-03-09", world.today()).value() == pupil);
  CHECK(world.pupils().one("Zebedee, 9/3/2014", world.today()).value() == pupil);
  std::string uuid;
  REQUIRE(world.school.store.db().each("SELECT uuid FROM d_entity WHERE number=" + std::to_string(pupil),
                                       [&](Statement::Use& row) {
                                         Uuid u;
                                         std::copy_n(row.blob(0).begin(), 16, u.bytes.begin());
                                         uuid = u.text();
                                       }));
  CHECK(world.pupils().one(uuid, world.today()).value() == pupil);

  const auto several = world.pupils().one("Smith 2014-03-09", world.today());
  REQUIRE_FALSE(several);
  CHECK(several.error().code() == Code::kChoice);
  CHECK_THAT(several.error().sentence(),
             Contains(std::to_string(world.number("B123456789012"))) && !Contains("Smith"));
  const auto none = world.pupils().one("X999999999999", world.today());
  CHECK(none.error().code() == Code::kNotFound);
  CHECK_THAT(none.error().sentence(), !Contains("X9999"));
  CHECK(world.pupils().one("Smith tomorrow", world.today()).error().code() == Code::kUsage);
  CHECK(world.pupils().one("", world.today()).error().code() == Code::kNotFound);
}

TEST_CASE("protection is raised by anybody named, and lowered only on purpose") {
  PupilsWorld world;
  const std::int64_t pupil = world.number("A123456789012");
  REQUIRE(world.pupils().protect(pupil, 2, kBy, false));
  CHECK(world.pupils().rule(pupil).value().level == 2);
  CHECK(world.pupils().protect(pupil, 2, kBy, false).error().code() == Code::kRepeated);
  const auto lower = world.pupils().protect(pupil, 1, kBy, false);
  REQUIRE_FALSE(lower);
  CHECK_THAT(lower.error().next(), Contains("safeguarding lead"));
  CHECK(world.pupils().rule(pupil).value().level == 2);
  REQUIRE(world.pupils().protect(pupil, 0, kBy, true));
  CHECK(world.pupils().rule(pupil).value().level == 0);
  CHECK(world.pupils().protect(99999, 2, kBy, false).error().code() == Code::kNotFound);
  CHECK(world.pupils().protect(pupil, 2, "", false).error().code() == Code::kUsage);
}

TEST_CASE("the audit log says who changed something, and not what it was, nor of whom") {
  PupilsWorld world;
  const std::int64_t pupil = world.number("A123456789012");
  REQUIRE(world.pupils().protect(pupil, 3, kBy, false));
  REQUIRE(world.pupils().restrict(pupil, true, kBy));
  const std::string log = world.audit();
  CHECK_THAT(log, Contains(kBy) && !Contains("R3") && !Contains("level") && !Contains("protect") &&
                      !Contains("restrict"));
  CHECK_THAT(log, !Contains("Zebedee") && !Contains("A1234567") &&
                      !Contains("pupil " + std::to_string(pupil) + " "));
  const std::string first = log.substr(0, log.find('\n')), rest = log.substr(log.find('\n') + 1);
  CHECK(rest == first + "\n");  // the two cannot be told apart
}

TEST_CASE("a restriction is set and lifted; twice is said") {
  PupilsWorld world;
  const std::int64_t pupil = world.number("B123456789012");
  CHECK(world.pupils().restrict(pupil, false, kBy).error().code() == Code::kRepeated);
  REQUIRE(world.pupils().restrict(pupil, true, kBy));
  CHECK(world.pupils().restrict(pupil, true, kBy).error().code() == Code::kRepeated);
  REQUIRE(world.pupils().restrict(pupil, false, kBy));
  CHECK_FALSE(world.pupils().rule(pupil).value().restricted);
}

// Every byte of the store's file and what lies beside it.
std::string bytes_of_store(const std::string& path) {
  std::string out;
  for (const char* tail : {"", "-wal"}) {
    std::ifstream in(path + tail, std::ios::binary);
    out.append(std::istreambuf_iterator<char>(in), {});
  }
  return out;
}

TEST_CASE("an erased pupil is in no table, no raw record and nothing that waits to be sent") {
  PupilsWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  // A bad record of it, and one of somebody else.
  world.school.mark("2026-11-18", "XX", "p-000001", "/");
  test::Record& bad = world.school.pupil("p-000009", "Other", "");
  (void)bad;
  world.school.read();
  REQUIRE(world.count("quarantine") == 2);
  const std::int64_t pupil = world.number("A123456789012");

  for (const char* naming :
       {"request of Quentin's parents", "for a123456789012", "as p-000001 asked", "who was born 2014-03-09",
        "who was born 09/03/2014", "half of a name: Ambrose"}) {
    INFO(naming);
    const auto refused = world.pupils().erase(pupil, naming, kBy);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kUsage);
  }
  const auto done = world.pupils().erase(pupil, "request of the parents, granted", kBy);
  REQUIRE(done);
  CHECK(done->rows == 4);  // itself, two marks, its UUID
  CHECK(done->quarantined == 1);
  CHECK(done->audiences == 1);
  CHECK(world.count("quarantine") == 1);
  CHECK(world.count("d_session_mark WHERE pupil=" + std::to_string(pupil)) == 0);
  CHECK(world.count("d_entity WHERE number=" + std::to_string(pupil)) == 0);
  for (const char* table : {"outbox", "content", "change"}) CHECK(world.count(table) == 0);
  CHECK_THAT(world.audit(), Contains("request of the parents, granted"));

  const auto twice = world.pupils().erase(pupil, "again", kBy);
  CHECK(twice.error().code() == Code::kRepeated);
  CHECK(world.number("A123456789012") == pupil);  // who asks again is told
  CHECK(world.pupils().protect(pupil, 2, kBy, false).error().code() == Code::kRefused);

  // Its audience is told to remove all from before, and gets a new epoch without it.
  REQUIRE(world.sharing().settle());
  const auto orders = world.orders_waiting();
  REQUIRE(orders.size() == 1);
  CHECK((orders[0].epoch.number == 2 && orders[0].seq.number == 1));
  world.publish("borough");
  CHECK(world.school.store.db().integer("SELECT epoch FROM stream").value() == 2);
  const auto audience = world.sharing().audiences(world.today()).value().front();
  const auto states = Publisher(world.school.store, audience).states().value();
  for (const auto& state : states)
    if (state.dataset == 3) CHECK(state.rows == 2);
}

TEST_CASE("who is protected after being shared is taken back by the next publish, with an order") {
  PupilsWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  // As if the hub had it all.
  REQUIRE(world.school.store.db().exec(
      "UPDATE stream SET acked_seq=seq,acked_segment=segment; DELETE FROM outbox"));
  world.hub_takes_all();
  REQUIRE(world.pupils().protect(world.number("A123456789012"), 2, kBy, false));
  world.publish("borough");
  REQUIRE(world.sharing().settle().value().orders == 1);
  const auto order = world.orders_waiting().at(0);
  CHECK_FALSE(order.all);
  const auto head = Publisher(world.school.store, world.in_force().at(0)).head().value();
  CHECK((order.epoch == head.epoch && order.seq == head.seq));
  const auto states = Publisher(world.school.store, world.in_force().at(0)).states().value();
  for (const auto& state : states)
    if (state.dataset == 3) CHECK(state.rows == 2);
  CHECK(world.sharing().settle().value().orders == 0);
}

TEST_CASE(
    "who is protected after the MIS has deleted them is taken back, too: what was sent is still kept there") {
  PupilsWorld world;
  world.offer({});
  REQUIRE(world.approve("borough-2026"));
  world.publish("borough");
  const std::int64_t pupil = world.number("A123456789012");
  auto& records = world.school.source.file("pupil").records;
  std::erase_if(records, [](const test::Record& r) { return r[0] == "p-000001"; });
  world.school.source.file("session_mark").records.clear();
  world.school.mark("2026-11-16", "AM", "p-000002", "/");
  ExtractOptions accept;
  accept.accept_deletions = true;
  world.school.read(accept);
  REQUIRE(world.school.rows("pupil") == 2);
  world.publish("borough");
  REQUIRE(world.school.store.db().exec(
      "UPDATE stream SET acked_seq=seq,acked_segment=segment; DELETE FROM outbox"));
  world.hub_takes_all();
  CHECK(world.sharing().settle().value().orders == 0);
  REQUIRE(world.pupils().protect(pupil, 2, kBy, false));
  world.publish("borough");
  CHECK(world.sharing().settle().value().orders == 1);
}

TEST_CASE("only pupils on the list go where the agreement is about named pupils") {
  PupilsWorld world;
  test::AgreementText text;
  text.scope = "named";
  world.offer(text);
  REQUIRE(world.approve("borough-2026"));
  const auto pupils = [&] {
    const auto states = Publisher(world.school.store, world.in_force().at(0)).states().value();
    for (const auto& state : states)
      if (state.dataset == 3) return state.rows;
    return std::uint64_t{0};
  };
  CHECK(pupils() == 0);
  REQUIRE(world.pupils().name("borough", world.number("A123456789012"), true, kBy));
  CHECK(pupils() == 1);
}

TEST_CASE(
    "what the sources still say about an erased pupil is dropped, and its number is never given again") {
  PupilsWorld world;
  const std::int64_t pupil = world.number("A123456789012");
  REQUIRE(world.pupils().erase(pupil, "request", kBy));
  test::Record& bad = world.school.mark("2026-11-18", "XX", "p-000001", "/");
  (void)bad;
  world.one("p-000004", "New", "Dee", "D123456789012", "2015-01-01");
  const auto report = world.school.read();
  CHECK(world.school.rows("pupil") == 3);
  CHECK(world.count("d_session_mark") == 2);
  CHECK(world.count("quarantine") == 0);
  std::uint64_t ignored = 0;
  for (const auto& [name, file] : report.files)
    for (const auto& [reason, n] : file.ignored) ignored += n;
  CHECK(ignored == 4);
  CHECK(world.number("D123456789012") > pupil);
  CHECK(world.school.read().datasets.at("pupil").added == 0);

  SECTION("though a record names it by its UPN") {
    world.school.source.file("session_mark").by = "UPN";
    for (test::Record& record : world.school.source.file("session_mark").records)
      record[world.school.dictionary.find("session_mark")->position("pupil").value()] =
          record[2] == "p-000001" ? "A123456789012" : "B123456789012";
    world.school.read();
    CHECK(world.count("d_session_mark") == 2);
    CHECK(world.count("quarantine") == 0);
  }
}

TEST_CASE("the file holds no byte of an erased pupil's name when erase returns") {
  const std::string folder = (std::filesystem::temp_directory_path() / "towpath-erase-XXXXXX").string();
  std::string place = folder;
  REQUIRE(::mkdtemp(place.data()) != nullptr);
  const std::string file = place + "/school.db";
  {
    test::School school;
    auto store = Store::open({file, "", "100001", false}, built_in_dictionary());
    REQUIRE(store);
    school.pupil("1", "Zwetschgenbaum", "Quirinius");
    school.pupil("2", "Other");
    const AdapterContext context{school.dictionary, "100001", "Example School", "mis",
                                 Date::parse("2026-11-20").value()};
    REQUIRE(run_extract(*store, school.source, context, school.clock, {}));
    REQUIRE_THAT(bytes_of_store(file), Contains("Zwetschgenbaum"));
    test::SetClock clock;
    Pupils pupils(*store, clock);
    const auto pupil =
        store->db().integer("SELECT pupil FROM d_pupil WHERE \"Surname\"='Zwetschgenbaum'").value();
    REQUIRE(pupils.erase(pupil, "request", kBy));
    const std::string bytes = bytes_of_store(file);
    CHECK_THAT(bytes, !Contains("Zwetschgenbaum") && !Contains("Quirinius"));
  }
  std::filesystem::remove_all(place);
}

TEST_CASE("the list for an agreement about named pupils takes each once") {
  PupilsWorld world;
  const std::int64_t pupil = world.number("A123456789012");
  REQUIRE(world.pupils().name("federation:kentish", pupil, true, kBy));
  CHECK(world.pupils().name("federation:kentish", pupil, true, kBy).error().code() == Code::kRepeated);
  CHECK(world.pupils().named("federation:kentish").value() == std::vector<std::int64_t>{pupil});
  CHECK(world.pupils().named("borough").value().empty());
  REQUIRE(world.pupils().name("federation:kentish", pupil, false, kBy));
  CHECK(world.pupils().name("federation:kentish", pupil, false, kBy).error().code() == Code::kRepeated);
  CHECK(world.pupils().name("federation:kentish", 99999, true, kBy).error().code() == Code::kNotFound);
}

}  // namespace
}  // namespace towpath
