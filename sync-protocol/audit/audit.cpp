#include "audit/audit.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "core/text.hpp"
#include "domain/academic_year.hpp"

namespace towpath {
namespace {

// Longer than any sentence of ours: a list of fields that an agreement grants.
constexpr std::size_t kWhatCharactersMax = 4000;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kPseudonymBytes = 8;  // 1 in 10^13 that two of 1,000 pupils share one

// A number that is not the next is refused before INSERT OR REPLACE could take a row away, which
// the trigger for deletions would not see.
constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS audit(
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit_secret(id INTEGER PRIMARY KEY CHECK(id=1), secret BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit_start(
  id INTEGER PRIMARY KEY CHECK(id=1), number INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT,'the audit log is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_keeps BEFORE DELETE ON audit
  WHEN OLD.number>(SELECT coalesce(max(number),0) FROM audit_start)
  BEGIN SELECT RAISE(ABORT,'the audit log is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_grows BEFORE INSERT ON audit
  WHEN NEW.number IS NOT (SELECT coalesce(max(number),0)+1 FROM audit)
  BEGIN SELECT RAISE(ABORT,'the audit log is only added to'); END;
)";

Hash256 chain(const Hash256& before, const AuditEntry& entry) {
  Bytes data;
  Writer w(data);
  w.bytes(before.bytes);
  w.varint(entry.number);
  w.u64(static_cast<std::uint64_t>(entry.at.time_since_epoch().count()));
  w.sized(entry.kind);
  w.sized(entry.what);
  return hash256("towpath audit", data);
}

tl::unexpected<Error> damaged(std::uint64_t number, std::string_view how) {
  return fail(Code::kDamaged,
              "The audit log is damaged at entry " + std::to_string(number) + ": " + std::string(how),
              "Keep this file as it is and compare it with a backup: entries before this one are as they "
              "were written, nothing after it can be relied on");
}

std::optional<Hash256> hash_in(ByteView blob) {
  Hash256 hash;
  if (blob.size() != hash.bytes.size()) return std::nullopt;
  std::copy(blob.begin(), blob.end(), hash.bytes.begin());
  return hash;
}

}  // namespace

Result<void> Audit::create(Database& database, Random& random) {
  TP_ASSERT(database.in_transaction());
  TP_TRY(database.exec(kTables));
  auto there = database.integer("SELECT count(*) FROM audit_secret");
  if (!there) return fail(std::move(there).error());
  if (*there > 0) return {};
  std::array<std::uint8_t, kSecretBytes> secret{};
  random.fill(secret);
  auto put = database.prepare("INSERT INTO audit_secret(id,secret) VALUES(1,?1)");
  if (!put) return fail(std::move(put).error());
  auto use = put->use();
  use.bind_blob(1, secret);
  return use.run();
}

Result<void> Audit::append(Instant at, std::string_view kind, std::string_view what) {
  TP_ASSERT(db_.in_transaction());
  TP_ASSERT(!kind.empty() && std::all_of(kind.begin(), kind.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  }));
  auto before = head();
  if (!before) return fail(std::move(before).error());
  AuditEntry entry;
  entry.number = before->number + 1;
  entry.at = at;
  entry.kind = kind;
  entry.what = safe_line(what, kWhatCharactersMax);
  entry.hash = chain(before->hash, entry);
  auto put = db_.prepare("INSERT INTO audit(number,at,kind,what,hash) VALUES(?1,?2,?3,?4,?5)");
  if (!put) return fail(std::move(put).error());
  auto use = put->use();
  use.bind(1, static_cast<std::int64_t>(entry.number));
  use.bind(2, static_cast<std::int64_t>(at.time_since_epoch().count()));
  use.bind(3, entry.kind);
  use.bind(4, entry.what);
  use.bind_blob(5, entry.hash.bytes);
  return use.run();
}

Result<AuditHead> Audit::head() {
  auto get = db_.prepare("SELECT number,hash FROM audit ORDER BY number DESC LIMIT 1");
  if (!get) return fail(std::move(get).error());
  auto use = get->use();
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return AuditHead{};
  const auto number = static_cast<std::uint64_t>(use.integer(0));
  const auto hash = hash_in(use.blob(1));
  if (!hash) return damaged(number, "it has no hash");
  return AuditHead{number, *hash};
}

Result<void> Audit::each(const std::function<void(const AuditEntry&)>& visit) {
  return db_.each("SELECT number,at,kind,what,hash FROM audit ORDER BY number", [&](Statement::Use& row) {
    AuditEntry entry;
    entry.number = static_cast<std::uint64_t>(row.integer(0));
    entry.at = Instant{std::chrono::milliseconds{row.integer(1)}};
    entry.kind = row.text(2);
    entry.what = row.text(3);
    entry.hash = hash_in(row.blob(4)).value_or(Hash256{});
    visit(entry);
  });
}

// Of the entries that were purged, the last.
Result<AuditHead> Audit::start() {
  auto get = db_.prepare("SELECT number,hash FROM audit_start WHERE id=1");
  if (!get) return fail(std::move(get).error());
  auto use = get->use();
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return AuditHead{};
  const auto number = static_cast<std::uint64_t>(use.integer(0));
  const auto hash = hash_in(use.blob(1));
  if (!hash) return damaged(number, "it has no hash");
  return AuditHead{number, *hash};
}

Result<std::uint64_t> Audit::purge(Instant now) {
  TP_ASSERT(db_.in_transaction());
  const Date first =
      AcademicYear::starting_in(AcademicYear::of(utc_date(now)).starting() - kAuditYears).first_day();
  const std::int64_t keep_from = std::int64_t{first.days} * 86'400'000;
  // Entries are in the order in which things were done; a clock that was wrong for a while takes nothing with
  // it. The newest always stays.
  auto last =
      db_.integer("SELECT coalesce((SELECT min(number) FROM audit WHERE at>=" + std::to_string(keep_from) +
                  "),(SELECT max(number) FROM audit),1)-1");
  if (!last) return fail(std::move(last).error());
  const auto before = start();
  if (!before) return fail(before.error());
  if (*last <= static_cast<std::int64_t>(before->number)) return 0;
  auto keep = db_.prepare(
      "INSERT INTO audit_start(id,number,hash) SELECT 1,number,hash FROM audit WHERE number=?1"
      " ON CONFLICT(id) DO UPDATE SET number=excluded.number,hash=excluded.hash");
  if (!keep) return fail(std::move(keep).error());
  {
    auto use = keep->use();
    use.bind(1, *last);
    TP_TRY(use.run());
  }
  TP_TRY(db_.exec("DELETE FROM audit WHERE number<=" + std::to_string(*last)));
  const auto gone = static_cast<std::uint64_t>(db_.changes());
  TP_TRY(append(now, "audit-purged",
                "entries up to " + std::to_string(*last) + ", of before " + first.iso() + ", were kept for " +
                    std::to_string(kAuditYears) + " years and are gone"));
  return gone;
}

Result<AuditHead> Audit::verify(const AuditHead& noted) {
  auto began = start();
  if (!began) return fail(std::move(began).error());
  AuditHead at = *began;
  if (noted.number > 0 && noted.number < at.number)
    return fail(Code::kNotFound,
                "the head that was noted is of entry " + std::to_string(noted.number) +
                    ", which was kept for its years and is gone: the log begins after entry " +
                    std::to_string(at.number),
                "Verify without it, and note the head of now");
  if (noted.number > 0 && noted.number == at.number && noted.hash != at.hash)
    return damaged(at.number, "it is another than the one that was noted");
  std::optional<Error> found;
  TP_TRY(each([&](const AuditEntry& entry) {
    if (found) return;
    const std::uint64_t expected = at.number + 1;
    if (entry.number != expected)
      found = damaged(expected, "it is not there").value();
    else if (entry.hash != chain(at.hash, entry))
      found = damaged(expected, "it, or one before it, is not as it was written").value();
    else if (entry.number == noted.number && entry.hash != noted.hash)
      found = damaged(expected, "it is another than the one that was noted").value();
    at = {entry.number, entry.hash};
  }));
  if (found) return fail(std::move(*found));
  if (at.number < noted.number)
    return damaged(at.number + 1,
                   "the log ends before it, but its entry " + std::to_string(noted.number) + " was noted");
  return at;
}

Result<std::string> Audit::pseudonym(const Uuid& entity) {
  auto get = db_.prepare("SELECT secret FROM audit_secret WHERE id=1");
  if (!get) return fail(std::move(get).error());
  auto use = get->use();
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row || use.blob(0).size() != kSecretBytes)
    return fail(Code::kDamaged, "the audit log has lost the secret of its pseudonyms",
                "Bring the file back from a backup");
  const Hash256 hash = Hasher("towpath pseudo").update(use.blob(0)).update(entity.bytes).finish();
  return hex(ByteView(hash.bytes).first(kPseudonymBytes));
}

}  // namespace towpath
