#include "agent/line/proxy_user.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

#include "platform/platform.hpp"

namespace towpath {
namespace {

// A line; what is longer is another file.
constexpr std::size_t kFileBytesMax = 4096;

// The compiler may not drop this, although nobody reads the text again.
void wipe(std::string& text) {
  volatile char* at = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) at[i] = '\0';
  text.clear();
}

}  // namespace

ProxyUser::ProxyUser(std::string name, std::string password)
    : name_(std::move(name)), password_(std::move(password)) {}

ProxyUser::~ProxyUser() {
  wipe(name_);
  wipe(password_);
}

Result<ProxyUser> read_proxy_user(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::perms rights = fs::status(path, error).permissions();
  if (!error && rights != fs::perms::unknown &&
      (rights & (fs::perms::others_all | fs::perms::group_write)) != fs::perms::none)
    return fail(Code::kNotPermitted,
                "[hub] proxy_user_file is " + path + ", which other users of this machine can read or change",
                "Run: chmod 600 " + path);
  auto text = platform::read_file(path, kFileBytesMax);
  if (!text) return fail(Error(text.error()).during("[hub] proxy_user_file"));
  const std::size_t end = text->find_first_of("\r\n");
  const std::string_view line = std::string_view(*text).substr(0, end);
  const std::size_t colon = line.find(':');
  const bool more = end != std::string::npos && text->find_first_not_of("\r\n", end) != std::string::npos;
  if (colon == std::string_view::npos || more) {
    wipe(*text);
    return fail(
        Code::kConfig, "[hub] proxy_user_file is " + path + ", which is not one line user:password",
        "Write the proxy's user, a colon and the password; a colon alone for this machine's own account");
  }
  ProxyUser user(std::string(line.substr(0, colon)), std::string(line.substr(colon + 1)));
  wipe(*text);
  return user;
}

}  // namespace towpath
