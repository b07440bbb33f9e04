#include <algorithm>
#include <nlohmann/json.hpp>

#include "hub/cli/sharing_verbs.hpp"
#include "hub/cli/words.hpp"
#include "hub/federation/agreements.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

std::string standing(const OfferedAgreement& a, const OfferedAgreement::Party& p) {
  if (!p.decided) return "has not decided";
  const std::string when = " on " + utc_date(*p.decided).iso() + " by " + p.by;
  if (p.withdrawn) return "withdrew" + when;
  if (p.approved == a.version) return "approved" + when;
  const std::string other = "version " + std::to_string(*p.approved) + when;
  return p.approved_this ? "approved, and then " + other : "approved " + other + ", and not this one";
}

ordered_json to_json(const OfferedAgreement& a) {
  ordered_json parties = ordered_json::array();
  for (const OfferedAgreement::Party& p : a.parties)
    parties.push_back({{"urn", p.urn},
                       {"approved_version", p.approved ? ordered_json(*p.approved) : ordered_json(nullptr)},
                       {"approved_this_version", p.approved_this && !p.withdrawn},
                       {"withdrawn", p.withdrawn},
                       {"decided", p.decided ? ordered_json(iso(*p.decided)) : ordered_json(nullptr)},
                       {"by", p.by}});
  return {{"agreement", a.id},    {"version", a.version},    {"audience", a.audience},
          {"title", a.title},     {"start", a.start.iso()},  {"end", a.end.iso()},
          {"hash", a.hash.hex()}, {"offered", iso(a.added)}, {"schools", std::move(parties)}};
}

std::string headline(const OfferedAgreement& a, Date today) {
  return a.id + " version " + std::to_string(a.version) + ", for " + a.audience + ", " + a.start.iso() +
         " to " + a.end.iso() +
         (today > a.end     ? " (ended)"
          : today < a.start ? " (not yet)"
                            : "") +
         ": " + a.title;
}

}  // namespace

int agreement_add(const Command& command, const std::string& file, const Result<std::string>& text) {
  const Console& console = command.console;
  if (!text) return console.failed(text.error());
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  RegistryOptions options;
  options.data = command.data;
  const auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return console.failed(registry.error());
  auto added = Agreements(**registry)
                   .add(*text, command.dictionary, (*keys)->keys()->front().secret, command.clock.now());
  if (!added) return console.failed(added.error());
  if (!added->agreement) {
    ordered_json faults = ordered_json::array();
    for (const AgreementFault& fault : added->faults) {
      console.note(file + (fault.line > 0 ? ":" + std::to_string(fault.line) : std::string()) + ": " +
                   fault.text);
      faults.push_back({{"line", fault.line > 0 ? ordered_json(fault.line) : ordered_json(nullptr)},
                        {"what", fault.text}});
    }
    console.note("the agreement is not offered to anybody: " +
                 counted(added->faults.size(), "thing has", "things have") + " to be mended first");
    console.result({{"schema_version", kSchemaVersion},
                    {"added", false},
                    {"faults", std::move(faults)},
                    {"exit_code", kFailed}});
    return kFailed;
  }
  const Agreement& a = *added->agreement;
  ordered_json schools = ordered_json::array();
  for (const Party& p : a.parties)
    if (!p.urn.empty()) schools.push_back(p.urn);
  console.line("agreement " + a.id + " version " + std::to_string(a.version) + " for " + a.audience +
               " is offered to " + counted(schools.size(), "school", "schools"));
  console.line("next: at each school, once it has synced: towpath agreement show " + a.id +
               ", then towpath agreement approve " + a.id + " --by \"role and name\"");
  console.result({{"schema_version", kSchemaVersion},
                  {"added", true},
                  {"agreement", a.id},
                  {"version", a.version},
                  {"audience", a.audience},
                  {"hash", agreement_hash(*text).hex()},
                  {"schools", std::move(schools)}});
  return kFine;
}

int agreement_list(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  const auto all = Agreements(look->registry()).list();
  if (!all) return console.failed(all.error());
  const Date today = utc_date(command.clock.now());
  ordered_json list = ordered_json::array();
  for (const OfferedAgreement& a : *all) {
    const auto approved = static_cast<std::size_t>(std::count_if(
        a.parties.begin(), a.parties.end(), [&](const auto& p) { return p.approved == a.version; }));
    console.line(headline(a, today));
    console.line("    approved by " + number(approved) + " of " +
                 counted(a.parties.size(), "school", "schools"));
    list.push_back(to_json(a));
  }
  if (all->empty())
    console.line("no agreement is offered; towpath-hub --data " + command.data +
                 " agreement add FILE.toml (config/agreement.example.toml explains one)");
  console.result({{"schema_version", kSchemaVersion}, {"agreements", std::move(list)}});
  return kFine;
}

int agreement_show(const Command& command, const std::string& id,
                   const std::optional<std::uint32_t>& version) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  const auto all = Agreements(look->registry()).list();
  if (!all) return console.failed(all.error());
  const OfferedAgreement* found = nullptr;
  for (const OfferedAgreement& a : *all)  // ascending by version
    if (a.id == id && (!version || a.version == *version)) found = &a;
  if (found == nullptr)
    return console.failed(Error{Code::kNotFound,
                                version ? "there is no such version of an agreement of that id here"
                                        : "there is no agreement of that id here",
                                "towpath-hub --data " + command.data + " agreement list shows them"});
  console.line(headline(*found, utc_date(command.clock.now())));
  console.line("offered " + utc_date(found->added).iso() + ", text " + found->hash.hex());
  for (const OfferedAgreement::Party& p : found->parties)
    console.line("  " + p.urn + " " + standing(*found, p));
  console.line();
  std::string_view text = found->text;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    console.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  ordered_json document = to_json(*found);
  document["text"] = found->text;
  console.result({{"schema_version", kSchemaVersion}, {"agreement", std::move(document)}});
  return kFine;
}

}  // namespace towpath::hub_cli
