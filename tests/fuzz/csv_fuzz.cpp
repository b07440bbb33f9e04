// Hostile CSV, in blocks of odd sizes: the reader ends, and each record has as many cells as the
// header. Read in other blocks, it is the same.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "adapters/text/csv_reader.hpp"
#include "core/bytes.hpp"

using namespace towpath;

namespace {

class Memory final : public ByteSource {
 public:
  Memory(std::string_view text, std::size_t step) : text_(text), step_(step) {}
  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t n = std::min({into.size(), step_, text_.size()});
    std::memcpy(into.data(), text_.data(), n);
    text_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view text_;
  std::size_t step_;
};

std::string all_of(std::string_view text, const CsvOptions& options, std::size_t step) {
  std::string seen;
  CsvReader reader(std::make_unique<Memory>(text, step), options);
  if (!reader.read_header()) return "no header";
  for (std::size_t n = 0;; ++n) {
    const auto more = reader.next_record();
    if (!more) return seen + "E" + std::string(name(more.error().code()));
    if (!*more) return seen + "." + std::to_string(reader.records());
    if (n > text.size()) std::abort();  // a record has at least a byte
    const auto cells = reader.fields();
    if (cells) {
      if (cells->size() != reader.header().size()) std::abort();
      for (const std::string_view cell : *cells) {
        if (!is_utf8(cell)) std::abort();
        seen.append(cell).push_back('\0');
      }
    } else {
      seen.append(cells.error().rule).push_back('\1');
    }
    seen.append(reader.raw_to_keep()).push_back('\2');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  CsvOptions options;
  options.name = "fuzz.csv";
  options.delimiter = data[0] & 1 ? ';' : ',';
  options.encoding = data[0] & 2 ? TextEncoding::kWindows1252 : TextEncoding::kUtf8;
  options.limits.block_bytes = 64;
  options.limits.record_bytes = 512;
  options.limits.columns = 16;
  const std::string_view text = text_of(ByteView(data, size).subspan(1));
  const std::string whole = all_of(text, options, 1 << 20);
  if (all_of(text, options, 1 + data[0] % 31U) != whole) std::abort();
  return 0;
}
