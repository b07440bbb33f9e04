#include "tests/simulation/sim_link.hpp"

namespace towpath::sim {
namespace {

// Of these one request suffers one at most.
constexpr Mishap kLineMishaps[] = {Mishap::kLineLost,      Mishap::kLineAnswerLost, Mishap::kLineTwice,
                                   Mishap::kLineOld,       Mishap::kLineCut,        Mishap::kLineFlip,
                                   Mishap::kLineAnswerCut, Mishap::kLineAnswerFlip, Mishap::kLinePage,
                                   Mishap::kLineBusy,      Mishap::kLineSlow};

}  // namespace

SimLink::SimLink(std::string urn, SimHub& hub, SimRandom random, SimTime& time, Trace& trace,
                 const Mishaps& mishaps, std::size_t hub_changes)
    : urn_(std::move(urn)),
      hub_(hub),
      days_(random),
      requests_(days_.split()),
      random_(requests_.split()),
      time_(time),
      trace_(trace),
      mishaps_(mishaps),
      hub_changes_(hub_changes) {}

void SimLink::damage(Bytes& bytes, bool cut) {
  if (bytes.empty()) return;
  const std::size_t at = random_.below(bytes.size());
  if (cut)
    bytes.resize(at);
  else
    bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << random_.below(8)));
}

std::optional<Result<Bytes>> SimLink::deliver(ByteView request) {
  if (hub_.down()) disturbed_ = true;
  // One at a time: the first that its dice choose.
  std::optional<std::pair<Mishap, Fault>> fault;
  for (const auto& one : {std::pair{Mishap::kHubKill, Fault::kKill},
                          {Mishap::kHubPower, Fault::kPowerCut},
                          {Mishap::kHubFull, Fault::kFull},
                          {Mishap::kHubError, Fault::kFlaky}})
    if (mishaps_.strikes(one.first, random_) && !fault) fault = one;
  const bool strikes = fault && !hub_.down();
  if (strikes) {
    const std::size_t at = random_.skewed(hub_changes_);
    trace_.mishap(fault->first, "change " + std::to_string(at));
    hub_.disk().clear_struck();
    hub_.disk().arm(fault->second, at);
  }
  auto answer = hub_.receive(urn_, request);
  if (strikes) {
    disturbed_ = true;
    hub_.disk().disarm();
    hub_.disk().heal();
  }
  return answer;
}

Result<Reply> SimLink::exchange(ByteView body) {
  random_ = requests_.split();
  std::optional<Mishap> fate;
  for (const Mishap mishap : kLineMishaps)
    if (mishaps_.strikes(mishap, random_) && !fate) fate = mishap;
  disturbed_ = disturbed_ || fate;
  sent_ += body.size();
  if (departs) departs(body);
  Bytes request(body.begin(), body.end());
  trace_.event("request of " + std::to_string(body.size()) + " bytes");
  if (fate) trace_.mishap(*fate);
  time_.pass(fate == Mishap::kLineSlow ? std::chrono::minutes{3} : std::chrono::milliseconds{80});

  if (fate == Mishap::kLineOld && !old_.empty()) static_cast<void>(deliver(old_[random_.below(old_.size())]));
  old_.push_back(request);
  if (old_.size() > kOldKept) old_.pop_front();
  if (fate == Mishap::kLineCut || fate == Mishap::kLineFlip) damage(request, fate == Mishap::kLineCut);
  if (fate == Mishap::kLineLost) return fail(Code::kTransport, "no answer (connection reset)");
  if (fate == Mishap::kLinePage) {
    const std::string page = "<!DOCTYPE html><html><head><title>Blocked</title></head></html>";
    return Reply{200, "text/html", Bytes(page.begin(), page.end())};
  }
  if (fate == Mishap::kLineBusy) return Reply{503, "text/plain", {}};

  auto answer = deliver(request);
  if (fate == Mishap::kLineTwice) {
    auto second = deliver(request);
    if (random_.chance(50)) answer = std::move(second);
  }
  if (meanwhile) meanwhile();
  if (!answer) return fail(Code::kTransport, "no answer (connection refused)");
  if (fate == Mishap::kLineAnswerLost) return fail(Code::kTransport, "no answer (timed out)");
  if (!*answer) return Reply{400, "text/plain", {}};  // as the server does
  Reply reply{200, std::string(kBundleMediaType), std::move(**answer)};
  if (fate == Mishap::kLineAnswerCut || fate == Mishap::kLineAnswerFlip)
    damage(reply.body, fate == Mishap::kLineAnswerCut);
  received_ += reply.body.size();
  return reply;
}

}  // namespace towpath::sim
