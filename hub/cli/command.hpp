// What every verb of towpath-hub is given, and the verbs. Each returns the program's exit code.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/cli/console.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"
#include "platform/owner.hpp"
#include "platform/platform.hpp"

namespace towpath::hub_cli {

struct Command {
  std::string data;  // the hub's folder
  Console console;
  Clock& clock;
  Random& random;
  const Dictionary& dictionary;
  std::string software;  // "towpath-hub 0.1.0"
};

// A hub that is looked at: beside a running one, or alone. Alone, files of an older dictionary
// are brought up to this program's; then the folder is held meanwhile.
class Look {
 public:
  [[nodiscard]] static Result<Look> at(const Command& command);
  [[nodiscard]] Registry& registry() { return *registry_; }
  // The process that serves the folder; 0 if none does, below 0 if it cannot be told which.
  [[nodiscard]] std::int64_t server() const { return server_; }

 private:
  Look() = default;
  std::optional<platform::FolderLock> lock_;
  std::unique_ptr<Registry> registry_;
  std::int64_t server_ = 0;
};

// The hub's keys; kConfig where there are none, or their file is damaged.
[[nodiscard]] Result<std::unique_ptr<Keyring>> hub_keys(const Command& command);
[[nodiscard]] nlohmann::ordered_json agent_json(const Agent& agent);

// `url` empty, `backup_days` none: as it is. `new_keys`: also where schools know others.
[[nodiscard]] int init(const Command& command, const std::string& url, bool new_keys,
                       const std::optional<int>& backup_days);
[[nodiscard]] int key_show(const Command& command);
[[nodiscard]] int key_rotate(const Command& command);
[[nodiscard]] int school_invite(const Command& command, const std::string& urn, const std::string& expires);
[[nodiscard]] int agent_list(const Command& command);
[[nodiscard]] int agent_revoke(const Command& command, const std::string& urn);
[[nodiscard]] int agent_rotate(const Command& command, const std::string& urn);
// `answer` empty: none is written.
// The stick's files, opened as who asked: whom the hub's folder belongs to may not reach a stick.
struct StickFiles {
  Result<std::string> bundles;
  std::string answer_path;  // empty: no answer is wished
  std::optional<Result<platform::GivenFile>> answer;
};
[[nodiscard]] StickFiles open_stick(const std::string& file, const std::string& answer);
[[nodiscard]] int bundle_import(const Command& command, StickFiles stick);
[[nodiscard]] int school_add(const Command& command, const std::string& urn, const std::string& name);
[[nodiscard]] int school_list(const Command& command);
struct ServeOptions {
  std::string listen = "127.0.0.1:8440";
  std::string tls_certificate, tls_key;
  bool behind_proxy = false;
  std::vector<std::string> proxies;
  bool quiet = false;
};
[[nodiscard]] int serve(const Command& command, const ServeOptions& how);
[[nodiscard]] int status(const Command& command);
[[nodiscard]] int export_rows(const Command& command, const std::string& dataset,
                              const std::optional<std::string>& urn, const std::string& format);
[[nodiscard]] int verify(const Command& command);

}  // namespace towpath::hub_cli
