// Where keys lie: a folder for its owner's eyes only, or a test's memory.
//
// A name stands for a whole small file. Writing is all or nothing: after a crash there is the old
// content or the new one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace towpath {

class KeyFiles {
 public:
  virtual ~KeyFiles() = default;
  // None: there is no such file.
  [[nodiscard]] virtual Result<std::optional<std::string>> read(const std::string& name) = 0;
  [[nodiscard]] virtual Result<void> write(const std::string& name, const std::string& content) = 0;
  // Over what bears that name.
  [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // Fine where there is none.
  [[nodiscard]] virtual Result<void> remove(const std::string& name) = 0;
  // Where they are, for people.
  [[nodiscard]] virtual std::string place() const = 0;
};

// `<data>/identity`, 0700, its files 0600. Made by the first write.
class KeyFolder final : public KeyFiles {
 public:
  explicit KeyFolder(std::string folder) : folder_(std::move(folder)) {}
  Result<std::optional<std::string>> read(const std::string& name) override;
  Result<void> write(const std::string& name, const std::string& content) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& name) override;
  std::string place() const override { return folder_; }

 private:
  std::string folder_;
};

class KeyMemory final : public KeyFiles {
 public:
  std::map<std::string, std::string> files;
  Result<std::optional<std::string>> read(const std::string& name) override;
  Result<void> write(const std::string& name, const std::string& content) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& name) override;
  std::string place() const override { return "memory"; }
};

// Something in the folder that others may look at, or write.
struct WideRights {
  std::string path;
  std::string rights;  // "0644"
};
// What of the folder is open to more than its owner; nothing is changed. Empty where it is not there.
[[nodiscard]] Result<std::vector<WideRights>> wide_rights(const std::string& folder);
// Takes those rights away. kNotPermitted where that cannot be done: then its keys must not be used.
[[nodiscard]] Result<std::vector<WideRights>> mend_rights(const std::string& folder);
// Removes what a write that was killed has left: a secret that nobody would miss, or delete. For
// whoever holds the data folder, so that nobody is writing.
[[nodiscard]] Result<void> remove_unfinished(const std::string& folder);

}  // namespace towpath
