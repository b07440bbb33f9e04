// Where a verb's words go: results to standard output, everything else to standard error.
//
// With --json, standard output is exactly one JSON document, whether the verb succeeds or not;
// errors are said on standard error as well, one line each.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "agent/config/config.hpp"
#include "agent/school/told.hpp"
#include "core/result.hpp"

namespace towpath::cli {

class Console {
 public:
  explicit Console(bool json) : json_(json) {}

  // One line of the result, for people; nothing with --json.
  void line(std::string_view text = {}) const;
  // The result, for programs; nothing without --json.
  void result(const nlohmann::ordered_json& document) const;
  // One line on standard error.
  void error(std::string_view sentence) const;
  // The same for an error, after `what` it is about; one that lists things to choose from takes
  // a line for each.
  void error(std::string_view what, const Error& why) const;

  // All of it, the result first; returns the exit code.
  [[nodiscard]] int say(const Told& told) const;
  // Says why the verb failed, as a line and, with --json, as the document; returns the exit code.
  [[nodiscard]] int failed(const Error& error) const;
  [[nodiscard]] int failed(const std::string& file, const ConfigProblems& problems) const;

 private:
  bool json_;
};

}  // namespace towpath::cli
