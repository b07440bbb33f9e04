#include "hub/federation/rows.hpp"

#include <algorithm>

#include "audit/audit.hpp"

namespace towpath::rows {
namespace {

// Keys that one school made one after the other by itself: one a year for longer than anything is kept.
constexpr std::int64_t kFormerKeysMax = 16;

void bind(Statement::Use& use, std::initializer_list<Parameter> parameters) {
  int at = 0;
  for (const Parameter& p : parameters) {
    ++at;
    if (const auto* n = std::get_if<std::int64_t>(&p))
      use.bind(at, *n);
    else if (const auto* text = std::get_if<std::string>(&p))
      use.bind(at, std::string_view(*text));
    else if (const auto* bytes = std::get_if<Bytes>(&p))
      use.bind_blob(at, *bytes);
    else
      use.bind_null(at);
  }
}

}  // namespace

Result<void> run(Database& db, const char* sql, std::initializer_list<Parameter> parameters) {
  auto statement = db.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  bind(use, parameters);
  return use.run();
}

Result<void> each(Database& db, const char* sql, std::initializer_list<Parameter> parameters,
                  const std::function<void(Statement::Use&)>& row) {
  auto statement = db.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  bind(use, parameters);
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return {};
    row(use);
  }
}

Result<std::int64_t> count(Database& db, const char* sql, std::initializer_list<Parameter> parameters) {
  std::int64_t n = 0;
  TP_TRY(each(db, sql, parameters, [&](Statement::Use& use) { n = use.is_null(0) ? 0 : use.integer(0); }));
  return n;
}

DeedId deed_id(ByteView blob) {
  DeedId id;
  if (blob.size() == id.bytes.size()) std::copy(blob.begin(), blob.end(), id.bytes.begin());
  return id;
}
Hash256 hash_from(ByteView blob) {
  Hash256 hash;
  if (blob.size() == hash.bytes.size()) std::copy(blob.begin(), blob.end(), hash.bytes.begin());
  return hash;
}
std::string urn_of(std::string_view issuer) {
  constexpr std::string_view kSchool = "school:";
  return issuer.starts_with(kSchool) ? std::string(issuer.substr(kSchool.size())) : std::string();
}

Result<void> keep(Database& db, const Deed& deed, const std::optional<DeedId>& about, Instant now) {
  return run(db, "INSERT INTO deed(id,kind,issuer,number,taken,about,bytes) VALUES(?1,?2,?3,?4,?5,?6,?7)",
             {blob(deed.id), static_cast<std::int64_t>(deed.kind), deed.issuer,
              static_cast<std::int64_t>(deed.number), ms(now), about ? Parameter(blob(*about)) : nullptr,
              deed.bytes});
}

Result<Deed> hub_deed(Database& db, const PartySecret& hub, DeedKind kind, Bytes body, Instant now,
                      const std::optional<DeedId>& about) {
  // Numbers go on from the clock, so that a hub that was brought back from a backup does not use one
  // twice: a school would take a newer paper with a lower number for an older one.
  TP_TRY(run(db, "UPDATE hub SET deed_number=max(deed_number+1,?1)", {ms(now)}));
  auto number = count(db, "SELECT deed_number FROM hub");
  if (!number) return fail(std::move(number).error());
  Deed deed;
  deed.kind = kind;
  deed.issuer = "hub";
  deed.number = static_cast<std::uint64_t>(*number);
  deed.made = now;
  deed.body = std::move(body);
  deed = sign_deed(std::move(deed), hub);
  TP_TRY(keep(db, deed, about, now));
  return deed;
}

Result<std::optional<Deed>> find_deed(Database& db, const DeedId& id) {
  std::optional<Bytes> bytes;
  TP_TRY(each(db, "SELECT bytes FROM deed WHERE id=?1", {blob(id)}, [&](Statement::Use& use) {
    const ByteView b = use.blob(0);
    bytes.emplace(b.begin(), b.end());
  }));
  if (!bytes) return std::optional<Deed>{};
  auto deed = read_deed(*bytes);
  if (!deed) return fail(std::move(deed).error().during("registry.db"));
  return std::optional(std::move(*deed));
}

Result<void> post(Database& db, const std::string& urn, const DeedId& deed) {
  auto there = count(db, "SELECT count(*) FROM post WHERE urn=?1 AND deed=?2", {urn, blob(deed)});
  if (!there) return fail(std::move(there).error());
  if (*there > 0) return {};
  std::int64_t number = 0;
  Bytes chained(8);
  TP_TRY(each(db, "SELECT number,chain FROM post WHERE urn=?1 ORDER BY number DESC LIMIT 1", {urn},
              [&](Statement::Use& use) {
                number = use.integer(0);
                const ByteView chain = use.blob(1);
                chained.assign(chain.begin(), chain.end());
              }));
  chained.insert(chained.end(), deed.bytes.begin(), deed.bytes.end());
  const Hash256 hash = hash256("towpath post", chained);
  return run(db, "INSERT INTO post(urn,number,deed,chain) VALUES(?1,?2,?3,?4)",
             {urn, number + 1, blob(deed), Bytes(hash.bytes.begin(), hash.bytes.begin() + 8)});
}

Result<std::vector<PartyKey>> keys_of(Database& db, const std::string& urn) {
  std::vector<PartyKey> keys;
  TP_TRY(each(db,
              "WITH RECURSIVE own(id,age) AS (SELECT id,0 FROM agent WHERE urn=?1 AND standing=1 UNION"
              " SELECT agent.id,age+1 FROM agent JOIN own ON agent.followed_by=own.id"
              " WHERE agent.standing=2 AND age<?2)"
              " SELECT agent.key FROM own JOIN agent ON agent.id=own.id ORDER BY own.age",
              {urn, kFormerKeysMax}, [&](Statement::Use& use) {
                if (const auto key = PartyKey::from(use.blob(0))) keys.push_back(*key);
              }));
  return keys;
}

Result<std::vector<std::string>> members(Database& db, const std::string& federation) {
  std::vector<std::string> all;
  TP_TRY(each(db, "SELECT urn FROM member WHERE federation=?1 AND until IS NULL ORDER BY urn", {federation},
              [&](Statement::Use& use) { all.emplace_back(use.text(0)); }));
  return all;
}

Result<void> audit(Database& db, Instant now, std::string_view kind, const std::string& what) {
  return Audit(db).append(now, kind, what);
}

}  // namespace towpath::rows
