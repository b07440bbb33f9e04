// What both ends have to compute alike, computed from the documents with nothing of ours: the UUID of an
// entity and the state digest (docs/segment-format.md, section 5).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace towpath::sim {

[[nodiscard]] std::array<std::uint8_t, 20> sha1(std::string_view data);
// RFC 9562 version 5, as 32 small hex digits in 8-4-4-4-12.
[[nodiscard]] std::string named_uuid(std::string_view space_16_bytes, std::string_view name);
// Of what a school's source calls `id`, in towpath's name space.
[[nodiscard]] std::string entity_uuid(std::string_view urn, std::string_view dataset, std::string_view source,
                                      std::string_view id);

// The bytes of a row whose hash is summed: fields in ascending order of their ids.
class RowBytes {
 public:
  explicit RowBytes(unsigned dataset) { varint(dataset); }
  void integer(unsigned field, std::int64_t value);
  void text(unsigned field, std::string_view value);
  [[nodiscard]] std::array<std::uint8_t, 32> hash() const;

 private:
  void varint(std::uint64_t value);
  std::string bytes_;
};

// The sum modulo 2^256, lowest byte first.
class SumOfHashes {
 public:
  void add(const std::array<std::uint8_t, 32>& hash);
  [[nodiscard]] const std::array<std::uint8_t, 32>& value() const { return sum_; }

 private:
  std::array<std::uint8_t, 32> sum_{};
};

}  // namespace towpath::sim
