#include "agent/store/change_log.hpp"

namespace towpath {
namespace {

// Integers: one byte that says sign and length, then the magnitude, big-endian (complemented when
// negative). Text: the bytes with 0 written as 0 255, ended by 0 0; after all integers.
constexpr std::uint8_t kZero = 0x40;
constexpr std::uint8_t kText = 0x80;

void ordered_int(std::int64_t v, Bytes& out) {
  const bool negative = v < 0;
  std::uint64_t m = negative ? ~static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
  int n = 0;
  for (std::uint64_t x = m; x != 0; x >>= 8) ++n;
  out.push_back(static_cast<std::uint8_t>(negative ? kZero - 1 - n : kZero + n));
  for (int i = n - 1; i >= 0; --i) {
    const auto b = static_cast<std::uint8_t>(m >> (8 * i));
    out.push_back(negative ? static_cast<std::uint8_t>(~b) : b);
  }
}

}  // namespace

void ordered_key(RowView key, Bytes& out) {
  for (const Value& v : key) {
    TP_ASSERT(!v.is_null());
    if (v.kind() == Value::Kind::kInt) {
      ordered_int(v.as_int(), out);
      continue;
    }
    out.push_back(kText);
    for (const char c : v.as_text()) {
      out.push_back(static_cast<std::uint8_t>(c));
      if (c == 0) out.push_back(0xff);
    }
    out.push_back(0);
    out.push_back(0);
  }
}

bool read_ordered_key(ByteView bytes, std::span<Value> key, Bytes& text) {
  text.clear();
  text.reserve(bytes.size());  // values view into it: it must not move
  std::size_t at = 0;
  for (Value& v : key) {
    if (at >= bytes.size()) return false;
    const std::uint8_t head = bytes[at++];
    if (head == kText) {
      const std::size_t begin = text.size();
      for (;;) {
        if (at >= bytes.size()) return false;
        const std::uint8_t b = bytes[at++];
        if (b != 0) {
          text.push_back(b);
          continue;
        }
        if (at >= bytes.size()) return false;
        const std::uint8_t next = bytes[at++];
        if (next == 0) break;
        if (next != 0xff) return false;
        text.push_back(0);
      }
      v = Value{text_of(ByteView(text).subspan(begin))};
      continue;
    }
    const bool negative = head < kZero;
    const int n = negative ? kZero - 1 - head : head - kZero;
    if (n < 0 || n > 8 || bytes.size() - at < static_cast<std::size_t>(n)) return false;
    std::uint64_t m = 0;
    for (int i = 0; i < n; ++i) {
      const std::uint8_t b = bytes[at++];
      m = m << 8 | (negative ? static_cast<std::uint8_t>(~b) : b);
    }
    v = Value{static_cast<std::int64_t>(negative ? ~m : m)};
  }
  return at == bytes.size();
}

Result<ChangeLog> ChangeLog::open(Store& store) {
  auto insert = store.db().prepare("INSERT OR IGNORE INTO change(dataset,key,run,old) VALUES(?1,?2,?3,?4)");
  if (!insert) return fail(std::move(insert).error());
  return ChangeLog(std::move(*insert));
}

Result<void> ChangeLog::record(const Dataset& dataset, std::int64_t run, RowView key,
                               const std::optional<RowView>& old) {
  key_.clear();
  ordered_key(key, key_);
  auto use = insert_.use();
  use.bind(1, std::int64_t{dataset.id});
  use.bind_blob(2, key_);
  use.bind(3, run);
  if (old) {
    old_.clear();
    pack(*old, old_);
    use.bind_blob(4, old_);
  }
  return use.run();
}

Result<void> ChangeLog::record_all_new(const Dataset& dataset, std::int64_t run) {
  auto use = insert_.use();
  use.bind(1, std::int64_t{dataset.id});
  use.bind_blob(2, {});
  use.bind(3, run);
  return use.run();
}

}  // namespace towpath
