#include "platform/owner.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;

struct Account {
  uid_t user = 0;
  gid_t group = 0;
  std::string name;  // the number, where the machine knows no name
  bool known = false;
};

// The account of a user's number; a folder copied from another machine may have one that is unknown here.
Account account_of(uid_t user, gid_t group_of_folder) {
  Account account{user, group_of_folder, std::to_string(user)};
  std::array<char, 16 * 1024> text;  // an entry with its strings; a line of /etc/passwd is some 100 bytes
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
    account.group = found->pw_gid;
    account.name = found->pw_name;
    account.known = true;
  }
  return account;
}

// Whom the folder belongs to, or would if it were made; none if that cannot be told.
std::optional<struct stat> owner_of(const std::string& folder) {
  std::error_code ignored;
  for (fs::path at = fs::absolute(folder, ignored).lexically_normal(); !at.empty(); at = at.parent_path()) {
    struct stat info {};
    if (::stat(at.c_str(), &info) == 0) return info;
    if (at == at.parent_path()) break;
  }
  return std::nullopt;
}

// True if the process is the account's and nothing of root is left to go back to.
bool is_only(const Account& account) {
  uid_t real = 0, effective = 0, saved = 0;
  gid_t real_group = 0, effective_group = 0, saved_group = 0;
  if (::getresuid(&real, &effective, &saved) != 0) return false;
  if (::getresgid(&real_group, &effective_group, &saved_group) != 0) return false;
  return real == account.user && effective == account.user && saved == account.user &&
         real_group == account.group && effective_group == account.group && saved_group == account.group &&
         ::setuid(0) != 0 && ::seteuid(0) != 0;
}

}  // namespace

Result<std::string> become_owner_of(const std::string& folder) {
  if (::geteuid() != 0) return std::string();
  const auto info = owner_of(folder);
  if (!info || info->st_uid == 0) return std::string();
  const Account account = account_of(info->st_uid, info->st_gid);
  const auto refused = [&](int error) {
    return fail(Code::kNotPermitted,
                "cannot become the user " + account.name + ", whom " + folder +
                    " belongs to: " + std::system_category().message(error),
                "Run it as that user: sudo -u " + (account.known ? "" : std::string("#")) + account.name);
  };
  const int groups =
      account.known ? ::initgroups(account.name.c_str(), account.group) : ::setgroups(1, &account.group);
  if (groups != 0) return refused(errno);
  if (::setresgid(account.group, account.group, account.group) != 0) return refused(errno);
  if (::setresuid(account.user, account.user, account.user) != 0) return refused(errno);
  TP_ASSERT(is_only(account));  // half a root is worse than none
  return account.name;
}

Result<GivenFile> GivenFile::open(const std::string& path) {
  const auto refused = [&](int error) {
    const Code code = error == ENOENT || error == ENOTDIR                   ? Code::kNotFound
                      : error == EACCES || error == EPERM || error == EROFS ? Code::kNotPermitted
                                                                            : Code::kIo;
    return fail(code, "cannot write " + path + ": " + std::system_category().message(error),
                "Name a file in a folder that you may write to");
  };
  // A pipe would wait for its reader.
  constexpr int kHow = O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK;
  bool made = true;
  int handle = ::open(path.c_str(), kHow | O_CREAT | O_EXCL, 0600);
  if (handle < 0 && errno == EEXIST) {
    made = false;
    handle = ::open(path.c_str(), kHow);
  }
  if (handle < 0 && errno == ELOOP)
    return fail(Code::kIo, "cannot write " + path + ": it is a symbolic link",
                "Name the file itself, or remove the link");
  if (handle < 0) return refused(errno);
  struct stat info {};
  if (::fstat(handle, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(handle);
    return fail(Code::kIo, "cannot write " + path + ": it is not a file", "Name a file, new or old");
  }
  return GivenFile(path, handle, made);
}

GivenFile::GivenFile(GivenFile&& other) noexcept
    : path_(std::move(other.path_)),
      handle_(std::exchange(other.handle_, -1)),
      made_(std::exchange(other.made_, false)) {}

GivenFile::~GivenFile() {
  if (handle_ >= 0) ::close(handle_);
  if (made_) ::unlink(path_.c_str());
}

Result<void> GivenFile::write(ByteView content) {
  made_ = false;
  (void)::fchmod(handle_, 0600);  // a stick's file system may know no rights
  bool done = ::ftruncate(handle_, 0) == 0;
  while (done && !content.empty()) {
    const ssize_t n = ::write(handle_, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    done = n > 0;
    if (done) content = content.subspan(static_cast<std::size_t>(n));
  }
  if (done && ::fsync(handle_) == 0) return {};
  const int error = errno;
  return fail(error == ENOSPC || error == EDQUOT ? Code::kDiskFull : Code::kIo,
              "cannot write " + path_ + ": " + std::system_category().message(error),
              "What is there is not whole: delete it");
}

bool may_read(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

}  // namespace towpath::platform
