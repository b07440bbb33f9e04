#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "segment/columns.hpp"
#include "segment/content.hpp"
#include "segment/zstd_codec.hpp"

namespace towpath {

using namespace codec;

namespace {

// Shorter columns than this are not worth asking zstd about.
constexpr std::size_t kTooShortToTry = 24;
// A column this long is a register: the pupils of the smallest primary, morning and afternoon.
constexpr std::size_t kRegisterRows = 200;

// Enough rows to see what a model makes of a column.
constexpr std::size_t kRowsTried = 2048;
constexpr std::size_t kNever = SIZE_MAX;

constexpr std::uint8_t kNull = 0, kValue = 1, kUnchanged = 2;

// One column as it is gathered: an integer, or where its text lies.
struct Gathered {
  WireField field{};
  std::vector<std::uint64_t> cells;  // the integer; or offset << 32 | length
  std::vector<std::uint8_t> states;
  std::int64_t before = 0;  // for bytes_bound

  void start(WireField f) {
    field = f;
    cells.clear();
    states.clear();
    before = 0;
  }
};

[[nodiscard]] std::size_t varint_size(std::uint64_t v) {
  return v == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(v)) + 6) / 7;
}
[[nodiscard]] std::uint64_t difference(std::int64_t value, std::int64_t before) {
  return zigzag(
      static_cast<std::int64_t>(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(before)));
}

// The different values of a column while there are few: a small open table, so that a mark
// costs a hash and a compare.
class Table {
 public:
  void clear() {
    slots_.fill(0);
    values.clear();
    counts.clear();
  }
  // The place of a value; none when the table is full.
  template <class Equal>
  [[nodiscard]] std::optional<std::uint8_t> place(std::uint64_t hash, std::uint64_t cell, std::uint8_t state,
                                                  const Equal& equal) {
    for (std::size_t i = (hash ^ hash >> 32) * 0x9E3779B1U >> 7;; ++i) {
      std::uint8_t& slot = slots_[i % slots_.size()];
      if (slot == 0) {
        if (values.size() == SymbolModel::kSymbolsMax) return std::nullopt;
        values.push_back({cell, state});
        counts.push_back(1);
        slot = static_cast<std::uint8_t>(values.size());
        return static_cast<std::uint8_t>(slot - 1);
      }
      const auto at = static_cast<std::uint8_t>(slot - 1);
      if (values[at].state == state && equal(values[at].cell, cell)) {
        ++counts[at];
        return at;
      }
    }
  }
  struct Entry {
    std::uint64_t cell;
    std::uint8_t state;
  };
  std::vector<Entry> values;
  std::vector<std::size_t> counts;

 private:
  std::array<std::uint8_t, 256> slots_{};
};

}  // namespace

struct ContentWriter::State {
  ByteView prefix;  // what zstd will see of the reference
  Bytes plain;
  Encoder coder;
  std::size_t rows = 0, cells = 0, bound = 0;
  std::int64_t last = -1;  // (dataset, operation) of the block before

  // the open block
  bool open = false;
  std::uint16_t dataset = 0;
  Operation operation = Operation::kInsert;
  std::size_t key_count = 0;
  std::size_t block_rows = 0;
  std::vector<Gathered> columns;
  std::size_t columns_used = 0;
  std::string pool;  // the texts

  // kept between columns for their memory
  RowContext context;
  std::vector<std::uint32_t> rows_meant, rows_valued;
  std::vector<std::uint8_t> symbols;
  std::vector<std::int64_t> numbers;
  Table table;
  Bytes runs, differences;

  [[nodiscard]] std::string_view text(std::uint64_t cell) const {
    return std::string_view(pool).substr(cell >> 32, cell & 0xffffffff);
  }
  [[nodiscard]] Value value(const Gathered& c, std::uint64_t cell) const {
    return c.field.text ? Value{text(cell)} : Value{static_cast<std::int64_t>(cell)};
  }
  [[nodiscard]] int compare(const Gathered& c, std::uint64_t a, std::uint64_t b) const {
    const auto order = value(c, a) <=> value(c, b);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }

  void write_block();
  void write_column(std::size_t index, Writer& header, std::size_t& written);
  void put(const Gathered& c, std::uint64_t cell, Writer& w) const {
    if (c.field.text)
      w.sized(text(cell));
    else
      w.signed_varint(static_cast<std::int64_t>(cell));
  }
  void map(std::span<const std::uint32_t> over, const Gathered& c, std::uint8_t absent);
  bool symbols_of(const Gathered& c);
  [[nodiscard]] std::size_t cost_of_symbols() const;
  void write_symbols(const Gathered& c, std::uint8_t tag, Writer& w);
  void write_integers(const Gathered& c, std::uint8_t tag, Writer& w, std::size_t as_symbols);
  void write_texts(const Gathered& c, std::uint8_t tag, Writer& w);
  [[nodiscard]] unsigned usual() const;
};

ContentWriter::ContentWriter() : state_(std::make_unique<State>()) {}
ContentWriter::~ContentWriter() = default;
ContentWriter::ContentWriter(ContentWriter&&) noexcept = default;
ContentWriter& ContentWriter::operator=(ContentWriter&&) noexcept = default;

void ContentWriter::reference(ByteView content) {
  TP_ASSERT(state_->last < 0);
  state_->prefix = content.first(content.size() - coded_tail(content));
}

void ContentWriter::begin(std::uint16_t dataset, Operation operation, std::span<const WireField> fields,
                          std::size_t key_count) {
  State& s = *state_;
  TP_ASSERT(!s.open);
  TP_ASSERT(key_count >= 1 && key_count <= fields.size() && fields.size() <= kColumnsMax);
  const std::int64_t order = std::int64_t{dataset} * 4 + static_cast<std::int64_t>(operation);
  TP_ASSERT(order > s.last);
  s.last = order;
  s.open = true;
  s.dataset = dataset;
  s.operation = operation;
  s.key_count = key_count;
  s.block_rows = 0;
  s.columns_used = operation == Operation::kDelete ? key_count : fields.size();
  if (s.columns.size() < s.columns_used) s.columns.resize(s.columns_used);
  for (std::size_t i = 0; i < s.columns_used; ++i) s.columns[i].start(fields[i]);
  s.pool.clear();
}

void ContentWriter::row(RowView cells, std::span<const bool> changed) {
  State& s = *state_;
  TP_ASSERT(s.open && cells.size() >= s.columns_used);
  TP_ASSERT(s.operation != Operation::kUpdate || changed.size() >= s.columns_used);
  std::size_t bound = 0;
  for (std::size_t i = 0; i < s.columns_used; ++i) {
    Gathered& c = s.columns[i];
    const Value& v = cells[i];
    std::uint64_t cell = 0;
    std::uint8_t state = kNull;
    bound += 1;
    if (s.operation == Operation::kUpdate && i >= s.key_count && !changed[i]) {
      state = kUnchanged;
    } else if (!v.is_null()) {
      TP_ASSERT((v.kind() == Value::Kind::kText) == c.field.text);
      state = kValue;
      if (c.field.text) {
        const std::string_view t = v.as_text();
        TP_ASSERT(t.size() <= kTextBytesMax);
        cell = std::uint64_t{s.pool.size()} << 32 | t.size();
        // The same text as in the row before is kept once: most registers say the same of everybody.
        if (!c.states.empty() && c.states.back() == kValue && s.text(c.cells.back()) == t)
          cell = c.cells.back();
        else
          s.pool.append(t);
        bound += t.size() + 2;
      } else {
        cell = static_cast<std::uint64_t>(v.as_int());
        bound += varint_size(difference(v.as_int(), c.before));
        c.before = v.as_int();
      }
    }
    TP_ASSERT(state == kValue || i >= s.key_count);  // a key has no nulls
    c.cells.push_back(cell);
    c.states.push_back(state);
  }
  if (s.block_rows == 0) {
    bound += 16 + 8 * s.columns_used;  // the block's and its columns' headers
  } else {
    int order = 0;
    for (std::size_t i = 0; i < s.key_count && order == 0; ++i) {
      const Gathered& c = s.columns[i];
      order = s.compare(c, c.cells[s.block_rows - 1], c.cells[s.block_rows]);
    }
    TP_ASSERT(order < 0);  // ascending, each key once
  }
  ++s.block_rows;
  ++s.rows;
  s.cells += s.columns_used;
  TP_ASSERT(s.cells <= kCellsMax);  // whoever writes cuts before: no reader would take it
  s.bound += bound;
}

void ContentWriter::end() {
  TP_ASSERT(state_->open);
  state_->open = false;
  if (state_->block_rows > 0) state_->write_block();
}

std::size_t ContentWriter::rows() const { return state_->rows; }
std::size_t ContentWriter::cells() const { return state_->cells; }
std::size_t ContentWriter::bytes_bound() const { return state_->bound + 16; }

Bytes ContentWriter::finish() {
  State& s = *state_;
  TP_ASSERT(!s.open);
  const Bytes coded = s.coder.finish();
  Bytes out;
  out.reserve(s.plain.size() + coded.size() + 4);
  Writer w(out);
  w.sized(s.plain);
  w.bytes(coded);
  s.plain.clear();
  s.prefix = {};
  s.rows = s.cells = s.bound = 0;
  s.last = -1;
  return out;
}

void ContentWriter::State::write_block() {
  Bytes columns_out;
  Writer w(columns_out);
  context.start(block_rows);
  std::size_t written = 0;
  for (std::size_t i = 0; i < columns_used; ++i) write_column(i, w, written);
  Writer header(plain);
  header.varint(std::uint64_t{dataset} * 4 + static_cast<std::uint64_t>(operation));
  header.varint(block_rows);
  header.u8(static_cast<std::uint8_t>(key_count));
  header.u8(static_cast<std::uint8_t>(written));
  header.bytes(columns_out);
}

// Writes one column; nothing where it has nothing to say (no row changes it; all null).
void ContentWriter::State::write_column(std::size_t index, Writer& w, std::size_t& written) {
  const Gathered& c = columns[index];
  const bool is_key = index < key_count;
  rows_meant.clear();
  rows_valued.clear();
  for (std::uint32_t r = 0; r < block_rows; ++r) {
    if (c.states[r] == kUnchanged) continue;
    rows_meant.push_back(r);
    if (c.states[r] == kValue) rows_valued.push_back(r);
  }
  if (rows_meant.empty() || (operation == Operation::kInsert && rows_valued.empty())) return;
  ++written;
  std::uint8_t tag = c.field.text ? kTagText : std::uint8_t{0};
  if (rows_meant.size() < block_rows) tag |= kTagSome;
  w.u8(c.field.id);

  const bool few = symbols_of(c);
  const bool nulls = rows_valued.size() < rows_meant.size();
  if (few && table.values.size() == 1) {
    w.u8(static_cast<std::uint8_t>(tag | (nulls ? kTagNulls : 0) |
                                   static_cast<std::uint8_t>(Encoding::kConstant)));
    if (tag & kTagSome) map({}, c, kUnchanged);
    if (!nulls) put(c, table.values[0].cell, w);
  } else {
    if (tag & kTagSome) map({}, c, kUnchanged);
    if (nulls) tag |= kTagNulls;
    if (!c.field.text)
      write_integers(c, tag, w, few ? cost_of_symbols() : kNever);
    else if (few && table.values.size() * 3 <= rows_meant.size() + 4)  // each said three times or so
      write_symbols(c, tag, w);
    else
      write_texts(c, tag, w);
  }

  if (!is_key) return;
  if (index + 1 < key_count) {
    if (c.field.text) {
      std::vector<std::string_view> texts(block_rows);
      for (std::size_t r = 0; r < block_rows; ++r) texts[r] = text(c.cells[r]);
      context.key_column(index, texts);
    } else {
      context.key_column(index, c.cells);
    }
  } else {
    const auto integers = [&](const Gathered& g) {
      std::vector<std::int64_t> v;
      if (g.field.text) return v;
      v.reserve(block_rows);
      for (const std::uint64_t cell : g.cells) v.push_back(static_cast<std::int64_t>(cell));
      return v;
    };
    context.keys_known(integers(c), index > 0 ? integers(columns[index - 1]) : std::vector<std::int64_t>{});
  }
}

// Which of the rows `over` (all where empty) are not `absent`, as a modelled column of two symbols.
void ContentWriter::State::map(std::span<const std::uint32_t> over, const Gathered& c, std::uint8_t absent) {
  std::vector<std::uint32_t> all;
  if (over.empty()) {
    for (std::uint32_t r = 0; r < block_rows; ++r) all.push_back(r);
    over = all;
  }
  std::vector<std::uint8_t> present;
  present.reserve(over.size());
  for (const std::uint32_t r : over) present.push_back(c.states[r] == absent ? 0 : 1);
  code_symbols(coder, 2, 1, over, present, context);
  for (std::size_t i = 0; i < over.size(); ++i) context.beside[over[i]] = present[i];
}

// Fills `table` and `symbols` for rows_meant, most frequent first; false if there are too many values.
bool ContentWriter::State::symbols_of(const Gathered& c) {
  table.clear();
  symbols.resize(rows_meant.size());
  const auto equal = [&](std::uint64_t a, std::uint64_t b) {
    return a == b || (c.field.text && text(a) == text(b));
  };
  for (std::size_t i = 0; i < rows_meant.size(); ++i) {
    const std::uint64_t cell = c.cells[rows_meant[i]];
    if (i > 0 && c.states[rows_meant[i]] == c.states[rows_meant[i - 1]] &&
        cell == c.cells[rows_meant[i - 1]]) {
      symbols[i] = symbols[i - 1];
      ++table.counts[symbols[i]];
      continue;
    }
    std::uint64_t hash = cell;
    if (c.field.text) {
      hash = 0;
      for (const char ch : text(cell)) hash = hash * 31 + static_cast<std::uint8_t>(ch);
    }
    const auto place = table.place(hash, cell, c.states[rows_meant[i]], equal);
    if (!place) return false;
    symbols[i] = *place;
  }
  // By frequency, null before others, then by value: the same rows give the same table.
  std::vector<std::uint8_t> order(table.values.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint8_t>(i);
  std::sort(order.begin(), order.end(), [&](std::uint8_t a, std::uint8_t b) {
    if (table.counts[a] != table.counts[b]) return table.counts[a] > table.counts[b];
    if (table.values[a].state != table.values[b].state) return table.values[a].state < table.values[b].state;
    return compare(c, table.values[a].cell, table.values[b].cell) < 0;
  });
  Table sorted;
  std::array<std::uint8_t, SymbolModel::kSymbolsMax> to{};
  for (std::size_t i = 0; i < order.size(); ++i) {
    sorted.values.push_back(table.values[order[i]]);
    sorted.counts.push_back(table.counts[order[i]]);
    to[order[i]] = static_cast<std::uint8_t>(i);
  }
  std::swap(table.values, sorted.values);
  std::swap(table.counts, sorted.counts);
  for (std::uint8_t& symbol : symbols) symbol = to[symbol];
  return true;
}

// How many of the most frequent values make up three quarters of the rows: being present is usual.
unsigned ContentWriter::State::usual() const {
  std::size_t rows_so_far = 0;
  unsigned n = 0;
  while (n < table.counts.size() && rows_so_far * 4 < rows_meant.size() * 3) rows_so_far += table.counts[n++];
  return n;
}

// Bytes of an integer column as symbols: the table, and the coded places by the first of them.
std::size_t ContentWriter::State::cost_of_symbols() const {
  std::size_t bytes = 2;
  for (const Table::Entry& e : table.values) bytes += varint_size(zigzag(static_cast<std::int64_t>(e.cell)));
  CostCoder cost;
  const std::size_t tried = std::min(rows_meant.size(), kRowsTried);
  std::vector<std::uint8_t> places(symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(tried));
  code_symbols(cost, static_cast<unsigned>(table.values.size()), usual(), std::span(rows_meant).first(tried),
               places, context);
  return bytes + cost.bytes() * rows_meant.size() / tried;
}

void ContentWriter::State::write_symbols(const Gathered& c, std::uint8_t tag, Writer& w) {
  w.u8(static_cast<std::uint8_t>(tag | static_cast<std::uint8_t>(Encoding::kSymbols)));
  w.u8(static_cast<std::uint8_t>(table.values.size()));
  w.u8(static_cast<std::uint8_t>(usual()));
  if (tag & kTagNulls) {
    const auto null = std::find_if(table.values.begin(), table.values.end(),
                                   [](const Table::Entry& e) { return e.state == kNull; });
    w.u8(static_cast<std::uint8_t>(null - table.values.begin()));
  }
  for (const Table::Entry& e : table.values)
    if (e.state == kValue) put(c, e.cell, w);
  code_symbols(coder, static_cast<unsigned>(table.values.size()), usual(), rows_meant, symbols, context);
  for (std::size_t i = 0; i < rows_meant.size(); ++i) context.beside[rows_meant[i]] = symbols[i];
}

void ContentWriter::State::write_integers(const Gathered& c, std::uint8_t tag, Writer& w,
                                          std::size_t as_symbols) {
  runs.clear();
  differences.clear();
  numbers.clear();
  Writer run(runs);
  Writer plain_differences(differences);
  std::int64_t before = 0;
  std::uint64_t step = 0;
  std::size_t more = 0;
  for (std::size_t i = 0; i < rows_valued.size(); ++i) {
    const auto value = static_cast<std::int64_t>(c.cells[rows_valued[i]]);
    const std::uint64_t d = difference(value, before);
    numbers.push_back(value);
    before = value;
    plain_differences.varint(d);
    if (i > 0 && d == step) {
      ++more;
      continue;
    }
    if (i > 0) run.varint(more);
    run.varint(d);
    step = d;
    more = 0;
  }
  run.varint(more);

  // A register of the whole school comes again tomorrow. Left plain it can then be a reference,
  // which coded bits cannot: so it may cost twice as much today.
  const std::size_t patience = rows_valued.size() >= kRegisterRows ? 2 : 1;
  Encoding encoding = runs.size() <= differences.size() ? Encoding::kRuns : Encoding::kPlain;
  std::size_t best = std::min(runs.size(), differences.size());
  if (best > kTooShortToTry) {
    const std::size_t as_runs = zstd_estimate(runs, prefix);
    const std::size_t as_differences = zstd_estimate(differences, prefix);
    encoding = as_runs <= as_differences ? Encoding::kRuns : Encoding::kPlain;
    best = std::min(best, std::min(as_runs, as_differences) / patience);
  }
  // Coding cannot say less than an eighth of a bit a row, for all it learns.
  if (best > kTooShortToTry / 4 && best * 64 > rows_valued.size()) {
    CostCoder cost;
    static_cast<void>(code_numbers(cost, rows_valued, numbers, context));
    if (cost.bytes() < best) {
      best = cost.bytes();
      encoding = Encoding::kNumbers;
    }
    if (as_symbols < best) {
      write_symbols(c, tag, w);
      return;
    }
  }
  w.u8(static_cast<std::uint8_t>(tag | static_cast<std::uint8_t>(encoding)));
  if (tag & kTagNulls) map(rows_meant, c, kNull);
  if (encoding == Encoding::kRuns)
    w.bytes(runs);
  else if (encoding == Encoding::kPlain)
    w.bytes(differences);
  else
    static_cast<void>(code_numbers(coder, rows_valued, numbers, context));
}

void ContentWriter::State::write_texts(const Gathered& c, std::uint8_t tag, Writer& w) {
  bool same_length = true;
  const std::size_t length = text(c.cells[rows_valued[0]]).size();
  for (const std::uint32_t r : rows_valued) same_length = same_length && text(c.cells[r]).size() == length;
  const Encoding encoding = same_length ? Encoding::kFixed : Encoding::kTexts;
  w.u8(static_cast<std::uint8_t>(tag | static_cast<std::uint8_t>(encoding)));
  if (tag & kTagNulls) map(rows_meant, c, kNull);
  if (same_length)
    w.varint(length);
  else
    for (const std::uint32_t r : rows_valued) w.varint(text(c.cells[r]).size());
  for (const std::uint32_t r : rows_valued) w.bytes(bytes_of(text(c.cells[r])));
}

}  // namespace towpath
