#include <algorithm>
#include <numeric>
#include <string>

#include "segment/columns.hpp"
#include "segment/content.hpp"

namespace towpath {

using namespace codec;

namespace {

tl::unexpected<Error> damaged(std::string what) {
  return fail(Code::kDamaged, "The content of a segment is damaged: " + std::move(what),
              "Nothing of it was applied; it will be asked for again");
}
tl::unexpected<Error> too_large(std::string what) {
  return fail(Code::kTooLarge, "A segment holds more than is allowed: " + std::move(what),
              "Nothing of it was applied; its sender has to cut it smaller");
}

// Text is appended to the block's pool while it may still move; views are made at the end.
// Until then a text cell holds offset << 32 | length as its integer.
std::int64_t place_of(std::size_t offset, std::size_t length) {
  return static_cast<std::int64_t>(std::uint64_t{offset} << 32 | length);
}

}  // namespace

std::size_t coded_tail(ByteView content) {
  Reader r(content);
  const ByteView plain = r.sized();
  return r.ok() && !plain.empty() ? r.left() : 0;
}

struct ContentReader::State {
  explicit State(ByteView content) : outer(content), plain(outer.sized()), in(plain), coder(tail()) {}
  ByteView tail() { return outer.ok() ? outer.bytes(outer.left()) : ByteView{}; }

  Reader outer;
  ByteView plain;
  Reader in;
  Decoder coder;
  std::size_t cells = 0;
  std::int64_t last = -1;

  RowContext context;
  std::vector<std::uint32_t> all, meant, valued;
  std::vector<std::uint8_t> symbols;
  std::vector<std::int64_t> numbers;

  Result<void> column(Block& out, std::size_t index);
  Result<void> integers(Encoding encoding, Block::Column& column);
  Result<void> texts(Encoding encoding, Block& out, Block::Column& column);
  Result<void> table(std::uint8_t tag, bool text, Block& out, Block::Column& column);
  // One value; kNull and in.ok() == false where there is none.
  std::int64_t value(bool text, Block& out);
  void map(std::span<const std::uint32_t> over, std::vector<std::uint32_t>& present);
};

ContentReader::ContentReader(ByteView content) : state_(std::make_unique<State>(content)) {}
ContentReader::~ContentReader() = default;
ContentReader::ContentReader(ContentReader&&) noexcept = default;
ContentReader& ContentReader::operator=(ContentReader&&) noexcept = default;

Result<bool> ContentReader::next(Block& out) {
  State& s = *state_;
  out.fields.clear();
  out.columns.clear();
  out.text.clear();
  out.rows = 0;
  if (!s.outer.ok()) return damaged("it ends within its first part");
  if (s.in.ok() && s.in.at_end()) {
    if (!s.coder.ended()) return damaged("its coded bits are not used up");
    return false;
  }
  const std::uint64_t head = s.in.varint();
  const std::uint64_t rows = s.in.varint();
  const std::size_t key_count = s.in.u8();
  const std::size_t columns = s.in.u8();
  if (!s.in.ok()) return damaged("it ends within a block's header");
  if (head > 0xffff * 4 + 2 || head % 4 > 2) return damaged("a block of no known operation");
  if (static_cast<std::int64_t>(head) <= s.last) return damaged("its blocks are out of order");
  s.last = static_cast<std::int64_t>(head);
  if (columns > kColumnsMax) return too_large("a block of " + std::to_string(columns) + " columns");
  if (rows > kCellsMax || (s.cells += static_cast<std::size_t>(rows) * columns) > kCellsMax)
    return too_large("more than " + std::to_string(kCellsMax) + " cells");
  out.dataset = static_cast<std::uint16_t>(head / 4);
  out.operation = static_cast<Operation>(head % 4);
  if (rows == 0 || key_count == 0 || key_count > columns ||
      (out.operation == Operation::kDelete && key_count != columns))
    return damaged("a block of " + std::to_string(rows) + " rows, " + std::to_string(columns) + " columns, " +
                   std::to_string(key_count) + " of them key");
  out.key_count = key_count;
  out.rows = static_cast<std::size_t>(rows);
  out.columns.resize(columns);
  s.context.start(out.rows);
  s.all.resize(out.rows);
  std::iota(s.all.begin(), s.all.end(), 0U);
  for (std::size_t i = 0; i < columns; ++i)
    if (auto done = s.column(out, i); !done) return fail(std::move(done).error());

  // The pool is whole: text cells can view into it.
  const std::string_view pool = text_of(out.text);
  for (std::size_t i = 0; i < columns; ++i) {
    if (!out.fields[i].text) continue;
    for (Value& v : out.columns[i].values) {
      if (v.is_null()) continue;
      const auto place = static_cast<std::uint64_t>(v.as_int());
      v = Value{pool.substr(place >> 32, place & 0xffffffff)};
    }
  }
  for (std::size_t r = 1; r < out.rows; ++r) {
    int order = 0;
    for (std::size_t k = 0; k < key_count && order == 0; ++k) {
      const auto o = out.columns[k].values[r - 1] <=> out.columns[k].values[r];
      order = o < 0 ? -1 : o > 0 ? 1 : 0;
    }
    if (order >= 0) return damaged("rows are not in ascending order of their keys");
  }
  return true;
}

void ContentReader::State::map(std::span<const std::uint32_t> over, std::vector<std::uint32_t>& present) {
  symbols.assign(over.size(), 0);
  code_symbols(coder, 2, 1, over, symbols, context);
  present.clear();
  for (std::size_t i = 0; i < over.size(); ++i) {
    context.beside[over[i]] = symbols[i];
    if (symbols[i] != 0) present.push_back(over[i]);
  }
}

Result<void> ContentReader::State::column(Block& out, std::size_t index) {
  const bool is_key = index < out.key_count;
  const std::uint8_t id = in.u8();
  const std::uint8_t tag = in.u8();
  if (!in.ok()) return damaged("it ends within a column's header");
  const bool text = (tag & kTagText) != 0;
  for (const WireField& f : out.fields)
    if (f.id == id) return damaged("a field comes twice");
  out.fields.push_back({id, text});
  const auto encoding = static_cast<Encoding>(tag & kTagEncoding);
  if ((tag & ~(kTagEncoding | kTagText | kTagNulls | kTagSome)) != 0 ||
      (is_key && (tag & (kTagNulls | kTagSome)) != 0) ||
      ((tag & kTagSome) != 0 && out.operation != Operation::kUpdate))
    return damaged("a column of an unknown kind");

  Block::Column& column = out.columns[index];
  column.values.assign(out.rows, Value{});
  meant = all;
  if (tag & kTagSome) map(all, meant);
  if (out.operation == Operation::kUpdate) {
    column.changed.assign(out.rows, false);
    for (const std::uint32_t r : meant) column.changed[r] = true;
  }
  if (meant.empty()) return damaged("a column that changes no row");

  switch (encoding) {
    case Encoding::kConstant: {
      if (tag & kTagNulls) break;
      const std::int64_t v = value(text, out);
      for (const std::uint32_t r : meant) column.values[r] = Value{v};
      break;
    }
    case Encoding::kSymbols:
      if (auto done = table(tag, text, out, column); !done) return done;
      break;
    case Encoding::kPlain:
    case Encoding::kRuns:
    case Encoding::kNumbers:
    case Encoding::kTexts:
    case Encoding::kFixed: {
      if (text != (encoding == Encoding::kTexts || encoding == Encoding::kFixed))
        return damaged("a column of an unknown kind");
      valued = meant;
      if (tag & kTagNulls) map(meant, valued);
      auto done = text ? texts(encoding, out, column) : integers(encoding, column);
      if (!done) return done;
      break;
    }
    default:
      return damaged("a column of an unknown kind");
  }
  if (!in.ok()) return damaged("it ends within a column");
  if (coder.ran_out()) return damaged("a column claims more rows than it has");

  if (!is_key) return {};
  if (index + 1 < out.key_count) {
    if (text) {
      std::vector<std::string_view> views(out.rows);
      for (std::size_t r = 0; r < out.rows; ++r) {
        const auto place = static_cast<std::uint64_t>(column.values[r].as_int());
        views[r] = text_of(out.text).substr(place >> 32, place & 0xffffffff);
      }
      context.key_column(index, views);
    } else {
      context.key_column(index, column.values);
    }
  } else {
    const auto numbers_of = [&](std::size_t i) {
      std::vector<std::int64_t> v;
      if (!out.fields[i].text)
        for (const Value& cell : out.columns[i].values) v.push_back(cell.as_int());
      return v;
    };
    context.keys_known(numbers_of(index), index > 0 ? numbers_of(index - 1) : std::vector<std::int64_t>{});
  }
  return {};
}

std::int64_t ContentReader::State::value(bool text, Block& out) {
  if (!text) return in.signed_varint();
  const ByteView t = in.sized();
  if (t.size() > kTextBytesMax) in.fail();
  const std::size_t offset = out.text.size();
  if (in.ok()) out.text.insert(out.text.end(), t.begin(), t.end());
  return place_of(offset, in.ok() ? t.size() : 0);
}

Result<void> ContentReader::State::table(std::uint8_t tag, bool text, Block& out, Block::Column& column) {
  const unsigned count = in.u8();
  const unsigned usual = in.u8();
  const unsigned null = tag & kTagNulls ? in.u8() : SymbolModel::kSymbolsMax;
  if (!in.ok() || count < 2 || count > SymbolModel::kSymbolsMax || usual > count ||
      ((tag & kTagNulls) != 0 && null >= count))
    return damaged("a table of " + std::to_string(count) + " values");
  std::array<Value, SymbolModel::kSymbolsMax> values;
  for (unsigned i = 0; i < count; ++i)
    if (i != null) values[i] = Value{value(text, out)};
  if (!in.ok()) return damaged("it ends within a table");
  symbols.assign(meant.size(), 0);
  code_symbols(coder, count, usual, meant, symbols, context);
  for (std::size_t i = 0; i < meant.size(); ++i) {
    context.beside[meant[i]] = symbols[i];
    column.values[meant[i]] = values[symbols[i]];
  }
  return {};
}

Result<void> ContentReader::State::integers(Encoding encoding, Block::Column& column) {
  if (encoding == Encoding::kNumbers) {
    numbers.assign(valued.size(), 0);
    if (!code_numbers(coder, valued, numbers, context)) return damaged("a number of more than 64 bits");
    for (std::size_t i = 0; i < valued.size(); ++i) column.values[valued[i]] = Value{numbers[i]};
    return {};
  }
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < valued.size();) {
    const auto d = static_cast<std::uint64_t>(in.signed_varint());
    std::uint64_t more = encoding == Encoding::kRuns ? in.varint() : 0;
    if (!in.ok()) return damaged("it ends within a column");
    if (more >= valued.size() - i) return damaged("a run longer than its column");
    for (++more; more > 0; --more) {
      before += d;
      column.values[valued[i++]] = Value{static_cast<std::int64_t>(before)};
    }
  }
  return {};
}

Result<void> ContentReader::State::texts(Encoding encoding, Block& out, Block::Column& column) {
  std::vector<std::size_t> lengths(valued.size());
  std::size_t sum = 0;
  const std::uint64_t fixed = encoding == Encoding::kFixed ? in.varint() : 0;
  for (std::size_t& length : lengths) {
    const std::uint64_t n = encoding == Encoding::kFixed ? fixed : in.varint();
    if (!in.ok()) return damaged("it ends within a column");
    if (n > kTextBytesMax) return too_large("a text of " + std::to_string(n) + " bytes");
    length = static_cast<std::size_t>(n);
    sum += length;
  }
  const ByteView bytes = in.bytes(sum);
  if (!in.ok()) return damaged("it ends within a column");
  std::size_t offset = out.text.size();
  out.text.insert(out.text.end(), bytes.begin(), bytes.end());
  for (std::size_t i = 0; i < valued.size(); ++i) {
    column.values[valued[i]] = Value{place_of(offset, lengths[i])};
    offset += lengths[i];
  }
  return {};
}

void Block::row(std::size_t r, std::span<Value> cells, std::span<bool> changed) const {
  TP_ASSERT(r < rows && cells.size() >= columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    cells[i] = columns[i].values[r];
    if (operation == Operation::kUpdate && i < changed.size()) changed[i] = columns[i].changed[r];
  }
}

}  // namespace towpath
