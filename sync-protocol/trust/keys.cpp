#include "trust/keys.hpp"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "trust/letters.hpp"

namespace towpath {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_SECRETKEYBYTES == 64 &&
              crypto_sign_SEEDBYTES == 32 && crypto_sign_BYTES == 64);
static_assert(crypto_scalarmult_BYTES == 32 && crypto_scalarmult_SCALARBYTES == 32);

constexpr std::string_view kFileName = "towpath secret key, version ";
constexpr std::string_view kFileHead = "towpath secret key, version 1\n";

std::optional<std::uint8_t> nibble(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}
bool from_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != out.size() * 2) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
    if (!high || !low) return false;
    out[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return true;
}

}  // namespace

std::optional<std::string> newer_file(std::string_view text, std::string_view name, unsigned known) {
  if (!text.starts_with(name)) return std::nullopt;
  text.remove_prefix(name.size());
  unsigned version = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), version);
  if (read.ec != std::errc{} || read.ptr == text.data() + text.size() || *read.ptr != '\n' ||
      version <= known)
    return std::nullopt;
  return "was written by a newer towpath (version " + std::to_string(version) + ", this program knows " +
         std::to_string(known) + ")";
}

void wipe(std::span<std::uint8_t> secret) { sodium_memzero(secret.data(), secret.size()); }
void wipe(std::string& secret) { sodium_memzero(secret.data(), secret.size()); }

std::string KeyId::text() const { return hex(bytes); }
std::optional<KeyId> KeyId::parse(std::string_view text) {
  KeyId id;
  if (!from_hex(text, id.bytes)) return std::nullopt;
  return id;
}

Bytes PartyKey::bytes() const {
  Bytes out(sign.begin(), sign.end());
  out.insert(out.end(), seal.begin(), seal.end());
  return out;
}
std::optional<PartyKey> PartyKey::from(ByteView bytes) {
  if (bytes.size() != kPartyKeyBytes) return std::nullopt;
  PartyKey key;
  std::copy_n(bytes.begin(), 32, key.sign.begin());
  std::copy_n(bytes.begin() + 32, 32, key.seal.begin());
  // A multiplication by anything tells: the result is zero for points of small order only.
  constexpr std::array<std::uint8_t, 32> kAnything{1};
  std::array<std::uint8_t, 32> result{};
  if (crypto_scalarmult(result.data(), kAnything.data(), key.seal.data()) != 0) return std::nullopt;
  return key;
}
KeyId PartyKey::id() const {
  KeyId id;
  const Hash256 hash = hash256("towpath key id", bytes());
  std::copy_n(hash.bytes.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}
std::string PartyKey::fingerprint() const {
  return letters::grouped(letters::of(letters::fingerprint_symbols(*this)));
}
bool PartyKey::signed_this(std::string_view domain, ByteView data, const Signature& signature) const {
  const Hash256 hash = hash256(domain, data);
  return crypto_sign_verify_detached(signature.bytes.data(), hash.bytes.data(), hash.bytes.size(),
                                     sign.data()) == 0;
}

PartySecret::PartySecret(std::span<const std::uint8_t, 32> seed) {
  std::copy(seed.begin(), seed.end(), seed_.begin());
  Hash256 signing = hash256("towpath signing", seed_);
  crypto_sign_seed_keypair(key_.sign.data(), sign_.data(), signing.bytes.data());
  wipe(signing.bytes);
  Hash256 sealing = hash256("towpath sealing", seed_);
  seal_ = sealing.bytes;
  wipe(sealing.bytes);
  const int done = crypto_scalarmult_base(key_.seal.data(), seal_.data());
  TP_ASSERT(done == 0);
}
PartySecret::PartySecret(PartySecret&& other) noexcept
    : seed_(other.seed_), sign_(other.sign_), seal_(other.seal_), key_(other.key_) {
  wipe(other.seed_);
  wipe(other.sign_);
  wipe(other.seal_);
}
PartySecret& PartySecret::operator=(PartySecret&& other) noexcept {
  std::swap(seed_, other.seed_);
  std::swap(sign_, other.sign_);
  std::swap(seal_, other.seal_);
  std::swap(key_, other.key_);
  return *this;
}
PartySecret::~PartySecret() {
  wipe(seed_);
  wipe(sign_);
  wipe(seal_);
}

PartySecret PartySecret::make(Random& random) {
  std::array<std::uint8_t, 32> seed;
  random.fill(seed);
  PartySecret secret{std::span<const std::uint8_t, 32>(seed)};
  wipe(seed);
  return secret;
}

PartySecret PartySecret::once(Random& random, ByteView about) const {
  std::array<std::uint8_t, 32> fresh;
  random.fill(fresh);
  Hash256 seed = Hasher("towpath once").update(fresh).update(seed_).update(about).finish();
  PartySecret secret{std::span<const std::uint8_t, 32>(seed.bytes)};
  wipe(seed.bytes);
  wipe(fresh);
  return secret;
}

Result<PartySecret> PartySecret::from_file_text(std::string_view text) {
  std::array<std::uint8_t, 32> seed{};
  const auto bad = [&] {
    wipe(seed);
    return fail(Code::kDamaged, "the file of a secret key is not as it was written",
                "Enrol this machine again with a new invitation code (towpath enrol --force), or bring the "
                "file back from a backup");
  };
  if (auto newer = newer_file(text, kFileName, 1))
    return fail(Code::kUnknownVersion, "the file of a secret key " + *newer,
                "Install the newer program again");
  if (!text.starts_with(kFileHead) || !text.ends_with('\n')) return bad();
  text.remove_prefix(kFileHead.size());
  text.remove_suffix(1);
  if (!from_hex(text, seed)) return bad();
  PartySecret secret{std::span<const std::uint8_t, 32>(seed)};
  wipe(seed);
  return secret;
}
std::string PartySecret::file_text() const {
  std::string digits = hex(seed_);
  std::string out;
  out.reserve(kFileHead.size() + digits.size() + 1);  // so that no half of it is left behind
  out.append(kFileHead).append(digits).append("\n");
  wipe(digits);
  return out;
}

Signature PartySecret::sign(std::string_view domain, ByteView data) const {
  const Hash256 hash = hash256(domain, data);
  Signature out;
  crypto_sign_detached(out.bytes.data(), nullptr, hash.bytes.data(), hash.bytes.size(), sign_.data());
  return out;
}
bool PartySecret::agree(const std::array<std::uint8_t, 32>& other, std::span<std::uint8_t, 32> out) const {
  return crypto_scalarmult(out.data(), seal_.data(), other.data()) == 0;
}

}  // namespace towpath
