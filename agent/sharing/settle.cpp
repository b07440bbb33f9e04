// What is due: recalls become orders, agreements end, replicas of those who are no partners go.
#include <algorithm>
#include <utility>

#include "agent/sharing/sharing.hpp"
#include "agent/sharing/state.hpp"
#include "agent/sharing/statements.hpp"

namespace towpath {

using sharing::each;
using sharing::fixed;
using sharing::number;
using sharing::run;

Result<void> Sharing::issue(const OrderPaper& order) {
  const Instant now = clock_.now();
  const auto deed = say(DeedKind::kOrder, order.encode(), now + kOrderTerm);
  if (!deed) return fail(deed.error());
  TP_TRY(run(store_.db(),
             "INSERT INTO order_made(deed,audience,everything,epoch,seq,made) VALUES(?1,?2,?3,?4,?5,?6)",
             *deed, order.audience, order.all, order.epoch.number, order.seq.number, now));
  return audit_.append(
      now, "order-issued",
      "order " + deed->text() + " to " + order.audience + ": remove " +
          (order.all ? std::string("everything of this school")
                     : "what is kept from before epoch " + std::to_string(order.epoch.number) + ", segment " +
                           std::to_string(order.seq.number)));
}

Result<void> Sharing::order_all(std::string_view audience) {
  OrderPaper order;
  order.school_urn = store_.school_urn();
  order.audience = audience;
  order.all = true;
  TP_TRY(each(
      store_.db(), "SELECT epoch,seq,hub_epoch FROM stream WHERE audience=?1",
      [&](Statement::Use& row) -> Result<void> {
        order.epoch = Epoch{static_cast<std::uint32_t>(std::max(row.integer(0), row.integer(2)))};
        order.seq = StreamSeq{static_cast<std::uint64_t>(row.integer(1))};
        return {};
      },
      audience));
  TP_TRY(issue(order));
  TP_TRY(run(store_.db(),
             "INSERT INTO ended_stream VALUES(?1,?2) ON CONFLICT(audience) DO UPDATE SET "
             "epoch=max(epoch,excluded.epoch)",
             audience, order.epoch.number));
  for (const char* forget :
       {"DELETE FROM stream WHERE audience=?1", "DELETE FROM outbox WHERE audience=?1",
        "DELETE FROM content WHERE audience=?1", "DELETE FROM recall WHERE audience=?1",
        "DELETE FROM shared_pupil WHERE audience=?1", "DELETE FROM stream_dataset WHERE audience=?1"})
    TP_TRY(run(store_.db(), forget, audience));
  return {};
}

// Signs and keeps an answer for whoever gave the order. Within the caller's transaction.
Result<DeedId> Sharing::answer(ReceiptPaper receipt) {
  std::uint64_t rows = 0;
  for (const ReceiptPaper::Removed& removed : receipt.rows) rows += removed.rows;
  auto deed = say(DeedKind::kReceipt, receipt.encode());
  if (!deed) return deed;
  const char* outcome = receipt.outcome == ReceiptPaper::Outcome::kRemoved       ? "removed"
                        : receipt.outcome == ReceiptPaper::Outcome::kNothingHeld ? "nothing was held"
                                                                                 : "the order had expired";
  TP_TRY(audit_.append(clock_.now(), "receipt-given",
                       "receipt " + deed->text() + " about " + receipt.about.text() + ": " + outcome + ", " +
                           std::to_string(rows) + " rows, " + std::to_string(receipt.segments) +
                           " segments, " + std::to_string(receipt.references) + " contents"));
  return deed;
}

Result<Sharing::Settled> Sharing::settle() {
  Settled out;
  Database& db = store_.db();
  const Instant now = clock_.now();
  const Date today = utc_date(now);

  const auto all = decided(today);
  if (!all) return fail(all.error());
  for (const Decided& d : *all) {
    if (d.standing != Standing::kEnded) continue;
    // Ends once. (What is over before the next begins is named here though that was decided later.)
    const auto open =
        number(db,
               "SELECT coalesce(max(number),0) > (SELECT coalesce(max(number),0) FROM decision WHERE "
               "audience=?1 AND agreement=?2 AND version=?3 AND what=?4) FROM decision WHERE audience=?1 AND "
               "agreement=?2 AND version=?3 AND what=?5",
               d.audience, d.agreement, d.version, Decision::kEnded, Decision::kApproved);
    if (!open) return fail(open.error());
    if (*open == 0) continue;
    auto transaction = db.begin();
    if (!transaction) return fail(std::move(transaction).error());
    const bool by_date = d.offer && d.offer->agreement && today > d.offer->agreement->end;
    const std::string why = by_date ? "it ended on " + d.offer->agreement->end.iso()
                                    : std::string("this school is not in the federation any more");
    const auto over = [&](const std::string& agreement, std::uint32_t version) -> Result<void> {
      const auto done = run(db,
                            "INSERT INTO decision(audience,agreement,version,what,by_whom,at,deed) "
                            "VALUES(?1,?2,?3,?4,'',?5,?6)",
                            d.audience, agreement, version, Decision::kEnded, now, sharing::Null{});
      return done ? Result<void>{} : fail(done.error());
    };
    TP_TRY(over(d.agreement, d.version));
    // Whoever is out of the federation has nothing that could begin in it.
    if (!by_date)
      for (const Decided::Next& n : d.next) TP_TRY(over(n.agreement, n.version));
    TP_TRY(audit_.append(now, "agreement-ended",
                         "agreement " + d.agreement + " version " + std::to_string(d.version) + " for " +
                             d.audience + ": " + why));
    TP_TRY(order_all(d.audience));
    TP_TRY(transaction->commit());
    ++out.orders;
    out.ended.push_back(d.audience);
    out.events.push_back("nothing is shared with " + d.audience + " any more (agreement " + d.agreement +
                         "): " + why + "; what is there is being recalled");
  }

  // One order says it all: its place is the latest of those that are due.
  std::vector<OrderPaper> due;
  TP_TRY(each(
      db,
      "SELECT audience,epoch,seq FROM recall r WHERE due<=?1 AND NOT EXISTS(SELECT 1 FROM recall l WHERE "
      "l.audience=r.audience AND l.due<=?1 AND (l.epoch,l.seq)>(r.epoch,r.seq)) ORDER BY audience",
      [&](Statement::Use& row) -> Result<void> {
        OrderPaper order;
        order.school_urn = store_.school_urn();
        order.audience = row.text(0);
        order.epoch = Epoch{static_cast<std::uint32_t>(row.integer(1))};
        order.seq = StreamSeq{static_cast<std::uint64_t>(row.integer(2))};
        due.push_back(std::move(order));
        return {};
      },
      now));
  if (!due.empty()) {
    auto transaction = db.begin();
    if (!transaction) return fail(std::move(transaction).error());
    for (const OrderPaper& order : due) {
      TP_TRY(issue(order));
      TP_TRY(run(db, "DELETE FROM recall WHERE audience=?1 AND (epoch,seq)<=(?2,?3)", order.audience,
                 order.epoch.number, order.seq.number));
      ++out.orders;
    }
    TP_TRY(transaction->commit());
  }

  if (holdings_ != nullptr) {
    auto may = partners(today);
    if (!may) return fail(std::move(may).error());
    auto gone = holdings_->hold_only(*may);
    if (!gone) return fail(std::move(gone).error());
    if (!gone->empty()) {
      auto transaction = db.begin();
      if (!transaction) return fail(std::move(transaction).error());
      for (PartnerHoldings::Gone& one : *gone) {
        TP_TRY(each(
            db,
            "SELECT a.deed FROM decision d JOIN agreement a ON a.id=d.agreement AND a.version=d.version "
            "WHERE "
            "d.audience=?1 ORDER BY d.number DESC LIMIT 1",
            [&](Statement::Use& row) -> Result<void> {
              one.receipt.about = fixed<DeedId>(row.blob(0));
              return {};
            },
            one.audience));
        const auto said = answer(std::move(one.receipt));
        if (!said) return fail(said.error());
        ++out.receipts;
      }
      TP_TRY(transaction->commit());
      TP_TRY(holdings_->ends_kept());
    }
  }

  {
    auto transaction = db.begin();
    if (!transaction) return fail(std::move(transaction).error());
    const auto purged = audit_.purge(now);
    if (!purged) return fail(purged.error());
    TP_TRY(transaction->commit());
  }

  // Nobody waits for changes where nothing is shared: whoever is approved begins with a snapshot.
  const auto streams = number(db, "SELECT count(*) FROM stream");
  if (!streams) return fail(streams.error());
  const auto waits =
      *streams > 0 ? Result<std::int64_t>{0} : number(db, "SELECT EXISTS(SELECT 1 FROM change)");
  if (!waits) return fail(waits.error());
  if (*waits != 0) TP_TRY(db.exec("DELETE FROM change"));
  // Nobody is told that it is done: the next time will do.
  if (out.orders > 0)
    if (const auto done = db.checkpoint(); !done && done.error().code() != Code::kBusy)
      return fail(done.error());
  return out;
}

}  // namespace towpath
