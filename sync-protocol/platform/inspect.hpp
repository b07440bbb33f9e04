// Looks at this machine without touching it: who we are, whose a path is, what it stands on.
//
// For doctor and the support bundle. Judges nothing. Nothing here names a person but the owner of
// a path and the user of this process, which only doctor shows, on the machine itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/bytes.hpp"
#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath::platform {

enum class PathKind : std::uint8_t { kNothing, kFolder, kFile, kOther };

struct PathSeen {
  PathKind kind = PathKind::kNothing;        // behind a link, if it is one
  bool link = false;                         // the path's last part is a symbolic link
  bool hidden = false;                       // there may be something: we may not look
  unsigned mode = 0;                         // 0700
  std::string owner;                         // the user's name, or number where it has none
  bool ours = false;                         // belongs to the user of this process
  bool may_read = false, may_write = false;  // and, for a folder, enter it
  std::string file_system;                   // "ext4", "nfs"; empty: one we do not know
  bool network = false;                      // lies on another machine
  std::optional<Instant> changed;
};
[[nodiscard]] PathSeen look_at(const std::string& path);
// The nearest folder above a path that exists.
[[nodiscard]] std::string nearest_folder(const std::string& path);

struct UserSeen {
  std::string name;
  bool root = false;
};
[[nodiscard]] UserSeen this_user();
[[nodiscard]] bool user_exists(const std::string& name);

struct MachineSeen {
  std::string kernel;        // "Linux 6.1.0-18-amd64"
  std::string architecture;  // "x86_64"
  std::string system;        // "debian 12"; empty where it does not say
  unsigned processors = 0;
  std::uint64_t memory_bytes = 0, memory_free_bytes = 0;
  std::uint64_t uptime_seconds = 0;
  std::string time_zone;  // "Europe/London", from the system's own list; empty: another
  int utc_offset_minutes = 0;
};
// Letters, digits and ". _ - / +" only, whatever the system says of itself.
[[nodiscard]] MachineSeen look_at_machine(Instant now);

// A file that is made, for its owner only (0600), and must not be there yet. Opened while we are
// still who was asked, as GivenFile (owner.hpp) is, and removed where nothing was written to it.
class NewFile {
 public:
  [[nodiscard]] static Result<NewFile> open(const std::string& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();
  // The whole content, once; on disk when it returns.
  [[nodiscard]] Result<void> write(ByteView content);

 private:
  NewFile(std::string path, int handle) : path_(std::move(path)), handle_(handle) {}
  std::string path_;
  int handle_;
  bool written_ = false;
};

}  // namespace towpath::platform
