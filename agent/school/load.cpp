#include "agent/school/load.hpp"

#include <utility>

#include "adapters/api/source_config.hpp"
#include "dictionary/dictionary.hpp"
#include "platform/owner.hpp"

namespace towpath::cli {

tl::expected<AgentConfig, ConfigProblems> load(const std::string& file, Paths paths) {
  const auto read = [&](Paths wanted) {
    return load_config(file, built_in_dictionary(), adapter_kinds(), wanted);
  };
  const auto config = read(Paths::kAsWritten);
  if (!config) return read(paths);  // every problem at once
  const auto user = platform::become_owner_of(config->data);
  if (!user) return tl::unexpected(ConfigProblems{{0, user.error().what(), user.error().next()}});
  if (!user->empty() && !platform::may_read(config->file))
    return tl::unexpected(ConfigProblems{
        {0, "the user " + *user + ", whom " + config->data + " belongs to, may not read this file",
         "sudo chown root:" + *user + " " + config->file + " && sudo chmod 640 " + config->file}});
  return read(paths);  // what is looked for is looked for with that user's eyes
}

tl::expected<std::vector<ReadySource>, ConfigProblems> make_sources(const AgentConfig& config, Date today) {
  std::vector<ReadySource> ready;
  ConfigProblems problems;
  for (const SourceConfig& source : config.sources) {
    ReadySource one;
    one.config = &source;
    one.context = std::make_unique<AdapterContext>(
        AdapterContext{built_in_dictionary(), config.school_urn, config.school_name, source.name, today});
    one.adapter = make_adapter(source, *one.context);
    if (!one.adapter && one.adapter.error().code() == Code::kConfig) {
      const Error& error = one.adapter.error();
      problems.push_back({0, "source " + source.name + ": " + error.what(), error.next()});
    }
    ready.push_back(std::move(one));
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return ready;
}

}  // namespace towpath::cli
