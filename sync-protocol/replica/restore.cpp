#include "replica/restore.hpp"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "segment/content.hpp"

namespace towpath {
namespace {

// Content that does not shrink further still leaves room in a body of 256 KB.
constexpr std::size_t kPartBytes = 220 * 1024;
constexpr std::string_view kGrant = "PLEDGE";

bool is_pledge(const Dataset& dataset) {
  return std::all_of(dataset.fields.begin(), dataset.fields.end(),
                     [](const Field& f) { return f.grant.empty() || f.grant == kGrant; }) &&
         std::any_of(dataset.fields.begin(), dataset.fields.end(),
                     [](const Field& f) { return f.grant == kGrant; });
}

std::vector<WireField> wire_fields(const Dataset& dataset) {
  std::vector<WireField> fields;
  for (const Field& f : dataset.fields) fields.push_back({f.id, is_text(f.type)});
  return fields;
}

// The numbers that the pledge's rows speak of. Everybody else is named by the MIS, or by nobody.
Result<std::unordered_set<std::int64_t>> entities_of(Replica& replica,
                                                     const std::vector<const Dataset*>& datasets) {
  std::unordered_set<std::int64_t> numbers;
  for (const Dataset* dataset : datasets) {
    if (dataset->name == kEntityDataset) continue;
    TP_TRY(replica.each_row(*dataset, [&](RowView row) -> Result<void> {
      for (std::size_t i = 0; i < row.size(); ++i)
        if (const Type type = dataset->fields[i].type;
            (type == Type::kEntity || type == Type::kRef) && !row[i].is_null())
          numbers.insert(row[i].as_int());
      return {};
    }));
  }
  return numbers;
}

}  // namespace

std::vector<const Dataset*> restored_datasets(const Dictionary& dictionary) {
  std::vector<const Dataset*> out;
  for (const Dataset& d : dictionary.datasets)
    if (is_pledge(d)) out.push_back(&d);
  std::sort(out.begin(), out.end(), [](const Dataset* a, const Dataset* b) { return a->id < b->id; });
  // Nothing can be spoken of without it.
  if (const Dataset* entity = dictionary.find(kEntityDataset)) out.insert(out.begin(), entity);
  return out;
}

Result<RestorePart> restore_part(Replica& replica, const Dictionary& dictionary, std::uint64_t part) {
  RestorePart out;
  out.head = replica.head();
  ContentWriter writer;
  bool open = false;
  // Walked whole each time: a school's pledge is some ten thousand rows and asked for once in years.
  const auto cut = [&] {
    if (open) writer.end();
    open = false;
    Bytes content = writer.finish();
    if (out.parts == part) out.content = std::move(content);
    ++out.parts;
  };
  const std::vector<const Dataset*> datasets = restored_datasets(dictionary);
  const auto spoken_of = entities_of(replica, datasets);
  if (!spoken_of) return fail(spoken_of.error());
  for (const Dataset* dataset : datasets) {
    const std::vector<WireField> fields = wire_fields(*dataset);
    const bool entity = dataset->name == kEntityDataset;
    TP_TRY(replica.each_row(*dataset, [&](RowView row) -> Result<void> {
      if (entity && !spoken_of->contains(row[0].as_int())) return {};
      if (writer.bytes_bound() > kPartBytes || writer.cells() + row.size() > kCellsMax) cut();
      if (!open) writer.begin(dataset->id, Operation::kInsert, fields, dataset->key_count);
      open = true;
      writer.row(row);
      return {};
    }));
    if (open) writer.end();
    open = false;
  }
  if (writer.rows() > 0 || out.parts == 0) cut();
  if (part >= out.parts)
    return fail(Code::kNotFound, "there are " + std::to_string(out.parts) + " parts to restore, not " +
                                     std::to_string(part + 1));
  return out;
}

Result<void> each_restored_row(ByteView content, const Dictionary& dictionary, const RestoredRow& visit) {
  const auto wanted = restored_datasets(dictionary);
  ContentReader reader(content);
  Block block;
  for (;;) {
    auto more = reader.next(block);
    if (!more) return fail(std::move(more).error());
    if (!*more) return {};
    if (block.operation != Operation::kInsert)
      return fail(Code::kDamaged, "what is to be restored holds changes instead of rows");
    const auto at =
        std::find_if(wanted.begin(), wanted.end(), [&](const Dataset* d) { return d->id == block.dataset; });
    if (at == wanted.end()) continue;
    const Dataset& dataset = **at;
    // Where each column goes; a field of the wrong kind is one that we do not know.
    std::vector<std::optional<std::size_t>> positions;
    for (const WireField& f : block.fields) {
      auto position = dataset.position_of_id(f.id);
      if (position && is_text(dataset.fields[*position].type) != f.text) position.reset();
      positions.push_back(position);
    }
    std::vector<Value> cells(block.fields.size()), row(dataset.fields.size());
    const auto unused = std::make_unique<bool[]>(block.fields.size());
    for (std::size_t r = 0; r < block.rows; ++r) {
      block.row(r, cells, std::span<bool>(unused.get(), block.fields.size()));
      std::fill(row.begin(), row.end(), Value{});
      for (std::size_t i = 0; i < cells.size(); ++i)
        if (positions[i]) row[*positions[i]] = cells[i];
      for (std::size_t k = 0; k < dataset.key_count; ++k)
        if (row[k].is_null()) return fail(Code::kDamaged, "a row that is to be restored lacks its key");
      TP_TRY(visit(dataset, row));
    }
  }
}

}  // namespace towpath
