#include "agent/cli/config_verb.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/cli/console.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {

int config_check(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kMustExist);
  if (!config) return console.failed(command.config, config.error());
  const auto sources = make_sources(*config, platform::local_date(command.clock.now()));
  if (!sources) return console.failed(config->file, sources.error());
  const std::optional<Enrolment> enrolment = enrolment_of(*config);
  const std::string hub =
      !config->hub_url.empty() ? "hub " + config->hub_url
      : enrolment ? "hub " + enrolment->hub_url + " (where this machine is enrolled; the file names none)"
      : may_look(*config)
          ? std::string("no hub (extract works; sync does after: " + command.program() + " enrol)")
          : std::string("no hub in it; where this machine is enrolled, this user may not see");
  console.line(config->file + ": fine; " + counted(config->sources.size(), "source", "sources") + ", " + hub);
  console.result({{"schema_version", kSchemaVersion},
                  {"file", config->file},
                  {"valid", true},
                  {"hub", hub_url(*config)},
                  {"problems", nlohmann::ordered_json::array()}});
  return kFine;
}

int config_show(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  console.line(config->file);
  nlohmann::ordered_json settings = nlohmann::ordered_json::array();
  std::size_t widest = 0;
  for (const Setting& setting : config->settings) widest = std::max(widest, setting.key.size());
  for (const Setting& setting : config->settings) {
    const std::string origin = setting.line > 0 ? "line " + std::to_string(setting.line) : "default";
    console.line("  " + setting.key + std::string(widest - setting.key.size() + 2, ' ') + setting.value +
                 "  (" + origin + ")");
    settings.push_back({{"key", setting.key},
                        {"value", setting.value},
                        {"origin", setting.line > 0 ? "file" : "default"},
                        {"line", setting.line}});
  }
  console.result(
      {{"schema_version", kSchemaVersion}, {"file", config->file}, {"settings", std::move(settings)}});
  return kFine;
}

}  // namespace towpath::cli
