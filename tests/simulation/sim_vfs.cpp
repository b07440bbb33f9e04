#include "tests/simulation/sim_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/result.hpp"
#include "tests/simulation/sim_disk.hpp"

namespace towpath::sim {
namespace {

// One connection's open file. SQLite allocates the space; `inside` is made in it.
struct Handle : sqlite3_file {
  struct Inside {
    SimDisk* disk;
    std::shared_ptr<SimFile> file;
    std::string path;  // empty: temporary, gone when closed, and not part of the faults
    int lock = SQLITE_LOCK_NONE;
    unsigned memory_shared = 0, memory_exclusive = 0;  // slots held, as bits
    bool memory_used = false;
    bool sync_folder = false;  // a new journal's first sync takes the folder with it, as on Unix
  };
  Inside* inside;
};

Handle::Inside& in(sqlite3_file* file) { return *static_cast<Handle*>(file)->inside; }
SimDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<SimDisk*>(vfs->pAppData); }

void leave_memory(Handle::Inside& h) {
  SimFile& f = *h.file;
  for (unsigned i = 0; i < f.memory_shared.size(); ++i) {
    if (h.memory_shared >> i & 1U) --f.memory_shared[i];
    if (h.memory_exclusive >> i & 1U) f.memory_exclusive[i] = false;
  }
  h.memory_shared = h.memory_exclusive = 0;
  if (h.memory_used && --f.memory_users == 0) f.memory.clear();
  h.memory_used = false;
}

int unlock_file(Handle::Inside& h, int level) {
  if (h.lock <= level) return SQLITE_OK;
  SimFile& f = *h.file;
  if (h.lock >= SQLITE_LOCK_PENDING) f.pending = false;
  if (h.lock == SQLITE_LOCK_EXCLUSIVE) f.exclusive = false;
  if (h.lock >= SQLITE_LOCK_RESERVED) f.reserved = false;
  if (level == SQLITE_LOCK_NONE) --f.shared;
  h.lock = level;
  return SQLITE_OK;
}

// --- a file's methods ------------------------------------------------------------------------

int close_file(sqlite3_file* file) {
  Handle::Inside& h = in(file);
  leave_memory(h);
  unlock_file(h, SQLITE_LOCK_NONE);
  if (!h.path.empty()) --h.disk->open_files;
  delete &h;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
  Handle::Inside& h = in(file);
  if (!h.path.empty() && !h.disk->read()) return SQLITE_IOERR_READ;
  const Bytes& now = h.file->now;
  const auto from = static_cast<std::size_t>(offset);
  const auto wanted = static_cast<std::size_t>(amount);
  const std::size_t there = from < now.size() ? std::min(wanted, now.size() - from) : 0;
  if (there > 0) std::memcpy(into, now.data() + from, there);
  if (there == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(into) + there, 0, wanted - there);
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
  Handle::Inside& h = in(file);
  const auto at = static_cast<std::size_t>(offset);
  const ByteView bytes(static_cast<const std::uint8_t*>(from), static_cast<std::size_t>(amount));
  if (h.path.empty()) {
    h.file->now.resize(std::max(h.file->now.size(), at + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), h.file->now.begin() + static_cast<std::ptrdiff_t>(at));
    return SQLITE_OK;
  }
  const SimDisk::Verdict verdict = h.disk->change(bytes.size(), at + bytes.size() > h.file->now.size());
  if (verdict.part > 0) h.disk->write(*h.file, at, bytes.first(verdict.part));
  h.disk->settle();
  return verdict.code == SQLITE_IOERR ? SQLITE_IOERR_WRITE : verdict.code;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  Handle::Inside& h = in(file);
  if (h.path.empty()) {
    h.file->now.resize(static_cast<std::size_t>(size));
    return SQLITE_OK;
  }
  const SimDisk::Verdict verdict = h.disk->change(1, false);
  if (verdict.part > 0) h.disk->resize(*h.file, static_cast<std::size_t>(size));
  h.disk->settle();
  return verdict.code == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int sync_file(sqlite3_file* file, int) {
  Handle::Inside& h = in(file);
  if (h.path.empty()) return SQLITE_OK;
  const SimDisk::Verdict verdict = h.disk->change(1, false);
  // One that fails promises nothing; one that is interrupted may have done its work.
  if (verdict.part > 0) {
    h.disk->sync(h.path, *h.file);
    if (verdict.code == SQLITE_OK && std::exchange(h.sync_folder, false)) h.disk->sync_folder();
  }
  h.disk->settle();
  return verdict.code == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  Handle::Inside& h = in(file);
  if (h.disk->down()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(h.file->now.size());
  return SQLITE_OK;
}

int lock_file(sqlite3_file* file, int level) {
  Handle::Inside& h = in(file);
  if (h.lock >= level) return SQLITE_OK;
  if (h.disk->down()) return SQLITE_IOERR_LOCK;
  SimFile& f = *h.file;
  if (level == SQLITE_LOCK_SHARED) {
    if (f.pending || f.exclusive) return SQLITE_BUSY;
    ++f.shared;
    h.lock = SQLITE_LOCK_SHARED;
    return SQLITE_OK;
  }
  if (h.lock < SQLITE_LOCK_RESERVED) {
    if (f.reserved) return SQLITE_BUSY;
    f.reserved = true;
    h.lock = SQLITE_LOCK_RESERVED;
  }
  if (level == SQLITE_LOCK_RESERVED) return SQLITE_OK;
  f.pending = true;
  h.lock = SQLITE_LOCK_PENDING;
  if (f.shared > 1) return SQLITE_BUSY;
  f.exclusive = true;
  h.lock = SQLITE_LOCK_EXCLUSIVE;
  return SQLITE_OK;
}

int release_file(sqlite3_file* file, int level) { return unlock_file(in(file), level); }

int check_reserved(sqlite3_file* file, int* reserved) {
  Handle::Inside& h = in(file);
  if (h.disk->down()) return SQLITE_IOERR_CHECKRESERVEDLOCK;
  *reserved = h.file->reserved ? 1 : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return static_cast<int>(kSector); }
// As the real ones say: a torn sector leaves its neighbours alone.
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int memory_map(sqlite3_file* file, int region, int size, int extend, void volatile** into) {
  Handle::Inside& h = in(file);
  *into = nullptr;
  if (h.disk->down()) return SQLITE_IOERR_SHMMAP;
  SimFile& f = *h.file;
  TP_ASSERT(size == 32768);
  if (!h.memory_used) ++f.memory_users;
  h.memory_used = true;
  const auto at = static_cast<std::size_t>(region);
  if (at >= f.memory.size() && extend == 0) return SQLITE_OK;
  while (at >= f.memory.size()) f.memory.push_back(std::make_unique<std::array<std::uint8_t, 32768>>());
  *into = f.memory[at]->data();
  return SQLITE_OK;
}

int memory_lock(sqlite3_file* file, int offset, int n, int flags) {
  Handle::Inside& h = in(file);
  SimFile& f = *h.file;
  const auto first = static_cast<unsigned>(offset);
  const auto end = static_cast<unsigned>(offset + n);
  const bool shared = (flags & SQLITE_SHM_SHARED) != 0;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    for (unsigned i = first; i < end; ++i) {
      if ((h.memory_shared >> i & 1U) != 0) --f.memory_shared[i];
      if ((h.memory_exclusive >> i & 1U) != 0) f.memory_exclusive[i] = false;
      h.memory_shared &= ~(1U << i);
      h.memory_exclusive &= ~(1U << i);
    }
    return SQLITE_OK;
  }
  if (h.disk->down()) return SQLITE_IOERR_SHMLOCK;
  for (unsigned i = first; i < end; ++i) {
    const int others = f.memory_shared[i] - static_cast<int>(h.memory_shared >> i & 1U);
    const bool other_exclusive = f.memory_exclusive[i] && (h.memory_exclusive >> i & 1U) == 0;
    if (other_exclusive || (!shared && others > 0)) return SQLITE_BUSY;
  }
  for (unsigned i = first; i < end; ++i) {
    if (shared) {
      if ((h.memory_shared >> i & 1U) == 0) ++f.memory_shared[i];
      h.memory_shared |= 1U << i;
    } else {
      f.memory_exclusive[i] = true;
      h.memory_exclusive |= 1U << i;
    }
  }
  return SQLITE_OK;
}

void memory_barrier(sqlite3_file*) {}

int memory_unmap(sqlite3_file* file, int) {
  leave_memory(in(file));
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods{
    2,           close_file,     read_file,      write_file,   truncate_file, sync_file,       file_size,
    lock_file,   release_file,   check_reserved, file_control, sector_size,   characteristics, memory_map,
    memory_lock, memory_barrier, memory_unmap,   nullptr,      nullptr};

// --- the file system's methods ---------------------------------------------------------------

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* given) {
  SimDisk& disk = disk_of(vfs);
  auto* handle = static_cast<Handle*>(file);
  handle->pMethods = nullptr;
  std::shared_ptr<SimFile> inner;
  const std::string path = name != nullptr ? name : "";
  if (path.empty()) {
    inner = std::make_shared<SimFile>();
  } else {
    if (disk.down()) return SQLITE_CANTOPEN;
    inner = disk.find(path);
    if (inner == nullptr && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (inner == nullptr) inner = disk.create(path);
    ++disk.open_files;
  }
  handle->inside = new Handle::Inside{&disk, std::move(inner), path, SQLITE_LOCK_NONE, 0, 0, false, false};
  handle->inside->sync_folder =
      (flags & SQLITE_OPEN_CREATE) != 0 && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  handle->pMethods = &kMethods;
  if (given != nullptr) *given = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  SimDisk& disk = disk_of(vfs);
  if (disk.down()) return SQLITE_IOERR_DELETE;
  if (disk.find(name) == nullptr) return SQLITE_IOERR_DELETE_NOENT;
  const SimDisk::Verdict verdict = disk.change(1, false);
  if (verdict.part > 0) disk.remove(name, sync_folder != 0 && verdict.code == SQLITE_OK);
  disk.settle();
  return verdict.code == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

int access_file(sqlite3_vfs* vfs, const char* name, int flags, int* answer) {
  SimDisk& disk = disk_of(vfs);
  if (disk.down()) return SQLITE_IOERR_ACCESS;
  const auto file = disk.find(name);
  // As the real one: an empty file is as good as none.
  *answer = file != nullptr && (flags != SQLITE_ACCESS_EXISTS || !file->now.empty()) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs*, int n, char* out) {
  std::memset(out, 0, static_cast<std::size_t>(n));
  return n;
}
int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int current_time(sqlite3_vfs*, double* now) {
  *now = 2461000.5;
  return SQLITE_OK;
}
int last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

std::unique_ptr<sqlite3_vfs> register_vfs(SimDisk& disk, const std::string& name) {
  // As the product does before SQLite is first used, which is here (sqlite/database.cpp).
  [[maybe_unused]] static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  auto vfs = std::make_unique<sqlite3_vfs>();
  *vfs = {};
  vfs->iVersion = 1;
  vfs->szOsFile = static_cast<int>(sizeof(Handle));
  vfs->mxPathname = 256;
  vfs->zName = name.c_str();
  vfs->pAppData = &disk;
  vfs->xOpen = open_file;
  vfs->xDelete = delete_file;
  vfs->xAccess = access_file;
  vfs->xFullPathname = full_path;
  vfs->xRandomness = randomness;
  vfs->xSleep = sleep;
  vfs->xCurrentTime = current_time;
  vfs->xGetLastError = last_error;
  TP_ASSERT(sqlite3_vfs_register(vfs.get(), 0) == SQLITE_OK);
  return vfs;
}

void unregister_vfs(sqlite3_vfs* vfs) { sqlite3_vfs_unregister(vfs); }

void seed_sqlite(unsigned seed) {
  sqlite3_initialize();
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed | 1U), nullptr);
}

}  // namespace towpath::sim
