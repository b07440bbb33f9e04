#include "domain/year_group.hpp"

#include <array>

#include "domain/academic_year.hpp"

namespace towpath {
namespace {

// By age on the 31 August before the year begins.
constexpr std::array<std::string_view, 19> kByAge{"E1", "E2", "N1", "N2", "R",  "1",  "2",  "3",  "4", "5",
                                                  "6",  "7",  "8",  "9",  "10", "11", "12", "13", "14"};

}  // namespace

std::optional<std::string_view> normal_year_group(const Dictionary& dictionary, std::string_view written) {
  const CodeSet* set = dictionary.codeset("year_group");
  const CodeEntry* entry = set == nullptr ? nullptr : set->find(written, std::nullopt);
  if (entry == nullptr) return std::nullopt;
  return entry->code;
}

std::optional<int> year_group_index(std::string_view code) {
  for (std::size_t i = 0; i < kByAge.size(); ++i)
    if (kByAge[i] == code) return static_cast<int>(i);
  return std::nullopt;
}

int year_group_order(std::string_view code) {
  constexpr int kNone = static_cast<int>(kByAge.size());
  if (const auto index = year_group_index(code)) return *index;
  return code == "X" ? kNone : code == "M" ? kNone + 1 : kNone + 2;
}

std::optional<int> expected_year_index(Date born, Date day) {
  // Cohorts run as school years do: who is born from 1 September on belongs to the next.
  const int age = AcademicYear::of(day).starting() - AcademicYear::of(born).starting() - 1;
  if (age < 0 || age >= static_cast<int>(kByAge.size())) return std::nullopt;
  return age;
}

std::optional<std::string_view> expected_year_group(Date born, Date day) {
  const auto index = expected_year_index(born, day);
  if (!index) return std::nullopt;
  return kByAge[static_cast<std::size_t>(*index)];
}

}  // namespace towpath
