// Contents that the reader accepts can be written again, and are then read to the same rows.
#include <cstdlib>
#include <memory>
#include <vector>

#include "segment/content.hpp"

using namespace towpath;

namespace {

// All rows of a content as one packed string of bytes; nothing if it is refused.
bool rows_of(ByteView content, Bytes& packed, ContentWriter* copy) {
  ContentReader reader(content);
  Block block;
  for (;;) {
    const auto more = reader.next(block);
    if (!more) return false;
    if (!*more) return true;
    if (copy) copy->begin(block.dataset, block.operation, block.fields, block.key_count);
    std::vector<Value> row(block.columns.size());
    const auto changed = std::make_unique<bool[]>(row.size());
    const std::span<bool> marks(changed.get(), row.size());
    packed.push_back(static_cast<std::uint8_t>(block.dataset));
    packed.push_back(static_cast<std::uint8_t>(block.operation));
    for (std::size_t r = 0; r < block.rows; ++r) {
      block.row(r, row, marks);
      if (copy) copy->row(row, marks);
      // By field: a column that says nothing may have been left out by the second writer.
      for (std::size_t i = 0; i < row.size(); ++i) {
        const bool update = block.operation == Operation::kUpdate;
        if (update ? !marks[i] : row[i].is_null()) continue;
        packed.push_back(block.fields[i].id);
        pack(std::span(row).subspan(i, 1), packed);
        packed.push_back(0xff);
      }
    }
    if (copy) copy->end();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kContentBytesMax) return 0;
  Bytes first, second;
  ContentWriter copy;
  if (!rows_of(ByteView(data, size), first, &copy)) return 0;
  if (!rows_of(copy.finish(), second, nullptr)) std::abort();
  if (first != second) std::abort();
  return 0;
}
