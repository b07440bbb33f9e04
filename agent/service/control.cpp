#include "agent/service/control.hpp"

#include <algorithm>
#include <utility>

namespace towpath::control {
namespace {

using nlohmann::ordered_json;

// As many sources as a configuration may have, and a path with its option.
constexpr std::size_t kSourcesMost = 32;
constexpr std::size_t kTextMost = 8192;

// What reaches a terminal: no control character that would move its cursor.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return text;
}

std::string packed(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool texts(const ordered_json& list, std::size_t most, std::vector<std::string>& out) {
  if (!list.is_array() || list.size() > most) return false;
  for (const ordered_json& one : list) {
    if (!one.is_string()) return false;
    out.push_back(printable(one.get<std::string>()));
  }
  return true;
}

bool flag(const ordered_json& object, const char* key, bool& out) {
  if (!object.contains(key)) return true;
  if (!object[key].is_boolean()) return false;
  out = object[key].get<bool>();
  return true;
}

}  // namespace

std::string request_line(const Request& request) {
  ordered_json out;
  switch (request.verb) {
    case Verb::kStatus:
      out["ask"] = "status";
      return packed(out);
    case Verb::kExtract:
      out = {{"ask", "extract"},
             {"sources", request.wish.sources},
             {"accept_deletions", request.wish.accept_deletions},
             {"full", request.wish.full}};
      break;
    case Verb::kSync:
      out["ask"] = "sync";
      break;
  }
  out["program"] = request.program;
  return packed(out);
}

Result<Request> read_request(std::string_view line) {
  const ordered_json in = ordered_json::parse(line, nullptr, false);
  const auto refused = [](const char* why) {
    return fail(Code::kUsage, std::string("the request is ") + why,
                "Ask with the same version of towpath as the service's");
  };
  if (!in.is_object() || !in.contains("ask") || !in["ask"].is_string()) return refused("no request");
  const auto& ask = in["ask"].get_ref<const std::string&>();
  Request out;
  if (ask == "status")
    out.verb = Verb::kStatus;
  else if (ask == "extract")
    out.verb = Verb::kExtract;
  else if (ask == "sync")
    out.verb = Verb::kSync;
  else
    return refused("for something that this service does not know");
  if (in.contains("sources") && !texts(in["sources"], kSourcesMost, out.wish.sources))
    return refused("not of the right shape");
  if (!flag(in, "accept_deletions", out.wish.accept_deletions) || !flag(in, "full", out.wish.full))
    return refused("not of the right shape");
  if (in.contains("program")) {
    if (!in["program"].is_string() || in["program"].get_ref<const std::string&>().size() > kTextMost)
      return refused("not of the right shape");
    out.program = printable(in["program"].get<std::string>());
  }
  return out;
}

std::string moves_line(std::string_view what, std::string_view moves) {
  return packed({{"moves", std::string(what) + (moves.empty() ? "" : ": ") + std::string(moves)}});
}

std::string told_line(const cli::Told& told) {
  return packed({{"told",
                  {{"lines", told.lines},
                   {"errors", told.errors},
                   {"document", told.document},
                   {"exit_code", told.exit_code}}}});
}

std::string status_line(const ordered_json& service) { return packed({{"service", service}}); }

Result<Answer> read_answer(std::string_view line) {
  ordered_json in = ordered_json::parse(line, nullptr, false);
  const auto odd = [] {
    return fail(Code::kDamaged, "the service's answer cannot be read",
                "Is it of the same version? systemctl restart towpath");
  };
  Answer out;
  if (!in.is_object()) return odd();
  if (in.contains("moves")) {
    if (!in["moves"].is_string()) return odd();
    out.moves = printable(in["moves"].get<std::string>());
    return out;
  }
  if (in.contains("service")) {
    if (!in["service"].is_object()) return odd();
    out.service = std::move(in["service"]);
    return out;
  }
  if (!in.contains("told") || !in["told"].is_object()) return odd();
  ordered_json& told = in["told"];
  if (!told.contains("lines") || !told.contains("errors") || !told.contains("document") ||
      !told.contains("exit_code") || !told["exit_code"].is_number_integer() || !told["document"].is_object())
    return odd();
  cli::Told said;
  // Some thousand: a line a file, a dataset, a reason.
  constexpr std::size_t kLinesMost = 100'000;
  if (!texts(told["lines"], kLinesMost, said.lines) || !texts(told["errors"], kLinesMost, said.errors))
    return odd();
  const auto code = told["exit_code"].get<std::int64_t>();
  if (code < 0 || code > 255) return odd();
  said.exit_code = static_cast<int>(code);
  said.document = std::move(told["document"]);
  out.told = std::move(said);
  return out;
}

}  // namespace towpath::control
