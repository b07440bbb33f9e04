// What the store remembers for the service: events and the agenda.
#include <catch2/catch.hpp>
#include <string>

#include "agent/store/agenda.hpp"
#include "agent/store/events.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath {
namespace {

Instant at(std::int64_t seconds) { return Instant{std::chrono::seconds{1'790'000'000 + seconds}}; }

Store store() {
  StoreOptions options;
  options.path = ":memory:";
  options.school_urn = "100001";
  auto made = Store::open(options, built_in_dictionary());
  REQUIRE(made);
  return std::move(*made);
}

TEST_CASE("events come back newest first, with their counts") {
  Store s = store();
  REQUIRE(record_event(s, at(0), "extract", "source mis was read", {{"rows", 12}, {"bytes", -3}}));
  REQUIRE(record_event(s, at(1), "exchange", "both ends equal"));
  const auto events = recent_events(s);
  REQUIRE(events);
  REQUIRE(events->size() == 2);
  CHECK((*events)[0].kind == "exchange");
  CHECK((*events)[0].last == at(1));
  CHECK((*events)[1].text == "source mis was read");
  REQUIRE((*events)[1].counts.size() == 2);
  CHECK((*events)[1].counts[0] == std::pair<std::string, std::int64_t>{"rows", 12});
  CHECK((*events)[1].counts[1].second == -3);
}

TEST_CASE("a line that is down for a month is one event, not thousands") {
  Store s = store();
  for (int i = 0; i < 3000; ++i)
    REQUIRE(
        record_event(s, at(i), "exchange-failed", "the name hub.example cannot be resolved", {{"try", i}}));
  const auto events = recent_events(s);
  REQUIRE(events);
  REQUIRE(events->size() == 1);
  CHECK((*events)[0].times == 3000);
  CHECK((*events)[0].first == at(0));
  CHECK((*events)[0].last == at(2999));
  CHECK((*events)[0].counts[0].second == 2999);
  // Something else in between keeps its place in the story.
  REQUIRE(record_event(s, at(3000), "extract", "source mis was read"));
  REQUIRE(record_event(s, at(3001), "exchange-failed", "the name hub.example cannot be resolved"));
  CHECK(recent_events(s)->size() == 3);
}

TEST_CASE("the list of events stays bounded, and so does each text") {
  Store s = store();
  for (int i = 0; i < 700; ++i) REQUIRE(record_event(s, at(i), "extract", "run " + std::to_string(i)));
  REQUIRE(record_event(s, at(700), "extract", std::string(5000, 'x')));
  const auto events = recent_events(s);
  REQUIRE(events);
  CHECK(events->size() == kEventsMax);
  CHECK((*events)[0].text.size() == kEventTextMax);
  CHECK((*events).back().text == "run 201");
  CHECK(recent_events(s, 3)->size() == 3);
}

TEST_CASE("the agenda is what it was, also where something has never happened") {
  Store s = store();
  CHECK(read_agenda(s)->empty());
  const AgendaItem fresh{at(5), {}, 3, at(65)};
  const AgendaItem done{at(9), at(10), 0, {}};
  REQUIRE(write_agenda(s, "exchange", fresh));
  REQUIRE(write_agenda(s, "source mis", fresh));
  REQUIRE(write_agenda(s, "source mis", done));
  const auto agenda = read_agenda(s);
  REQUIRE(agenda);
  CHECK(agenda->at("exchange") == fresh);
  CHECK(agenda->at("source mis") == done);
}

TEST_CASE("a store of an older program has no events, and reading says so instead of failing") {
  Store s = store();
  REQUIRE(s.db().exec("DROP TABLE event"));
  REQUIRE(s.db().exec("DROP TABLE agenda"));
  CHECK(recent_events(s)->empty());
  CHECK(read_agenda(s)->empty());
}

}  // namespace
}  // namespace towpath
