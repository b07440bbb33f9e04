// One cell, and one row of a dataset, as they pass between steps.
//
// A Value borrows its text; whoever hands a row on keeps the text alive for the
// length of the call. A row is a span of Values in the dictionary's field order,
// key fields first; its length is the dataset's field count.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"

namespace towpath {

class Value {
 public:
  enum class Kind : std::uint8_t { kNull, kInt, kText };

  constexpr Value() = default;
  constexpr Value(std::int64_t v) : int_(v), kind_(Kind::kInt) {}  // NOLINT(google-explicit-constructor)
  constexpr Value(std::string_view v)
      : text_(v), kind_(Kind::kText) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr bool is_null() const { return kind_ == Kind::kNull; }
  [[nodiscard]] constexpr std::int64_t as_int() const { return int_; }        // 0 unless kInt
  [[nodiscard]] constexpr std::string_view as_text() const { return text_; }  // empty unless kText

  friend constexpr bool operator==(const Value& a, const Value& b) {
    return a.kind_ == b.kind_ && a.int_ == b.int_ && a.text_ == b.text_;
  }
  // Null first, then integers, then text by bytes: SQLite's BINARY order.
  friend constexpr std::strong_ordering operator<=>(const Value& a, const Value& b) {
    if (a.kind_ != b.kind_) return a.kind_ <=> b.kind_;
    if (a.kind_ == Kind::kInt) return a.int_ <=> b.int_;
    return a.text_ <=> b.text_;
  }

 private:
  std::string_view text_;
  std::int64_t int_ = 0;
  Kind kind_ = Kind::kNull;
};

using RowView = std::span<const Value>;

[[nodiscard]] int compare_keys(RowView a, RowView b, std::size_t key_count);

// A row that owns its text.
class OwnedRow {
 public:
  OwnedRow() = default;
  explicit OwnedRow(RowView row);
  OwnedRow(const OwnedRow& other) : OwnedRow(other.view()) {}
  OwnedRow(OwnedRow&& other) noexcept = default;
  OwnedRow& operator=(const OwnedRow& other) {
    if (this != &other) *this = OwnedRow(other.view());
    return *this;
  }
  OwnedRow& operator=(OwnedRow&& other) noexcept = default;
  ~OwnedRow() = default;
  [[nodiscard]] RowView view() const { return values_; }

 private:
  std::unique_ptr<char[]> text_;  // stays in place when the row is moved
  std::vector<Value> values_;
};

// A row as bytes, for the change log and for hashing: for each value that is not
// null, in order: varint(position * 2 + is_text), then signed varint or sized text.
void pack(RowView row, Bytes& out);
// The inverse; `row` is sized by the caller and views into `packed`. False if damaged.
[[nodiscard]] bool unpack(ByteView packed, std::span<Value> row);

}  // namespace towpath
