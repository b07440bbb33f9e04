// What the verbs of sharing stand on: the folder held, the store open, and this school's signature where the
// machine is enrolled.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/cli/command.hpp"
#include "agent/identity/identity.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/sharing/sharing.hpp"
#include "core/result.hpp"

namespace towpath::cli {

enum class Hold : std::uint8_t { kToLook, kToWork };

class SharingFolder {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SharingFolder>> open(const Command& command,
                                                                   const AgentConfig& config, Hold hold);
  [[nodiscard]] Store& store() { return folder_.store(); }
  [[nodiscard]] Sharing& sharing() { return *sharing_; }

 private:
  explicit SharingFolder(DataFolder folder) : folder_(std::move(folder)) {}
  DataFolder folder_;
  std::unique_ptr<KeyFolder> files_;
  std::optional<Identity> identity_;
  std::unique_ptr<Sharing> sharing_;
};

// After something was decided, with the folder given back: asks the running service to tell the hub now, or
// says what to do. Never fails the verb: what was decided is on disk, and goes with the next exchange.
[[nodiscard]] std::string pass_on(const Command& command, const AgentConfig& config);
// True for y or yes. kUsage where nobody is there to be asked; kStopped for another answer.
[[nodiscard]] Result<void> ask(const Command& command, const std::string& question);

}  // namespace towpath::cli
