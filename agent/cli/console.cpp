#include "agent/cli/console.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace towpath::cli {
namespace {

void put(std::FILE* to, std::string_view text) {
  if (!text.empty()) std::fwrite(text.data(), 1, text.size(), to);  // an empty view may point nowhere
  std::fputc('\n', to);
}

// One line each: a message from a library may hold line breaks.
std::string one_line(std::string_view text) {
  std::string out = safe_text(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return out;
}

}  // namespace

void Console::line(std::string_view text) const {
  // A column's name in an export, say: whoever wrote it moves no cursor here.
  if (!json_) put(stdout, safe_text(text));
}

void Console::result(const nlohmann::ordered_json& document) const {
  if (!json_) return;
  // A name that is not UTF-8 must not cost the document.
  put(stdout, document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void Console::error(std::string_view sentence) const { put(stderr, "towpath: " + one_line(sentence)); }

void Console::error(std::string_view what, const Error& why) const {
  Told out;
  out.error(what, why);
  for (const std::string& sentence : out.errors) error(sentence);
}

int Console::say(const Told& told) const {
  for (const std::string& text : told.lines) line(text);
  for (const std::string& sentence : told.errors) error(sentence);
  result(told.document);
  return told.exit_code;
}

int Console::failed(const Error& why) const { return say(told(why)); }
int Console::failed(const std::string& file, const ConfigProblems& problems) const {
  return say(told(file, problems));
}

}  // namespace towpath::cli
