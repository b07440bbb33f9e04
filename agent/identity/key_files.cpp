#include "agent/identity/key_files.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/bytes.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;

// A key is some hundred bytes.
constexpr std::size_t kFileBytesMax = 16 * 1024;
constexpr fs::perms kOthers = fs::perms::group_all | fs::perms::others_all;

tl::unexpected<Error> failed(const std::string& what, const std::error_code& why) {
  const bool forbidden = why == std::errc::permission_denied || why == std::errc::operation_not_permitted ||
                         why == std::errc::read_only_file_system;
  return fail(forbidden ? Code::kNotPermitted : Code::kIo, what + ": " + why.message(),
              forbidden ? "Run as the account that owns it, or with sudo" : "Check the disk");
}

}  // namespace

Result<std::optional<std::string>> KeyFolder::read(const std::string& name) {
  auto content = platform::read_file((fs::path(folder_) / name).string(), kFileBytesMax);
  if (content) return std::move(*content);
  if (content.error().code() == Code::kNotFound) return std::nullopt;
  return fail(std::move(content).error());
}
Result<void> KeyFolder::write(const std::string& name, const std::string& content) {
  TP_TRY(platform::make_private_folder(folder_));
  return platform::write_file((fs::path(folder_) / name).string(), bytes_of(content));
}
Result<void> KeyFolder::rename(const std::string& from, const std::string& to) {
  std::error_code why;
  fs::rename(fs::path(folder_) / from, fs::path(folder_) / to, why);
  if (why) return failed("cannot rename " + (fs::path(folder_) / from).string(), why);
  return {};
}
Result<void> KeyFolder::remove(const std::string& name) {
  std::error_code why;
  fs::remove(fs::path(folder_) / name, why);
  if (why) return failed("cannot remove " + (fs::path(folder_) / name).string(), why);
  return {};
}

Result<std::optional<std::string>> KeyMemory::read(const std::string& name) {
  const auto at = files.find(name);
  if (at == files.end()) return std::nullopt;
  return at->second;
}
Result<void> KeyMemory::write(const std::string& name, const std::string& content) {
  files[name] = content;
  return {};
}
Result<void> KeyMemory::rename(const std::string& from, const std::string& to) {
  const auto at = files.find(from);
  if (at == files.end()) return fail(Code::kNotFound, "there is no " + from);
  std::string content = std::move(at->second);
  files.erase(at);
  files[to] = std::move(content);
  return {};
}
Result<void> KeyMemory::remove(const std::string& name) {
  files.erase(name);
  return {};
}

Result<std::vector<WideRights>> wide_rights(const std::string& folder) {
  std::vector<WideRights> out;
  const auto look = [&](const fs::path& path) -> Result<void> {
    std::error_code why;
    const fs::file_status status = fs::symlink_status(path, why);
    if (why) return failed("cannot look at " + path.string(), why);
    if (fs::is_symlink(status)) return {};  // has no rights of its own
    const fs::perms rights = status.permissions();
    if ((rights & kOthers) == fs::perms::none) return {};
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(rights & fs::perms::mask));
    out.push_back({path.string(), text.data()});
    return {};
  };
  std::error_code why;
  if (!fs::exists(folder, why)) return out;
  TP_TRY(look(folder));
  fs::directory_iterator files(folder, why);
  if (why) return failed("cannot look into " + folder, why);
  for (; files != fs::directory_iterator(); files.increment(why)) {
    if (why) return failed("cannot look into " + folder, why);
    TP_TRY(look(files->path()));
  }
  return out;
}

Result<std::vector<WideRights>> mend_rights(const std::string& folder) {
  auto wide = wide_rights(folder);
  if (!wide) return wide;
  for (const WideRights& one : *wide) {
    std::error_code why;
    fs::permissions(one.path, kOthers, fs::perm_options::remove, why);
    if (why)
      return fail(Code::kNotPermitted,
                  one.path + " can be read by more than its owner (rights " + one.rights +
                      "), and that cannot be changed: " + why.message(),
                  "Take the rights of others away: chmod -R go= " + folder);
  }
  return wide;
}

Result<void> remove_unfinished(const std::string& folder) {
  std::error_code why;
  if (!fs::exists(folder, why)) return {};
  fs::directory_iterator files(folder, why);
  for (; !why && files != fs::directory_iterator(); files.increment(why)) {
    if (files->path().filename().string().find(platform::kUnfinished) == std::string::npos) continue;
    std::error_code failing;
    fs::remove(files->path(), failing);
    if (failing) return failed("cannot remove " + files->path().string(), failing);
  }
  if (why) return failed("cannot look into " + folder, why);
  return {};
}

}  // namespace towpath
