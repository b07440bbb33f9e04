// Hostile cards, questions and notices, as they come and signed anew by the hub itself.
#include <cstdlib>

#include "tests/trust/trust_world.hpp"
#include "trust/sealed.hpp"

using namespace towpath;

namespace {
struct World {
  SeededRandom random{1};
  PartySecret hub = PartySecret::make(random);
};
// `domain` and what stands before the input; read back with the right key.
Bytes signed_anew(const World& w, std::string_view magic, std::string_view domain, ByteView before,
                  ByteView in) {
  Bytes out;
  Writer o(out);
  o.bytes(bytes_of(magic));
  o.u16(kSealedVersion);
  o.bytes(before);
  o.bytes(in);
  const Signature s = w.hub.sign(domain, out);
  o.bytes(s.bytes);
  return out;
}
void harmless(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World w;
  const ByteView in(data, size);
  const CardNonce nonce{};
  if (const auto question = read_card_question(in))
    if (card_question(*question) != Bytes(in.begin(), in.end())) std::abort();
  if (read_notice(in, w.hub.key())) std::abort();
  if (const auto seen = read_card(in, nonce)) harmless(seen->software);

  Bytes before(nonce.begin(), nonce.end());
  const Bytes key = w.hub.key().bytes();
  before.insert(before.end(), key.begin(), key.end());
  if (const auto seen = read_card(signed_anew(w, "TPca", "towpath card", before, in), nonce)) {
    if (seen->key != w.hub.key()) std::abort();
    harmless(seen->software);
  }
  const auto id = w.hub.key().id();
  const Bytes noticed = signed_anew(w, "TPno", "towpath notice", id.bytes, in);
  if (const auto n = read_notice(noticed, w.hub.key())) {
    harmless(n->text);
    if (n->text.size() > 1024) std::abort();
  }
  return 0;
}
