// The real world: the operating system's clock, randomness, file system and locks.
//
// The only unit with POSIX calls (a Windows one will stand beside it). Made by main.cpp;
// logic takes the interfaces of core/world.hpp instead.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath::platform {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() override;
};
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

// Holds a folder for this process; a second holder is refused with the first's pid (kBusy).
// Released when it goes, and by the operating system when the process dies.
class FolderLock {
 public:
  [[nodiscard]] static Result<FolderLock> take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();
  // The pid that holds the folder now; 0 if nobody does, -1 if somebody does who left no pid.
  [[nodiscard]] static std::int64_t holder(const std::string& folder);

 private:
  explicit FolderLock(int handle) : handle_(handle) {}
  int handle_ = -1;
};

[[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& folder);
// Makes the folder and its parents, readable by its owner only (0700).
[[nodiscard]] Result<void> make_private_folder(const std::string& folder);
// A regular file: a pipe, which would wait for its writer, and a device are refused.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// Temporary file, sync, rename: readers see the old or the new one, whole. One that is killed leaves
// the temporary file: its name, this, and the process's number.
inline constexpr std::string_view kUnfinished = ".new-";
[[nodiscard]] Result<void> write_file(const std::string& path, ByteView content);
[[nodiscard]] Date local_date(Instant now);      // in the machine's time zone
[[nodiscard]] bool is_terminal(int descriptor);  // 1 stdout, 2 stderr
[[nodiscard]] std::int64_t process_id();
// Files and folders made from now on are for their owner only, whoever makes them (SQLite too).
void keep_new_files_private();
// A program that crashes leaves no picture of its memory, which has keys, on the disk.
void leave_no_core_dumps();
[[nodiscard]] std::uint64_t peak_memory_bytes();  // high-water mark of this process
[[nodiscard]] double cpu_seconds();

}  // namespace towpath::platform
