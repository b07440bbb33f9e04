// The hub's data folder: a registry of schools, and one SQLite file per school and epoch.
//
//   <data>/registry.db          schools: urn, name, added, heard; which epochs have a file; who may
//                               speak for whom (agents.hpp); agreements and orders (sharing_tables.hpp)
//   <data>/schools/<urn>/borough-<epoch>.db   a Replica each; the newest complete one is read
//   <data>/schools/<urn>/relay-<federation>.db   sealed segments for partners (hub/relay)
//
// An epoch is written down in registry.db before its file is made and forgotten after its file
// is gone, so that a kill at any point leaves at worst an epoch without a file, which counts as
// empty. The folder itself is never listed. Nothing of registry.db is kept in memory: several
// processes may have it open. Used by the CLI, the exchange service and exports.
// Thread-safe; the replicas that it hands out are not.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/registry/agents.hpp"
#include "replica/replica.hpp"

namespace towpath {

struct School {
  std::string urn;  // six digits
  std::string name;
  Instant added{};
};

// registry.db itself, for those who keep tables in it (hub/federation). The mutex is held while it is used.
struct Books {
  Database& database;
  std::mutex& mutex;
};

struct RegistryOptions {
  std::string data;     // the folder
  std::string vfs;      // tests; then no folder is made
  bool create = false;  // init
  // The holder of the data folder's lock may bring files of an older program or dictionary up to
  // this one's; a reader beside a running hub may not.
  bool may_write = true;
};

class Registry {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(const RegistryOptions& options,
                                                              const Dictionary& dictionary, Clock& clock);
  virtual ~Registry() = default;
  [[nodiscard]] virtual Result<void> add_school(const std::string& urn, const std::string& name) = 0;
  [[nodiscard]] virtual Result<std::vector<School>> schools() = 0;
  [[nodiscard]] virtual Result<std::optional<School>> school(const std::string& urn) = 0;
  // The newest complete epoch's replica, to read; none if the school has sent nothing whole yet.
  [[nodiscard]] virtual Result<std::optional<Replica>> current(const std::string& urn) = 0;
  // The epoch's replica, to write; made if it is new.
  [[nodiscard]] virtual Result<Replica> open_epoch(const std::string& urn, Epoch epoch) = 0;
  // Epochs held, ascending, with their heads.
  [[nodiscard]] virtual Result<std::vector<Head>> epochs(const std::string& urn) = 0;
  // Forgets epochs before `keep` (after a newer one is complete).
  [[nodiscard]] virtual Result<void> drop_epochs_before(const std::string& urn, Epoch keep) = 0;
  // One epoch's replica, to look at; none if it has no file yet.
  [[nodiscard]] virtual Result<std::optional<Replica>> open_to_read(const std::string& urn, Epoch epoch) = 0;
  // Their numbers only, ascending; no file is opened.
  [[nodiscard]] virtual Result<std::vector<Epoch>> epoch_numbers(const std::string& urn) = 0;
  // Forgets one epoch and removes its file.
  [[nodiscard]] virtual Result<void> drop_epoch(const std::string& urn, Epoch epoch) = 0;
  // Removes an epoch's file, and remembers that there was the epoch: its writer begins another.
  [[nodiscard]] virtual Result<void> clear_epoch(const std::string& urn, Epoch epoch) = 0;
  // Where hub/relay stores a school's stream to a federation.
  [[nodiscard]] virtual Database::Options relay_file(const std::string& urn,
                                                     const std::string& federation) const = 0;
  // Brings every school's files up to this program's dictionary: of a school that is silent nobody else
  // would, and a reader beside the hub may not. Whole or not at all, each. What could not be, one sentence
  // each: those schools' next exchanges will say so, too.
  [[nodiscard]] virtual Result<std::vector<std::string>> bring_up() = 0;
  // PRAGMA integrity_check of the registry itself.
  [[nodiscard]] virtual Result<void> check() = 0;
  // When something new was last heard from the school, for status.
  [[nodiscard]] virtual Result<std::optional<Instant>> last_heard(const std::string& urn) = 0;
  [[nodiscard]] virtual Agents& agents() = 0;
  [[nodiscard]] virtual Books books() = 0;
  // Where schools reach this hub: goes into invitation codes. Empty: not said yet.
  [[nodiscard]] virtual Result<std::string> url() = 0;
  [[nodiscard]] virtual Result<void> set_url(const std::string& url) = 0;
};

}  // namespace towpath
