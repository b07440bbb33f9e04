#include "segment/segment.hpp"

#include <algorithm>
#include <string>
#include <tuple>

#include "segment/zstd_codec.hpp"

namespace towpath {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'T', 'P', 's', 'g'};
constexpr std::size_t kCheckBytes = 8;  // 2^-64 that a damaged header passes
constexpr std::size_t kSignatureBytes = std::tuple_size_v<SegmentSignature>;
constexpr std::uint8_t kSnapshot = 1, kSnapshotEnd = 2, kReference = 4;

tl::unexpected<Error> damaged(std::string what) {
  return fail(Code::kDamaged, "A segment is damaged: " + std::move(what), "It will be asked for again");
}
tl::unexpected<Error> too_large(std::string what) {
  return fail(Code::kTooLarge, "A segment is too large: " + std::move(what),
              "Its sender has to cut it smaller");
}

void write(const Hash256& h, Writer& w) { w.bytes(h.bytes); }
Hash256 read_hash(Reader& r) {
  Hash256 h;
  const ByteView b = r.bytes(h.bytes.size());
  std::copy(b.begin(), b.end(), h.bytes.begin());
  return h;
}

Bytes header_bytes(const SegmentHeader& h, const SegmentSigner& signer) {
  Bytes out;
  Writer w(out);
  w.bytes(kMagic);
  w.u16(kSegmentVersion);
  w.u8(static_cast<std::uint8_t>((h.snapshot ? kSnapshot : 0) | (h.snapshot_end ? kSnapshotEnd : 0) |
                                 (h.reference ? kReference : 0)));
  w.bytes(h.stream.uuid.bytes);
  w.varint(h.epoch.number);
  w.varint(h.seq.number);
  if (h.reference) w.varint(h.seq.number - h.reference->number);
  w.varint(h.dictionary_version);
  w.varint(h.content_size);
  w.varint(h.body_size);
  write(h.previous, w);
  write(h.body, w);
  write(h.digest, w);
  w.u8(signer ? kSignatureBytes : 0);
  if (signer) w.bytes(signer(out));
  const Hash256 check = hash256("towpath header", out);
  w.bytes(ByteView(check.bytes).first(kCheckBytes));
  return out;
}

// What zstd sees of a content: all but the coded bits, which it would only get in the way of.
ByteView front(ByteView content) { return content.first(content.size() - coded_tail(content)); }

}  // namespace

StreamId stream_id(std::string_view school_urn, std::string_view audience) {
  return {Uuid::named(kTowpathSpace, "stream/" + std::string(school_urn) + "/" + std::string(audience))};
}

Result<SealedSegment> seal_segment(SegmentHeader header, ByteView content, ByteView prefix,
                                   const SegmentSigner& signer) {
  TP_ASSERT(header.seq.number > 0);
  TP_ASSERT(!header.reference || (header.reference->number > 0 && *header.reference < header.seq));
  TP_ASSERT(header.reference.has_value() || prefix.empty());
  if (content.size() > kContentBytesMax)
    return too_large("its content is " + std::to_string(content.size()) + " bytes, the limit is " +
                     std::to_string(kContentBytesMax));
  const ByteView seen = front(content);
  Bytes body;
  Writer w(body);
  w.sized(content.subspan(seen.size()));
  TP_TRY(codec::zstd_compress(seen, front(prefix), header.snapshot, body));
  header.content_size = static_cast<std::uint32_t>(content.size());
  header.body_size = static_cast<std::uint32_t>(body.size());
  header.body = hash256("towpath body", body);
  SealedSegment out{header, {}, header_bytes(header, signer)};
  out.hash = hash256("towpath segment", out.bytes);
  out.bytes.insert(out.bytes.end(), body.begin(), body.end());
  if (out.bytes.size() > kSegmentBytesMax)
    return too_large("it is " + std::to_string(out.bytes.size()) + " bytes, the limit is " +
                     std::to_string(kSegmentBytesMax));
  return out;
}

Result<OpenedSegment> open_segment(ByteView bytes) {
  if (bytes.size() > kSegmentBytesMax)
    return too_large("it is " + std::to_string(bytes.size()) + " bytes, the limit is " +
                     std::to_string(kSegmentBytesMax));
  Reader r(bytes);
  const ByteView magic = r.bytes(kMagic.size());
  if (!r.ok() || !std::equal(magic.begin(), magic.end(), kMagic.begin()))
    return damaged("it does not begin like one");
  const std::uint16_t version = r.u16();
  if (!r.ok()) return damaged("it ends within its header");
  if (version != kSegmentVersion)
    return fail(Code::kUnknownVersion,
                "A segment is written in format version " + std::to_string(version) +
                    "; this program reads " + std::to_string(kSegmentVersion),
                "Update towpath on this machine");
  OpenedSegment out;
  SegmentHeader& h = out.header;
  const std::uint8_t flags = r.u8();
  const ByteView stream = r.bytes(h.stream.uuid.bytes.size());
  std::copy(stream.begin(), stream.end(), h.stream.uuid.bytes.begin());
  const std::uint64_t epoch = r.varint();
  h.seq.number = r.varint();
  const std::uint64_t back = flags & kReference ? r.varint() : 0;
  const std::uint64_t dictionary = r.varint();
  const std::uint64_t content_size = r.varint();
  const std::uint64_t body_size = r.varint();
  h.previous = read_hash(r);
  h.body = read_hash(r);
  h.digest = read_hash(r);
  const std::size_t signature = r.u8();
  if (!r.ok()) return damaged("it ends within its header");
  if (signature != 0 && signature != kSignatureBytes)
    return damaged("its signature has a length that none has");
  out.signed_part = bytes.first(r.position());
  if (const ByteView s = r.bytes(signature); !s.empty())
    std::copy(s.begin(), s.end(), out.signature.emplace().begin());
  const std::size_t checked = r.position();
  const ByteView check = r.bytes(kCheckBytes);
  if (!r.ok()) return damaged("it ends within its header");
  const Hash256 expected = hash256("towpath header", bytes.first(checked));
  if (!std::equal(check.begin(), check.end(), expected.bytes.begin()))
    return damaged("its header does not pass its own check");
  if ((flags & ~(kSnapshot | kSnapshotEnd | kReference)) != 0 || epoch > UINT32_MAX ||
      dictionary > UINT32_MAX || h.seq.number == 0 ||
      ((flags & kReference) != 0 && (back == 0 || back >= h.seq.number)))
    return damaged("its header contradicts itself");
  if (content_size > kContentBytesMax)
    return too_large("it declares a content of " + std::to_string(content_size) + " bytes, the limit is " +
                     std::to_string(kContentBytesMax));
  if (body_size != r.left())
    return damaged("its body is " + std::to_string(r.left()) + " bytes instead of " +
                   std::to_string(body_size));
  h.epoch.number = static_cast<std::uint32_t>(epoch);
  h.dictionary_version = static_cast<std::uint32_t>(dictionary);
  h.content_size = static_cast<std::uint32_t>(content_size);
  h.body_size = static_cast<std::uint32_t>(body_size);
  h.snapshot = (flags & kSnapshot) != 0;
  h.snapshot_end = (flags & kSnapshotEnd) != 0;
  if (flags & kReference) h.reference = StreamSeq{h.seq.number - back};
  out.hash = hash256("towpath segment", bytes.first(r.position()));
  out.body = r.bytes(r.left());
  if (hash256("towpath body", out.body) != h.body)
    return damaged("its body does not have the hash it should");
  return out;
}

Result<Bytes> unpack_segment(const OpenedSegment& segment, ByteView prefix) {
  const SegmentHeader& h = segment.header;
  if (h.reference && prefix.empty())
    return fail(Code::kMissingReference,
                "Segment " + std::to_string(h.seq.number) + " builds on segment " +
                    std::to_string(h.reference->number) + ", which is not kept here any more",
                "It will be asked for without a reference");
  Reader r(segment.body);
  const ByteView coded = r.sized();
  if (!r.ok() || coded.size() > h.content_size || h.content_size > kContentBytesMax)
    return damaged("its body is not made as it should be");
  Bytes content;
  content.reserve(h.content_size);
  TP_TRY(codec::zstd_expand(r.bytes(r.left()), h.reference ? front(prefix) : ByteView{},
                            h.content_size - coded.size(), content));
  content.insert(content.end(), coded.begin(), coded.end());
  return content;
}

}  // namespace towpath
