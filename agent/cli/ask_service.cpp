#include "agent/cli/ask_service.hpp"

#include <filesystem>
#include <string>
#include <utility>

#include "platform/doorway.hpp"

namespace towpath::cli {
namespace {

Result<control::Answer> ask(const AgentConfig& config, const control::Request& request, Watcher* watcher) {
  const std::string door = (std::filesystem::path(config.data) / control::kSocketName).string();
  const auto last = platform::ask_door(door, control::request_line(request), [&](std::string_view line) {
    const auto answer = control::read_answer(line);
    if (watcher != nullptr && answer && !answer->moves.empty()) watcher->moves("service: " + answer->moves);
  });
  if (!last) return fail(last.error());
  auto answer = control::read_answer(*last);
  if (answer && !answer->told && !answer->service)
    return fail(Code::kStopped, "the service ended before the work was done; the last good state is kept",
                "See what became of it: systemctl status towpath");
  return answer;
}

}  // namespace

std::optional<Told> ask_service(const AgentConfig& config, const control::Request& request,
                                Watcher& watcher) {
  auto answer = ask(config, request, &watcher);
  if (answer && answer->told) return std::move(answer->told);
  if (answer) return told(Error{Code::kDamaged, "the service answered something else"});
  if (answer.error().code() == Code::kNotFound) return std::nullopt;
  return told(answer.error());
}

Result<nlohmann::ordered_json> ask_status(const AgentConfig& config) {
  auto answer = ask(config, {}, nullptr);
  if (!answer) return fail(std::move(answer.error()));
  if (!answer->service) return fail(Code::kDamaged, "the service answered something else");
  return std::move(*answer->service);
}

}  // namespace towpath::cli
