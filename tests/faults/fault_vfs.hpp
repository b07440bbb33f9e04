// An SQLite VFS over another one that counts every call, and fails the one that it is told to.
//
// In: the calls of the machines under test, each VFS reporting to one FaultPlan. Out: what the VFS
// below says, or the error that a real file system could have given at that place. A plan without a
// fault only counts, and remembers what each call was, so that a test can choose among them.
// Whatever fails does nothing, except that a failed write may have written its first half, and a
// failed close has closed. Single-threaded.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace towpath::faults {

// A call as it was counted: by which machine, in which stage of its work, what of which file.
struct Call {
  enum class Kind : std::uint8_t {
    kOpen,
    kDelete,
    kAccess,
    kFullPath,
    kClose,
    kRead,
    kWrite,
    kTruncate,
    kSync,
    kFileSize,
    kLock,
    kUnlock,
    kCheckReserved,
    kFileControl,
    kShmMap,
    kShmLock,
    kShmUnmap,
  };
  enum class File : std::uint8_t { kDatabase, kLog, kJournal, kOther };
  Kind kind;
  File file;
  int machine = 0;
  int stage = 0;
  friend auto operator<=>(const Call&, const Call&) = default;
};
[[nodiscard]] std::string text(const Call& call);
// The errors with which a file system may end such a call; at least one.
[[nodiscard]] std::vector<int> errors_of(Call::Kind kind);

enum class Until : std::uint8_t {
  kOnce,         // only this call
  kKindHealed,   // every call of this kind, on this machine, until heal()
  kDiskReplaced  // every call on this machine but closing and unlocking, until heal()
};
[[nodiscard]] const char* name(Until until);

class FaultPlan {
 public:
  // Counts from zero, no fault.
  void count();
  // Fails the `at`-th call from now (0: the next) with `error`.
  void fail(std::size_t at, int error, Until until);
  void heal() { armed_.reset(); }

  int stage = 0;  // said by the test; part of what a call is
  [[nodiscard]] const std::vector<Call>& calls() const { return calls_; }
  // The call that was the first to fail since fail(), if any did.
  [[nodiscard]] const std::optional<Call>& struck() const { return struck_; }

  // For the VFS: SQLITE_OK, or how this call ends.
  [[nodiscard]] int meet(Call call);

 private:
  struct Armed {
    std::size_t at;
    int error;
    Until until;
  };
  std::optional<Armed> armed_;
  std::optional<Call> struck_;
  bool counting_ = false;
  std::size_t met_ = 0;
  std::vector<Call> calls_;
};

class FaultVfs {
 public:
  FaultVfs(FaultPlan& plan, int machine, const std::string& below);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  sqlite3_vfs vfs_{};

 public:  // for the functions that SQLite calls
  FaultPlan& plan;
  const int machine;
  sqlite3_vfs* const below;
};

}  // namespace towpath::faults
