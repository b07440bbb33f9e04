// Deeds as each format version wrote them, kept for ever; golden/README.md says what they hold. A
// change that makes these tests fail is a new format version: add files, keep the old.
// `test_agreement "[golden-write]"` writes the newest anew. The keys are those of tests/trust/golden.
//
// The second half reads them with nothing but docs/protocol.md and libsodium: none of our code.
#include <sodium.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "agreement/papers.hpp"
#include "tests/trust/trust_world.hpp"

using namespace towpath;

namespace {

std::string folder(const char* module) {
  const char* source = std::getenv("TOWPATH_SOURCE");
  return std::string(source ? source : ".") + "/tests/" + module + "/golden/";
}
Bytes file(const std::string& name, const char* module = "agreement") {
  std::ifstream in(folder(module) + name, std::ios::binary);
  INFO(name);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}
PartySecret secret(std::uint64_t seed) {
  SeededRandom random{seed};
  return PartySecret::make(random);
}
constexpr Instant kNow{std::chrono::milliseconds{1795421700000}};  // 2026-11-23T07:35:00Z
const std::string kText = "id = \"kentish-2026\"  # no whole agreement\n";

Deed deed(DeedKind kind, const std::string& issuer, std::uint64_t number, Bytes body, Instant expires = {}) {
  Deed d;
  d.kind = kind;
  d.issuer = issuer;
  d.number = number;
  d.made = kNow;
  d.expires = expires;
  d.body = std::move(body);
  return sign_deed(d, secret(issuer == "hub" ? 8440 : 100001));
}
FederationPaper federation() {
  return {"kentish",
          "Kentish Federation",
          {{"100001", "Example Primary School", {secret(100001).key(), secret(100003).key()}},
           {"100002", "Example High School", {}}},
          {{"100004", {secret(100004).key()}}}};
}
DecisionPaper decision() {
  return {"kentish-2026", 1, agreement_hash(kText), DecisionPaper::What::kApproved,
          "Headteacher, A. Example"};
}
OrderPaper order() { return {"100001", "federation:kentish", false, {2}, {300}}; }
ReceiptPaper receipt(const DeedId& about) {
  ReceiptPaper r;
  r.about = about;
  r.stream = order().stream();
  r.outcome = ReceiptPaper::Outcome::kRemoved;
  r.rows = {{3, 1, hash256("golden", bytes_of("pupil"))}, {8, 380, hash256("golden", bytes_of("marks"))}};
  r.segments = 212;
  r.references = 1;
  r.backups_gone = *Date::from_ymd(2026, 12, 28);
  return r;
}

std::map<std::string, Deed> made() {
  std::map<std::string, Deed> out;
  out["v1-agreement.deed"] = deed(DeedKind::kAgreement, "hub", 1, AgreementPaper{kText}.encode());
  out["v1-federation.deed"] = deed(DeedKind::kFederation, "hub", 2, federation().encode());
  out["v1-decision.deed"] = deed(DeedKind::kDecision, "school:100001", 1, decision().encode());
  const Deed the_order =
      deed(DeedKind::kOrder, "school:100001", 2, order().encode(), kNow + std::chrono::hours{24 * 365});
  out["v1-order.deed"] = the_order;
  OrderPaper all = order();
  all.all = true;
  out["v1-order-all.deed"] = deed(DeedKind::kOrder, "school:100001", 3, all.encode());
  out["v1-receipt.deed"] = deed(DeedKind::kReceipt, "hub", 3, receipt(the_order.id).encode());
  return out;
}

}  // namespace

TEST_CASE("the same words and keys give the same deeds as ever") {
  for (const auto& [name, d] : made()) {
    INFO(name);
    CHECK(file(name) == d.bytes);
  }
}

TEST_CASE("what was once declared is read for ever") {
  const std::vector<PartyKey> school{secret(100001).key()}, hub{secret(8440).key()};
  const auto body = [&](const char* name, const std::vector<PartyKey>& by, DeedKind kind) {
    const Deed d = read_deed(file(name)).value();
    CHECK(signed_by(d, by));
    CHECK(d.kind == kind);
    CHECK(d.made == kNow);
    return d.body;
  };
  CHECK(AgreementPaper::read(body("v1-agreement.deed", hub, DeedKind::kAgreement))->text == kText);
  const auto f = FederationPaper::read(body("v1-federation.deed", hub, DeedKind::kFederation)).value();
  CHECK(f.id == "kentish");
  REQUIRE(f.members.size() == 2);
  CHECK(f.members[0].keys == federation().members[0].keys);
  CHECK(f.members[1].name == "Example High School");
  REQUIRE(f.former.size() == 1);
  CHECK(f.former[0].urn == "100004");
  CHECK(f.former[0].keys == federation().former[0].keys);
  const auto d = DecisionPaper::read(body("v1-decision.deed", school, DeedKind::kDecision)).value();
  CHECK(d.agreement == "kentish-2026");
  CHECK(d.version == 1);
  CHECK(d.text == agreement_hash(kText));
  CHECK(d.what == DecisionPaper::What::kApproved);
  CHECK(d.by == "Headteacher, A. Example");
  const auto o = OrderPaper::read(body("v1-order.deed", school, DeedKind::kOrder)).value();
  CHECK(o.stream() == stream_id("100001", "federation:kentish"));
  CHECK_FALSE(o.all);
  CHECK(o.epoch.number == 2);
  CHECK(o.seq.number == 300);
  const auto everything = OrderPaper::read(body("v1-order-all.deed", school, DeedKind::kOrder)).value();
  CHECK(everything.all);
  CHECK(everything.epoch.number == 2);
  const auto r = ReceiptPaper::read(body("v1-receipt.deed", hub, DeedKind::kReceipt)).value();
  CHECK(r.about == read_deed(file("v1-order.deed"))->id);
  CHECK(r.rows == receipt(r.about).rows);
  CHECK(r.segments == 212);
  CHECK(r.backups_gone.iso() == "2026-12-28");
}

TEST_CASE("writes the golden deeds anew", "[.][golden-write]") {
  for (const auto& [name, d] : made()) {
    std::ofstream out(folder("agreement") + name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(d.bytes.data()), static_cast<std::streamsize>(d.bytes.size()));
    REQUIRE(out.good());
  }
}

// --- by the book: docs/protocol.md, "Deeds", and libsodium -------------------------------------
namespace {

using Text = std::string;
Text golden(const char* name, const char* module = "agreement") {
  const auto b = file(name, module);
  return {b.begin(), b.end()};
}
// hash(domain, data)
Text hash(const Text& domain, const Text& data) {
  unsigned char personal[16] = {};
  std::copy(domain.begin(), domain.end(), personal);
  unsigned char out[32];
  crypto_generichash_blake2b_salt_personal(out, 32, reinterpret_cast<const unsigned char*>(data.data()),
                                           data.size(), nullptr, 0, nullptr, personal);
  return {reinterpret_cast<const char*>(out), 32};
}
// A party's key from the file of its seed: Ed25519, then X25519.
Text party_key(const char* key_file) {
  const Text text = golden(key_file, "trust");
  Text seed(32, 0);
  REQUIRE(sodium_hex2bin(reinterpret_cast<unsigned char*>(seed.data()), 32, text.data() + text.find('\n') + 1,
                         64, nullptr, nullptr, nullptr) == 0);
  unsigned char open[32], closed[64], seal[32];
  crypto_sign_seed_keypair(open, closed,
                           reinterpret_cast<const unsigned char*>(hash("towpath signing", seed).data()));
  crypto_scalarmult_base(seal, reinterpret_cast<const unsigned char*>(hash("towpath sealing", seed).data()));
  return Text(reinterpret_cast<char*>(open), 32) + Text(reinterpret_cast<char*>(seal), 32);
}
// Takes a structure apart from its front.
struct Parts {
  Text rest;
  Text bytes(std::size_t n) {
    REQUIRE(n <= rest.size());
    const Text out = rest.substr(0, n);
    rest.erase(0, n);
    return out;
  }
  std::uint64_t little(std::size_t n) {
    const Text b = bytes(n);
    std::uint64_t v = 0;
    for (std::size_t i = n; i-- > 0;) v = v << 8 | static_cast<unsigned char>(b[i]);
    return v;
  }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
      const auto b = static_cast<unsigned char>(bytes(1)[0]);
      v |= std::uint64_t{b & 0x7fU} << shift;
      if (b < 0x80) return v;
    }
  }
  Text sized() { return bytes(static_cast<std::size_t>(varint())); }
};
// The envelope: what it says, its body.
Parts body_of(const char* name, unsigned kind, const Text& issuer, std::uint64_t number,
              std::uint64_t expires, const char* key_file) {
  const Text whole = golden(name);
  const Text said = whole.substr(0, whole.size() - 64), signature = whole.substr(said.size());
  const Text h = hash("towpath deed", said), key = party_key(key_file);
  CHECK(crypto_sign_verify_detached(reinterpret_cast<const unsigned char*>(signature.data()),
                                    reinterpret_cast<const unsigned char*>(h.data()), 32,
                                    reinterpret_cast<const unsigned char*>(key.data())) == 0);
  Parts p{said};
  CHECK(p.bytes(4) == "TPdd");
  CHECK(p.little(1) == 1);
  CHECK(p.little(1) == kind);
  CHECK(p.sized() == issuer);
  CHECK(p.varint() == number);
  CHECK(p.little(8) == 1795421700000);
  CHECK(p.little(8) == expires);
  Parts body{p.sized()};
  CHECK(p.rest.empty());
  return body;
}

}  // namespace

TEST_CASE("golden deeds are what docs/protocol.md says, read with libsodium alone") {
  const Text text = "id = \"kentish-2026\"  # no whole agreement\n";
  Parts agreement = body_of("v1-agreement.deed", 1, "hub", 1, 0, "v1-hub.key");
  CHECK(agreement.sized() == text);
  CHECK(agreement.rest.empty());

  Parts members = body_of("v1-federation.deed", 2, "hub", 2, 0, "v1-hub.key");
  CHECK(members.sized() == "kentish");
  CHECK(members.sized() == "Kentish Federation");
  CHECK(members.varint() == 2);
  CHECK(members.sized() == "100001");
  CHECK(members.sized() == "Example Primary School");
  CHECK(members.varint() == 2);
  CHECK(members.bytes(64) == party_key("v1-school.key"));
  CHECK(members.bytes(64).size() == 64);
  CHECK(members.sized() == "100002");
  CHECK(members.sized() == "Example High School");
  CHECK(members.varint() == 0);
  CHECK(members.varint() == 1);
  CHECK(members.sized() == "100004");
  CHECK(members.varint() == 1);
  CHECK(members.bytes(64).size() == 64);
  CHECK(members.rest.empty());

  Parts decided = body_of("v1-decision.deed", 3, "school:100001", 1, 0, "v1-school.key");
  CHECK(decided.sized() == "kentish-2026");
  CHECK(decided.varint() == 1);
  CHECK(decided.bytes(32) == hash("towpath agree", text));
  CHECK(decided.little(1) == 1);
  CHECK(decided.sized() == "Headteacher, A. Example");
  CHECK(decided.rest.empty());

  Parts ordered =
      body_of("v1-order.deed", 4, "school:100001", 2, 1795421700000 + 365ULL * 86'400'000, "v1-school.key");
  CHECK(ordered.sized() == "100001");
  CHECK(ordered.sized() == "federation:kentish");
  CHECK(ordered.little(1) == 0);
  CHECK(ordered.varint() == 2);
  CHECK(ordered.varint() == 300);
  CHECK(ordered.rest.empty());
  Parts all = body_of("v1-order-all.deed", 4, "school:100001", 3, 0, "v1-school.key");
  (void)all.sized(), (void)all.sized();
  CHECK(all.little(1) == 1);
  CHECK(all.varint() == 2);
  CHECK(all.rest.empty());

  Parts done = body_of("v1-receipt.deed", 5, "hub", 3, 0, "v1-hub.key");
  const Text order = golden("v1-order.deed");
  CHECK(done.bytes(16) == hash("towpath deed", order.substr(0, order.size() - 64)).substr(0, 16));
  CHECK(done.bytes(16).size() == 16);  // stream: segment-format.md
  CHECK(done.little(1) == 1);
  CHECK(done.varint() == 2);
  CHECK(done.varint() == 3);
  CHECK(done.varint() == 1);
  CHECK(done.bytes(32) == hash("golden", "pupil"));
  CHECK(done.varint() == 8);
  CHECK(done.varint() == 380);
  CHECK(done.bytes(32) == hash("golden", "marks"));
  CHECK(done.varint() == 212);
  CHECK(done.varint() == 1);
  CHECK(done.varint() == 20815);  // 2026-12-28
  CHECK(done.rest.empty());
}
