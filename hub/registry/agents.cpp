#include "hub/registry/agents.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace towpath {
namespace {

// Names are for people; what a machine says of itself is cut to what fits a line.
constexpr std::size_t kWordsMax = 100;  // characters

std::int64_t ms(Instant at) { return std::int64_t{at.time_since_epoch().count()}; }
Instant instant(std::int64_t at) { return Instant{std::chrono::milliseconds{at}}; }
// SQLite's integers have a sign; these numbers are random, and only ever compared for being equal.
std::int64_t signed_of(std::uint64_t n) { return static_cast<std::int64_t>(n); }
std::uint64_t unsigned_of(std::int64_t n) { return static_cast<std::uint64_t>(n); }

std::optional<Instant> instant_at(const Statement::Use& use, int at) {
  if (use.is_null(at)) return std::nullopt;
  return instant(use.integer(at));
}
void bind_instant(Statement::Use& use, int at, const std::optional<Instant>& when) {
  if (when)
    use.bind(at, ms(*when));
  else
    use.bind_null(at);
}

#define TP_AGENT_COLUMNS \
  "key,urn,label,software,standing,enrolled,changed,heard,clock_off,two_machines,rotation_asked"

Agent agent_of(const Statement::Use& use) {
  Agent a;
  if (const auto key = PartyKey::from(use.blob(0))) a.key = *key;
  a.urn = use.text(1);
  a.label = use.text(2);
  a.software = use.text(3);
  a.standing = static_cast<KeyStanding>(use.integer(4));
  a.enrolled = instant(use.integer(5));
  a.changed = instant(use.integer(6));
  a.heard = instant_at(use, 7);
  if (!use.is_null(8)) a.clock_off = std::chrono::milliseconds{use.integer(8)};
  a.two_machines = instant_at(use, 9);
  a.rotation_asked = use.integer(10) != 0;
  return a;
}

tl::unexpected<Error> no_current(const std::string& urn) {
  return fail(Code::kNotFound, "school " + urn + " has no current key",
              "towpath-hub agent list shows its keys; towpath-hub school invite " + urn + " makes a code");
}

}  // namespace

std::string_view name(KeyStanding standing) {
  switch (standing) {
    case KeyStanding::kCurrent:
      return "current";
    case KeyStanding::kReplaced:
      return "replaced";
    case KeyStanding::kRevoked:
      return "revoked";
  }
  return "unknown";
}

Result<void> Agents::make_tables(Database& database) {
  return database.exec(
      "CREATE TABLE agent(id BLOB PRIMARY KEY, key BLOB NOT NULL, urn TEXT NOT NULL, label TEXT NOT NULL,"
      " software TEXT NOT NULL DEFAULT '', standing INTEGER NOT NULL, enrolled INTEGER NOT NULL,"
      " changed INTEGER NOT NULL, heard INTEGER, clock_off INTEGER, two_machines INTEGER,"
      " rotation_asked INTEGER NOT NULL DEFAULT 0, instance INTEGER NOT NULL DEFAULT 0,"
      " last_turn INTEGER NOT NULL DEFAULT 0, recovered INTEGER,"
      " recovered_under INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
      "CREATE UNIQUE INDEX agent_current ON agent(urn) WHERE standing=1;"
      "CREATE TABLE turn(id BLOB NOT NULL, turn INTEGER NOT NULL, bundle BLOB NOT NULL, PRIMARY KEY(id,turn))"
      " STRICT, WITHOUT ROWID;"
      "CREATE TABLE instance(id BLOB NOT NULL, instance INTEGER NOT NULL, last_turn INTEGER NOT NULL,"
      " PRIMARY KEY(id,instance)) STRICT, WITHOUT ROWID;"
      "CREATE TABLE invitation(secret BLOB PRIMARY KEY, urn TEXT NOT NULL, made INTEGER NOT NULL,"
      " expires INTEGER NOT NULL, withdrawn INTEGER, used INTEGER, used_by BLOB) STRICT, WITHOUT ROWID");
}

Result<Statement*> Agents::ready(std::optional<Statement>& statement, const char* sql) {
  if (!statement) {
    auto made = database_.prepare(sql);
    if (!made) return fail(std::move(made).error());
    statement.emplace(std::move(*made));
  }
  return &*statement;
}

Result<std::vector<Agent>> Agents::all() {
  const std::lock_guard lock(mutex_);
  std::vector<Agent> all;
  TP_TRY(database_.each("SELECT " TP_AGENT_COLUMNS " FROM agent ORDER BY urn, standing<>1, changed DESC, id",
                        [&](Statement::Use& use) { all.push_back(agent_of(use)); }));
  return all;
}

Result<std::optional<Agent>> Agents::find_here(const KeyId& id) {
  auto statement = ready(find_, "SELECT " TP_AGENT_COLUMNS " FROM agent WHERE id=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind_blob(1, id.bytes);
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::optional<Agent>{};
  return std::optional(agent_of(use));
}
Result<std::optional<Agent>> Agents::find(const KeyId& id) {
  const std::lock_guard lock(mutex_);
  return find_here(id);
}

Result<std::optional<Agent>> Agents::current_here(const std::string& urn) {
  auto statement = ready(current_, "SELECT " TP_AGENT_COLUMNS " FROM agent WHERE urn=?1 AND standing=1");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind(1, urn);
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::optional<Agent>{};
  return std::optional(agent_of(use));
}
Result<std::optional<Agent>> Agents::current(const std::string& urn) {
  const std::lock_guard lock(mutex_);
  return current_here(urn);
}

Result<void> Agents::stand(const KeyId& id, KeyStanding standing, Instant now) {
  auto put = database_.prepare("UPDATE agent SET standing=?2, changed=?3, rotation_asked=0 WHERE id=?1");
  if (!put) return fail(std::move(put).error());
  auto use = put->use();
  use.bind_blob(1, id.bytes);
  use.bind(2, static_cast<std::int64_t>(standing));
  use.bind(3, ms(now));
  return use.run();
}

Result<Agent> Agents::revoke(const std::string& urn, Instant now) {
  const std::lock_guard lock(mutex_);
  auto tx = database_.begin();
  if (!tx) return fail(std::move(tx).error());
  auto agent = current_here(urn);
  if (!agent) return fail(std::move(agent).error());
  if (!*agent) return no_current(urn);
  TP_TRY(stand((*agent)->key.id(), KeyStanding::kRevoked, now));
  {
    // Who has the key may have the code as well.
    auto end = database_.prepare(
        "UPDATE invitation SET withdrawn=?2 WHERE urn=?1 AND used IS NULL AND withdrawn IS NULL");
    if (!end) return fail(std::move(end).error());
    auto use = end->use();
    use.bind(1, urn);
    use.bind(2, ms(now));
    TP_TRY(use.run());
  }
  TP_TRY(tx->commit());
  return std::move(**agent);
}

Result<Agent> Agents::ask_rotation(const std::string& urn) {
  const std::lock_guard lock(mutex_);
  auto tx = database_.begin();
  if (!tx) return fail(std::move(tx).error());
  auto agent = current_here(urn);
  if (!agent) return fail(std::move(agent).error());
  if (!*agent) return no_current(urn);
  {
    auto put = database_.prepare("UPDATE agent SET rotation_asked=1 WHERE id=?1");
    if (!put) return fail(std::move(put).error());
    const KeyId id = (*agent)->key.id();
    auto use = put->use();
    use.bind_blob(1, id.bytes);
    TP_TRY(use.run());
  }
  TP_TRY(tx->commit());
  return std::move(**agent);
}

Result<bool> Agents::invite(const std::string& urn, const Hash256& secret, Instant now, Instant expires) {
  const std::lock_guard lock(mutex_);
  auto tx = database_.begin();
  if (!tx) return fail(std::move(tx).error());
  bool withdrawn = false;
  {
    auto end = database_.prepare(
        "UPDATE invitation SET withdrawn=?2 WHERE urn=?1 AND used IS NULL AND withdrawn IS NULL AND "
        "expires>?2");
    if (!end) return fail(std::move(end).error());
    auto use = end->use();
    use.bind(1, urn);
    use.bind(2, ms(now));
    TP_TRY(use.run());
    withdrawn = database_.changes() > 0;
  }
  {
    auto put = database_.prepare("INSERT INTO invitation(secret,urn,made,expires) VALUES(?1,?2,?3,?4)");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind_blob(1, secret.bytes);
    use.bind(2, urn);
    use.bind(3, ms(now));
    use.bind(4, ms(expires));
    TP_TRY(use.run());
  }
  TP_TRY(tx->commit());
  return withdrawn;
}

Result<std::vector<Invited>> Agents::open_invitations(Instant now) {
  const std::lock_guard lock(mutex_);
  std::vector<Invited> all;
  TP_TRY(database_.each(
      "SELECT urn,made,expires FROM invitation WHERE used IS NULL AND withdrawn IS NULL ORDER BY urn",
      [&](Statement::Use& use) {
        if (instant(use.integer(2)) > now)
          all.push_back({std::string(use.text(0)), instant(use.integer(1)), instant(use.integer(2))});
      }));
  return all;
}

Result<std::size_t> Agents::withdraw_invitations(Instant now) {
  const std::lock_guard lock(mutex_);
  auto end = database_.prepare(
      "UPDATE invitation SET withdrawn=?1 WHERE used IS NULL AND withdrawn IS NULL AND expires>?1");
  if (!end) return fail(std::move(end).error());
  auto use = end->use();
  use.bind(1, ms(now));
  TP_TRY(use.run());
  return static_cast<std::size_t>(database_.changes());
}

Result<std::string> Agents::enrol(const Hash256& secret, const PartyKey& key, const std::string& urn,
                                  const std::string& label, Instant now) {
  const std::lock_guard lock(mutex_);
  auto tx = database_.begin();
  if (!tx) return fail(std::move(tx).error());
  const KeyId id = key.id();

  std::string invited;
  Instant expires{};
  bool withdrawn = false, used = false, used_by_this = false;
  {
    auto look =
        database_.prepare("SELECT urn,expires,withdrawn,used,used_by FROM invitation WHERE secret=?1");
    if (!look) return fail(std::move(look).error());
    auto use = look->use();
    use.bind_blob(1, secret.bytes);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row)
      return fail(Code::kCodeUnknown, "this hub has never given out this invitation code",
                  "Ask the hub's operator for a new one");
    invited = use.text(0);
    expires = instant(use.integer(1));
    withdrawn = !use.is_null(2);
    used = !use.is_null(3);
    const ByteView by = use.blob(4);
    used_by_this = used && std::equal(by.begin(), by.end(), id.bytes.begin(), id.bytes.end());
  }
  if (used && !used_by_this)
    return fail(Code::kCodeUsed, "this invitation code has been used by another machine",
                "Ask the hub's operator for a new one; if none of yours used it, say so at once");
  if (urn != invited)
    return fail(
        Code::kWrongStream,
        "this invitation code is for school " + invited + ", and this machine speaks for school " + urn,
        "Check [school] urn in the configuration");
  auto known = find_here(id);
  if (!known) return fail(std::move(known).error());
  if (*known && ((*known)->key != key || (*known)->urn != urn))
    return fail(Code::kRefused, "another machine has a key of this name", "Enrol again with new keys");
  if (*known && (*known)->standing == KeyStanding::kRevoked)
    return fail(Code::kRevoked, "this machine's key was revoked on " + iso((*known)->changed),
                "Enrol with new keys: towpath enrol --force");
  if (used) {
    // The answer was lost. What has happened since then stays.
    if (*known && (*known)->standing == KeyStanding::kCurrent) return invited;
    return fail(Code::kReplaced,
                "this machine's key for school " + urn +
                    " has been replaced since, by another machine or by newer keys of this one",
                "Ask the hub's operator for a new invitation code if this machine is to speak for it");
  }
  if (withdrawn)
    return fail(Code::kCodeExpired, "this invitation code has been withdrawn; a newer one was made",
                "Use the newer one, or ask the hub's operator for another");
  if (now >= expires)
    return fail(Code::kCodeExpired, "this invitation code was good until " + iso(expires),
                "Ask the hub's operator for a new one");

  auto before = current_here(urn);
  if (!before) return fail(std::move(before).error());
  if (*before && (*before)->key != key) TP_TRY(stand((*before)->key.id(), KeyStanding::kReplaced, now));
  {
    // The same key again (its first invitation's answer was lost, and a new one was asked for) is a
    // machine that stands alone from here on.
    auto put = database_.prepare(
        "INSERT INTO agent(id,key,urn,label,standing,enrolled,changed) VALUES(?1,?2,?3,?4,1,?5,?5)"
        " ON CONFLICT(id) DO UPDATE SET label=?4, standing=1, enrolled=?5, changed=?5, two_machines=NULL,"
        " recovered=NULL, rotation_asked=0, followed_by=NULL");
    if (!put) return fail(std::move(put).error());
    const Bytes bytes = key.bytes();
    const std::string words = safe_line(label, kWordsMax);
    auto use = put->use();
    use.bind_blob(1, id.bytes);
    use.bind_blob(2, bytes);
    use.bind(3, urn);
    use.bind(4, words);
    use.bind(5, ms(now));
    TP_TRY(use.run());
  }
  {
    auto put = database_.prepare("UPDATE invitation SET used=?2, used_by=?3 WHERE secret=?1");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind_blob(1, secret.bytes);
    use.bind(2, ms(now));
    use.bind_blob(3, id.bytes);
    TP_TRY(use.run());
  }
  TP_TRY(tx->commit());
  return invited;
}

Result<void> Agents::replace(const KeyId& old, const PartyKey& fresh, const Turn& turn, Instant now) {
  const std::lock_guard lock(mutex_);
  auto tx = database_.begin();
  if (!tx) return fail(std::move(tx).error());
  const KeyId id = fresh.id();
  auto known = find_here(id);
  if (!known) return fail(std::move(known).error());
  if (*known)
    return fail(Code::kRepeated, "this machine's new key has been used here before",
                "Make other keys: towpath enrol --force");
  auto before = find_here(old);
  if (!before) return fail(std::move(before).error());
  if (!*before || (*before)->standing != KeyStanding::kCurrent)
    return fail(Code::kReplaced, "the key that was to be replaced is not the school's current one any more");
  {
    auto look = database_.prepare("SELECT instance,last_turn FROM agent WHERE id=?1");
    if (!look) return fail(std::move(look).error());
    auto use = look->use();
    use.bind_blob(1, old.bytes);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (*row && (unsigned_of(use.integer(0)) != turn.instance || unsigned_of(use.integer(1)) != turn.number))
      return fail(Code::kOutOfOrder, "a new key is taken from the newest bundle of a machine only");
  }
  TP_TRY(stand(old, KeyStanding::kReplaced, now));
  const Bytes bytes = fresh.bytes();
  for (const char* sql :
       {"INSERT INTO agent(id,key,urn,label,software,standing,enrolled,changed,heard,clock_off,two_machines,"
        "instance,last_turn,recovered,recovered_under) SELECT ?1,?3,urn,label,software,1,enrolled,?4,heard,"
        "clock_off,two_machines,instance,last_turn,recovered,recovered_under FROM agent WHERE id=?2",
        "INSERT INTO turn(id,turn,bundle) SELECT ?1,turn,bundle FROM turn WHERE id=?2",
        "INSERT INTO instance(id,instance,last_turn) SELECT ?1,instance,last_turn FROM instance WHERE id=?2",
        "DELETE FROM turn WHERE id=?2", "DELETE FROM instance WHERE id=?2"}) {
    auto put = database_.prepare(sql);
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    const std::string_view text(sql);
    if (text.find("?1") != std::string_view::npos) use.bind_blob(1, id.bytes);
    use.bind_blob(2, old.bytes);
    if (text.find("?3") != std::string_view::npos) {
      use.bind_blob(3, bytes);
      use.bind(4, ms(now));
    }
    TP_TRY(use.run());
  }
  {
    auto put = database_.prepare("UPDATE agent SET followed_by=?1 WHERE id=?2");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind_blob(1, id.bytes);
    use.bind_blob(2, old.bytes);
    TP_TRY(use.run());
  }
  return tx->commit();
}

Result<TurnVerdict> Agents::hear(const KeyId& id, const Heard& bundle, Instant now) {
  const std::lock_guard lock(mutex_);
  // A power cut may lose the last few turns: then their numbers are new once more, and the segments'
  // chain decides. What the registry promises otherwise stays FULL.
  TP_TRY(database_.exec("PRAGMA synchronous=NORMAL"));
  auto done = hear_here(id, bundle, now);
  TP_TRY(database_.exec("PRAGMA synchronous=FULL"));
  return done;
}

Result<TurnVerdict> Agents::hear_here(const KeyId& id, const Heard& bundle, Instant now) {
  auto tx = database_.begin();
  if (!tx) return fail(std::move(tx).error());
  const Turn& turn = bundle.turn;
  TurnState state;
  TurnSeen seen;
  std::string urn;
  {
    auto look = ready(state_,
                      "SELECT urn,standing,changed,instance,last_turn,recovered,recovered_under,two_machines,"
                      "(SELECT count(*) FROM instance WHERE instance.id=agent.id) FROM agent WHERE id=?1");
    if (!look) return fail(std::move(look).error());
    auto use = (*look)->use();
    use.bind_blob(1, id.bytes);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return fail(Code::kUnknownKey, "nobody at this hub has key " + id.text());
    urn = use.text(0);
    const auto standing = static_cast<KeyStanding>(use.integer(1));
    if (standing != KeyStanding::kCurrent)
      return fail(
          standing == KeyStanding::kRevoked ? Code::kRevoked : Code::kReplaced,
          "key " + id.text() + " was " + std::string(name(standing)) + " on " + iso(instant(use.integer(2))));
    state.current = {unsigned_of(use.integer(3)), unsigned_of(use.integer(4))};
    state.recovered = instant_at(use, 5);
    state.recovered_under = unsigned_of(use.integer(6));
    state.two_machines = instant_at(use, 7);
    seen.former_lives = static_cast<std::size_t>(use.integer(8));
  }
  if (turn.instance == state.current.instance) {
    auto look = ready(recorded_, "SELECT bundle FROM turn WHERE id=?1 AND turn=?2");
    if (!look) return fail(std::move(look).error());
    auto use = (*look)->use();
    use.bind_blob(1, id.bytes);
    use.bind(2, signed_of(turn.number));
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (*row) {
      const ByteView b = use.blob(0);
      auto& recorded = seen.recorded.emplace().uuid.bytes;
      std::copy_n(b.begin(), std::min(b.size(), recorded.size()), recorded.begin());
    }
  } else {
    auto look = ready(former_, "SELECT last_turn FROM instance WHERE id=?1 AND instance=?2");
    if (!look) return fail(std::move(look).error());
    auto use = (*look)->use();
    use.bind_blob(1, id.bytes);
    use.bind(2, signed_of(turn.instance));
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (*row) seen.former = Life{turn.instance, unsigned_of(use.integer(0))};
  }

  const Life before = state.current;
  const TurnVerdict verdict = judge(state, seen, turn, now);
  if (verdict == TurnVerdict::kRepeated) return verdict;  // nothing has changed

  const bool took_over = state.current.instance != before.instance;
  if (took_over) {
    auto forget = ready(forget_turns_, "DELETE FROM turn WHERE id=?1 AND (turn<?2 OR turn>?3)");
    if (!forget) return fail(std::move(forget).error());
    auto use = (*forget)->use();
    use.bind_blob(1, id.bytes);
    use.bind(2, INT64_MAX);
    use.bind(3, std::int64_t{-1});
    TP_TRY(use.run());
  }
  if (const auto former = took_over && before.instance != 0 ? std::optional(before)
                          : seen.former && turn.number > seen.former->last
                              ? std::optional(Life{turn.instance, turn.number})
                              : std::nullopt) {
    auto note =
        ready(note_former_, "INSERT OR REPLACE INTO instance(id,instance,last_turn) VALUES(?1,?2,?3)");
    if (!note) return fail(std::move(note).error());
    auto use = (*note)->use();
    use.bind_blob(1, id.bytes);
    use.bind(2, signed_of(former->instance));
    use.bind(3, signed_of(former->last));
    TP_TRY(use.run());
  }
  const bool fresh = verdict == TurnVerdict::kFresh;
  if (fresh || verdict == TurnVerdict::kLate) {
    {
      auto note = ready(note_turn_, "INSERT INTO turn(id,turn,bundle) VALUES(?1,?2,?3)");
      if (!note) return fail(std::move(note).error());
      auto use = (*note)->use();
      use.bind_blob(1, id.bytes);
      use.bind(2, signed_of(turn.number));
      use.bind_blob(3, turn.bundle.uuid.bytes);
      TP_TRY(use.run());
    }
    if (state.current.last >= kTurnsKept) {
      auto forget = ready(forget_turns_, "DELETE FROM turn WHERE id=?1 AND (turn<?2 OR turn>?3)");
      if (!forget) return fail(std::move(forget).error());
      auto use = (*forget)->use();
      use.bind_blob(1, id.bytes);
      use.bind(2, signed_of(state.current.last - kTurnsKept + 1));
      use.bind(3, signed_of(state.current.last));
      TP_TRY(use.run());
    }
  }
  {
    auto note = ready(note_agent_,
                      "UPDATE agent SET instance=?2,last_turn=?3,recovered=?4,recovered_under=?5,"
                      "two_machines=?6,heard=coalesce(?7,heard),clock_off=coalesce(?8,clock_off),"
                      "software=CASE WHEN ?9='' THEN software ELSE ?9 END WHERE id=?1");
    if (!note) return fail(std::move(note).error());
    const std::string software = fresh ? safe_line(bundle.software, kWordsMax) : std::string();
    auto use = (*note)->use();
    use.bind_blob(1, id.bytes);
    use.bind(2, signed_of(state.current.instance));
    use.bind(3, signed_of(state.current.last));
    bind_instant(use, 4, state.recovered);
    use.bind(5, signed_of(state.recovered_under));
    bind_instant(use, 6, state.two_machines);
    bind_instant(use, 7, fresh ? std::optional(now) : std::nullopt);
    if (fresh && bundle.line)
      use.bind(8, std::int64_t{(bundle.sent - now).count()});
    else
      use.bind_null(8);
    use.bind(9, software);
    TP_TRY(use.run());
  }
  if (fresh) {
    auto note = ready(note_school_, "UPDATE school SET heard=?2 WHERE urn=?1");
    if (!note) return fail(std::move(note).error());
    auto use = (*note)->use();
    use.bind(1, urn);
    use.bind(2, ms(now));
    TP_TRY(use.run());
  }
  TP_TRY(tx->commit());
  return verdict;
}

}  // namespace towpath
