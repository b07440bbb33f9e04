// The hub of a world of federations: the real registry, federations, agreements and service on a simulated
// disk, and its operator. What has been acknowledged is remembered by the witness and held against it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hub/exchange/service.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"
#include "tests/simulation/federation/paper.hpp"
#include "tests/simulation/federation/witness.hpp"
#include "tests/simulation/sim_clock.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/trace.hpp"
#include "trust/invitation.hpp"

namespace towpath::sim::fed {

class Hub {
 public:
  Hub(std::uint64_t seed, const SimTime& time, Trace& trace, Witness& witness);
  ~Hub();

  // Boots a machine that is down. False: it went down again while starting.
  bool start();
  [[nodiscard]] bool down() const { return service_ == nullptr || disk_.down(); }
  [[nodiscard]] SimDisk& disk() { return disk_; }
  [[nodiscard]] SimClock& clock() { return clock_; }
  [[nodiscard]] Keyring& keys() { return *keys_; }
  [[nodiscard]] PartyKey key() const { return keys_->keys()->front().secret.key(); }
  // A request on the wire. None: no answer.
  [[nodiscard]] std::optional<Result<Bytes>> receive(const std::string& urn, ByteView request);

  // --- its operator. False: the hub is down, or died over it; then it may have been done or not. ---------
  void add_school(const std::string& urn);
  [[nodiscard]] std::optional<Invitation> invite(const std::string& urn);
  bool add_federation(const std::string& id, const std::set<std::string>& urns);
  bool join(const std::string& id, const std::string& urn);
  bool leave(const std::string& id, const std::string& urn);
  bool offer(const Paper& paper);
  // As the hub's own books say (which the operator looks at after a crash).
  [[nodiscard]] std::map<std::string, std::set<std::string>> members();
  [[nodiscard]] std::set<std::pair<std::string, unsigned>> offered();

  void back_up();
  // False where there is no backup. The machine is down after it.
  bool set_back();

  // --- what it holds -----------------------------------------------------------------------------------
  // The borough's: the newest complete state.
  [[nodiscard]] std::optional<Image> borough(const std::string& urn,
                                             const std::map<std::string, std::string>& entities);
  [[nodiscard]] Registry& registry() { return *registry_; }
  // Every deed in its books.
  [[nodiscard]] std::set<DeedId> deeds();
  void close_files();
  void check_sound();

 private:
  void stop();
  bool done(const Result<void>& result, const char* what);

  SimRandom random_;
  SimDisk disk_;
  SimClock clock_;
  Trace& trace_;
  Witness& witness_;
  std::unique_ptr<Keyring> keys_;
  bool made_ = false;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<HubService> service_;
  struct Backup {
    SimDisk::Image disk;
    Witness::Knowledge knowledge;
  };
  std::optional<Backup> backup_;
};

}  // namespace towpath::sim::fed
