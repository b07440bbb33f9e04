#include <algorithm>
#include <catch2/catch.hpp>
#include <charconv>

#include "adapters/demo/demo_adapter.hpp"
#include "adapters/demo/demo_school.hpp"
#include "dictionary/dictionary.hpp"
#include "tests/demo/recording_sink.hpp"

using namespace towpath;
using towpath::testing::RecordingSink;

namespace {

SourceConfig source(std::string phase, std::string day, std::int64_t pupils = 0) {
  SourceConfig config;
  config.name = "mis";
  config.kind = "demo";
  config.demo_phase = std::move(phase);
  config.demo_seed = 7;
  config.demo_pupils = pupils;
  config.demo_day = std::move(day);
  return config;
}

AdapterContext context(std::string today = "2026-11-20") {
  return AdapterContext{built_in_dictionary(), "100001", "Example School", "mis", *Date::parse(today)};
}

RecordingSink extract(const SourceConfig& config, std::set<Fingerprint> known = {}) {
  auto adapter = make_demo_adapter(config, context());
  REQUIRE(adapter.has_value());
  RecordingSink sink;
  sink.known = std::move(known);
  const auto done = (*adapter)->extract(sink);
  INFO((done ? std::string() : done.error().sentence()));
  REQUIRE(done.has_value());
  return sink;
}

std::size_t column(const Dataset& dataset, std::string_view name) {
  const auto at = dataset.position(name);
  REQUIRE(at.has_value());
  return *at;
}

}  // namespace

TEST_CASE("the adapter gives every dataset of the dictionary once, with as many records as rows") {
  const RecordingSink sink = extract(source("primary", "2026-11-20"));
  std::set<std::string> wanted;
  for (const Dataset& dataset : built_in_dictionary().datasets)
    if (dataset.name != kEntityDataset && !dataset.local()) wanted.emplace(dataset.name);
  const std::set<std::string> got(sink.order.begin(), sink.order.end());
  CHECK(got == wanted);
  CHECK(got.size() == sink.order.size());
  for (const auto& [name, rows] : sink.rows) {
    CAPTURE(name);
    CHECK(sink.closed.at(name + " (demo)") == rows.size());
  }
  CHECK(sink.asked == sink.sent);
  auto adapter = make_demo_adapter(source("primary", ""), context());
  REQUIRE(adapter.has_value());
  const auto provides = (*adapter)->provides();
  CHECK(std::set<std::string>(provides.begin(), provides.end()) == wanted);
}

TEST_CASE(
    "every row has what its fields require, and every code and enum value is in the dictionary on its date") {
  const Dictionary& dictionary = built_in_dictionary();
  // A day under each attendance code set, and in summer, when statutory results are in.
  for (const auto& [phase, day] : {std::pair{"primary", "2023-11-17"},
                                   {"primary", "2027-07-20"},
                                   {"secondary", "2023-12-15"},
                                   {"secondary", "2025-03-12"},
                                   {"secondary", "2027-07-15"}}) {
    CAPTURE(phase, day);
    const RecordingSink sink = extract(source(phase, day, phase == std::string("primary") ? 0 : 500));
    for (const Dataset& dataset : dictionary.datasets) {
      if (dataset.name == kEntityDataset || dataset.local()) continue;
      CAPTURE(dataset.name);
      const auto& rows = sink.rows.at(std::string(dataset.name));
      std::size_t bad = 0;
      std::string first;
      std::set<std::vector<std::string>> keys;
      for (const auto& row : rows) {
        REQUIRE(row.size() == dataset.fields.size());
        keys.insert({row.begin(), row.begin() + dataset.key_count});
        for (std::size_t i = 0; i < row.size(); ++i) {
          const Field& field = dataset.fields[i];
          bool fine = true;
          if (row[i].empty()) {
            fine = !field.required && i >= dataset.key_count;
          } else if (field.type == Type::kCode) {
            std::optional<Date> on;
            if (!field.codeset_date.empty()) {
              const std::string& text = row[column(dataset, field.codeset_date)];
              Date date;
              std::from_chars(text.data(), text.data() + text.size(), date.days);
              on = date;
            }
            const CodeSet* set = dictionary.codeset(field.codeset);
            REQUIRE(set != nullptr);
            fine = set->find(row[i], on) != nullptr;
          } else if (field.type == Type::kEnum) {
            fine = std::find(field.values.begin(), field.values.end(), row[i]) != field.values.end();
          } else if (field.type == Type::kRawCode || field.derived()) {
            fine = false;  // intake's to fill
          } else if (field.derived()) {
            fine = false;  // the projection's to compute
          } else if (field.type == Type::kText) {
            fine = row[i].size() <= field.max_chars;
          }
          if (!fine && bad++ == 0) first = std::string(field.name) + " = " + row[i];
        }
      }
      CAPTURE(first);
      CHECK(bad == 0);
      CHECK(keys.size() == rows.size());
    }
  }
}

TEST_CASE("all references lead to a row of the same extract") {
  const Dictionary& dictionary = built_in_dictionary();
  for (const char* day : {"2026-08-10", "2026-09-02", "2026-11-20", "2027-07-15"}) {
    CAPTURE(day);
    const RecordingSink sink = extract(source("secondary", day, 300));
    std::map<std::string, std::set<std::string>, std::less<>> ids;
    for (const Dataset& dataset : dictionary.datasets)
      if (dataset.entity)
        for (const auto& row : sink.rows.at(std::string(dataset.name)))
          ids[std::string(dataset.name)].insert(row[0]);
    for (const Dataset& dataset : dictionary.datasets) {
      if (dataset.name == kEntityDataset || dataset.local()) continue;
      for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
        const Field& field = dataset.fields[i];
        if (field.type != Type::kRef) continue;
        std::size_t dangling = 0;
        for (const auto& row : sink.rows.at(std::string(dataset.name))) {
          bool found = false;
          for (const auto& [name, known] : ids)
            found = found || (field.ref.find(name) != std::string_view::npos && known.contains(row[i]));
          if (!found) ++dangling;
        }
        CAPTURE(dataset.name, field.name);
        CHECK(dangling == 0);
      }
    }
  }
}

TEST_CASE("a sink that has the rows already is asked about each and sent none") {
  const RecordingSink first = extract(source("primary", "2026-11-20"));
  const RecordingSink again = extract(source("primary", "2026-11-20"), first.prints);
  CHECK(again.asked == first.asked);
  CHECK(again.sent == 0);
  for (const auto& [file, records] : first.closed) CHECK(again.closed.at(file) == records);

  const RecordingSink next = extract(source("primary", "2026-11-23"), first.prints);
  CHECK(next.sent > 800);   // a day of marks
  CHECK(next.sent < 1300);  // and little else
}

TEST_CASE("marks arrive by date, then morning before afternoon, then by pupil in the pupils' order") {
  const RecordingSink sink = extract(source("primary", "2026-10-02"));
  std::map<std::string, std::size_t> place;
  for (const auto& row : sink.rows.at("pupil")) place.emplace(row[0], place.size());
  std::tuple<int, int, std::size_t> last{0, 0, 0};
  bool sorted = true;
  for (const auto& row : sink.rows.at("session_mark")) {
    const std::tuple now{std::stoi(row[0]), row[1] == "PM" ? 1 : 0, place.at(row[2])};
    sorted = sorted && last < now;
    last = now;
  }
  CHECK(sorted);
}

TEST_CASE("without a day in the configuration the school is shown as of today") {
  const SourceConfig config = source("primary", "");
  auto adapter = make_demo_adapter(config, context("2026-10-02"));
  REQUIRE(adapter.has_value());
  RecordingSink today, named = extract(source("primary", "2026-10-02"));
  REQUIRE((*adapter)->extract(today).has_value());
  CHECK(today.rows == named.rows);
}

TEST_CASE("a configuration that makes no school is refused in a sentence") {
  const auto refused = [](const SourceConfig& config) {
    auto adapter = make_demo_adapter(config, context());
    REQUIRE_FALSE(adapter.has_value());
    CHECK(adapter.error().code() == Code::kConfig);
    CHECK_FALSE(adapter.error().next().empty());
    return adapter.error().what();
  };
  CHECK_THAT(refused(source("nursery", "")), Catch::Contains("nursery"));
  CHECK_THAT(refused(source("primary", "2026-02-30")), Catch::Contains("2026-02-30"));
  CHECK_THAT(refused(source("primary", "", 5)), Catch::Contains("5 pupils"));
  CHECK_THAT(refused(source("primary", "", 1'000'000)), Catch::Contains("1000000 pupils"));

  auto far = make_demo_adapter(source("primary", "1999-01-01"), context());
  REQUIRE(far.has_value());
  RecordingSink sink;
  const auto done = (*far)->extract(sink);
  REQUIRE_FALSE(done.has_value());
  CHECK(sink.order.empty());
}
