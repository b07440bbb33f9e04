// What a school may have only from its hub: the shared record of the pledge, when a disk has died.
//
// At the hub: a replica's entities and its rows of the pledge's datasets, as contents that fit a
// bundle each. At the school: those rows again, in the dictionary's order. Everything else comes
// from the MIS by itself and is not sent back. Both ends derive which datasets these are from the
// dictionary: `entity`, and every dataset of which nothing may leave but under the grant PLEDGE.
// Used by hub/exchange and agent/uplink. Travels in frames 11 and 12 (docs/protocol.md).
#pragma once

#include <functional>
#include <vector>

#include "core/result.hpp"
#include "dictionary/dictionary.hpp"
#include "replica/replica.hpp"

namespace towpath {

// `entity` first, then the others by wire id.
[[nodiscard]] std::vector<const Dataset*> restored_datasets(const Dictionary& dictionary);

struct RestorePart {
  std::uint64_t parts = 0;  // in all; at least one, which may be empty
  Head head;                // the state that the rows are of: the same in every part of one answer
  Bytes content;
};
// The same replica gives the same parts. kNotFound for a part beyond the last.
[[nodiscard]] Result<RestorePart> restore_part(Replica& replica, const Dictionary& dictionary,
                                               std::uint64_t part);

// Cells of a whole row, in the dictionary's order; what did not travel is null. Rows of datasets and
// fields that this dictionary does not know are skipped: an older program can restore what it knows.
using RestoredRow = std::function<Result<void>(const Dataset& dataset, RowView row)>;
// kDamaged for what is no content, or holds anything but whole rows.
[[nodiscard]] Result<void> each_restored_row(ByteView content, const Dictionary& dictionary,
                                             const RestoredRow& visit);

}  // namespace towpath
