#include "bundle/stick.hpp"

#include <catch2/catch.hpp>

#include "bundle/bundle.hpp"

using namespace towpath;

namespace {
Bytes message(std::string_view text) {
  const ByteView bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}
// As long as a message is at least.
Bytes whole(std::string_view text) {
  Bytes bytes = message(text);
  bytes.resize(kMessageBytesMin, '.');
  return bytes;
}
}  // namespace

TEST_CASE("messages go into a bundle file and come out in their order") {
  const std::vector<Bytes> in{whole("TPbd one"), whole("TPno"), whole("TPbd two")};
  const auto file = stick_file(in);
  REQUIRE(file);
  const auto out = read_stick_file(*file);
  REQUIRE(out);
  REQUIRE(out->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(text_of((*out)[i]) == text_of(in[i]));
  CHECK(read_stick_file(*stick_file({}))->empty());
}

TEST_CASE("one bundle alone is a bundle file") {
  const Bytes alone = message("TPbd and so on, to the end");
  const auto out = read_stick_file(alone);
  REQUIRE(out);
  REQUIRE(out->size() == 1);
  CHECK(text_of(out->front()) == "TPbd and so on, to the end");
}

TEST_CASE("a bundle file that is cut anywhere gives nothing of itself, or whole bundles only at a seam") {
  const Bytes file = *stick_file({whole("TPbd one"), whole("TPno two")});
  const std::size_t first = 6 + 4 + kMessageBytesMin;
  for (std::size_t n = 0; n < file.size(); ++n) {
    const auto out = read_stick_file(ByteView(file).first(n));
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
  Bytes later = *stick_file({whole("TPbd")});
  later[4] = 2;
  CHECK(read_stick_file(later).error().code() == Code::kUnknownVersion);
  CHECK(read_stick_file(bytes_of("PK\x03\x04 a zip")).error().code() == Code::kDamaged);
  Bytes lies = *stick_file({whole("TPbd")});
  lies[9] = 0xff;  // a length of 4 GB
  CHECK(read_stick_file(lies).error().code() == Code::kTooLarge);
  CHECK(stick_file({Bytes(kBundleBytesMax + 1)}).error().code() == Code::kTooLarge);
  Bytes alone = message("TPbd");
  alone.resize(kBundleBytesMax + 1);
  CHECK(read_stick_file(alone).error().code() == Code::kTooLarge);
}

TEST_CASE("a bundle file with empty or foreign messages in it is refused") {
  for (const std::string_view text : {"", "T", "TPbd", "<html> and as long as a bundle"}) {
    const auto out = read_stick_file(*stick_file({whole("TPbd one"), message(text)}));
    REQUIRE_FALSE(out);
    CHECK(out.error().code() == Code::kDamaged);
  }
}

TEST_CASE("a bundle file of millions of nothings is refused before anything is made of them") {
  std::vector<Bytes> most(kStickMessagesMax, whole("TPbd"));
  Bytes file = *stick_file(most);
  CHECK(read_stick_file(file)->size() == kStickMessagesMax);
  most.push_back(whole("TPbd"));
  CHECK(stick_file(most).error().code() == Code::kTooLarge);
  Writer w(file);
  w.u32(static_cast<std::uint32_t>(kMessageBytesMin));
  w.bytes(whole("TPbd"));
  const auto out = read_stick_file(file);
  REQUIRE_FALSE(out);
  CHECK(out.error().code() == Code::kTooLarge);
  CHECK_THAT(out.error().what(), Catch::Contains("more than 4096 bundles"));
}
