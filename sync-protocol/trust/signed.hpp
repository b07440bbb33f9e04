// Segments that others pass on: signed by the school that sealed them.
//
// In a school's stream to its hub the bundle's seal says whose a segment is. A federation's segments
// are stored by the hub and handed to partners, who have to know without believing the hub.
// Used by agent/publish (signs), hub/relay and agent/partners (verify).
#pragma once

#include <span>

#include "segment/segment.hpp"
#include "trust/keys.hpp"

namespace towpath {

// Signs with `secret`, which has to outlive what is returned.
[[nodiscard]] SegmentSigner segment_signer(const PartySecret& secret);
// By one of these keys; false for a segment without signature.
[[nodiscard]] bool signed_by(const OpenedSegment& segment, std::span<const PartyKey> keys);

}  // namespace towpath
