#include "agent/store/change_log.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>

using namespace towpath;

namespace {

// A key of one integer and one text, as most mixed keys are.
struct Key {
  std::int64_t number;
  std::string text;
  [[nodiscard]] std::array<Value, 2> values() const { return {Value{number}, Value{std::string_view(text)}}; }
};

Bytes encoded(const Key& key) {
  Bytes out;
  ordered_key(key.values(), out);
  return out;
}

Key any_key() {
  return {*rc::gen::oneOf(rc::gen::arbitrary<std::int64_t>(), rc::gen::inRange<std::int64_t>(-300, 300)),
          *rc::gen::container<std::string>(rc::gen::element('\0', '\1', 'a', 'b', '\xff'))};
}

}  // namespace

TEST_CASE("change log keys sort as the values do") {
  CHECK(rc::check([] {
    const Key a = any_key(), b = any_key();
    const int values = compare_keys(a.values(), b.values(), 2);
    const Bytes ea = encoded(a), eb = encoded(b);
    const bool less = std::lexicographical_compare(ea.begin(), ea.end(), eb.begin(), eb.end());
    RC_ASSERT(less == (values < 0));
    RC_ASSERT((ea == eb) == (values == 0));
  }));
}

TEST_CASE("change log keys read back as they were written") {
  CHECK(rc::check([] {
    const Key a = any_key();
    std::array<Value, 2> back;
    Bytes text;
    RC_ASSERT(read_ordered_key(encoded(a), back, text));
    RC_ASSERT(compare_keys(a.values(), back, 2) == 0);
  }));
}

TEST_CASE("a cut change log key is not read") {
  const Bytes whole = encoded({-12345, "abc"});
  for (std::size_t n = 0; n < whole.size(); ++n) {
    std::array<Value, 2> back;
    Bytes text;
    CHECK_FALSE(read_ordered_key(ByteView(whole).first(n), back, text));
  }
}
