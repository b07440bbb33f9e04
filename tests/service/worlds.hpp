// Times on a wall, and chance from a seed, for the service's tests.
#pragma once

#include <cstdint>
#include <span>

#include "agent/service/schedule.hpp"

namespace towpath {

// British time by its rule: from the last Sunday of March to that of October, at 01:00 UTC, an hour ahead.
class LondonTime final : public CivilTime {
 public:
  [[nodiscard]] Instant at(Date day, int minute) const override {
    const Instant utc = midnight(day) + std::chrono::minutes{minute};
    const Instant summer = utc - std::chrono::hours{1};
    // What both readings allow is the doubled hour: its first. What none allows is the missing one: the
    // change.
    if (ahead(summer)) return summer;
    return ahead(utc) ? change(utc_date(utc).year(), 3) : utc;
  }
  [[nodiscard]] Date date(Instant instant) const override {
    return utc_date(instant + (ahead(instant) ? std::chrono::hours{1} : std::chrono::hours{0}));
  }
  [[nodiscard]] static Instant midnight(Date day) { return Instant{std::chrono::days{day.days}}; }

 private:
  [[nodiscard]] static Instant change(int year, unsigned month) {
    Date day = *Date::from_ymd(year, month, 31);
    while (day.weekday() != 6) day = day.plus(-1);
    return midnight(day) + std::chrono::hours{1};
  }
  [[nodiscard]] static bool ahead(Instant instant) {
    const int year = utc_date(instant).year();
    return instant >= change(year, 3) && instant < change(year, 10);
  }
};

// Reproducible chance (splitmix64).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      state_ += 0x9e3779b97f4a7c15;
      std::uint64_t z = state_;
      z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
      z = (z ^ z >> 27) * 0x94d049bb133111eb;
      byte = static_cast<std::uint8_t>(z >> 56);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace towpath
