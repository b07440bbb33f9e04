// Hostile segments: the header as it comes, bodies behind headers that are right, and whole ones changed on
// their way.
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
  // The same bytes as a content that was sealed, as it is and with one byte of it changed on its way.
  SegmentHeader header;
  header.seq = {2 + static_cast<std::uint64_t>(data[0])};
  header.epoch = {data[1]};
  header.snapshot = (data[1] & 2) != 0;
  header.snapshot_end = (data[1] & 4) != 0;
  if (!prefix.empty()) header.reference = StreamSeq{header.seq.number - 1};
  const ByteView content = bytes.subspan(2);
  // Half of them signed, by a signature that hangs on all that it covers.
  Bytes covered;
  SegmentSignature signature{};
  SegmentSigner signer;
  if ((data[1] & 8) != 0)
    signer = [&](ByteView part) {
      covered.assign(part.begin(), part.end());
      const Hash256 hash = hash256("fuzz", part);
      std::copy(hash.bytes.begin(), hash.bytes.end(), signature.begin());
      return signature;
    };
  const auto sealed = seal_segment(header, content, prefix, signer);
  if (!sealed) return 0;
  const auto opened = open_segment(sealed->bytes);
  if (!opened || opened->header != sealed->header || opened->hash != sealed->hash) std::abort();
  if (opened->signature.has_value() != static_cast<bool>(signer)) std::abort();
  if (signer && (*opened->signature != signature ||
                 Bytes(opened->signed_part.begin(), opened->signed_part.end()) != covered))
    std::abort();
  const auto unpacked = unpack_segment(*opened, prefix);
  if (!unpacked || *unpacked != Bytes(content.begin(), content.end())) std::abort();
  Bytes changed = sealed->bytes;
  changed[(static_cast<std::size_t>(data[0]) << 8 | data[1]) % changed.size()] ^=
      static_cast<std::uint8_t>(1 + data[2] % 255);
  if (open_segment(changed)) std::abort();
  return 0;
}
