// SQLite's file system on a SimDisk: locks, write-ahead-log memory, and the disk's faults.
// No threads, no sleeping: a lock that is held stays held, and waiting for it costs nothing.
#pragma once

#include <memory>
#include <string>

struct sqlite3_vfs;

namespace towpath::sim {

class SimDisk;

// Registered with SQLite under `name`, which has to outlive it; unregister before destroying.
[[nodiscard]] std::unique_ptr<sqlite3_vfs> register_vfs(SimDisk& disk, const std::string& name);
void unregister_vfs(sqlite3_vfs* vfs);
// SQLite's own chance (salts of its log) from the seed, too.
void seed_sqlite(unsigned seed);

}  // namespace towpath::sim
