// A school's roster from a OneRoster 1.1 or 1.2 CSV package, or one much like it.
//
// In: a folder or zip. Out: school, pupil, staff, group, group_membership, enrolment.
// manifest.csv decides which files are complete and which hold changes only; without
// one every file is taken as complete, and a notice says so. A package of several
// schools needs `org`; otherwise extract() fails with kChoice and the list.
// How each OneRoster record becomes a row, and what does not, is in README.md.
#pragma once

#include <memory>

#include "adapters/api/adapter.hpp"
#include "adapters/api/source_config.hpp"

namespace towpath {

[[nodiscard]] Result<std::unique_ptr<Adapter>> make_oneroster_csv_adapter(const SourceConfig& config,
                                                                          const AdapterContext& context);

}  // namespace towpath
