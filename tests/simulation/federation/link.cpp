#include "tests/simulation/federation/link.hpp"

namespace towpath::sim::fed {
namespace {

constexpr Mishap kOfLine[] = {Mishap::kLineLost, Mishap::kLineAnswerLost, Mishap::kLineTwice,
                              Mishap::kLineOld,  Mishap::kLineLate,       Mishap::kLineCut,
                              Mishap::kLineFlip, Mishap::kLineAnswerCut,  Mishap::kLineAnswerFlip};
constexpr std::size_t kOldKept = 6;
// An exchange makes some hundred changes on the hub's disk.
constexpr std::size_t kHubChanges = 150;

}  // namespace

void tell(Trace& trace, Mishap mishap, const std::string& detail) {
  trace.event("! " + std::string(kind_of(mishap).says) + " (" + std::string(kind_of(mishap).name) + ")" +
              (detail.empty() ? "" : ": " + detail));
}

void Link::damage(Bytes& bytes, bool cut) {
  if (bytes.empty()) return;
  const std::size_t at = random_.below(bytes.size());
  if (cut)
    bytes.resize(at);
  else
    bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << random_.below(8)));
}

std::optional<Result<Bytes>> Link::deliver(ByteView request) {
  std::optional<std::pair<Mishap, Fault>> fault;
  for (const auto& one : {std::pair{Mishap::kHubKill, Fault::kKill},
                          {Mishap::kHubPower, Fault::kPowerCut},
                          {Mishap::kHubError, Fault::kFlaky}})
    if (mishaps_.strikes(one.first, random_) && !fault) fault = one;
  const std::size_t at = random_.skewed(kHubChanges);
  if (hub_.down()) {
    disturbed_ = true;
    return std::nullopt;
  }
  if (fault) {
    disturbed_ = true;
    tell(trace_, fault->first, "change " + std::to_string(at));
    hub_.disk().arm(fault->second, at);
  }
  return hub_.receive(urn_, request);
}

bool Link::deliver_late() {
  if (late_.empty() || hub_.down()) return false;
  const Bytes request = std::move(late_.front());
  late_.pop_front();
  trace_.event("a request of before arrives, " + std::to_string(request.size()) + " bytes");
  static_cast<void>(deliver(request));
  return true;
}

Result<Reply> Link::exchange(ByteView body) {
  random_ = requests_.split();
  std::optional<Mishap> fate;
  for (const Mishap mishap : kOfLine)
    if (mishaps_.strikes(mishap, random_) && !fate) fate = mishap;
  const bool late_now = random_.chance(30);
  const bool second_counts = random_.chance(50);
  ++asked_;
  sent_ += body.size();
  departs(body);
  time_.pass(std::chrono::milliseconds{80});
  if (offline()) {
    disturbed_ = true;
    return fail(Code::kTransport, "no answer (no route to host)");
  }
  disturbed_ = disturbed_ || fate;
  Bytes request(body.begin(), body.end());
  trace_.event("request of " + std::to_string(body.size()) + " bytes");
  if (fate) tell(trace_, *fate);
  if (fate == Mishap::kLineOld && !old_.empty()) static_cast<void>(deliver(old_[random_.below(old_.size())]));
  old_.push_back(request);
  if (old_.size() > kOldKept) old_.pop_front();
  if (fate == Mishap::kLineCut || fate == Mishap::kLineFlip) damage(request, fate == Mishap::kLineCut);
  if (fate == Mishap::kLineLost) return fail(Code::kTransport, "no answer (connection reset)");
  if (fate == Mishap::kLineLate) {
    late_.push_back(std::move(request));
    return fail(Code::kTransport, "no answer (timed out)");
  }
  auto answer = deliver(request);
  if (fate == Mishap::kLineTwice) {
    auto second = deliver(request);
    if (second_counts) answer = std::move(second);
  }
  if (!late_.empty() && late_now) {
    disturbed_ = true;
    deliver_late();
  }
  if (!answer) {
    disturbed_ = true;
    return fail(Code::kTransport, "no answer (connection refused)");
  }
  if (fate == Mishap::kLineAnswerLost) return fail(Code::kTransport, "no answer (timed out)");
  if (!*answer) return Reply{400, "text/plain", {}};
  Reply reply{200, std::string(kBundleMediaType), std::move(**answer)};
  if (fate == Mishap::kLineAnswerCut || fate == Mishap::kLineAnswerFlip)
    damage(reply.body, fate == Mishap::kLineAnswerCut);
  received_ += reply.body.size();
  return reply;
}

}  // namespace towpath::sim::fed
