// What OneRoster's files and columns are called, in the standard and in the wild.
//
// Columns are found by name, never by place. A name that real producers write for
// another (grade for grades, birthdate for birthDate) is taken for it, with a notice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace towpath::oneroster {

// The files that become rows; the others are counted and left.
enum class Kind : std::uint8_t {
  kOrgs,
  kAcademicSessions,
  kCourses,
  kClasses,
  kUsers,
  kRoles,
  kDemographics,
  kEnrollments
};
inline constexpr std::size_t kKinds = 8;

struct Column {
  std::string_view name;
  bool needed;               // without it the file cannot be read
  std::string_view aliases;  // comma-separated
};

// The columns that are read, in the order of the enumerations below.
struct Layout {
  Kind kind;
  std::string_view file;      // "users.csv"
  std::string_view property;  // "file.users" in manifest.csv
  std::span<const Column> columns;
  std::string_view known;  // comma-separated: in the standard, not read by us
};
[[nodiscard]] const Layout& layout(Kind kind);

namespace orgs {
enum : std::size_t { kId, kStatus, kName, kType, kIdentifier };
}
namespace sessions {
enum : std::size_t { kId, kStatus, kTitle, kType, kStart, kEnd, kSchoolYear };
}
namespace courses {
enum : std::size_t { kId, kStatus, kTitle, kSubjects, kSchoolYearId };
}
namespace classes {
enum : std::size_t { kId, kStatus, kTitle, kGrades, kCourse, kCode, kType, kSchool, kTerms, kSubjects };
}
namespace users {
enum : std::size_t {
  kId,
  kStatus,
  kOrgs,
  kRole,
  kUserIds,
  kGiven,
  kFamily,
  kMiddle,
  kIdentifier,
  kGrades,
  kPreferredGiven,
  kPreferredFamily,
  kMaster
};
}
namespace roles {
enum : std::size_t { kId, kStatus, kUser, kRoleType, kRole, kBegin, kEnd, kOrg };
}
namespace demographics {
enum : std::size_t { kId, kStatus, kBirthDate, kSex };
}
namespace enrollments {
enum : std::size_t { kId, kStatus, kClass, kSchool, kUser, kRole, kPrimary, kBegin, kEnd };
}

// Files of the standard that hold nothing for us, and why: the reason their records are ignored.
struct Unread {
  std::string_view file;
  std::string_view property;
  std::string_view reason;
};
[[nodiscard]] std::span<const Unread> unread_files();

// Where each column of a layout is in a header.
struct Binding {
  std::vector<std::optional<std::size_t>> at;  // by the enumerations
  std::vector<std::size_t> upn, uln;           // metadata.upn and the like
  std::vector<std::size_t> race;               // never read; only whether they say anything
  std::vector<std::string> notices;
  std::vector<std::string_view> needed;  // for the sink: as the header spells them, or would
};
// kBadInput where a needed column is missing or there twice.
[[nodiscard]] Result<Binding> bind(const Layout& layout, std::span<const std::string> header);

}  // namespace towpath::oneroster
