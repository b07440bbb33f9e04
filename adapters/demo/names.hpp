// Plausible names for invented people, in the mix of an inner London borough.
// The lists were written for this file; any likeness to a person is chance.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace towpath::demo {

// Which lists a name is drawn from; follows the pupil's ethnicity, loosely.
enum class Heritage : std::uint8_t {
  kBritish,
  kEuropean,
  kBengali,
  kSouthAsian,
  kSomali,
  kAfrican,
  kCaribbean,
  kArabic,
  kEastAsian
};
struct NameLists {
  std::span<const std::string_view> girls, boys, surnames;
};
[[nodiscard]] const NameLists& names_of(Heritage heritage);

}  // namespace towpath::demo
