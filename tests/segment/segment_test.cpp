#include "segment/segment.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "tests/segment/content_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

SegmentHeader header(std::uint64_t seq) {
  SegmentHeader h;
  h.stream = stream_id("100001", kBorough);
  h.epoch = {3};
  h.seq = {seq};
  h.previous = hash256("test", bytes_of("previous"));
  h.dictionary_version = 1;
  h.digest = hash256("test", bytes_of("digest"));
  return h;
}

// A small school's register, `day` days on; alike from day to day, as registers are.
Bytes register_of(int day) {
  TestBlock marks{8, Operation::kInsert, {{1, false}, {2, false}, {3, false}, {4, true}}, 3, {}};
  for (int session = 0; session < 2; ++session)
    for (int pupil = 0; pupil < 200; ++pupil)
      marks.rows.push_back({integer(20780 + day), integer(session), integer(pupil * 5 / 3),
                            words((pupil * 31 + day * 17) % 23 == 0 ? "I"
                                  : session == 0                    ? "/"
                                                                    : "\\")});
  return content_of({marks});
}

Code code_of(ByteView bytes) {
  const auto opened = open_segment(bytes);
  REQUIRE_FALSE(opened);
  CHECK_FALSE(opened.error().next().empty());
  return opened.error().code();
}

// A segment with a body of our own making, correctly hashed and checked: what an attacker
// with a writer can send. `change` may lie in the header.
Bytes forged(const std::function<void(SegmentHeader&)>& change, ByteView body) {
  SegmentHeader h = header(2);
  h.body_size = static_cast<std::uint32_t>(body.size());
  h.body = hash256("towpath body", body);
  change(h);
  Bytes out;
  Writer w(out);
  w.bytes(bytes_of("TPsg"));
  w.u16(1);
  w.u8(h.reference ? 4 : 0);
  w.bytes(h.stream.uuid.bytes);
  w.varint(h.epoch.number);
  w.varint(h.seq.number);
  if (h.reference) w.varint(h.seq.number - h.reference->number);
  w.varint(h.dictionary_version);
  w.varint(h.content_size);
  w.varint(h.body_size);
  w.bytes(h.previous.bytes);
  w.bytes(h.body.bytes);
  w.bytes(h.digest.bytes);
  w.u8(0);
  const Hash256 check = hash256("towpath header", out);
  w.bytes(ByteView(check.bytes).first(8));
  w.bytes(body);
  return out;
}

}  // namespace

TEST_CASE("a sealed segment opens to the header and content it was sealed with") {
  CHECK(rc::check([] {
    SegmentHeader h = header(*rc::gen::inRange<std::uint64_t>(1, 1'000'000));
    h.epoch.number = *rc::gen::arbitrary<std::uint32_t>();
    h.dictionary_version = *rc::gen::arbitrary<std::uint32_t>();
    h.snapshot = *rc::gen::arbitrary<bool>();
    h.snapshot_end = *rc::gen::arbitrary<bool>();
    const Bytes content = *rc::gen::arbitrary<Bytes>();  // sealing does not ask what it means
    Bytes prefix;
    if (h.seq.number > 1 && *rc::gen::arbitrary<bool>()) {
      h.reference = StreamSeq{*rc::gen::inRange<std::uint64_t>(1, h.seq.number)};
      prefix = register_of(1);
    }
    const auto sealed = seal_segment(h, content, prefix);
    RC_ASSERT(sealed.has_value());
    const auto opened = open_segment(sealed->bytes);
    if (!opened) RC_FAIL(opened.error().sentence());
    RC_ASSERT(opened->header == sealed->header);
    RC_ASSERT(opened->hash == sealed->hash);
    RC_ASSERT(opened->header.content_size == content.size());
    h.content_size = sealed->header.content_size;
    h.body_size = sealed->header.body_size;
    h.body = sealed->header.body;
    RC_ASSERT(opened->header == h);
    const auto unpacked = unpack_segment(*opened, prefix);
    if (!unpacked) RC_FAIL(unpacked.error().sentence());
    RC_ASSERT(*unpacked == content);
  }));
}

TEST_CASE("the same content and reference give the same bytes") {
  SegmentHeader h = header(2);
  h.reference = StreamSeq{1};
  const auto first = seal_segment(h, register_of(2), register_of(1));
  const auto other =
      seal_segment(header(9), Bytes(5000, 'x'), {});  // what was sealed between does not matter
  const auto second = seal_segment(h, register_of(2), register_of(1));
  REQUIRE(other);
  CHECK(first->bytes == second->bytes);
  CHECK(first->hash == second->hash);
}

TEST_CASE("yesterday's content as reference makes today's body smaller") {
  SegmentHeader h = header(2);
  const auto alone = seal_segment(h, register_of(2), {});
  h.reference = StreamSeq{1};
  const auto with = seal_segment(h, register_of(2), register_of(1));
  CHECK(with->header.body_size + 10 < alone->header.body_size);
}

TEST_CASE("a header takes no more than 190 bytes") {
  SegmentHeader h = header(UINT64_MAX);
  h.epoch = {UINT32_MAX};
  h.dictionary_version = UINT32_MAX;
  h.reference = StreamSeq{1};
  const auto sealed = seal_segment(h, register_of(2), register_of(1));
  CHECK(sealed->bytes.size() - sealed->header.body_size <= 190);
  const auto day = seal_segment(header(2), register_of(2), {});
  CHECK(day->bytes.size() - day->header.body_size <= 145);
}

TEST_CASE("streams of other schools and audiences have other names") {
  CHECK(stream_id("100001", kBorough) == stream_id("100001", kBorough));
  CHECK(stream_id("100001", kBorough) != stream_id("100002", kBorough));
  CHECK(stream_id("100001", kBorough) != stream_id("100001", "federation:x"));
}

TEST_CASE("a segment cut anywhere is damaged") {
  const auto sealed = seal_segment(header(2), register_of(1), {});
  for (std::size_t n = 0; n < sealed->bytes.size(); ++n) {
    INFO("cut after " << n << " bytes");
    CHECK(code_of(ByteView(sealed->bytes).first(n)) == Code::kDamaged);
  }
}

TEST_CASE("bytes after a segment's end are refused") {
  auto sealed = seal_segment(header(2), register_of(1), {});
  sealed->bytes.push_back(0);
  CHECK(code_of(sealed->bytes) == Code::kDamaged);
}

TEST_CASE("any flipped bit of a segment is found before anything is unpacked") {
  SegmentHeader h = header(2);
  h.reference = StreamSeq{1};
  auto sealed = seal_segment(h, register_of(2), register_of(1));
  for (std::size_t bit = 0; bit < sealed->bytes.size() * 8; ++bit) {
    INFO("bit " << bit % 8 << " of byte " << bit / 8);
    sealed->bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const Code code = code_of(sealed->bytes);
    const bool in_version = bit / 8 == 4 || bit / 8 == 5;
    CHECK(code == (in_version ? Code::kUnknownVersion : Code::kDamaged));
    sealed->bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
  CHECK(open_segment(sealed->bytes));
}

TEST_CASE("a segment of another version says so and says what to do") {
  auto sealed = seal_segment(header(2), register_of(1), {});
  sealed->bytes[4] = 2;
  const auto opened = open_segment(sealed->bytes);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == Code::kUnknownVersion);
  CHECK_THAT(opened.error().sentence(), Catch::Contains("version 2") && Catch::Contains("Update towpath"));
}

TEST_CASE("without the reference a segment is not unpacked but asked for again") {
  SegmentHeader h = header(2);
  h.reference = StreamSeq{1};
  const auto sealed = seal_segment(h, register_of(2), register_of(1));
  const auto unpacked = unpack_segment(*open_segment(sealed->bytes), {});
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().code() == Code::kMissingReference);
  CHECK_THAT(unpacked.error().what(), Catch::Contains("Segment 2") && Catch::Contains("segment 1"));
}

TEST_CASE("with the wrong reference a segment never yields its content") {
  SegmentHeader h = header(2);
  h.reference = StreamSeq{1};
  const Bytes content = register_of(2);
  const auto sealed = seal_segment(h, content, register_of(1));
  for (const Bytes& wrong : {register_of(50), Bytes(10, 1), Bytes(5000, 7)}) {
    const auto unpacked = unpack_segment(*open_segment(sealed->bytes), wrong);
    CHECK((!unpacked || *unpacked != content));
  }
}

TEST_CASE("content over the limit is not sealed") {
  const auto sealed = seal_segment(header(1), Bytes(kContentBytesMax + 1, 0), {});
  REQUIRE_FALSE(sealed);
  CHECK(sealed.error().code() == Code::kTooLarge);
}

TEST_CASE("content that does not shrink below the limit of a segment is not sealed") {
  Bytes noise;
  Writer w(noise);
  std::uint64_t x = 1;
  while (noise.size() < kSegmentBytesMax) w.u64(x = x * 6364136223846793005ULL + 1442695040888963407ULL);
  const auto sealed = seal_segment(header(1), noise, {});
  REQUIRE_FALSE(sealed);
  CHECK(sealed.error().code() == Code::kTooLarge);
}

TEST_CASE("a segment longer than the limit is refused by its length") {
  CHECK(code_of(Bytes(kSegmentBytesMax + 1, 'T')) == Code::kTooLarge);
}

TEST_CASE("a declared content over the limit is refused before it is unpacked") {
  const auto too_much = [](SegmentHeader& h) { h.content_size = kContentBytesMax + 1; };
  CHECK(code_of(forged(too_much, Bytes{0})) == Code::kTooLarge);
}

TEST_CASE("a body that unpacks to more or less than declared is refused") {
  const Bytes content(300'000, 0);  // a zstd bomb in small: 300 KB in some 30 bytes
  const auto bomb = seal_segment(header(2), content, {});
  REQUIRE(bomb->header.body_size < 100);
  const Bytes body(bomb->bytes.end() - static_cast<std::ptrdiff_t>(bomb->header.body_size),
                   bomb->bytes.end());
  for (const std::uint32_t declared : {0U, 1U, 100U, 299'999U, 300'001U, 1'000'000U}) {
    INFO("declared " << declared);
    const Bytes lie = forged([&](SegmentHeader& h) { h.content_size = declared; }, body);
    const auto opened = open_segment(lie);
    REQUIRE(opened);  // its hashes are right
    const auto unpacked = unpack_segment(*opened, {});
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().code() == Code::kDamaged);
  }
  const Bytes truth = forged([&](SegmentHeader& h) { h.content_size = 300'000; }, body);
  CHECK(unpack_segment(*open_segment(truth), {}).value() == content);
}

TEST_CASE("a body that claims more coded bytes than there are is refused") {
  for (const Bytes& body : {Bytes{}, Bytes{5}, Bytes{0xff, 0xff, 0xff, 0xff, 0x7f}, Bytes{2, 1, 1}}) {
    const Bytes lie = forged([](SegmentHeader& h) { h.content_size = 1; }, body);
    const auto unpacked = unpack_segment(*open_segment(lie), {});
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().code() == Code::kDamaged);
  }
}

TEST_CASE("a header that contradicts itself is refused though its check is right") {
  CHECK(code_of(forged([](SegmentHeader& h) { h.seq = {0}; }, Bytes{0})) == Code::kDamaged);
  CHECK(code_of(forged([](SegmentHeader& h) { h.reference = StreamSeq{2}; }, Bytes{0})) == Code::kDamaged);
  CHECK(code_of(forged([](SegmentHeader& h) { h.reference = StreamSeq{0}; }, Bytes{0})) == Code::kDamaged);
  CHECK(code_of(forged([](SegmentHeader& h) { h.body_size = 7; }, Bytes{0})) == Code::kDamaged);
}

TEST_CASE("random bytes in a well-made body never crash and never exceed what was declared") {
  CHECK(rc::check([] {
    const Bytes body = *rc::gen::arbitrary<Bytes>();
    const auto declared = *rc::gen::inRange<std::uint32_t>(0, 100'000);
    const Bytes segment = forged([&](SegmentHeader& h) { h.content_size = declared; }, body);
    const auto opened = open_segment(segment);
    RC_ASSERT(opened.has_value());
    const auto unpacked = unpack_segment(*opened, {});
    if (unpacked) RC_ASSERT(unpacked->size() == declared);
  }));
}
