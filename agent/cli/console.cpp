#include "agent/cli/console.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/cli/command.hpp"
#include "agent/cli/exit_code.hpp"
#include "agent/cli/words.hpp"

namespace towpath::cli {
namespace {

void put(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fputc('\n', to);
}

// One line each: a message from a library may hold line breaks.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out;
}

}  // namespace

void Console::line(std::string_view text) const {
  if (!json_) put(stdout, text);
}

void Console::result(const nlohmann::ordered_json& document) const {
  if (!json_) return;
  // A name that is not UTF-8 must not cost the document.
  put(stdout, document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void Console::error(std::string_view sentence) const { put(stderr, "towpath: " + one_line(sentence)); }

void Console::error(std::string_view what, const Error& why) const {
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

int Console::failed(const Error& why) const {
  const int code = exit_code_of(why.code());
  error({}, why);
  result({{"schema_version", kSchemaVersion}, {"error", to_json(why)}, {"exit_code", code}});
  return code;
}

int Console::failed(const std::string& file, const ConfigProblems& problems) const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ConfigProblem& problem : problems) {
    error(problem.sentence(file));
    list.push_back({{"line", problem.line}, {"message", problem.what}, {"next", problem.next}});
  }
  const Error why{Code::kConfig,
                  file + " has " + counted(problems.size(), "problem", "problems") + "; nothing was started"};
  result({{"schema_version", kSchemaVersion},
          {"error", to_json(why)},
          {"exit_code", kConfigInvalid},
          {"file", file},
          {"valid", false},
          {"problems", std::move(list)}});
  return kConfigInvalid;
}

void Table::print(const Console& console, std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string text(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      if (i > 0) text += "  ";
      text += i == 0 ? row[i] + space : space + row[i];
    }
    while (text.ends_with(' ')) text.pop_back();
    console.line(text);
  }
}

}  // namespace towpath::cli
