#include "agent/school/sharing_here.hpp"

#include <utility>

#include "dictionary/dictionary.hpp"

namespace towpath::cli {

SharingOptions sharing_options(const AgentConfig& config, const Identity* identity, std::string program) {
  SharingOptions options;
  options.borough_grants = config.grants;
  options.program = std::move(program);
  if (identity != nullptr)
    options.sign = [identity](Deed deed) { return sign_deed(std::move(deed), identity->own()); };
  return options;
}

Result<Partners> open_partners(const AgentConfig& config, Clock& clock, bool read_only) {
  PartnersOptions options;
  options.folder = config.data + "/partners";
  options.read_only = read_only;
  return Partners::open(std::move(options), built_in_dictionary(), clock);
}

Result<std::unique_ptr<SharingHere>> SharingHere::open(const AgentConfig& config, Store& store,
                                                       const Identity& identity, Clock& clock,
                                                       const std::string& program) {
  auto partners = open_partners(config, clock, false);
  if (!partners) return fail(std::move(partners).error());
  return std::unique_ptr<SharingHere>(new SharingHere(
      std::move(*partners), sharing_options(config, &identity, program), store, identity, clock));
}

}  // namespace towpath::cli
