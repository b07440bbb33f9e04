#include "agent/line/curl_transport.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "agent/line/route.hpp"
#include "agent/line/wire.hpp"
#include "agent/uplink/page.hpp"

namespace towpath {
namespace {

// Several ways, one error: what was wrong with each, and the advice for the first, which is the one
// that somebody has asked for.
Error no_way(const std::string& hub, std::vector<std::pair<std::string, Error>> failed) {
  if (failed.size() == 1) return std::move(failed.front().second);
  std::string what = "no way to the hub at " + hub + " worked";
  for (const auto& [route, error] : failed)
    what += (&route == &failed.front().first ? ": " : "; ") + route + ": " + error.what();
  return {failed.front().second.code(), std::move(what), failed.front().second.next()};
}

}  // namespace

struct CurlTransport::State {
  LineOptions options;
  Wire wire;
  RoutePlan plan;
  std::optional<std::size_t> worked;  // the route of the last answer
  std::string route;
  bool asked_memory = false;

  explicit State(const LineOptions& given)
      : options(given), wire(given), plan(given, [this] { return wire.ask_script(); }) {}

  // Which to try first: what worked here, or in an earlier run.
  [[nodiscard]] std::optional<std::size_t> favourite() {
    if (!std::exchange(asked_memory, true) && options.memory != nullptr && !worked)
      if (const auto key = options.memory->recall()) return plan.find(*key);
    return worked;
  }
  void remember(std::size_t index) {
    const bool news = worked != index;
    worked = index;
    if (!news) return;
    route = plan.at(index)->key();
    if (options.memory != nullptr) options.memory->worked(route);
  }
};

CurlTransport::CurlTransport(const LineOptions& options) : state_(std::make_unique<State>(options)) {}
CurlTransport::~CurlTransport() = default;

Result<Reply> CurlTransport::exchange(ByteView body) {
  State& state = *state_;
  TP_TRY(state.wire.ready());
  const std::optional<std::size_t> first = state.favourite();
  std::vector<std::pair<std::string, Error>> failed;
  std::optional<Reply> page;
  // The favourite, then the others in their order.
  for (std::size_t turn = 0;; ++turn) {
    std::size_t index = turn;
    if (first) index = turn == 0 ? *first : turn <= *first ? turn - 1 : turn;
    const Route* route = state.plan.at(index);
    if (route == nullptr) break;
    Attempt attempt = state.wire.attempt(*route, body, nullptr);
    if (attempt.reply) {
      if (!is_html(*attempt.reply)) {
        state.remember(index);
        return std::move(*attempt.reply);
      }
      // A page in place of the hub: another way may lead past it. If none does, the first is told of.
      if (!page) page = std::move(attempt.reply);
      continue;
    }
    // Sent, and then it broke: another way cannot know more, and the next exchange asks again.
    if (attempt.error->code() == Code::kStopped || attempt.went_out) return fail(std::move(*attempt.error));
    failed.emplace_back(route->key(), std::move(*attempt.error));
  }
  if (page) return std::move(*page);
  if (const auto& script = state.plan.script_error()) {
    if (script->code() == Code::kStopped) return fail(*script);
    failed.emplace_back("proxy script", *script);
  }
  if (failed.empty())
    return fail(Code::kConfig, "no way to the hub at " + state.wire.hub().shown + " is known",
                "Check [hub] proxy in the configuration");
  return fail(no_way(state.wire.hub().shown, std::move(failed)));
}

std::uint64_t CurlTransport::bytes_sent() const { return state_->wire.bytes_sent(); }
std::uint64_t CurlTransport::bytes_received() const { return state_->wire.bytes_received(); }
const std::string& CurlTransport::route() const { return state_->route; }

}  // namespace towpath
