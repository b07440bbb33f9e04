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
