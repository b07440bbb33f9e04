// Bundles as a file: what `bundle export` writes and `bundle import` reads, at either end.
//
//   "TPst", u16 version 1, then (u32 length, a message's bytes) repeated; little-endian
//
// The file itself proves nothing: each message in it is sealed or signed like one that came over
// the line. One message alone (an answer saved from a browser, say) is a file as well.
#pragma once

#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath {

inline constexpr std::uint16_t kStickVersion = 1;
// A county's largest first load is some 40 MB; nobody means a film.
inline constexpr std::size_t kStickBytesMax = 64 * 1024 * 1024;

// 64 MB of first loads are some 256 bundles of 256 KB, a year of daily ones some 200. More would make
// the reader answer, and remember, millions of nothings.
inline constexpr std::size_t kStickMessagesMax = 4'096;
// The shortest message is a card question: four letters and sixteen bytes of chance, at least.
inline constexpr std::size_t kMessageBytesMin = 20;

// kTooLarge where the file would be larger, or hold more, than a reader takes.
[[nodiscard]] Result<Bytes> stick_file(const std::vector<Bytes>& messages);
// Views into `file`. kDamaged (cut short, or another kind of file), kTooLarge, kUnknownVersion.
// A file that was cut gives nothing: it is to be copied again.
[[nodiscard]] Result<std::vector<ByteView>> read_stick_file(ByteView file);

}  // namespace towpath
