// What the files beside users.csv say of each user, held for the length of a run.
//
// About 200 bytes a user: a district's 50,000 users take 10 MB. Ids are kept once, in
// blocks; nothing here holds a name. Users keep the order in which they were first seen.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/date.hpp"
#include "core/hash.hpp"

namespace towpath::oneroster {

// What a role makes of its holder.
enum class Part : std::uint8_t { kNone, kContact, kStaff, kPupil, kUnknown };
struct Role {
  std::string_view word;  // as OneRoster writes it
  Part part;
  std::string_view title;  // for staff, as people in school say it
};
// Case does not matter; null for a word that OneRoster does not have.
[[nodiscard]] const Role* find_role(std::string_view word);

struct Person {
  std::string_view id;
  // From users.csv.
  Part part = Part::kNone;  // kNone: not seen there
  bool ours = false;        // read as a pupil or member of staff of our school
  std::uint64_t line = 0;
  // From roles.csv: the best role at our school.
  const Role* role = nullptr;
  bool role_primary = false;
  bool role_elsewhere = false;
  bool role_fault = false;  // a record of this user could not be read
  Fingerprint roles_print = 0;
  std::optional<Date> role_from, role_to;
  std::uint32_t role_records = 0;
  // From demographics.csv.
  bool demographics = false;
  bool demographics_fault = false;
  bool born_fault = false;
  char sex = 0;  // 'M', 'F', 'U', 0 none, '?' something else (see sex_other)
  std::uint64_t demographics_line = 0;
  Fingerprint demographics_print = 0;
  std::optional<Date> born;
  // From enrollments.csv, as a student.
  std::optional<Date> first, last;
  bool stays = false;  // some enrolment lasts as long as its class, or has no end
};

class People {
 public:
  People();
  [[nodiscard]] Person* find(std::string_view id);
  Person& get(std::string_view id);  // added if new; pointers to others do not survive it
  [[nodiscard]] std::vector<Person>& all() { return people_; }

 private:
  std::pmr::monotonic_buffer_resource ids_;
  std::unordered_map<std::string_view, std::uint32_t> index_;
  std::vector<Person> people_;
};

}  // namespace towpath::oneroster
