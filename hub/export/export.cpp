#include "hub/export/export.hpp"

#include <algorithm>

#include "hub/export/row_text.hpp"

namespace towpath {
namespace {

// Handed on in pieces of this size: few writes, little memory.
constexpr std::size_t kPieceBytes = 64 * 1024;

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

Error no_such_dataset(const Dictionary& dictionary, const std::string& name) {
  const Dataset* nearest = nullptr;
  std::string all;
  for (const Dataset& d : dictionary.datasets) {
    if (d.local()) continue;  // no school sends it
    all += (all.empty() ? "" : ", ") + std::string(d.name);
    if (nearest == nullptr || distance(name, d.name) < distance(name, nearest->name)) nearest = &d;
  }
  const bool near =
      nearest != nullptr && distance(name, nearest->name) <= std::max<std::size_t>(2, name.size() / 3);
  return Error{Code::kUsage,
               "there is no dataset \"" + name.substr(0, 60) + "\"" +
                   (near ? "; the nearest name is " + std::string(nearest->name) : std::string{}),
               "Datasets: " + all};
}

Result<EntityNames> entities_of(Replica& replica, const Dictionary& dictionary) {
  EntityNames names;
  const Dataset* entity = dictionary.find(kEntityDataset);
  if (entity == nullptr) return names;
  std::optional<std::size_t> uuid;
  for (std::size_t i = 0; i < entity->fields.size(); ++i)
    if (entity->fields[i].type == Type::kUuid) uuid = i;
  if (!uuid) return names;
  TP_TRY(replica.each_row(*entity, [&](RowView row) -> Result<void> {  // ascending by number
    Uuid id;
    const std::string_view bytes = row[*uuid].as_text();
    if (bytes.size() != id.bytes.size()) return {};
    std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
    names.add(row[0].as_int(), id);
    return {};
  }));
  return names;
}

}  // namespace

Result<ExportReport> export_dataset(Registry& registry, const Dictionary& dictionary, const std::string& name,
                                    const std::optional<std::string>& urn, ExportFormat format,
                                    const TextSink& out) {
  const Dataset* dataset = dictionary.find(name);
  if (dataset == nullptr || dataset->local()) return fail(no_such_dataset(dictionary, name));
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
  RowText text(dictionary, *dataset, format);
  std::string piece;
  bool begun = false;
  const auto hand_on = [&]() -> Result<void> {
    TP_TRY(out(piece));
    piece.clear();
    return {};
  };
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
    Replica& r = **replica;
    TP_TRY(r.begin_reading());
    auto names = entities_of(r, dictionary);
    if (!names) return fail(std::move(names).error().during("school " + school.urn));
    if (!begun) text.header(piece);
    begun = true;
    ++report.schools;
    auto done = r.each_row(*dataset, [&](RowView row) -> Result<void> {
      text.row(school.urn, row, *names, piece);
      ++report.rows;
      return piece.size() < kPieceBytes ? Result<void>{} : hand_on();
    });
    if (!done) return fail(std::move(done).error().during("school " + school.urn));
    r.end_reading();
  }
  if (!begun) text.header(piece);  // a table without rows is a table still
  TP_TRY(hand_on());
  return report;
}

}  // namespace towpath
