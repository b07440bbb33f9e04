#include "tests/simulation/federation/paper.hpp"

#include <algorithm>
#include <array>

#include "tests/simulation/declared.hpp"

namespace towpath::sim::fed {
namespace {

const std::vector<std::vector<std::string>> kBoroughGrants{
    {"ROLL"},
    {"ROLL", "ATT-CAT"},
    {"ROLL", "ATT-CAT", "ATT-CODE"},
    {"ROLL", "ATT-CAT", "CHAR-BASIC", "PLEDGE"},
    {"ROLL", "CHAR-BASIC", "CHAR-FULL", "ATTAIN", "PLEDGE"},
    {"ROLL", "ATT-CAT", "ATT-CODE", "CHAR-BASIC", "CHAR-FULL", "ATTAIN", "PLEDGE"}};
const std::vector<std::vector<std::string>> kFederalGrants{
    {"ROLL"}, {"ROLL", "ATT-CAT"}, {"ROLL", "PLEDGE"}, {"ROLL", "ATT-CAT", "PLEDGE"}};

std::string list(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "\"" : ", \"") + w + "\"";
  return "[" + out + "]";
}
bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

bool Paper::names(const std::string& urn) const { return has(parties, urn); }

std::string Paper::text() const {
  std::string t = "id = \"" + id + "\"\nversion = " + std::to_string(version) + "\ntitle = \"Agreement " +
                  id + "\"\naudience = \"" + audience + "\"\ntext = \"https://hub.example/" + id + "\"\n";
  t += federal() ? "controllers = \"joint\"\n" : "controllers = \"controller-to-controller\"\n";
  t += "purpose = \"so that a simulated borough can be tried\"\nlawful_basis = \"Article 6(1)(e)\"\n"
       "special_basis = \"Article 9(2)(g), Schedule 1 paragraph 6\"\nonward_sharing = \"none\"\n"
       "disposal = \"removed at the end\"\nsubject_rights_contact = \"dpo@hub.example\"\n"
       "breach_contact = \"dpo@hub.example\"\nfrequency = \"daily\"\nmethod = \"towpath\"\n";
  t += "grants = " + list(grants) + "\n";
  if (!without.empty()) t += "without = " + list(without) + "\n";
  if (has(grants, "ATT-CODE") || has(grants, "CHAR-FULL"))
    t += "named_roles = [\"education welfare officer\"]\n";
  t +=
      "start = " + iso(start) + "\nend = " + iso(end) + "\nreview = " + iso(start + (end - start) / 2) + "\n";
  t += "[pupils]\nscope = \"" +
       std::string(scope == Scope::kEveryone ? "everyone"
                   : scope == Scope::kOnRoll ? "on-roll"
                                             : "named") +
       "\"\n";
  if (!year_groups.empty()) t += "year_groups = " + list(year_groups) + "\n";
  if (!retention.empty()) t += "[retention]\n";
  for (const auto& [dataset, years] : retention) t += dataset + " = " + std::to_string(years) + "\n";
  for (const std::string& urn : parties)
    t += "[[party]]\nurn = \"" + urn + "\"\nname = \"School " + urn + "\"\nrole = \"controller\"\n";
  if (!federal()) t += "[[party]]\nname = \"The borough\"\nrole = \"controller\"\n";
  return t;
}

std::string Paper::says() const {
  std::string t = id + " version " + std::to_string(version) + " for " + audience + ":";
  for (const std::string& grant : grants) t += " " + grant;
  for (const std::string& field : without) t += " -" + field;
  t += scope == Scope::kEveryone ? ", everyone" : scope == Scope::kOnRoll ? ", on roll" : ", named";
  for (const std::string& year : year_groups) t += " year " + year;
  for (const auto& [dataset, years] : retention) t += ", " + dataset + " " + std::to_string(years) + " years";
  return t + ", " + iso(start) + " to " + iso(end) + ", " + std::to_string(parties.size()) + " schools";
}

Paper widest_paper(std::string id, std::string audience, unsigned version, std::vector<std::string> parties,
                   int today) {
  Paper p;
  p.id = std::move(id);
  p.audience = std::move(audience);
  p.version = version;
  p.parties = std::move(parties);
  p.grants = (p.federal() ? kFederalGrants : kBoroughGrants).back();
  p.start = today;
  p.end = today + 365;
  return p;
}

Paper draw_paper(SimRandom& random, std::string id, std::string audience, unsigned version,
                 std::vector<std::string> parties, int today) {
  Paper p = widest_paper(std::move(id), std::move(audience), version, std::move(parties), today);
  const auto& choices = p.federal() ? kFederalGrants : kBoroughGrants;
  p.grants = choices[random.chance(30) ? choices.size() - 1 : random.below(choices.size())];
  for (const char* field : {"pupil.UPN", "pupil.Surname", "group.name"})
    if (random.chance(12)) p.without.emplace_back(field);
  if (has(p.grants, "PLEDGE") && random.chance(12)) p.without.emplace_back("activity.title");
  p.scope = random.chance(45)   ? Paper::Scope::kEveryone
            : random.chance(65) ? Paper::Scope::kOnRoll
                                : Paper::Scope::kNamed;
  if (random.chance(30)) {
    for (const char* year : {"3", "4", "5"})
      if (random.chance(60)) p.year_groups.emplace_back(year);
  }
  if (random.chance(15)) p.retention["pupil"] = 0;
  if (has(p.grants, "ATT-CAT") && random.chance(20)) p.retention["session_mark"] = 0;
  const bool later = random.chance(15);
  p.start = today + (later ? static_cast<int>(random.between(1, 3)) : 0);
  // Some end while we watch.
  p.end = p.start + static_cast<int>(random.chance(35) ? random.between(0, 8) : random.between(60, 365));
  return p;
}

}  // namespace towpath::sim::fed
