#include "agreement/agreement.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "agreement/papers.hpp"

using namespace towpath;

namespace {

std::string example(const std::string& name) {
  const char* source = std::getenv("TOWPATH_SOURCE");
  std::ifstream in(std::string(source ? source : ".") + "/config/" + name, std::ios::binary);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

// A whole agreement, a line each; line 1 is the id's.
const std::string kWhole = R"(id = "kentish-2026"
version = 3
title = "T"
audience = "federation:kentish"
text = "R"
start = 2026-09-01
end = 2027-08-31
review = 2027-05-31
controllers = "joint"
purpose = "P"
lawful_basis = "L"
frequency = "daily"
method = "towpath"
disposal = "removed"
onward_sharing = "none"
subject_rights_contact = "office"
breach_contact = "dpo"
grants = ["PLEDGE", "ROLL"]
[pupils]
scope = "on-roll"
[[party]]
urn = 100001
name = "A"
role = "joint controller"
[[party]]
urn = "100002"
name = "B"
role = "joint controller"
)";

std::string with(const std::string& from, const std::string& to, std::string text = kWhole) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

AgreementRead read(const std::string& text) { return read_agreement(text, built_in_dictionary()); }

// The one fault, as "line: text".
std::string fault(const std::string& text) {
  const AgreementRead r = read(text);
  CHECK_FALSE(r.agreement);
  std::string all;
  for (const AgreementFault& f : r.faults)
    all += (all.empty() ? "" : "\n") + std::to_string(f.line) + ": " + f.text;
  INFO(all);
  CHECK(r.faults.size() == 1);
  return all;
}

using Catch::Contains;
using Catch::StartsWith;

}  // namespace

TEST_CASE("an agreement is read as it was written") {
  const AgreementRead r = read(kWhole);
  for (const AgreementFault& f : r.faults) UNSCOPED_INFO(f.line << ": " << f.text);
  REQUIRE(r.agreement);
  const Agreement& a = *r.agreement;
  CHECK(a.id == "kentish-2026");
  CHECK(a.version == 3);
  CHECK(a.audience == "federation:kentish");
  CHECK(a.is_federation());
  CHECK(a.federation() == "kentish");
  CHECK(a.controllers == ControllerModel::kJoint);
  CHECK(a.grants == std::vector<std::string>{"ROLL", "PLEDGE"});  // in the dictionary's order
  CHECK(a.scope == ScopeKind::kOnRoll);
  CHECK(a.year_groups.empty());
  CHECK(a.has_party("100001"));
  CHECK(a.has_party("100002"));
  CHECK_FALSE(a.has_party("100003"));
  CHECK(a.start == *Date::from_ymd(2026, 9, 1));
  CHECK(a.in_force(a.start));
  CHECK(a.in_force(a.end));
  CHECK_FALSE(a.in_force(a.start.plus(-1)));
  CHECK_FALSE(a.in_force(a.end.plus(1)));
}

TEST_CASE("both examples are in order, and small enough to travel") {
  for (const char* name : {"agreement.example.toml", "agreement-federation.example.toml"}) {
    const std::string text = example(name);
    const AgreementRead r = read(text);
    INFO(name);
    for (const AgreementFault& f : r.faults) UNSCOPED_INFO(f.line << ": " << f.text);
    REQUIRE(r.agreement);
    CHECK(AgreementPaper::read(AgreementPaper{text}.encode())->text == text);
  }
  const Agreement borough = *read(example("agreement.example.toml")).agreement;
  CHECK(borough.audience == kBorough);
  CHECK(borough.without == std::vector<std::string>{"pupil.UniqueLearnerNumber"});
  CHECK(borough.retention_years.at("session_mark") == 1);
  CHECK(borough.named_roles.size() == 2);
  CHECK_FALSE(borough.special_basis.empty());
  const Agreement federation = *read(example("agreement-federation.example.toml")).agreement;
  CHECK(federation.year_groups == std::vector<std::string>{"10", "11", "12", "13"});
  CHECK(federation.scope == ScopeKind::kNamed);
}

TEST_CASE("an example explains every key, and each that has to be there is missed with its purpose") {
  const std::string text = example("agreement.example.toml");
  for (const char* key : {"id", "version", "title", "audience", "text", "start", "end", "review",
                          "controllers", "purpose", "lawful_basis", "frequency", "method", "disposal",
                          "onward_sharing", "subject_rights_contact", "breach_contact"}) {
    INFO(key);
    CHECK(text.find("\n" + std::string(key) + " ") != std::string::npos);
    const std::size_t at = ("\n" + kWhole).find("\n" + std::string(key) + " = ");
    REQUIRE(at != std::string::npos);
    std::string without = kWhole;
    without.erase(at, without.find('\n', at) - at + 1);
    CHECK_THAT(fault(without), StartsWith("0: there is no " + std::string(key) + ": "));
  }
}

TEST_CASE("what is wrong is told with its line, what is there and what would be right") {
  CHECK_THAT(fault(with("\"kentish-2026\"", "\"Kentish 2026\"")), StartsWith("1: id: 'Kentish 2026'"));
  CHECK_THAT(fault(with("version = 3", "version = 0")), StartsWith("2: version: is 0, which is outside 1"));
  CHECK_THAT(fault(with("version = 3", "version = \"3\"")),
             StartsWith("2: version: expected a whole number"));
  CHECK_THAT(fault(with("title = \"T\"", "title = \" \"")), StartsWith("3: title: is empty"));
  CHECK_THAT(fault(with("federation:kentish", "federation:")), StartsWith("4: audience: 'federation:'"));
  CHECK_THAT(fault(with("2027-08-31", "2026-08-31")),
             StartsWith("7: end: is 2026-08-31, before the start on 2026-09-01"));
  CHECK_THAT(fault(with("2027-05-31", "2027-12-31")), StartsWith("8: review: is 2027-12-31"));
  CHECK_THAT(fault(with("2026-09-01", "\"2026-02-30\"")), StartsWith("6: start: expected a day"));
  CHECK_THAT(fault(with("2026-09-01", "2026-09-01T08:00:00Z")), StartsWith("6: start: expected a day"));
  CHECK_THAT(fault(with("\"joint\"", "\"shared\"")), StartsWith("9: controllers: 'shared'"));
  CHECK_THAT(fault(with("\"PLEDGE\", \"ROLL\"", "\"ROL\"")),
             StartsWith("18: grants: there is no grant 'ROL'; there are "));
  CHECK_THAT(fault(with("\"PLEDGE\"", "\"ROLL\"")), StartsWith("18: grants: 'ROLL' is there twice"));
  CHECK_THAT(fault(with("\"on-roll\"", "\"all\"")), StartsWith("20: [pupils] scope: 'all'"));
  CHECK_THAT(fault(with("scope = ", "year_groups = [\"77\"]\nscope = ")),
             StartsWith("20: [pupils] year_groups: there is no year group '77'"));
  CHECK_THAT(fault(with("urn = 100001", "urn = 10001")), StartsWith("22: [[party]] urn: '10001' is no URN"));
  CHECK_THAT(fault(with("\"100002\"", "100001")), StartsWith("26: [[party]] urn: 100001 is there twice"));
  CHECK_THAT(fault(with("name = \"A\"\n", "")), StartsWith("21: there is no [[party]] name"));
  CHECK_THAT(fault(with("[pupils]", "puppils = 1\n[pupils]")), StartsWith("19: unknown key 'puppils'"));
  CHECK_THAT(fault(with("scope = ", "scop = 1\nscope = ")), StartsWith("20: unknown key 'scop' in [pupils]"));
  CHECK_THAT(fault(with("role = ", "rolle = 1\nrole = ")),
             StartsWith("24: unknown key 'rolle' in [[party]]"));
  CHECK_THAT(fault(with("title = \"T\"", "title = \"T")), StartsWith("3: this is not TOML"));
  CHECK_THAT(fault(with("version = 3", "version = 3\nversion = 4")), StartsWith("3: this is not TOML"));
  CHECK_THAT(fault(kWhole.substr(0, kWhole.find("[[party]]"))), StartsWith("0: there is no [[party]]"));
  CHECK_THAT(fault(with("[pupils]\nscope = \"on-roll\"\n", "")),
             StartsWith("0: there is no section [pupils]"));
}

TEST_CASE("all that is wrong is told at once, in the order of the lines") {
  const AgreementRead r = read(with("version = 3", "version = 0", with("\"joint\"", "\"no\"")));
  REQUIRE(r.faults.size() == 2);
  CHECK(r.faults[0].line == 2);
  CHECK(r.faults[1].line == 9);
}

TEST_CASE("a grant above its audience's right is refused with the line") {
  for (const char* grant : {"ATT-CODE", "CHAR-BASIC", "CHAR-FULL", "ATTAIN"}) {
    const AgreementRead r = read(with("\"PLEDGE\"", "\"" + std::string(grant) + "\""));
    REQUIRE_FALSE(r.faults.empty());
    std::string all;
    for (const auto& f : r.faults) all += std::to_string(f.line) + ": " + f.text + "\n";
    CHECK_THAT(all, Contains("18: grants: '" + std::string(grant) + "' may not go to a federation at all"));
  }
}

TEST_CASE("a grant for named roles names them, special categories have a basis, a borough is there") {
  const std::string borough = example("agreement.example.toml");
  CHECK_THAT(
      fault(with("named_roles = [\"Education welfare officer\", \"Attendance data analyst\"]", "", borough)),
      Contains("named_roles: 'ATT-CODE' may be seen by named roles only"));
  std::string no_basis = borough;
  const std::size_t at = no_basis.find("special_basis");
  no_basis.erase(at, no_basis.find('\n', at) - at);
  CHECK_THAT(fault(no_basis), Contains("special_basis") && Contains("'CHAR-BASIC'"));
  CHECK(read(with("\"CHAR-BASIC\", ", "", no_basis)).agreement);
  CHECK_THAT(fault(with("audience = \"federation:kentish\"", "audience = \"borough\"")),
             Contains("party: the borough is not there"));
  CHECK_THAT(fault(with("urn = 100001\n", "")), Contains("21: party: one school alone"));
}

TEST_CASE("fields that are left out exist, are given by a grant here, and are not what names a row") {
  const auto without = [](const std::string& list) {
    return with("[pupils]", "without = [" + list + "]\n[pupils]");
  };
  REQUIRE(read(without("\"pupil.UPN\"")).agreement);
  CHECK_THAT(fault(without("\"pupil.UPNN\"")), StartsWith("19: without: 'pupil' has no field 'UPNN'"));
  CHECK_THAT(fault(without("\"pupils.UPN\"")), StartsWith("19: without: 'pupils.UPN' is no field"));
  CHECK_THAT(fault(without("\"pupil\"")), StartsWith("19: without: 'pupil' is no field"));
  CHECK_THAT(fault(without("\"session_mark.code\"")), Contains("no grant here gives it"));
  CHECK_THAT(fault(without("\"pupil.pupil\"")), Contains("leave out the grant instead"));
  CHECK_THAT(fault(without("\"pupil.UPN\", \"pupil.UPN\"")), Contains("is there twice"));
  CHECK_THAT(fault(without("7")), StartsWith("19: without: expected text in quotes"));
}

TEST_CASE("retention names datasets that are given, in years") {
  const auto retention = [](const std::string& line) {
    return with("[[party]]", "[retention]\n" + line + "\n[[party]]");
  };
  CHECK(read(retention("participation = 1")).agreement->retention_years.at("participation") == 1);
  CHECK_THAT(fault(retention("participation = 9")),
             StartsWith("22: [retention] participation: 9 years is longer than the 5"));
  CHECK_THAT(fault(retention("participations = 1")), StartsWith("22: [retention]: there is no dataset"));
  CHECK_THAT(fault(retention("suspension = 1")), Contains("no grant here gives anything of 'suspension'"));
  CHECK_THAT(fault(retention("participation = -1")), StartsWith("22: [retention] participation: expected"));
  CHECK_THAT(fault(retention("participation = \"1\"")),
             StartsWith("22: [retention] participation: expected"));
}

TEST_CASE("a text that could look like another on a screen is refused with its line") {
  CHECK_THAT(fault(with("\"T\"", "\"T\xe2\x80\xae\"")), StartsWith("3: this line holds a character"));
  CHECK_THAT(fault(with("\"T\"", "\"T\\u202E\"")), StartsWith("3: title: holds a character"));
  CHECK_THAT(fault(with("\"T\"", "\"T\\u001b[2J\"")), StartsWith("3: title: holds a character"));
  CHECK_THAT(fault(with("\"T\"", "\"T\xff\"")), StartsWith("3: this line"));
  CHECK_THAT(fault("\xef\xbb\xbf" + kWhole), StartsWith("1: this line"));
  CHECK_THAT(fault(with("\"A\"", "\"A\\u0007\"")), Contains("name: holds a character"));
  std::string windows;
  for (const char c : kWhole) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(read(windows).agreement);
}

TEST_CASE("a hostile text is refused in few words, and crashes nobody") {
  CHECK_THAT(fault(std::string(kAgreementBytesMax + 1, '#')), Contains("is the limit"));
  const auto times = [](int n, const std::string& s) {
    std::string out;
    for (int i = 0; i < n; ++i) out += s;
    return out;
  };
  for (const std::string& text :
       {times(32000, "a.") + "a=1", "[" + times(32000, "a.") + "a]", times(20000, "'a'.") + "a=1",
        "x=" + times(60000, "["), "x=" + times(30000, "[") + times(30000, "]"),
        "x=" + times(12000, "{a=") + "1", times(15000, "[[a]]\n") + kWhole.substr(0, 100),
        times(15000, "[a.a]\n"), std::string(60000, '"'),
        "x=\"\"\"" + times(6000, "\"\" ") + times(20000, "a."),
        "x='''" + times(6000, "'\n") + "\n" + times(20000, "a."),
        "x=\"\\\"" + times(6000, "a.") + "\n" + times(20000, "a."),
        "x='\\'\n" + times(20000, "a.") + "a=1"}) {
    const AgreementRead r = read(text);
    CHECK_FALSE(r.agreement);
    CHECK_FALSE(r.faults.empty());
    CHECK(r.faults.size() <= 50);
    for (const AgreementFault& f : r.faults) CHECK(f.text.size() < 1000);
  }
  // Strings may hold as many dots as they like.
  CHECK(read(with("purpose = \"P\"", "purpose = \"\"\"" + times(1000, "a.\n") + "\"\"\"")).agreement);
  CHECK(read(with("[pupils]", "# " + times(5000, "a.") + "\n[pupils]")).agreement);
  CHECK_THAT(fault(with("purpose = \"P\"", "purpose = '" + std::string(5000, 'p') + "'")),
             StartsWith("10: purpose: is longer than"));
  std::string parties = kWhole;
  for (int i = 0; i < 199; ++i)
    parties += "[[party]]\nurn = " + std::to_string(200000 + i) + "\nname = 'N'\nrole = 'r'\n";
  CHECK_THAT(fault(parties), Contains("201 parties, and 200 is the limit"));
}

TEST_CASE("a cut or a changed byte gives an agreement or faults, never a crash") {
  CHECK(rc::check([] {
    std::string text = kWhole;
    for (int i = *rc::gen::inRange(1, 6); i > 0; --i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
      switch (*rc::gen::inRange(0, 3)) {
        case 0:
          text[at] = *rc::gen::arbitrary<char>();
          break;
        case 1:
          text.resize(std::max<std::size_t>(at, 1));
          break;
        default:
          text.insert(at, *rc::gen::element<std::string>("[", "]", "{", "\"", "'", ".", "=", "\n", "\"\"\"",
                                                         "[[", "1e9", "2026-13-01", "\\u0000"));
      }
    }
    const AgreementRead r = read(text);
    RC_ASSERT(r.agreement.has_value() == r.faults.empty());
  }));
}

TEST_CASE("one character more is another text with another hash") {
  CHECK(agreement_hash(kWhole) == agreement_hash(kWhole));
  CHECK(agreement_hash(kWhole) != agreement_hash(kWhole + " "));
}
