// Two dictionaries for tests: what a hub knew last year, and what it knows now.
//
// The newer one has a further dataset (badge), and in mark a number, a text and a UUID that the
// older one does not know, and calls the code by another name.
#pragma once

#include "dictionary/dictionary.hpp"

namespace towpath::test {

constexpr Field field(std::uint8_t id, std::string_view name, Type type) {
  return {id, name, {}, type, Sensitivity::kOperational, false, 100, "ROLL", {}, {}, {}, {}, {}};
}

inline constexpr Field kPupilFields[] = {field(1, "pupil", Type::kEntity), field(2, "name", Type::kText)};
inline constexpr Field kOldMarkFields[] = {field(1, "date", Type::kDate), field(2, "session", Type::kEnum),
                                           field(3, "pupil", Type::kRef), field(4, "code", Type::kText)};
inline constexpr Field kNewMarkFields[] = {
    field(1, "date", Type::kDate),      field(2, "session", Type::kEnum), field(3, "pupil", Type::kRef),
    field(4, "mark_code", Type::kText), field(5, "minutes", Type::kInt),  field(6, "note", Type::kText),
    field(7, "lesson", Type::kUuid)};
inline constexpr Field kMemberFields[] = {field(1, "group", Type::kRef), field(2, "pupil", Type::kRef)};
inline constexpr Field kBadgeFields[] = {field(1, "pupil", Type::kRef), field(2, "badge", Type::kText),
                                         field(3, "points", Type::kInt)};

inline constexpr std::uint16_t kPupil = 2, kMark = 8, kMember = 9, kBadge = 30;
inline constexpr Dataset kOldDatasets[] = {{kPupil, "pupil", "Pupils", 1, true, kPupilFields},
                                           {kMark, "mark", "Marks", 3, false, kOldMarkFields},
                                           {kMember, "member", "Members", 2, false, kMemberFields}};
inline constexpr Dataset kNewDatasets[] = {{kPupil, "pupil", "Pupils", 1, true, kPupilFields},
                                           {kMark, "mark", "Marks", 3, false, kNewMarkFields},
                                           {kMember, "member", "Members", 2, false, kMemberFields},
                                           {kBadge, "badge", "Badges", 2, false, kBadgeFields}};
inline constexpr Dictionary kOldDictionary{1, kOldDatasets, {}, {}, {}};
inline constexpr Dictionary kNewDictionary{2, kNewDatasets, {}, {}, {}};

}  // namespace towpath::test
