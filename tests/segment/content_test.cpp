#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>

#include "tests/segment/content_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

rc::Gen<std::int64_t> any_integer() {
  return rc::gen::oneOf(rc::gen::inRange<std::int64_t>(0, 3), rc::gen::inRange<std::int64_t>(-300, 3000),
                        rc::gen::arbitrary<std::int64_t>(),
                        rc::gen::element(std::numeric_limits<std::int64_t>::min(),
                                         std::numeric_limits<std::int64_t>::max(), std::int64_t{0}));
}
rc::Gen<std::string> any_text() {
  return rc::gen::oneOf(rc::gen::element<std::string>("/", "\\", "I", "L", ""),
                        rc::gen::container<std::string>(rc::gen::arbitrary<char>()),
                        rc::gen::container<std::string>(16, rc::gen::arbitrary<char>()));
}

// How a column's values come about: all the same, few, many; so that every encoding is met.
rc::Gen<Cell> cells_like(bool text, int manner) {
  if (text) {
    auto any = manner == 0   ? rc::gen::just(std::string("same"))
               : manner == 1 ? rc::gen::element<std::string>("/", "\\", "I", "L", "N", "")
               : manner == 2 ? rc::gen::container<std::string>(16, rc::gen::arbitrary<char>())
                             : any_text();
    return rc::gen::map(std::move(any), words);
  }
  auto any = manner == 0   ? rc::gen::just<std::int64_t>(20761)
             : manner == 1 ? rc::gen::inRange<std::int64_t>(0, 3)
             : manner == 2 ? rc::gen::inRange<std::int64_t>(1'700'000'000'000, 1'700'000'100'000)
                           : any_integer();
  return rc::gen::map(std::move(any), integer);
}

TestBlock any_block(std::uint16_t dataset, Operation operation) {
  TestBlock b;
  b.dataset = dataset;
  b.operation = operation;
  b.key_count = *rc::gen::inRange<std::size_t>(1, 4);
  const auto columns = b.key_count + *rc::gen::inRange<std::size_t>(0, 5);
  const auto rows = *rc::gen::inRange<std::size_t>(0, 60);
  b.rows.resize(rows);
  for (std::size_t c = 0; c < columns; ++c) {
    const bool text = *rc::gen::weightedElement<bool>({{3, false}, {2, true}});
    b.fields.push_back({static_cast<std::uint8_t>(c * 3 + 1), text});
    const int manner = *rc::gen::inRange(0, 4);
    const int nulls = c < b.key_count ? 0 : *rc::gen::element(0, 10, 90, 100);
    const int unchanged_share =
        c < b.key_count || operation != Operation::kUpdate ? 0 : *rc::gen::element(0, 10, 90, 100);
    const auto gen = cells_like(text, manner);
    for (TestRow& row : b.rows) {
      if (*rc::gen::inRange(0, 100) < unchanged_share)
        row.push_back(unchanged());
      else if (*rc::gen::inRange(0, 100) < nulls)
        row.push_back({});
      else
        row.push_back(*gen);
    }
  }
  const auto key_less = [&](const TestRow& x, const TestRow& y) {
    return std::lexicographical_compare(
        x.begin(), x.begin() + static_cast<std::ptrdiff_t>(b.key_count), y.begin(),
        y.begin() + static_cast<std::ptrdiff_t>(b.key_count),
        [](const Cell& p, const Cell& q) { return (p.value() <=> q.value()) < 0; });
  };
  std::sort(b.rows.begin(), b.rows.end(), key_less);
  b.rows.erase(
      std::unique(b.rows.begin(), b.rows.end(),
                  [&](const TestRow& x, const TestRow& y) { return !key_less(x, y) && !key_less(y, x); }),
      b.rows.end());
  if (operation == Operation::kDelete)
    for (TestRow& row : b.rows) row.resize(b.key_count);
  return b;
}

std::vector<TestBlock> any_blocks() {
  std::vector<TestBlock> blocks;
  for (std::uint16_t dataset = 1; dataset <= 2; ++dataset)
    for (const Operation o : {Operation::kInsert, Operation::kUpdate, Operation::kDelete})
      if (*rc::gen::arbitrary<bool>()) blocks.push_back(any_block(dataset, o));
  return blocks;
}

void expect_equal(const std::vector<TestBlock>& blocks, ByteView content) {
  ContentReader reader(content);
  Block got;
  for (const TestBlock& b : blocks) {
    if (b.rows.empty()) continue;
    const auto more = reader.next(got);
    if (!more) RC_FAIL(more.error().sentence());
    RC_ASSERT(*more);
    RC_ASSERT(got.dataset == b.dataset);
    RC_ASSERT(got.operation == b.operation);
    RC_ASSERT(got.rows == b.rows.size());
    const auto rows = rows_of(got, b);
    for (std::size_t r = 0; r < rows.size(); ++r) RC_ASSERT(rows[r] == b.rows[r]);
  }
  const auto more = reader.next(got);
  if (!more) RC_FAIL(more.error().sentence());
  RC_ASSERT_FALSE(*more);
}

}  // namespace

TEST_CASE("what was written into a content is what is read from it") {
  CHECK(rc::check([] {
    const auto blocks = any_blocks();
    expect_equal(blocks, content_of(blocks));
  }));
}

TEST_CASE("the same rows give the same bytes, whatever the writer wrote before") {
  CHECK(rc::check([] {
    const auto blocks = any_blocks();
    const Bytes first = content_of(blocks);
    ContentWriter used;
    for (const TestBlock& b : any_blocks()) write_block(used, b);
    static_cast<void>(used.finish());
    RC_ASSERT(content_of(blocks, std::move(used)) == first);
  }));
}

TEST_CASE("a content written against a reference is read without it") {
  CHECK(rc::check([] {
    const Bytes yesterday = content_of(any_blocks());
    ContentWriter writer;
    writer.reference(yesterday);
    const auto blocks = any_blocks();
    expect_equal(blocks, content_of(blocks, std::move(writer)));
  }));
}

TEST_CASE("bytes_bound is never less than the content becomes") {
  CHECK(rc::check([] {
    ContentWriter writer;
    for (const TestBlock& b : any_blocks()) write_block(writer, b);
    const std::size_t bound = writer.bytes_bound();
    RC_ASSERT(writer.finish().size() <= bound);
  }));
}

namespace {

// A content with one block of each operation and every encoding in it.
std::vector<TestBlock> sample_blocks() {
  TestBlock marks{8, Operation::kInsert, {{1, false}, {2, false}, {3, false}, {4, true}, {6, false}}, 3, {}};
  for (int session = 0; session < 2; ++session)
    for (int pupil = 1; pupil <= 60; ++pupil)
      marks.rows.push_back({integer(20780), integer(session), integer(pupil * 3 / 2),
                            words(pupil % 7 == 3 ? "I"
                                  : pupil == 20  ? "L"
                                  : session == 0 ? "/"
                                                 : "\\"),
                            pupil == 20 ? integer(12) : Cell{}});
  TestBlock settled{
      8, Operation::kUpdate, {{1, false}, {2, false}, {3, false}, {4, true}, {6, false}}, 3, {}};
  settled.rows = {{integer(20770), integer(0), integer(4), words("I"), unchanged()},
                  {integer(20770), integer(1), integer(9), words("L"), integer(5)},
                  {integer(20771), integer(0), integer(4), words("O"), Cell{}}};
  TestBlock gone{9, Operation::kDelete, {{1, false}, {2, true}}, 2, {}};
  gone.rows = {{integer(5), words("a")}, {integer(5), words("b")}, {integer(1000000), words("")}};
  TestBlock pupils{10, Operation::kInsert, {{1, false}, {2, true}, {3, true}, {4, false}}, 1, {}};
  for (int i = 0; i < 12; ++i)
    pupils.rows.push_back({integer(1000 + i * i * 977), words(std::string(16, static_cast<char>('a' + i))),
                           i == 4 ? Cell{} : words("Name" + std::string(static_cast<std::size_t>(i), 'x')),
                           integer(i * 7919 % 1000 * 1000003)});
  return {marks, settled, gone, pupils};
}

// Bytes of a content made by hand: `plain` as its first part, `coded` as its second.
Bytes by_hand(const std::function<void(Writer&)>& write, ByteView coded = {}) {
  Bytes plain, out;
  Writer p(plain);
  write(p);
  Writer w(out);
  w.sized(plain);
  w.bytes(coded);
  return out;
}
void one_column_block(Writer& w, std::uint64_t rows, int dataset = 1) {
  w.varint(static_cast<std::uint64_t>(dataset) * 4);
  w.varint(rows);
  w.u8(1);
  w.u8(1);
}
Code code_of(ByteView content) {
  const auto error = read_all(content);
  REQUIRE(error);
  CHECK(error->sentence().size() > 20);
  return error->code();
}

}  // namespace

TEST_CASE("a sample with every operation and kind of column survives the journey") {
  const auto blocks = sample_blocks();
  const Bytes content = content_of(blocks);
  ContentReader reader(content);
  Block got;
  for (const TestBlock& b : blocks) {
    REQUIRE(reader.next(got).value());
    CHECK(rows_of(got, b) == b.rows);
    CHECK(got.key_count == b.key_count);
  }
  CHECK_FALSE(reader.next(got).value());
}

TEST_CASE(
    "a content cut anywhere is refused, or was cut in its last coded bits and stays within its limits") {
  // A segment's length and hash have been checked before: this is the second line of defence.
  const Bytes content = content_of(sample_blocks());
  const std::size_t coded = coded_tail(content);
  std::size_t believed = 0;
  for (std::size_t n = 0; n < content.size(); ++n) {
    INFO("cut after " << n << " bytes");
    const auto error = read_all(ByteView(content).first(n));
    if (n < content.size() - coded)
      CHECK(error.value().code() == Code::kDamaged);
    else if (!error)
      ++believed;
  }
  CHECK(believed * 10 <= coded);
}

TEST_CASE("bytes after the end of a content are refused") {
  Bytes content = content_of(sample_blocks());
  for (const int extra : {0, 1, 255}) {
    content.push_back(static_cast<std::uint8_t>(extra));
    CHECK(code_of(content) == Code::kDamaged);
    content.pop_back();
  }
}

TEST_CASE("a content with flipped bits is read within its limits or refused") {
  const Bytes content = content_of(sample_blocks());
  CHECK(rc::check([&] {
    Bytes damaged = content;
    const auto flips = *rc::gen::inRange(1, 6);
    for (int i = 0; i < flips; ++i) {
      const auto bit = *rc::gen::resize(100, rc::gen::inRange<std::size_t>(0, damaged.size() * 8));
      damaged[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
    ContentReader reader(damaged);
    Block block;
    std::size_t cells = 0;
    for (;;) {
      const auto more = reader.next(block);
      if (!more || !*more) break;
      cells += block.rows * block.columns.size();
      for (const Block::Column& c : block.columns) RC_ASSERT(c.values.size() == block.rows);
      for (std::size_t r = 1; r < block.rows; ++r) {
        bool ascends = false;
        for (std::size_t k = 0; k < block.key_count && !ascends; ++k) {
          const auto order = block.columns[k].values[r - 1] <=> block.columns[k].values[r];
          if (order > 0) RC_FAIL("keys descend");
          ascends = order < 0;
        }
        RC_ASSERT(ascends);
      }
    }
    RC_ASSERT(cells <= kCellsMax);
  }));
}

TEST_CASE("a row count that lies is refused before memory is taken for it") {
  const auto constant = [](std::uint64_t rows) {
    return by_hand([&](Writer& w) {
      one_column_block(w, rows);
      w.u8(1);
      w.u8(0);  // one integer for all rows
      w.signed_varint(5);
    });
  };
  CHECK_FALSE(read_all(constant(1)));
  CHECK(code_of(constant(2)) == Code::kDamaged);  // the same key twice
  CHECK(code_of(constant(0)) == Code::kDamaged);
  CHECK(code_of(constant(kCellsMax + 1)) == Code::kTooLarge);
  CHECK(code_of(constant(UINT64_MAX)) == Code::kTooLarge);
}

TEST_CASE("modelled columns cannot claim rows beyond the limit by claiming often") {
  const Bytes content = by_hand([&](Writer& w) {
    for (int i = 0; i < 3; ++i) {
      one_column_block(w, kCellsMax / 2, i + 1);
      w.u8(1);
      w.u8(2);  // runs
      w.signed_varint(1);
      w.varint(kCellsMax / 2 - 1);
    }
  });
  CHECK(code_of(content) == Code::kTooLarge);
}

TEST_CASE("a modelled column that claims more rows than its bits hold is refused") {
  const Bytes content = by_hand([&](Writer& w) {
    one_column_block(w, 100'000);
    w.u8(1);
    w.u8(3);  // modelled numbers, of which there is not one bit
  });
  CHECK(code_of(content) == Code::kDamaged);
}

TEST_CASE("keys that descend, repeat or are null are refused") {
  const auto keys = [](std::int64_t first, std::int64_t step) {
    return by_hand([&](Writer& w) {
      one_column_block(w, 2);
      w.u8(1);
      w.u8(1);  // differences
      w.signed_varint(first);
      w.signed_varint(step);
    });
  };
  CHECK_FALSE(read_all(keys(5, 1)));
  CHECK(code_of(keys(5, 0)) == Code::kDamaged);
  CHECK(code_of(keys(5, -1)) == Code::kDamaged);
  CHECK(code_of(keys(std::numeric_limits<std::int64_t>::max(), 1)) == Code::kDamaged);  // wraps round
  CHECK(code_of(by_hand([](Writer& w) {
          one_column_block(w, 1);
          w.u8(1);
          w.u8(0x10);  // constant, null
        })) == Code::kDamaged);
}

TEST_CASE("blocks out of order or twice are refused") {
  const auto two = [](int first, int second) {
    return by_hand([&](Writer& w) {
      for (const int dataset : {first, second}) {
        one_column_block(w, 1, dataset);
        w.u8(1);
        w.u8(0);
        w.signed_varint(5);
      }
    });
  };
  CHECK_FALSE(read_all(two(1, 2)));
  CHECK(code_of(two(2, 1)) == Code::kDamaged);
  CHECK(code_of(two(2, 2)) == Code::kDamaged);
}

TEST_CASE("a block header that makes no sense is refused") {
  const auto block = [](std::uint64_t head, std::uint64_t rows, unsigned keys, unsigned columns) {
    return by_hand([&](Writer& w) {
      w.varint(head);
      w.varint(rows);
      w.u8(static_cast<std::uint8_t>(keys));
      w.u8(static_cast<std::uint8_t>(columns));
      for (unsigned i = 0; i < columns; ++i) {
        w.u8(static_cast<std::uint8_t>(i + 1));
        w.u8(0);
        w.signed_varint(5);
      }
    });
  };
  CHECK_FALSE(read_all(block(4, 1, 1, 2)));
  CHECK(code_of(block(7, 1, 1, 2)) == Code::kDamaged);            // operation 3
  CHECK(code_of(block(0x10000 * 4, 1, 1, 1)) == Code::kDamaged);  // no such dataset number
  CHECK(code_of(block(4, 1, 0, 1)) == Code::kDamaged);            // no key
  CHECK(code_of(block(4, 1, 2, 1)) == Code::kDamaged);            // more key than columns
  CHECK(code_of(block(6, 1, 1, 2)) == Code::kDamaged);            // a deletion with more than a key
  CHECK(code_of(block(4, 1, 1, kColumnsMax + 1)) == Code::kTooLarge);
  CHECK_FALSE(read_all(block(4, 1, 1, kColumnsMax)));
}

TEST_CASE("a field that comes twice, and columns of unknown kinds, are refused") {
  const auto second = [](std::uint8_t id, std::uint8_t tag) {
    return by_hand([&](Writer& w) {
      w.varint(4);
      w.varint(1);
      w.u8(1);
      w.u8(2);
      w.u8(1);
      w.u8(0);
      w.signed_varint(5);
      w.u8(id);
      w.u8(tag);
      w.varint(0);
      w.varint(0);
    });
  };
  CHECK(code_of(second(1, 0)) == Code::kDamaged);
  for (const int tag : {0x07, 0x40, 0x80, 0x20, 0x0a, 0x05}) {
    INFO("tag " << tag);
    CHECK(code_of(second(2, static_cast<std::uint8_t>(tag))) == Code::kDamaged);
  }
}

TEST_CASE("a text longer than a cell may be is refused before it is copied") {
  const auto text = [](int encoding, std::size_t length) {
    return by_hand([&](Writer& w) {
      one_column_block(w, 1);
      w.u8(1);
      w.u8(static_cast<std::uint8_t>(0x08 | encoding));
      w.varint(length);
      w.bytes(Bytes(std::min<std::size_t>(length, 5000), 'x'));
    });
  };
  for (const int encoding : {5, 6, 0}) CHECK_FALSE(read_all(text(encoding, kTextBytesMax)));
  for (const int encoding : {5, 6}) {
    CHECK(code_of(text(encoding, kTextBytesMax + 1)) == Code::kTooLarge);
    CHECK(code_of(text(encoding, std::size_t{1} << 62)) == Code::kTooLarge);
  }
  CHECK(code_of(text(0, kTextBytesMax + 1)) == Code::kDamaged);
}

TEST_CASE("a day's marks cost less than a third of a bit each") {
  // Absence in the morning says most about the afternoon: the model has to find that by itself.
  TestBlock marks{8, Operation::kInsert, {{1, false}, {2, false}, {3, false}, {4, true}}, 3, {}};
  for (int session = 0; session < 2; ++session)
    for (int pupil = 0; pupil < 1500; ++pupil)
      marks.rows.push_back({integer(20780), integer(session), integer(pupil),
                            words(pupil * 7919 % 1009 < 60 ? "I"
                                  : session == 0           ? "/"
                                                           : "\\")});
  CHECK(content_of({marks}).size() * 8 * 3 < marks.rows.size());
}
