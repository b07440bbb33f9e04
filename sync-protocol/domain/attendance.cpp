#include "domain/attendance.hpp"

namespace towpath {
namespace {

constexpr std::string_view kLetters = "PEAUX-";  // in the order of AttendanceCategory

std::optional<double> percent(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

char letter(AttendanceCategory category) { return kLetters[static_cast<std::size_t>(category)]; }

std::optional<AttendanceCategory> AttendanceCodes::category(std::string_view code, Date day) const {
  if (code.find_first_not_of(" \t\r\n") == std::string_view::npos) return AttendanceCategory::kMissing;
  const CodeEntry* entry = set_ == nullptr ? nullptr : set_->find(code, day);
  if (entry == nullptr || entry->category.size() != 1) return std::nullopt;
  const auto at = kLetters.find(entry->category[0]);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<AttendanceCategory>(at);
}

bool fits_session(std::string_view code, Session session) {
  return code != (session == Session::kMorning ? "\\" : "/");
}

void AttendanceTally::add(AttendanceCategory category) {
  switch (category) {
    case AttendanceCategory::kPresent:
      ++present;
      return;
    case AttendanceCategory::kEducational:
      ++educational;
      return;
    case AttendanceCategory::kAuthorised:
      ++authorised;
      return;
    case AttendanceCategory::kUnauthorised:
      ++unauthorised;
      return;
    case AttendanceCategory::kNotPossible:
      ++not_possible;
      return;
    case AttendanceCategory::kMissing:
      ++missing;
      return;
  }
}

std::optional<double> AttendanceTally::attendance_percent() const { return percent(attended(), possible()); }
std::optional<double> AttendanceTally::absence_percent() const { return percent(absent(), possible()); }

}  // namespace towpath
