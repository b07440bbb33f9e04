#include "replica/compare.hpp"

#include <algorithm>

namespace towpath {
namespace {

// Cells of a key at most; what a packed key is read into.
constexpr std::size_t kKeyCellsMax = 16;
constexpr std::size_t kKeyBytesMax = 1024;

std::uint64_t short_hash(const Hash256& h) {
  std::uint64_t v = 0;
  for (int i = 0; i < 8; ++i) v |= std::uint64_t{h.bytes[static_cast<std::size_t>(i)]} << (8 * i);
  return v;
}

std::uint16_t bucket_of(ByteView key) {
  const Hash256 h = hash256("towpath.bucket", key);
  return static_cast<std::uint16_t>((unsigned{h.bytes[0]} | unsigned{h.bytes[1]} << 8) % kBuckets);
}

Result<void> sum_up(const EachHash& rows, std::array<std::uint64_t, kBuckets>& sums) {
  Bytes key;
  return rows([&](RowView cells, const Hash256& row) -> Result<void> {
    key.clear();
    pack(cells, key);
    sums[bucket_of(key)] += short_hash(row);
    return {};
  });
}

std::string shown(ByteView key) {
  std::array<Value, kKeyCellsMax> cells;
  if (!unpack(key, cells)) return "?";
  std::size_t n = cells.size();
  while (n > 0 && cells[n - 1].is_null()) --n;
  std::string text;
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) text += '/';
    text += cells[i].kind() == Value::Kind::kInt ? std::to_string(cells[i].as_int()) : "-";
  }
  return text;
}

}  // namespace

Result<BucketsQuestion> BucketsQuestion::about(StreamId stream, std::uint16_t dataset, const EachHash& rows) {
  BucketsQuestion question{stream, dataset, {}};
  TP_TRY(sum_up(rows, question.sums));
  return question;
}

UnknownFrame BucketsQuestion::frame() const {
  UnknownFrame f{kBucketsQuestionFrame, {}};
  Writer w(f.payload);
  w.bytes(stream.uuid.bytes);
  w.u16(dataset);
  for (const std::uint64_t sum : sums) w.u64(sum);
  return f;
}

std::optional<BucketsQuestion> BucketsQuestion::from(const UnknownFrame& frame) {
  if (frame.kind != kBucketsQuestionFrame) return std::nullopt;
  BucketsQuestion question;
  Reader r(frame.payload);
  const ByteView stream = r.bytes(question.stream.uuid.bytes.size());
  std::copy(stream.begin(), stream.end(), question.stream.uuid.bytes.begin());
  question.dataset = r.u16();
  for (std::uint64_t& sum : question.sums) sum = r.u64();
  if (!r.ok() || !r.at_end()) return std::nullopt;
  return question;
}

Result<BucketsAnswer> BucketsAnswer::to(const BucketsQuestion& question, const EachHash& rows) {
  std::array<std::uint64_t, kBuckets> sums{};
  TP_TRY(sum_up(rows, sums));
  BucketsAnswer answer{question.stream, question.dataset, {}, {}, false};
  std::array<bool, kBuckets> listed{};
  for (std::size_t b = 0; b < kBuckets; ++b) {
    if (sums[b] == question.sums[b]) continue;
    if (answer.buckets.size() == kBucketsListedMax) {
      answer.more = true;
      break;
    }
    answer.buckets.push_back(static_cast<std::uint16_t>(b));
    listed[b] = true;
  }
  if (answer.buckets.empty()) return answer;
  std::vector<std::vector<Row>> by_bucket(kBuckets);
  Bytes key;
  TP_TRY(rows([&](RowView cells, const Hash256& row) -> Result<void> {
    key.clear();
    pack(cells, key);
    const std::uint16_t b = bucket_of(key);
    // One more than may be listed is enough to know that a bucket does not fit.
    if (listed[b] && key.size() <= kKeyBytesMax && by_bucket[b].size() <= kRowsListedMax)
      by_bucket[b].push_back({key, short_hash(row)});
    return {};
  }));
  std::vector<std::uint16_t> whole;
  for (const std::uint16_t b : answer.buckets) {
    if (answer.rows.size() + by_bucket[b].size() > kRowsListedMax) {
      answer.more = true;
      continue;
    }
    whole.push_back(b);
    std::move(by_bucket[b].begin(), by_bucket[b].end(), std::back_inserter(answer.rows));
  }
  answer.buckets = std::move(whole);
  std::sort(answer.rows.begin(), answer.rows.end());
  return answer;
}

UnknownFrame BucketsAnswer::frame() const {
  UnknownFrame f{kBucketsAnswerFrame, {}};
  Writer w(f.payload);
  w.bytes(stream.uuid.bytes);
  w.u16(dataset);
  w.u8(more ? 1 : 0);
  w.varint(buckets.size());
  for (const std::uint16_t b : buckets) w.u16(b);
  w.varint(rows.size());
  for (const Row& row : rows) {
    w.sized(row.key);
    w.u64(row.hash);
  }
  return f;
}

std::optional<BucketsAnswer> BucketsAnswer::from(const UnknownFrame& frame) {
  if (frame.kind != kBucketsAnswerFrame) return std::nullopt;
  BucketsAnswer answer;
  Reader r(frame.payload);
  const ByteView stream = r.bytes(answer.stream.uuid.bytes.size());
  std::copy(stream.begin(), stream.end(), answer.stream.uuid.bytes.begin());
  answer.dataset = r.u16();
  answer.more = r.u8() != 0;
  const std::uint64_t buckets = r.varint();
  if (!r.ok() || buckets > kBucketsListedMax) return std::nullopt;
  for (std::uint64_t i = 0; i < buckets; ++i) {
    answer.buckets.push_back(r.u16());
    if (answer.buckets.back() >= kBuckets) return std::nullopt;
  }
  const std::uint64_t rows = r.varint();
  if (!r.ok() || rows > kRowsListedMax) return std::nullopt;
  for (std::uint64_t i = 0; i < rows && r.ok(); ++i) {
    const ByteView key = r.sized();
    if (key.size() > kKeyBytesMax) return std::nullopt;
    answer.rows.push_back({Bytes(key.begin(), key.end()), r.u64()});
  }
  if (!r.ok() || !r.at_end() || !std::is_sorted(answer.rows.begin(), answer.rows.end())) return std::nullopt;
  return answer;
}

Result<std::vector<std::string>> name_differences(const BucketsAnswer& answer, std::string_view dataset,
                                                  const EachHash& own_rows, std::size_t most) {
  std::vector<std::string> named;
  const auto name = [&](ByteView key, const char* how) {
    if (named.size() < most) named.push_back(std::string(dataset) + " " + shown(key) + how);
  };
  std::vector<bool> met(answer.rows.size());
  Bytes key;
  TP_TRY(own_rows([&](RowView cells, const Hash256& row) -> Result<void> {
    key.clear();
    pack(cells, key);
    if (!std::binary_search(answer.buckets.begin(), answer.buckets.end(), bucket_of(key))) return {};
    const auto at = std::lower_bound(answer.rows.begin(), answer.rows.end(), BucketsAnswer::Row{key, 0});
    if (at == answer.rows.end() || at->key != key) {
      name(key, " is only here");
      return {};
    }
    met[static_cast<std::size_t>(at - answer.rows.begin())] = true;
    if (at->hash != short_hash(row)) name(key, " differs");
    return {};
  }));
  for (std::size_t i = 0; i < met.size(); ++i)
    if (!met[i]) name(answer.rows[i].key, " is only at the other end");
  return named;
}

}  // namespace towpath
