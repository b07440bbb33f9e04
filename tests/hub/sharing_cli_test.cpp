// Agreements and federations through the hub's real program.
#include <nlohmann/json.hpp>

#include "tests/hub/federation_fixture.hpp"
#include "tests/hub/hub_program.hpp"

using namespace towpath;
using namespace towpath::test;
using nlohmann::json;

namespace {

// A hub with three schools.
struct Hub {
  Hub() {
    REQUIRE(run(folder, "init").code == 0);
    for (const std::string& urn : {kFirst, kSecond, kThird})
      REQUIRE(run(folder, "school add " + urn + " --name 'School " + urn + "'").code == 0);
  }
  [[nodiscard]] std::string file(const std::string& text) const {
    const std::string path = folder.path() + "/agreement.toml";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  [[nodiscard]] Ended operator()(const std::string& words) const { return run(folder, words); }
  [[nodiscard]] Ended add(const std::string& text) const {
    return run(folder, "agreement add " + file(text));
  }

  TempFolder folder;
};

}  // namespace

TEST_CASE("a federation is made once, of schools that are registered") {
  const Hub hub;
  const Ended made = hub("--json federation add kentish --name 'Kentish' --member 100001 --member 100002");
  CHECK(made.code == 0);
  CHECK(json::parse(made.out)["members"].size() == 2);
  const Ended again = hub("federation add kentish --name 'Kentish' --member 100001");
  CHECK(again.code == 1);
  CHECK_THAT(again.err, Catch::Contains("federation join kentish"));
  const Ended unknown = hub("federation add other --name 'Other' --member 100009");
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.err, Catch::Contains("school 100009 is not registered"));
  for (const char* id : {"Kentish", "'a b'", "-a", "''", "a/b", "ä"})
    CHECK(hub(std::string("federation add ") + id + " --name x").code == 2);
  CHECK(hub("federation add other --name ''").code == 2);
}

TEST_CASE("an agreement is offered, also beside a running hub, or every fault of it is said with its line") {
  const Hub hub;
  const std::string text = agreement_text("kentish-2026", 1, kKentish);
  const Ended early = hub("--json agreement add " + hub.file(text));
  CHECK(early.code == 1);
  CHECK_THAT(early.err, Catch::Contains("agreement.toml:4: there is no federation kentish"));
  CHECK(json::parse(early.out)["faults"][0]["line"] == 4);
  REQUIRE(hub("federation add kentish --name x --member 100001 100002 100003").code == 0);
  const Ended faulty = hub.add(text + "colour = \"red\"\n[retention]\nnonsense = 1\n");
  CHECK(faulty.code == 1);
  CHECK_THAT(faulty.err, Catch::Contains("colour") && Catch::Contains("nonsense") &&
                             Catch::Contains("not offered to anybody: 2 things have to be mended first"));
  const Serving serving(hub.folder);
  const Ended good = hub("--json agreement add " + hub.file(text));
  CHECK(good.code == 0);
  CHECK(json::parse(good.out)["hash"] == agreement_hash(text).hex());
  CHECK(json::parse(good.out)["schools"].size() == 3);
  // Once more, an older version, another one for the same days: each says which it was.
  const Ended again = hub.add(text);
  CHECK(again.code == 1);
  CHECK_THAT(again.err, Catch::Contains("offered already"));
  REQUIRE(hub.add(agreement_text("kentish-2026", 2, kKentish)).code == 0);
  const Ended older = hub.add(agreement_text("kentish-2026", 1, kKentish, "2026-09-02"));
  CHECK(older.code == 1);
  CHECK_THAT(older.err, Catch::Contains("has to be version 3, not 1"));
  const Ended beside = hub.add(agreement_text("kentish-two", 1, kKentish));
  CHECK(beside.code == 1);
  CHECK_THAT(beside.err, Catch::Contains("one agreement at a time"));
  CHECK_THAT(hub("agreement add " + hub.folder.path() + "/nothing").err, Catch::Contains("cannot read"));
}

TEST_CASE("joining and leaving say what follows, and what cannot be") {
  const Hub hub;
  REQUIRE(hub("federation add kentish --name Kentish --member 100001 100002").code == 0);
  CHECK(hub("federation join kentish 100003").code == 0);
  const Ended twice = hub("federation join kentish 100003");
  CHECK(twice.code == 1);
  CHECK_THAT(twice.err, Catch::Contains("100003 is in federation kentish already"));
  CHECK_THAT(hub("federation join kentish 100009").err, Catch::Contains("100009 is not registered"));
  CHECK_THAT(hub("federation join other 100001").err, Catch::Contains("federation list"));
  const Ended left = hub("--json federation leave kentish 100003");
  CHECK(left.code == 0);
  CHECK(json::parse(left.out)["orders"] == 3);
  const Ended again = hub("federation leave kentish 100003");
  CHECK(again.code == 1);
  CHECK_THAT(again.err, Catch::Contains("is not in federation kentish"));
  CHECK(hub("federation leave other 100003").code == 1);
  const auto listed = json::parse(hub("--json federation list").out)["federations"][0];
  CHECK(listed["members"].size() == 3);
  CHECK(listed["members"][0]["until"].is_null());
  CHECK_FALSE(listed["members"][2]["until"].is_null());
  // Nobody has been heard since: each order waits for its schools, one for the hub, too.
  const Ended status = hub("--json federation status kentish");
  CHECK(status.code == 4);
  const auto open = json::parse(status.out)["federations"][0]["orders_open"];
  CHECK(open.size() == 3);
  CHECK(hub("federation status other").code == 1);
  const auto receipts = json::parse(hub("--json receipt list").out);
  CHECK(receipts["orders"].size() == 3);
  CHECK(hub("receipt verify").code == 0);
}

TEST_CASE(
    "a running hub carries out an order that another process has written, and its receipt is verified") {
  const Hub hub;
  REQUIRE(hub("federation add kentish --name Kentish --member 100001").code == 0);
  const Serving serving(hub.folder);
  REQUIRE(hub("federation leave kentish 100001").code == 0);
  json order;
  for (int i = 0; i < 100 && (order.is_null() || !order["open"].empty()); ++i) {
    ::usleep(100'000);
    order = json::parse(hub("--json receipt list").out)["orders"][0];
  }
  CHECK(order["open"].empty());
  REQUIRE(order["receipts"].size() == 1);
  CHECK(order["receipts"][0]["outcome"] == "nothing-held");
  CHECK(order["receipts"][0]["by"] == "hub");
  REQUIRE(hub("key rotate").code == 0);  // what a former key of the hub signed stays good
  const Ended good = hub("--json receipt verify");
  CHECK(good.code == 0);
  CHECK(json::parse(good.out)["receipts"] == 1);
  Database::Options file;
  file.path = hub.folder.path() + "/hub/registry.db";
  auto db = Database::open(file);
  REQUIRE(db->exec(
      "UPDATE deed SET bytes=CAST(substr(bytes,1,length(bytes)-8)||zeroblob(8) AS BLOB) WHERE kind=5"));
  const Ended spoilt = hub("--json receipt verify");
  CHECK(spoilt.code == 1);
  CHECK(json::parse(spoilt.out)["bad"] == std::vector<std::string>{order["receipts"][0]["receipt"]});
}

TEST_CASE("who has approved is shown for each version, and what needs a person stands in the hub's status") {
  const Hub hub;
  REQUIRE(hub("federation add kentish --name Kentish --member 100001 100002 100003").code == 0);
  const Date today = utc_date(platform::SystemClock().now());
  const auto text = [&](int version, int last_day) {
    return agreement_text("kentish-now", static_cast<std::uint32_t>(version), kKentish, today.iso(),
                          today.plus(last_day).iso());
  };
  REQUIRE(hub.add(text(1, 200)).code == 0);
  std::optional<PartySecret> key;
  const auto approve = [&](int version, int last_day) {
    Folder school(hub.folder);
    if (!key) {
      school.enrol(kFirst);
      key.emplace(PartySecret::from_file_text(school.sealer.of(kFirst).secret.file_text()).value());
    }
    Deed d;
    d.kind = DeedKind::kDecision;
    d.issuer = "school:" + kFirst;
    d.number = static_cast<std::uint64_t>(version);
    d.made = school.clock.time;
    d.body = DecisionPaper{"kentish-now", static_cast<std::uint32_t>(version),
                           agreement_hash(text(version, last_day)), DecisionPaper::What::kApproved,
                           "Headteacher, A Person"}
                 .encode();
    d = sign_deed(std::move(d), *key);
    const DeedFrame frame{d.bytes};
    const auto taken = Orders(*school.registry)
                           .take(kFirst, {&frame}, school.keys->keys()->front().secret, school.clock.time);
    REQUIRE(taken);
    REQUIRE(taken->problems.empty());
  };
  approve(1, 200);
  const auto shown = json::parse(hub("--json agreement show kentish-now").out)["agreement"];
  CHECK(shown["text"] == text(1, 200));
  CHECK(shown["schools"][0]["approved_version"] == 1);
  CHECK(shown["schools"][0]["by"] == "Headteacher, A Person");
  CHECK(shown["schools"][1]["approved_version"].is_null());
  CHECK_THAT(hub("agreement list").out, Catch::Contains("approved by 1 of 3 schools"));
  auto sharing = json::parse(hub("--json status").out)["sharing"];
  CHECK(sharing["not_approved"][0]["schools"] == std::vector<std::string>{kSecond, kThird});
  CHECK(sharing["ending"].empty());
  CHECK(sharing["orders_late"].empty());
  // A newer version has to be approved by all of them; and it ends soon.
  REQUIRE(hub.add(text(2, 20)).code == 0);
  sharing = json::parse(hub("--json status").out)["sharing"];
  REQUIRE(sharing["not_approved"].size() == 1);
  CHECK(sharing["not_approved"][0]["schools"].size() == 3);
  CHECK(sharing["ending"][0]["agreement"] == "kentish-now");
  CHECK(json::parse(hub("--json agreement list").out)["agreements"].size() == 2);
  CHECK(json::parse(hub("--json agreement show kentish-now --version 1").out)["agreement"]["version"] == 1);
  CHECK(hub("agreement show kentish-now --version 9").code == 1);
  // Who goes on to the newer one is not said to have left out the older, which may count until then.
  approve(2, 20);
  CHECK_THAT(hub("agreement show kentish-now --version 1").out,
             Catch::Contains("approved, and then version 2 on"));
  CHECK(json::parse(hub("--json agreement show kentish-now --version 1")
                        .out)["agreement"]["schools"][0]["approved_this_version"] == true);
  CHECK(hub("agreement show nothing").code == 1);
  // An order of long ago.
  REQUIRE(hub("federation leave kentish 100003").code == 0);
  Database::Options file;
  file.path = hub.folder.path() + "/hub/registry.db";
  REQUIRE(Database::open(file)->exec("UPDATE orders SET taken=taken-11*86400000"));
  sharing = json::parse(hub("--json status").out)["sharing"];
  REQUIRE(sharing["orders_late"].size() == 1);
  CHECK(sharing["orders_late"][0]["waiting_for"] ==
        std::vector<std::string>{"100001", "100002", "100003", "hub"});
  // Who has left does not have to approve.
  CHECK(sharing["not_approved"][0]["schools"] == std::vector<std::string>{kSecond});
  CHECK_THAT(hub("federation status").out,
             Catch::Contains("3 orders") || Catch::Contains("not been carried"));
}

TEST_CASE(
    "receipts name the day by which the hub's backups are without what was removed, as the operator says") {
  const Hub hub;
  CHECK(json::parse(hub("--json init").out)["backup_days"] == kBackupDaysDefault);
  CHECK(hub("init --backup-days -1").code == 2);
  CHECK(hub("init --backup-days 3651").code == 2);
  CHECK(json::parse(hub("--json init --backup-days 90").out)["backup_days"] == 90);
  CHECK(json::parse(hub("--json init").out)["backup_days"] == 90);
  {
    Folder folder(hub.folder);
    Federations federations(*folder.registry);
    const PartySecret& key = folder.keys->keys()->front().secret;
    REQUIRE(federations.add("kentish", "Kentish", {kFirst}, folder.clock.time));
    REQUIRE(federations.leave("kentish", kFirst, key, folder.clock.time));
    Orders orders(*folder.registry);
    const auto waiting = orders.open_at_hub(kFirst).value();
    REQUIRE(waiting.size() == 1);
    ReceiptPaper nothing;
    nothing.outcome = ReceiptPaper::Outcome::kNothingHeld;
    REQUIRE(orders.done_at_hub(waiting.front(), nothing, key, folder.clock.time));
    const auto receipts = orders.receipts().value();
    REQUIRE(receipts.size() == 1);
    CHECK(receipts.front().paper.backups_gone == utc_date(folder.clock.time).plus(90));
  }
}

TEST_CASE("the audit log is shown and verified against a head noted earlier") {
  const Hub hub;
  REQUIRE(hub("federation add kentish --name Kentish --member 100001").code == 0);
  const Ended shown = hub("--json audit show");
  CHECK(shown.code == 0);
  CHECK(json::parse(shown.out)["entries"].back()["kind"] == "federation-added");
  const Ended verified = hub("--json audit verify");
  CHECK(verified.code == 0);
  const std::string head = json::parse(verified.out)["head"];
  REQUIRE(hub("federation join kentish 100002").code == 0);
  CHECK(hub("audit verify --head " + head).code == 0);
  for (const char* bad : {"1", "x:y", "1:00", "0:00"})
    CHECK(hub(std::string("audit verify --head ") + bad).code == 2);
  CHECK(hub("audit verify --head 1:" + std::string(64, '0')).code == 1);
  Database::Options file;
  file.path = hub.folder.path() + "/hub/registry.db";
  auto db = Database::open(file);
  REQUIRE(db);
  std::vector<std::string> triggers;
  REQUIRE(db->each("SELECT name FROM sqlite_schema WHERE type='trigger'",
                   [&](Statement::Use& use) { triggers.emplace_back(use.text(0)); }));
  for (const std::string& name : triggers) REQUIRE(db->exec("DROP TRIGGER " + name));
  REQUIRE(db->exec("UPDATE audit SET what='Federation kentish was never made'"));
  CHECK(hub("audit verify").code == 1);
}
