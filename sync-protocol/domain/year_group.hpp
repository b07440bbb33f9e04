// Year groups (NCyearActual): what sources write, the order to sort by, the one for an age.
//
// Canonical codes are E1 E2 N1 N2 R 1..14, X (National Curriculum not followed) and M (mixed;
// a class, never a pupil). The spellings are the dictionary's code set `year_group`; the order
// is fixed here and a test holds the two together. Never sort year groups as text.
// Pure, any thread.
#pragma once

#include <optional>
#include <string_view>

#include "dictionary/dictionary.hpp"

namespace towpath {

// "Year 7", "07", "Yr7", "Reception", "0" -> "7", "7", "7", "R", "R". None if it is not known.
[[nodiscard]] std::optional<std::string_view> normal_year_group(const Dictionary& dictionary,
                                                                std::string_view written);

// The place on the scale of ages: E1 0, E2 1, N1 2, N2 3, R 4, Year 1 5 .. Year 14 18, which
// is also the age on the 31 August before the year begins. None for X, M and what is unknown.
[[nodiscard]] std::optional<int> year_group_index(std::string_view code);

// For sorting: as above, then X, then M, then whatever else.
[[nodiscard]] int year_group_order(std::string_view code);

// The index of the year group for somebody born on that day, in the school year of `day`;
// none before birth and above Year 14.
[[nodiscard]] std::optional<int> expected_year_index(Date born, Date day);
[[nodiscard]] std::optional<std::string_view> expected_year_group(Date born, Date day);

}  // namespace towpath
