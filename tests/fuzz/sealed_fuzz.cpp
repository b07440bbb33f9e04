// Hostile bundles with the right keys: the outside as it comes and signed anew, the inside sealed
// anew. Nothing opens that was not signed; what was sealed opens to what was put in.
#include <algorithm>
#include <cstdlib>

#include "tests/trust/trust_world.hpp"
#include "trust/sealed.hpp"

using namespace towpath;

namespace {
struct World {
  SeededRandom random{1};
  PartySecret school = PartySecret::make(random), hub = PartySecret::make(random);
};
World& world() {
  static World w;
  return w;
}
void look(ByteView bytes) {
  static_cast<void>(message_kind(bytes));
  if (const auto e = Envelope::read(bytes); e && e->introduces && e->introduces->id() != e->sender)
    std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World& w = world();
  const ByteView in(data, size);
  // 1. As it comes, from the line: nobody has this key to sign with.
  look(in);
  if (open(in, w.hub, w.school.key())) std::abort();

  // 2. The outside, signed by who it should be: an enrolled school that means harm.
  Bytes outside;
  Writer o(outside);
  o.bytes(bytes_of("TPbd"));
  o.u16(size % 8 == 0 ? 1 : kSealedVersion);
  o.bytes(w.school.key().id().bytes);
  o.bytes(w.hub.key().id().bytes);
  o.bytes(in);
  const Signature s = w.school.sign("towpath bundle", outside);
  o.bytes(s.bytes);
  look(outside);
  static_cast<void>(open(outside, w.hub, w.school.key()));

  // 3. The inside, sealed as it should be. Frames from the input: u8 kind, u8 length, payload.
  Bundle b;
  Reader r(in);
  w.random.fill(b.id.uuid.bytes);
  while (!r.at_end() && b.frames.size() < 64) {
    const std::uint8_t kind = r.u8();
    const std::size_t n = std::min<std::size_t>(r.u8(), r.left());
    const ByteView payload = r.bytes(n);
    b.frames.emplace_back(UnknownFrame{kind, Bytes(payload.begin(), payload.end())});
  }
  const auto sealed = seal(b, w.school, w.hub.key(), w.random, size % 2 == 0);
  if (!sealed) std::abort();
  const auto opened = open(*sealed, w.hub, w.school.key());
  const auto plain = decode_frames(encode_frames(b.frames).value());
  if (opened.has_value() != plain.has_value()) std::abort();
  if (opened && opened->frames != *plain) std::abort();

  // 4. Sealed, then changed at one place on its way.
  if (size > 1) {
    Bytes changed = *sealed;
    const std::size_t at = (static_cast<std::size_t>(data[0]) << 8 | data[1]) % changed.size();
    changed[at] = static_cast<std::uint8_t>(changed[at] ^ (data[size - 1] | 1U));
    if (open(changed, w.hub, w.school.key())) std::abort();
  }
  return 0;
}
