#include "agent/school/told.hpp"

#include <algorithm>

#include "agent/school/exit_code.hpp"
#include "agent/school/words.hpp"

namespace towpath::cli {

void Told::error(std::string_view what, const Error& why) {
  const std::string text = std::string(what) + why.what();
  if (text.find('\n') == std::string::npos) {
    error(std::string(what) + why.sentence());
    return;
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    error(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  if (!why.next().empty()) error(why.next());
}

nlohmann::ordered_json to_json(const Error& error) {
  return {{"code", name(error.code())}, {"message", error.what()}, {"next", error.next()}};
}

Told told(const Error& why) {
  Told out;
  out.exit_code = exit_code_of(why.code());
  out.error({}, why);
  out.document = {{"schema_version", kSchemaVersion}, {"error", to_json(why)}, {"exit_code", out.exit_code}};
  return out;
}

Told told(const std::string& file, const ConfigProblems& problems) {
  Told out;
  out.exit_code = kConfigInvalid;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ConfigProblem& problem : problems) {
    out.error(problem.sentence(file));
    list.push_back({{"line", problem.line}, {"message", problem.what}, {"next", problem.next}});
  }
  const Error why{Code::kConfig,
                  file + " has " + counted(problems.size(), "problem", "problems") + "; nothing was started"};
  out.document = {{"schema_version", kSchemaVersion},
                  {"error", to_json(why)},
                  {"exit_code", kConfigInvalid},
                  {"file", file},
                  {"valid", false},
                  {"problems", std::move(list)}};
  return out;
}

std::vector<std::string> Table::lines(std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> out;
  for (const auto& row : rows_) {
    std::string text(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      if (i > 0) text += "  ";
      text += i == 0 ? row[i] + space : space + row[i];
    }
    while (text.ends_with(' ')) text.pop_back();
    out.push_back(std::move(text));
  }
  return out;
}

}  // namespace towpath::cli
