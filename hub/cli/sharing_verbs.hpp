// The verbs about who shares what with whom: agreement, federation, receipt, audit.
//
// In: the words of the command line. Out: lines or one document, and the exit code. What they do is
// hub/federation's; here it is put into words. All of them work beside a running hub.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "hub/cli/command.hpp"

namespace towpath::hub_cli {

class SharingVerbs {
 public:
  explicit SharingVerbs(CLI::App& app);
  ~SharingVerbs();
  // Reads what was named on the command line, as who asked: whom the hub's folder belongs to may not reach
  // it.
  void read_files();
  // None: another verb was asked for.
  [[nodiscard]] std::optional<int> run(const Command& command);

 private:
  struct Words;
  std::unique_ptr<Words> words_;
};

// --- agreement -------------------------------------------------------------------------------------------
[[nodiscard]] int agreement_add(const Command& command, const std::string& file,
                                const Result<std::string>& text);
[[nodiscard]] int agreement_list(const Command& command);
[[nodiscard]] int agreement_show(const Command& command, const std::string& id,
                                 const std::optional<std::uint32_t>& version);
// --- federation ------------------------------------------------------------------------------------------
[[nodiscard]] int federation_add(const Command& command, const std::string& id, const std::string& name,
                                 const std::vector<std::string>& urns);
[[nodiscard]] int federation_list(const Command& command);
[[nodiscard]] int federation_join(const Command& command, const std::string& id, const std::string& urn);
[[nodiscard]] int federation_leave(const Command& command, const std::string& id, const std::string& urn);
// `id` empty: all. Degraded where something waits for a person.
[[nodiscard]] int federation_status(const Command& command, const std::string& id);
// --- receipt, audit --------------------------------------------------------------------------------------
[[nodiscard]] int receipt_list(const Command& command);
[[nodiscard]] int receipt_verify(const Command& command);
[[nodiscard]] int audit_show(const Command& command);
// `head`: NUMBER:HASH as an earlier one said it, or empty.
[[nodiscard]] int audit_verify(const Command& command, const std::string& head);

}  // namespace towpath::hub_cli
