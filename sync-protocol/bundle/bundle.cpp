#include "bundle/bundle.hpp"

#include <algorithm>

#include "bundle/texts.hpp"

namespace towpath {
namespace {

constexpr std::size_t kListMax = 1000;  // keys of a problem, datasets of a digest list

enum Kind : std::uint8_t {
  kHello = 1,
  kHead = 2,
  kSegment = 3,
  kProblem = 4,
  kLater = 5,
  kDigests = 6,
  kEnrol = 7,
  kWelcome = 8,
  kNewKey = 9,
  kRotate = 10,
  kRestoreQuestion = 11,
  kRestorePart = 12,
  kPostMark = 13,
  kPost = 14,
  kDeed = 15,
  // 16 and 17: sync-protocol/replica/compare.hpp
  kDeedsTaken = 18,
  kPartners = 19,
  kMore = 20,
};

tl::unexpected<Error> damaged(std::string what) {
  return fail(Code::kDamaged, "A bundle is damaged: " + std::move(what),
              "Nothing of it was taken; it can be sent again as it is");
}
tl::unexpected<Error> too_large(std::string what) {
  return fail(Code::kTooLarge, "A bundle is too large: " + std::move(what),
              "Its sender has to send less at once");
}

void write(const Hash256& h, Writer& w) { w.bytes(h.bytes); }
void write(const Uuid& u, Writer& w) { w.bytes(u.bytes); }
void read(Reader& r, std::span<std::uint8_t> out) {
  const ByteView b = r.bytes(out.size());
  std::copy(b.begin(), b.end(), out.begin());
}
std::string read_string(Reader& r) {
  const ByteView b = r.sized();
  if (b.size() > kSentenceBytesMax) r.fail();
  return r.ok() ? without_controls(text_of(b)) : std::string();
}
std::uint32_t read_u32(Reader& r) {
  const std::uint64_t v = r.varint();
  if (v > UINT32_MAX) r.fail();
  return static_cast<std::uint32_t>(v);
}
std::size_t read_count(Reader& r) {
  const std::uint64_t n = r.varint();
  if (n > kListMax || n > r.left()) r.fail();  // an entry is at least a byte
  return r.ok() ? static_cast<std::size_t>(n) : 0;
}

// --- each frame's payload, written and read -------------------------------------------------
std::uint8_t payload(const HelloFrame& f, Writer& w) {
  w.sized(fitting(f.sender));
  w.sized(fitting(f.software));
  w.varint(f.dictionary_version);
  w.varint(f.instance);
  w.varint(f.turn);
  return kHello;
}
HelloFrame read_hello(Reader& r) {
  HelloFrame f;
  f.sender = read_string(r);
  f.software = read_string(r);
  f.dictionary_version = read_u32(r);
  f.instance = r.varint();
  f.turn = r.varint();
  return f;
}

void write(const Head& head, Writer& w) {
  w.varint(head.epoch.number);
  w.varint(head.seq.number);
  w.u8(head.complete ? 1 : 0);
  write(head.segment, w);
  write(head.digest, w);
}
Head read_state(Reader& r) {
  Head head;
  head.epoch.number = read_u32(r);
  head.seq.number = r.varint();
  const std::uint8_t complete = r.u8();
  if (complete > 1) r.fail();
  head.complete = complete != 0;
  read(r, head.segment.bytes);
  read(r, head.digest.bytes);
  return head;
}

std::uint8_t payload(const HeadFrame& f, Writer& w) {
  write(f.stream.uuid, w);
  write(f.head, w);
  return kHead;
}
HeadFrame read_head(Reader& r) {
  HeadFrame f;
  read(r, f.stream.uuid.bytes);
  f.head = read_state(r);
  return f;
}

std::uint8_t payload(const SegmentFrame& f, Writer& w) {
  w.bytes(f.bytes);
  return kSegment;
}
SegmentFrame read_segment(Reader& r) {
  const ByteView b = r.bytes(r.left());
  return {Bytes(b.begin(), b.end())};
}

std::uint8_t payload(const ProblemFrame& f, Writer& w) {
  w.sized(name(f.code));
  write(f.stream.uuid, w);
  w.varint(f.seq.number);
  w.sized(fitting(f.text));
  const std::size_t n = std::min(f.keys.size(), kListMax);
  w.varint(n);
  for (std::size_t i = 0; i < n; ++i) w.sized(fitting(f.keys[i]));
  return kProblem;
}
ProblemFrame read_problem(Reader& r) {
  ProblemFrame f;
  // By name, so that codes can be added; one that is not known here is a plain refusal.
  const std::string code = read_string(r);
  f.code = code_named(code).value_or(Code::kRefused);
  read(r, f.stream.uuid.bytes);
  f.seq.number = r.varint();
  f.text = read_string(r);
  const std::size_t n = read_count(r);
  for (std::size_t i = 0; i < n && r.ok(); ++i) f.keys.push_back(read_string(r));
  return f;
}

std::uint8_t payload(const LaterFrame& f, Writer& w) {
  w.varint(f.seconds);
  return kLater;
}
LaterFrame read_later(Reader& r) { return {read_u32(r)}; }

std::uint8_t payload(const DigestsFrame& f, Writer& w) {
  TP_ASSERT(f.entries.size() <= kListMax);
  write(f.stream.uuid, w);
  w.varint(f.entries.size());
  for (const DigestsFrame::Entry& e : f.entries) {
    w.varint(e.dataset);
    w.varint(e.rows);
    write(e.digest, w);
  }
  return kDigests;
}
DigestsFrame read_digests(Reader& r) {
  DigestsFrame f;
  read(r, f.stream.uuid.bytes);
  const std::size_t n = read_count(r);
  for (std::size_t i = 0; i < n && r.ok(); ++i) {
    DigestsFrame::Entry e;
    const std::uint64_t dataset = r.varint();
    if (dataset > UINT16_MAX) r.fail();
    e.dataset = static_cast<std::uint16_t>(dataset);
    e.rows = r.varint();
    read(r, e.digest.bytes);
    f.entries.push_back(e);
  }
  return f;
}

// A key or a proof: always as long.
constexpr std::size_t kKeyBytes = 64;
constexpr std::size_t kSecretBytesMax = 64;  // an invitation's is 13

Bytes owned(ByteView b) { return {b.begin(), b.end()}; }

std::uint8_t payload(const EnrolFrame& f, Writer& w) {
  w.sized(f.secret);
  w.sized(fitting(f.label));
  return kEnrol;
}
EnrolFrame read_enrol(Reader& r) {
  EnrolFrame f;
  const ByteView secret = r.sized();
  if (secret.size() > kSecretBytesMax) r.fail();
  if (r.ok()) f.secret = owned(secret);
  f.label = read_string(r);
  return f;
}

std::uint8_t payload(const WelcomeFrame& f, Writer& w) {
  w.sized(fitting(f.urn));
  w.sized(fitting(f.name));
  w.varint(f.rows);
  return kWelcome;
}
WelcomeFrame read_welcome(Reader& r) {
  WelcomeFrame f;
  f.urn = read_string(r);
  f.name = read_string(r);
  f.rows = r.varint();
  return f;
}

std::uint8_t payload(const NewKeyFrame& f, Writer& w) {
  TP_ASSERT(f.key.size() == kKeyBytes && f.proof.size() == kKeyBytes);
  w.bytes(f.key);
  w.bytes(f.proof);
  return kNewKey;
}
NewKeyFrame read_new_key(Reader& r) {
  NewKeyFrame f;
  f.key = owned(r.bytes(kKeyBytes));
  f.proof = owned(r.bytes(kKeyBytes));
  return f;
}

std::uint8_t payload(const RotateFrame& /*f*/, Writer& /*w*/) { return kRotate; }

std::uint8_t payload(const RestoreQuestionFrame& f, Writer& w) {
  write(f.stream.uuid, w);
  w.varint(f.part);
  return kRestoreQuestion;
}
RestoreQuestionFrame read_restore_question(Reader& r) {
  RestoreQuestionFrame f;
  read(r, f.stream.uuid.bytes);
  f.part = r.varint();
  return f;
}

std::uint8_t payload(const RestorePartFrame& f, Writer& w) {
  write(f.stream.uuid, w);
  w.varint(f.part);
  w.varint(f.parts);
  write(f.head, w);
  w.bytes(f.content);
  return kRestorePart;
}
RestorePartFrame read_restore_part(Reader& r) {
  RestorePartFrame f;
  read(r, f.stream.uuid.bytes);
  f.part = r.varint();
  f.parts = r.varint();
  f.head = read_state(r);
  f.content = owned(r.bytes(r.left()));
  return f;
}

void write(const PostMark& mark, Writer& w) {
  w.varint(mark.number);
  w.bytes(mark.chain);
}
PostMark read_mark(Reader& r) {
  PostMark mark;
  mark.number = r.varint();
  read(r, mark.chain);
  return mark;
}

std::uint8_t payload(const PostMarkFrame& f, Writer& w) {
  write(f.mark, w);
  return kPostMark;
}
std::uint8_t payload(const PostFrame& f, Writer& w) {
  write(f.mark, w);
  w.bytes(f.deed);
  return kPost;
}
PostFrame read_post(Reader& r) {
  PostFrame f;
  f.mark = read_mark(r);
  f.deed = owned(r.bytes(r.left()));
  return f;
}
std::uint8_t payload(const DeedFrame& f, Writer& w) {
  w.bytes(f.deed);
  return kDeed;
}

std::uint8_t payload(const DeedsTakenFrame& f, Writer& w) {
  TP_ASSERT(f.ids.size() <= kListMax);
  w.varint(f.ids.size());
  for (const auto& id : f.ids) w.bytes(id);
  return kDeedsTaken;
}
DeedsTakenFrame read_deeds_taken(Reader& r) {
  DeedsTakenFrame f;
  f.ids.resize(read_count(r));
  for (auto& id : f.ids) read(r, id);
  return f;
}

std::uint8_t payload(const PartnersFrame& f, Writer& w) {
  TP_ASSERT(f.entries.size() <= kListMax);
  w.varint(f.entries.size());
  for (const PartnersFrame::Entry& e : f.entries) {
    write(e.stream.uuid, w);
    w.varint(e.epoch.number);
    w.varint(e.seq.number);
    w.bytes(e.segment);
  }
  return kPartners;
}
PartnersFrame read_partners(Reader& r) {
  PartnersFrame f;
  const std::size_t n = read_count(r);
  for (std::size_t i = 0; i < n && r.ok(); ++i) {
    PartnersFrame::Entry e;
    read(r, e.stream.uuid.bytes);
    e.epoch.number = read_u32(r);
    e.seq.number = r.varint();
    read(r, e.segment);
    f.entries.push_back(e);
  }
  return f;
}

std::uint8_t payload(const MoreFrame& /*f*/, Writer& /*w*/) { return kMore; }

std::uint8_t payload(const UnknownFrame& f, Writer& w) {
  w.bytes(f.payload);
  return f.kind;
}

Frame read_frame(std::uint8_t kind, Reader& r) {
  switch (kind) {
    case kHello:
      return read_hello(r);
    case kHead:
      return read_head(r);
    case kSegment:
      return read_segment(r);
    case kProblem:
      return read_problem(r);
    case kLater:
      return read_later(r);
    case kDigests:
      return read_digests(r);
    case kEnrol:
      return read_enrol(r);
    case kWelcome:
      return read_welcome(r);
    case kNewKey:
      return read_new_key(r);
    case kRotate:
      return RotateFrame{};
    case kRestoreQuestion:
      return read_restore_question(r);
    case kRestorePart:
      return read_restore_part(r);
    case kPostMark:
      return PostMarkFrame{read_mark(r)};
    case kPost:
      return read_post(r);
    case kDeed:
      return DeedFrame{owned(r.bytes(r.left()))};
    case kDeedsTaken:
      return read_deeds_taken(r);
    case kPartners:
      return read_partners(r);
    case kMore:
      return MoreFrame{};
    default: {
      const ByteView b = r.bytes(r.left());
      return UnknownFrame{kind, Bytes(b.begin(), b.end())};
    }
  }
}

}  // namespace

Result<Bytes> encode_frames(const std::vector<Frame>& frames) {
  if (frames.size() > kFramesMax)
    return too_large(std::to_string(frames.size()) + " frames, the limit is " + std::to_string(kFramesMax));
  Bytes out;
  Writer w(out);
  w.varint(frames.size());
  Bytes scratch;
  for (const Frame& frame : frames) {
    scratch.clear();
    Writer p(scratch);
    w.u8(std::visit([&](const auto& f) { return payload(f, p); }, frame));
    w.sized(scratch);
    if (out.size() > kBundleBytesMax)
      return too_large("more than " + std::to_string(kBundleBytesMax) + " bytes");
  }
  return out;
}

Result<std::vector<Frame>> decode_frames(ByteView bytes) {
  if (bytes.size() > kBundleBytesMax)
    return too_large(std::to_string(bytes.size()) + " bytes, the limit is " +
                     std::to_string(kBundleBytesMax));
  Reader r(bytes);
  const std::uint64_t frames = r.varint();
  if (!r.ok()) return damaged("it ends before its first frame");
  if (frames > kFramesMax)
    return too_large(std::to_string(frames) + " frames, the limit is " + std::to_string(kFramesMax));
  std::vector<Frame> out;
  for (std::uint64_t i = 0; i < frames; ++i) {
    const std::uint8_t kind = r.u8();
    Reader payload_reader(r.sized());
    if (!r.ok()) return damaged("it ends within frame " + std::to_string(i + 1));
    out.push_back(read_frame(kind, payload_reader));
    if (!payload_reader.ok() || !payload_reader.at_end())
      return damaged("frame " + std::to_string(i + 1) + " (kind " + std::to_string(kind) +
                     ") is not made as it should be");
  }
  if (!r.at_end()) return damaged("something follows its last frame");
  return out;
}

}  // namespace towpath
