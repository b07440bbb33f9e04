#include "hub/registry/sharing_tables.hpp"

#include "audit/audit.hpp"
#include "platform/platform.hpp"

namespace towpath {

Result<void> make_sharing_tables(Database& database) {
  TP_TRY(database.exec(
      // The key that replaced this one by its own word; none where an invitation did.
      "ALTER TABLE agent ADD COLUMN followed_by BLOB;"
      // How long what is removed may still lie in the hub's backups; goes into receipts.
      "ALTER TABLE hub ADD COLUMN backup_days INTEGER NOT NULL DEFAULT 35;"
      "ALTER TABLE hub ADD COLUMN deed_number INTEGER NOT NULL DEFAULT 0;"
      "CREATE TABLE federation(id TEXT PRIMARY KEY, name TEXT NOT NULL, added INTEGER NOT NULL,"
      " paper BLOB, paper_body BLOB) STRICT, WITHOUT ROWID;"
      "CREATE TABLE member(federation TEXT NOT NULL, urn TEXT NOT NULL, since INTEGER NOT NULL, until "
      "INTEGER,"
      " PRIMARY KEY(federation,urn,since)) STRICT, WITHOUT ROWID;"
      "CREATE INDEX member_urn ON member(urn);"
      "CREATE TABLE agreement(id TEXT NOT NULL, version INTEGER NOT NULL, audience TEXT NOT NULL,"
      " title TEXT NOT NULL, first_day INTEGER NOT NULL, last_day INTEGER NOT NULL, hash BLOB NOT NULL,"
      " text TEXT NOT NULL, deed BLOB NOT NULL, added INTEGER NOT NULL, PRIMARY KEY(id,version))"
      " STRICT, WITHOUT ROWID;"
      "CREATE TABLE party(agreement TEXT NOT NULL, version INTEGER NOT NULL, urn TEXT NOT NULL,"
      " PRIMARY KEY(agreement,version,urn)) STRICT, WITHOUT ROWID;"
      "CREATE INDEX party_urn ON party(urn);"
      // place: the order in which they were taken at the school, as far as can be known.
      "CREATE TABLE decision(urn TEXT NOT NULL, agreement TEXT NOT NULL, version INTEGER NOT NULL,"
      " hash BLOB NOT NULL, approved INTEGER NOT NULL, deed BLOB NOT NULL, place INTEGER NOT NULL,"
      " made INTEGER NOT NULL, taken INTEGER NOT NULL, PRIMARY KEY(urn,place,deed)) STRICT, WITHOUT ROWID;"
      "CREATE TABLE deed(id BLOB PRIMARY KEY, kind INTEGER NOT NULL, issuer TEXT NOT NULL,"
      " number INTEGER NOT NULL, taken INTEGER NOT NULL, about BLOB, bytes BLOB NOT NULL)"
      " STRICT, WITHOUT ROWID;"
      "CREATE INDEX deed_about ON deed(about) WHERE about IS NOT NULL;"
      "CREATE INDEX deed_issuer ON deed(issuer,taken);"
      "CREATE TABLE post(urn TEXT NOT NULL, number INTEGER NOT NULL, deed BLOB NOT NULL, chain BLOB NOT NULL,"
      " PRIMARY KEY(urn,number)) STRICT, WITHOUT ROWID;"
      "CREATE UNIQUE INDEX post_deed ON post(urn,deed);"
      "CREATE TABLE posted(urn TEXT NOT NULL, federation TEXT NOT NULL, deed BLOB NOT NULL,"
      " member INTEGER NOT NULL, PRIMARY KEY(urn,federation)) STRICT, WITHOUT ROWID;"
      "CREATE TABLE orders(deed BLOB PRIMARY KEY, issuer TEXT NOT NULL, urn TEXT NOT NULL,"
      " audience TEXT NOT NULL, everything INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
      " taken INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
      "CREATE TABLE task(deed BLOB NOT NULL, urn TEXT NOT NULL, done INTEGER, receipt BLOB,"
      " PRIMARY KEY(deed,urn)) STRICT, WITHOUT ROWID;"
      "CREATE INDEX task_open ON task(urn) WHERE done IS NULL;"
      // A receipt's body, from before the removal begins until the receipt is made. deed: the order's, or
      // zeros.
      "CREATE TABLE removing(deed BLOB NOT NULL, urn TEXT NOT NULL, audience TEXT NOT NULL, body BLOB NOT "
      "NULL,"
      " PRIMARY KEY(deed,urn,audience)) STRICT, WITHOUT ROWID;"
      "CREATE TABLE held(urn TEXT PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL)"
      " STRICT, WITHOUT ROWID;"
      "CREATE TABLE standing(reader TEXT NOT NULL, federation TEXT NOT NULL, urn TEXT NOT NULL,"
      " epoch INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,"
      " PRIMARY KEY(reader,federation,urn)) STRICT, WITHOUT ROWID"));
  // For pseudonyms of pupils, of whom this log never tells: nothing that a test sees hangs on it.
  platform::SystemRandom random;
  return Audit::create(database, random);
}

}  // namespace towpath
