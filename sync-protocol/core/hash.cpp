#include "core/hash.hpp"

#include <Poco/SHA1Engine.h>
#include <sodium.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "core/result.hpp"

namespace towpath {
namespace {

static_assert(sizeof(crypto_generichash_state) <= 512);
static_assert(crypto_generichash_blake2b_PERSONALBYTES == 16);

bool sodium_ready() {
  static const bool ready = sodium_init() >= 0;
  return ready;
}

std::array<unsigned char, 16> personal(std::string_view domain) {
  TP_ASSERT(domain.size() <= 16);
  std::array<unsigned char, 16> p{};
  std::copy(domain.begin(), domain.end(), p.begin());
  return p;
}

}  // namespace

std::string Hash256::hex() const { return towpath::hex(bytes); }

Hash256 hash256(std::string_view domain, ByteView data) {
  TP_ASSERT(sodium_ready());
  Hash256 out;
  const auto p = personal(domain);
  crypto_generichash_blake2b_salt_personal(out.bytes.data(), out.bytes.size(), data.data(), data.size(),
                                           nullptr, 0, nullptr, p.data());
  return out;
}

Hasher::Hasher(std::string_view domain) {
  TP_ASSERT(sodium_ready());
  const auto p = personal(domain);
  auto* state = new (state_.data()) crypto_generichash_state;
  crypto_generichash_blake2b_init_salt_personal(state, nullptr, 0, sizeof(Hash256::bytes), nullptr, p.data());
}
Hasher& Hasher::update(ByteView data) {
  crypto_generichash_update(reinterpret_cast<crypto_generichash_state*>(state_.data()), data.data(),
                            data.size());
  return *this;
}
Hash256 Hasher::finish() {
  Hash256 out;
  crypto_generichash_final(reinterpret_cast<crypto_generichash_state*>(state_.data()), out.bytes.data(),
                           out.bytes.size());
  return out;
}

Fingerprint fingerprint(std::string_view data, std::uint64_t seed) {
  return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

std::string Uuid::text() const {
  std::string h = towpath::hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) h.insert(at, 1, '-');
  return h;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid out;
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return std::nullopt;
      continue;
    }
    int v = 0;
    if (c >= '0' && c <= '9')
      v = c - '0';
    else if (c >= 'a' && c <= 'f')
      v = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      v = c - 'A' + 10;
    else
      return std::nullopt;
    out.bytes[n / 2] = static_cast<std::uint8_t>(out.bytes[n / 2] << 4 | v);
    ++n;
  }
  return out;
}

Uuid Uuid::named(const Uuid& space, std::string_view name) {
  Poco::SHA1Engine sha1;
  sha1.update(space.bytes.data(), space.bytes.size());
  sha1.update(name.data(), name.size());
  const auto& digest = sha1.digest();
  Uuid out;
  std::copy_n(digest.begin(), out.bytes.size(), out.bytes.begin());
  out.bytes[6] = static_cast<std::uint8_t>((out.bytes[6] & 0x0f) | 0x50);
  out.bytes[8] = static_cast<std::uint8_t>((out.bytes[8] & 0x3f) | 0x80);
  return out;
}

// Random, once; changing it would rename every entity of every school.
const Uuid kTowpathSpace = *Uuid::parse("5d8f1c0a-7b52-4e0e-9a51-3c64d2f0b8e7");

}  // namespace towpath
