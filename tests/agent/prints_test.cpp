#include "agent/store/prints.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>

#include "tests/agent/school_source.hpp"

using namespace towpath;
using test::School;

namespace {

constexpr std::uint16_t kDataset = 8;

// One night: which of `rows` the list of the night before says are unchanged.
struct Night {
  std::vector<bool> matched;
  std::uint64_t vanished = 0;
};
Night night(Store& store, const std::vector<Fingerprint>& rows) {
  auto list = PrintList::open(store, 0, kDataset, true);
  REQUIRE(list);
  Night out;
  for (const Fingerprint row : rows) {
    out.matched.push_back(list->match(row).value());
    if (!out.matched.back()) REQUIRE(list->append(row));
  }
  REQUIRE(list->finish());
  out.vanished = list->vanished_count();
  REQUIRE(list->save());
  return out;
}

std::vector<Fingerprint> stored(Store& store) {
  std::vector<Fingerprint> out;
  auto statement = store.db().prepare("SELECT prints FROM print ORDER BY id");
  auto use = statement->use();
  while (use.step().value()) {
    const ByteView blob = use.blob(0);
    for (std::size_t i = 0; i < blob.size(); i += 8) {
      Fingerprint f;
      std::memcpy(&f, blob.data() + i, 8);
      out.push_back(f);
    }
  }
  return out;
}

std::vector<Fingerprint> numbers(Fingerprint from, std::size_t n) {
  std::vector<Fingerprint> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(from + i);
  return out;
}

}  // namespace

TEST_CASE("the list of fingerprints holds the rows of the last night in their order") {
  // Rows added, removed, and swapped anywhere; chunks of a thousand are crossed and cut.
  CHECK(rc::check([] {
    School school;
    std::vector<Fingerprint> rows = numbers(1'000'000, *rc::gen::inRange<std::size_t>(0, 4000));
    night(school.store, rows);
    RC_ASSERT((stored(school.store) == rows) == true);
    Fingerprint fresh = 1;
    for (int n = 0; n < 4; ++n) {
      const auto edits = *rc::gen::inRange(0, 30);
      for (int e = 0; e < edits; ++e) {
        const auto at = [&] {
          return static_cast<std::ptrdiff_t>(*rc::gen::inRange<std::size_t>(0, rows.size() + 1));
        };
        switch (*rc::gen::inRange(0, 3)) {
          case 0:
            rows.insert(rows.begin() + at(), fresh++);
            break;
          case 1:
            if (!rows.empty())
              rows.erase(rows.begin() + std::min(at(), static_cast<std::ptrdiff_t>(rows.size()) - 1));
            break;
          default: {
            const auto more = numbers(fresh, 700);
            fresh += 700;
            rows.insert(rows.begin() + at(), more.begin(), more.end());
          }
        }
      }
      night(school.store, rows);
      RC_ASSERT((stored(school.store) == rows) == true);
    }
  }));
}

TEST_CASE("a register that grows at its end matches all that was there") {
  School school;
  auto rows = numbers(1, 5000);
  night(school.store, rows);
  const auto more = numbers(100'000, 3000);
  rows.insert(rows.end(), more.begin(), more.end());
  const Night second = night(school.store, rows);
  CHECK(std::count(second.matched.begin(), second.matched.end(), true) == 5000);
  CHECK(second.vanished == 0);
}

TEST_CASE("a removed row vanishes and its neighbours still match") {
  School school;
  auto rows = numbers(1, 3000);
  night(school.store, rows);
  rows.erase(rows.begin() + 1500);
  const Night second = night(school.store, rows);
  CHECK(std::count(second.matched.begin(), second.matched.end(), true) == 2999);
  CHECK(second.vanished == 1);
}

TEST_CASE("a row that moved down is neither new nor gone") {
  School school;
  auto rows = numbers(1, 3000);
  night(school.store, rows);
  std::rotate(rows.begin() + 10, rows.begin() + 11, rows.begin() + 2000);
  const Night second = night(school.store, rows);
  CHECK(std::count(second.matched.begin(), second.matched.end(), true) == 3000);
  CHECK(second.vanished == 0);
}

TEST_CASE("a register grown at its end rewrites one chunk") {
  School school;
  auto rows = numbers(1, 50'000);
  night(school.store, rows);
  const auto before = school.store.db().integer("SELECT count(*) FROM print").value();
  REQUIRE(before > 40);
  rows.push_back(7'000'000);
  const auto changes = school.store.db().integer("SELECT total_changes()").value();
  night(school.store, rows);
  CHECK(school.store.db().integer("SELECT total_changes()").value() - changes == 1);
}

TEST_CASE("a damaged list of fingerprints is said, with what to do") {
  School school;
  night(school.store, numbers(1, 100));
  REQUIRE(school.store.db().exec("UPDATE print SET prints=x'010203'"));
  auto list = PrintList::open(school.store, 0, kDataset, true);
  REQUIRE_FALSE(list);
  CHECK(list.error().code() == Code::kDamaged);
  CHECK(list.error().next().find("--full") != std::string::npos);
}
