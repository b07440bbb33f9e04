#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>
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

// write_block gives kDelete rows only their keys, so they need cells no more.
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

TEST_CASE("bytes_bound is never less than the content becomes") {
  CHECK(rc::check([] {
    ContentWriter writer;
    for (const TestBlock& b : any_blocks()) write_block(writer, b);
    const std::size_t bound = writer.bytes_bound();
    RC_ASSERT(writer.finish().size() <= bound);
  }));
}
