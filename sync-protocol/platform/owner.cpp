#include "platform/owner.hpp"

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

bool may_read(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

}  // namespace towpath::platform
