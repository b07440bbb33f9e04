#include "agreement/deed.hpp"

#include <algorithm>
#include <charconv>

#include "agreement/words.hpp"

namespace towpath {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'T', 'P', 'd', 'd'};
constexpr std::string_view kDomain = "towpath deed";
constexpr std::string_view kSchool = "school:";
constexpr std::size_t kIssuerMax = 16;  // "school:100001"
constexpr std::size_t kSignatureBytes = 64;
// The end of the year 9999, as in bundles.
constexpr std::int64_t kInstantMax = 253'402'300'799'999;

tl::unexpected<Error> damaged(std::string what) {
  return fail(Code::kDamaged, "A deed is damaged: " + std::move(what),
              "It was not taken; its issuer has to send it again");
}

bool is_issuer(std::string_view text) {
  return text == "hub" || (text.starts_with(kSchool) && words::is_urn(text.substr(kSchool.size())));
}

void write(Writer& w, Instant at) {
  w.u64(static_cast<std::uint64_t>(std::clamp<std::int64_t>(at.time_since_epoch().count(), 0, kInstantMax)));
}
Instant read_instant(Reader& r) {
  const std::uint64_t ms = r.u64();
  if (ms > static_cast<std::uint64_t>(kInstantMax)) r.fail();
  return r.ok() ? Instant{std::chrono::milliseconds{static_cast<std::int64_t>(ms)}} : Instant{};
}

DeedId id_of(ByteView signed_part) {
  DeedId id;
  const Hash256 hash = hash256(kDomain, signed_part);
  std::copy_n(hash.bytes.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace

std::string DeedId::text() const { return hex(bytes); }
std::optional<DeedId> DeedId::parse(std::string_view text) {
  DeedId id;
  if (text.size() != id.bytes.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    const std::string_view pair = text.substr(2 * i, 2);
    const auto is_hex = [](char c) { return words::is_digit(c) || (c >= 'a' && c <= 'f'); };
    if (!is_hex(pair[0]) || !is_hex(pair[1])) return std::nullopt;
    std::from_chars(pair.data(), pair.data() + 2, id.bytes[i], 16);
  }
  return id;
}

Deed sign_deed(Deed deed, const PartySecret& issuer) {
  TP_ASSERT(is_issuer(deed.issuer));
  TP_ASSERT(deed.number > 0);
  Bytes out;
  Writer w(out);
  w.bytes(kMagic);
  w.u8(kDeedVersion);
  w.u8(static_cast<std::uint8_t>(deed.kind));
  w.sized(deed.issuer);
  w.varint(deed.number);
  write(w, deed.made);
  write(w, deed.expires);
  w.sized(deed.body);
  deed.id = id_of(out);
  deed.signature = issuer.sign(kDomain, out);
  w.bytes(deed.signature.bytes);
  TP_ASSERT(out.size() <= kDeedBytesMax);  // papers keep their limits
  deed.bytes = std::move(out);
  return deed;
}

Result<Deed> read_deed(ByteView bytes) {
  if (bytes.size() > kDeedBytesMax)
    return fail(Code::kTooLarge,
                "A deed is too large: " + std::to_string(bytes.size()) + " bytes, the limit is " +
                    std::to_string(kDeedBytesMax),
                "It was not taken; its issuer has to write a shorter one");
  if (bytes.size() < kMagic.size() || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin()))
    return damaged("it does not begin like one");
  if (bytes.size() < kMagic.size() + 1 + kSignatureBytes) return damaged("it ends too early");
  const ByteView signed_part = bytes.first(bytes.size() - kSignatureBytes);
  Reader r(signed_part);
  (void)r.bytes(kMagic.size());
  const std::uint8_t version = r.u8();
  if (version != kDeedVersion)
    return fail(Code::kUnknownVersion,
                "A deed is written in format version " + std::to_string(version) + "; this program reads " +
                    std::to_string(kDeedVersion),
                "Update towpath on this machine");
  Deed out;
  out.kind = static_cast<DeedKind>(r.u8());
  const ByteView issuer = r.sized();
  out.number = r.varint();
  out.made = read_instant(r);
  out.expires = read_instant(r);
  const ByteView body = r.sized();
  if (!r.ok() || !r.at_end()) return damaged("it is not made as it should be");
  if (issuer.size() > kIssuerMax || !is_issuer(text_of(issuer)))
    return damaged("it does not say who issued it");
  if (out.number == 0) return damaged("it has no number");
  out.issuer = text_of(issuer);
  out.body.assign(body.begin(), body.end());
  out.id = id_of(signed_part);
  std::copy_n(bytes.end() - kSignatureBytes, kSignatureBytes, out.signature.bytes.begin());
  out.bytes.assign(bytes.begin(), bytes.end());
  return out;
}

bool signed_by(const Deed& deed, std::span<const PartyKey> keys) {
  if (deed.bytes.size() < kSignatureBytes) return false;
  const ByteView signed_part = ByteView(deed.bytes).first(deed.bytes.size() - kSignatureBytes);
  return std::any_of(keys.begin(), keys.end(), [&](const PartyKey& key) {
    return key.signed_this(kDomain, signed_part, deed.signature);
  });
}

}  // namespace towpath
