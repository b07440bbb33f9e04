// What talks to the hub has in common: who speaks, to whom, over which line, about what.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <string>

#include "agent/config/config.hpp"
#include "agent/line/line_options.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath::cli {

// The word that makes this program evaluate a proxy script (agent/line/pac).
inline constexpr const char* kPacVerb = "pac-eval";

// The line as the configuration and the environment have it; `url`: instead of the configuration's,
// for enrolment, whose code may name the hub.
[[nodiscard]] LineOptions line_options(const AgentConfig& config, const std::string& url = {});

// kConfig where there is no hub.
[[nodiscard]] Result<void> needs_hub(const AgentConfig& config);
[[nodiscard]] Audience borough(const AgentConfig& config);
[[nodiscard]] ExchangeOptions exchange_options(const AgentConfig& config);

// One school's way to its hub, ready for an Exchange: the sealer with the school's keys, and the
// transport with the configured line. Everything that speaks to the hub opens it here.
struct Uplink {
  std::unique_ptr<Sealer> sealer;
  std::unique_ptr<Transport> transport;
  ExchangeOptions options;
};
// `stop`: ends waiting for the hub when it is set; may be null.
[[nodiscard]] Result<Uplink> open_uplink(const AgentConfig& config, Clock& clock, Random& random,
                                         const std::atomic<bool>* stop);
using OpenUplink = std::function<Result<Uplink>(const AgentConfig& config, Clock& clock, Random& random,
                                                const std::atomic<bool>* stop)>;

}  // namespace towpath::cli
