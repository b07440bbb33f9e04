// The SQLite door: the only module that sees SQLite (through SQLiteCpp).
//
// Library exceptions become Results here. A Statement is compiled once; using it is a
// scope (use()) that resets and unbinds it. A Transaction that is not committed rolls
// back. Every database is opened with foreign keys off, WAL, synchronous FULL (what is
// acknowledged is on disk), secure_delete (what is removed is in no byte of the file), temp store in memory,
// and a bounded cache. One connection belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "rows/value.hpp"

namespace SQLite {
class Database;
}  // namespace SQLite

namespace towpath {

class Database;

class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  // Parameters are 1-based, columns 0-based, as in SQLite.
  class Use {
   public:
    explicit Use(Statement& statement) : s_(statement) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { s_.reset(); }
    void bind(int at, std::int64_t v) { s_.bind(at, v); }
    void bind(int at, std::string_view v) { s_.bind(at, v); }    // borrowed until reset
    void bind_blob(int at, ByteView v) { s_.bind_blob(at, v); }  // borrowed until reset
    void bind_null(int at) { s_.bind_null(at); }
    void bind(int at, const Value& v, bool blob = false);
    // True: there is a row. Errors: kDiskFull, kIo, kBusy, kNoMemory, kDamaged, kRepeated
    // (constraint).
    [[nodiscard]] Result<bool> step() { return s_.step(); }
    // Steps a statement that gives no rows.
    [[nodiscard]] Result<void> run();
    [[nodiscard]] bool is_null(int at) const { return s_.is_null(at); }
    [[nodiscard]] std::int64_t integer(int at) const { return s_.integer(at); }
    [[nodiscard]] std::string_view text(int at) const { return s_.text(at); }  // until next step
    [[nodiscard]] ByteView blob(int at) const { return s_.blob(at); }          // until next step
    [[nodiscard]] Value value(int at) const { return s_.value(at); }           // until next step
   private:
    Statement& s_;
  };
  [[nodiscard]] Use use() { return Use(*this); }

 private:
  friend class Database;
  friend class Use;
  explicit Statement(void* raw) : raw_(raw) {}
  void reset();
  void bind(int at, std::int64_t v);
  void bind(int at, std::string_view v);
  void bind_blob(int at, ByteView v);
  void bind_null(int at);
  Result<bool> step();
  bool is_null(int at) const;
  std::int64_t integer(int at) const;
  std::string_view text(int at) const;
  ByteView blob(int at) const;
  Value value(int at) const;  // INTEGER -> int, TEXT and BLOB -> text

  void* raw_;  // sqlite3_stmt, owned
};

class Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();  // rolls back unless committed
  [[nodiscard]] Result<void> commit();

 private:
  friend class Database;
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

class Database {
 public:
  struct Options {
    std::string path;
    std::string vfs;  // empty: the default; tests and the simulation name their own
    bool read_only = false;
    bool create = true;
    int cache_kib = 2048;  // SQLite's page cache
    int busy_ms = 5000;    // how long to wait for another process's lock
    // Pages in the write-ahead log at which a commit empties it into the file, and whether the
    // last connection does so when it closes.
    int checkpoint_pages = 1000;
    bool checkpoint_on_close = true;
  };
  [[nodiscard]] static Result<Database> open(const Options& options);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  [[nodiscard]] Result<void> exec(const std::string& sql);
  [[nodiscard]] Result<Statement> prepare(const std::string& sql);
  // BEGIN IMMEDIATE: waits for the lock now, not at the first write.
  [[nodiscard]] Result<Transaction> begin();
  [[nodiscard]] bool in_transaction() const;
  // First column of the first row; none if there is no row or it is null.
  [[nodiscard]] Result<std::int64_t> integer(const std::string& sql);
  [[nodiscard]] Result<std::string> text(const std::string& sql);
  // Every row of a query without parameters.
  [[nodiscard]] Result<void> each(const std::string& sql, const std::function<void(Statement::Use&)>& visit);
  [[nodiscard]] std::int64_t changes() const;  // rows changed by the last statement
  [[nodiscard]] Result<void> integrity_check();
  // Empties the write-ahead log into the database file. kBusy: somebody reads what stands in it; what was
  // removed is still in the file then. Who gives a receipt must not; others may leave it to the next time.
  [[nodiscard]] Result<void> checkpoint();
  void release_memory();
  // The file was removed or replaced since it was opened: what is written here nobody will find.
  [[nodiscard]] bool has_moved() const;
  // Removes the database's file and the files beside it, through the VFS. Nobody may have it
  // open here. Files that are not there are no error.
  [[nodiscard]] static Result<void> remove(const Options& options);
  // Whether there is such a file, through the VFS: "cannot be opened" may have other reasons.
  [[nodiscard]] static Result<bool> exists(const Options& options);
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  friend class Transaction;
  Database() = default;
  [[nodiscard]] Result<void> sync_log();
  void roll_back();
  [[nodiscard]] Result<void> roll_back_what_is_left();
  std::unique_ptr<SQLite::Database> impl_;
  std::string path_;
  // Made with the first transaction: what takes back what has failed needs no memory then.
  std::unique_ptr<Statement> rollback_;
  bool left_open_ = false;  // a transaction that could not be rolled back
};

}  // namespace towpath
