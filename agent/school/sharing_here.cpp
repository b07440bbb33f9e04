#include "agent/school/sharing_here.hpp"

#include <algorithm>
#include <map>
#include <set>
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
  options.backup_days = config.backup_days;
  return Partners::open(std::move(options), built_in_dictionary(), clock);
}

Result<std::vector<std::pair<std::string, std::string>>> waiting_decisions(Sharing& sharing, Date today) {
  const auto offers = sharing.offers();
  if (!offers) return fail(offers.error());
  const auto decided = sharing.decided(today);
  if (!decided) return fail(decided.error());
  std::map<std::string, const Offer*> newest;
  for (const Offer& offer : *offers) {
    const Offer*& at = newest[offer.id];
    if (at == nullptr || at->version < offer.version) at = &offer;
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [id, offer] : newest) {
    if (offer->audience.empty() || (offer->agreement && offer->agreement->end < today)) continue;
    const auto about = std::find_if(decided->begin(), decided->end(), [&](const Decided& d) {
      if (d.audience == offer->audience &&
          std::any_of(d.next.begin(), d.next.end(), [&](const Decided::Next& n) {
            return n.agreement == id && n.version >= offer->version && !n.suspended;
          }))
        return true;
      // Who withdraws while a newer version is offered has decided about that, too.
      return d.audience == offer->audience && d.agreement == id &&
             (d.version >= offer->version ||
              (d.standing == Standing::kWithdrawn && offer->received <= d.at)) &&
             d.standing != Standing::kSuspended;
    });
    if (about == decided->end()) out.emplace_back(offer->audience, id);
  }
  return out;
}

Result<SharingSeen> see_sharing(const AgentConfig& config, Store& store, Clock& clock) {
  SharingSeen out;
  const Date today = utc_date(clock.now());
  Sharing sharing(store, clock, sharing_options(config, nullptr, {}));
  const auto decided = sharing.decided(today);
  if (!decided) return fail(decided.error());
  for (const Decided& d : *decided) {
    if (d.standing == Standing::kInForce && d.offer && d.offer->agreement)
      out.shared.push_back({d.audience, d.agreement, d.version, d.lasts(), 0});
    if (d.standing == Standing::kWithdrawn) out.withdrawn.emplace_back(d.audience, d.agreement);
    // Where the next has been approved since, a person has looked.
    if (d.standing == Standing::kSuspended &&
        std::none_of(d.next.begin(), d.next.end(), [](const Decided::Next& n) { return !n.suspended; }))
      out.suspended = true;
    if (d.standing == Standing::kEnded && d.offer && d.offer->agreement && d.offer->agreement->end < today)
      out.ended.emplace_back(d.audience, d.agreement);
  }
  for (SharingSeen::Shared& one : out.shared) {
    auto rows = store.db().prepare("SELECT coalesce(sum(rows),0) FROM stream_dataset WHERE audience=?1");
    if (!rows) return fail(std::move(rows).error());
    auto use = rows->use();
    use.bind(1, std::string_view(one.audience));
    const auto row = use.step();
    if (!row) return fail(row.error());
    if (*row) one.rows = static_cast<std::uint64_t>(use.integer(0));
  }
  const auto offers = sharing.offers();
  if (!offers) return fail(offers.error());
  out.offered = offers->size();
  auto waiting = waiting_decisions(sharing, today);
  if (!waiting) return fail(std::move(waiting).error());
  out.waiting = std::move(*waiting);
  const auto deeds = store.db().integer("SELECT count(*) FROM deed_out WHERE taken IS NULL");
  if (!deeds) return fail(deeds.error());
  out.deeds_waiting = static_cast<std::uint64_t>(*deeds);

  const auto partners = sharing.partners(today);
  if (!partners) return fail(partners.error());
  const auto orders = sharing.orders();
  if (!orders) return fail(orders.error());
  const auto receipts = sharing.receipts();
  if (!receipts) return fail(receipts.error());
  for (const Sharing::OrderMade& order : *orders) {
    const auto answered = [&](const std::string& issuer) {
      return std::any_of(receipts->begin(), receipts->end(), [&](const Sharing::ReceiptHeld& r) {
        return r.paper.about == order.deed && r.issuer == issuer;
      });
    };
    SharingSeen::Order one{order.deed.text(), order.audience, order.made, {}};
    if (!answered("hub")) one.missing.emplace_back("the hub");
    for (const Partner& partner : *partners)
      if (partner.audience() == order.audience && !answered("school:" + partner.urn))
        one.missing.push_back("school " + partner.urn);
    if (!one.missing.empty()) out.orders.push_back(std::move(one));
  }

  auto held = open_partners(config, clock, true);
  if (!held) return fail(std::move(held).error());
  const auto replicas = held->held();
  if (!replicas) return fail(replicas.error());
  for (const Partner& partner : *partners) {
    SharingSeen::Held one{partner.federation, partner.urn, partner.name, "nothing has come yet", 0, {}};
    for (const Partners::Held& replica : *replicas)
      if (replica.federation == partner.federation && replica.urn == partner.urn) {
        one.state = replica.epoch.number == 0 ? "first load under way" : "complete";
        one.rows = replica.rows;
        one.heard = replica.heard;
      }
    out.partners.push_back(std::move(one));
  }
  out.known = true;
  return out;
}

Result<bool> sharing_is_due(const AgentConfig& config, Store& store, Clock& clock) {
  const Instant now = clock.now();
  const auto due = store.db().integer(
      "SELECT EXISTS(SELECT 1 FROM deed_out WHERE taken IS NULL) OR EXISTS(SELECT 1 FROM recall WHERE due<=" +
      std::to_string(now.time_since_epoch().count()) + ")");
  if (!due) return fail(due.error());
  if (*due != 0) return true;
  // A stream for each audience that is agreed with, and none for others.
  Sharing sharing(store, clock, sharing_options(config, nullptr, {}));
  const auto audiences = sharing.audiences(utc_date(now));
  if (!audiences) return fail(audiences.error());
  std::set<std::string> agreed, streams;
  for (const Audience& audience : *audiences) agreed.insert(audience.name);
  TP_TRY(store.db().each("SELECT audience FROM stream",
                         [&](Statement::Use& row) { streams.emplace(row.text(0)); }));
  return agreed != streams;
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
