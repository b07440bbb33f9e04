// The state digest: equality of both ends, checked at every segment.
//
// The sum modulo 2^256 of a hash of each row in a stream's current state. Adding and
// removing a row costs one hash, in any order. A row's hash covers its dataset's wire
// id and every field that is not null, by wire id, so that a field one side does not
// know (kept aside) counts, and a field the other side does not send does not.
// Layout: docs/segment-format.md, "State digest".
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/bytes.hpp"
#include "core/hash.hpp"
#include "rows/value.hpp"

namespace towpath {

class StateDigest {
 public:
  StateDigest() = default;
  explicit StateDigest(const Hash256& bytes);
  void add(const Hash256& row);
  void remove(const Hash256& row);
  [[nodiscard]] Hash256 value() const;  // little-endian
  friend bool operator==(const StateDigest&, const StateDigest&) = default;

 private:
  std::array<std::uint64_t, 4> limbs_{};
};

// Hashes rows of one dataset. `field_ids[i]` is the wire id of `row[i]`, ascending order not
// required of the caller: the hash takes them by ascending id.
class RowHasher {
 public:
  RowHasher(std::uint16_t dataset_id, std::span<const std::uint8_t> field_ids);
  [[nodiscard]] Hash256 operator()(RowView row);

 private:
  std::vector<std::uint8_t> ids_;     // ascending
  std::vector<std::uint16_t> order_;  // positions in ascending id order
  std::uint16_t dataset_;
  Bytes scratch_;
};

}  // namespace towpath
