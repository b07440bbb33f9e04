#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/words.hpp"

namespace towpath::hub_cli {

using nlohmann::ordered_json;

Result<Look> Look::at(const Command& command) {
  Look look;
  auto lock = platform::FolderLock::take(command.data);
  if (lock)
    look.lock_.emplace(std::move(*lock));
  else if (lock.error().code() == Code::kBusy)
    look.server_ = platform::FolderLock::holder(command.data);
  else if (lock.error().code() == Code::kNotFound)
    return fail(Code::kConfig, "there is no hub in " + command.data,
                "towpath-hub --data " + command.data + " init makes one");
  else if (lock.error().code() !=
           Code::kNotPermitted)  // a reader without the right to write looks without the lock
    return fail(std::move(lock).error());
  RegistryOptions options;
  options.data = command.data;
  options.may_write = look.lock_.has_value();
  auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return fail(std::move(registry).error());
  look.registry_ = std::move(*registry);
  return look;
}

// Also beside a running hub: it asks the registry at each exchange.
int school_add(const Command& command, const std::string& urn, const std::string& name) {
  RegistryOptions options;
  options.data = command.data;
  const auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return command.console.failed(registry.error());
  if (auto done = (*registry)->add_school(urn, name); !done) return command.console.failed(done.error());
  command.console.line("school " + urn + " is registered");
  command.console.line("next: towpath-hub --data " + command.data + " school invite " + urn +
                       " makes a code for its machine");
  command.console.result({{"schema_version", kSchemaVersion}, {"urn", urn}, {"name", name}});
  return kFine;
}

int school_list(const Command& command) {
  auto look = Look::at(command);
  if (!look) return command.console.failed(look.error());
  const auto schools = look->registry().schools();
  if (!schools) return command.console.failed(schools.error());
  ordered_json list = ordered_json::array();
  for (const School& s : *schools) {
    command.console.line(s.urn + "  " + s.name);
    list.push_back({{"urn", s.urn}, {"name", s.name}, {"added", iso(s.added)}});
  }
  if (schools->empty())
    command.console.line("no school is registered; towpath-hub --data " + command.data +
                         " school add URN --name \"...\"");
  command.console.result({{"schema_version", kSchemaVersion}, {"schools", std::move(list)}});
  return kFine;
}

}  // namespace towpath::hub_cli
