#include "agent/school/hub_line.hpp"

#include <string>
#include <utility>

#include "agent/line/curl_transport.hpp"
#include "agent/line/route_memory.hpp"
#include "agent/school/words.hpp"
#include "dictionary/dictionary.hpp"
#include "platform/child.hpp"

namespace towpath::cli {

std::optional<Enrolment> enrolment_of(const AgentConfig& config) {
  KeyFolder files(identity_folder(config.data));
  auto read = read_enrolment(files);
  return read ? std::move(*read) : std::nullopt;
}

std::string hub_url(const AgentConfig& config) {
  if (!config.hub_url.empty()) return config.hub_url;
  const auto enrolment = enrolment_of(config);
  return enrolment ? enrolment->hub_url : std::string();
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
  options.program = program_for(config.file);
  options.dictionary_version = built_in_dictionary().version;
  options.body_bytes = config.body_bytes;
  return options;
}

Result<Uplink> open_uplink(const AgentConfig& config, Clock& clock, Random& random,
                           const std::atomic<bool>* stop) {
  Uplink uplink;
  uplink.options = exchange_options(config);
  const std::string folder = identity_folder(config.data);
  const auto mended = mend_rights(folder);
  if (!mended) return fail(mended.error());
  TP_TRY(remove_unfinished(folder));
  for (const WideRights& one : *mended)
    uplink.notes.push_back("others could read or change " + one.path + " (rights " + one.rights +
                           "); it is its owner's only now. If somebody may have copied it: " +
                           uplink.options.program + " key rotate");
  uplink.files = std::make_unique<KeyFolder>(folder);
  auto identity = Identity::load(*uplink.files, uplink.options.program);
  if (!identity) return fail(std::move(identity).error());
  if (identity->enrolment().urn != config.school_urn)
    return fail(Code::kConfig,
                folder + " holds the keys of school " + identity->enrolment().urn +
                    ", but the configuration says " + config.school_urn,
                "Give each school a data folder of its own, or correct school.urn");
  if (config.hub_url.empty()) uplink.options.hub_url = identity->enrolment().hub_url;
  uplink.identity = std::make_unique<Identity>(std::move(*identity));
  uplink.peer = std::make_unique<HubPeer>(*uplink.identity, random);
  LineOptions line = line_options(config, uplink.options.hub_url);
  line.stop = stop;
  uplink.memory = std::make_unique<FileRouteMemory>(config.data + "/line-route", clock);
  line.memory = uplink.memory.get();
  uplink.transport = std::make_unique<CurlTransport>(line);
  return uplink;
}

}  // namespace towpath::cli
