// The dictionary that the programs carry.
#include "dictionary/dictionary.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

using namespace towpath;

namespace {

const Dictionary& dictionary() { return built_in_dictionary(); }

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const auto comma = list.find(',');
    words.emplace_back(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return words;
}

}  // namespace

TEST_CASE("the datasets have the wire ids and keys that are on the wire already") {
  const std::vector<std::pair<std::string, std::string>> wanted{
      {"entity", "number"},
      {"school", "urn"},
      {"pupil", "pupil"},
      {"enrolment", "pupil,EntryDate"},
      {"staff", "staff"},
      {"group", "group"},
      {"group_membership", "group,member,from"},
      {"session_mark", "date,session,pupil"},
      {"school_day", "date"},
      {"fsm", "pupil,FSMstartDate"},
      {"sen", "pupil,StartDate"},
      {"sen_need", "pupil,SENtypeRank"},
      {"ethnicity", "pupil"},
      {"language", "pupil,LanguageType"},
      {"assessment_result", "pupil,Year,Stage,Subject,Method,Component,ResultQualifier,ResultStatus"},
      {"suspension", "suspension"},
      {"activity", "activity"},
      {"participation", "activity,date,pupil"},
      {"protection", "pupil"}};
  REQUIRE(dictionary().datasets.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Dataset& dataset = dictionary().datasets[i];
    CHECK(dataset.id == i + 1);
    CHECK(dataset.name == wanted[i].first);
    std::string key;
    for (const Field& field : dataset.key()) key += (key.empty() ? "" : ",") + std::string(field.name);
    CHECK(key == wanted[i].second);
    CHECK(dictionary().find(dataset.id) == &dataset);
    CHECK(dictionary().find(dataset.name) == &dataset);
  }
  CHECK(dictionary().find("dinner") == nullptr);
  CHECK(dictionary().find(std::uint16_t{999}) == nullptr);
  CHECK(dictionary().codeset("dinner") == nullptr);
}

TEST_CASE("entities are keyed by their own number, everything else by references and facts") {
  std::set<std::string_view> entities;
  for (const Dataset& dataset : dictionary().datasets) {
    CAPTURE(dataset.name);
    if (dataset.entity) entities.insert(dataset.name);
    CHECK((dataset.key_count == 1 && dataset.fields[0].type == Type::kEntity) ==
          (dataset.entity || dataset.name == kEntityDataset));
  }
  CHECK(entities == std::set<std::string_view>{"pupil", "staff", "group", "suspension", "activity"});
}

TEST_CASE("a field is found by name and by wire id") {
  for (const Dataset& dataset : dictionary().datasets)
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      CHECK(dataset.position(dataset.fields[i].name) == i);
      CHECK(dataset.position_of_id(dataset.fields[i].id) == i);
    }
  const Dataset& pupil = *dictionary().find("pupil");
  CHECK_FALSE(pupil.position("upn").has_value());
  CHECK_FALSE(pupil.position_of_id(255).has_value());
}

TEST_CASE("each code is followed by the code as received, of the same set") {
  for (const Dataset& dataset : dictionary().datasets)
    for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
      const Field& field = dataset.fields[i];
      if (field.type != Type::kCode) continue;
      CAPTURE(dataset.name, field.name);
      REQUIRE(i + 1 < dataset.fields.size());
      const Field& raw = dataset.fields[i + 1];
      CHECK(raw.type == Type::kRawCode);
      CHECK(raw.name == std::string(field.name) + "_raw");
      CHECK(raw.codeset == field.codeset);
      CHECK_FALSE(raw.required);
      CHECK(dictionary().codeset(field.codeset) != nullptr);
    }
}

TEST_CASE("what must stay in the school has no grant") {
  const auto grant = [](std::string_view dataset, std::string_view field) {
    const Dataset* found = dictionary().find(dataset);
    REQUIRE(found != nullptr);
    const auto at = found->position(field);
    REQUIRE(at.has_value());
    return std::string(found->fields[*at].grant);
  };
  CHECK(grant("pupil", "MiddleNames").empty());
  CHECK(grant("pupil", "Sex_raw").empty());
  CHECK(grant("staff", "display_name").empty());
  CHECK(grant("ethnicity", "Ethnicity_raw").empty());
  CHECK(grant("session_mark", "code") == "ATT-CODE");
  CHECK(grant("session_mark", "date") == "ATT-CAT");
  // A raw code may hold anything that somebody typed into a cell.
  for (const Dataset& dataset : dictionary().datasets)
    for (const Field& field : dataset.fields)
      if (field.type == Type::kRawCode && !field.grant.empty())
        CHECK(std::string(dataset.name) + "." + std::string(field.name) == "session_mark.code_raw");
}

TEST_CASE("the protection of pupils is a dataset that never leaves, and the only one") {
  for (const Dataset& dataset : dictionary().datasets)
    CHECK(dataset.local() == (dataset.name == "protection"));
}

TEST_CASE(
    "what a federation may be given is roll, categories of marks and pledge; the rest is the borough's") {
  std::string borough, federation, roles;
  for (const GrantRight& right : dictionary().grant_rights) {
    if (right.borough) borough += std::string(right.name) + " ";
    if (right.federation) federation += std::string(right.name) + " ";
    if (right.named_role) roles += std::string(right.name) + " ";
    CHECK(dictionary().grant(right.name) == &right);
    CHECK_FALSE(right.title.empty());
  }
  CHECK(borough == "ROLL ATT-CAT ATT-CODE CHAR-BASIC CHAR-FULL ATTAIN PLEDGE ");
  CHECK(federation == "ROLL ATT-CAT PLEDGE ");
  CHECK(roles == "ATT-CODE CHAR-FULL ");
  CHECK(dictionary().grant("DINNER") == nullptr);
  std::vector<std::string_view> names;
  for (const GrantRight& right : dictionary().grant_rights) names.push_back(right.name);
  CHECK(names == std::vector<std::string_view>(dictionary().grants.begin(), dictionary().grants.end()));
}

TEST_CASE("a derived field may be had by those who may not have what it is derived from") {
  std::string all;
  for (const Dataset& dataset : dictionary().datasets)
    for (const Field& field : dataset.fields) {
      if (!field.derived()) continue;
      const auto from = dataset.position(field.derived_from);
      REQUIRE(from.has_value());
      all += std::string(dataset.name) + "." + std::string(field.name) + " " + std::string(field.grant) +
             " without " + std::string(dataset.fields[*from].grant) + "\n";
    }
  CHECK(all ==
        "session_mark.category ATT-CAT without ATT-CODE\n"
        "language.EAL CHAR-BASIC without CHAR-FULL\n");
}

TEST_CASE("a protected pupil's number does not tell where they were before") {
  std::string all;
  for (const Dataset& dataset : dictionary().datasets)
    for (const Field& field : dataset.fields)
      if (field.protect != 0) all += std::string(dataset.name) + "." + std::string(field.name) + "\n";
  CHECK(all == "pupil.UPN\n");
}

TEST_CASE("what is held beyond the school is held for the years that were agreed on") {
  std::string all;
  for (const Dataset& dataset : dictionary().datasets)
    if (dataset.retention_years)
      all += std::string(dataset.name) + " " + std::to_string(*dataset.retention_years) + " " +
             std::string(dataset.retention_date) + "\n";
  CHECK(all == "pupil 1 \nsession_mark 2 date\nsuspension 2 start\nparticipation 5 date\n");
}

TEST_CASE("every code and every spelling leads to its code, in any case and with blanks around it") {
  for (const CodeSet& set : dictionary().codesets)
    for (const CodeSetVersion& version : set.versions)
      for (const CodeEntry& entry : version.entries) {
        CAPTURE(version.name, entry.code);
        std::vector<std::string> spellings = split(entry.maps_from);
        spellings.emplace_back(entry.code);
        for (std::string spelling : spellings) {
          CAPTURE(spelling);
          CHECK(set.find(spelling, version.to) == &entry);
          for (char& c : spelling)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
          CHECK(set.find(" " + spelling + "\t", version.to) == &entry);
        }
      }
}

TEST_CASE("an unknown code is unknown, whatever it is") {
  const CodeSet& sex = *dictionary().codeset("sex");
  for (const char* raw : {"", " ", "Q", "Male,Boy", ",", "UNKNOWN!", "M F"}) {
    CAPTURE(raw);
    CHECK(sex.find(raw, std::nullopt) == nullptr);
  }
  CHECK(rc::check([&](const std::string& raw) {
    const CodeEntry* entry = sex.find(raw, std::nullopt);
    if (entry == nullptr) return;
    RC_ASSERT(entry->code == "F" || entry->code == "M" || entry->code == "U");
  }));
}

TEST_CASE("the version of a set is the one in force on the day, and the newest where there is no day") {
  const CodeSet& set = *dictionary().codeset("attendance");
  REQUIRE(set.versions.size() == 2);
  CHECK(set.version_on(Date::parse("2024-08-18"))->name == "attendance-2023");
  CHECK(set.version_on(Date::parse("2024-08-19"))->name == "attendance-2024");
  CHECK(set.version_on(Date::parse("1950-01-01"))->name == "attendance-2023");
  CHECK(set.version_on(Date::parse("2999-01-01"))->name == "attendance-2024");
  CHECK(set.version_on(std::nullopt)->name == "attendance-2024");
}

TEST_CASE("a day before the first version or after the last finds nothing") {
  const CodeEntry entries[] = {{"A", "a", "", ""}};
  const CodeSetVersion versions[] = {{"only", Date{10}, Date{20}, entries}};
  const CodeSet set{"s", versions};
  CHECK(set.version_on(Date{9}) == nullptr);
  CHECK(set.version_on(Date{10}) == &versions[0]);
  CHECK(set.version_on(Date{20}) == &versions[0]);
  CHECK(set.version_on(Date{21}) == nullptr);
  CHECK(set.find("A", Date{21}) == nullptr);
  CHECK(CodeSet{"none", {}}.version_on(std::nullopt) == nullptr);
}

TEST_CASE("extended ethnic codes lead to the main one") {
  const CodeSet& set = *dictionary().codeset("ethnicity");
  CHECK(set.find("BSOM", std::nullopt)->code == "BAFR");
  CHECK(set.find("BNGN", std::nullopt)->code == "BAFR");
  CHECK(set.find("WKOS", std::nullopt)->code == "WOTH");
  CHECK(set.versions[0].entries.size() == 20);
}

TEST_CASE("DS is one thing as a need and another as a reason") {
  CHECK(dictionary().codeset("sen_type")->find("DS", std::nullopt)->label == "Down syndrome");
  CHECK(dictionary().codeset("suspension_reason")->find("DS", std::nullopt)->label ==
        "abuse relating to disability");
}

TEST_CASE("recorded sex is read from Sex and Gender alike, and identity is not") {
  const CodeSet& set = *dictionary().codeset("sex");
  CHECK(set.find("male", std::nullopt)->code == "M");
  CHECK(set.find("Female", std::nullopt)->code == "F");
  CHECK(set.find("unspecified", std::nullopt)->code == "U");
}

TEST_CASE("there are twelve promises, and they are a code set too") {
  REQUIRE(dictionary().promises.size() == 12);
  CHECK(dictionary().promises.front().code == "P01");
  CHECK(dictionary().promises.back().code == "P12");
  CHECK(dictionary().codeset("promise")->find("3", std::nullopt)->code == "P03");
}

TEST_CASE("the grants are the ones that fields name") {
  std::set<std::string_view> named, known(dictionary().grants.begin(), dictionary().grants.end());
  for (const Dataset& dataset : dictionary().datasets)
    for (const Field& field : dataset.fields)
      if (!field.grant.empty()) named.insert(field.grant);
  CHECK(named == known);
}
