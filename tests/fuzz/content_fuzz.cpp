// Hostile contents: the reader ends, stays within its limits, and what it accepts is in order.
#include <cstdlib>
#include <memory>

#include "segment/content.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kContentBytesMax) return 0;
  ContentReader reader(ByteView(data, size));
  Block block;
  std::size_t cells = 0;
  for (;;) {
    const auto more = reader.next(block);
    if (!more || !*more) return 0;
    cells += block.rows * block.columns.size();
    if (cells > kCellsMax) std::abort();
    std::vector<Value> row(block.columns.size()), before;
    const auto changed = std::make_unique<bool[]>(row.size());
    for (std::size_t r = 0; r < block.rows; ++r) {
      block.row(r, row, std::span<bool>(changed.get(), row.size()));
      if (r > 0 && compare_keys(before, row, block.key_count) >= 0) std::abort();
      before = row;
      // Touch the text: a view outside of the block's memory is found by the sanitizer.
      for (const Value& v : row)
        if (v.as_text().size() > kTextBytesMax ||
            (!v.as_text().empty() && v.as_text().back() == v.as_text()[0] + 1000))
          std::abort();
    }
  }
}
