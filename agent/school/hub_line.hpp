// What talks to the hub has in common: who speaks, to whom, over which line, about what.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.hpp"
#include "agent/identity/identity.hpp"
#include "agent/line/line_options.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/hub_peer.hpp"
#include "agent/uplink/transport.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath::cli {

// The word that makes this program evaluate a proxy script (agent/line/pac).
inline constexpr const char* kPacVerb = "pac-eval";

// The line as the configuration and the environment have it; `url`: instead of the configuration's,
// for enrolment, whose code may name the hub.
[[nodiscard]] LineOptions line_options(const AgentConfig& config, const std::string& url = {});

// The enrolment of this school's folder, for those who only tell of it; none where there is none, or
// where its files cannot be read.
[[nodiscard]] std::optional<Enrolment> enrolment_of(const AgentConfig& config);
// The hub's address: the configuration's, else where this school was enrolled; empty: neither.
[[nodiscard]] std::string hub_url(const AgentConfig& config);
[[nodiscard]] Audience borough(const AgentConfig& config);
[[nodiscard]] ExchangeOptions exchange_options(const AgentConfig& config);

// One school's way to its hub, ready for an Exchange: who it is, and the transport with the
// configured line. Everything that speaks to the hub opens it here, once the data folder is its own.
struct Uplink {
  std::unique_ptr<KeyFiles> files;
  std::unique_ptr<Identity> identity;
  std::unique_ptr<HubPeer> peer;
  std::unique_ptr<RouteMemory> memory;  // of the transport
  std::unique_ptr<Transport> transport;
  ExchangeOptions options;
  std::vector<std::string> notes;  // what a person should know of the keys' files
};
// kNotEnrolled with the command to run. `random` outlives what is returned.
// `stop`: ends waiting for the hub when it is set; may be null.
[[nodiscard]] Result<Uplink> open_uplink(const AgentConfig& config, Clock& clock, Random& random,
                                         const std::atomic<bool>* stop);
using OpenUplink = std::function<Result<Uplink>(const AgentConfig& config, Clock& clock, Random& random,
                                                const std::atomic<bool>* stop)>;

}  // namespace towpath::cli
