// What may happen to a machine whose service runs for years, each by its name and with a rate.
//
// As of mishaps.hpp, which is the borough's: a trouble has an occasion; each time that comes it strikes
// with its rate, in thousandths, and the draw is made whether or not the rate is 0.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/simulation/sim_random.hpp"

namespace towpath::sim {

// name, usual rate in thousandths, what happens; grouped by occasion.
#define TOWPATH_TROUBLES(X)                                                                       \
  /* each machine, once */                                                                        \
  X(kNights, "machine.nights-off", 300, "the machine is off at night")                            \
  X(kDrifts, "clock.drift", 300, "its clock drifts, and is set right now and then")               \
  /* each day of a machine */                                                                     \
  X(kReboot, "machine.reboot", 60, "it is started again at some moment")                          \
  X(kOff, "machine.off", 15, "it is off for hours, days or weeks")                                \
  X(kSleep, "machine.sleep", 30, "it sleeps for minutes or days, and goes on")                    \
  X(kRestarts, "machine.restarts", 8, "the service starts anew every few minutes for hours")      \
  X(kForgets, "machine.disk-full", 10, "nothing can be written down for hours or days")           \
  X(kStep, "clock.step", 20, "the clock is set by seconds or minutes")                            \
  X(kJump, "clock.jump", 15, "it is set by hours or days, for good or for a while")               \
  X(kFar, "clock.far", 5, "it is years ahead or behind for a while")                              \
  X(kBattery, "clock.battery", 6, "it begins in 2009 after a start, until somebody tells it")     \
  X(kFlap, "clock.flap", 4, "two masters set it to and fro by an hour")                           \
  X(kStands, "clock.stands", 4, "it stands still for a while")                                    \
  X(kHubDown, "hub.down", 25, "the hub cannot be reached for minutes, days or weeks")             \
  X(kReloads, "people.reloads", 6, "the configuration is read again every few minutes for hours") \
  /* each day of a school */                                                                      \
  X(kBlocked, "line.blocked", 15, "a filter keeps it from the hub for hours or days")             \
  X(kLater, "hub.later", 25, "the hub asks it to come back, in nothing or in centuries")          \
  X(kSource, "source.away", 30, "a source cannot be read for minutes or weeks")                   \
  X(kMood, "source.moods", 8, "what is said of a source is other words each time")                \
  X(kBusy, "folder.busy", 20, "somebody has its data folder for seconds or hours")                \
  X(kSlow, "work.slow", 10, "its work takes up to an hour, each time, for days")                  \
  X(kHangs, "work.hangs", 5, "a piece of its work does not end")                                  \
  X(kFlood, "people.flood", 4, "a script asks without end for hours")                             \
  X(kAsk, "people.ask", 150, "somebody asks for something")                                       \
  X(kWindows, "people.windows", 15, "its windows are others from now on")                         \
  X(kBroken, "people.broken-file", 10, "its file is broken for a while")                          \
  X(kDrop, "people.drop", 6, "it is taken out of service, and comes back days later")

enum class Trouble : std::uint8_t {
#define TOWPATH_TROUBLE_ID(id, name, usual, says) id,
  TOWPATH_TROUBLES(TOWPATH_TROUBLE_ID)
#undef TOWPATH_TROUBLE_ID
};
struct TroubleKind {
  std::string_view name;  // group.name
  unsigned usual;         // thousandths
  std::string_view says;
};
inline constexpr TroubleKind kTroubles[] = {
#define TOWPATH_TROUBLE_KIND(id, name, usual, says) {name, usual, says},
    TOWPATH_TROUBLES(TOWPATH_TROUBLE_KIND)
#undef TOWPATH_TROUBLE_KIND
};
inline constexpr std::size_t kTroubleCount = std::size(kTroubles);

// The rates of one world.
class Troubles {
 public:
  Troubles() {
    for (std::size_t i = 0; i < kTroubleCount; ++i) rates_[i] = kTroubles[i].usual;
  }
  // Some not at all, some often: a mix of its own for each seed.
  [[nodiscard]] static Troubles swarm(std::uint64_t seed) {
    Troubles out;
    SimRandom random(seed, "mix of troubles");
    for (unsigned& rate : out.rates_) {
      const std::size_t draw = random.below(10);
      rate = draw < 4 ? 0 : draw < 7 ? rate : rate * 4;
    }
    return out;
  }
  // "clock.flap" or a whole group, "clock"; false where there is none of that name.
  bool set(std::string_view name, unsigned thousandths) {
    bool known = false;
    for (std::size_t i = 0; i < kTroubleCount; ++i) {
      const std::string_view own = kTroubles[i].name;
      if (own != name && own.substr(0, own.find('.')) != name) continue;
      rates_[i] = thousandths;
      known = true;
    }
    return known;
  }
  [[nodiscard]] bool strikes(Trouble trouble, SimRandom& random) const {
    return random.below(1000) < rates_[static_cast<std::size_t>(trouble)];
  }

 private:
  std::array<unsigned, kTroubleCount> rates_{};
};

}  // namespace towpath::sim
