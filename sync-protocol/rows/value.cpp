#include "rows/value.hpp"

#include <cstring>

namespace towpath {

int compare_keys(RowView a, RowView b, std::size_t key_count) {
  for (std::size_t i = 0; i < key_count; ++i) {
    const auto order = a[i] <=> b[i];
    if (order != 0) return order < 0 ? -1 : 1;
  }
  return 0;
}

OwnedRow::OwnedRow(RowView row) {
  std::size_t size = 0;
  for (const Value& v : row) size += v.as_text().size();
  text_ = std::make_unique<char[]>(size);
  char* at = text_.get();
  values_.reserve(row.size());
  for (const Value& v : row) {
    if (v.kind() != Value::Kind::kText) {
      values_.push_back(v);
      continue;
    }
    const std::string_view t = v.as_text();
    if (!t.empty()) std::memcpy(at, t.data(), t.size());
    values_.emplace_back(std::string_view(at, t.size()));
    at += t.size();
  }
}

void pack(RowView row, Bytes& out) {
  Writer w(out);
  for (std::size_t i = 0; i < row.size(); ++i) {
    switch (row[i].kind()) {
      case Value::Kind::kNull:
        break;
      case Value::Kind::kInt:
        w.varint(i * 2);
        w.signed_varint(row[i].as_int());
        break;
      case Value::Kind::kText:
        w.varint(i * 2 + 1);
        w.sized(row[i].as_text());
        break;
    }
  }
}

bool unpack(ByteView packed, std::span<Value> row) {
  for (Value& v : row) v = Value{};
  Reader r(packed);
  std::uint64_t next = 0;
  while (!r.at_end()) {
    const std::uint64_t head = r.varint();
    const std::uint64_t at = head / 2;
    if (!r.ok() || at < next || at >= row.size()) return false;
    next = at + 1;
    if (head % 2 == 0)
      row[at] = Value{r.signed_varint()};
    else
      row[at] = Value{text_of(r.sized())};
  }
  return r.ok();
}

}  // namespace towpath
