// Today's programs on what the programs of each released version left behind.
#include "tests/system/programs.hpp"

#include <catch2/catch.hpp>

#include "sqlite/database.hpp"
#include "tests/versions/kept.hpp"

namespace towpath::versions {
namespace {

using Catch::Contains;
using test::Agent;
using test::Ended;
using test::Folder;
using test::Hub;
using test::Json;

// The machines of a release: a school that has read four days and sent two, and the hub it sent them to.
struct Borough {
  explicit Borough(const Release& of) : hub(folder, Hub::AsFound{}), agent(folder) {
    unpack("store-v" + std::to_string(of.store) + "/school.tar.zst", folder / "");
    unpack("hub-v" + std::to_string(of.hub) + "/hub.tar.zst", folder / "");
    configure("http://127.0.0.1:1");
    day(kDaysKept);
  }
  void configure(const std::string& url) const {
    std::string text = kept("school/towpath.toml");
    const auto put = [&](const std::string& name, const std::string& value) {
      for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
        text.replace(at, name.size(), value);
    };
    std::string here = folder / "";
    here.pop_back();
    put("@HERE@", here);
    put("@HUB@", url);
    agent.configure(text);
  }
  // What the school's systems export that day.
  void day(int n) const {
    fs::remove_all(folder / "mis");
    unpack("school/day-" + std::to_string(n) + ".tar.zst", folder / "mis");
  }
  // As an operator does it: the hub gets its keys, if it had none yet, and the school its invitation.
  void upgrade(const Release& from) {
    const Ended made = hub.call({"init"});
    INFO(made.out << made.err);
    REQUIRE(made.code == 0);
    hub.start();
    configure(hub.url());
    if (from.hub < 2) return static_cast<void>(test::enrol(hub, agent));
    if (from.store >= 5) return;
    // A school that sent before there were agreements sends no more until one is approved.
    hub.offer_to_borough();
    const Json waits = agent.json({"sync"}, 4);
    CHECK(waits["segments"] == 0);
    test::approve(agent);
  }
  [[nodiscard]] std::map<std::string, std::string> school_files() const { return all_files(folder / "data"); }
  [[nodiscard]] std::map<std::string, std::string> hub_files() const { return all_files(folder / "hub"); }
  // Every table that holds something of the school's, as text: what is not null, so that columns which came
  // later make no difference; without what only speeds up reading, and is other in each dictionary.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> rows() const {
    Database::Options file;
    file.path = folder / "data/school.db";
    file.read_only = true;
    auto db = Database::open(file);
    REQUIRE(db);
    std::vector<std::string> tables;
    REQUIRE(db->each("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite%'",
                     [&](Statement::Use& row) { tables.emplace_back(row.text(0)); }));
    std::map<std::string, std::vector<std::string>> all;
    for (const std::string& table : tables) {
      std::string columns;
      REQUIRE(db->each(
          "SELECT name FROM pragma_table_info('" + table + "') WHERE name<>'print' ORDER BY name",
          [&](Statement::Use& row) {
            const std::string name(row.text(0));
            columns += (columns.empty() ? "" : "||") +
                       ("iif(\"" + name + "\" IS NULL,'','" + name + "='||quote(\"" + name + "\")||' ')");
          }));
      std::vector<std::string>& rows = all[table];
      REQUIRE(db->each("SELECT " + columns + " FROM " + table + " ORDER BY 1",
                       [&](Statement::Use& row) { rows.emplace_back(row.text(0)); }));
    }
    return all;
  }
  Folder folder;
  Hub hub;
  Agent agent;
};

std::uint64_t in_all(const Json& extract, const std::string& what) {
  std::uint64_t n = 0;
  for (const Json& source : extract.at("sources"))
    for (const Json& dataset : source.at("datasets")) n += dataset.at(what).get<std::uint64_t>();
  return n;
}

TEST_CASE(
    "a school of every released version goes on after the upgrade: no row is lost, and both ends become "
    "equal") {
  const Release release = GENERATE(from_range(std::begin(kReleases), std::end(kReleases)));
  CAPTURE(release.store, release.hub);
  Borough at(release);
  const auto before = at.rows();
  REQUIRE(before.at("d_pupil").size() > 20);
  REQUIRE(before.at("d_session_mark").size() > 300);
  REQUIRE(before.at("quarantine").size() == 2);
  REQUIRE(before.at("outbox").size() == 1);
  REQUIRE_FALSE(before.at("change").empty());

  // The same exports again: the store is brought up, and nothing in it is different.
  const Json again = at.agent.json({"extract"});
  CHECK(in_all(again, "added") == 0);
  CHECK(in_all(again, "changed") == 0);
  CHECK(in_all(again, "removed") == 0);
  const auto after = at.rows();
  for (const auto& [table, rows] : before) {
    INFO(table);
    if (table.starts_with("d_") || table == "identity" || table == "change" || table == "outbox" ||
        table == "content")
      CHECK(after.at(table) == rows);
    if (table == "quarantine" || table == "source" || table == "stream")
      CHECK(after.at(table).size() == rows.size());
  }

  at.upgrade(release);
  const Json sent = at.agent.json({"sync"});
  CHECK(sent["equal"] == true);
  CHECK(sent["up_to_date"] == true);
  at.day(kDaysKept + 1);
  const Json day = at.agent.json({"extract"});
  CHECK(test::count(day, "session_mark", "added") > 20);
  const Json synced = at.agent.json({"sync"});
  CHECK(synced["equal"] == true);
  // What waited went on where the old version had stopped: 3, then what it had not sealed, then this day.
  // Before version 5 streams had no agreement, and no counts of rows: under one they begin anew, once.
  const bool begun_anew = release.store < 5;
  CHECK(synced.at("head").at("epoch") == (begun_anew ? 2 : 1));
  CHECK(synced.at("head").at("seq") == (begun_anew ? 2 : 5));

  const Json verified = at.agent.json({"verify"});
  CHECK(verified["hub"]["equal"] == true);
  CHECK(at.hub.call({"verify"}).code == 0);
  CHECK(at.hub.rows("session_mark").size() == at.rows().at("d_session_mark").size());
  CHECK(at.hub.rows("pupil").size() == before.at("d_pupil").size());
}

TEST_CASE("to look at a store of an earlier version neither changes it nor shows its tables") {
  const Release release = GENERATE(from_range(std::begin(kReleases), std::end(kReleases)));
  const std::vector<std::string> verb =
      GENERATE(values<std::vector<std::string>>({{"status"},
                                                 {"status", "--json"},
                                                 {"doctor"},
                                                 {"quarantine", "list"},
                                                 {"quarantine", "show", "2"},
                                                 {"support-bundle", "--list"},
                                                 {"config", "check"}}));
  CAPTURE(release.store, verb);
  Borough at(release);
  const auto before = at.school_files();
  const Ended said = at.agent.call(verb);
  INFO(said.out << said.err);
  CHECK((said.code == 0 || said.code == 4 || verb[0] == "doctor"));
  CHECK_THAT(said.out + said.err, !Contains("no such table") && !Contains("SELECT"));
  CHECK(differing(before, at.school_files()) == "");
}

TEST_CASE(
    "a hub of an earlier version starts: at once where it had keys, else once it was told to make them") {
  const Release release = GENERATE(from_range(std::begin(kReleases), std::end(kReleases)));
  CAPTURE(release.hub);
  Borough at(release);
  const auto marks = at.hub.rows("session_mark").size();
  CHECK(marks > 200);
  if (release.hub < 2) {
    Borough fresh(release);
    const Ended refused = fresh.hub.call({"serve", "--listen", "127.0.0.1:0"});
    CHECK(refused.code == 78);
    CHECK_THAT(refused.err, Contains("has no keys yet") && Contains("init makes them"));
    const Ended made = fresh.hub.call({"init"});
    CHECK(made.code == 0);
    fresh.hub.start();
    CHECK(fresh.hub.rows("session_mark").size() == marks);
    CHECK(fresh.hub.call({"verify"}).code == 0);
    return;
  }
  at.hub.start();
  CHECK(at.hub.rows("session_mark").size() == marks);
  CHECK(at.hub.call({"verify"}).code == 0);
}

TEST_CASE("a stick of an earlier version is taken in, and its answer brought back") {
  Borough at(Release{4, 2});  // whose machine wrote it
  const std::string stick = (fixtures() / "stick-v1/up.stick").string();
  const Ended taken = at.hub.call({"bundle", "import", stick, "--answer", at.folder / "down.stick"});
  INFO(taken.out << taken.err);
  REQUIRE(taken.code == 0);
  const Ended back = at.agent.call({"bundle", "import", at.folder / "down.stick"});
  INFO(back.out << back.err);
  CHECK(back.code == 0);
  // It is of before there were agreements: what waits goes, or is found to have gone, once one is approved.
  CHECK(at.rows().at("outbox").size() == 1);
}

// --- newer than known ---------------------------------------------------------------------------------

void set(const std::string& file, const std::string& sql) {
  Database::Options options;
  options.path = file;
  auto db = Database::open(options);
  REQUIRE(db);
  REQUIRE(db->exec(sql));
}

TEST_CASE("a store of a newer version is refused by every verb with what to do, and no byte of it changes") {
  const std::string newer =
      GENERATE("PRAGMA user_version=99", "UPDATE meta SET value='99' WHERE key='dictionary'");
  CAPTURE(newer);
  Borough at(kPresent);
  set(at.folder / "data/school.db", newer);
  const auto before = at.school_files();
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"extract"},
                                             {"sync"},
                                             {"status"},
                                             {"verify"},
                                             {"quarantine", "list"},
                                             {"restore"},
                                             {"key", "rotate"},
                                             {"bundle", "export", at.folder / "x"}}) {
    const Ended said = at.agent.call(verb);
    INFO(verb[0] << ": " << said.out << said.err);
    CHECK(said.code == 1);
    CHECK_THAT(said.err,
               Contains("was written by a newer towpath") && Contains("Install the newer program again"));
    CHECK(differing(before, at.school_files()) == "");
  }
  const Ended seen = at.agent.call({"doctor"});
  CHECK_THAT(seen.out, Contains("newer towpath (") && Contains("Install the newer program again"));
  CHECK(differing(before, at.school_files()) == "");
}

TEST_CASE("a hub of a newer version is refused by every verb with what to do, and no byte of it changes") {
  Borough at(kPresent);
  set(at.folder / "hub/registry.db", "UPDATE hub SET format=99");
  const auto before = at.hub_files();
  for (const std::vector<std::string>& verb :
       std::vector<std::vector<std::string>>{{"init"},
                                             {"serve", "--listen", "127.0.0.1:0"},
                                             {"status"},
                                             {"school", "list"},
                                             {"export", "pupil"},
                                             {"verify"}}) {
    const Ended said = at.hub.call(verb);
    INFO(verb[0] << ": " << said.out << said.err);
    CHECK(said.code == 1);
    CHECK_THAT(said.err, Contains("has format 99; this program knows") &&
                             Contains("Install the version of towpath-hub that wrote it"));
    CHECK(differing(before, at.hub_files()) == "");
  }
}

TEST_CASE(
    "a hub that was set back to an older program takes nothing and loses nothing until the newer one is "
    "back") {
  Borough at(kPresent);
  const std::string file = at.folder / "hub/schools/100001/borough-1.db";
  set(file, "UPDATE meta SET dictionary=99");
  const std::string held = bytes_in(file);
  at.hub.start();
  at.configure(at.hub.url());
  const Json refused = at.agent.json({"sync"}, 4);
  CHECK(refused["equal"] == false);
  CHECK(refused["later_seconds"] > 0);
  const Ended looked = at.hub.call({"status"});
  CHECK_THAT(looked.out,
             Contains("dictionary version 99") && Contains("Install the newer version of towpath"));
  at.hub.stop();
  CHECK(bytes_in(file) == held);
  CHECK(at.rows().at("outbox").size() == 2);

  set(file, "UPDATE meta SET dictionary=1");
  at.hub.start();
  at.configure(at.hub.url());
  const Json sent = at.agent.json({"sync"});
  CHECK(sent["equal"] == true);
  CHECK(sent.at("head").at("epoch") == 1);
}

TEST_CASE("keys of a newer version are refused as such, not as damaged, and stay as they are") {
  Borough at(kPresent);
  const auto raise = [](const std::string& file) {
    std::string text = bytes_in(file);
    const std::size_t at_version = text.find("version 1");
    REQUIRE(at_version != std::string::npos);
    text.replace(at_version, 9, "version 2");
    std::ofstream(file, std::ios::binary) << text;
  };
  SECTION("the hub's") {
    raise(at.folder / "hub/keys/hub.keys");
    const auto before = at.hub_files();
    for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{
             {"serve", "--listen", "127.0.0.1:0"}, {"init"}, {"key", "rotate"}, {"school", "invite", kUrn}}) {
      const Ended said = at.hub.call(verb);
      INFO(verb[0] << ": " << said.out << said.err);
      CHECK(said.code == 1);
      CHECK_THAT(said.err, Contains("version 2") && Contains("newer"));
      CHECK(differing(before, at.hub_files()) == "");
    }
  }
  SECTION("a school's") {
    raise(at.folder / "data/identity/agent.key");
    const auto before = at.school_files();
    const Ended said = at.agent.call({"sync"});
    INFO(said.out << said.err);
    CHECK(said.code == 1);
    CHECK_THAT(said.err, Contains("version 2") && Contains("newer"));
    CHECK(differing(before, at.school_files()) == "");
  }
}

}  // namespace
}  // namespace towpath::versions
