// A file that lies in memory, for readers that take a path. One a process; each input replaces the last.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

namespace towpath::fuzz {

class MemoryFile {
 public:
  MemoryFile() : handle_(memfd_create("fuzz", 0)) {
    if (handle_ < 0) std::abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(handle_); }
  void hold(std::span<const std::uint8_t> content) {
    if (ftruncate(handle_, 0) != 0) std::abort();
    if (pwrite(handle_, content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
      std::abort();
  }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(handle_); }

 private:
  int handle_;
};

}  // namespace towpath::fuzz
