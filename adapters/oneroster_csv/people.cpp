#include "adapters/oneroster_csv/people.hpp"

#include <algorithm>
#include <cstring>

#include "adapters/text/cells.hpp"

namespace towpath::oneroster {
namespace {

constexpr Role kRoles[] = {{"student", Part::kPupil, ""},
                           {"teacher", Part::kStaff, "teacher"},
                           {"aide", Part::kStaff, "teaching assistant"},
                           {"administrator", Part::kStaff, "administrator"},
                           {"siteAdministrator", Part::kStaff, "administrator"},
                           {"districtAdministrator", Part::kStaff, "administrator"},
                           {"systemAdministrator", Part::kStaff, "administrator"},
                           {"principal", Part::kStaff, "head teacher"},
                           {"counselor", Part::kStaff, "counsellor"},
                           {"proctor", Part::kStaff, "invigilator"},
                           // School Data Sync's own words.
                           {"staff", Part::kStaff, "staff"},
                           {"faculty", Part::kStaff, "staff"},
                           {"parent", Part::kContact, ""},
                           {"guardian", Part::kContact, ""},
                           {"relative", Part::kContact, ""},
                           {"contact", Part::kContact, ""}};

}  // namespace

const Role* find_role(std::string_view word) {
  const auto* found = std::find_if(std::begin(kRoles), std::end(kRoles),
                                   [&](const Role& role) { return same_word(role.word, word); });
  return found == std::end(kRoles) ? nullptr : found;
}

People::People() = default;

Person* People::find(std::string_view id) {
  const auto found = index_.find(id);
  return found == index_.end() ? nullptr : &people_[found->second];
}

Person& People::get(std::string_view id) {
  if (Person* known = find(id)) return *known;
  auto* copy = static_cast<char*>(ids_.allocate(id.size() + 1, 1));
  std::memcpy(copy, id.data(), id.size());
  Person person;
  person.id = {copy, id.size()};
  index_.emplace(person.id, static_cast<std::uint32_t>(people_.size()));
  return people_.emplace_back(person);
}

}  // namespace towpath::oneroster
