#include "agent/cli/data_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/cli/words.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath::cli {
namespace {

namespace fs = std::filesystem;

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

Result<DataFolder> DataFolder::open_to_work(const AgentConfig& config) {
  TP_TRY(platform::make_private_folder(config.data));
  auto lock = platform::FolderLock::take(config.data);
  if (!lock) return fail(std::move(lock).error());
  TP_TRY(check_room(config));
  auto store = open_store(config, false);
  if (!store) return fail(with_room_needed(std::move(store).error(), config));
  return DataFolder{std::move(*lock), std::move(*store)};
}

Result<DataFolder> DataFolder::open_to_look(const AgentConfig& config) {
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
  // A transaction may touch every page of the file, which are then in the log as well.
  const std::uint64_t needed =
      std::max<std::uint64_t>(config.min_free_bytes, unknown ? 0 : static_cast<std::uint64_t>(file));
  const auto free = platform::free_bytes(config.data);
  return std::move(error).advise("The last good state is kept. Free space for " + config.data + ": " +
                                 (free ? size(*free) + " are there, " : std::string()) + "have " +
                                 size(needed) + " free, and run it again");
}

}  // namespace towpath::cli
