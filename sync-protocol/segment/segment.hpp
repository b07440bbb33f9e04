// A segment: the sealed piece of a stream that travels and is applied whole.
//
// Segment = header + body; body = content under zstd, with an earlier content of the same
// stream as its prefix. A sealed segment never changes; its hash names it, and the next
// segment's header repeats that hash, so that a stream is a chain.
// Length and hash are checked before anything is unpacked or parsed.
// The only module that sees zstd. Layout: docs/segment-format.md
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "core/bytes.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "segment/content.hpp"

namespace towpath {

inline constexpr std::uint16_t kSegmentVersion = 1;
// A segment has to fit a 256 KB exchange body with its frames (school filters cut longer ones).
inline constexpr std::size_t kSegmentBytesMax = 240 * 1024;

// (school, audience) as one name: version 5 UUID, see stream_id().
struct StreamId {
  Uuid uuid;
  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};
[[nodiscard]] StreamId stream_id(std::string_view school_urn, std::string_view audience);
inline constexpr std::string_view kBorough = "borough";

struct Epoch {
  std::uint32_t number = 0;
  friend auto operator<=>(Epoch, Epoch) = default;
};
struct StreamSeq {  // 1 is the first of an epoch; 0 is "nothing yet"
  std::uint64_t number = 0;
  friend auto operator<=>(StreamSeq, StreamSeq) = default;
};

// Where a stream stands: what an acknowledgement says.
struct Head {
  Epoch epoch;
  StreamSeq seq;
  Hash256 segment;        // hash of the last segment, zero at seq 0
  Hash256 digest;         // state digest after it
  bool complete = false;  // the epoch's snapshot has been received whole
  friend bool operator==(const Head&, const Head&) = default;
};

struct SegmentHeader {
  StreamId stream;
  Epoch epoch;
  StreamSeq seq;
  Hash256 previous;  // hash of the segment before, zero at seq 1
  std::uint32_t dictionary_version = 0;
  bool snapshot = false;               // part of the epoch's snapshot
  bool snapshot_end = false;           // its last part: readers switch now
  std::optional<StreamSeq> reference;  // same epoch, whose content is the body's prefix
  std::uint32_t content_size = 0;
  std::uint32_t body_size = 0;
  Hash256 body;    // of the body's bytes
  Hash256 digest;  // state digest after applying
  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

struct SealedSegment {
  SegmentHeader header;
  Hash256 hash;  // names it
  Bytes bytes;   // header + body, as they travel
};

// What others pass on is signed by whom it comes from, so that they need not be believed. Keys are no
// matter of this module: trust/signed.hpp makes signers and verifies.
using SegmentSignature = std::array<std::uint8_t, 64>;
// Given the header's bytes up to the signature, which hold the hashes of body, state and segment before.
using SegmentSigner = std::function<SegmentSignature(ByteView)>;

// Seals content. The header's sizes and hashes are filled in. `prefix` is the reference's
// content, empty without one. kTooLarge if a limit would be passed. Unsigned without a signer.
[[nodiscard]] Result<SealedSegment> seal_segment(SegmentHeader header, ByteView content, ByteView prefix,
                                                 const SegmentSigner& signer = {});

// Step 1: the header, and that the body is all there and the right one. Nothing is unpacked.
// kDamaged, kUnknownVersion, kTooLarge.
struct OpenedSegment {
  SegmentHeader header;
  Hash256 hash;
  std::optional<SegmentSignature> signature;  // not looked at: whose it has to be is the caller's knowledge
  ByteView signed_part, body;                 // views into what was opened
};
[[nodiscard]] Result<OpenedSegment> open_segment(ByteView bytes);
// Step 2, when the header fits the stream: the content. Refuses anything but exactly
// header.content_size bytes. kDamaged, kTooLarge, kMissingReference (reference but no prefix).
[[nodiscard]] Result<Bytes> unpack_segment(const OpenedSegment& segment, ByteView prefix);

}  // namespace towpath
