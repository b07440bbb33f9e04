#include "export/rows_out.hpp"

#include <algorithm>
#include <optional>
#include <vector>

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

Result<const Dataset*> exported_dataset(const Dictionary& dictionary, const std::string& name) {
  const Dataset* dataset = dictionary.find(name);
  if (dataset == nullptr || dataset->local()) return fail(no_such_dataset(dictionary, name));
  return dataset;
}

Result<void> RowsOut::hand_on() {
  TP_TRY(out_(piece_));
  piece_.clear();
  return {};
}

Result<std::uint64_t> RowsOut::add(const std::string& urn, Replica& replica) {
  TP_TRY(replica.begin_reading());
  const auto names = entities_of(replica, dictionary_);
  if (!names) return fail(Error(names.error()).during("school " + urn));
  if (!begun_) text_.header(piece_);
  begun_ = true;
  std::uint64_t rows = 0;
  auto done = replica.each_row(dataset_, [&](RowView row) -> Result<void> {
    text_.row(urn, row, *names, piece_);
    ++rows;
    return piece_.size() < kPieceBytes ? Result<void>{} : hand_on();
  });
  if (!done) return fail(std::move(done).error().during("school " + urn));
  replica.end_reading();
  return rows;
}

Result<void> RowsOut::finish() {
  if (!begun_) text_.header(piece_);
  begun_ = true;
  return hand_on();
}

}  // namespace towpath
