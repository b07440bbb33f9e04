#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "hub/cli/sharing_verbs.hpp"
#include "hub/cli/words.hpp"
#include "hub/federation/agreements.hpp"
#include "hub/federation/federations.hpp"
#include "hub/federation/orders.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

Result<std::unique_ptr<Registry>> to_write(const Command& command) {
  RegistryOptions options;
  options.data = command.data;
  return Registry::open(options, command.dictionary, command.clock);
}

ordered_json member_json(const FederationMember& m) {
  return {{"urn", m.urn},
          {"name", m.name},
          {"since", iso(m.since)},
          {"until", m.until ? ordered_json(iso(*m.until)) : ordered_json(nullptr)}};
}

}  // namespace

int federation_add(const Command& command, const std::string& id, const std::string& name,
                   const std::vector<std::string>& urns) {
  const Console& console = command.console;
  const auto registry = to_write(command);
  if (!registry) return console.failed(registry.error());
  if (const auto done = Federations(**registry).add(id, name, urns, command.clock.now()); !done)
    return console.failed(done.error());
  console.line("federation " + id + " is made, with " + counted(urns.size(), "school", "schools"));
  console.line("next: an agreement for the audience \"federation:" + id +
               "\" (config/agreement-federation.example.toml): towpath-hub --data " + command.data +
               " agreement add FILE.toml");
  console.result({{"schema_version", kSchemaVersion}, {"federation", id}, {"name", name}, {"members", urns}});
  return kFine;
}

int federation_list(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  const auto all = Federations(look->registry()).list();
  if (!all) return console.failed(all.error());
  ordered_json list = ordered_json::array();
  for (const Federation& f : *all) {
    console.line(f.id + "  " + f.name);
    ordered_json members = ordered_json::array();
    for (const FederationMember& m : f.members) {
      console.line("    " + m.urn + "  " + m.name + "  since " + utc_date(m.since).iso() +
                   (m.until ? ", left " + utc_date(*m.until).iso() : ""));
      members.push_back(member_json(m));
    }
    list.push_back(
        {{"federation", f.id}, {"name", f.name}, {"added", iso(f.added)}, {"members", std::move(members)}});
  }
  if (all->empty())
    console.line("there is no federation; towpath-hub --data " + command.data +
                 " federation add ID --name \"...\" --member URN...");
  console.result({{"schema_version", kSchemaVersion}, {"federations", std::move(list)}});
  return kFine;
}

int federation_join(const Command& command, const std::string& id, const std::string& urn) {
  const Console& console = command.console;
  const auto registry = to_write(command);
  if (!registry) return console.failed(registry.error());
  if (const auto done = Federations(**registry).join(id, urn, command.clock.now()); !done)
    return console.failed(done.error());
  console.line("school " + urn + " is in federation " + id);
  console.line(
      "next: a version of its agreement that names the school as a party, with agreement add; nothing is"
      " shared before each school has approved it");
  console.result({{"schema_version", kSchemaVersion}, {"federation", id}, {"joined", urn}});
  return kFine;
}

int federation_leave(const Command& command, const std::string& id, const std::string& urn) {
  const Console& console = command.console;
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  const auto registry = to_write(command);
  if (!registry) return console.failed(registry.error());
  const auto orders =
      Federations(**registry).leave(id, urn, (*keys)->keys()->front().secret, command.clock.now());
  if (!orders) return console.failed(orders.error());
  console.line("school " + urn + " has left federation " + id + "; " +
               counted(*orders, "order was", "orders were") + " made to remove what is held");
  console.line("next: federation status " + id + " shows who has not carried them out yet");
  console.result(
      {{"schema_version", kSchemaVersion}, {"federation", id}, {"left", urn}, {"orders", *orders}});
  return kFine;
}

int federation_status(const Command& command, const std::string& id) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  Federations books(look->registry());
  if (!id.empty())
    if (const auto known = books.find(id); !known) return console.failed(known.error());
  const auto all = books.list();
  if (!all) return console.failed(all.error());
  const auto agreements = Agreements(look->registry()).list();
  if (!agreements) return console.failed(agreements.error());
  const auto standings = books.standings();
  if (!standings) return console.failed(standings.error());
  const auto orders = Orders(look->registry()).all();
  if (!orders) return console.failed(orders.error());
  const Instant now = command.clock.now();
  const Date today = utc_date(now);

  bool fine = true;
  ordered_json list = ordered_json::array();
  for (const Federation& f : *all) {
    if (!id.empty() && f.id != id) continue;
    const std::string audience = std::string(kFederationPrefix) + f.id;
    std::vector<std::string> lines, reasons;
    ordered_json agreed = ordered_json::array(), held = ordered_json::array(),
                 waiting = ordered_json::array();

    // Of each agreement the newest version counts, once it has begun.
    std::map<std::string, const OfferedAgreement*> newest;
    for (const OfferedAgreement& a : *agreements)
      if (a.audience == audience) newest[a.id] = &a;
    bool any = false;
    for (const auto& [name, a] : newest) {
      if (today > a->end) continue;
      any = true;
      std::vector<std::string> missing;
      for (const FederationMember& m : f.members) {
        if (m.until) continue;
        const auto party = std::find_if(a->parties.begin(), a->parties.end(),
                                        [&](const OfferedAgreement::Party& p) { return p.urn == m.urn; });
        if (party == a->parties.end())
          reasons.push_back("school " + m.urn + " is a member, and no party of agreement " + name +
                            " version " + std::to_string(a->version));
        else if (party->approved != a->version)
          missing.push_back(m.urn + (party->withdrawn ? " (withdrawn)" : ""));
      }
      lines.push_back("agreement " + name + " version " + std::to_string(a->version) + ", " + a->start.iso() +
                      " to " + a->end.iso());
      if (!missing.empty()) {
        std::string who;
        for (const std::string& m : missing) who += (who.empty() ? "" : ", ") + m;
        reasons.push_back("agreement " + name + " version " + std::to_string(a->version) +
                          " is not approved by " + who);
      }
      if (a->end <= today.plus(kExpiryWarningDays))
        reasons.push_back("agreement " + name + " ends on " + a->end.iso() +
                          ": add its next version, or sharing stops then");
      agreed.push_back({{"agreement", name},
                        {"version", a->version},
                        {"end", a->end.iso()},
                        {"not_approved_by", missing}});
    }
    if (!any) reasons.push_back("it has no agreement: nothing is shared in it");

    for (const Federations::Standing& s : *standings) {
      if (s.federation != f.id || !f.has(s.reader) || !f.has(s.urn)) continue;
      lines.push_back("school " + s.reader +
                      (s.epoch.number == 0
                           ? " holds nothing of " + s.urn
                           : " holds the data of " + s.urn + " at epoch " + std::to_string(s.epoch.number) +
                                 ", segment " + std::to_string(s.seq.number)) +
                      ", as it said " + age(s.at, now));
      held.push_back({{"reader", s.reader},
                      {"of", s.urn},
                      {"epoch", s.epoch.number},
                      {"seq", s.seq.number},
                      {"since", iso(s.at)}});
    }
    for (const OrderState& o : *orders) {
      if (o.order.audience != audience) continue;
      std::vector<std::string> open;
      for (const OrderTask& t : o.tasks)
        if (!t.done) open.push_back(t.urn.empty() ? "the hub" : "school " + t.urn);
      if (open.empty()) continue;
      std::string who;
      for (const std::string& one : open) who += (who.empty() ? "" : ", ") + one;
      reasons.push_back("order " + o.deed.text().substr(0, 8) + " of " + utc_date(o.taken).iso() +
                        " to remove data of school " + o.order.school_urn + " has not been carried out by " +
                        who);
      waiting.push_back({{"order", o.deed.text()},
                         {"by", o.issuer},
                         {"about", o.order.school_urn},
                         {"everything", o.order.all},
                         {"taken", iso(o.taken)},
                         {"open", open}});
    }

    std::size_t members = 0;
    ordered_json member_list = ordered_json::array();
    for (const FederationMember& m : f.members) {
      if (m.until) continue;
      ++members;
      member_list.push_back(member_json(m));
    }
    console.line(f.id + "  " + f.name + ": " + counted(members, "school", "schools"));
    for (const std::string& line : lines) console.line("    " + line);
    for (const std::string& reason : reasons) console.line("  ! " + reason);
    fine = fine && reasons.empty();
    list.push_back({{"federation", f.id},
                    {"name", f.name},
                    {"members", std::move(member_list)},
                    {"agreements", std::move(agreed)},
                    {"held", std::move(held)},
                    {"orders_open", std::move(waiting)},
                    {"reasons", reasons}});
  }
  if (list.empty()) console.line("there is no federation");
  const int code = fine ? kFine : kDegraded;
  console.result({{"schema_version", kSchemaVersion}, {"federations", std::move(list)}, {"exit_code", code}});
  return code;
}

}  // namespace towpath::hub_cli
