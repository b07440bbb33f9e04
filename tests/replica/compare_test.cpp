#include "replica/compare.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace towpath;

namespace {

// Rows of (date, session, pupil) whose content is one number.
using Marks = std::map<std::array<std::int64_t, 3>, int>;

EachHash each(const Marks& marks) {
  return [&marks](const HashVisitor& visit) -> Result<void> {
    for (const auto& [key, content] : marks) {
      const std::vector<Value> cells(key.begin(), key.end());
      const std::string text =
          std::to_string(content) + "/" + std::to_string(key[0]) + std::to_string(key[2]);
      TP_TRY(visit(cells, hash256("test", bytes_of(text))));
    }
    return {};
  };
}

Marks many() {
  Marks marks;
  for (std::int64_t date = 0; date < 20; ++date)
    for (std::int64_t pupil = 0; pupil < 100; ++pupil) marks[{20000 + date, 0, pupil}] = 1;
  return marks;
}

std::vector<std::string> compared(const Marks& here, const Marks& there) {
  auto question = BucketsQuestion::about(stream_id("100001", kBorough), 8, each(here));
  REQUIRE(question);
  auto heard = BucketsQuestion::from(question->frame());
  REQUIRE(heard);
  auto answer = BucketsAnswer::to(*heard, each(there));
  REQUIRE(answer);
  auto back = BucketsAnswer::from(answer->frame());
  REQUIRE(back);
  auto named = name_differences(*back, "session_mark", each(here), 20);
  REQUIRE(named);
  return *named;
}

}  // namespace

TEST_CASE("two ends that are equal name no key") { CHECK(compared(many(), many()).empty()); }

TEST_CASE("rows that differ, lack or are too many are named by their keys") {
  Marks there = many();
  there[{20003, 0, 7}] = 2;
  there.erase({20004, 0, 8});
  there[{20005, 1, 9}] = 1;
  auto named = compared(many(), there);
  std::sort(named.begin(), named.end());
  CHECK(named == std::vector<std::string>{"session_mark 20003/0/7 differs",
                                          "session_mark 20004/0/8 is only here",
                                          "session_mark 20005/1/9 is only at the other end"});
}

TEST_CASE("where everything differs the first keys are named") {
  CHECK(compared(many(), {}).size() == 20);
  CHECK(compared({}, many()).size() == 20);
}

TEST_CASE("a comparison's frames that are cut or of another kind are not read") {
  auto question = BucketsQuestion::about(stream_id("100001", kBorough), 8, each(many()));
  REQUIRE(question);
  auto answer = BucketsAnswer::to(*question, each({}));
  REQUIRE(answer);
  auto full =
      BucketsAnswer::to(*BucketsQuestion::about(stream_id("100001", kBorough), 8, each({})), each(many()));
  REQUIRE(full);
  for (const UnknownFrame& good : {question->frame(), full->frame()}) {
    for (std::size_t n = 0; n < good.payload.size(); ++n) {
      const UnknownFrame cut{
          good.kind, Bytes(good.payload.begin(), good.payload.begin() + static_cast<std::ptrdiff_t>(n))};
      CHECK_FALSE(BucketsQuestion::from(cut));
      CHECK_FALSE(BucketsAnswer::from(cut));
    }
    CHECK_FALSE(BucketsQuestion::from(UnknownFrame{99, good.payload}));
    CHECK_FALSE(BucketsAnswer::from(UnknownFrame{99, good.payload}));
  }
}
