// Fingerprints of a source's rows of one dataset, in the source's order, as the last run
// left them: read beside the new extract, they say which rows need not be parsed.
//
// Kept in the store, some thousand a chunk, and committed with the rows that they speak of,
// so that the list can never be newer or older than the tables. Only chunks that changed
// are written: a register that grows at its end rewrites one.
//
// PrintList walks the old list and writes the new one:
//   match(print)   the next source row; true if the old list holds it, here or a little later
//   unreadable()   the next source row is there but cannot be read
// After finish(), what the old list held and the source no longer gives has vanished; but what
// stood where a row is now unreadable may be that row: it is kept, in its place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "agent/store/store.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"

namespace towpath {

// How far ahead a row is looked for before it counts as new: more than a big school's session
// (1,500 rows), in about a microsecond.
inline constexpr std::size_t kPrintWindow = 4096;
inline constexpr std::size_t kPrintsPerChunk = 1024;         // 8 KB
inline constexpr std::size_t kPrintsPerChunkMax = 4 * 1024;  // a chunk grown past it is cut in two
// Numbers left free between chunks, for cuts.
inline constexpr std::int64_t kChunkStride = 256;

class PrintList {
 public:
  // `use_old` false: the old list is not looked at (first load, full comparison), only replaced.
  [[nodiscard]] static Result<PrintList> open(Store& store, std::int64_t source, std::uint16_t dataset,
                                              bool use_old);
  // Whether there is a list at all.
  [[nodiscard]] static Result<bool> exists(Store& store, std::int64_t source, std::uint16_t dataset);
  [[nodiscard]] static Result<void> drop(Store& store, std::int64_t source, std::uint16_t dataset);

  // The source's next row. True: it was there last time. The print then goes to the new list.
  [[nodiscard]] Result<bool> match(Fingerprint print);
  // A row that is in the store now, whatever the old list said.
  [[nodiscard]] Result<void> append(Fingerprint print);
  // A row stands here of which not even the key can be read.
  void unreadable() { gap_unreadable_ = true; }
  // The source's end: what is left of the old list has vanished.
  [[nodiscard]] Result<void> finish();
  // Takes one such print out of the vanished; false if there is none.
  [[nodiscard]] bool take_vanished(Fingerprint print);
  [[nodiscard]] std::uint64_t vanished_count() const { return vanished_count_; }
  // Has it vanished, or is it still ahead, unread? Then a new row may stand for it.
  [[nodiscard]] bool may_vanish(Fingerprint print) const;
  // Rows kept because one that cannot be read may be they.
  [[nodiscard]] std::uint64_t kept_count() const { return kept_count_; }
  // The new list holds a print that it should not: it must be dropped.
  [[nodiscard]] bool wrong() const { return wrong_; }
  // Prints that stay although their rows have vanished (held deletions): vanished next time too.
  [[nodiscard]] Result<void> keep_vanished();
  // Writes the new list.
  [[nodiscard]] Result<void> save();

 private:
  PrintList(Store& store, std::int64_t base, Statement read, Statement write, Statement remove)
      : store_(&store),
        base_(base),
        read_(std::move(read)),
        write_(std::move(write)),
        remove_(std::move(remove)) {}
  Result<void> fill();         // reads chunks until a window is ahead, or the list ends
  Result<void> pass_one();     // the old print at head_ is dealt with
  Result<void> close_chunk();  // writes the chunk in hand, if it is not what it was
  void vanish(Fingerprint print);

  struct OldChunk {
    std::int64_t number;
    std::size_t left;  // its prints at or after head_
  };

  Store* store_;
  std::int64_t base_;  // source << 48 | dataset << 32
  Statement read_, write_, remove_;
  std::vector<Fingerprint> window_;  // old prints read so far; before head_ dealt with
  std::size_t head_ = 0;
  std::vector<OldChunk> ahead_;  // chunks of the window, oldest first
  std::size_t ahead_head_ = 0;
  bool read_all_ = false;
  std::int64_t last_read_ = -1;     // highest chunk number read
  std::int64_t number_ = 0;         // the chunk in hand
  bool exists_ = false;             // it is in the table
  bool dirty_ = false;              // it is not what the table holds
  std::vector<Fingerprint> fresh_;  // its prints
  std::unordered_map<Fingerprint, std::uint32_t> vanished_;
  std::uint64_t vanished_count_ = 0;
  bool gap_unreadable_ = false;  // among the rows since the last one that matched
  std::unordered_map<Fingerprint, std::uint32_t> kept_;
  std::uint64_t kept_count_ = 0;
  bool wrong_ = false;
};

}  // namespace towpath
