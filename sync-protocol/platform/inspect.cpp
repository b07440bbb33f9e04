#include "platform/inspect.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;

struct FileSystem {
  std::uint32_t magic;
  const char* name;
  bool network;
};
// statfs(2), linux/magic.h. FUSE may be anything, and is taken for local.
constexpr std::array<FileSystem, 22> kFileSystems{{
    {0xEF53, "ext4", false},        {0x58465342, "xfs", false},   {0x9123683E, "btrfs", false},
    {0x2FC12FC1, "zfs", false},     {0x01021994, "tmpfs", false}, {0x858458F6, "ramfs", false},
    {0x794C7630, "overlay", false}, {0xF2F52010, "f2fs", false},  {0x65735546, "fuse", false},
    {0x4D44, "fat", false},         {0x5346544E, "ntfs", false},  {0x7366746E, "ntfs3", false},
    {0x6969, "nfs", true},          {0x517B, "smb", true},        {0xFF534D42, "cifs", true},
    {0xFE534D42, "smb2", true},     {0x5346414F, "afs", true},    {0x00C36400, "ceph", true},
    {0x01021997, "9p", true},       {0x73757245, "coda", true},   {0x01161970, "gfs2", true},
    {0x0BD00BD0, "lustre", true},
}};

std::string name_of(uid_t user) {
  std::array<char, 16 * 1024> text;  // an entry with its strings; a line of /etc/passwd is some 100 bytes
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, text.data(), text.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return std::to_string(user);
}

// What the system says of itself may have been written by anybody.
std::string plain(std::string text) {
  constexpr std::size_t kLong = 64;  // longer than any kernel's release or zone's name
  text.resize(std::min(text.size(), kLong));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) {
        return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 std::string_view("._-/+").find(c) != std::string_view::npos);
      },
      '?');
  return text;
}

// "debian 12" of /etc/os-release.
std::string system_name() {
  std::ifstream in("/etc/os-release");
  std::string line, id, version;
  const auto value = [](const std::string& text, std::size_t from) {
    std::string out = text.substr(from);
    std::erase(out, '"');
    return plain(out);
  };
  while (std::getline(in, line)) {
    if (line.starts_with("ID=")) id = value(line, 3);
    if (line.starts_with("VERSION_ID=")) version = value(line, 11);
  }
  return version.empty() ? id : id + " " + version;
}

std::string zone_name() {
  std::error_code failed;
  const std::string target = fs::read_symlink("/etc/localtime", failed).string();
  constexpr std::string_view kZones = "/usr/share/zoneinfo/";
  return !failed && target.starts_with(kZones) ? plain(target.substr(kZones.size())) : std::string();
}

tl::unexpected<Error> cannot_write(const std::string& path, int error) {
  const std::string what = "cannot write " + path + ": " + std::system_category().message(error);
  switch (error) {
    case EEXIST:
      return fail(Code::kIo, path + " is there already and is not overwritten",
                  "Give another name with --out");
    case EACCES:
    case EPERM:
    case EROFS:
      return fail(Code::kNotPermitted, what, "Give a place where you may write with --out");
    case ENOENT:
    case ENOTDIR:
      return fail(Code::kNotFound, what, "Make the folder first, or give another with --out");
    case ENOSPC:
    case EDQUOT:
      return fail(Code::kDiskFull, what, "Free some disk space, or give another place with --out");
    default:
      return fail(Code::kIo, what);
  }
}

}  // namespace

PathSeen look_at(const std::string& path) {
  PathSeen seen;
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    seen.hidden = errno == EACCES;
    return seen;
  }
  seen.link = S_ISLNK(info.st_mode);
  if (seen.link && ::stat(path.c_str(), &info) != 0) {
    seen.hidden = errno == EACCES;
    return seen;
  }
  seen.kind = S_ISDIR(info.st_mode)   ? PathKind::kFolder
              : S_ISREG(info.st_mode) ? PathKind::kFile
                                      : PathKind::kOther;
  seen.mode = info.st_mode & 07777U;
  seen.owner = name_of(info.st_uid);
  seen.ours = info.st_uid == ::geteuid();
  const int enter = seen.kind == PathKind::kFolder ? X_OK : 0;
  seen.may_read = ::faccessat(AT_FDCWD, path.c_str(), R_OK | enter, AT_EACCESS) == 0;
  seen.may_write = ::faccessat(AT_FDCWD, path.c_str(), W_OK | enter, AT_EACCESS) == 0;
  seen.changed = Instant{std::chrono::seconds{info.st_mtim.tv_sec}};
  struct statfs system {};
  if (::statfs(path.c_str(), &system) == 0) {
    const auto magic = static_cast<std::uint32_t>(system.f_type);
    const auto known = std::find_if(kFileSystems.begin(), kFileSystems.end(),
                                    [&](const FileSystem& f) { return f.magic == magic; });
    if (known != kFileSystems.end()) {
      seen.file_system = known->name;
      seen.network = known->network;
    }
  }
  return seen;
}

std::string nearest_folder(const std::string& path) {
  std::error_code ignored;
  for (fs::path at = fs::absolute(path, ignored).lexically_normal(); !at.empty(); at = at.parent_path()) {
    if (fs::is_directory(at, ignored)) return at.string();
    if (at == at.parent_path()) break;
  }
  return "/";
}

UserSeen this_user() { return {name_of(::geteuid()), ::geteuid() == 0}; }

bool user_exists(const std::string& name) {
  std::array<char, 16 * 1024> text;
  struct passwd entry {};
  struct passwd* found = nullptr;
  return ::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found) == 0 && found != nullptr;
}

MachineSeen look_at_machine(Instant now) {
  MachineSeen seen;
  struct utsname name {};
  if (::uname(&name) == 0) {
    seen.kernel = plain(name.sysname) + " " + plain(name.release);
    seen.architecture = plain(name.machine);
  }
  seen.system = system_name();
  seen.processors = static_cast<unsigned>(std::max(0L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  struct sysinfo info {};
  if (::sysinfo(&info) == 0) {
    seen.memory_bytes = static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
    seen.memory_free_bytes = static_cast<std::uint64_t>(info.freeram + info.bufferram) * info.mem_unit;
    seen.uptime_seconds = static_cast<std::uint64_t>(std::max(0L, info.uptime));
  }
  seen.time_zone = zone_name();
  const auto seconds =
      static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  struct tm parts {};
  if (::localtime_r(&seconds, &parts) != nullptr)
    seen.utc_offset_minutes = static_cast<int>(parts.tm_gmtoff / 60);
  return seen;
}

Result<NewFile> NewFile::open(const std::string& path) {
  const int handle = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (handle < 0) return cannot_write(path, errno);
  return NewFile(path, handle);
}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, -1)), written_(other.written_) {}

NewFile::~NewFile() {
  if (handle_ < 0) return;
  ::close(handle_);
  if (!written_) ::unlink(path_.c_str());
}

Result<void> NewFile::write(ByteView content) {
  while (!content.empty()) {
    const ssize_t n = ::write(handle_, content.data(), content.size());
    if (n < 0 && errno != EINTR) return cannot_write(path_, errno);
    if (n > 0) content = content.subspan(static_cast<std::size_t>(n));
  }
  if (::fsync(handle_) != 0) return cannot_write(path_, errno);
  written_ = true;
  return {};
}

}  // namespace towpath::platform
