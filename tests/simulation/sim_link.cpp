#include "tests/simulation/sim_link.hpp"

namespace towpath::sim {
namespace {

// Of these one request suffers one at most.
constexpr Mishap kLineMishaps[] = {Mishap::kLineLost,        Mishap::kLineAnswerLost, Mishap::kLineTwice,
                                   Mishap::kLineOld,         Mishap::kLineCut,        Mishap::kLineFlip,
                                   Mishap::kLineAnswerCut,   Mishap::kLineAnswerFlip, Mishap::kLinePage,
                                   Mishap::kLineBusy,        Mishap::kLineSlow,       Mishap::kLineLate,
                                   Mishap::kLinePageDressed, Mishap::kLineCrossed,    Mishap::kLineCached};

// A minute without a byte is a dead line to the agent (agent/line/line_options.hpp).
constexpr std::chrono::seconds kPatience{60};

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
                          {Mishap::kHubError, Fault::kFlaky},
                          {Mishap::kHubRead, Fault::kRead},
                          {Mishap::kHubUnreadable, Fault::kUnreadable}})
    if (mishaps_.strikes(one.first, random_) && !fault) fault = one;
  const bool strikes = fault && !hub_.down();
  if (strikes) {
    const std::size_t at = random_.skewed(hub_changes_);
    trace_.mishap(fault->first, (of_reads(fault->second) ? "read " : "change ") + std::to_string(at));
    hub_.disk().clear_struck();
    hub_.disk().arm(fault->second, at);
  }
  auto answer = hub_.receive(urn_, request);
  const bool unsaid = mishaps_.strikes(Mishap::kHubUnsaid, random_);
  if (unsaid && answer && !hub_.down()) {
    trace_.mishap(Mishap::kHubUnsaid);
    disturbed_ = true;
    hub_.disk().stop(Fault::kPowerCut);
    answer.reset();
  }
  if (strikes) {
    disturbed_ = true;
    hub_.disk().disarm();
    hub_.disk().heal();
  }
  return answer;
}

void SimLink::begin_day() {
  requests_ = days_.split();
  random_ = requests_.split();
  std::optional<Mishap> begins;
  for (const Mishap mishap : {Mishap::kLineOutage, Mishap::kLineOneWay, Mishap::kLineCutAt})
    if (mishaps_.strikes(mishap, random_) && !begins) begins = mishap;
  const auto days = std::chrono::days{random_.between(1, begins == Mishap::kLineOutage ? 4 : 2)};
  const std::size_t at = random_.skewed(4000);
  const bool answers = random_.chance(50);
  if (!begins || (spell_ && time_.now < spell_->until)) return;
  spell_ = Spell{*begins, time_.now + days - std::chrono::hours{1}, at, answers};
  trace_.mishap(*begins,
                std::to_string(days.count()) + " days" +
                    (*begins == Mishap::kLineCutAt ? ", " + std::string(answers ? "answers" : "requests") +
                                                         " at byte " + std::to_string(at)
                                                   : std::string{}));
}

void SimLink::heal() {
  mishaps_ = Mishaps::none();
  spell_.reset();
}

bool SimLink::deliver_late() {
  if (late_.empty() || hub_.down()) return false;
  const std::size_t which = random_.below(late_.size());
  const Bytes request = std::move(late_[which]);
  late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(which));
  trace_.event("a request of before arrives, " + std::to_string(request.size()) + " bytes");
  const auto key = hub_.current_key(urn_);
  static_cast<void>(deliver(request));
  if (overtaken && !hub_.down() && hub_.current_key(urn_) != key) overtaken();
  return true;
}

Result<Reply> SimLink::exchange(ByteView body) {
  random_ = requests_.split();
  asked_for_later_ = false;
  std::optional<Mishap> fate;
  for (const Mishap mishap : kLineMishaps)
    if (mishaps_.strikes(mishap, random_) && !fate) fate = mishap;
  if (spell_ && time_.now >= spell_->until) spell_.reset();
  if (spell_) fate = spell_->mishap;
  disturbed_ = disturbed_ || fate;
  ++asked_;
  sent_ += body.size();
  if (departs) departs(body);
  Bytes request(body.begin(), body.end());
  trace_.event("request of " + std::to_string(body.size()) + " bytes");
  if (fate && !spell_) trace_.mishap(*fate);
  time_.pass(fate == Mishap::kLineSlow ? std::chrono::minutes{3} : std::chrono::milliseconds{80});

  if (fate == Mishap::kLineOld && !old_.empty()) static_cast<void>(deliver(old_[random_.below(old_.size())]));
  old_.push_back(request);
  if (old_.size() > kOldKept) old_.pop_front();
  if (fate == Mishap::kLineCut || fate == Mishap::kLineFlip) damage(request, fate == Mishap::kLineCut);
  if (fate == Mishap::kLineCutAt && !spell_->answers && request.size() > spell_->at)
    request.resize(spell_->at);
  if (fate == Mishap::kLineLost || fate == Mishap::kLineOutage)
    return fail(Code::kTransport, "no answer (connection reset)");
  if (fate == Mishap::kLineLate) {
    late_.push_back(std::move(request));
    return fail(Code::kTransport, "no answer (timed out)");
  }
  if (fate == Mishap::kLinePage || fate == Mishap::kLinePageDressed) {
    const std::string page = "<!DOCTYPE html><html><head><title>Blocked</title></head></html>";
    return Reply{200, fate == Mishap::kLinePage ? "text/html" : std::string(kBundleMediaType),
                 Bytes(page.begin(), page.end())};
  }
  if (fate == Mishap::kLineBusy) return Reply{503, "text/plain", {}};
  if (fate == Mishap::kLineCached && !answers_.empty()) {
    // The hub hears nothing of it.
    const Bytes& kept = answers_[random_.below(answers_.size())];
    return Reply{200, std::string(kBundleMediaType), kept};
  }

  const Instant asked = time_.now;
  auto answer = deliver(request);
  if (fate == Mishap::kLineTwice) {
    auto second = deliver(request);
    if (random_.chance(50)) answer = std::move(second);
  }
  // What was late comes after what was sent later.
  if (!late_.empty() && random_.chance(30)) {
    disturbed_ = true;
    deliver_late();
  }
  if (meanwhile) meanwhile();
  if (time_.now - asked > kPatience) {
    disturbed_ = true;
    return fail(Code::kTransport, "no answer (timed out)");
  }
  return answered(std::move(answer), fate);
}

Result<Reply> SimLink::answered(std::optional<Result<Bytes>> answer, std::optional<Mishap> fate) {
  if (!answer) return fail(Code::kTransport, "no answer (connection refused)");
  if (fate == Mishap::kLineAnswerLost || fate == Mishap::kLineOneWay)
    return fail(Code::kTransport, "no answer (timed out)");
  if (!*answer) return Reply{400, "text/plain", {}};  // as the server does
  Reply reply{200, std::string(kBundleMediaType), std::move(**answer)};
  answers_.push_back(reply.body);
  if (answers_.size() > kOldKept) answers_.pop_front();
  if (fate == Mishap::kLineCrossed)
    if (const Bytes* others = hub_.answer_to_another(urn_)) reply.body = *others;
  asked_for_later_ = hub_.asks_for_later(reply.body);
  if (fate == Mishap::kLineAnswerCut || fate == Mishap::kLineAnswerFlip)
    damage(reply.body, fate == Mishap::kLineAnswerCut);
  if (fate == Mishap::kLineCutAt && spell_->answers && reply.body.size() > spell_->at)
    reply.body.resize(spell_->at);
  received_ += reply.body.size();
  return reply;
}

}  // namespace towpath::sim
