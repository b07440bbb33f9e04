// The configuration, and the adapters that it asks for: what `config check` proves is what
// every other verb runs on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "agent/config/config.hpp"
#include "core/result.hpp"

namespace towpath::cli {

[[nodiscard]] tl::expected<AgentConfig, ConfigProblems> load(const std::string& file, Paths paths);

// One configured source, ready to be read. The context outlives its adapter.
struct ReadySource {
  const SourceConfig* config = nullptr;
  std::unique_ptr<AdapterContext> context;
  Result<std::unique_ptr<Adapter>> adapter{nullptr};  // or why there is none today
};
// Makes the adapters. Mistakes of the configuration that only an adapter can see are problems;
// a source that cannot be opened today is not.
[[nodiscard]] tl::expected<std::vector<ReadySource>, ConfigProblems> make_sources(const AgentConfig& config,
                                                                                  Date today);

}  // namespace towpath::cli
