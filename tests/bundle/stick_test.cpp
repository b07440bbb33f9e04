#include "bundle/stick.hpp"

#include <catch2/catch.hpp>

#include "bundle/bundle.hpp"

using namespace towpath;

namespace {
Bytes message(std::string_view text) {
  const ByteView bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}
}  // namespace

TEST_CASE("messages go into a bundle file and come out in their order") {
  const std::vector<Bytes> in{message("TPbd one"), message("TPno"), message("TPbd two")};
  const auto file = stick_file(in);
  REQUIRE(file);
  const auto out = read_stick_file(*file);
  REQUIRE(out);
  REQUIRE(out->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(text_of((*out)[i]) == text_of(in[i]));
  CHECK(read_stick_file(*stick_file({}))->empty());
}

TEST_CASE("one bundle alone is a bundle file") {
  const Bytes alone = message("TPbd and so on");
  const auto out = read_stick_file(alone);
  REQUIRE(out);
  REQUIRE(out->size() == 1);
  CHECK(text_of(out->front()) == "TPbd and so on");
}

TEST_CASE("a bundle file that is cut anywhere gives nothing of itself, or whole bundles only at a seam") {
  const Bytes file = *stick_file({message("TPbd one"), message("TPno two")});
  const std::size_t first = 6 + 4 + 8;
  for (std::size_t n = 0; n < file.size(); ++n) {
    const auto out = read_stick_file(ByteView(file).first(n));
    if (n == 2 || n == 3) continue;  // "TP": a message alone, which its opener refuses
    if (n == 6 || n == first) {
      REQUIRE(out);
      CHECK(out->size() == (n == first ? 1 : 0));
      continue;
    }
    REQUIRE_FALSE(out);
    CHECK(out.error().code() == Code::kDamaged);
  }
}

TEST_CASE("a bundle file of another version, another kind or too large is refused for what it is") {
  Bytes later = *stick_file({message("TPbd")});
  later[4] = 2;
  CHECK(read_stick_file(later).error().code() == Code::kUnknownVersion);
  CHECK(read_stick_file(bytes_of("PK\x03\x04 a zip")).error().code() == Code::kDamaged);
  Bytes lies = *stick_file({message("TPbd")});
  lies[9] = 0xff;  // a length of 4 GB
  CHECK(read_stick_file(lies).error().code() == Code::kTooLarge);
  CHECK(stick_file({Bytes(kBundleBytesMax + 1)}).error().code() == Code::kTooLarge);
  Bytes alone = message("TPbd");
  alone.resize(kBundleBytesMax + 1);
  CHECK(read_stick_file(alone).error().code() == Code::kTooLarge);
}

TEST_CASE("a bundle file with empty or foreign messages in it is refused") {
  for (const std::string_view text : {"", "T", "<html>"}) {
    const auto out = read_stick_file(*stick_file({message("TPbd one"), message(text)}));
    REQUIRE_FALSE(out);
    CHECK(out.error().code() == Code::kDamaged);
  }
}
