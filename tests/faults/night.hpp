// The main job, as a school and its hub do it: a night's extract is taken in, the day is published
// and exchanged, and both ends are equal; a day later once more, with rows added, changed and gone.
//
// In: two disks and the VFS names under which each end sees its own, so that a test may put a fault
// in between; nothing else of the world is replaced but clock, chance and line. Out: what every
// step said. What holds afterwards is looked at on copies of the disks (look()), against the school's
// own lists, which know nothing of how the product keeps them.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/exchange.hpp"
#include "hub/exchange/service.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"
#include "tests/agent/school_source.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/uplink/enrolled.hpp"

namespace towpath::faults {

inline const std::string kUrn = "100001";

// Where in the night something happens; part of what a call is (fault_vfs.hpp).
enum Stage : int { kHubStarts, kOpens, kExtracts, kReopens, kExchanges, kVerifies, kCloses };

// What a school is on a day: a line for each pupil and mark, sorted.
using Lists = std::vector<std::string>;

// The school's system on day 0 (nothing yet), 1 and 2.
class Mis {
 public:
  Mis();
  void be(int day);
  [[nodiscard]] Adapter& adapter() { return source_; }
  [[nodiscard]] const Lists& lists(int day) const { return lists_.at(static_cast<std::size_t>(day)); }

 private:
  void fill(int day);
  test::SchoolSource source_;
  std::vector<Lists> lists_;
};

struct Disks {
  sim::SimDisk school{sim::SimRandom(1, "school")}, hub{sim::SimRandom(1, "hub")};
  struct Image {
    sim::SimDisk::Image school, hub;
  };
  [[nodiscard]] Image image() const { return {school.image(), hub.image()}; }
  void restore(const Image& image);
};

// What a copy of both disks holds.
struct Seen {
  Lists school, hub;
  Head acknowledged, hub_head;  // what the school believes that the hub holds, and what it does
};
// Integrity and running digests are checked on the way, and that no file is forgotten: before things have
// `settled` one may be there that the registry does not list, but nothing may be in it.
[[nodiscard]] Seen look(const Disks& disks, bool settled);

struct Said {
  std::vector<Error> errors;
  bool extracted = false, synced = false, equal = false;
  std::uint32_t later_seconds = 0;
  std::vector<std::string> events;
};

class Night {
 public:
  // `stage` hears where the night is.
  Night(
      Disks& disks, const std::string& school_vfs, const std::string& hub_vfs, Mis& mis,
      std::function<void(Stage)> stage = [](Stage) {});
  ~Night();
  // Registry with the school enrolled; on disks without anything.
  void make_hub();
  // What did not succeed is in what is returned; each part is tried whatever became of the one before,
  // as the service would.
  Said run();
  [[nodiscard]] Said verify();
  void stop();
  // Every line that the hub's operator sees.
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }

 private:
  class Line;
  [[nodiscard]] Result<void> start_hub();
  [[nodiscard]] Result<void> extract();
  [[nodiscard]] Result<void> sync(Said& said);
  [[nodiscard]] ExchangeOptions options() const;

  Disks& disks_;
  const std::string school_vfs_, hub_vfs_;
  Mis& mis_;
  std::function<void(Stage)> stage_;
  struct Time final : Clock {
    Instant at{std::chrono::milliseconds{1'795'000'000'000}};
    Instant now() override { return at; }
  } clock_;
  SeededRandom random_{7};
  test::Keys keys_;
  std::unique_ptr<Keyring> ring_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<HubService> service_;
  std::vector<std::string> log_;
};

// What every error has to be: a sentence with a next step, of a code that is not "our bug", without
// anything of a pupil in it.
void check_sentence(const Error& error);
void check_nothing_told(const std::string& line);

}  // namespace towpath::faults
