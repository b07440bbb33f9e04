// A machine's key files on its disk: each is whole or not there, as KeyFolder's are, and its changes
// fail and die with the disk's. Whoever witnesses learns each key before anybody else does.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/identity/key_files.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "trust/keys.hpp"

namespace towpath::sim {

class SimKeys final : public KeyFiles {
 public:
  using Witness = std::function<void(PartySecret)>;
  SimKeys(SimDisk& disk, Witness witness) : disk_(disk), witness_(std::move(witness)) {}
  std::map<std::string, std::string> files;

  Result<std::optional<std::string>> read(const std::string& name) override {
    if (!disk_.read()) return fail(Code::kIo, "the disk does not answer");
    const auto found = files.find(name);
    if (found == files.end()) return std::nullopt;
    return found->second;
  }
  Result<void> write(const std::string& name, const std::string& content) override {
    // Behind the code's line there is a key.
    const std::size_t at = content.starts_with("code ") ? content.find('\n') + 1 : 0;
    if (auto secret = PartySecret::from_file_text(content.substr(at))) witness_(std::move(*secret));
    return change(true, [&] { files[name] = content; });
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return change(false, [&] {
      const auto found = files.find(from);
      if (found == files.end()) return;
      files[to] = found->second;
      files.erase(found);
    });
  }
  Result<void> remove(const std::string& name) override {
    return change(false, [&] { files.erase(name); });
  }
  std::string place() const override { return "memory"; }

 private:
  template <typename Do>
  Result<void> change(bool grows, Do&& todo) {
    const SimDisk::Verdict verdict = disk_.change(1, grows);
    if (verdict.part == 1) todo();
    disk_.settle();
    if (verdict.code != 0) return fail(Code::kIo, "a key file cannot be changed");
    return {};
  }
  SimDisk& disk_;
  Witness witness_;
};

}  // namespace towpath::sim
