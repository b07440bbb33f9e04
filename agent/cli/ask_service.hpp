// A verb's way to the running service, through the door in the data folder.
#pragma once

#include <optional>

#include "agent/config/config.hpp"
#include "agent/school/told.hpp"
#include "agent/service/control.hpp"
#include "agent/service/watch.hpp"
#include "core/result.hpp"

namespace towpath::cli {

// What the service says to it, when it is done; none: no service runs for this data folder, and the
// verb does the work itself. `watcher` hears how far it is.
[[nodiscard]] std::optional<Told> ask_service(const AgentConfig& config, const control::Request& request,
                                              Watcher& watcher);
// kNotFound: no service runs.
[[nodiscard]] Result<nlohmann::ordered_json> ask_status(const AgentConfig& config);

}  // namespace towpath::cli
