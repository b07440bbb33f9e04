// Fetches what only the hub still has of this school, and puts it into the store.
//
// In: a way to ask the hub. Out: the store with the pledge's rows and the entities that they speak
// of, committed at once after all parts have come; or as it was. Parts of different states of the
// hub are never mixed. Called by the CLI (enrol, restore), before anything is published.
#pragma once

#include <functional>

#include "agent/store/restore.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"

namespace towpath {

// 14 MB: some million participations, more than a large school's pupils make in ten years.
inline constexpr std::uint64_t kRestorePartsMax = 64;
// The hub's state changes only when this school speaks; more often than once is a quarrel.
inline constexpr int kRestoreBeginningsMax = 3;

// Sends one frame (after hello and head) and opens the answer.
using AskHub = std::function<Result<Bundle>(Frame question)>;

[[nodiscard]] Result<RestoreCounts> restore_from_hub(Store& store, StreamId stream, Instant now,
                                                     const AskHub& ask);

}  // namespace towpath
