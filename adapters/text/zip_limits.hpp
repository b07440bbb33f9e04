// What a zip may hold before it is refused.
#pragma once

#include <cstddef>
#include <cstdint>

namespace towpath {

struct ZipLimits {
  // A OneRoster package has at most 23 files; exports by class have a few hundred.
  std::size_t members = 4'096;
  // The largest real file seen (a year of marks of a large secondary) is 40 MB unpacked.
  std::uint64_t member_bytes = 1ull << 30;
  std::uint64_t total_bytes = 4ull << 30;
  // Real CSV packs 5 to 40 times; a zip bomb packs about 1,000 times.
  std::uint64_t ratio = 300;
  // Below this size the ratio says nothing: a short file of equal lines packs well.
  std::uint64_t ratio_from_bytes = 8ull << 20;
  // A name longer than this is no file name (and Windows could not hold it).
  std::size_t name_bytes = 240;
};

}  // namespace towpath
