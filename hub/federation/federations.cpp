#include "hub/federation/federations.hpp"

#include <algorithm>

#include "agreement/papers.hpp"
#include "core/text.hpp"
#include "hub/federation/orders.hpp"
#include "hub/federation/rows.hpp"

namespace towpath {
namespace {

constexpr std::size_t kIdMax = 40;     // what a person types, as agreements' ids
constexpr std::size_t kNameMax = 200;  // bytes

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdMax && text.front() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'; });
}
Result<void> check_school(Database& db, const std::string& urn) {
  auto known = rows::count(db, "SELECT count(*) FROM school WHERE urn=?1", {urn});
  if (!known) return fail(std::move(known).error());
  if (*known > 0) return {};
  const bool digits =
      urn.size() <= 12 && std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; });
  return fail(
      Code::kNotFound,
      (digits ? "school " + urn : std::string("a school that was named")) + " is not registered at this hub",
      "school list shows who is; school add URN --name \"...\" registers one");
}
Result<void> check_federation(Database& db, const std::string& id) {
  auto known = rows::count(db, "SELECT count(*) FROM federation WHERE id=?1", {id});
  if (!known) return fail(std::move(known).error());
  if (*known > 0) return {};
  return fail(Code::kNotFound, "there is no federation of that name here", "federation list shows them");
}
Result<bool> is_member(Database& db, const std::string& id, const std::string& urn) {
  auto n = rows::count(db, "SELECT count(*) FROM member WHERE federation=?1 AND urn=?2 AND until IS NULL",
                       {id, urn});
  if (!n) return fail(std::move(n).error());
  return *n > 0;
}
// Two changes in one millisecond are two rows all the same.
Result<void> put_member(Database& db, const std::string& id, const std::string& urn, Instant now) {
  auto last = rows::count(db, "SELECT max(since) FROM member WHERE federation=?1 AND urn=?2", {id, urn});
  if (!last) return fail(std::move(last).error());
  return rows::run(db, "INSERT INTO member(federation,urn,since) VALUES(?1,?2,?3)",
                   {id, urn, std::max(rows::ms(now), *last + 1)});
}
Result<void> check_room(Database& db, const std::string& id, std::size_t more) {
  auto n = rows::count(db, "SELECT count(*) FROM member WHERE federation=?1 AND until IS NULL", {id});
  if (!n) return fail(std::move(n).error());
  if (static_cast<std::size_t>(*n) + more <= kPartiesMax) return {};
  return fail(Code::kTooLarge, "a federation has at most " + std::to_string(kPartiesMax) + " schools");
}

}  // namespace

bool Federation::has(const std::string& urn) const {
  return std::any_of(members.begin(), members.end(),
                     [&](const FederationMember& m) { return m.urn == urn && !m.until; });
}

Result<void> Federations::add(const std::string& id, const std::string& name,
                              const std::vector<std::string>& urns, Instant now) {
  if (!is_id(id))
    return fail(Code::kUsage,
                "a federation's id has 1 to " + std::to_string(kIdMax) +
                    " of a-z, 0-9 and -, and does not "
                    "begin with -",
                "For example: kentish");
  if (name.empty() || name.size() > kNameMax || safe_line(name, kNameMax) != name)
    return fail(Code::kUsage,
                "a federation's name is one line of 1 to " + std::to_string(kNameMax) + " bytes",
                "Give it with --name \"...\"");
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());
  auto known = rows::count(db, "SELECT count(*) FROM federation WHERE id=?1", {id});
  if (!known) return fail(std::move(known).error());
  if (*known > 0)
    return fail(Code::kRepeated, "there is a federation " + id + " already",
                "federation join " + id + " URN adds a school to it");
  TP_TRY(rows::run(db, "INSERT INTO federation(id,name,added) VALUES(?1,?2,?3)", {id, name, rows::ms(now)}));
  std::vector<std::string> all = urns;
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  TP_TRY(check_room(db, id, all.size()));
  std::string listed;
  for (const std::string& urn : all) {
    TP_TRY(check_school(db, urn));
    TP_TRY(put_member(db, id, urn, now));
    listed += (listed.empty() ? "" : ", ") + urn;
  }
  TP_TRY(rows::audit(db, now, "federation-added",
                     "Federation " + id + " was made" +
                         (listed.empty() ? "; it has no schools yet" : ", with schools " + listed)));
  return tx->commit();
}

Result<std::vector<Federation>> Federations::list() {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  std::vector<Federation> all;
  TP_TRY(rows::each(db, "SELECT id,name,added FROM federation ORDER BY id", {}, [&](Statement::Use& use) {
    all.push_back({std::string(use.text(0)), std::string(use.text(1)), rows::instant(use.integer(2)), {}});
  }));
  for (Federation& f : all)
    TP_TRY(rows::each(
        db,
        "SELECT member.urn,coalesce(school.name,''),since,until FROM member LEFT JOIN school"
        " ON school.urn=member.urn WHERE federation=?1 ORDER BY member.urn,since",
        {f.id}, [&](Statement::Use& use) {
          FederationMember m{
              std::string(use.text(0)), std::string(use.text(1)), rows::instant(use.integer(2)), {}};
          if (!use.is_null(3)) m.until = rows::instant(use.integer(3));
          f.members.push_back(std::move(m));
        }));
  return all;
}

Result<Federation> Federations::find(const std::string& id) {
  auto all = list();
  if (!all) return fail(std::move(all).error());
  for (Federation& f : *all)
    if (f.id == id) return std::move(f);
  return fail(Code::kNotFound, "there is no federation of that name here", "federation list shows them");
}

Result<void> Federations::join(const std::string& id, const std::string& urn, Instant now) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());
  TP_TRY(check_federation(db, id));
  TP_TRY(check_school(db, urn));
  auto member = is_member(db, id, urn);
  if (!member) return fail(std::move(member).error());
  if (*member) return fail(Code::kRepeated, "school " + urn + " is in federation " + id + " already");
  TP_TRY(check_room(db, id, 1));
  TP_TRY(put_member(db, id, urn, now));
  TP_TRY(rows::audit(db, now, "federation-joined", "School " + urn + " joined federation " + id));
  return tx->commit();
}

Result<std::size_t> Federations::leave(const std::string& id, const std::string& urn, const PartySecret& hub,
                                       Instant now) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());
  TP_TRY(check_federation(db, id));
  auto member = is_member(db, id, urn);
  if (!member) return fail(std::move(member).error());
  if (!*member)
    return fail(Code::kNotFound, "the school given is not in federation " + id,
                "federation list shows who is");
  TP_TRY(rows::run(db, "UPDATE member SET until=?3 WHERE federation=?1 AND urn=?2 AND until IS NULL",
                   {id, urn, rows::ms(now)}));
  auto left = rows::members(db, id);
  if (!left) return fail(std::move(left).error());
  std::size_t orders = 0;
  for (const std::string& partner : *left) {
    const OrderPaper order{partner, rows::audience_of(id), true, {}, {}};
    TP_TRY(order_from_hub(db, hub, order, {urn}, false, now));
    ++orders;
  }
  // Also where nobody is left: the hub itself holds what it has stored.
  const OrderPaper order{urn, rows::audience_of(id), true, {}, {}};
  TP_TRY(order_from_hub(db, hub, order, *left, true, now));
  ++orders;
  TP_TRY(rows::run(db, "DELETE FROM standing WHERE federation=?1 AND (reader=?2 OR urn=?2)", {id, urn}));
  TP_TRY(rows::audit(db, now, "federation-left",
                     "School " + urn + " left federation " + id + "; " + std::to_string(orders) +
                         " orders to remove what was shared were made"));
  TP_TRY(tx->commit());
  return orders;
}

Result<std::vector<std::string>> Federations::of(const std::string& urn) {
  const std::lock_guard lock(books_.mutex);
  std::vector<std::string> all;
  TP_TRY(rows::each(books_.database,
                    "SELECT DISTINCT federation FROM member WHERE urn=?1 AND until IS NULL ORDER BY 1", {urn},
                    [&](Statement::Use& use) { all.emplace_back(use.text(0)); }));
  return all;
}
Result<std::vector<std::string>> Federations::ever_of(const std::string& urn) {
  const std::lock_guard lock(books_.mutex);
  std::vector<std::string> all;
  TP_TRY(rows::each(books_.database, "SELECT DISTINCT federation FROM member WHERE urn=?1 ORDER BY 1", {urn},
                    [&](Statement::Use& use) { all.emplace_back(use.text(0)); }));
  return all;
}

Result<void> Federations::note(const Standing& s) {
  const std::lock_guard lock(books_.mutex);
  const std::int64_t epoch{s.epoch.number}, seq = static_cast<std::int64_t>(s.seq.number);
  auto known = rows::count(
      books_.database,
      "SELECT count(*) FROM standing WHERE reader=?1 AND federation=?2 AND urn=?3 AND epoch=?4 AND seq=?5",
      {s.reader, s.federation, s.urn, epoch, seq});
  if (!known) return fail(std::move(known).error());
  if (*known > 0) return {};
  return rows::run(
      books_.database,
      "INSERT OR REPLACE INTO standing(reader,federation,urn,epoch,seq,at) VALUES(?1,?2,?3,?4,?5,?6)",
      {s.reader, s.federation, s.urn, epoch, seq, rows::ms(s.at)});
}
Result<std::vector<Federations::Standing>> Federations::standings() {
  const std::lock_guard lock(books_.mutex);
  std::vector<Standing> all;
  TP_TRY(rows::each(
      books_.database,
      "SELECT federation,reader,urn,epoch,seq,at FROM standing ORDER BY federation,reader,urn", {},
      [&](Statement::Use& use) {
        all.push_back({std::string(use.text(0)), std::string(use.text(1)), std::string(use.text(2)),
                       Epoch{static_cast<std::uint32_t>(use.integer(3))},
                       StreamSeq{static_cast<std::uint64_t>(use.integer(4))}, rows::instant(use.integer(5))});
      }));
  return all;
}

}  // namespace towpath
