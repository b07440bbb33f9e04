#include "hub/federation/orders.hpp"

#include <algorithm>
#include <utility>

#include "hub/federation/post.hpp"
#include "hub/federation/rows.hpp"

namespace towpath {
namespace {

// A decision or an order has some 200 bytes, a receipt 50 for each dataset; agreements go the other way.
constexpr std::size_t kSchoolDeedBytesMax = 16 * 1024;

std::string short_id(const DeedId& id) { return id.text().substr(0, 12); }

Result<void> put_order(Database& db, const DeedId& id, const std::string& issuer, const OrderPaper& order,
                       const std::vector<std::string>& to, bool here, Instant now) {
  TP_TRY(rows::run(
      db,
      "INSERT INTO orders(deed,issuer,urn,audience,everything,epoch,seq,taken) "
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
      {rows::blob(id), issuer, order.school_urn, order.audience, std::int64_t{order.all},
       std::int64_t{order.epoch.number}, static_cast<std::int64_t>(order.seq.number), rows::ms(now)}));
  if (here) TP_TRY(rows::run(db, "INSERT INTO task(deed,urn) VALUES(?1,'')", {rows::blob(id)}));
  for (const std::string& urn : to) {
    // A hub that was set back may have the answer of who is not asked twice before it has the order again.
    TP_TRY(
        rows::run(db,
                  "INSERT INTO task(deed,urn,done,receipt) SELECT ?1,?2,max(taken),max(id) FROM deed"
                  " WHERE about=?1 AND issuer=?3 AND kind=?4",
                  {rows::blob(id), urn, rows::school(urn), static_cast<std::int64_t>(DeedKind::kReceipt)}));
    TP_TRY(rows::post(db, urn, id));
  }
  return {};
}

Result<Date> backups_gone(Database& db, Instant now) {
  auto days = rows::count(db, "SELECT backup_days FROM hub");
  if (!days) return fail(std::move(days).error());
  return Date{utc_date(now).days + static_cast<std::int32_t>(*days)};
}

OrderPaper order_of(const Statement::Use& use, int at) {
  OrderPaper o;
  o.school_urn = use.text(at);
  o.audience = use.text(at + 1);
  o.all = use.integer(at + 2) != 0;
  o.epoch = Epoch{static_cast<std::uint32_t>(use.integer(at + 3))};
  o.seq = StreamSeq{static_cast<std::uint64_t>(use.integer(at + 4))};
  return o;
}

std::string words(const OrderPaper& o) {
  return o.all ? "everything" : "what is older than a place in the stream";
}

// What was written down before the removal began. It is forgotten with what the caller writes.
Result<void> add_noted(Database& db, const DeedId& deed, const std::string& urn, const std::string& audience,
                       ReceiptPaper& receipt) {
  Result<void> read;
  TP_TRY(rows::each(db, "SELECT body FROM removing WHERE deed=?1 AND urn=?2 AND audience=?3",
                    {rows::blob(deed), urn, audience}, [&](Statement::Use& use) {
                      const auto before = ReceiptPaper::read(use.blob(0));
                      if (before)
                        receipt.at_least(*before);
                      else
                        read = fail(Error(before.error()).during("registry.db"));
                    }));
  return read;
}
Result<void> forget_noted(Database& db, const DeedId& deed, const std::string& urn,
                          const std::string& audience) {
  return rows::run(db, "DELETE FROM removing WHERE deed=?1 AND urn=?2 AND audience=?3",
                   {rows::blob(deed), urn, audience});
}

// Whose stream it is, of those that this hub knows; empty: of none.
Result<std::string> school_of(Database& db, const StreamId& stream) {
  std::string found;
  TP_TRY(rows::each(db, "SELECT urn FROM school", {}, [&](Statement::Use& use) {
    if (found.empty() && stream_id(use.text(0), kBorough) == stream) found = use.text(0);
  }));
  if (!found.empty()) return found;
  TP_TRY(rows::each(db, "SELECT DISTINCT federation,urn FROM member", {}, [&](Statement::Use& use) {
    if (found.empty() && stream_id(use.text(1), rows::audience_of(std::string(use.text(0)))) == stream)
      found = use.text(1);
  }));
  return found;
}

// What a school's deed does to the books. A Result that fails is our own trouble; what is wrong with the deed
// is a problem.
class Taking {
 public:
  Taking(Database& db, const std::string& urn, const PartySecret& hub, Instant now, Orders::Taken& out)
      : db_(db), urn_(urn), hub_(hub), now_(now), out_(out) {}

  Result<void> take(const Deed& deed) {
    auto there = rows::count(db_, "SELECT count(*) FROM deed WHERE id=?1", {rows::blob(deed.id)});
    if (!there) return fail(std::move(there).error());
    if (*there > 0) return kept(deed);
    if (deed.issuer != rows::school(urn_))
      return refuse(deed, Code::kWrongStream, "is of another than school " + urn_ + ", which handed it in");
    if (deed.bytes.size() > kSchoolDeedBytesMax)
      return refuse(deed, Code::kTooLarge, "is larger than a decision, an order or a receipt can be");
    if (!keys_) {
      auto keys = rows::keys_of(db_, urn_);
      if (!keys) return fail(std::move(keys).error());
      keys_ = std::move(*keys);
    }
    if (!signed_by(deed, *keys_))
      return refuse(deed, Code::kNotSigned, "is not signed by a key of school " + urn_ + " that holds");
    auto today = rows::count(db_, "SELECT count(*) FROM deed WHERE issuer=?1 AND taken>?2",
                             {deed.issuer, rows::ms(now_ - std::chrono::hours{24})});
    if (!today) return fail(std::move(today).error());
    if (*today >= static_cast<std::int64_t>(kSchoolDeedsADayMax)) {
      if (!std::exchange(full_, true))
        out_.events.push_back("it has handed in " + std::to_string(kSchoolDeedsADayMax) +
                              " decisions, orders and receipts within a day; more are taken later");
      return {};
    }
    switch (deed.kind) {
      case DeedKind::kDecision:
        return decision(deed);
      case DeedKind::kOrder:
        return order(deed);
      case DeedKind::kReceipt:
        return receipt(deed);
      default:
        return refuse(deed, Code::kRefused, "is of a kind that a school does not hand in");
    }
  }

 private:
  Result<void> safe(const Deed& deed) {
    out_.ids.push_back(deed.id.bytes);
    return {};
  }
  // What was taken stands in the school's own post: a hub that is set back to before it, or a machine that
  // is, shows by the mark (and by a deed that the machine does not know) that one of them has lost it.
  Result<void> kept(const Deed& deed) {
    if (deed.issuer == rows::school(urn_)) TP_TRY(rows::post(db_, urn_, deed.id));
    return safe(deed);
  }
  Result<void> refuse(const Deed& deed, Code code, const std::string& why) {
    out_.problems.push_back({code, {}, {}, "deed " + short_id(deed.id) + " " + why, {deed.id.text()}});
    return safe(deed);
  }

  Result<void> decision(const Deed& deed) {
    auto paper = DecisionPaper::read(deed.body);
    if (!paper) return refuse(deed, paper.error().code(), "cannot be read");
    const std::int64_t version{paper->version};
    std::optional<Hash256> text;
    std::string audience;
    TP_TRY(rows::each(db_, "SELECT hash,audience FROM agreement WHERE id=?1 AND version=?2",
                      {paper->agreement, version}, [&](Statement::Use& use) {
                        text = rows::hash_from(use.blob(0));
                        audience = use.text(1);
                      }));
    if (text && *text != paper->text)
      return refuse(deed, Code::kRefused,
                    "is about another text than this hub offered as agreement " + paper->agreement +
                        " version " + std::to_string(version));
    auto party = rows::count(db_, "SELECT count(*) FROM party WHERE agreement=?1 AND version=?2 AND urn=?3",
                             {paper->agreement, version, urn_});
    if (!party) return fail(std::move(party).error());
    if (text && *party == 0)
      return refuse(deed, Code::kRefused,
                    "is about agreement " + paper->agreement + ", of which school " + urn_ + " is no party");
    // One that is not known here is kept all the same: a hub that was brought back from a backup may be
    // given that version again.
    TP_TRY(rows::keep(db_, deed, {}, now_));
    // What comes late (a stick) does not undo what was decided after it. A machine that was set back counts
    // from before; its clock does not.
    std::int64_t place = -1, made = -1;
    TP_TRY(rows::each(db_, "SELECT coalesce(max(place),-1),coalesce(max(made),-1) FROM decision WHERE urn=?1",
                      {urn_}, [&](Statement::Use& use) {
                        place = use.integer(0);
                        made = use.integer(1);
                      }));
    const bool approved = paper->what == DecisionPaper::What::kApproved;
    const auto number = static_cast<std::int64_t>(std::min<std::uint64_t>(deed.number, INT64_MAX));
    const bool newer = number > place || rows::ms(deed.made) > made;
    TP_TRY(
        rows::run(db_,
                  "INSERT INTO decision(urn,agreement,version,hash,approved,deed,place,made,taken)"
                  " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
                  {urn_, paper->agreement, version, rows::blob(paper->text), std::int64_t{approved},
                   rows::blob(deed.id), newer ? std::max(number, std::min(place, INT64_MAX - 1) + 1) : number,
                   rows::ms(deed.made), rows::ms(now_)}));
    const std::string what = "School " + urn_ + (approved ? " approved" : " withdrew from") + " agreement " +
                             paper->agreement + " version " + std::to_string(version) +
                             (newer ? "" : "; it came after a later decision, and does not undo it");
    TP_TRY(rows::audit(db_, now_, approved ? "agreement-approved" : "agreement-withdrawn", what));
    out_.events.push_back(what);
    return kept(deed);
  }

  Result<void> order(const Deed& deed) {
    auto paper = OrderPaper::read(deed.body);
    if (!paper) return refuse(deed, paper.error().code(), "cannot be read");
    if (paper->school_urn != urn_)
      return refuse(deed, Code::kWrongStream, "is an order about another school's data");
    std::vector<std::string> others;
    if (paper->audience != kBorough) {
      const std::string federation =
          paper->audience.substr(std::min(kFederationPrefix.size(), paper->audience.size()));
      auto ever =
          rows::count(db_, "SELECT count(*) FROM member WHERE federation=?1 AND urn=?2", {federation, urn_});
      if (!ever) return fail(std::move(ever).error());
      if (*ever == 0)
        return refuse(deed, Code::kNotFound, "is about a federation that school " + urn_ + " was never in");
      auto members = rows::members(db_, federation);
      if (!members) return fail(std::move(members).error());
      // Of who has left, partners were told by the hub's own order; whoever has joined since knows no key of
      // it.
      if (std::find(members->begin(), members->end(), urn_) != members->end())
        for (std::string& m : *members)
          if (m != urn_) others.push_back(std::move(m));
    }
    TP_TRY(rows::keep(db_, deed, {}, now_));
    if (deed.expires != Instant{} && deed.expires <= now_) {
      ReceiptPaper receipt;
      receipt.about = deed.id;
      receipt.stream = paper->stream();
      receipt.outcome = ReceiptPaper::Outcome::kExpired;
      receipt.backups_gone = utc_date(now_);
      auto said = rows::hub_deed(db_, hub_, DeedKind::kReceipt, receipt.encode(), now_, deed.id);
      if (!said) return fail(std::move(said).error());
      TP_TRY(rows::post(db_, urn_, said->id));
      TP_TRY(rows::audit(db_, now_, "order-expired",
                         "Order " + short_id(deed.id) + " of school " + urn_ + " came after its term"));
      return kept(deed);
    }
    for (const std::string& other : others) TP_TRY(post_papers(db_, other, hub_, now_));
    TP_TRY(put_order(db_, deed.id, deed.issuer, *paper, others, true, now_));
    const std::string what = "Order " + short_id(deed.id) + " of school " + urn_ + " to remove " +
                             words(*paper) + " of " + paper->audience + " goes to the hub" +
                             (others.empty() ? "" : " and " + std::to_string(others.size()) + " schools");
    TP_TRY(rows::audit(db_, now_, "order-taken", what));
    out_.events.push_back(what);
    return kept(deed);
  }

  Result<void> receipt(const Deed& deed) {
    auto paper = ReceiptPaper::read(deed.body);
    if (!paper) return refuse(deed, paper.error().code(), "cannot be read");
    std::string to;
    std::optional<OrderPaper> about;
    TP_TRY(rows::each(db_, "SELECT issuer,urn,audience,everything,epoch,seq FROM orders WHERE deed=?1",
                      {rows::blob(paper->about)}, [&](Statement::Use& use) {
                        to = rows::urn_of(use.text(0));
                        about = order_of(use, 1);
                      }));
    const bool known = about.has_value();
    if (known && paper->stream != about->stream())
      return refuse(deed, Code::kWrongStream, "is a receipt about another stream than its order");
    TP_TRY(rows::keep(db_, deed, paper->about, now_));
    if (known && paper->outcome == ReceiptPaper::Outcome::kExpired) {
      // It may hold it still: the task stays open until an order that came in time has been carried out.
      TP_TRY(rows::run(db_, "UPDATE task SET receipt=?3 WHERE deed=?1 AND urn=?2 AND done IS NULL",
                       {rows::blob(paper->about), urn_, rows::blob(deed.id)}));
    } else if (known) {
      TP_TRY(rows::run(db_, "UPDATE task SET done=?3, receipt=?4 WHERE deed=?1 AND urn=?2 AND done IS NULL",
                       {rows::blob(paper->about), urn_, rows::ms(now_), rows::blob(deed.id)}));
      TP_TRY(rows::run(
          db_,
          "UPDATE task SET done=?2 WHERE urn=?1 AND done IS NULL AND receipt IS NOT NULL AND deed IN"
          " (SELECT deed FROM orders WHERE urn=?3 AND audience=?4 AND (?5=1 OR (everything=0 AND"
          " (epoch,seq)<=(?6,?7))))",
          {urn_, rows::ms(now_), about->school_urn, about->audience, std::int64_t{about->all},
           std::int64_t{about->epoch.number}, static_cast<std::int64_t>(about->seq.number)}));
    } else {
      // The end of an agreement; or an order from before this hub was set back. It is for whom the data is
      // of.
      auto owner = school_of(db_, paper->stream);
      if (!owner) return fail(std::move(owner).error());
      to = *owner;
    }
    if (!to.empty() && to != urn_) {
      TP_TRY(post_papers(db_, to, hub_, now_));
      TP_TRY(rows::post(db_, to, deed.id));
    }
    TP_TRY(rows::audit(db_, now_, "receipt",
                       "School " + urn_ + " answered " + (known ? "order " : "deed ") +
                           short_id(paper->about) + ": " +
                           (paper->outcome == ReceiptPaper::Outcome::kRemoved       ? "removed"
                            : paper->outcome == ReceiptPaper::Outcome::kNothingHeld ? "held nothing"
                                                                                    : "it had expired")));
    return kept(deed);
  }

  Database& db_;
  const std::string& urn_;
  const PartySecret& hub_;
  const Instant now_;
  Orders::Taken& out_;
  std::optional<std::vector<PartyKey>> keys_;
  bool full_ = false;
};

}  // namespace

Result<DeedId> order_from_hub(Database& db, const PartySecret& hub, const OrderPaper& order,
                              const std::vector<std::string>& to, bool here, Instant now) {
  auto deed = rows::hub_deed(db, hub, DeedKind::kOrder, order.encode(), now);
  if (!deed) return fail(std::move(deed).error());
  TP_TRY(put_order(db, deed->id, "hub", order, to, here, now));
  // Whose data it is has the order itself before any receipt about it: it does not take it for its own.
  if (std::find(to.begin(), to.end(), order.school_urn) == to.end())
    TP_TRY(rows::post(db, order.school_urn, deed->id));
  return deed->id;
}

Result<Orders::Taken> Orders::take(const std::string& urn, const std::vector<const DeedFrame*>& deeds,
                                   const PartySecret& hub, Instant now) {
  Taken out;
  if (deeds.empty()) return out;
  const std::lock_guard lock(books_.mutex);
  auto tx = books_.database.begin();
  if (!tx) return fail(std::move(tx).error());
  Taking taking(books_.database, urn, hub, now, out);
  std::size_t place = 0;
  for (const DeedFrame* frame : deeds) {
    ++place;
    auto deed = read_deed(frame->deed);
    if (!deed) {
      // It has no id that could be acknowledged; without a key the problem would be about the whole bundle.
      const std::string which = "deed " + std::to_string(place) + " of the bundle";
      out.problems.push_back({deed.error().code(), {}, {}, which + ": " + deed.error().sentence(), {which}});
      continue;
    }
    TP_TRY(taking.take(*deed));
  }
  TP_TRY(tx->commit());
  return out;
}

Result<std::vector<OpenOrder>> Orders::open_at_hub(const std::string& urn) {
  const std::lock_guard lock(books_.mutex);
  std::vector<OpenOrder> all;
  TP_TRY(rows::each(books_.database,
                    "SELECT orders.deed,orders.urn,audience,everything,epoch,seq FROM task JOIN orders"
                    " ON orders.deed=task.deed WHERE task.urn='' AND task.done IS NULL AND orders.urn=?1"
                    " ORDER BY taken,orders.deed",
                    {urn}, [&](Statement::Use& use) {
                      all.push_back({rows::deed_id(use.blob(0)), order_of(use, 1)});
                    }));
  return all;
}

Result<std::vector<std::string>> Orders::schools_with_open() {
  const std::lock_guard lock(books_.mutex);
  std::vector<std::string> all;
  TP_TRY(rows::each(books_.database,
                    "SELECT DISTINCT orders.urn FROM task JOIN orders ON orders.deed=task.deed"
                    " WHERE task.urn='' AND task.done IS NULL ORDER BY 1",
                    {}, [&](Statement::Use& use) { all.emplace_back(use.text(0)); }));
  return all;
}

Result<void> Orders::removing(const DeedId& deed, const std::string& urn, const std::string& audience,
                              const ReceiptPaper& receipt) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  ReceiptPaper all = receipt;
  TP_TRY(add_noted(db, deed, urn, audience, all));
  return rows::run(db, "INSERT OR REPLACE INTO removing(deed,urn,audience,body) VALUES(?1,?2,?3,?4)",
                   {rows::blob(deed), urn, audience, all.encode()});
}

Result<bool> Orders::untold(const std::string& urn, const std::string& audience) {
  const std::lock_guard lock(books_.mutex);
  auto n =
      rows::count(books_.database, "SELECT count(*) FROM removing WHERE deed=?1 AND urn=?2 AND audience=?3",
                  {rows::blob(DeedId{}), urn, audience});
  if (!n) return fail(std::move(n).error());
  return *n > 0;
}

Result<void> Orders::done_at_hub(const OpenOrder& order, ReceiptPaper receipt, const PartySecret& hub,
                                 Instant now) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());
  auto gone = backups_gone(db, now);
  if (!gone) return fail(std::move(gone).error());
  TP_TRY(add_noted(db, order.deed, order.order.school_urn, order.order.audience, receipt));
  TP_TRY(forget_noted(db, order.deed, order.order.school_urn, order.order.audience));
  receipt.about = order.deed;
  receipt.stream = order.order.stream();
  receipt.backups_gone = *gone;
  auto deed = rows::hub_deed(db, hub, DeedKind::kReceipt, receipt.encode(), now, order.deed);
  if (!deed) return fail(std::move(deed).error());
  TP_TRY(rows::run(db, "UPDATE task SET done=?2, receipt=?3 WHERE deed=?1 AND urn=''",
                   {rows::blob(order.deed), rows::ms(now), rows::blob(deed->id)}));
  std::string to;
  TP_TRY(rows::each(db, "SELECT issuer FROM orders WHERE deed=?1", {rows::blob(order.deed)},
                    [&](Statement::Use& use) { to = rows::urn_of(use.text(0)); }));
  // Of an order of the hub's own, whom the data is of hears.
  TP_TRY(rows::post(db, to.empty() ? order.order.school_urn : to, deed->id));
  TP_TRY(rows::audit(db, now, "order-done",
                     "The hub carried out order " + short_id(order.deed) + " about school " +
                         order.order.school_urn + ", " + order.order.audience + ": " +
                         std::to_string(receipt.segments) + " segments and " +
                         std::to_string(receipt.references) + " references removed" +
                         (receipt.rows.empty() ? "" : ", and the rows of the stream")));
  return tx->commit();
}

Result<void> Orders::removed(const std::string& urn, const std::string& audience,
                             const std::optional<DeedId>& agreement, ReceiptPaper receipt,
                             const PartySecret& hub, Instant now) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());
  auto gone = backups_gone(db, now);
  if (!gone) return fail(std::move(gone).error());
  TP_TRY(add_noted(db, {}, urn, audience, receipt));
  TP_TRY(forget_noted(db, {}, urn, audience));
  if (agreement) {
    receipt.about = *agreement;
    receipt.stream = stream_id(urn, audience);
    receipt.backups_gone = *gone;
    auto deed = rows::hub_deed(db, hub, DeedKind::kReceipt, receipt.encode(), now, *agreement);
    if (!deed) return fail(std::move(deed).error());
    TP_TRY(rows::post(db, urn, deed->id));
  }
  TP_TRY(rows::audit(db, now, "stream-removed",
                     "No agreement of school " + urn + " for " + audience +
                         " is in force any more: what the hub held was removed"));
  return tx->commit();
}

Result<void> Orders::keep_backups(int days) {
  TP_ASSERT(days >= 0 && days <= kBackupDaysMax);
  const std::lock_guard lock(books_.mutex);
  return rows::run(books_.database, "UPDATE hub SET backup_days=?1", {std::int64_t{days}});
}
Result<int> Orders::backups_kept() {
  const std::lock_guard lock(books_.mutex);
  auto days = rows::count(books_.database, "SELECT backup_days FROM hub");
  if (!days) return fail(std::move(days).error());
  return static_cast<int>(*days);
}

Result<std::vector<OrderState>> Orders::all() {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  std::vector<OrderState> all;
  TP_TRY(rows::each(
      db, "SELECT deed,issuer,urn,audience,everything,epoch,seq,taken FROM orders ORDER BY taken,deed", {},
      [&](Statement::Use& use) {
        all.push_back({rows::deed_id(use.blob(0)),
                       std::string(use.text(1)),
                       order_of(use, 2),
                       rows::instant(use.integer(7)),
                       {}});
      }));
  for (OrderState& order : all)
    TP_TRY(rows::each(db, "SELECT urn,done FROM task WHERE deed=?1 ORDER BY urn", {rows::blob(order.deed)},
                      [&](Statement::Use& use) {
                        OrderTask task{std::string(use.text(0)), {}};
                        if (!use.is_null(1)) task.done = rows::instant(use.integer(1));
                        order.tasks.push_back(std::move(task));
                      }));
  return all;
}

Result<std::vector<ReceiptState>> Orders::receipts() {
  const std::lock_guard lock(books_.mutex);
  std::vector<Bytes> kept;
  TP_TRY(rows::each(books_.database, "SELECT bytes FROM deed WHERE kind=?1 ORDER BY taken,id",
                    {static_cast<std::int64_t>(DeedKind::kReceipt)}, [&](Statement::Use& use) {
                      const ByteView b = use.blob(0);
                      kept.emplace_back(b.begin(), b.end());
                    }));
  std::vector<ReceiptState> all;
  for (const Bytes& bytes : kept) {
    auto deed = read_deed(bytes);
    if (!deed) return fail(std::move(deed).error().during("registry.db"));
    auto paper = ReceiptPaper::read(deed->body);
    if (!paper) return fail(std::move(paper).error().during("registry.db"));
    all.push_back({std::move(*deed), std::move(*paper)});
  }
  return all;
}

}  // namespace towpath
