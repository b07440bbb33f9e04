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
std::string any_string() { return *rc::gen::container<std::string>(rc::gen::arbitrary<char>()); }

Frame any_frame() {
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      return HelloFrame{any_string(), any_string(), *rc::gen::arbitrary<std::uint32_t>(),
                        *rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint64_t>()};
    case 1:
      return HeadFrame{{any_uuid()},
                       {{*rc::gen::arbitrary<std::uint32_t>()},
                        {*rc::gen::arbitrary<std::uint64_t>()},
                        any_hash(),
                        any_hash(),
                        *rc::gen::arbitrary<bool>()}};
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
    default:
      return UnknownFrame{*rc::gen::inRange<std::uint8_t>(100, 255), *rc::gen::arbitrary<Bytes>()};
  }
}

bool same(const Frame& a, const Frame& b) { return a == b; }

// What a school sends on an ordinary day.
Bundle ordinary() {
  Bundle b;
  b.id = {Uuid::named(kTowpathSpace, "a bundle")};
  b.frames.push_back(HelloFrame{"school:100001", "towpath 0.1.0", 1});
  HeadFrame head;
  head.stream = stream_id("100001", kBorough);
  head.head = {{1}, {212}, hash256("test", bytes_of("s")), hash256("test", bytes_of("d")), true};
  b.frames.push_back(head);
  b.frames.push_back(SegmentFrame{Bytes(1200, 7)});
  return b;
}

// A bundle with the given frames' bytes, correctly hashed: what an attacker can send.
Bytes forged(const std::function<void(Writer&)>& frames, std::uint8_t flags = 0) {
  Bytes out;
  Writer w(out);
  w.bytes(bytes_of("TPbd"));
  w.u16(1);
  w.u8(flags);
  w.bytes(Uuid{}.bytes);
  if (flags & 1) w.bytes(Uuid{}.bytes);
  w.signed_varint(0);
  frames(w);
  const Hash256 trail = hash256("towpath bundle", out);
  w.bytes(ByteView(trail.bytes).first(16));
  return out;
}

Code code_of(ByteView bytes) {
  const auto opened = PlainSealer{}.open(bytes);
  REQUIRE_FALSE(opened);
  CHECK_FALSE(opened.error().next().empty());
  return opened.error().code();
}

}  // namespace

TEST_CASE("what is sealed into a bundle is what it opens to") {
  CHECK(rc::check([] {
    Bundle b;
    b.id = {any_uuid()};
    if (*rc::gen::arbitrary<bool>()) b.answers = BundleId{any_uuid()};
    for (int i = *rc::gen::inRange(0, 8); i > 0; --i) b.frames.push_back(any_frame());
    PlainSealer sealer;
    const auto bytes = sealer.seal(b);
    RC_ASSERT(bytes.has_value());
    const auto opened = sealer.open(*bytes);
    if (!opened) RC_FAIL(opened.error().sentence());
    RC_ASSERT(opened->id == b.id);
    RC_ASSERT(opened->answers == b.answers);
    RC_ASSERT(opened->frames.size() == b.frames.size());
    for (std::size_t i = 0; i < b.frames.size(); ++i) RC_ASSERT(same(opened->frames[i], b.frames[i]));
    RC_ASSERT(sealer.seal(*opened).value() == *bytes);
  }));
}

TEST_CASE("a bundle adds little to what it carries") {
  PlainSealer sealer;
  Bundle up = ordinary();
  CHECK(sealer.seal(up)->size() - 1200 <= 170);
  Bundle down = up;
  down.answers = up.id;
  down.frames.pop_back();
  CHECK(sealer.seal(down)->size() <= 190);
}

TEST_CASE("a bundle cut anywhere is refused") {
  const Bytes bytes = *PlainSealer{}.seal(ordinary());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    INFO("cut after " << n << " bytes");
    CHECK(code_of(ByteView(bytes).first(n)) == Code::kDamaged);
  }
}

TEST_CASE("any flipped bit of a bundle is found") {
  Bytes bytes = *PlainSealer{}.seal(ordinary());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    INFO("bit " << bit % 8 << " of byte " << bit / 8);
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK(code_of(bytes) == Code::kDamaged);
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
}

TEST_CASE("bytes after a bundle's end are refused") {
  Bytes bytes = *PlainSealer{}.seal(ordinary());
  bytes.push_back(0);
  CHECK(code_of(bytes) == Code::kDamaged);
}

TEST_CASE("a page from a web filter is not a bundle") {
  CHECK(code_of(bytes_of("<html><head><title>Blocked</title></head></html>")) == Code::kDamaged);
  CHECK(code_of({}) == Code::kDamaged);
}

TEST_CASE("a bundle of another version says so and says what to do") {
  Bytes bytes = *PlainSealer{}.seal(ordinary());
  bytes[4] = 2;
  const ByteView sealed = ByteView(bytes).first(bytes.size() - 16);
  const Hash256 trail = hash256("towpath bundle", sealed);
  std::copy_n(trail.bytes.begin(), 16, bytes.end() - 16);
  const auto opened = PlainSealer{}.open(bytes);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == Code::kUnknownVersion);
  CHECK_THAT(opened.error().sentence(), Catch::Contains("version 2") && Catch::Contains("Update towpath"));
}

TEST_CASE("a frame of an unknown kind is kept as it is and the others are read") {
  Bundle b = ordinary();
  b.frames.insert(b.frames.begin() + 1, UnknownFrame{200, Bytes{1, 2, 3}});
  const auto opened = PlainSealer{}.open(*PlainSealer{}.seal(b));
  REQUIRE(opened);
  REQUIRE(opened->frames.size() == 4);
  CHECK(std::get<UnknownFrame>(opened->frames[1]).payload == Bytes{1, 2, 3});
  CHECK(std::get<UnknownFrame>(opened->frames[1]).kind == 200);
  CHECK(std::holds_alternative<HeadFrame>(opened->frames[2]));
}

TEST_CASE("a problem with a code that is not known here is a refusal with its sentence") {
  const Bytes bytes = forged([](Writer& w) {
    Bytes p;
    Writer f(p);
    f.sized(std::string_view{"moon-phase"});
    f.bytes(Uuid{}.bytes);
    f.varint(5);
    f.sized(std::string_view{"The moon is wrong"});
    f.varint(0);
    w.varint(1);
    w.u8(4);
    w.sized(p);
  });
  const auto opened = PlainSealer{}.open(bytes);
  REQUIRE(opened);
  const auto& problem = std::get<ProblemFrame>(opened->frames.at(0));
  CHECK(problem.code == Code::kRefused);
  CHECK(problem.text == "The moon is wrong");
}

TEST_CASE("sentences longer than a bundle allows are cut, not refused") {
  Bundle b;
  b.frames.push_back(
      ProblemFrame{Code::kDamaged, {}, {1}, std::string(5000, 'x'), std::vector<std::string>(2000, "k")});
  const auto opened = PlainSealer{}.open(*PlainSealer{}.seal(b));
  REQUIRE(opened);
  CHECK(std::get<ProblemFrame>(opened->frames[0]).text.size() == 1024);
  CHECK(std::get<ProblemFrame>(opened->frames[0]).keys.size() == 1000);
}

TEST_CASE("a bundle over the limits is neither sealed nor opened") {
  Bundle b;
  b.frames.push_back(SegmentFrame{Bytes(kBundleBytesMax, 0)});
  CHECK(PlainSealer{}.seal(b).error().code() == Code::kTooLarge);
  CHECK(code_of(Bytes(kBundleBytesMax + 1, 'T')) == Code::kTooLarge);
  b.frames.assign(kFramesMax + 1, LaterFrame{1});
  CHECK(PlainSealer{}.seal(b).error().code() == Code::kTooLarge);
  CHECK(code_of(forged([](Writer& w) { w.varint(kFramesMax + 1); })) == Code::kTooLarge);
}

TEST_CASE("frames that lie about their lengths and counts are refused") {
  const auto one_frame = [](std::uint8_t kind, const std::function<void(Writer&)>& payload) {
    return forged([&](Writer& w) {
      Bytes p;
      Writer f(p);
      payload(f);
      w.varint(1);
      w.u8(kind);
      w.sized(p);
    });
  };
  CHECK(PlainSealer{}.open(one_frame(5, [](Writer& w) { w.varint(60); })));
  CHECK(code_of(one_frame(5, [](Writer&) {})) == Code::kDamaged);
  CHECK(code_of(one_frame(5, [](Writer& w) { w.varint(std::uint64_t{1} << 32); })) == Code::kDamaged);
  CHECK(code_of(one_frame(5, [](Writer& w) { w.varint(60), w.u8(0); })) == Code::kDamaged);
  const auto digests = [&](std::uint64_t count) {
    return one_frame(6, [&](Writer& w) {
      w.bytes(Uuid{}.bytes);
      w.varint(count);
      w.bytes(Bytes(40, 0));
    });
  };
  for (const std::uint64_t count : {std::uint64_t{2}, std::uint64_t{1000}, UINT64_MAX})
    CHECK(code_of(digests(count)) == Code::kDamaged);
  CHECK(code_of(one_frame(1, [](Writer& w) { w.varint(UINT64_MAX); })) == Code::kDamaged);
  CHECK(code_of(forged([](Writer& w) { w.varint(2); })) == Code::kDamaged);           // frames missing
  CHECK(code_of(forged([](Writer& w) { w.varint(0), w.u8(0); })) == Code::kDamaged);  // one too many
  CHECK(code_of(forged([](Writer& w) { w.varint(0); }, 2)) == Code::kDamaged);        // unknown flag
}

TEST_CASE("random bytes behind a right hash never crash the reader") {
  CHECK(rc::check([] {
    const Bytes noise = *rc::gen::arbitrary<Bytes>();
    const auto opened = PlainSealer{}.open(forged([&](Writer& w) { w.bytes(noise); }));
    if (opened) RC_ASSERT(opened->frames.size() <= noise.size());
  }));
}
