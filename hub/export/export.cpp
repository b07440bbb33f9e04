#include "hub/export/export.hpp"

namespace towpath {

Result<ExportReport> export_dataset(Registry& registry, const Dictionary& dictionary, const std::string& name,
                                    const std::optional<std::string>& urn, ExportFormat format,
                                    const TextSink& out) {
  const auto dataset = exported_dataset(dictionary, name);
  if (!dataset) return fail(dataset.error());
  std::vector<School> schools;
  if (urn) {
    auto school = registry.school(*urn);
    if (!school) return fail(std::move(school).error());
    if (!*school)
      return fail(Code::kNotFound, "school " + urn->substr(0, 12) + " is not registered",
                  "towpath-hub school list shows those that are");
    schools.push_back(**school);
  } else {
    auto all = registry.schools();
    if (!all) return fail(std::move(all).error());
    schools = std::move(*all);
  }

  ExportReport report;
  RowsOut rows(dictionary, **dataset, format, out);
  for (const School& school : schools) {
    auto replica = registry.current(school.urn);
    if (!replica) return fail(std::move(replica).error());
    if (!*replica) {
      if (urn)
        return fail(Code::kNotFound, "school " + school.urn + " has sent nothing whole yet",
                    "towpath-hub status shows how far it is");
      report.without_data.push_back(school.urn);
      continue;
    }
    const auto added = rows.add(school.urn, **replica);
    if (!added) return fail(added.error());
    ++report.schools;
    report.rows += *added;
  }
  TP_TRY(rows.finish());
  return report;
}

}  // namespace towpath
