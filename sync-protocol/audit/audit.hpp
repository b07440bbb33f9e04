// The audit log: what was decided and done with personal data, in order, for seven years.
//
// Append-only (triggers refuse changes) and chained: each entry's hash covers the one before, so
// that a line changed, taken out or put in is found; the head, noted elsewhere, shows a cut tail.
// Written in the transaction of the thing that it tells of. Never personal data: pupils appear
// as hashes under a secret of this log only, protection levels not at all.
// Whoever can write the file can also drop the triggers and chain everything anew: against that stands a
// head noted elsewhere (the other end's log, a printed page).
// The tables lie in the school's store and in the hub's registry. Used by agent/sharing, hub/federation.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "sqlite/database.hpp"

namespace towpath {

// What audit logs are kept for (DOMAIN 5).
inline constexpr int kAuditYears = 7;

struct AuditEntry {
  std::uint64_t number = 0;  // from 1, without gaps; the oldest may have been purged
  Instant at{};
  std::string kind;  // "agreement-approved", "order-issued", "receipt", "retention-purge", ...
  std::string what;  // a sentence
  Hash256 hash;
};
struct AuditHead {
  std::uint64_t number = 0;
  Hash256 hash;
};

class Audit {
 public:
  explicit Audit(Database& database) : db_(database) {}
  // Makes the tables where there are none, with a secret by chance. Within the caller's transaction.
  [[nodiscard]] static Result<void> create(Database& database, Random& random);
  // Within the caller's transaction. `kind`: small letters, digits and dashes; `what` becomes one line.
  [[nodiscard]] Result<void> append(Instant at, std::string_view kind, std::string_view what);
  [[nodiscard]] Result<AuditHead> head();
  [[nodiscard]] Result<void> each(const std::function<void(const AuditEntry&)>& visit);
  // Takes away what was kept for its years: entries of academic years that ended more than kAuditYears ago.
  // The chain goes on from the last of them, whose hash stays; one entry tells of it. At most once a year
  // there is something to do. How many are gone. Within the caller's transaction.
  [[nodiscard]] Result<std::uint64_t> purge(Instant now);
  // Every hash and number again. kDamaged with the first entry that does not fit.
  // `noted`: a head noted earlier, number 0: none; that it is on this chain is checked too. kNotFound: it is
  // older than what is kept, and cannot be compared.
  [[nodiscard]] Result<AuditHead> verify(const AuditHead& noted = {});
  // A pupil's pseudonym in this log, 16 hex digits: from the UUID and a secret made with the table.
  [[nodiscard]] Result<std::string> pseudonym(const Uuid& entity);

 private:
  Result<AuditHead> start();

  Database& db_;
};

}  // namespace towpath
