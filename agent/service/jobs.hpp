// The work itself, shared by the verbs and the service: `extract` reads sources into the store,
// `sync` sends what changed. What the one does, the other does.
//
// In: a configuration that has been checked, what is wished, the world. Out: an outcome, and what
// to say about it (Told). The data folder is taken for the length of a job and given back, so that
// a service at rest holds no store and a verb beside it is refused for seconds at most.
// Not thread-safe for one data folder: the folder's lock refuses the second.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.hpp"
#include "agent/intake/intake.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/school/told.hpp"
#include "agent/service/watch.hpp"
#include "agent/service/wish.hpp"
#include "agent/uplink/exchange.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

struct JobWorld {
  Clock& clock;
  Random& random;
  const StopFlag* stop = nullptr;   // null: nobody will ask
  Watcher* watcher = nullptr;       // null: nobody looks
  std::string program = "towpath";  // what advised commands begin with
};

// What became of one source.
struct SourceOutcome {
  std::string source, kind;
  std::optional<ExtractReport> report;
  std::optional<Error> error;
  bool kept = false;  // where it failed: there is a last good state
  double seconds = 0, cpu_seconds = 0;
};
struct ExtractOutcome {
  std::vector<SourceOutcome> sources;
  std::optional<Error> error;         // nothing was started
  ConfigProblems problems;            // nor here: what only an adapter can see in the configuration
  std::uint64_t quarantined_all = 0;  // in the store, when it was done
  [[nodiscard]] bool stopped() const;
};
// One source after another; one that fails keeps its last good state and does not stop the others.
[[nodiscard]] ExtractOutcome run_extract_job(const AgentConfig& config, const ExtractWish& wish,
                                             const JobWorld& world);
[[nodiscard]] cli::Told tell(const ExtractOutcome& outcome, const AgentConfig& config,
                             const std::string& program);

struct SyncWish {
  bool replace_key = false;  // this machine's key is to be replaced
};
struct SyncOutcome {
  bool began = false;              // the hub was asked, or was about to be
  SyncReport report;               // as far as it came
  std::vector<std::string> notes;  // what a person should know of the keys' files
  // Nothing has been read here yet: agreements, orders and receipts have gone both ways, and no data. The
  // error says so.
  bool only_post = false;
  // Agreements that wait for this school's decision: audience, id.
  std::vector<std::pair<std::string, std::string>> waiting;
  std::size_t offered = 0;  // agreements that the hub has ever offered, in all their versions
  // What was last decided about each audience; and whether it is on purpose that nothing is shared.
  std::vector<std::string> decided;
  bool on_purpose = false;
  std::string program = "towpath";
  std::optional<Error> error;  // what was acknowledged before it is safe
  double seconds = 0;
};
// Gets the hub's post and partners' data, also where nothing has been read yet; sends until both ends are
// equal, the hub asks to come back later, or something is in the way. `open`: who speaks over which line
// (cli::open_uplink; tests give their own).
[[nodiscard]] SyncOutcome run_sync_job(const AgentConfig& config, const JobWorld& world,
                                       const cli::OpenUplink& open = cli::open_uplink,
                                       const SyncWish& wish = {});
[[nodiscard]] cli::Told tell(const SyncOutcome& outcome);

}  // namespace towpath
