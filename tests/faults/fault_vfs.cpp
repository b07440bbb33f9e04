#include "tests/faults/fault_vfs.hpp"

#include <cstring>

#include "core/result.hpp"

namespace towpath::faults {
namespace {

using Kind = Call::Kind;

// The file below is made in the space behind.
struct Handle : sqlite3_file {
  FaultVfs* vfs;
  Call::File role;
  bool counted;  // SQLite's own temporary files have no place in the plan
};
constexpr std::size_t kBehind = (sizeof(Handle) + 15) / 16 * 16;

Handle& in(sqlite3_file* file) { return *static_cast<Handle*>(file); }
sqlite3_file* below(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kBehind);
}
int met(sqlite3_file* file, Kind kind) {
  const Handle& h = in(file);
  return h.counted ? h.vfs->plan.meet({kind, h.role, h.vfs->machine}) : SQLITE_OK;
}

// A call that does nothing where it fails.
template <typename Do>
int guarded(sqlite3_file* file, Kind kind, Do&& todo) {
  if (const int failed = met(file, kind); failed != SQLITE_OK) return failed;
  sqlite3_file* inner = below(file);
  return todo(*inner->pMethods, inner);
}

int close_file(sqlite3_file* file) {
  const int failed = met(file, Kind::kClose);
  sqlite3_file* inner = below(file);
  const int rc = inner->pMethods->xClose(inner);
  return failed != SQLITE_OK ? failed : rc;
}
int read_file(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
  return guarded(file, Kind::kRead, [&](const sqlite3_io_methods& m, sqlite3_file* f) {
    return m.xRead(f, into, amount, offset);
  });
}
int write_file(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
  const int failed = met(file, Kind::kWrite);
  sqlite3_file* inner = below(file);
  if (failed == SQLITE_OK) return inner->pMethods->xWrite(inner, from, amount, offset);
  if (failed == SQLITE_IOERR_WRITE)
    static_cast<void>(inner->pMethods->xWrite(inner, from, amount / 2, offset));
  return failed;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return guarded(file, Kind::kTruncate,
                 [&](const sqlite3_io_methods& m, sqlite3_file* f) { return m.xTruncate(f, size); });
}
int sync_file(sqlite3_file* file, int flags) {
  return guarded(file, Kind::kSync,
                 [&](const sqlite3_io_methods& m, sqlite3_file* f) { return m.xSync(f, flags); });
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return guarded(file, Kind::kFileSize,
                 [&](const sqlite3_io_methods& m, sqlite3_file* f) { return m.xFileSize(f, size); });
}
int lock_file(sqlite3_file* file, int level) {
  return guarded(file, Kind::kLock,
                 [&](const sqlite3_io_methods& m, sqlite3_file* f) { return m.xLock(f, level); });
}
// Gives the lock back whatever it says: who cannot unlock closes, and that does.
int unlock_file(sqlite3_file* file, int level) {
  const int failed = met(file, Kind::kUnlock);
  sqlite3_file* inner = below(file);
  const int rc = inner->pMethods->xUnlock(inner, level);
  return failed != SQLITE_OK ? failed : rc;
}
int check_reserved(sqlite3_file* file, int* reserved) {
  return guarded(file, Kind::kCheckReserved, [&](const sqlite3_io_methods& m, sqlite3_file* f) {
    return m.xCheckReservedLock(f, reserved);
  });
}
int file_control(sqlite3_file* file, int what, void* with) {
  return guarded(file, Kind::kFileControl,
                 [&](const sqlite3_io_methods& m, sqlite3_file* f) { return m.xFileControl(f, what, with); });
}
int sector_size(sqlite3_file* file) { return below(file)->pMethods->xSectorSize(below(file)); }
int characteristics(sqlite3_file* file) { return below(file)->pMethods->xDeviceCharacteristics(below(file)); }
int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** into) {
  *into = nullptr;
  return guarded(file, Kind::kShmMap, [&](const sqlite3_io_methods& m, sqlite3_file* f) {
    return m.xShmMap(f, region, size, extend, into);
  });
}
int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  sqlite3_file* inner = below(file);
  const int failed = met(file, Kind::kShmLock);
  if (failed == SQLITE_OK || (flags & SQLITE_SHM_UNLOCK) != 0) {
    const int rc = inner->pMethods->xShmLock(inner, offset, n, flags);
    return failed != SQLITE_OK ? failed : rc;
  }
  return failed;
}
void shm_barrier(sqlite3_file* file) { below(file)->pMethods->xShmBarrier(below(file)); }
int shm_unmap(sqlite3_file* file, int remove) {
  const int failed = met(file, Kind::kShmUnmap);
  const int rc = below(file)->pMethods->xShmUnmap(below(file), remove);
  return failed != SQLITE_OK ? failed : rc;
}

const sqlite3_io_methods kMethods{
    2,         close_file,  read_file,      write_file,   truncate_file, sync_file,       file_size,
    lock_file, unlock_file, check_reserved, file_control, sector_size,   characteristics, shm_map,
    shm_lock,  shm_barrier, shm_unmap,      nullptr,      nullptr};

FaultVfs& of(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(vfs->pAppData); }

Call::File role_of(const char* path) {
  const std::string name = path != nullptr ? path : "";
  if (name.ends_with("-wal")) return Call::File::kLog;
  if (name.ends_with("-journal")) return Call::File::kJournal;
  return name.ends_with(".db") ? Call::File::kDatabase : Call::File::kOther;
}

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* given) {
  FaultVfs& self = of(vfs);
  auto* handle = static_cast<Handle*>(file);
  handle->pMethods = nullptr;
  handle->vfs = &self;
  handle->counted = path != nullptr && *path != '\0';
  handle->role = role_of(path);
  if (handle->counted)
    if (const int failed = self.plan.meet({Kind::kOpen, handle->role, self.machine}); failed != SQLITE_OK)
      return failed;
  const int rc = self.below->xOpen(self.below, path, below(file), flags, given);
  if (rc == SQLITE_OK) handle->pMethods = &kMethods;
  return rc;
}
int delete_file(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  FaultVfs& self = of(vfs);
  if (const int failed = self.plan.meet({Kind::kDelete, role_of(path), self.machine}); failed != SQLITE_OK)
    return failed;
  return self.below->xDelete(self.below, path, sync_folder);
}
int access_file(sqlite3_vfs* vfs, const char* path, int flags, int* answer) {
  FaultVfs& self = of(vfs);
  if (const int failed = self.plan.meet({Kind::kAccess, role_of(path), self.machine}); failed != SQLITE_OK)
    return failed;
  return self.below->xAccess(self.below, path, flags, answer);
}
int full_path(sqlite3_vfs* vfs, const char* path, int size, char* out) {
  FaultVfs& self = of(vfs);
  if (const int failed = self.plan.meet({Kind::kFullPath, role_of(path), self.machine}); failed != SQLITE_OK)
    return failed;
  return self.below->xFullPathname(self.below, path, size, out);
}
// What cannot fail, or whose failure SQLite does not hear of, is not counted.
int randomness(sqlite3_vfs* vfs, int n, char* out) {
  return of(vfs).below->xRandomness(of(vfs).below, n, out);
}
int sleep(sqlite3_vfs* vfs, int microseconds) { return of(vfs).below->xSleep(of(vfs).below, microseconds); }
int current_time(sqlite3_vfs* vfs, double* now) { return of(vfs).below->xCurrentTime(of(vfs).below, now); }
int last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

std::string text(const Call& call) {
  static constexpr const char* kKinds[] = {
      "open", "delete", "access", "full path",  "close",   "read",       "write",       "truncate",    "sync",
      "size", "lock",   "unlock", "check lock", "control", "map memory", "lock memory", "unmap memory"};
  static constexpr const char* kFiles[] = {"database", "log", "journal", "other file"};
  return std::string(kKinds[static_cast<int>(call.kind)]) + " of a " + kFiles[static_cast<int>(call.file)] +
         ", machine " + std::to_string(call.machine) + ", stage " + std::to_string(call.stage);
}

std::vector<int> errors_of(Kind kind) {
  switch (kind) {
    case Kind::kOpen:
      return {SQLITE_CANTOPEN, SQLITE_IOERR};
    case Kind::kDelete:
      return {SQLITE_IOERR_DELETE};
    case Kind::kAccess:
      return {SQLITE_IOERR_ACCESS};
    case Kind::kFullPath:
      return {SQLITE_CANTOPEN};
    case Kind::kClose:
      return {SQLITE_IOERR_CLOSE};
    case Kind::kRead:
      return {SQLITE_IOERR_READ, SQLITE_IOERR_CORRUPTFS};
    case Kind::kWrite:
      return {SQLITE_IOERR_WRITE, SQLITE_FULL};
    case Kind::kTruncate:
      return {SQLITE_IOERR_TRUNCATE};
    case Kind::kSync:
      return {SQLITE_IOERR_FSYNC};
    case Kind::kFileSize:
      return {SQLITE_IOERR_FSTAT};
    case Kind::kLock:
      return {SQLITE_IOERR_LOCK, SQLITE_BUSY};
    case Kind::kUnlock:
      return {SQLITE_IOERR_UNLOCK};
    case Kind::kCheckReserved:
      return {SQLITE_IOERR_CHECKRESERVEDLOCK};
    case Kind::kFileControl:
      return {SQLITE_IOERR};
    case Kind::kShmMap:
      return {SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHMOPEN, SQLITE_CANTOPEN};
    case Kind::kShmLock:
      return {SQLITE_IOERR_SHMLOCK, SQLITE_BUSY};
    case Kind::kShmUnmap:
      return {SQLITE_IOERR};
  }
  return {SQLITE_IOERR};
}

const char* name(Until until) {
  switch (until) {
    case Until::kOnce:
      return "once";
    case Until::kKindHealed:
      return "each of its kind from then on";
    case Until::kDiskReplaced:
      return "everything from then on";
  }
  return "";
}

void FaultPlan::count() {
  heal();
  calls_.clear();
  struck_.reset();
  counting_ = true;
}

void FaultPlan::fail(std::size_t at, int error, Until until) {
  counting_ = false;
  met_ = 0;
  struck_.reset();
  armed_ = Armed{at, error, until};
}

int FaultPlan::meet(Call call) {
  call.stage = stage;
  if (counting_) calls_.push_back(call);
  if (!armed_) return SQLITE_OK;
  const std::size_t now = met_++;
  if (now < armed_->at) return SQLITE_OK;
  if (now == armed_->at) {
    struck_ = call;
    return armed_->error;
  }
  if (armed_->until == Until::kOnce || !struck_ || call.machine != struck_->machine) return SQLITE_OK;
  if (armed_->until == Until::kKindHealed) return call.kind == struck_->kind ? armed_->error : SQLITE_OK;
  return call.kind == Kind::kClose || call.kind == Kind::kUnlock ? SQLITE_OK : errors_of(call.kind).front();
}

FaultVfs::FaultVfs(FaultPlan& p, int m, const std::string& below_name)
    : plan(p), machine(m), below(sqlite3_vfs_find(below_name.c_str())) {
  static int made = 0;
  TP_ASSERT(below != nullptr);
  name_ = "towpath-fault-" + std::to_string(++made);
  vfs_.iVersion = 1;
  vfs_.szOsFile = static_cast<int>(kBehind) + below->szOsFile;
  vfs_.mxPathname = below->mxPathname;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = delete_file;
  vfs_.xAccess = access_file;
  vfs_.xFullPathname = full_path;
  vfs_.xRandomness = randomness;
  vfs_.xSleep = sleep;
  vfs_.xCurrentTime = current_time;
  vfs_.xGetLastError = last_error;
  TP_ASSERT(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
}
FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace towpath::faults
