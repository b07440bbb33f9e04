#include "agent/cli/hub_line.hpp"

#include <string>

#include "dictionary/dictionary.hpp"

namespace towpath::cli {

Result<void> needs_hub(const AgentConfig& config) {
  if (!config.hub_url.empty()) return {};
  return fail(Code::kConfig, "no hub is configured in " + config.file,
              "Add [hub] with url = \"http://127.0.0.1:8440\"; extract works without");
}

Audience borough(const AgentConfig& config) { return {std::string(kBorough), config.grants}; }

ExchangeOptions exchange_options(const AgentConfig& config) {
  ExchangeOptions options;
  options.school_urn = config.school_urn;
  options.hub_url = config.hub_url;
  options.software = "towpath " TOWPATH_VERSION;
  options.dictionary_version = built_in_dictionary().version;
  options.body_bytes = config.body_bytes;
  return options;
}

}  // namespace towpath::cli
