#include "sqlite/database.hpp"

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <utility>

namespace towpath {
namespace {

sqlite3_stmt* stmt(void* raw) { return static_cast<sqlite3_stmt*>(raw); }

Error from_sqlite(int rc, const char* message, const std::string& doing) {
  const std::string text = doing + ": " + (message != nullptr ? message : sqlite3_errstr(rc));
  switch (rc == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : rc & 0xff) {
    case SQLITE_FULL:
      return Error{Code::kDiskFull, text, "Free some disk space; the last good state is kept"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:  // the write-ahead log's locks were taken at each of a hundred tries
      return Error{Code::kBusy, text,
                   "Another program is using the database; try again when it has finished"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error{Code::kDamaged, text,
                   "The file is damaged: restore it from a backup, or move it away and begin anew"};
    case SQLITE_CANTOPEN:
      return Error{Code::kNotFound, text,
                   "Check that the folder exists and that this account may write to it"};
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Error{Code::kNotPermitted, text,
                   "This account may not write there; check the folder's owner and rights"};
    case SQLITE_CONSTRAINT:
      return Error{Code::kRepeated, text};
    case SQLITE_IOERR:
      if (rc == SQLITE_IOERR_SHMSIZE)  // the index of the write-ahead log could not grow
        return Error{Code::kDiskFull, text, "Free some disk space; the last good state is kept"};
      // A full disk often shows as a failed write.
      return Error{Code::kIo, text, "Check the disk and its free space; the last good state is kept"};
    case SQLITE_NOMEM:
      return Error{Code::kNoMemory, text,
                   "This machine is short of memory: close other programs, or run it again later; the last "
                   "good state is kept"};
    case SQLITE_TOOBIG:
      return Error{Code::kTooLarge, text};
    default:
      return Error{Code::kInternal, text};
  }
}

tl::unexpected<Error> fail_sqlite(int rc, const char* message, const std::string& doing) {
  return tl::unexpected<Error>(from_sqlite(rc, message, doing));
}

}  // namespace

// --- Statement -----------------------------------------------------------------------

Statement::Statement(Statement&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(raw_, other.raw_);
  return *this;
}
Statement::~Statement() { sqlite3_finalize(stmt(raw_)); }  // of null is harmless

void Statement::reset() {
  sqlite3_reset(stmt(raw_));
  sqlite3_clear_bindings(stmt(raw_));
}
// A failed bind is a wrong parameter number or out of memory: both are ours to prevent.
void Statement::bind(int at, std::int64_t v) {
  TP_ASSERT(sqlite3_bind_int64(stmt(raw_), at, v) == SQLITE_OK);
}
void Statement::bind(int at, std::string_view v) {
  TP_ASSERT(sqlite3_bind_text(stmt(raw_), at, v.data() != nullptr ? v.data() : "", static_cast<int>(v.size()),
                              SQLITE_STATIC) == SQLITE_OK);
}
void Statement::bind_blob(int at, ByteView v) {
  const int rc = v.empty()
                     ? sqlite3_bind_zeroblob(stmt(raw_), at, 0)
                     : sqlite3_bind_blob(stmt(raw_), at, v.data(), static_cast<int>(v.size()), SQLITE_STATIC);
  TP_ASSERT(rc == SQLITE_OK);
}
void Statement::bind_null(int at) { TP_ASSERT(sqlite3_bind_null(stmt(raw_), at) == SQLITE_OK); }

Result<bool> Statement::step() {
  const int rc = sqlite3_step(stmt(raw_));
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  sqlite3* db = sqlite3_db_handle(stmt(raw_));
  const char* file = sqlite3_db_filename(db, "main");
  return fail_sqlite(rc, sqlite3_errmsg(db), file != nullptr && *file != '\0' ? file : "database");
}
bool Statement::is_null(int at) const { return sqlite3_column_type(stmt(raw_), at) == SQLITE_NULL; }
std::int64_t Statement::integer(int at) const { return sqlite3_column_int64(stmt(raw_), at); }
// As a blob, which is read where it lies: for a text SQLite may have to copy it to end it with a zero, and
// where there is no memory for that it would read as empty, without an error.
std::string_view Statement::text(int at) const {
  const auto* p = static_cast<const char*>(sqlite3_column_blob(stmt(raw_), at));
  return p == nullptr ? std::string_view{}
                      : std::string_view(p, static_cast<std::size_t>(sqlite3_column_bytes(stmt(raw_), at)));
}
ByteView Statement::blob(int at) const {
  const auto* p = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt(raw_), at));
  return p == nullptr ? ByteView{}
                      : ByteView(p, static_cast<std::size_t>(sqlite3_column_bytes(stmt(raw_), at)));
}
Value Statement::value(int at) const {
  switch (sqlite3_column_type(stmt(raw_), at)) {
    case SQLITE_INTEGER:
      return Value{integer(at)};
    case SQLITE_TEXT:
      return Value{text(at)};
    case SQLITE_BLOB:
      return Value{text_of(blob(at))};
    default:
      return Value{};
  }
}

void Statement::Use::bind(int at, const Value& v, bool blob) {
  switch (v.kind()) {
    case Value::Kind::kNull:
      s_.bind_null(at);
      break;
    case Value::Kind::kInt:
      s_.bind(at, v.as_int());
      break;
    case Value::Kind::kText:
      if (blob)
        s_.bind_blob(at, bytes_of(v.as_text()));
      else
        s_.bind(at, v.as_text());
      break;
  }
}
Result<void> Statement::Use::run() {
  auto row = s_.step();
  if (!row) return fail(std::move(row).error());
  return {};
}

// --- Transaction ---------------------------------------------------------------------

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
Transaction::~Transaction() {
  if (database_ != nullptr) database_->roll_back();
}
Result<void> Transaction::commit() {
  TP_ASSERT(database_ != nullptr);
  TP_TRY(database_->exec("COMMIT"));
  database_ = nullptr;
  return {};
}

// --- Database ------------------------------------------------------------------------

Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const Options& options) {
  // Counting its memory costs SQLite a lock for every allocation, and nobody asks. (Refused, harmlessly,
  // where something has started SQLite before us.)
  [[maybe_unused]] static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  Database db;
  db.path_ = options.path;
  try {
    // One connection belongs to one thread at a time: SQLite's own mutex would only cost.
    const int flags =
        SQLite::OPEN_NOMUTEX |
        (options.read_only ? SQLite::OPEN_READONLY
                           : SQLite::OPEN_READWRITE | (options.create ? SQLite::OPEN_CREATE : 0));
    db.impl_ = std::make_unique<SQLite::Database>(options.path, flags, options.busy_ms, options.vfs);
  } catch (const SQLite::Exception& e) {
    return fail_sqlite(e.getErrorCode(), e.what(), "opening " + options.path);
  }
  sqlite3* handle = db.impl_->getHandle();
  sqlite3_extended_result_codes(handle, 1);
  // Names of ours are never strings by accident, and a schema may not run code.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (!options.checkpoint_on_close) sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  const std::string settings =
      "PRAGMA cache_size=-" + std::to_string(options.cache_kib) +
      ";PRAGMA temp_store=MEMORY;PRAGMA foreign_keys=OFF;PRAGMA cell_size_check=ON;" +
      (options.read_only
           ? std::string{}  // FULL: a commit is on disk before anything is acknowledged.
           : std::string{"PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA secure_delete=ON;"
                         "PRAGMA journal_size_limit=4194304;"}) +
      // SQLite's own default is 1000; each setting costs an open a little.
      (options.read_only || options.checkpoint_pages == 1000
           ? std::string{}
           : "PRAGMA wal_autocheckpoint=" + std::to_string(options.checkpoint_pages) + ";");
  if (auto done = db.exec(settings); !done)
    return fail(std::move(done).error().during("opening " + options.path));
  if (!options.read_only) TP_TRY(db.sync_log());
  return db;
}

// A process killed between a commit's write and its sync leaves a transaction that the next one
// reads as committed, though a power cut would still take it. Nothing may build on it before it is
// on disk: SQLite itself does not sync what it recovers.
Result<void> Database::sync_log() {
  // The first read opens the log.
  if (auto read = integer("PRAGMA schema_version"); !read)
    return fail(std::move(read).error().during("opening " + path_));
  sqlite3_file* log = nullptr;
  sqlite3_file_control(impl_->getHandle(), nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log == nullptr || log->pMethods == nullptr) return {};
  sqlite3_int64 size = 0;
  int rc = log->pMethods->xFileSize(log, &size);
  if (rc == SQLITE_OK && size > 0) rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (rc != SQLITE_OK) return fail_sqlite(rc, nullptr, "opening " + path_);
  return {};
}

Result<void> Database::exec(const std::string& sql) {
  TP_TRY(roll_back_what_is_left());
  char* message = nullptr;
  const int rc = sqlite3_exec(impl_->getHandle(), sql.c_str(), nullptr, nullptr, &message);
  if (rc == SQLITE_OK) return {};
  auto failed = fail_sqlite(rc, message, path_);
  sqlite3_free(message);
  return failed;
}

Result<Statement> Database::prepare(const std::string& sql) {
  TP_TRY(roll_back_what_is_left());
  sqlite3_stmt* raw = nullptr;
  const int rc = sqlite3_prepare_v3(impl_->getHandle(), sql.c_str(), static_cast<int>(sql.size()) + 1,
                                    SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (rc != SQLITE_OK)  // the statement is to blame only where it is ours
    return fail_sqlite(rc, sqlite3_errmsg(impl_->getHandle()),
                       path_ + (rc == SQLITE_ERROR ? ": " + sql : ""));
  return Statement{raw};
}

Result<Transaction> Database::begin() {
  if (rollback_ == nullptr) {
    auto made = prepare("ROLLBACK");
    if (!made) return fail(std::move(made).error());
    rollback_ = std::make_unique<Statement>(std::move(*made));
  }
  TP_TRY(exec("BEGIN IMMEDIATE"));
  return Transaction{this};
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(impl_->getHandle()) == 0; }

void Database::roll_back() {
  // After some errors SQLite has rolled back by itself; then there is nothing to do.
  if (!in_transaction()) return;
  sqlite3_stmt* rollback = stmt(rollback_->raw_);
  sqlite3_step(rollback);
  sqlite3_reset(rollback);
  left_open_ = in_transaction();
}

// What has not been rolled back holds its lock, and would take with it whatever is written next.
Result<void> Database::roll_back_what_is_left() {
  if (!left_open_) return {};
  roll_back();
  if (left_open_)
    return fail(Code::kNoMemory, path_ + ": what a failed run had begun cannot be taken back now",
                "Run it again later; the last good state is kept");
  return {};
}

Result<std::int64_t> Database::integer(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  return *row ? use.integer(0) : 0;
}

Result<std::string> Database::text(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  return *row ? std::string(use.text(0)) : std::string{};
}

bool Database::has_moved() const {
  int moved = 0;
  const int rc = sqlite3_file_control(impl_->getHandle(), nullptr, SQLITE_FCNTL_HAS_MOVED, &moved);
  return rc == SQLITE_OK && moved != 0;  // a VFS that does not know says SQLITE_NOTFOUND
}

Result<void> Database::each(const std::string& sql, const std::function<void(Statement::Use&)>& visit) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return {};
    visit(use);
  }
}

std::int64_t Database::changes() const { return sqlite3_changes64(impl_->getHandle()); }

Result<void> Database::integrity_check() {
  auto answer = text("PRAGMA integrity_check(1)");
  if (!answer) return fail(std::move(answer).error());
  if (*answer != "ok")
    return fail(Code::kDamaged, path_ + ": the integrity check says: " + *answer,
                "Restore the file from a backup, or move it away and begin anew");
  return {};
}

Result<void> Database::checkpoint() {
  // SQLite waits for readers, then says so in a row and fails nothing.
  const auto busy = integer("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!busy) return fail(busy.error());
  if (*busy != 0)
    return fail(Code::kBusy, path_ + ": somebody reads it, and its log cannot be emptied meanwhile",
                "It is tried again; close what reads the file");
  // SQLite does not sync the log that it has cut off: a power cut would bring back what was in it, and what
  // was removed with it.
  sqlite3_file* log = nullptr;
  sqlite3_file_control(impl_->getHandle(), nullptr, SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log == nullptr || log->pMethods == nullptr) return {};
  if (const int rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL); rc != SQLITE_OK)
    return fail_sqlite(rc, nullptr, path_);
  return {};
}

Result<void> Database::remove(const Options& options) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(options.vfs.empty() ? nullptr : options.vfs.c_str());
  TP_ASSERT(vfs != nullptr);
  // The file goes first: killed in between, it is missing rather than without its log. Each is gone
  // for good (the folder is synced): the caller forgets it, and nobody would look for it again.
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    const std::string path = options.path + suffix;
    std::vector<char> full(static_cast<std::size_t>(vfs->mxPathname) + 1);
    int rc = vfs->xFullPathname(vfs, path.c_str(), vfs->mxPathname + 1, full.data());
    if (rc == SQLITE_OK || rc == SQLITE_OK_SYMLINK) rc = vfs->xDelete(vfs, full.data(), 1);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_DELETE_NOENT)
      return fail_sqlite(rc, nullptr, "removing " + path);
  }
  return {};
}

Result<bool> Database::exists(const Options& options) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(options.vfs.empty() ? nullptr : options.vfs.c_str());
  TP_ASSERT(vfs != nullptr);
  std::vector<char> full(static_cast<std::size_t>(vfs->mxPathname) + 1);
  int rc = vfs->xFullPathname(vfs, options.path.c_str(), vfs->mxPathname + 1, full.data());
  int there = 0;
  if (rc == SQLITE_OK || rc == SQLITE_OK_SYMLINK)
    rc = vfs->xAccess(vfs, full.data(), SQLITE_ACCESS_EXISTS, &there);
  if (rc != SQLITE_OK) return fail_sqlite(rc, nullptr, "looking for " + options.path);
  return there != 0;
}

void Database::release_memory() { sqlite3_db_release_memory(impl_->getHandle()); }

}  // namespace towpath
