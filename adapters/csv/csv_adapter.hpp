// Any export files, read by a mapping: this is how attendance, SEN, meals and clubs arrive.
//
// In: a folder, zip or file, and the [[source.table]]s of its configuration. Out: the
// rows of each table's dataset; several tables of one dataset are one dataset to the
// sink. A record is fingerprinted as it stands; only what the sink does not know is
// split and converted.
// A file that is missing, half-written or lacks a mapped column costs its dataset this
// run, and nothing else. Made by make_adapter(); one extract() at a time.
#pragma once

#include <memory>

#include "adapters/api/adapter.hpp"
#include "adapters/api/source_config.hpp"

namespace towpath {

// kConfig errors name the table's line in the configuration.
[[nodiscard]] Result<std::unique_ptr<Adapter>> make_csv_adapter(const SourceConfig& config,
                                                                const AdapterContext& context);

}  // namespace towpath
