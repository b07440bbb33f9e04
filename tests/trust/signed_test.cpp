#include "trust/signed.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "trust_world.hpp"

using namespace towpath;

namespace {
PartySecret secret(std::uint64_t seed) {
  SeededRandom random{seed};
  return PartySecret::make(random);
}
SegmentHeader header() {
  SegmentHeader h;
  h.stream = stream_id("100001", "federation:kentish");
  h.epoch = {1};
  h.seq = {4};
  h.previous = hash256("test", bytes_of("previous"));
  h.digest = hash256("test", bytes_of("digest"));
  return h;
}
SealedSegment sealed(const PartySecret& by, const SegmentHeader& h = header()) {
  return seal_segment(h, Bytes(200, 5), {}, segment_signer(by)).value();
}
}  // namespace

TEST_CASE("a signed segment is its school's under any key that it had, and nobody else's") {
  const PartySecret us = secret(1), other = secret(2);
  const SealedSegment segment = sealed(us);
  const OpenedSegment opened = open_segment(segment.bytes).value();
  CHECK(opened.header == segment.header);
  CHECK(opened.hash == segment.hash);
  const std::vector<PartyKey> keys{other.key(), us.key()};
  CHECK(signed_by(opened, keys));
  CHECK_FALSE(signed_by(opened, std::span(keys).first(1)));
  CHECK_FALSE(signed_by(opened, {}));
}

TEST_CASE("a segment without signature is read as ever, and is nobody's") {
  const PartySecret us = secret(1);
  const SealedSegment plain = seal_segment(header(), Bytes(200, 5), {}).value();
  const OpenedSegment opened = open_segment(plain.bytes).value();
  CHECK_FALSE(opened.signature);
  const std::vector<PartyKey> keys{us.key()};
  CHECK_FALSE(signed_by(opened, keys));
  CHECK(sealed(us).bytes.size() == plain.bytes.size() + 64);
  CHECK(sealed(us).hash != plain.hash);
}

TEST_CASE("the same content, header and key give the same signed bytes") {
  CHECK(sealed(secret(1)).bytes == sealed(secret(1)).bytes);
}

TEST_CASE("any flipped bit of a signed segment is found") {
  const PartySecret us = secret(1);
  SealedSegment segment = sealed(us);
  for (std::size_t bit = 0; bit < segment.bytes.size() * 8; ++bit) {
    INFO("bit " << bit % 8 << " of byte " << bit / 8);
    segment.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK_FALSE(open_segment(segment.bytes));
    segment.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
}

// The hub knows how to make checks and hashes right; only the signature is beyond it.
TEST_CASE("a hub that changes what it passes on, with all hashes right, is found by the signature") {
  const PartySecret us = secret(1);
  const std::vector<PartyKey> keys{us.key()};
  const SealedSegment whole = sealed(us);
  const OpenedSegment original = open_segment(whole.bytes).value();
  const auto stolen = [&](SegmentHeader h, const Bytes& content) {
    const SegmentSignature signature = *original.signature;
    return seal_segment(h, content, {}, [&](ByteView) { return signature; }).value();
  };
  const auto taken = [&](const SealedSegment& s) {
    const auto opened = open_segment(s.bytes);
    return opened && signed_by(*opened, keys);
  };
  CHECK(taken(stolen(header(), Bytes(200, 5))));
  CHECK_FALSE(taken(stolen(header(), Bytes(200, 6))));
  const std::vector<void (*)(SegmentHeader&)> changes{
      [](SegmentHeader& h) { h.stream = stream_id("100002", "federation:kentish"); },
      [](SegmentHeader& h) { h.epoch.number = 2; },
      [](SegmentHeader& h) { h.seq.number = 5; },
      [](SegmentHeader& h) { h.dictionary_version = 9; },
      [](SegmentHeader& h) { h.snapshot = true; },
      [](SegmentHeader& h) { h.previous = {}; },
      [](SegmentHeader& h) { h.digest = {}; }};
  for (const auto change : changes) {
    SegmentHeader h = header();
    change(h);
    CHECK_FALSE(taken(stolen(h, Bytes(200, 5))));
  }
}
