#include "segment/digest.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/segment/content_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

rc::Gen<Hash256> any_hash() {
  return rc::gen::map(
      rc::gen::container<std::vector<std::uint8_t>>(
          32, rc::gen::oneOf(rc::gen::arbitrary<std::uint8_t>(), rc::gen::element<std::uint8_t>(0, 0xff))),
      [](const std::vector<std::uint8_t>& b) {
        Hash256 h;
        std::copy(b.begin(), b.end(), h.bytes.begin());
        return h;
      });
}
StateDigest sum_of(const std::vector<Hash256>& rows) {
  StateDigest d;
  for (const Hash256& h : rows) d.add(h);
  return d;
}
Hash256 row_hash(std::uint16_t dataset, const std::vector<std::uint8_t>& ids, const std::vector<Value>& row) {
  return RowHasher(dataset, ids)(row);
}

}  // namespace

TEST_CASE("the digest does not depend on the order of rows") {
  CHECK(rc::check([] {
    auto rows = *rc::gen::container<std::vector<Hash256>>(any_hash());
    const StateDigest forward = sum_of(rows);
    std::reverse(rows.begin(), rows.end());
    RC_ASSERT(sum_of(rows) == forward);
  }));
}

TEST_CASE("removing a row takes back exactly what adding it did") {
  CHECK(rc::check([] {
    const auto rows = *rc::gen::container<std::vector<Hash256>>(any_hash());
    const Hash256 extra = *any_hash();
    StateDigest d = sum_of(rows);
    d.add(extra);
    RC_ASSERT(extra.is_zero() || d != sum_of(rows));
    d.remove(extra);
    RC_ASSERT(d == sum_of(rows));
    for (const Hash256& h : rows) d.remove(h);
    RC_ASSERT(d == StateDigest{});
    RC_ASSERT(d.value().is_zero());
  }));
}

TEST_CASE("a digest goes through its bytes unchanged") {
  CHECK(rc::check([] {
    const auto rows = *rc::gen::container<std::vector<Hash256>>(any_hash());
    const StateDigest d = sum_of(rows);
    RC_ASSERT(StateDigest{d.value()} == d);
  }));
}

TEST_CASE("the sum carries from limb to limb and wraps at 2^256") {
  Hash256 all_ones;
  all_ones.bytes.fill(0xff);
  Hash256 one;
  one.bytes[0] = 1;
  StateDigest d;
  d.add(all_ones);
  d.add(one);
  CHECK(d.value().is_zero());
  d.remove(one);
  CHECK(d.value() == all_ones);
}

TEST_CASE("fields that are null do not count, wherever they stand") {
  CHECK(row_hash(8, {1, 2, 3}, {Value{7}, Value{}, Value{std::string_view{"x"}}}) ==
        row_hash(8, {1, 3}, {Value{7}, Value{std::string_view{"x"}}}));
}

TEST_CASE("the order in which a caller holds the fields does not count") {
  CHECK(row_hash(8, {3, 1}, {Value{std::string_view{"x"}}, Value{7}}) ==
        row_hash(8, {1, 3}, {Value{7}, Value{std::string_view{"x"}}}));
}

TEST_CASE("dataset, field, kind and value all count") {
  const Hash256 base = row_hash(8, {1, 2}, {Value{7}, Value{std::string_view{"7"}}});
  CHECK(row_hash(9, {1, 2}, {Value{7}, Value{std::string_view{"7"}}}) != base);
  CHECK(row_hash(8, {1, 3}, {Value{7}, Value{std::string_view{"7"}}}) != base);
  CHECK(row_hash(8, {1, 2}, {Value{7}, Value{7}}) != base);
  CHECK(row_hash(8, {1, 2}, {Value{7}, Value{std::string_view{"8"}}}) != base);
  CHECK(row_hash(8, {1, 2}, {Value{7}, Value{std::string_view{""}}}) !=
        row_hash(8, {1, 2}, {Value{7}, Value{}}));
}

TEST_CASE("text cannot move from one field into the next unnoticed") {
  CHECK(row_hash(8, {1, 2}, {Value{std::string_view{"ab"}}, Value{std::string_view{"c"}}}) !=
        row_hash(8, {1, 2}, {Value{std::string_view{"a"}}, Value{std::string_view{"bc"}}}));
}

TEST_CASE("a row's hash is what docs/segment-format.md says it is") {
  Bytes encoding;
  Writer w(encoding);
  w.varint(300);    // dataset
  w.varint(1 * 2);  // field 1, integer
  w.signed_varint(-5);
  w.varint(4 * 2 + 1);  // field 4, text
  w.sized(std::string_view{"L"});
  CHECK(row_hash(300, {1, 2, 4}, {Value{-5}, Value{}, Value{std::string_view{"L"}}}) ==
        hash256("towpath row", encoding));
}
