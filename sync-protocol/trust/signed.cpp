#include "trust/signed.hpp"

#include <algorithm>

namespace towpath {
namespace {
// Not "towpath segment", under which a segment's own hash is made.
constexpr std::string_view kDomain = "towpath seg sign";
}  // namespace

SegmentSigner segment_signer(const PartySecret& secret) {
  return [&secret](ByteView header) { return secret.sign(kDomain, header).bytes; };
}

bool signed_by(const OpenedSegment& segment, std::span<const PartyKey> keys) {
  return segment.signature && std::any_of(keys.begin(), keys.end(), [&](const PartyKey& key) {
           return key.signed_this(kDomain, segment.signed_part, {*segment.signature});
         });
}

}  // namespace towpath
