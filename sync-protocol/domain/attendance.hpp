// Attendance: what a mark counts as, and the sums that schools are judged by.
//
// The category is always computed from (code, date) through the dictionary: an interview was
// attending (J) until 18 August 2024 and is an authorised absence (J1) since. A mark that is
// blank means that the register was not taken: neither present nor absent.
// Holds a reference into the dictionary; constant, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dictionary/dictionary.hpp"

namespace towpath {

enum class AttendanceCategory : std::uint8_t {
  kPresent,       // P
  kEducational,   // E: approved activity elsewhere, counts as attending
  kAuthorised,    // A
  kUnauthorised,  // U
  kNotPossible,   // X: leaves numerator and denominator
  kMissing,       // the register was not taken
};
[[nodiscard]] char letter(AttendanceCategory category);  // P E A U X, - for missing

enum class Session : std::uint8_t { kMorning, kAfternoon };  // as session_mark.session

class AttendanceCodes {
 public:
  explicit AttendanceCodes(const Dictionary& dictionary) : set_(dictionary.codeset("attendance")) {}
  explicit AttendanceCodes(const CodeSet& set) : set_(&set) {}

  // None where no code set in force on that day knows the code.
  [[nodiscard]] std::optional<AttendanceCategory> category(std::string_view code, Date day) const;

 private:
  const CodeSet* set_;
};

// False for / in the afternoon and \ in the morning. Such a mark is kept and warned about.
[[nodiscard]] bool fits_session(std::string_view code, Session session);

// Sessions of a pupil, or of a school, by category.
struct AttendanceTally {
  std::int64_t present = 0, educational = 0, authorised = 0, unauthorised = 0, not_possible = 0, missing = 0;

  void add(AttendanceCategory category);
  [[nodiscard]] std::int64_t possible() const { return attended() + absent(); }
  [[nodiscard]] std::int64_t attended() const { return present + educational; }
  [[nodiscard]] std::int64_t absent() const { return authorised + unauthorised; }
  // In per cent; none where no session was possible.
  [[nodiscard]] std::optional<double> attendance_percent() const;
  [[nodiscard]] std::optional<double> absence_percent() const;
  // At least a tenth of possible sessions missed; at least half.
  [[nodiscard]] bool persistently_absent() const { return possible() > 0 && absent() * 10 >= possible(); }
  [[nodiscard]] bool severely_absent() const { return possible() > 0 && absent() * 2 >= possible(); }
};

}  // namespace towpath
