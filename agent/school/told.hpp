// What a verb has to say, as values: a verb prints the same whether it did the work itself or
// asked the running service to do it.
//
// In: a job's outcome or an error. Out: lines for standard output, lines for standard error, one
// JSON document, an exit code. Never personal data.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/config.hpp"
#include "core/result.hpp"

namespace towpath::cli {

// Changes only when a key of a verb's JSON goes or changes its meaning; new keys do not count.
inline constexpr int kSchemaVersion = 1;

struct Told {
  std::vector<std::string> lines;   // the result, for people
  std::vector<std::string> errors;  // one sentence each
  nlohmann::ordered_json document;  // the result, for programs
  int exit_code = 0;

  void line(std::string_view text) { lines.emplace_back(text); }
  void error(std::string_view sentence) { errors.emplace_back(sentence); }
  // After `what` it is about; an error that lists things to choose from takes a line for each.
  void error(std::string_view what, const Error& why);
};

// {"code":..,"message":..,"next":..}
[[nodiscard]] nlohmann::ordered_json to_json(const Error& error);
// Why a verb failed.
[[nodiscard]] Told told(const Error& why);
[[nodiscard]] Told told(const std::string& file, const ConfigProblems& problems);

// Columns that line up: the first to the left, the others to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  [[nodiscard]] std::vector<std::string> lines(std::string_view indent) const;
  // To a Console or into what is Told.
  template <class Out>
  void print(Out& out, std::string_view indent) const {
    for (const std::string& text : lines(indent)) out.line(text);
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace towpath::cli
