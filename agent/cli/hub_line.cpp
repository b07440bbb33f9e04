#include "agent/cli/hub_line.hpp"

#include <string>
#include <utility>

#include "agent/line/curl_transport.hpp"
#include "dictionary/dictionary.hpp"
#include "platform/child.hpp"

namespace towpath::cli {

Result<void> needs_hub(const AgentConfig& config) {
  if (!config.hub_url.empty()) return {};
  return fail(Code::kConfig, "no hub is configured in " + config.file,
              "Add [hub] with url = \"http://127.0.0.1:8440\"; extract works without");
}

LineOptions line_options(const AgentConfig& config, const std::string& url) {
  LineOptions options;
  options.url = url.empty() ? config.hub_url : url;
  options.proxy = config.line.proxy;
  options.pac_url = config.line.pac_url;
  options.proxy_user_file = config.line.proxy_user_file;
  options.extra_ca = config.line.extra_ca;
  options.line_kbit = config.line.kbit;
  options.environment = ProxyEnvironment::of_process();
  options.pac_program = {platform::own_program(), kPacVerb};
  return options;
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

Result<Uplink> open_uplink(const AgentConfig& config, Clock&, Random&, const std::atomic<bool>* stop) {
  TP_TRY(needs_hub(config));
  Uplink uplink;
  uplink.sealer = std::make_unique<PlainSealer>();
  LineOptions line = line_options(config);
  line.stop = stop;
  uplink.transport = std::make_unique<CurlTransport>(line);
  uplink.options = exchange_options(config);
  return uplink;
}

}  // namespace towpath::cli
