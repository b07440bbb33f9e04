// Hostile segments: the header as it comes, and bodies behind headers that are right.
#include <algorithm>
#include <cstdlib>

#include "segment/segment.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  if (const auto opened = open_segment(bytes)) {
    if (const auto content = unpack_segment(*opened, {}))
      if (content->size() != opened->header.content_size) std::abort();
  }
  // The same bytes as a body; the first two say what the header declares and whether a prefix is held.
  if (size < 3) return 0;
  OpenedSegment made;
  made.header.seq = {2};
  made.header.content_size = static_cast<std::uint32_t>(data[0]) * 257;
  const Bytes prefix(data[1] & 1 ? 1000 : 0, 'x');
  if (!prefix.empty()) made.header.reference = StreamSeq{1};
  made.body = bytes.subspan(2);
  if (const auto content = unpack_segment(made, prefix))
    if (content->size() != made.header.content_size) std::abort();
  return 0;
}
