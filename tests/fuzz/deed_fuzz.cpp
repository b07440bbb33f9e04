// Hostile deeds: as they come, and with a body of any kind, signed by the right key.
#include "agreement/papers.hpp"
#include "check.hpp"
#include "tests/trust/trust_world.hpp"

using namespace towpath;

namespace {
struct World {
  SeededRandom random{1};
  PartySecret issuer = PartySecret::make(random);
};
// What is taken is what was written, and is said again in the same bytes.
template <class Paper>
void body(ByteView in) {
  const auto read = Paper::read(in);
  if (!read) {
    fuzz::harmless(read.error());
    return;
  }
  FUZZ_CHECK(read->encode() == Bytes(in.begin(), in.end()));
  if constexpr (requires { read->by; }) fuzz::harmless(read->by);
  if constexpr (requires { read->members; }) {
    fuzz::harmless(read->name);
    for (const auto& member : read->members) fuzz::harmless(member.name);
  }
}
void bodies(ByteView in) {
  body<AgreementPaper>(in);
  body<FederationPaper>(in);
  body<DecisionPaper>(in);
  body<OrderPaper>(in);
  body<ReceiptPaper>(in);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World w;
  const ByteView in(data, size);
  const std::vector<PartyKey> keys{w.issuer.key()};
  if (const auto deed = read_deed(in)) {
    FUZZ_CHECK(!signed_by(*deed, keys));  // whoever finds one has broken Ed25519
    FUZZ_CHECK(deed->bytes == Bytes(in.begin(), in.end()));
    // All that was read is in what is signed: said again by our key, it is the same but for the signature.
    const Deed again = sign_deed(*deed, w.issuer);
    FUZZ_CHECK(again.id == deed->id);
    FUZZ_CHECK(signed_by(again, keys));
    FUZZ_CHECK(DeedId::parse(deed->id.text()) == deed->id);
    bodies(deed->body);
  } else {
    fuzz::harmless(deed.error());
  }
  bodies(in);
  return 0;
}
