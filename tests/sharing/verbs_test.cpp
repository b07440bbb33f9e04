// The verbs of sharing, through the real program: what a person sees, decides and gets in hand.
#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/identity/identity.hpp"
#include "agent/sharing/explain.hpp"
#include "agent/sharing/sharing.hpp"
#include "core/text.hpp"
#include "platform/platform.hpp"
#include "tests/sharing/sharing_world.hpp"
#include "tests/system/programs.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::AgreementText;
using test::Ended;
using test::Json;

constexpr const char* kTelling = "Zzyzxelwood";
constexpr const char* kUpn = "A801234567890";
constexpr const char* kBy = "head teacher, A. Example";

const std::string kFiles =
    "[[source]]\nname = \"files\"\nkind = \"csv\"\npath = \"exports\"\n"
    "[[source.table]]\ndataset = \"pupil\"\nfile = \"pupils.csv\"\n[source.table.columns]\n"
    "pupil = \"Id\"\nSurname = \"Last\"\nForename = \"First\"\nUPN = \"UPN\"\nDOB = \"Born\"\n"
    "[[source.table]]\ndataset = \"session_mark\"\nfile = \"marks.csv\"\n[source.table.columns]\n"
    "date = \"Date\"\nsession = \"Session\"\npupil = \"Pupil\"\ncode = \"Mark\"\n";

// A school of four pupils whose machine is enrolled, and a hub that is only a key.
struct Verbs {
  Verbs() : agent(folder), hub(PartySecret::make(random)), own(PartySecret::make(random)) {
    agent.configure(test::Agent::head("") + kFiles);
    folder.write("exports/pupils.csv",
                 std::string("Id,Last,First,UPN,Born\r\np0,") + kTelling + ",Ada," + kUpn +
                     ",2014-03-09\r\np1,Smith,Bo,B801234567890,2014-03-10\r\n"
                     "p2,Jones,Cy,C801234567890,2014-03-11\r\np3,Jones,Di,D801234567890,2014-03-11\r\n");
    folder.write("exports/marks.csv",
                 "Date,Session,Pupil,Mark\r\n2026-11-16,AM,p0,/\r\n2026-11-16,AM,p1,/\r\n");
    const Ended read = agent.call({"extract"});
    INFO(read.out << read.err);
    REQUIRE(read.code == 0);
    REQUIRE(platform::make_private_folder(folder / "data/identity"));
    KeyFolder files(folder / "data/identity");
    auto candidate = Candidate::of(files, {}, random);
    REQUIRE(candidate);
    Enrolment enrolment;
    enrolment.urn = "100001";
    enrolment.name = "Example School";
    enrolment.hub_url = "http://127.0.0.1:9";  // discard: nobody is there
    enrolment.hub = hub.key();
    REQUIRE(std::move(*candidate).enrolled(enrolment));
  }
  // What the hub would have sent.
  void post(const AgreementText& text) {
    auto store = Store::open({folder / "data/school.db", "", "100001", false}, built_in_dictionary());
    REQUIRE(store);
    Deed deed;
    deed.kind = DeedKind::kAgreement;
    deed.issuer = "hub";
    deed.number = ++number;
    deed.made = clock.now();
    deed.body = AgreementPaper{text.toml()}.encode();
    deed = sign_deed(std::move(deed), hub);
    mark.chain = test::SharingWorld::first_eight(
        Hasher("towpath post").update(mark.chain).update(deed.id.bytes).finish());
    ++mark.number;
    const PostFrame frame{mark, deed.bytes};
    const PartyKey key = hub.key();
    auto taken = Sharing(*store, clock, {}).take_post({&frame, 1}, {&key, 1});
    REQUIRE(taken);
    REQUIRE(taken->entries == 1);
  }
  // In force on whichever day the test runs.
  static AgreementText today() {
    platform::SystemClock now;
    AgreementText text;
    text.grants = "\"ROLL\", \"ATT-CAT\", \"ATT-CODE\"";
    text.more = "named_roles = [\"Officer\"]\nspecial_basis = \"Article 9(2)(g)\"\n";
    text.start = utc_date(now.now()).plus(-30).iso();
    text.end = utc_date(now.now()).plus(300).iso();
    return text;
  }
  Json approve(const std::string& id = "borough-2026") {
    return agent.json({"agreement", "approve", id, "--by", kBy, "--yes"});
  }
  Ended typed(const std::string& line, const std::string& verb) {
    return test::run(folder, {"/bin/sh", "-c",
                              "echo '" + line + "' | '" + test::bin("towpath") + "' --config '" +
                                  (folder / "towpath.toml") + "' " + verb});
  }

  SeededRandom random{11};
  test::SetClock clock;
  test::Folder folder;
  test::Agent agent;
  PartySecret hub, own;
  std::uint64_t number = 0;
  PostMark mark;
};

TEST_CASE("an agreement is listed, shown with its fields and rows, approved, explained and withdrawn") {
  Verbs at;
  CHECK_THAT(at.agent.call({"agreement", "list"}).out, Contains("nothing has been offered"));
  at.post(Verbs::today());
  CHECK_THAT(at.agent.call({"agreement", "list"}).out,
             Contains("borough-2026  for borough: version 1 offered"));
  const Json shown = at.agent.json({"agreement", "show", "borough-2026"});
  CHECK(shown["pupils"] == 4);
  CHECK(shown["standing"] == "offered");
  CHECK(shown["grants"] == Json::array({"ROLL", "ATT-CAT", "ATT-CODE"}));
  bool surname = false;
  for (const Json& dataset : shown["datasets"])
    for (const Json& field : dataset["fields"]) {
      surname = surname || (dataset["dataset"] == "pupil" && field["field"] == "Surname" &&
                            field["grant"] == "ROLL" && field["class"] == "identity");
      CHECK(field["grant"] != "CHAR-FULL");
    }
  CHECK(surname);
  const Ended words = at.agent.call({"agreement", "show", "borough-2026"});
  CHECK_THAT(words.out,
             Contains("Pupils: 4 rows today") && Contains("purpose    Testing") && !Contains(kTelling));

  // Nobody is there to be asked.
  const Ended asked = at.agent.call({"agreement", "approve", "borough-2026", "--by", kBy});
  CHECK(asked.code == 2);
  CHECK_THAT(asked.err, Contains("--yes"));
  CHECK(at.agent.json({"agreement", "list"})["agreements"][0]["standing"] == "offered");

  const Json approved = at.approve();
  CHECK(approved["hash"] == shown["hash"]);
  CHECK(at.agent.json({"agreement", "list"})["agreements"][0]["standing"] == "in-force");
  const Ended twice = at.agent.call({"agreement", "approve", "borough-2026", "--by", kBy, "--yes"});
  CHECK(twice.code == 1);
  CHECK_THAT(twice.err, Contains("already"));

  const Json explained = at.agent.json({"explain"});
  REQUIRE(explained["audiences"].size() == 1);
  CHECK(explained["audiences"][0]["text"] == "ED-17");
  CHECK(explained["audiences"][0]["approved_by"] == kBy);
  CHECK(at.agent.call({"explain", "--audience", "nobody"}).code == 1);

  const Ended withdrawn = at.agent.call({"agreement", "withdraw", "borough-2026", "--by", kBy});
  INFO(withdrawn.err);
  CHECK(withdrawn.code == 0);
  CHECK_THAT(withdrawn.out, Contains("towpath --config") && Contains(" sync"));
  CHECK_THAT(at.agent.call({"agreement", "withdraw", "borough-2026", "--by", kBy}).err, Contains("already"));
  CHECK(at.agent.json({"explain"})["audiences"].empty());
  const Json receipts = at.agent.json({"receipts", "list"});
  REQUIRE(receipts["orders"].size() == 1);
  CHECK(receipts["orders"][0]["everything"] == true);
  CHECK(at.agent.call({"receipts", "verify"}).code == 0);
}

TEST_CASE("a newer version is shown with what would change, and the older one cannot be approved any more") {
  Verbs at;
  at.post(Verbs::today());
  at.approve();
  AgreementText newer = Verbs::today();
  newer.version = 2;
  newer.grants = "\"ROLL\"";
  at.post(newer);
  const Json shown = at.agent.json({"agreement", "show", "borough-2026"});
  CHECK(shown["version"] == 2);
  CHECK(shown["changes"].dump().find("no longer: Session marks") != std::string::npos);
  const Ended old =
      at.agent.call({"agreement", "approve", "borough-2026", "--version", "1", "--by", kBy, "--yes"});
  CHECK(old.code == 1);
  CHECK_THAT(old.err, Contains("version 2"));
  at.approve();
  CHECK(at.agent.json({"explain"})["audiences"][0]["version"] == 2);
  CHECK(at.agent.call({"agreement", "show", "borough-2026", "--version", "7"}).code == 1);
}

TEST_CASE("the page for a privacy notice is one file, with every text escaped, and writes over nothing") {
  Verbs at;
  AgreementText text = Verbs::today();
  text.id = "borough-x";
  text.urns = {"100001"};
  at.post(text);
  at.approve("borough-x");
  const std::string file = at.folder / "notice.html";
  REQUIRE(at.agent.call({"explain", "--html", file}).code == 0);
  const std::string page = test::content_of(file);
  CHECK_THAT(page, Contains("Surname") && Contains("Testing") && !Contains("<script") &&
                       !Contains("http://") && !Contains("https://") && !Contains(kTelling));
  CHECK(at.agent.call({"explain", "--html", file}).code == 2);
  CHECK(test::content_of(file) == page);
}

TEST_CASE("text of an agreement cannot break out of the page") {
  CHECK(html("<script>alert('1') & \"2\"</script>") ==
        "&lt;script&gt;alert(&#39;1&#39;) &amp; &quot;2&quot;&lt;/script&gt;");
}

TEST_CASE(
    "a pupil is protected, restricted and erased by number, UPN or what is typed; nothing tells of it") {
  Verbs at;
  at.post(Verbs::today());
  at.approve();
  std::vector<Ended> said;
  const auto call = [&](const std::vector<std::string>& words, int code) {
    said.push_back(at.agent.call(words));
    INFO(said.back().out << said.back().err);
    CHECK(said.back().code == code);
    return said.back();
  };
  call({"protect", kUpn, "--level", "R2", "--by", kBy}, 0);
  CHECK_THAT(call({"protect", kUpn, "--level", "R2", "--by", kBy}, 1).err, Contains("already"));
  CHECK_THAT(call({"protect", kUpn, "--level", "R1", "--by", kBy}, 1).err, Contains("--lower"));
  call({"protect", kUpn, "--level", "R1", "--lower", "--by", kBy}, 0);
  CHECK_THAT(call({"protect", kUpn, "--level", "R9", "--by", kBy}, 2).err, Contains("R0, R1, R2 and R3"));
  CHECK_THAT(call({"protect", "E801234567890", "--level", "R2", "--by", kBy}, 1).err, Contains("no pupil"));
  call({"restrict", kUpn, "--by", kBy}, 0);
  call({"restrict", kUpn, "--lift", "--by", kBy}, 0);
  CHECK(call({"restrict", kTelling, "2014-03-09", "--by", kBy}, 2).code == 2);

  said.push_back(
      at.typed(std::string(kTelling) + " 2014-03-09", "restrict - --by '" + std::string(kBy) + "'"));
  INFO(said.back().err);
  CHECK(said.back().code == 0);
  const Ended several = at.typed("Jones 2014-03-11", "restrict - --by '" + std::string(kBy) + "'");
  CHECK(several.code == 1);
  CHECK_THAT(several.err, Contains("several pupils"));

  CHECK_THAT(
      call({"erase", kUpn, "--reason", std::string("request of ") + kTelling, "--by", kBy, "--yes"}, 2).err,
      Contains("names the pupil"));
  CHECK(call({"erase", kUpn, "--reason", "request", "--by", kBy}, 2).code == 2);  // nobody to be asked
  call({"erase", kUpn, "--reason", "request", "--by", kBy, "--yes"}, 0);
  CHECK_THAT(call({"erase", kUpn, "--reason", "request", "--by", kBy, "--yes"}, 1).err,
             Contains("was erased on"));
  said.push_back(at.agent.call({"audit", "show"}));
  CHECK_THAT(said.back().out, Contains("pupil-erased") && Contains(kBy));
  said.push_back(at.agent.call({"status", "--json"}));
  const Ended again = call({"extract"}, 0);
  CHECK_THAT(again.out + at.agent.json({"extract"}).dump(), Contains("erased"));
  for (const Ended& one : said)
    for (const std::string& word : {std::string(kTelling), std::string(kUpn), std::string("2014-03-09")})
      CHECK_THAT(one.out + one.err, !Contains(word));
  CHECK_THAT(at.agent.call({"audit", "show"}).out, !Contains("R1") && !Contains("R2"));
}

TEST_CASE("a subject report holds all that is held of one pupil, and nothing of the others") {
  Verbs at;
  at.post(Verbs::today());
  at.approve();
  CHECK(at.agent.call({"subject-report", kUpn}).code == 2);
  const Json report = at.agent.json({"subject-report", kUpn});
  const std::string text = report.dump();
  CHECK_THAT(text, Contains(kTelling) && Contains(kUpn) && Contains("2014-03-09") && Contains("2026-11-16"));
  CHECK_THAT(text, !Contains("Smith") && !Contains("Jones"));
  REQUIRE(report["shared"].size() == 1);
  CHECK(report["shared"][0]["audience"] == "borough");
  bool marks = false;
  for (const Json& dataset : report["shared"][0]["datasets"])
    marks = marks || (dataset["dataset"] == "session_mark" && dataset["rows"] == 1);
  CHECK(marks);
  const std::string file = at.folder / "report.html";
  REQUIRE(at.agent.call({"subject-report", kUpn, "--html", file}).code == 0);
  const std::string page = test::content_of(file);
  CHECK_THAT(page, Contains(kTelling) && !Contains("Smith"));
  CHECK((std::filesystem::status(file).permissions() &
         (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
        std::filesystem::perms::none);
}

TEST_CASE("the audit log verifies against a head noted before, and not against another") {
  Verbs at;
  at.post(Verbs::today());
  const std::string head = at.agent.json({"audit", "verify"})["head"];
  at.approve();
  CHECK(at.agent.call({"audit", "verify", "--head", head}).code == 0);
  std::string other = head;
  other.back() = other.back() == '0' ? '1' : '0';
  CHECK(at.agent.call({"audit", "verify", "--head", other}).code == 1);
  CHECK(at.agent.call({"audit", "verify", "--head", "nonsense"}).code == 2);
}

TEST_CASE("the list of named pupils is kept by number and says what it is for") {
  Verbs at;
  at.post(Verbs::today());
  CHECK(at.agent.call({"agreement", "pupils", "borough-2026"}).code == 2);
  const Ended added = at.agent.call({"agreement", "pupils", "borough-2026", "--add", kUpn, "--by", kBy});
  INFO(added.err);
  CHECK(added.code == 0);
  CHECK_THAT(added.out, Contains("not about named pupils") && !Contains(kUpn));
  CHECK(at.agent.json({"agreement", "pupils", "borough-2026", "--list"})["pupils"].size() == 1);
  CHECK(at.agent.call({"agreement", "pupils", "borough-2026", "--add", kUpn}).code == 2);
}

}  // namespace
}  // namespace towpath
