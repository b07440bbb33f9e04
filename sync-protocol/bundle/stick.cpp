#include "bundle/stick.hpp"

#include <algorithm>
#include <array>

#include "bundle/bundle.hpp"

namespace towpath {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'T', 'P', 's', 't'};
// Every message begins with two letters of ours and two that say which kind it is.
constexpr std::array<std::uint8_t, 2> kMessageMagic{'T', 'P'};

tl::unexpected<Error> too_large(std::size_t bytes, std::size_t limit) {
  return fail(Code::kTooLarge,
              "a bundle file is too large: " + std::to_string(bytes) + " bytes, the limit is " +
                  std::to_string(limit),
              "Check that it is the right file; if it is, export less at once");
}

tl::unexpected<Error> too_many() {
  return fail(Code::kTooLarge,
              "a bundle file holds more than " + std::to_string(kStickMessagesMax) + " bundles",
              "Check that it is the right file; if it is, export less at once");
}

template <std::size_t N>
bool begins(ByteView bytes, const std::array<std::uint8_t, N>& magic) {
  return bytes.size() >= N && std::equal(magic.begin(), magic.end(), bytes.begin());
}

}  // namespace

Result<Bytes> stick_file(const std::vector<Bytes>& messages) {
  if (messages.size() > kStickMessagesMax) return too_many();
  Bytes out;
  Writer w(out);
  w.bytes(kMagic);
  w.u16(kStickVersion);
  for (const Bytes& message : messages) {
    if (message.size() > kBundleBytesMax) return too_large(message.size(), kBundleBytesMax);
    w.u32(static_cast<std::uint32_t>(message.size()));
    w.bytes(message);
    if (out.size() > kStickBytesMax) return too_large(out.size(), kStickBytesMax);
  }
  return out;
}

Result<std::vector<ByteView>> read_stick_file(ByteView file) {
  if (file.size() > kStickBytesMax) return too_large(file.size(), kStickBytesMax);
  if (!begins(file, kMagic)) {
    if (!begins(file, kMessageMagic) || file.size() < kMessageBytesMin)
      return fail(Code::kDamaged, "this is not a bundle file: it does not begin like one",
                  "Check that it is the file that bundle export wrote");
    if (file.size() > kBundleBytesMax) return too_large(file.size(), kBundleBytesMax);
    return std::vector<ByteView>{file};
  }
  Reader r(file.subspan(kMagic.size()));
  const std::uint16_t version = r.u16();
  if (r.ok() && version != kStickVersion)
    return fail(Code::kUnknownVersion,
                "this bundle file is written in format version " + std::to_string(version) +
                    "; this program reads " + std::to_string(kStickVersion),
                "Update towpath on this machine");
  std::vector<ByteView> all;
  while (r.ok() && !r.at_end()) {
    const std::uint32_t length = r.u32();
    if (r.ok() && all.size() == kStickMessagesMax) return too_many();
    if (length > kBundleBytesMax) return too_large(length, kBundleBytesMax);
    const ByteView message = r.bytes(length);
    if (r.ok() && (message.size() < kMessageBytesMin || !begins(message, kMessageMagic)))
      return fail(Code::kDamaged, "this bundle file holds something that is not a bundle",
                  "Nothing of it was taken; copy it again");
    all.push_back(message);
  }
  if (!r.ok())
    return fail(
        Code::kDamaged,
        "this bundle file is cut short after " + std::to_string(all.empty() ? 0 : all.size() - 1) +
            " whole bundles",
        "Nothing of it was taken; copy it again, and take the stick out only when the system says so");
  return all;
}

}  // namespace towpath
