// The hub's data folder: a registry of schools, and one SQLite file per school and epoch.
//
//   <data>/registry.db          schools: urn, name, added
//   <data>/schools/<urn>/borough-<epoch>.db   a Replica each; the newest complete one is read
//
// Used by the CLI, the exchange service and exports. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "replica/replica.hpp"

namespace towpath {

struct School {
  std::string urn;
  std::string name;
  Instant added{};
};

struct RegistryOptions {
  std::string data;              // the folder
  std::string vfs;               // tests
  bool create = false;           // init
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
  // When the school was last heard from, for status.
  [[nodiscard]] virtual Result<void> heard(const std::string& urn, Instant when) = 0;
  [[nodiscard]] virtual Result<std::optional<Instant>> last_heard(const std::string& urn) = 0;
};

}  // namespace towpath
