// The agent's data folder: its lock, its room on the disk, and the store in it.
//
// To work, a verb takes the folder for itself (a second process is refused with the first's
// pid) and makes sure that there is room. To look, a verb opens the store read-only, beside
// whatever is working.
#pragma once

#include <optional>
#include <string>

#include "agent/config/config.hpp"
#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {

class DataFolder {
 public:
  // Makes the folder and the store where there are none.
  [[nodiscard]] static Result<DataFolder> open_to_work(const AgentConfig& config);
  // kNotFound while nothing has been extracted; kNotPermitted as may_look().
  [[nodiscard]] static Result<DataFolder> open_to_look(const AgentConfig& config);

  [[nodiscard]] Store& store() { return store_; }

 private:
  DataFolder(std::optional<platform::FolderLock> lock, Store store)
      : lock_(std::move(lock)), store_(std::move(store)) {}
  std::optional<platform::FolderLock> lock_;  // released after the store is closed
  Store store_;
};

// False also where this user may not look: ask may_look() first.
[[nodiscard]] bool has_store(const AgentConfig& config);
// kNotPermitted with whose the folder is: what may not be seen must not be taken for nothing.
[[nodiscard]] Result<void> may_look(const AgentConfig& config);
// An error of a full disk, with how much is needed and where.
[[nodiscard]] Error with_room_needed(Error error, const AgentConfig& config);

}  // namespace towpath::cli
