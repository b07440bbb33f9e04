// An invented school, whole, on any day of any year.
//
// In: a phase, a seed, a number of pupils, a day. Out: everything that the school's
// systems would hold that evening: pupils, groups, marks since 1 September, activities.
// A pure function: the same question has the same answer on every machine, and two
// days that follow each other differ by what happened on the second one only.
//
// How: everything is drawn from (seed, who, which year), never from what was drawn before,
// so a day is computed directly, without the days before it. A cohort is a list of seats; a
// seat's occupant leaves now and then, and somebody joins in the place. Volumes follow the
// domain sheet: a primary of 420 makes about 1,000 rows a day, a secondary of 1,500 about
// 4,000. The MIS is set to the next year on 1 August; marks, activities and results begin
// again on 1 September.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/demo/calendar.hpp"
#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath::demo {

enum class Phase : std::uint8_t { kPrimary, kSecondary };

// UPN serials have three digits: more seats than these would run out of them.
inline constexpr int kPupilsMax = 10'000;
// Below one pupil a year group there is no school.
inline constexpr int kPupilsMin = 14;
// The rules of English terms and marks that are modelled hold in these years.
inline constexpr int kFirstYear = 2015;
inline constexpr int kLastYear = 2045;

struct DemoOptions {
  Phase phase = Phase::kPrimary;
  std::uint64_t seed = 1;
  int pupils = 0;  // seats; 0: 420 or 1,500
};

struct Pupil {
  std::uint64_t key = 0;  // what this pupil's chance is drawn from
  std::string id;         // GUID, the MIS's own id
  std::string upn, uln, surname, forename, middle_names, preferred_surname, preferred_forename;
  Date dob;
  std::string_view sex, year, enrol_status, ethnicity, ethnicity_source, language, home_language;
  std::string_view proficiency;
  Date known_since, entry;
  std::optional<Date> leaving;  // as shown: known up to two weeks ahead
  Date last_day;                // as it will be; far away for who stays
  int cohort = 0, seat = 0;
  bool fsm_at_entry = false;  // those take part a little less: the gap that the pledge looks for

  [[nodiscard]] bool on_roll(Date day) const { return entry <= day && day <= last_day; }
};

struct Staff {
  std::string id, title, forename, surname;
  std::string_view role;  // "teacher", "teaching assistant", "office"
};

struct Group {
  std::string id;
  std::string_view kind;  // as in the dictionary
  std::string name;
  std::string_view year;  // empty for houses
  std::string_view subject;
  int academic_year = 0;  // 0 for houses
};

struct Membership {
  std::uint32_t group = 0;
  std::uint32_t member = 0;  // index of a pupil, or of staff
  bool staff = false;
  Date from;
  std::optional<Date> to;
};

struct FsmSpell {
  std::uint32_t pupil = 0;
  Date start;
  std::string_view category;
  std::optional<Date> end, reviewed;
};
struct SenSpell {
  std::uint32_t pupil = 0;
  Date start;
  std::string_view provision;
  std::optional<Date> end;
};
struct SenNeed {
  std::uint32_t pupil = 0;
  int rank = 1;
  std::string_view type;
};
struct Suspension {
  std::string id;
  std::uint32_t pupil = 0;
  std::string_view category;
  Date start;
  int sessions = 0;
  std::array<std::string_view, 2> reasons;
};
struct Assessment {
  std::uint32_t pupil = 0;
  int year = 0;  // the ending year, as in CTF
  std::string_view stage, subject, method, component, qualifier, status;
  std::string result;
  Date date;
};
struct Activity {
  std::string id;
  std::string title;
  std::string_view promise, promise2, provider, kind, shared_with;
  Date start, end;
  int minutes = 0;
  bool in_school_time = false;
  int cost_pence = 0;
};
struct Participation {
  std::uint32_t activity = 0;
  Date date;
  std::uint32_t pupil = 0;
  std::string_view status, role;
};

struct Mark {
  Date date;
  bool pm = false;
  std::uint32_t pupil = 0;
  std::string_view code;
  std::optional<int> minutes_late;
};

// The marks of one academic year up to the day: a square of days by pupils, four bytes a day.
class Register {
 public:
  struct Cell {
    std::uint8_t code = 0;  // 0: no mark
    std::uint8_t minutes = 0;
  };
  Register() = default;
  Register(std::size_t days, std::size_t pupils) : pupils_(pupils), cells_(days * pupils * 2) {}
  [[nodiscard]] Cell& at(std::size_t day, std::size_t pupil, bool pm) {
    return cells_[(day * 2 + (pm ? 1 : 0)) * pupils_ + pupil];
  }
  [[nodiscard]] const Cell& at(std::size_t day, std::size_t pupil, bool pm) const {
    return cells_[(day * 2 + (pm ? 1 : 0)) * pupils_ + pupil];
  }
  [[nodiscard]] std::size_t days() const { return pupils_ == 0 ? 0 : cells_.size() / pupils_ / 2; }
  [[nodiscard]] std::size_t pupils() const { return pupils_; }

 private:
  std::size_t pupils_ = 0;
  std::vector<Cell> cells_;
};
[[nodiscard]] std::string_view mark_code(std::uint8_t code);

// Everything on one evening. Indices are into these vectors. Pupils are in the order in
// which they became known, so that a new one is a line at the end.
struct DemoDay {
  Date day;  // the Friday before, when a weekend was asked for
  int system_year = 0;
  Calendar calendar;  // of the academic year that `day` belongs to
  std::string laestab;
  std::vector<Pupil> pupils;
  std::vector<Staff> staff;
  std::vector<Group> groups;
  std::vector<Membership> memberships;
  std::vector<FsmSpell> fsm;
  std::vector<SenSpell> sen;
  std::vector<SenNeed> sen_needs;
  std::vector<Suspension> suspensions;
  std::vector<Assessment> results;
  std::vector<Activity> activities;
  std::vector<Participation> participations;
  Register marks;

  // fn(const Mark&) for each mark, in (date, session, pupil) order.
  template <class Fn>
  void for_each_mark(Fn&& fn) const {
    for (std::size_t d = 0; d < marks.days(); ++d)
      for (const bool pm : {false, true})
        for (std::size_t p = 0; p < marks.pupils(); ++p) {
          const Register::Cell cell = marks.at(d, p, pm);
          if (cell.code == 0) continue;
          Mark mark{calendar.school[d], pm, static_cast<std::uint32_t>(p), mark_code(cell.code), {}};
          if (cell.minutes > 0) mark.minutes_late = cell.minutes;
          fn(mark);
        }
  }
};

class DemoSchool {
 public:
  // kUsage when a number is out of range.
  [[nodiscard]] static Result<DemoSchool> make(const DemoOptions& options);
  // kUsage when the day is outside the modelled years.
  [[nodiscard]] Result<DemoDay> on(Date day) const;

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] int pupils() const { return pupils_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

 private:
  DemoSchool(Phase phase, std::uint64_t seed, int pupils) : phase_(phase), seed_(seed), pupils_(pupils) {}
  Phase phase_;
  std::uint64_t seed_;  // already mixed with the phase
  int pupils_;
};

// The MIS's own ids: in the form of random GUIDs, but always the same.
[[nodiscard]] std::string guid(std::uint64_t key, std::uint64_t salt);
// The letter that a UPN with these twelve characters (positions 2 to 13) begins with.
[[nodiscard]] char upn_check_letter(std::string_view rest);

}  // namespace towpath::demo
