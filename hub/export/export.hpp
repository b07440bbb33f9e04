// A dataset of one school or of all, for people's own tools: CSV or NDJSON.
//
// In: the newest complete state of each school. Out: rows in key order, school after school by
// URN, handed on as they are read, so that memory does not grow with the data. Each school's
// rows are of one moment, while exchanges go on. Changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "dictionary/dictionary.hpp"
#include "export/rows_out.hpp"
#include "hub/registry/registry.hpp"

namespace towpath {

struct ExportReport {
  std::uint64_t schools = 0, rows = 0;
  std::vector<std::string> without_data;  // URNs of schools that have sent nothing whole yet
};

// kUsage where there is no such dataset (the nearest is named), kNotFound for a school that is
// not registered or, if it is asked for alone, has sent nothing whole yet.
[[nodiscard]] Result<ExportReport> export_dataset(Registry& registry, const Dictionary& dictionary,
                                                  const std::string& dataset,
                                                  const std::optional<std::string>& urn, ExportFormat format,
                                                  const TextSink& out);

}  // namespace towpath
