#include "bundle/bundle.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <functional>

using namespace towpath;

namespace {

Hash256 any_hash() {
  Hash256 h;
  for (auto& b : h.bytes) b = *rc::gen::arbitrary<std::uint8_t>();
  return h;
}
Uuid any_uuid() {
  Uuid u;
  for (auto& b : u.bytes) b = *rc::gen::arbitrary<std::uint8_t>();
  return u;
}
// Control characters do not survive, see below.
std::string any_string() { return *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '~')); }
Bytes any_bytes(std::size_t size) {
  return *rc::gen::container<Bytes>(size, rc::gen::arbitrary<std::uint8_t>());
}
template <std::size_t N>
std::array<std::uint8_t, N> any_array() {
  std::array<std::uint8_t, N> out;
  for (auto& b : out) b = *rc::gen::arbitrary<std::uint8_t>();
  return out;
}
PostMark any_mark() { return {*rc::gen::arbitrary<std::uint64_t>(), any_array<8>()}; }
Head any_head() {
  return {{*rc::gen::arbitrary<std::uint32_t>()},
          {*rc::gen::arbitrary<std::uint64_t>()},
          any_hash(),
          any_hash(),
          *rc::gen::arbitrary<bool>()};
}

Frame any_frame() {
  switch (*rc::gen::inRange(0, 19)) {
    case 0:
      return HelloFrame{any_string(), any_string(), *rc::gen::arbitrary<std::uint32_t>(),
                        *rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint64_t>()};
    case 1:
      return HeadFrame{{any_uuid()}, any_head()};
    case 2:
      return SegmentFrame{*rc::gen::arbitrary<Bytes>()};
    case 3: {
      ProblemFrame f{static_cast<Code>(*rc::gen::inRange(0, static_cast<int>(Code::kRefused) + 1)),
                     {any_uuid()},
                     {*rc::gen::arbitrary<std::uint64_t>()},
                     any_string(),
                     {}};
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i) f.keys.push_back(any_string());
      return f;
    }
    case 4:
      return LaterFrame{*rc::gen::arbitrary<std::uint32_t>()};
    case 5: {
      DigestsFrame f{{any_uuid()}, {}};
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i)
        f.entries.push_back(
            {*rc::gen::arbitrary<std::uint16_t>(), *rc::gen::arbitrary<std::uint64_t>(), any_hash()});
      return f;
    }
    case 6:
      return EnrolFrame{any_bytes(*rc::gen::inRange<std::size_t>(0, 65)), any_string()};
    case 7:
      return WelcomeFrame{any_string(), any_string(), *rc::gen::arbitrary<std::uint64_t>()};
    case 8:
      return NewKeyFrame{any_bytes(64), any_bytes(64)};
    case 9:
      return RotateFrame{};
    case 10:
      return RestoreQuestionFrame{{any_uuid()}, *rc::gen::arbitrary<std::uint64_t>()};
    case 11:
      return RestorePartFrame{{any_uuid()},
                              *rc::gen::arbitrary<std::uint64_t>(),
                              *rc::gen::arbitrary<std::uint64_t>(),
                              any_head(),
                              *rc::gen::arbitrary<Bytes>()};
    case 12:
      return PostMarkFrame{any_mark()};
    case 13:
      return PostFrame{any_mark(), *rc::gen::arbitrary<Bytes>()};
    case 14:
      return DeedFrame{*rc::gen::arbitrary<Bytes>()};
    case 15: {
      DeedsTakenFrame f;
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i) f.ids.push_back(any_array<16>());
      return f;
    }
    case 16: {
      PartnersFrame f;
      for (int i = *rc::gen::inRange(0, 5); i > 0; --i)
        f.entries.push_back({{any_uuid()},
                             {*rc::gen::arbitrary<std::uint32_t>()},
                             {*rc::gen::arbitrary<std::uint64_t>()},
                             any_array<8>()});
      return f;
    }
    case 17:
      return MoreFrame{};
    default:
      return UnknownFrame{*rc::gen::inRange<std::uint8_t>(100, 255), *rc::gen::arbitrary<Bytes>()};
  }
}

// One of each kind, as the hub or a school would send it.
std::vector<Frame> one_of_each() {
  const StreamId stream = stream_id("100001", kBorough);
  const Head head{{1}, {212}, hash256("test", bytes_of("s")), hash256("test", bytes_of("d")), true};
  std::vector<Frame> all;
  all.emplace_back(HelloFrame{"school:100001", "towpath 0.1.0", 1, 77, 3});
  all.emplace_back(HeadFrame{stream, head});
  all.emplace_back(SegmentFrame{Bytes(40, 7)});
  all.emplace_back(ProblemFrame{Code::kForked, stream, {5}, "A sentence", {"session_mark 1/2/3", "pupil 9"}});
  all.emplace_back(LaterFrame{300});
  all.emplace_back(DigestsFrame{stream, {{1, 200, hash256("test", bytes_of("a"))}, {300, 0, {}}}});
  all.emplace_back(EnrolFrame{Bytes(13, 3), "office-pc"});
  all.emplace_back(WelcomeFrame{"100001", "Example School", 12345});
  all.emplace_back(NewKeyFrame{Bytes(64, 1), Bytes(64, 2)});
  all.emplace_back(RotateFrame{});
  all.emplace_back(RestoreQuestionFrame{stream, 2});
  all.emplace_back(RestorePartFrame{stream, 1, 3, head, Bytes(20, 9)});
  all.emplace_back(PostMarkFrame{{7, {1, 2, 3, 4, 5, 6, 7, 8}}});
  all.emplace_back(PostFrame{{300, {8, 7, 6, 5, 4, 3, 2, 1}}, Bytes(30, 5)});
  all.emplace_back(DeedFrame{Bytes(30, 6)});
  all.emplace_back(DeedsTakenFrame{{{1, 2, 3}, {4, 5, 6}}});
  all.emplace_back(
      PartnersFrame{{{stream, {2}, {300}, {9, 9}}, {stream_id("100002", kBorough), {1}, {1}, {}}}});
  all.emplace_back(MoreFrame{});
  all.emplace_back(UnknownFrame{200, Bytes{1, 2, 3}});
  return all;
}

// Frames' bytes as an attacker can make them.
Bytes forged(std::uint64_t count, const std::function<void(Writer&)>& frames) {
  Bytes out;
  Writer w(out);
  w.varint(count);
  frames(w);
  return out;
}
Bytes forged(std::uint8_t kind, ByteView payload) {
  return forged(1, [&](Writer& w) { w.u8(kind), w.sized(payload); });
}
Bytes payload_of(const Frame& frame, std::uint8_t* kind = nullptr) {
  const Bytes bytes = encode_frames({frame}).value();
  Reader r(bytes);
  (void)r.varint();
  const std::uint8_t k = r.u8();
  if (kind) *kind = k;
  const ByteView payload = r.sized();
  REQUIRE(r.ok());
  REQUIRE(r.at_end());
  return {payload.begin(), payload.end()};
}

Code code_of(ByteView bytes) {
  const auto read = decode_frames(bytes);
  REQUIRE_FALSE(read);
  CHECK_FALSE(read.error().next().empty());
  return read.error().code();
}

}  // namespace

TEST_CASE("frames that are written are the frames that are read, in their order, repetitions too") {
  CHECK(rc::check([] {
    std::vector<Frame> frames;
    for (int i = *rc::gen::inRange(0, 8); i > 0; --i) frames.push_back(any_frame());
    if (!frames.empty() && *rc::gen::arbitrary<bool>()) frames.push_back(frames.front());
    const auto bytes = encode_frames(frames);
    RC_ASSERT(bytes.has_value());
    const auto read = decode_frames(*bytes);
    if (!read) RC_FAIL(read.error().sentence());
    RC_ASSERT(*read == frames);
    RC_ASSERT(encode_frames(*read).value() == *bytes);
  }));
}

TEST_CASE("each kind of frame keeps its number and is read back whole") {
  std::uint8_t expected = 1;
  for (const Frame& frame : one_of_each()) {
    std::uint8_t kind = 0;
    payload_of(frame, &kind);
    if (expected == 16) expected = 18;  // 16 and 17: sync-protocol/replica/compare.hpp
    CHECK(kind == (std::holds_alternative<UnknownFrame>(frame) ? 200 : expected++));
    const auto read = decode_frames(encode_frames({frame}).value());
    REQUIRE(read);
    CHECK(read->at(0) == frame);
  }
}

TEST_CASE("each kind of frame is refused when its payload is cut or goes on after its end") {
  for (const Frame& frame : one_of_each()) {
    // What takes all that is there has no end of its own; the bundle's seal is its guard.
    if (std::holds_alternative<UnknownFrame>(frame) || std::holds_alternative<SegmentFrame>(frame) ||
        std::holds_alternative<DeedFrame>(frame))
      continue;
    std::uint8_t kind = 0;
    const Bytes payload = payload_of(frame, &kind);
    std::size_t fixed = payload.size();
    if (const auto* part = std::get_if<RestorePartFrame>(&frame)) fixed -= part->content.size();
    if (const auto* post = std::get_if<PostFrame>(&frame)) fixed -= post->deed.size();
    INFO("kind " << int{kind});
    for (std::size_t n = 0; n < fixed; ++n)
      CHECK(code_of(forged(kind, ByteView(payload).first(n))) == Code::kDamaged);
    if (fixed != payload.size()) continue;
    Bytes longer = payload;
    longer.push_back(0);
    CHECK(code_of(forged(kind, longer)) == Code::kDamaged);
  }
}

TEST_CASE("any flipped bit of any frame is read as something else or refused, and never crashes the reader") {
  for (const Frame& frame : one_of_each()) {
    Bytes bytes = encode_frames({frame}).value();
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      if (const auto read = decode_frames(bytes)) {
        // A problem's code that is not known reads as a refusal; nothing else may read the same.
        const bool same = read->size() == 1 && read->at(0) == frame;
        CHECK_FALSE(same);
      }
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
  }
}

TEST_CASE("frames cut anywhere, or followed by something, are refused") {
  const Bytes bytes = encode_frames(one_of_each()).value();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    INFO("cut after " << n << " bytes");
    CHECK(code_of(ByteView(bytes).first(n)) == Code::kDamaged);
  }
  Bytes longer = bytes;
  longer.push_back(0);
  CHECK(code_of(longer) == Code::kDamaged);
}

TEST_CASE("a frame of an unknown kind is kept as it is and the others are read") {
  const Frame unknown = UnknownFrame{200, Bytes{1, 2, 3}};
  const std::vector<Frame> frames{LaterFrame{1}, unknown, RotateFrame{}};
  CHECK(decode_frames(encode_frames(frames).value()).value() == frames);
}

TEST_CASE("a problem with a code that is not known here is a refusal with its sentence") {
  Bytes p;
  Writer f(p);
  f.sized(std::string_view{"moon-phase"});
  f.bytes(Uuid{}.bytes);
  f.varint(5);
  f.sized(std::string_view{"The moon is wrong"});
  f.varint(0);
  const auto read = decode_frames(forged(4, p));
  REQUIRE(read);
  const auto& problem = std::get<ProblemFrame>(read->at(0));
  CHECK(problem.code == Code::kRefused);
  CHECK(problem.text == "The moon is wrong");
}

TEST_CASE("every code that a program knows travels as itself") {
  for (int c = 0; c <= static_cast<int>(Code::kRefused); ++c) {
    const Frame frame = ProblemFrame{static_cast<Code>(c), {}, {}, {}, {}};
    CHECK(decode_frames(encode_frames({frame}).value())->at(0) == frame);
  }
}

TEST_CASE("sentences longer than a bundle allows are cut after a whole letter, not refused") {
  const Frame frame = ProblemFrame{
      Code::kDamaged, {}, {1}, std::string(1023, 'x') + "\xc3\xa9", std::vector<std::string>(2000, "k")};
  const auto read = decode_frames(encode_frames({frame}).value());
  REQUIRE(read);
  CHECK(std::get<ProblemFrame>(read->at(0)).text == std::string(1023, 'x'));
  CHECK(std::get<ProblemFrame>(read->at(0)).keys.size() == 1000);
}

TEST_CASE("a school's name for its machine cannot move the cursor of the hub's operator") {
  const Frame frame = EnrolFrame{{}, "pc\x1b[2J\r\nroot\x7f"};
  const auto read = decode_frames(encode_frames({frame}).value());
  CHECK(std::get<EnrolFrame>(read.value().at(0)).label == "pc?[2J??root?");
}

TEST_CASE("more than a bundle may have is neither written nor read") {
  CHECK(encode_frames({SegmentFrame{Bytes(kBundleBytesMax, 0)}}).error().code() == Code::kTooLarge);
  CHECK(code_of(Bytes(kBundleBytesMax + 1, 'T')) == Code::kTooLarge);
  CHECK(encode_frames(std::vector<Frame>(kFramesMax + 1, LaterFrame{1})).error().code() == Code::kTooLarge);
  CHECK(code_of(forged(kFramesMax + 1, [](Writer&) {})) == Code::kTooLarge);
}

TEST_CASE("frames that lie about their lengths, counts and sizes are refused") {
  const auto refused = [](std::uint8_t kind, const std::function<void(Writer&)>& payload) {
    Bytes p;
    Writer f(p);
    payload(f);
    return code_of(forged(kind, p)) == Code::kDamaged;
  };
  CHECK(refused(5, [](Writer& w) { w.varint(std::uint64_t{1} << 32); }));
  for (const std::uint64_t count : {std::uint64_t{2}, std::uint64_t{1000}, UINT64_MAX})
    CHECK(refused(6, [&](Writer& w) { w.bytes(Uuid{}.bytes), w.varint(count), w.bytes(Bytes(40, 0)); }));
  for (const std::uint64_t count : {std::uint64_t{3}, std::uint64_t{1001}, UINT64_MAX}) {
    CHECK(refused(18, [&](Writer& w) { w.varint(count), w.bytes(Bytes(32, 0)); }));
    CHECK(refused(19, [&](Writer& w) { w.varint(count), w.bytes(Bytes(52, 0)); }));
  }
  CHECK(refused(19, [](Writer& w) {  // an epoch beyond 2^32
    w.varint(1), w.bytes(Uuid{}.bytes), w.varint(std::uint64_t{1} << 32), w.varint(1), w.bytes(Bytes(8, 0));
  }));
  CHECK(refused(20, [](Writer& w) { w.u8(0); }));
  CHECK(refused(1, [](Writer& w) { w.varint(UINT64_MAX); }));
  CHECK(refused(1, [](Writer& w) {
    w.sized(std::string(1025, 'x')), w.sized(ByteView{}), w.varint(1), w.varint(1), w.varint(1);
  }));
  CHECK(refused(7, [](Writer& w) { w.sized(Bytes(65, 1)), w.sized(ByteView{}); }));  // a secret that is none
  CHECK(refused(9, [](Writer& w) { w.bytes(Bytes(127, 1)); }));
  CHECK(refused(10, [](Writer& w) { w.u8(0); }));
  CHECK(code_of(forged(2, [](Writer&) {})) == Code::kDamaged);              // frames missing
  CHECK(code_of(forged(0, [](Writer& w) { w.u8(0); })) == Code::kDamaged);  // one too many
}

TEST_CASE("random bytes never crash the reader") {
  CHECK(rc::check([] {
    const Bytes noise = *rc::gen::arbitrary<Bytes>();
    const auto read = decode_frames(noise);
    if (read) RC_ASSERT(read->size() <= noise.size());
  }));
}
