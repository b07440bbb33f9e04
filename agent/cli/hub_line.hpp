// What the verbs that talk to the hub have in common: who speaks, to whom, about what.
#pragma once

#include "agent/config/config.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/uplink/exchange.hpp"
#include "core/result.hpp"

namespace towpath::cli {

// kConfig where there is no hub.
[[nodiscard]] Result<void> needs_hub(const AgentConfig& config);
[[nodiscard]] Audience borough(const AgentConfig& config);
[[nodiscard]] ExchangeOptions exchange_options(const AgentConfig& config);

}  // namespace towpath::cli
