#include "adapters/text/stat_mark.hpp"

#include <system_error>

namespace towpath {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kBusyWriting =
    "Let the export finish before the run, or have it written under another name and renamed";

}  // namespace

Error io_error(const std::error_code& why, std::string_view name) {
  const std::string what = std::string(name) + " cannot be read: " + why.message();
  if (why == std::errc::permission_denied)
    return Error{Code::kNotPermitted, what, "Give the account that towpath runs as the right to read it"};
  if (why == std::errc::no_such_file_or_directory)
    return Error{Code::kNotFound, std::string(name) + " is not there",
                 "Check the path, and whether the share it lies on is connected"};
  return Error{Code::kIo, what, "Check the disk or the share it lies on"};
}

Result<StatMark> mark_of(const fs::path& path, std::string_view name) {
  std::error_code why;
  const fs::file_status status = fs::status(path, why);
  if (!fs::exists(status))
    return fail(io_error(why ? why : std::make_error_code(std::errc::no_such_file_or_directory), name));
  if (!fs::is_regular_file(status))
    return fail(Code::kBadInput, std::string(name) + " is not a file", "Give the path of the export");
  StatMark mark;
  mark.bytes = fs::file_size(path, why);
  if (why) return fail(io_error(why, name));
  mark.changed = fs::last_write_time(path, why);
  if (why) return fail(io_error(why, name));
  return mark;
}

Result<void> check_same(const fs::path& path, std::string_view name, const StatMark& before) {
  auto now = mark_of(path, name);
  if (!now) {
    return fail(Code::kSourceChanged, std::string(name) + " went away while it was read",
                std::string(kBusyWriting));
  }
  if (*now == before) return {};
  return fail(Code::kSourceChanged,
              std::string(name) + " changed while it was read (" + std::to_string(before.bytes) +
                  " bytes before, " + std::to_string(now->bytes) + " now)",
              std::string(kBusyWriting));
}

}  // namespace towpath
