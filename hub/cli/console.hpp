// Where a verb's words go: results to standard output, everything else to standard error.
//
// With --json, standard output is exactly one JSON document, whether the verb succeeds or not
// (export's rows excepted). Exit codes: OPERATIONS.md, section 3.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace towpath::hub_cli {

inline constexpr int kSchemaVersion = 1;

inline constexpr int kFine = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kDegraded = 4;    // it runs, and there is something to look at
inline constexpr int kNotRunning = 5;  // no process serves the data folder
inline constexpr int kNotPermitted = 6;
inline constexpr int kConfigInvalid = 78;  // nothing was started; the same as sysexits' EX_CONFIG

[[nodiscard]] int exit_code_of(Code code);

class Console {
 public:
  explicit Console(bool json) : json_(json) {}

  [[nodiscard]] bool json() const { return json_; }
  // One line of the result, for people; nothing with --json.
  void line(std::string_view text = {}) const;
  // The result, for programs; nothing without --json.
  void result(const nlohmann::ordered_json& document) const;
  // One line on standard error.
  void note(std::string_view sentence) const;
  // Says why the verb failed, as a line and, with --json, as the document; returns the exit code.
  [[nodiscard]] int failed(const Error& error) const;

 private:
  bool json_;
};

}  // namespace towpath::hub_cli
