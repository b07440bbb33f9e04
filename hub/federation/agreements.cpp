#include "hub/federation/agreements.hpp"

#include <algorithm>

#include "agreement/course.hpp"
#include "agreement/papers.hpp"
#include "hub/federation/rows.hpp"

namespace towpath {
namespace {

// The first line that begins with a key, or that names a school; 0 where there is none.
unsigned line_with(std::string_view text, std::string_view key, std::string_view urn) {
  unsigned line = 1;
  for (std::size_t at = 0; at <= text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view one = text.substr(at, end - at);
    at = end + 1;
    const std::size_t first = one.find_first_not_of(" \t");
    if (first == std::string_view::npos || one[first] == '#') continue;
    one.remove_prefix(first);
    if (urn.empty() ? one.starts_with(key) : one.find("urn") != one.npos && one.find(urn) != one.npos)
      return line;
  }
  return 0;
}

}  // namespace

Result<Agreements::Added> Agreements::add(const std::string& text, const Dictionary& dictionary,
                                          const PartySecret& hub, Instant now) {
  Added out;
  AgreementRead read = read_agreement(text, dictionary);
  if (!read.agreement) {
    out.faults = std::move(read.faults);
    return out;
  }
  const Agreement& a = *read.agreement;
  const auto fault = [&](std::string_view key, std::string what, std::string_view urn = {}) {
    out.faults.push_back({key.empty() ? 0 : line_with(text, key, urn), std::move(what)});
  };
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  auto tx = db.begin();
  if (!tx) return fail(std::move(tx).error());

  const std::string federation = a.federation();
  std::vector<std::string> members;
  bool federation_known = false;
  if (a.is_federation()) {
    auto known = rows::count(db, "SELECT count(*) FROM federation WHERE id=?1", {federation});
    if (!known) return fail(std::move(known).error());
    federation_known = *known > 0;
    if (!federation_known)
      fault("audience", "there is no federation " + federation + " at this hub; federation add makes one");
    auto in = rows::members(db, federation);
    if (!in) return fail(std::move(in).error());
    members = std::move(*in);
  }
  bool schools = false;
  for (const Party& p : a.parties) {
    if (p.urn.empty()) continue;
    schools = true;
    auto known = rows::count(db, "SELECT count(*) FROM school WHERE urn=?1", {p.urn});
    if (!known) return fail(std::move(known).error());
    if (*known == 0)
      fault("urn", "school " + p.urn + " is not registered at this hub; school add registers it", p.urn);
    else if (a.is_federation() && federation_known &&
             std::find(members.begin(), members.end(), p.urn) == members.end())
      fault("urn", "school " + p.urn + " is not in federation " + federation + "; federation join adds it",
            p.urn);
  }
  if (!schools) fault("", "no party is a school: nobody could approve it");

  std::int64_t last = 0;
  std::string audience;
  Hash256 last_hash;
  TP_TRY(rows::each(db,
                    "SELECT version,audience,hash FROM agreement WHERE id=?1 ORDER BY version DESC LIMIT 1",
                    {a.id}, [&](Statement::Use& use) {
                      last = use.integer(0);
                      audience = use.text(1);
                      last_hash = rows::hash_from(use.blob(2));
                    }));
  const Hash256 hash = agreement_hash(text);
  if (last == std::int64_t{a.version} && last_hash == hash)
    return fail(Code::kRepeated, "agreement " + a.id + " version " + std::to_string(a.version) +
                                     " is offered already, with this text");
  if (std::int64_t{a.version} != last + 1)
    fault("version", "agreement " + a.id +
                         (last == 0 ? " is new here" : " has version " + std::to_string(last)) +
                         ": this one has to be version " + std::to_string(last + 1) + ", not " +
                         std::to_string(a.version));
  if (last > 0 && audience != a.audience)
    fault("audience",
          "agreement " + a.id + " is for " + audience + "; for another audience it needs another id");
  // The latest version of each other agreement for the same audience.
  TP_TRY(rows::each(db,
                    "SELECT id,version,first_day,last_day FROM agreement a WHERE audience=?1 AND id<>?2 AND"
                    " version=(SELECT max(version) FROM agreement WHERE id=a.id) ORDER BY id",
                    {a.audience, a.id}, [&](Statement::Use& use) {
                      const Date from{static_cast<std::int32_t>(use.integer(2))};
                      const Date to{static_cast<std::int32_t>(use.integer(3))};
                      if (a.end < from || to < a.start) return;
                      fault("start", "agreement " + std::string(use.text(0)) + " version " +
                                         std::to_string(use.integer(1)) + " is for " + a.audience + " from " +
                                         from.iso() + " to " + to.iso() +
                                         ": an audience has one agreement at a time");
                    }));
  if (!out.faults.empty()) {
    std::stable_sort(out.faults.begin(), out.faults.end(),
                     [](const AgreementFault& x, const AgreementFault& y) { return x.line < y.line; });
    return out;
  }

  auto deed = rows::hub_deed(db, hub, DeedKind::kAgreement, AgreementPaper{text}.encode(), now);
  if (!deed) return fail(std::move(deed).error());
  TP_TRY(rows::run(db,
                   "INSERT INTO agreement(id,version,audience,title,first_day,last_day,hash,text,deed,added)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                   {a.id, std::int64_t{a.version}, a.audience, a.title, std::int64_t{a.start.days},
                    std::int64_t{a.end.days}, rows::blob(hash), text, rows::blob(deed->id), rows::ms(now)}));
  for (const Party& p : a.parties)
    if (!p.urn.empty())
      TP_TRY(rows::run(db, "INSERT OR IGNORE INTO party(agreement,version,urn) VALUES(?1,?2,?3)",
                       {a.id, std::int64_t{a.version}, p.urn}));
  TP_TRY(rows::audit(db, now, "agreement-added",
                     "Agreement " + a.id + " version " + std::to_string(a.version) + " for " + a.audience +
                         " is offered; its text is " + hash.hex()));
  TP_TRY(tx->commit());
  out.agreement = std::move(read.agreement);
  return out;
}

Result<std::vector<OfferedAgreement>> Agreements::list() {
  const std::lock_guard lock(books_.mutex);
  Database& db = books_.database;
  std::vector<OfferedAgreement> all;
  TP_TRY(rows::each(db,
                    "SELECT id,version,audience,title,first_day,last_day,hash,deed,added,text FROM agreement "
                    "ORDER BY id,version",
                    {}, [&](Statement::Use& use) {
                      OfferedAgreement a;
                      a.id = use.text(0);
                      a.version = static_cast<std::uint32_t>(use.integer(1));
                      a.audience = use.text(2);
                      a.title = use.text(3);
                      a.start = Date{static_cast<std::int32_t>(use.integer(4))};
                      a.end = Date{static_cast<std::int32_t>(use.integer(5))};
                      a.hash = rows::hash_from(use.blob(6));
                      a.deed = rows::deed_id(use.blob(7));
                      a.added = rows::instant(use.integer(8));
                      a.text = use.text(9);
                      all.push_back(std::move(a));
                    }));
  for (OfferedAgreement& a : all) {
    std::vector<Bytes> deeds;
    TP_TRY(rows::each(
        db,
        "SELECT p.urn,d.version,d.approved,d.taken,deed.bytes,EXISTS(SELECT 1 FROM decision e WHERE"
        " e.urn=p.urn AND e.agreement=p.agreement AND e.version=p.version AND e.approved=1) FROM party p "
        "LEFT JOIN decision d ON"
        " d.urn=p.urn AND d.agreement=p.agreement AND d.place=(SELECT max(place) FROM decision l"
        " WHERE l.urn=p.urn AND l.agreement=p.agreement) LEFT JOIN deed ON deed.id=d.deed"
        " WHERE p.agreement=?1 AND p.version=?2 ORDER BY p.urn",
        {a.id, std::int64_t{a.version}}, [&](Statement::Use& use) {
          OfferedAgreement::Party p;
          p.urn = use.text(0);
          p.approved_this = use.integer(5) != 0;
          deeds.emplace_back();
          if (!use.is_null(1)) {
            if (use.integer(2) != 0) p.approved = static_cast<std::uint32_t>(use.integer(1));
            p.withdrawn = use.integer(2) == 0;
            p.decided = rows::instant(use.integer(3));
            const ByteView b = use.blob(4);
            deeds.back().assign(b.begin(), b.end());
          }
          a.parties.push_back(std::move(p));
        }));
    for (std::size_t i = 0; i < deeds.size(); ++i) {
      if (deeds[i].empty()) continue;
      auto deed = read_deed(deeds[i]);
      if (!deed) return fail(std::move(deed).error().during("registry.db"));
      if (auto paper = DecisionPaper::read(deed->body)) a.parties[i].by = paper->by;
    }
  }
  return all;
}

struct Agreements::Said {
  DecidedOnce once;
  DeedId deed;  // the agreement's
  std::optional<Date> end;
  bool party = false;
};

Result<std::vector<Agreements::Said>> Agreements::said(const std::string& urn, const std::string& audience) {
  std::vector<Said> all;
  // Of a text that is not offered here nobody knows when it begins: it counts, and gives nothing.
  TP_TRY(rows::each(
      books_.database,
      "SELECT d.agreement,d.version,d.approved,d.made,a.first_day,a.last_day,a.deed,EXISTS(SELECT 1 FROM"
      " party p WHERE p.agreement=a.id AND p.version=a.version AND p.urn=d.urn) FROM decision d LEFT JOIN"
      " agreement a ON a.id=d.agreement AND a.version=d.version AND a.hash=d.hash WHERE d.urn=?1 AND"
      " d.agreement IN (SELECT id FROM agreement WHERE audience=?2) ORDER BY d.place",
      {urn, audience}, [&](Statement::Use& use) {
        Said s;
        s.once.agreement = use.text(0);
        s.once.version = static_cast<std::uint32_t>(use.integer(1));
        s.once.what = use.integer(2) != 0 ? DecidedOnce::What::kApproved : DecidedOnce::What::kWithdrawn;
        s.once.day = utc_date(rows::instant(use.integer(3)));
        if (!use.is_null(4)) {
          s.once.start = Date{static_cast<std::int32_t>(use.integer(4))};
          s.end = Date{static_cast<std::int32_t>(use.integer(5))};
          s.deed = rows::deed_id(use.blob(6));
          s.party = use.integer(7) != 0;
        }
        all.push_back(std::move(s));
      }));
  return all;
}

namespace {

template <class Said>
Course course(const std::vector<Said>& all, Date today) {
  std::vector<DecidedOnce> decisions;
  decisions.reserve(all.size());
  for (const Said& s : all) decisions.push_back(s.once);
  return course_of(decisions, today);
}

}  // namespace

Result<std::optional<InForce>> Agreements::in_force(const std::string& urn, const std::string& audience,
                                                    Date today) {
  const std::lock_guard lock(books_.mutex);
  const auto all = said(urn, audience);
  if (!all) return fail(all.error());
  const auto now = course(*all, today).now;
  if (!now) return std::optional<InForce>{};
  const Said& s = (*all)[*now];
  if (!s.party || !s.end || *s.end < today) return std::optional<InForce>{};
  if (audience.starts_with(kFederationPrefix)) {
    auto members = rows::members(books_.database, audience.substr(kFederationPrefix.size()));
    if (!members) return fail(std::move(members).error());
    if (std::find(members->begin(), members->end(), urn) == members->end()) return std::optional<InForce>{};
  }
  return std::optional<InForce>{{s.once.agreement, s.once.version, s.deed, *s.end}};
}

Result<Agreements::Ended> Agreements::ended(const std::string& urn, const std::string& audience, Date today) {
  const std::lock_guard lock(books_.mutex);
  const auto all = said(urn, audience);
  if (!all) return fail(all.error());
  Ended out;
  out.ever = !all->empty();
  const Course c = course(*all, today);
  out.later = out.ever && c.next.size() == all->size();
  for (const Said& s : *all)
    if (s.end) out.last = s.deed;
  if (c.now && (*all)[*c.now].end) out.last = (*all)[*c.now].deed;
  return out;
}

}  // namespace towpath
