// A school with some pupils read, its publisher, its keys, and a hub that holds nothing yet.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "agent/uplink/exchange.hpp"
#include "tests/agent/school_source.hpp"
#include "tests/uplink/scripted_hub.hpp"

namespace towpath::test {

struct Line {
  Line() : publisher(school.store, {"borough", {}}), line(school.store), hub(keys) {
    for (int i = 0; i < 30; ++i) school.pupil("p" + std::to_string(i), "Name" + std::to_string(i));
    school.read();
  }
  // A day later: one mark more.
  void next_day() {
    school.mark(Date{20780 + days++}.iso(), "AM", "p1", "/");
    school.read();
  }
  // Five segments that wait: a snapshot and four days on which the hub was not reached.
  void segments_wait() {
    REQUIRE(publisher.publish());
    for (int day = 0; day < 4; ++day) {
      next_day();
      REQUIRE(publisher.publish());
    }
    REQUIRE(publisher.waiting_count().value() == 5);
  }
  Result<SyncReport> sync(std::size_t exchanges_max = 100, std::size_t body_bytes = kBundleBytesDefault) {
    ExchangeOptions options;
    options.school_urn = "100001";
    options.software = "test";
    options.body_bytes = body_bytes;
    options.exchanges_max = exchanges_max;
    options.replace_key = std::exchange(replace_key, false);
    Exchange exchange(publisher, line, keys.peer, hub, clock, random, options);
    auto report = exchange.run();
    last = exchange.report();
    return report;
  }
  // A sync that has to end with both ends equal.
  SyncReport good() {
    auto report = sync();
    if (!report) FAIL(report.error().sentence());
    CHECK(report->equal);
    CHECK(report->up_to_date);
    CHECK(hub.head.segment == publisher.head()->segment);
    CHECK(hub.head.digest == publisher.head()->digest);
    return *report;
  }

  class HubTime final : public Clock {
   public:
    Instant now() override { return Instant{std::chrono::milliseconds{1'795'000'000'000}} + offset; }
    std::chrono::minutes offset{0};
  };

  School school;
  Publisher publisher;
  LineState line;
  Keys keys;
  ScriptedHub hub;
  bool replace_key = false;
  HubTime clock;
  CountingRandom random;
  SyncReport last;
  int days = 0;
};

}  // namespace towpath::test
