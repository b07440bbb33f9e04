// Hostile files from a stick. What is read lies within the file, and can be written the same again.
#include <cstdlib>

#include "bundle/stick.hpp"
#include "trust/sealed.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView in(data, size);
  const auto messages = read_stick_file(in);
  if (!messages) return 0;
  std::vector<Bytes> owned;
  for (const ByteView m : *messages) {
    static_cast<void>(message_kind(m));
    static_cast<void>(Envelope::read(m));
    owned.emplace_back(m.begin(), m.end());
  }
  const auto again = stick_file(owned);
  if (!again) std::abort();
  const auto twice = read_stick_file(*again);
  if (!twice || twice->size() != messages->size()) std::abort();
  return 0;
}
