// Who we are to a proxy: a name and a password, never shown, wiped when no longer needed.
//
// In: a file with one line, user:password, that other users of the machine cannot read; or the
// part before the @ of a proxy's variable. There is no operator<<, no text() and no comparison:
// the only way out is into libcurl.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace towpath {

class ProxyUser {
 public:
  ProxyUser(std::string name, std::string password);
  ProxyUser(const ProxyUser&) = default;
  ProxyUser(ProxyUser&&) noexcept = default;
  ProxyUser& operator=(const ProxyUser&) = delete;
  ProxyUser& operator=(ProxyUser&&) = delete;
  ~ProxyUser();

  // Both empty: whoever this machine is (its Kerberos tickets).
  [[nodiscard]] bool is_machine() const { return name_.empty() && password_.empty(); }
  // For libcurl only.
  [[nodiscard]] const std::string& secret_name() const { return name_; }
  [[nodiscard]] const std::string& secret_password() const { return password_; }

 private:
  std::string name_, password_;
};

// kConfig where the file is not one line with a colon, kNotPermitted where others may read or change it.
[[nodiscard]] Result<ProxyUser> read_proxy_user(const std::string& path);

}  // namespace towpath
