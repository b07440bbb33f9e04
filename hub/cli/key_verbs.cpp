#include <algorithm>
#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/words.hpp"
#include "hub/federation/orders.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

ordered_json key_json(const Keyring::Key& key, bool current) {
  return {{"key", key.secret.key().id().text()},
          {"fingerprint", key.secret.key().fingerprint()},
          {"made", iso(key.made)},
          {"current", current}};
}

// A URL that agents can take: https anywhere, http on loopback only.
Result<std::string> address(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  const bool https = url.starts_with("https://");
  const bool http = url.starts_with("http://");
  const std::string rest = url.substr(https ? 8 : http ? 7 : 0);
  const std::string host =
      rest.starts_with("[") ? rest.substr(0, rest.find(']') + 1) : rest.substr(0, rest.find_first_of(":/"));
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '@' && c != '?' && c != '#';
  });
  if ((!https && !http) || host.empty() || !plain || url.size() > 250)
    return fail(Code::kUsage, "--url takes the address at which schools reach this hub",
                "For example: --url https://hub.example");
  if (http && host != "localhost" && !host.starts_with("127.") && host != "[::1]")
    return fail(Code::kUsage, "without https, schools can reach a hub on their own machine only",
                "Give the address with https://, or one on 127.0.0.1 to try things out");
  return url;
}

}  // namespace

Result<std::unique_ptr<Keyring>> hub_keys(const Command& command) {
  auto keys = Keyring::open(command.data);
  if (!keys && (keys.error().code() == Code::kNotFound || keys.error().code() == Code::kDamaged))
    return fail(Code::kConfig, keys.error().what(), keys.error().next());
  if (keys && !(*keys)->closed().empty())
    command.console.note("the hub's keys were open to others, and are closed now: " + (*keys)->closed() +
                         ". If somebody may have copied them, run: towpath-hub --data " + command.data +
                         " key rotate");
  return keys;
}

int init(const Command& command, const std::string& url, bool new_keys,
         const std::optional<int>& backup_days) {
  const Console& console = command.console;
  std::string clean;
  if (!url.empty()) {
    auto checked = address(url);
    if (!checked) return console.failed(checked.error());
    clean = *checked;
  }
  RegistryOptions options;
  options.data = command.data;
  options.create = true;
  const auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return console.failed(registry.error());
  auto there = Keyring::exists(command.data);
  if (!there) return console.failed(there.error());
  if (!*there) {
    auto agents = (*registry)->agents().all();
    if (!agents) return console.failed(agents.error());
    // Every school knows the hub by its key.
    if (!agents->empty() && !new_keys)
      return console.failed(Error{
          Code::kConfig, "the hub's keys are gone from " + command.data + "/keys, and schools are enrolled",
          "Bring the folder back from a backup; or, if there is none: init --new-keys, and every school "
          "has to be invited and enrolled again"});
    if (auto made = Keyring::make(command.data, command.random, command.clock.now()); !made)
      return console.failed(made.error());
  }
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  if (!clean.empty())
    if (auto done = (*registry)->set_url(clean); !done) return console.failed(done.error());
  Orders orders(**registry);
  if (backup_days)
    if (auto done = orders.keep_backups(*backup_days); !done) return console.failed(done.error());
  auto backups = orders.backups_kept();
  if (!backups) return console.failed(backups.error());
  auto known = (*registry)->url();
  if (!known) return console.failed(known.error());
  const auto held = (*keys)->keys();
  console.line("the hub's data is in " + command.data);
  console.line("the hub's key is " + held->front().secret.key().fingerprint() +
               (*there ? "" : "; keep a copy of " + command.data + "/keys where nobody else reads it"));
  if (!known->empty()) console.line("schools reach it at " + *known);
  console.line("next: towpath-hub --data " + command.data + " school add URN --name \"...\"");
  console.result({{"schema_version", kSchemaVersion},
                  {"data", command.data},
                  {"hub_key", held->front().secret.key().fingerprint()},
                  {"made_keys", !*there},
                  {"url", *known},
                  {"backup_days", *backups}});
  return kFine;
}

int key_show(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  const auto held = (*keys)->keys();
  ordered_json list = ordered_json::array();
  for (const Keyring::Key& key : *held) {
    const bool current = &key == &held->front();
    console.line(key.secret.key().fingerprint() + "  made " + iso(key.made).substr(0, 10) +
                 (current ? "  current" : "  former; still opens what is sent to it"));
    list.push_back(key_json(key, current));
  }
  console.result({{"schema_version", kSchemaVersion}, {"keys", std::move(list)}});
  return kFine;
}

int key_rotate(const Command& command) {
  const Console& console = command.console;
  RegistryOptions options;
  options.data = command.data;
  const auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return console.failed(registry.error());
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  const Instant now = command.clock.now();
  if (auto done = (*keys)->rotate(command.random, now); !done) return console.failed(done.error());
  // A code names the key that it was made under; agents would take this hub for another.
  auto withdrawn = (*registry)->agents().withdraw_invitations(now);
  if (!withdrawn) return console.failed(withdrawn.error());
  const auto held = (*keys)->keys();
  console.line("the hub's key is " + held->front().secret.key().fingerprint() +
               " from now on; schools take it over at their next exchange");
  if (*withdrawn > 0)
    console.line(counted(*withdrawn, "invitation that is", "invitations that are") +
                 " not used yet do not fit it and are withdrawn: make new ones");
  console.line("next: back up " + command.data + "/keys; the former keys in it are still needed");
  console.result({{"schema_version", kSchemaVersion},
                  {"hub_key", held->front().secret.key().fingerprint()},
                  {"invitations_withdrawn", *withdrawn}});
  return kFine;
}

}  // namespace towpath::hub_cli
