#include "hub/cli/console.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace towpath::hub_cli {
namespace {

// One line each: a message from a library may hold line breaks.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

void put(std::FILE* to, std::string text) {
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), to);  // one write: threads' lines do not mix
  std::fflush(to);
}

}  // namespace

int exit_code_of(Code code) {
  switch (code) {
    case Code::kUsage:
      return kUsage;
    case Code::kConfig:
      return kConfigInvalid;
    case Code::kNotPermitted:
      return kNotPermitted;
    default:
      return kFailed;
  }
}

void Console::line(std::string_view text) const {
  if (!json_) put(stdout, std::string(text));
}

void Console::result(const nlohmann::ordered_json& document) const {
  if (json_) put(stdout, document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void Console::note(std::string_view sentence) const { put(stderr, "towpath-hub: " + one_line(sentence)); }

int Console::failed(const Error& error) const {
  const int code = exit_code_of(error.code());
  note(error.sentence());
  result({{"schema_version", kSchemaVersion},
          {"error", {{"code", name(error.code())}, {"message", error.what()}, {"next", error.next()}}},
          {"exit_code", code}});
  return code;
}

}  // namespace towpath::hub_cli
