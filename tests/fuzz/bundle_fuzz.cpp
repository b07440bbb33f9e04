// Hostile bundles: as they come, and frames behind a hash that is right. What opens can be
// sealed again, and is then the same.
#include <cstdlib>

#include "bundle/bundle.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  PlainSealer sealer;
  static_cast<void>(sealer.open(ByteView(data, size)));
  Bytes bytes;
  Writer w(bytes);
  w.bytes(bytes_of("TPbd"));
  w.u16(kBundleVersion);
  w.bytes(ByteView(data, size));
  const Hash256 trail = hash256("towpath bundle", bytes);
  w.bytes(ByteView(trail.bytes).first(16));
  const auto opened = sealer.open(bytes);
  if (!opened) return 0;
  const auto again = sealer.seal(*opened);
  if (!again) return 0;  // a problem whose code was not known may grow beyond the limit
  const auto twice = sealer.open(*again);
  if (!twice || twice->frames.size() != opened->frames.size()) std::abort();
  if (sealer.seal(*twice).value() != *again) std::abort();
  return 0;
}
