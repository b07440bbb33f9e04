#include "platform/platform.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;

// Holds the holder's pid as decimal digits padded with spaces to this width, so that a new
// holder replaces the old pid in one write and a reader never sees half of one.
constexpr std::size_t kPidWidth = 20;
constexpr std::string_view kLockName = "towpath.lock";

// Owns a descriptor for the length of a scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string reason(int error) { return std::system_category().message(error); }

tl::unexpected<Error> failed(int error, std::string what) {
  std::string text = std::move(what) + ": " + reason(error);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return fail(Code::kNotFound, std::move(text), "Check the path");
    case EACCES:
    case EPERM:
    case EROFS:
      return fail(Code::kNotPermitted, std::move(text), "Run as the account that owns it, or with sudo");
    case ENOSPC:
    case EDQUOT:
      return fail(Code::kDiskFull, std::move(text), "Free some disk space");
    case EMFILE:
    case ENFILE:
      return fail(Code::kIo, std::move(text),
                  "Too many files are open at once: close other programs, or allow more (ulimit -n)");
    case ENOMEM:
      return fail(Code::kNoMemory, std::move(text), "Close other programs, or run it again later");
    default:
      return fail(Code::kIo, std::move(text), "Check the disk");
  }
}

std::string lock_path(const std::string& folder) { return (fs::path(folder) / kLockName).string(); }

// Open-file-description locks: they exclude two holders inside one process as well, and the
// question "who holds it" never takes the lock itself.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// The pid written in the lock file; -1 where there is none to be read.
std::int64_t written_pid(int fd) {
  std::array<char, kPidWidth> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  if (n <= 0) return -1;
  std::int64_t pid = -1;
  const auto done = std::from_chars(text.data(), text.data() + n, pid);
  return done.ec == std::errc{} && pid > 0 ? pid : -1;
}

bool write_all(int fd, ByteView content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Instant SystemClock::now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
  static const int ready = sodium_init();
  TP_ASSERT(ready >= 0);  // the operating system gives no randomness at all
  randombytes_buf(out.data(), out.size());
}

Result<FolderLock> FolderLock::take(const std::string& folder) {
  const std::string path = lock_path(folder);
  Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file.ok()) return failed(errno, "cannot lock the folder " + folder);
  struct flock lock = whole_file();
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return failed(errno, "cannot lock the folder " + folder);
    const std::int64_t pid = written_pid(file.get());
    const std::string who = pid > 0 ? "process " + std::to_string(pid) : std::string("another process");
    return fail(Code::kBusy, "the folder " + folder + " is in use by " + who,
                "Wait until it has finished, or stop it");
  }
  std::array<char, kPidWidth> text;
  text.fill(' ');
  const auto end = std::to_chars(text.data(), text.data() + text.size(), process_id());
  TP_ASSERT(end.ec == std::errc{});
  const ssize_t wrote = ::pwrite(file.get(), text.data(), text.size(), 0);
  if (wrote < 0) return failed(errno, "cannot write " + path);
  if (static_cast<std::size_t>(wrote) != text.size()) return failed(ENOSPC, "cannot write " + path);
  return FolderLock{file.release()};
}

FolderLock::FolderLock(FolderLock&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  if (this != &other) {
    if (handle_ >= 0) ::close(handle_);
    handle_ = std::exchange(other.handle_, -1);
  }
  return *this;
}

// The file stays: removing it would let a third process lock a file that nobody sees.
FolderLock::~FolderLock() {
  if (handle_ >= 0) ::close(handle_);
}

std::int64_t FolderLock::holder(const std::string& folder) {
  const Descriptor file{::open(lock_path(folder).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file.ok()) return 0;
  struct flock lock = whole_file();
  if (::fcntl(file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return written_pid(file.get());
}

Result<std::uint64_t> free_bytes(const std::string& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0)
    return failed(errno, "cannot ask for the free space of " + folder);
  return static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_frsize);
}

Result<void> make_private_folder(const std::string& folder) {
  fs::path made;
  for (const fs::path& part : fs::path(folder).lexically_normal()) {
    made /= part;
    if (part.empty() || part == "/" || part == "." || part == "..") continue;
    if (::mkdir(made.c_str(), 0700) == 0 || errno == EEXIST) continue;
    return failed(errno, "cannot make the folder " + made.string());
  }
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return failed(errno, "cannot make the folder " + folder);
  if (!S_ISDIR(info.st_mode))
    return fail(Code::kIo, "cannot make the folder " + folder + ": a file of that name is in the way",
                "Move the file, or choose another folder");
  return {};
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  if (!file.ok()) return failed(errno, "cannot read " + path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return failed(errno, "cannot read " + path);
  if (S_ISDIR(info.st_mode))
    return fail(Code::kIo, "cannot read " + path + ": it is a folder", "Give the path of a file");
  if (!S_ISREG(info.st_mode))
    return fail(Code::kIo, "cannot read " + path + ": it is a pipe or a device, not a file",
                "Give the path of a file");
  std::string content;
  std::array<char, 16 * 1024> piece;
  for (;;) {
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno, "cannot read " + path);
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > bytes_max)
      return fail(Code::kTooLarge, path + " is larger than " + std::to_string(bytes_max) + " bytes",
                  "Check that it is the right file");
    content.append(piece.data(), static_cast<std::size_t>(n));
  }
}

Result<void> write_file(const std::string& path, ByteView content) {
  const std::string temporary = path + std::string(kUnfinished) + std::to_string(process_id());
  {
    const Descriptor file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file.ok()) return failed(errno, "cannot write " + path);
    if (!write_all(file.get(), content) || ::fsync(file.get()) != 0) {
      const int error = errno;
      ::unlink(temporary.c_str());
      return failed(error, "cannot write " + path);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return failed(error, "cannot write " + path);
  }
  // The new name is on disk only when its folder is.
  const fs::path parent = fs::path(path).parent_path();
  const Descriptor folder{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder.ok() || ::fsync(folder.get()) != 0) return failed(errno, "cannot make sure of " + path);
  return {};
}

Date local_date(Instant now) {
  const time_t seconds =
      static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  struct tm parts {};
  if (::localtime_r(&seconds, &parts) == nullptr) return utc_date(now);
  const auto date = Date::from_ymd(parts.tm_year + 1900, static_cast<unsigned>(parts.tm_mon + 1),
                                   static_cast<unsigned>(parts.tm_mday));
  return date ? *date : utc_date(now);
}

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

std::int64_t process_id() { return static_cast<std::int64_t>(::getpid()); }

void keep_new_files_private() { ::umask(077); }

void leave_no_core_dumps() {
  const struct rlimit none {};
  (void)::setrlimit(RLIMIT_CORE, &none);  // lowering one's own limit is always allowed
}

std::uint64_t peak_memory_bytes() {
  struct rusage usage {};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

double cpu_seconds() {
  struct timespec t {};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

}  // namespace towpath::platform
