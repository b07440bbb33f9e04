#include "segment/digest.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/result.hpp"

namespace towpath {
namespace {

std::array<std::uint64_t, 4> limbs_of(const Hash256& h) {
  std::array<std::uint64_t, 4> limbs{};
  for (std::size_t i = 0; i < 32; ++i) limbs[i / 8] |= std::uint64_t{h.bytes[i]} << (8 * (i % 8));
  return limbs;
}

}  // namespace

StateDigest::StateDigest(const Hash256& bytes) : limbs_(limbs_of(bytes)) {}

void StateDigest::add(const Hash256& row) {
  const auto other = limbs_of(row);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t with = limbs_[i] + carry;
    carry = with < carry ? 1U : 0U;
    limbs_[i] = with + other[i];
    carry += limbs_[i] < with ? 1U : 0U;
  }
}

void StateDigest::remove(const Hash256& row) {
  const auto other = limbs_of(row);
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t without = limbs_[i] - borrow;
    borrow = limbs_[i] < borrow ? 1U : 0U;
    borrow += without < other[i] ? 1U : 0U;
    limbs_[i] = without - other[i];
  }
}

Hash256 StateDigest::value() const {
  Hash256 h;
  for (std::size_t i = 0; i < 32; ++i) h.bytes[i] = static_cast<std::uint8_t>(limbs_[i / 8] >> (8 * (i % 8)));
  return h;
}

RowHasher::RowHasher(std::uint16_t dataset_id, std::span<const std::uint8_t> field_ids)
    : order_(field_ids.size()), dataset_(dataset_id) {
  std::iota(order_.begin(), order_.end(), std::uint16_t{0});
  std::sort(order_.begin(), order_.end(),
            [&](std::uint16_t a, std::uint16_t b) { return field_ids[a] < field_ids[b]; });
  for (const std::uint16_t at : order_) ids_.push_back(field_ids[at]);
  for (std::size_t i = 1; i < ids_.size(); ++i) TP_ASSERT(ids_[i - 1] != ids_[i]);
}

Hash256 RowHasher::operator()(RowView row) {
  TP_ASSERT(row.size() == order_.size());
  scratch_.clear();
  Writer w(scratch_);
  w.varint(dataset_);
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const Value& v = row[order_[i]];
    if (v.is_null()) continue;
    const bool text = v.kind() == Value::Kind::kText;
    w.varint(std::uint64_t{ids_[i]} * 2 + (text ? 1 : 0));
    if (text)
      w.sized(v.as_text());
    else
      w.signed_varint(v.as_int());
  }
  return hash256("towpath row", scratch_);
}

}  // namespace towpath
