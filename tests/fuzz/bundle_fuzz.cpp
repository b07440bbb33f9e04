// Hostile frames, as they are once a bundle is open. What is read can be written again, and is then
// the same.
#include <cstdlib>

#include "bundle/bundle.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = decode_frames(ByteView(data, size));
  if (!read) return 0;
  const auto again = encode_frames(*read);
  if (!again) return 0;  // a problem whose code was not known may grow beyond the limit
  const auto twice = decode_frames(*again);
  if (!twice || *twice != *read) std::abort();
  return 0;
}
