// The door to zstd. Private to this module.
//
// One compressing and one decompressing context, reused by all calls of a thread: making
// one costs more than a day's segment. Same input, same output: one thread, no checksum,
// no sizes that depend on anything but the input.
#pragma once

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath::codec {

// Appends the frame of `data` to `out`, with `prefix` as what came before it. `quick`: of many such
// (a snapshot), where a tenth of a second counts for more than a hundredth of the bytes.
[[nodiscard]] Result<void> zstd_compress(ByteView data, ByteView prefix, bool quick, Bytes& out);
// What `data` would add to a frame, roughly; to compare, not to trust.
[[nodiscard]] std::size_t zstd_estimate(ByteView data, ByteView prefix);
// Appends exactly `size` bytes to `out`, or fails (kDamaged) having kept to that size.
[[nodiscard]] Result<void> zstd_expand(ByteView frame, ByteView prefix, std::size_t size, Bytes& out);

}  // namespace towpath::codec
