// The adapter of kind "demo": an invented school instead of a MIS.
//
// In: phase, seed, pupils and day of a [[source]]. Out: every dataset of that school on
// that day, through the same door as real sources: fingerprints, files (a virtual one per
// dataset, a line a row), sorted keys. Reads nothing from disk or clock.
#pragma once

#include <memory>

#include "adapters/api/adapter.hpp"
#include "adapters/api/source_config.hpp"

namespace towpath {

// kConfig when phase, pupils or day are not possible.
[[nodiscard]] Result<std::unique_ptr<Adapter>> make_demo_adapter(const SourceConfig& config,
                                                                 const AdapterContext& context);

}  // namespace towpath
