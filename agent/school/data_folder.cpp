#include "agent/school/data_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/school/words.hpp"
#include "dictionary/dictionary.hpp"
#include "platform/inspect.hpp"

namespace towpath::cli {
namespace {

namespace fs = std::filesystem;

// A small school's first extract fits in this.
constexpr std::uint64_t kRoomLeast = 16'000'000;

std::string store_path(const AgentConfig& config) { return (fs::path(config.data) / "school.db").string(); }

Result<Store> open_store(const AgentConfig& config, bool read_only) {
  StoreOptions options;
  options.path = store_path(config);
  options.school_urn = config.school_urn;
  options.read_only = read_only;
  return Store::open(options, built_in_dictionary());
}

Result<void> check_room(const AgentConfig& config) {
  const auto free = platform::free_bytes(config.data);
  if (!free) return fail(free.error());
  if (*free >= config.min_free_bytes) return {};
  return fail(
      Code::kDiskFull,
      "only " + size(*free) + " are free for " + config.data + ", and " + size(config.min_free_bytes) +
          " are asked for; nothing was started",
      "Free " + size(config.min_free_bytes - *free) + " there, or lower agent.min_free_mb in " + config.file);
}

}  // namespace

bool has_store(const AgentConfig& config) {
  std::error_code ignored;
  return fs::exists(store_path(config), ignored);
}

Result<void> may_look(const AgentConfig& config) {
  fs::path at(config.data);
  platform::PathSeen seen = platform::look_at(at.string());
  while (seen.hidden && at != at.parent_path()) {  // it is a folder above that keeps us out
    at = at.parent_path();
    seen = platform::look_at(at.string());
  }
  if (seen.kind != platform::PathKind::kFolder || seen.may_read) return {};
  return fail(Code::kNotPermitted,
              "the data is in " + config.data + ", and this user may not look into " +
                  (at == config.data ? std::string("it") : at.string()) + ": it belongs to " + seen.owner,
              "Run it as the user " + seen.owner + ", or with sudo");
}

Result<DataFolder> DataFolder::open_to_work(const AgentConfig& config) {
  TP_TRY(platform::make_private_folder(config.data));
  auto lock = platform::FolderLock::take(config.data);
  if (!lock) return fail(with_room_needed(std::move(lock).error(), config));
  TP_TRY(check_room(config));
  auto store = open_store(config, false);
  if (!store) return fail(with_room_needed(std::move(store).error(), config));
  return DataFolder{std::move(*lock), std::move(*store)};
}

Result<DataFolder> DataFolder::open_to_look(const AgentConfig& config) {
  TP_TRY(may_look(config));
  if (!has_store(config))
    return fail(Code::kNotFound, "there is no data in " + config.data + " yet", "Run towpath extract");
  auto store = open_store(config, true);
  if (!store) return fail(std::move(store).error());
  return DataFolder{std::nullopt, std::move(*store)};
}

Error with_room_needed(Error error, const AgentConfig& config) {
  if (error.code() != Code::kDiskFull) return error;
  std::error_code unknown;
  const auto file = fs::file_size(store_path(config), unknown);
  const auto free = platform::free_bytes(config.data);
  // A transaction may touch every page of the file, which are then in the log as well. What is
  // free now was too little: less than twice that is not worth another try.
  const std::uint64_t needed = std::max<std::uint64_t>(
      {config.min_free_bytes, kRoomLeast, unknown ? 0 : std::uint64_t{file}, free ? 2 * *free : 0});
  return std::move(error).advise("The last good state is kept. Free space for " + config.data + ": " +
                                 (free ? size(*free) + " are there, " : std::string()) + "have " +
                                 size(needed) + " free, and run it again");
}

}  // namespace towpath::cli
