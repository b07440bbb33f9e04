// Bytes, and the two little machines that read and write them.
//
// Reader never reads past its end: after the first impossible read it is failed
// for good and returns zeros, so a parser checks ok() once per structure.
// Varints are LEB128, at most 10 bytes, and must be minimal.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace towpath {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

[[nodiscard]] inline ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Small magnitudes of either sign become small numbers. Wraps: defined for all.
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}
  void u8(std::uint8_t v) { out_.push_back(v); }
  void u16(std::uint16_t v) { little(v, 2); }
  void u32(std::uint32_t v) { little(v, 4); }
  void u64(std::uint64_t v) { little(v, 8); }
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      out_.push_back(static_cast<std::uint8_t>(v | 0x80));
      v >>= 7;
    }
    out_.push_back(static_cast<std::uint8_t>(v));
  }
  void signed_varint(std::int64_t v) { varint(zigzag(v)); }
  void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
  void sized(ByteView v) {  // length, then the bytes
    varint(v.size());
    bytes(v);
  }
  void sized(std::string_view v) { sized(bytes_of(v)); }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  void little(std::uint64_t v, int n) {
    for (int i = 0; i < n; ++i) out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }
  Bytes& out_;
};

class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return at_ == in_.size(); }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] std::size_t left() const { return in_.size() - at_; }
  std::uint8_t u8() { return static_cast<std::uint8_t>(little(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(little(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(little(4)); }
  std::uint64_t u64() { return little(8); }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ >= in_.size()) break;
      const std::uint8_t b = in_[at_++];
      if (shift == 63 && b > 1) break;  // would not fit 64 bits
      if (shift > 0 && b == 0) break;   // not minimal
      v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) return v;
    }
    ok_ = false;
    at_ = in_.size();
    return 0;
  }
  std::int64_t signed_varint() { return unzigzag(varint()); }
  // A view into what is read; empty and failed when there is not enough.
  ByteView bytes(std::size_t n) {
    if (!ok_ || n > left()) {
      ok_ = false;
      at_ = in_.size();
      return {};
    }
    const ByteView v = in_.subspan(at_, n);
    at_ += n;
    return v;
  }
  ByteView sized() {
    const std::uint64_t n = varint();
    if (n > left()) {
      ok_ = false;
      at_ = in_.size();
      return {};
    }
    return bytes(static_cast<std::size_t>(n));
  }
  void fail() { ok_ = false; }

 private:
  std::uint64_t little(std::size_t n) {
    const ByteView v = bytes(n);
    std::uint64_t r = 0;
    for (std::size_t i = 0; i < v.size(); ++i) r |= static_cast<std::uint64_t>(v[i]) << (8 * i);
    return r;
  }
  ByteView in_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

[[nodiscard]] std::string hex(ByteView bytes);

}  // namespace towpath
