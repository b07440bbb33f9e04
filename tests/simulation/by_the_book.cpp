#include "tests/simulation/by_the_book.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdio>

namespace towpath::sim {
namespace {

std::uint32_t rotated(std::uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

std::string varint_bytes(std::uint64_t value) {
  std::string out;
  for (; value > 0x7f; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  return out + static_cast<char>(value);
}

}  // namespace

// FIPS 180-4, section 6.1.
std::array<std::uint8_t, 20> sha1(std::string_view data) {
  std::string padded(data);
  padded += '\x80';
  while (padded.size() % 64 != 56) padded += '\0';
  for (int shift = 56; shift >= 0; shift -= 8)
    padded += static_cast<char>((std::uint64_t{data.size()} * 8) >> shift & 0xff);
  std::array<std::uint32_t, 5> h{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (std::size_t at = 0; at < padded.size(); at += 64) {
    std::uint32_t w[80];
    for (std::size_t t = 0; t < 80; ++t) {
      if (t >= 16) {
        w[t] = rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        continue;
      }
      w[t] = 0;
      for (std::size_t k = 0; k < 4; ++k)
        w[t] = w[t] << 8 | static_cast<unsigned char>(padded[at + 4 * t + k]);
    }
    auto [a, b, c, d, e] = h;
    for (std::size_t t = 0; t < 80; ++t) {
      const std::uint32_t f = t < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                              : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                              : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                       : (b ^ c ^ d) + 0xca62c1d6;
      const std::uint32_t next = rotated(a, 5) + f + e + w[t];
      e = d;
      d = c;
      c = rotated(b, 30);
      b = a;
      a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
  }
  std::array<std::uint8_t, 20> out{};
  for (std::size_t i = 0; i < 20; ++i) out[i] = static_cast<std::uint8_t>(h[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

std::string named_uuid(std::string_view space, std::string_view name) {
  auto hash = sha1(std::string(space) + std::string(name));
  hash[6] = static_cast<std::uint8_t>((hash[6] & 0x0f) | 0x50);
  hash[8] = static_cast<std::uint8_t>((hash[8] & 0x3f) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x", hash[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex;
  }
  return text;
}

std::string entity_uuid(std::string_view urn, std::string_view dataset, std::string_view source,
                        std::string_view id) {
  static constexpr unsigned char kSpace[] = {0x5d, 0x8f, 0x1c, 0x0a, 0x7b, 0x52, 0x4e, 0x0e,
                                             0x9a, 0x51, 0x3c, 0x64, 0xd2, 0xf0, 0xb8, 0xe7};
  std::string name;
  for (const std::string_view part : {urn, dataset, source, id})
    name += varint_bytes(part.size()) + std::string(part);
  return named_uuid({reinterpret_cast<const char*>(kSpace), sizeof kSpace}, name);
}

void RowBytes::varint(std::uint64_t value) { bytes_ += varint_bytes(value); }
void RowBytes::integer(unsigned field, std::int64_t value) {
  varint(field * 2);
  const auto bits = static_cast<std::uint64_t>(value);
  varint(value < 0 ? ~(bits << 1) : bits << 1);
}
void RowBytes::text(unsigned field, std::string_view value) {
  varint(field * 2 + 1);
  varint(value.size());
  bytes_ += value;
}

std::array<std::uint8_t, 32> RowBytes::hash() const {
  std::array<unsigned char, 16> personal{};
  constexpr std::string_view kName = "towpath row";
  std::copy(kName.begin(), kName.end(), personal.begin());
  std::array<std::uint8_t, 32> out{};
  crypto_generichash_blake2b_salt_personal(out.data(), out.size(),
                                           reinterpret_cast<const unsigned char*>(bytes_.data()),
                                           bytes_.size(), nullptr, 0, nullptr, personal.data());
  return out;
}

void SumOfHashes::add(const std::array<std::uint8_t, 32>& hash) {
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += unsigned{sum_[i]} + hash[i];
    sum_[i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

}  // namespace towpath::sim
