// A machine's disk in memory: what has been written, what of it would outlive a power cut, and
// the faults that strike while it is used.
//
// A file's content is kept twice where the two differ: as it reads now, and, for each 512-byte
// sector written since the last sync, as it was then. A killed process leaves what reads now; a
// power cut leaves for each unsynced sector either version. A file is in the folder for good
// once it has been synced; its removal is once it was asked for with a folder sync.
//
// SQLite sees it through sim_vfs.hpp, one VFS a disk. Faults are armed by the world and strike
// at the k-th change (write, sync, truncate, delete) or the k-th read; from a kill or power cut on everything
// fails until reboot(), which wants every file closed. Single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "tests/simulation/sim_random.hpp"

struct sqlite3_vfs;

namespace towpath::sim {

// Disks tear between sectors, never inside one.
inline constexpr std::size_t kSector = 512;

enum class Fault : std::uint8_t {
  kKill,        // the process ends: what it wrote is written, the call in hand partly
  kPowerCut,    // the machine ends: of what was not synced anything may be there
  kFull,        // writes fail for want of room until heal()
  kFlaky,       // this one call fails, the next works
  kRead,        // this one read fails, the next works
  kUnreadable,  // reads fail until heal()
};
[[nodiscard]] inline bool of_reads(Fault fault) {
  return fault == Fault::kRead || fault == Fault::kUnreadable;
}
[[nodiscard]] const char* name(Fault fault);

// SQLite's view of one file; shared by its connections.
struct SimFile {
  Bytes now;
  std::size_t synced_size = 0;
  using Sector = std::array<std::uint8_t, kSector>;
  std::map<std::size_t, Sector> before;  // sectors changed since the last sync, as they were then
  bool kept = false;                     // its name is in the folder for good

  // Locks, as SQLite's five levels need them.
  int shared = 0;
  bool reserved = false, pending = false, exclusive = false;
  // Shared memory of the write-ahead log's index; gone with its last user.
  std::vector<std::unique_ptr<std::array<std::uint8_t, 32768>>> memory;
  std::array<int, 8> memory_shared{};
  std::array<bool, 8> memory_exclusive{};
  int memory_users = 0;
};

class SimDisk {
 public:
  explicit SimDisk(SimRandom random);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;
  // The name under which SQLite finds this disk.
  [[nodiscard]] const std::string& vfs() const { return vfs_name_; }

  // --- faults -------------------------------------------------------------------------------
  // Strikes at the `at`-th change, or read, from now (1: the next).
  void arm(Fault fault, std::uint64_t at);
  void disarm() { armed_.reset(); }
  // Now: the process is killed, or the power cut.
  void stop(Fault fault);
  [[nodiscard]] bool down() const { return down_; }
  // The fault that struck since the last clear, if one did.
  [[nodiscard]] std::optional<Fault> struck() const { return struck_; }
  void clear_struck() { struck_.reset(); }
  void heal() { full_ = unreadable_ = false; }
  // Called before each change: a slow disk lets time pass. May be empty.
  std::function<void()> on_change;
  void reboot();
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

  // --- what is on it ------------------------------------------------------------------------
  // Names of the files there are, with their sizes.
  [[nodiscard]] std::map<std::string, std::size_t> files() const;
  // A backup of what reads now, and its return. Every file must be closed for the latter.
  using Image = std::map<std::string, Bytes>;
  [[nodiscard]] Image image() const;
  void restore(const Image& image);

  // --- for the VFS --------------------------------------------------------------------------
  // What becomes of a change: the SQLite code it ends with, and how many of its bytes are done
  // all the same (of 1 where it is whole or nothing). settle() after that part has been done.
  struct Verdict {
    int code = 0;
    std::size_t part = 0;
  };
  [[nodiscard]] Verdict change(std::size_t bytes, bool grows);
  void settle();
  // Whether a read works.
  [[nodiscard]] bool read();
  std::shared_ptr<SimFile> find(const std::string& path) const;
  std::shared_ptr<SimFile> create(const std::string& path);
  void write(SimFile& file, std::size_t offset, ByteView bytes);
  void resize(SimFile& file, std::size_t size);
  void sync(const std::string& path, SimFile& file);
  void remove(const std::string& path, bool for_good);
  void sync_folder();  // names made and removed are so for good
  int open_files = 0;

 private:
  void remember(SimFile& file, std::size_t begin, std::size_t end);
  void cut_power();

  SimRandom random_;
  std::string vfs_name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::map<std::string, std::shared_ptr<SimFile>> files_;
  std::map<std::string, std::shared_ptr<SimFile>> removed_;  // not yet for good
  struct Armed {
    Fault fault;
    std::uint64_t left;
  };
  std::optional<Armed> armed_;
  std::optional<Fault> struck_;
  std::optional<Fault> dying_;  // strikes when the change in hand has been done in part
  bool down_ = false;
  bool full_ = false;
  bool unreadable_ = false;
  std::uint64_t changes_ = 0;
};

}  // namespace towpath::sim
