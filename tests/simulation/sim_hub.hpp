// The hub of a world: the real registry and service on a simulated disk, and a witness beside
// it that remembers what has been acknowledged.
//
// What the witness holds the hub to, at every answer and after every crash: an acknowledged head
// never goes back, and a bundle moves it by no more segments than it brings that are new.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/identity/identity.hpp"
#include "bundle/bundle.hpp"
#include "hub/exchange/service.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"
#include "tests/simulation/model.hpp"
#include "tests/simulation/sim_clock.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/trace.hpp"
#include "trust/sealed.hpp"

namespace towpath::sim {

class SimHub {
 public:
  SimHub(std::uint64_t seed, const SimTime& time, Trace& trace, const Dictionary& dictionary);
  ~SimHub();

  // Registers a school, for good.
  void add_school(const std::string& urn);
  // Makes the identity's key the school's, as an operator and an invitation would. False: the hub is down.
  // The identity outlives the hub.
  bool enrol(const std::string& urn, Identity& identity);
  [[nodiscard]] PartyKey key() const { return keys_->keys()->front().secret.key(); }
  // One request on the wire. None: no answer (the hub is down, or died over it). Otherwise what
  // the service says, an error where the bundle could not be opened.
  [[nodiscard]] std::optional<Result<Bytes>> receive(const std::string& urn, ByteView request);
  [[nodiscard]] bool down() const { return service_ == nullptr || disk_.down(); }
  // Boots a machine that is down. False: it went down again while starting.
  bool start();
  SimDisk& disk() { return disk_; }
  void back_up();
  // False where there is no backup. The machine is down after it.
  bool set_back();

  // Newest complete state; none if there is none.
  [[nodiscard]] std::optional<Image> image(const SchoolModel& model, const std::string& urn);
  // The head of the newest epoch, or none.
  [[nodiscard]] std::optional<Head> newest(const std::string& urn);
  // Nothing acknowledged is missing, nothing was applied twice, no file is damaged or forgotten.
  void check_whole(const std::vector<std::string>& urns);
  void check_kept();

 private:
  void stop();
  void witness(const std::string& urn, ByteView request, ByteView answer);

  SimRandom random_;
  SimDisk disk_;
  SimClock clock_;
  Trace& trace_;
  const Dictionary& dictionary_;
  std::unique_ptr<Keyring> keys_;
  std::map<std::string, Identity*> identities_;  // the witness reads what is sealed for schools
  bool made_ = false;
  std::set<std::string> schools_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<HubService> service_;
  std::map<std::string, Head> acknowledged_;  // highest head ever told, by school
  struct Backup {
    SimDisk::Image disk;
    std::map<std::string, Head> acknowledged;
  };
  std::optional<Backup> backup_;
};

}  // namespace towpath::sim
