// Makes a zip in memory, of a few small texts: what a support bundle is.
//
// In: names and contents. Out: the zip's bytes; the caller decides where they go. Same entries and
// time, same bytes. Beside zip_archive.cpp the only file that sees minizip.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/bytes.hpp"
#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath {

// All of it is held in memory twice; a support bundle is some 50 KB.
inline constexpr std::size_t kZipWrittenMax = 64 * 1024 * 1024;

struct ZipEntry {
  std::string name;  // "status.json"
  std::string content;
};
// `when`: the members' time, in UTC. kTooLarge, kInternal.
[[nodiscard]] Result<Bytes> make_zip(std::span<const ZipEntry> entries, Instant when);

}  // namespace towpath
