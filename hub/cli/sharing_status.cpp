#include "hub/cli/sharing_status.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "hub/cli/words.hpp"
#include "hub/federation/agreements.hpp"
#include "hub/federation/federations.hpp"
#include "hub/federation/orders.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;
using What = SharingMatter::What;

// Lines stay lines in a borough of 60 schools.
constexpr std::size_t kSchoolsNamed = 5;

std::string listed(const std::vector<std::string>& urns) {
  std::string out;
  for (std::size_t i = 0; i < std::min(urns.size(), kSchoolsNamed); ++i)
    out += (out.empty() ? "" : ", ") + (urns[i] == "hub" ? std::string("the hub") : urns[i]);
  if (urns.size() > kSchoolsNamed) out += " and " + number(urns.size() - kSchoolsNamed) + " more";
  return out;
}

void judge(const OfferedAgreement& a, const std::vector<OfferedAgreement>& all,
           const std::vector<Federation>& federations, Date today, const std::string& program,
           std::vector<SharingMatter>& out) {
  const std::string what = "agreement " + a.id + " version " + std::to_string(a.version);
  std::vector<std::string> open;
  for (const OfferedAgreement::Party& p : a.parties) {
    // Who has left a federation decides nothing about it; who has withdrawn has decided.
    const auto member = [&](const Federation& f) {
      return std::string(kFederationPrefix) + f.id == a.audience && f.has(p.urn);
    };
    if (a.audience.starts_with(kFederationPrefix) &&
        std::none_of(federations.begin(), federations.end(), member))
      continue;
    if (!p.withdrawn && p.approved != a.version) open.push_back(p.urn);
  }
  if (!open.empty())
    out.push_back({What::kNotApproved, what + " is not approved by " + listed(open),
                   "at each of these schools: towpath agreement show " + a.id +
                       ", then towpath agreement approve " + a.id,
                   a.id, open});
  const bool followed = std::any_of(all.begin(), all.end(), [&](const OfferedAgreement& b) {
    return b.id != a.id && b.audience == a.audience && b.start <= a.end.plus(1) && b.end > a.end;
  });
  if (a.start <= today && a.end <= today.plus(kExpiryWarningDays) && !followed)
    out.push_back({What::kEnding,
                   what + " ends on " + a.end.iso() + "; then its sharing stops",
                   program + " agreement add FILE offers what is to follow it",
                   a.id,
                   {}});
}

}  // namespace

Result<std::vector<SharingMatter>> sharing_matters(Registry& registry, const Command& command) {
  const std::string program = "towpath-hub --data " + command.data;
  const Instant now = command.clock.now();
  const Date today = utc_date(now);
  auto agreements = Agreements(registry).list();
  if (!agreements) return fail(std::move(agreements).error());
  auto federations = Federations(registry).list();
  if (!federations) return fail(std::move(federations).error());
  auto orders = Orders(registry).all();
  if (!orders) return fail(std::move(orders).error());

  std::vector<SharingMatter> out;
  // Ascending by version: of each the newest counts.
  for (auto a = agreements->begin(); a != agreements->end(); ++a)
    if ((std::next(a) == agreements->end() || std::next(a)->id != a->id) && today <= a->end)
      judge(*a, *agreements, *federations, today, program, out);

  struct Late {
    std::size_t orders = 0;
    std::set<std::string> who;
  };
  std::map<std::string, Late> late;  // by audience
  for (const OrderState& order : *orders) {
    if (now - order.taken < kOrderLate) continue;
    bool open = false;
    for (const OrderTask& task : order.tasks)
      if (!task.done) {
        open = true;
        late[order.order.audience].who.insert(task.urn.empty() ? "hub" : task.urn);
      }
    if (open) ++late[order.order.audience].orders;
  }
  for (const auto& [audience, l] : late) {
    const bool borough = !audience.starts_with(kFederationPrefix);
    const std::string id = borough ? audience : audience.substr(kFederationPrefix.size());
    const std::vector<std::string> who(l.who.begin(), l.who.end());
    out.push_back({What::kOrdersLate,
                   counted(l.orders, "order", "orders") + " to remove data of " + audience +
                       " waiting for more than " + std::to_string(kOrderLate.count() / 24) + " days for " +
                       listed(who),
                   borough ? program + " receipt list shows them"
                           : "have these schools run towpath sync; " + program + " federation status " + id +
                                 " shows which",
                   id, who});
  }
  return out;
}

ordered_json to_json(const std::vector<SharingMatter>& matters) {
  ordered_json not_approved = ordered_json::array(), ending = ordered_json::array(),
               late = ordered_json::array();
  for (const SharingMatter& m : matters) switch (m.what) {
      case What::kNotApproved:
        not_approved.push_back({{"agreement", m.id}, {"schools", m.schools}});
        break;
      case What::kEnding:
        ending.push_back({{"agreement", m.id}});
        break;
      case What::kOrdersLate:
        late.push_back({{"of", m.id}, {"waiting_for", m.schools}});
        break;
    }
  return {{"not_approved", std::move(not_approved)},
          {"ending", std::move(ending)},
          {"orders_late", std::move(late)}};
}

}  // namespace towpath::hub_cli
