#include "hub/federation/post.hpp"

#include <algorithm>

#include "agreement/papers.hpp"
#include "hub/federation/rows.hpp"

namespace towpath {
namespace {

// The federation's paper as it is today; a new deed where it has changed.
Result<DeedId> paper_of(Database& db, const std::string& id, const PartySecret& hub, Instant now) {
  FederationPaper paper;
  paper.id = id;
  DeedId last;
  Bytes last_body;
  TP_TRY(rows::each(db, "SELECT name,paper,paper_body FROM federation WHERE id=?1", {id},
                    [&](Statement::Use& use) {
                      paper.name = use.text(0);
                      last = rows::deed_id(use.blob(1));
                      const ByteView body = use.blob(2);
                      last_body.assign(body.begin(), body.end());
                    }));
  TP_TRY(rows::each(db,
                    "SELECT member.urn,coalesce(school.name,'') FROM member LEFT JOIN school"
                    " ON school.urn=member.urn WHERE federation=?1 AND until IS NULL ORDER BY member.urn",
                    {id}, [&](Statement::Use& use) {
                      paper.members.push_back({std::string(use.text(0)), std::string(use.text(1)), {}});
                    }));
  for (FederationPaper::Member& m : paper.members) {
    auto keys = rows::keys_of(db, m.urn);
    if (!keys) return fail(std::move(keys).error());
    m.keys = std::move(*keys);
  }
  // Who has left signs receipts still, perhaps with a key that it has made since.
  std::vector<std::string> left;
  TP_TRY(rows::each(db,
                    "SELECT urn FROM member WHERE federation=?1 GROUP BY urn HAVING max(until IS NULL)=0"
                    " ORDER BY max(until) DESC,urn LIMIT ?2",
                    {id, static_cast<std::int64_t>(kPartiesMax - paper.members.size())},
                    [&](Statement::Use& use) { left.emplace_back(use.text(0)); }));
  std::sort(left.begin(), left.end());
  for (const std::string& urn : left) {
    auto keys = rows::keys_of(db, urn);
    if (!keys) return fail(std::move(keys).error());
    if (!keys->empty()) paper.former.push_back({urn, std::move(*keys)});
  }
  Bytes body = paper.encode();
  if (body == last_body) return last;
  auto deed = rows::hub_deed(db, hub, DeedKind::kFederation, body, now);
  if (!deed) return fail(std::move(deed).error());
  TP_TRY(rows::run(db, "UPDATE federation SET paper=?2, paper_body=?3 WHERE id=?1",
                   {id, rows::blob(deed->id), std::move(body)}));
  return deed->id;
}

}  // namespace

Result<void> post_papers(Database& db, const std::string& urn, const PartySecret& hub, Instant now) {
  struct In {
    std::string federation;
    bool member = false, told = false;  // told that it is one
    DeedId last;
  };
  std::vector<In> all;
  TP_TRY(rows::each(
      db,
      "SELECT m.federation,max(m.until IS NULL),coalesce(max(p.member),0),max(p.deed) FROM member m"
      " LEFT JOIN posted p ON p.urn=m.urn AND p.federation=m.federation WHERE m.urn=?1"
      " GROUP BY m.federation ORDER BY m.federation",
      {urn}, [&](Statement::Use& use) {
        all.push_back(
            {std::string(use.text(0)), use.integer(1) != 0, use.integer(2) != 0, rows::deed_id(use.blob(3))});
      }));
  for (const In& in : all) {
    // Who has left still gets receipts of those who stay, and has to know the keys that they are signed with.
    if (!in.member && in.last == DeedId{}) continue;
    auto paper = paper_of(db, in.federation, hub, now);
    if (!paper) return fail(std::move(paper).error());
    if (in.told == in.member && *paper == in.last) continue;
    TP_TRY(rows::post(db, urn, *paper));
    TP_TRY(rows::run(db, "INSERT OR REPLACE INTO posted(urn,federation,deed,member) VALUES(?1,?2,?3,?4)",
                     {urn, in.federation, rows::blob(*paper), std::int64_t{in.member}}));
  }
  return {};
}

Result<void> Post::refresh(const std::string& urn, const PartySecret& hub, Instant now) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  // Most schools of most hubs are in no federation and have been offered what there is.
  auto concerned = rows::count(
      db, "SELECT EXISTS(SELECT 1 FROM member WHERE urn=?1) OR EXISTS(SELECT 1 FROM party WHERE urn=?1)",
      {urn});
  if (!concerned) return fail(std::move(concerned).error());
  if (*concerned == 0) return {};
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());
  // Who is in comes before what is offered to them.
  TP_TRY(post_papers(db, urn, hub, now));
  std::vector<DeedId> offers;
  TP_TRY(
      rows::each(db,
                 "SELECT a.deed FROM party p JOIN agreement a ON a.id=p.agreement AND a.version=p.version"
                 " WHERE p.urn=?1 AND NOT EXISTS(SELECT 1 FROM post WHERE post.urn=?1 AND post.deed=a.deed)"
                 " AND (a.audience NOT LIKE 'federation:%' OR EXISTS(SELECT 1 FROM member m WHERE"
                 " 'federation:'||m.federation=a.audience AND m.urn=?1 AND m.until IS NULL))"
                 " ORDER BY a.added,a.id,a.version",
                 {urn}, [&](Statement::Use& use) { offers.push_back(rows::deed_id(use.blob(0))); }));
  for (const DeedId& offer : offers) TP_TRY(rows::post(db, urn, offer));
  return tx->commit();
}

Result<Post::Part> Post::after(const std::string& urn, const PostMark& mark, const PartySecret& own,
                               Instant now) {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  std::int64_t from = 0;
  if (mark.number > 0 && mark.number <= INT64_MAX)
    TP_TRY(rows::each(db, "SELECT chain FROM post WHERE urn=?1 AND number=?2",
                      {urn, static_cast<std::int64_t>(mark.number)}, [&](Statement::Use& use) {
                        const ByteView chain = use.blob(0);
                        if (std::equal(chain.begin(), chain.end(), mark.chain.begin(), mark.chain.end()))
                          from = static_cast<std::int64_t>(mark.number);
                      }));
  std::int64_t held = -1;
  TP_TRY(rows::each(db, "SELECT number FROM held WHERE urn=?1", {urn},
                    [&](Statement::Use& use) { held = use.integer(0); }));
  if (held != from)
    TP_TRY(rows::run(db, "INSERT OR REPLACE INTO held(urn,number,at) VALUES(?1,?2,?3)",
                     {urn, from, rows::ms(now)}));
  Part part;
  struct Entry {
    PostMark mark;
    Bytes deed;
  };
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  {
    auto read = db.prepare(
        "SELECT post.number,chain,bytes FROM post JOIN deed ON deed.id=post.deed WHERE post.urn=?1 AND"
        " post.number>?2 ORDER BY post.number");
    if (!read) return fail(std::move(read).error());
    auto use = read->use();
    use.bind(1, urn);
    use.bind(2, from);
    for (;;) {
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) break;
      const ByteView deed = use.blob(2);
      if (!entries.empty() && bytes + deed.size() > kPostBytesMax) {
        part.more = true;
        break;
      }
      bytes += deed.size();
      Entry e{{static_cast<std::uint64_t>(use.integer(0)), {}}, Bytes(deed.begin(), deed.end())};
      const ByteView chain = use.blob(1);
      std::copy_n(chain.begin(), std::min(chain.size(), e.mark.chain.size()), e.mark.chain.begin());
      entries.push_back(std::move(e));
    }
  }
  const PartyKey key = own.key();
  for (Entry& e : entries) {
    auto deed = read_deed(e.deed);
    if (!deed) return fail(std::move(deed).error().during("registry.db"));
    if (deed->issuer == "hub" && !signed_by(*deed, std::span(&key, 1))) {
      const DeedId id = deed->id;
      *deed = sign_deed(std::move(*deed), own);
      TP_ASSERT(deed->id == id);
    }
    part.bytes += deed->bytes.size();
    part.frames.push_back({e.mark, std::move(deed->bytes)});
  }
  return part;
}

Result<std::vector<PartyKey>> Post::keys_of(const std::string& urn) {
  const std::lock_guard lock(books_.mutex);
  auto keys = rows::keys_of(books_.database, urn);
  // A FederationPaper has room for so many.
  if (keys && keys->size() > kMemberKeysMax) keys->resize(kMemberKeysMax);
  return keys;
}

Result<std::vector<Post::Holding>> Post::holdings() {
  const std::lock_guard lock(books_.mutex);
  std::vector<Holding> all;
  TP_TRY(rows::each(
      books_.database,
      "SELECT p.urn,coalesce(h.number,0),p.n,h.at FROM (SELECT urn,max(number) n FROM post GROUP BY"
      " urn) p LEFT JOIN held h ON h.urn=p.urn ORDER BY p.urn",
      {}, [&](Statement::Use& use) {
        Holding h{std::string(use.text(0)),
                  static_cast<std::uint64_t>(use.integer(1)),
                  static_cast<std::uint64_t>(use.integer(2)),
                  {}};
        if (!use.is_null(3)) h.at = rows::instant(use.integer(3));
        all.push_back(std::move(h));
      }));
  return all;
}

}  // namespace towpath
