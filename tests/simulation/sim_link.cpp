#include "tests/simulation/sim_link.hpp"

namespace towpath::sim {

SimLink::SimLink(std::string urn, SimHub& hub, SimRandom random, SimTime& time, Trace& trace, Faults faults)
    : urn_(std::move(urn)), hub_(hub), random_(random), time_(time), trace_(trace), faults_(faults) {}

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
  const bool strikes = faults_.hub_machine && !hub_.down() && random_.chance(12);
  if (strikes) {
    static constexpr Fault kFaults[] = {Fault::kKill, Fault::kPowerCut, Fault::kPowerCut, Fault::kFull,
                                        Fault::kFlaky};
    const Fault fault = kFaults[random_.below(std::size(kFaults))];
    const std::size_t at = random_.skewed(faults_.hub_changes);
    trace_.event(std::string("hub: ") + sim::name(fault) + " at change " + std::to_string(at));
    hub_.disk().clear_struck();
    hub_.disk().arm(fault, at);
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
  enum class Fate {
    kNone,
    kRequestLost,
    kAnswerLost,
    kTwice,
    kOldFirst,
    kCut,
    kFlipped,
    kAnswerCut,
    kAnswerFlipped,
    kPage,
    kUnavailable,
    kSlow
  };
  constexpr Fate kBad[] = {Fate::kRequestLost, Fate::kAnswerLost,  Fate::kTwice,     Fate::kOldFirst,
                           Fate::kCut,         Fate::kFlipped,     Fate::kAnswerCut, Fate::kAnswerFlipped,
                           Fate::kPage,        Fate::kUnavailable, Fate::kSlow};
  constexpr const char* kNames[] = {"passes",
                                    "request lost",
                                    "answer lost",
                                    "twice",
                                    "an old one first",
                                    "request cut",
                                    "request flipped",
                                    "answer cut",
                                    "answer flipped",
                                    "a filter's page",
                                    "503",
                                    "slow"};
  const Fate fate = faults_.line && random_.chance(35) ? kBad[random_.below(std::size(kBad))] : Fate::kNone;
  disturbed_ = disturbed_ || fate != Fate::kNone;
  sent_ += body.size();
  Bytes request(body.begin(), body.end());
  trace_.event("request of " + std::to_string(body.size()) + " bytes: " + kNames[static_cast<int>(fate)]);
  time_.pass(fate == Fate::kSlow ? std::chrono::minutes{3} : std::chrono::milliseconds{80});

  if (fate == Fate::kOldFirst && !old_.empty()) static_cast<void>(deliver(old_[random_.below(old_.size())]));
  old_.push_back(request);
  if (old_.size() > kOldKept) old_.pop_front();
  if (fate == Fate::kCut || fate == Fate::kFlipped) damage(request, fate == Fate::kCut);
  if (fate == Fate::kRequestLost) return fail(Code::kTransport, "no answer (connection reset)");
  if (fate == Fate::kPage) {
    const std::string page = "<!DOCTYPE html><html><head><title>Blocked</title></head></html>";
    return Reply{200, "text/html", Bytes(page.begin(), page.end())};
  }
  if (fate == Fate::kUnavailable) return Reply{503, "text/plain", {}};

  auto answer = deliver(request);
  if (fate == Fate::kTwice) {
    auto second = deliver(request);
    if (random_.chance(50)) answer = std::move(second);
  }
  if (meanwhile) meanwhile();
  if (!answer) return fail(Code::kTransport, "no answer (connection refused)");
  if (fate == Fate::kAnswerLost) return fail(Code::kTransport, "no answer (timed out)");
  if (!*answer) return Reply{400, "text/plain", {}};  // as the server does
  Reply reply{200, std::string(kBundleMediaType), std::move(**answer)};
  if (fate == Fate::kAnswerCut || fate == Fate::kAnswerFlipped) damage(reply.body, fate == Fate::kAnswerCut);
  received_ += reply.body.size();
  return reply;
}

}  // namespace towpath::sim
