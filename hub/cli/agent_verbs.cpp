#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/words.hpp"
#include "trust/invitation.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json when(const std::optional<T>& at) {
  return at ? ordered_json(iso(*at)) : ordered_json(nullptr);
}

// Also beside a running hub: it asks the registry at each exchange.
Result<std::unique_ptr<Registry>> registry_of(const Command& command) {
  RegistryOptions options;
  options.data = command.data;
  return Registry::open(options, command.dictionary, command.clock);
}

// "school 100001 has no current key" is more help where the school is not there at all.
std::optional<Error> unknown_school(Registry& registry, const Command& command, const std::string& urn) {
  auto school = registry.school(urn);
  if (!school) return std::move(school).error();
  if (*school) return std::nullopt;
  return Error{Code::kNotFound, "no school with the URN given is registered",
               "towpath-hub --data " + command.data + " school list shows them"};
}

}  // namespace

ordered_json agent_json(const Agent& a) {
  return {{"urn", a.urn},
          {"key", a.key.id().text()},
          {"fingerprint", a.key.fingerprint()},
          {"machine", a.label},
          {"software", a.software},
          {"standing", std::string(name(a.standing))},
          {"since", iso(a.changed)},
          {"enrolled", iso(a.enrolled)},
          {"last_heard", when(a.heard)},
          {"clock_seconds", a.clock_off ? ordered_json(static_cast<double>(a.clock_off->count()) / 1000.0)
                                        : ordered_json(nullptr)},
          {"two_machines_since", when(a.two_machines)},
          {"rotation_asked", a.rotation_asked}};
}

int agent_list(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  auto agents = look->registry().agents().all();
  if (!agents) return console.failed(agents.error());
  const Instant now = command.clock.now();
  ordered_json list = ordered_json::array();
  for (const Agent& a : *agents) {
    std::string line = a.urn + "  " + a.key.id().text() + "  " + std::string(name(a.standing)) + " since " +
                       iso(a.changed).substr(0, 10);
    line += a.heard ? ", heard " + age(*a.heard, now) : std::string(", never heard");
    if (!a.label.empty()) line += "; " + a.label;
    if (!a.software.empty()) line += ", " + a.software;
    if (a.rotation_asked) line += "; asked to make new keys";
    if (a.two_machines) line += "; TWO MACHINES since " + iso(*a.two_machines).substr(0, 10);
    console.line(line);
    list.push_back(agent_json(a));
  }
  if (agents->empty())
    console.line("no school's machine is enrolled; towpath-hub --data " + command.data +
                 " school invite URN makes a code for one");
  console.result({{"schema_version", kSchemaVersion}, {"agents", std::move(list)}});
  return kFine;
}

int agent_revoke(const Command& command, const std::string& urn) {
  const Console& console = command.console;
  auto registry = registry_of(command);
  if (!registry) return console.failed(registry.error());
  if (const auto error = unknown_school(**registry, command, urn)) return console.failed(*error);
  auto agent = (*registry)->agents().revoke(urn, command.clock.now());
  if (!agent) return console.failed(agent.error());
  console.line("key " + agent->key.id().text() + " of school " + urn +
               " is revoked; nothing is taken from it any more, from its next request on");
  console.line("an invitation code of the school that is not used yet is withdrawn with it");
  console.line("next: towpath-hub --data " + command.data + " school invite " + urn +
               " lets the school enrol a machine again");
  console.result({{"schema_version", kSchemaVersion}, {"urn", urn}, {"revoked", agent->key.id().text()}});
  return kFine;
}

int agent_rotate(const Command& command, const std::string& urn) {
  const Console& console = command.console;
  auto registry = registry_of(command);
  if (!registry) return console.failed(registry.error());
  if (const auto error = unknown_school(**registry, command, urn)) return console.failed(*error);
  auto agent = (*registry)->agents().ask_rotation(urn);
  if (!agent) return console.failed(agent.error());
  console.line("the machine of school " + urn + " is asked to make new keys at its next exchange");
  console.result(
      {{"schema_version", kSchemaVersion}, {"urn", urn}, {"rotation_asked", agent->key.id().text()}});
  return kFine;
}

// --- invitations ------------------------------------------------------------------------------
int school_invite(const Command& command, const std::string& urn, const std::string& expires) {
  const Console& console = command.console;
  const auto good = span_of(expires);
  if (!good)
    return console.failed(Error{
        Code::kUsage, "--expires takes a number of days or hours, from 1h to 90d, not \"" + expires + "\"",
        "For example: --expires 7d"});
  auto registry = registry_of(command);
  if (!registry) return console.failed(registry.error());
  if (const auto error = unknown_school(**registry, command, urn))
    return console.failed(Error(*error).advise("towpath-hub --data " + command.data +
                                               " school add URN --name \"...\" registers it"));
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  auto url = (*registry)->url();
  if (!url) return console.failed(url.error());
  Invitation code = Invitation::make((*keys)->keys()->front().secret.key(), command.random);
  // Https is what a code without a scheme means.
  code.host = url->starts_with("https://") ? url->substr(8) : *url;
  const Instant now = command.clock.now();
  const Instant until = now + *good;
  Bytes secret = code.secret();
  auto withdrawn = (*registry)->agents().invite(urn, Invitation::hash_of(secret), now, until);
  wipe(secret);
  if (!withdrawn) return console.failed(withdrawn.error());

  std::string text = code.text();
  console.line(text);
  console.line();
  console.line("for school " + urn + ", once, until " + iso(until).substr(0, 16) + " UTC");
  if (*withdrawn) console.line("the code made for this school before does not work any more");
  console.line(
      "at the school: towpath --config FILE enrol (it asks for the code, which then stays out of histories)");
  if (url->empty())
    console.line("its configuration has to name this hub ([hub] url); towpath-hub --data " + command.data +
                 " init --url https://... puts the address into codes");
  console.result({{"schema_version", kSchemaVersion},
                  {"urn", urn},
                  {"code", text},
                  {"expires", iso(until)},
                  {"url", *url},
                  {"hub_key", (*keys)->keys()->front().secret.key().fingerprint()},
                  {"withdrew_earlier", *withdrawn}});
  wipe(text);
  return kFine;
}

}  // namespace towpath::hub_cli
