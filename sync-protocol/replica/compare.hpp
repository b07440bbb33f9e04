// Names the rows in which two ends differ, once a dataset's digests have shown that they do.
//
// One end sends a question: its rows' hashes summed into buckets, 8 KB for a dataset of any
// size. The other end answers with its rows' keys and hashes of the first buckets that differ;
// the asker then sees which keys differ, are missing or too many. Changes nothing.
// Travels in frames of kinds 16 and 17, which a program that does not know them skips; an asker
// that gets no answer says that the dataset differs and leaves it at that.
// Used by the hub's service and the agent's verify. Layout: docs/protocol.md
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/bundle.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "rows/value.hpp"

namespace towpath {

inline constexpr std::uint8_t kBucketsQuestionFrame = 16;
inline constexpr std::uint8_t kBucketsAnswerFrame = 17;
// 570,000 marks fall into some 560 a bucket: one wrong row is found by listing 11 KB.
inline constexpr std::size_t kBuckets = 1024;
// What an answer lists at most: some 80 KB, which fits a body with room to spare.
inline constexpr std::size_t kBucketsListedMax = 64;
inline constexpr std::size_t kRowsListedMax = 4000;

// Calls back with each row's key and hash, in any order, the same each time.
using HashVisitor = std::function<Result<void>(RowView key, const Hash256& row)>;
using EachHash = std::function<Result<void>(const HashVisitor& visit)>;

struct BucketsQuestion {
  StreamId stream;
  std::uint16_t dataset = 0;
  std::array<std::uint64_t, kBuckets> sums{};

  [[nodiscard]] static Result<BucketsQuestion> about(StreamId stream, std::uint16_t dataset,
                                                     const EachHash& rows);
  [[nodiscard]] UnknownFrame frame() const;
  // None for a frame of another kind, or one that is damaged.
  [[nodiscard]] static std::optional<BucketsQuestion> from(const UnknownFrame& frame);
};

struct BucketsAnswer {
  struct Row {
    Bytes key;               // pack() of the key's cells
    std::uint64_t hash = 0;  // the first eight bytes of the row's
    friend auto operator<=>(const Row&, const Row&) = default;
  };
  StreamId stream;
  std::uint16_t dataset = 0;
  std::vector<std::uint16_t> buckets;  // whose rows are all listed, ascending
  std::vector<Row> rows;               // ascending
  bool more = false;                   // further buckets differ

  [[nodiscard]] static Result<BucketsAnswer> to(const BucketsQuestion& question, const EachHash& rows);
  [[nodiscard]] UnknownFrame frame() const;
  [[nodiscard]] static std::optional<BucketsAnswer> from(const UnknownFrame& frame);
};

// At the asker: sentences like "session_mark 20761/0/17 differs", at most `most`. Keys are
// numbers; a text in a key is not shown.
[[nodiscard]] Result<std::vector<std::string>> name_differences(const BucketsAnswer& answer,
                                                                std::string_view dataset,
                                                                const EachHash& own_rows, std::size_t most);

}  // namespace towpath
