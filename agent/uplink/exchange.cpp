#include "agent/uplink/exchange.hpp"

#include <algorithm>
#include <utility>

#include "agent/uplink/answer.hpp"

namespace towpath {
namespace {

// A hub's sentence is shown on one line.
constexpr std::size_t kHubTextMax = 300;
// What a hub that is busy with our school is given, in seconds: one bundle takes it less.
constexpr std::uint32_t kBusySeconds = 10;

// Both ends hold the same: the same last segment and the same state. Two that hold nothing do too.
bool same_state(const Head& a, const Head& b) {
  if (a.seq.number == 0 && b.seq.number == 0) return a.digest == b.digest;
  return a.epoch == b.epoch && a.seq == b.seq && a.segment == b.segment && a.digest == b.digest;
}

std::string at(const Head& head) {
  return "epoch " + std::to_string(head.epoch.number) + ", segment " + std::to_string(head.seq.number);
}

}  // namespace

// What one answer says about our stream.
struct Exchange::Heard {
  std::optional<Head> head;
  std::vector<ProblemFrame> problems;
  std::optional<std::uint32_t> later;
};

Exchange::Exchange(Publisher& publisher, Sealer& sealer, Transport& transport, Clock& clock, Random& random,
                   ExchangeOptions options)
    : publisher_(publisher),
      sealer_(sealer),
      transport_(transport),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      sent_before_(transport.bytes_sent()),
      received_before_(transport.bytes_received()) {}

// Has something ready to be sent, if there is anything. What waits from an earlier sync stays
// as it is; what has changed since is one segment after it.
Result<void> Exchange::prepare() {
  if (report_.exchanges > 0) {
    const auto waiting = publisher_.waiting_count();
    if (!waiting) return fail(waiting.error());
    if (*waiting > 0) return {};
  }
  auto made = publisher_.publish();
  if (!made) return fail(std::move(made).error());
  report_.body_bytes += made->body_bytes;
  return {};
}

Result<Bundle> Exchange::ask(std::vector<Bytes> segments) {
  Bundle bundle;
  random_.fill(bundle.id.uuid.bytes);
  bundle.id.uuid.bytes[6] =
      static_cast<std::uint8_t>((bundle.id.uuid.bytes[6] & 0x0f) | 0x40);  // UUID version 4
  bundle.id.uuid.bytes[8] = static_cast<std::uint8_t>((bundle.id.uuid.bytes[8] & 0x3f) | 0x80);
  const auto believed = publisher_.acknowledged();
  if (!believed) return fail(believed.error());
  bundle.sent = clock_.now();
  bundle.frames.emplace_back(
      HelloFrame{"school:" + options_.school_urn, options_.software, options_.dictionary_version});
  bundle.frames.emplace_back(HeadFrame{publisher_.stream(), *believed});
  for (Bytes& segment : segments) {
    report_.segment_bytes += segment.size();
    bundle.frames.emplace_back(SegmentFrame{std::move(segment)});
  }
  auto body = sealer_.seal(bundle);
  if (!body) return fail(std::move(body).error());
  bundle.frames.clear();  // a megabyte that is not needed while the line is slow
  auto reply = transport_.exchange(*body);
  report_.bytes_sent = transport_.bytes_sent() - sent_before_;
  report_.bytes_received = transport_.bytes_received() - received_before_;
  if (!reply) return fail(std::move(reply).error());
  auto answer = read_answer(*reply, sealer_, bundle.id, options_.hub_url);
  if (answer) ++report_.exchanges;
  return answer;
}

void Exchange::read_clock(Instant hubs) {
  const auto ahead = std::chrono::duration_cast<std::chrono::minutes>(clock_.now() - hubs);
  if (skew_said_ || std::chrono::abs(ahead) < kClockSkewMax) return;
  skew_said_ = true;
  report_.events.push_back("this machine's clock is " + std::to_string(std::chrono::abs(ahead).count()) +
                           " minutes " + (ahead.count() > 0 ? "ahead of" : "behind") +
                           " the hub's; set it right (nothing was lost by it)");
}

Result<void> Exchange::begin_epoch(Epoch hub, const std::string& why) {
  if (++epochs_begun_ > kNewEpochsMax)
    return fail(Code::kRefused,
                "the hub has asked for " + std::to_string(epochs_begun_) +
                    " new epochs in one sync; the last time: " + why,
                "Run towpath verify here and towpath-hub verify at the hub, and tell the hub's operator");
  const auto own = publisher_.head();
  if (!own) return fail(own.error());
  const auto believed = publisher_.acknowledged();
  if (!believed) return fail(believed.error());
  const Epoch at_least = std::max({hub, own->epoch, believed->epoch});
  TP_TRY(publisher_.new_epoch(at_least, why));
  report_.events.push_back(why + "; everything is sent again in a new epoch after " +
                           std::to_string(at_least.number));
  return {};
}

Result<bool> Exchange::take_head(const Heard& heard) {
  const Head& hub = *heard.head;
  const auto before = publisher_.acknowledged();
  if (!before) return fail(before.error());
  const auto next = publisher_.heard(hub);
  if (!next) return fail(next.error());
  if (*next == Publisher::Next::kNewEpoch) {
    const bool forked = std::any_of(heard.problems.begin(), heard.problems.end(),
                                    [](const ProblemFrame& p) { return p.code == Code::kForked; });
    const std::string why =
        forked ? "the hub holds another segment under a number of ours (at " + at(hub) +
                     "): this machine was restored or copied"
        : hub.seq.number == 0
            ? "the hub holds nothing of this school, though it had acknowledged " + at(*before)
            : "the hub stands at " + at(hub) +
                  ", which does not follow from what it had "
                  "acknowledged (" +
                  at(*before) + ")";
    TP_TRY(begin_epoch(hub.epoch, why));
    return true;
  }
  const auto after = publisher_.acknowledged();
  if (!after) return fail(after.error());
  const bool same_epoch = after->epoch == before->epoch;
  if (same_epoch && after->seq <= before->seq) return false;
  report_.segments += after->seq.number - (same_epoch ? before->seq.number : 0);
  return true;
}

Result<bool> Exchange::take_problem(const ProblemFrame& problem, const Heard& heard) {
  const std::string which = "segment " + std::to_string(problem.seq.number);
  const std::string text = safe_line(problem.text, kHubTextMax);
  const Epoch hub = heard.head ? heard.head->epoch : Epoch{};
  switch (problem.code) {
    case Code::kRepeated:    // an answer was lost; the head says how far the hub is
    case Code::kOutOfOrder:  // the head says where to go on
    case Code::kForked:
      return false;
    case Code::kMissingReference:
      TP_TRY(publisher_.without_reference(problem.seq));
      report_.events.push_back("the hub lacks what " + which + " builds on; it is sent again whole");
      return true;
    case Code::kDigestDiffers:
      TP_TRY(begin_epoch(hub, "the hub's state differs from ours at " + which));
      return true;
    case Code::kDamaged:  // the bundle's hash was right, so it was damaged here
      TP_TRY(begin_epoch(hub, which + " is damaged in this school's store"));
      return true;
    case Code::kUnknownVersion:
      return fail(Code::kUnknownVersion, "the hub cannot read " + which + ": " + text,
                  "The hub is older than this agent; ask its operator to update it");
    default: {
      // A hub may say itself what its operator has to do.
      constexpr std::string_view kOperator = "; its operator ";
      const std::size_t remedy = text.find(kOperator);
      const bool said = remedy != std::string::npos;
      return fail(Code::kRefused,
                  "the hub" + (options_.hub_url.empty() ? std::string() : " at " + options_.hub_url) +
                      " did not take " + (problem.seq.number == 0 ? "the bundle" : which) + ": " +
                      text.substr(0, remedy),
                  said ? "The hub's operator " + text.substr(remedy + kOperator.size())
                       : std::string("Ask the hub's operator"));
    }
  }
}

Result<bool> Exchange::step() {
  if (report_.exchanges >= options_.exchanges_max)
    return fail(Code::kRefused, "no end after " + std::to_string(report_.exchanges) + " exchanges",
                "Run sync again; if that does not end either, tell the hub's operator");
  TP_TRY(prepare());
  const std::size_t room =
      options_.body_bytes > kBundleFramesReserve ? options_.body_bytes - kBundleFramesReserve : 0;
  auto segments = publisher_.waiting(room);
  if (!segments) return fail(std::move(segments).error());
  auto answer = ask(std::move(*segments));
  if (!answer) return fail(std::move(answer).error());

  const auto own_before = publisher_.head();
  if (!own_before) return fail(own_before.error());
  Heard heard;
  read_clock(answer->sent);
  for (Frame& frame : answer->frames) {
    if (const auto* head = std::get_if<HeadFrame>(&frame)) {
      if (head->stream != publisher_.stream()) continue;
      // A hub may hold two epochs while one is being loaded: ours counts, else the newest.
      const bool ours = head->head.epoch == own_before->epoch;
      if (!heard.head || ours ||
          (heard.head->epoch != own_before->epoch && head->head.epoch > heard.head->epoch))
        heard.head = head->head;
    } else if (auto* problem = std::get_if<ProblemFrame>(&frame)) {
      heard.problems.push_back(std::move(*problem));
    } else if (const auto* later = std::get_if<LaterFrame>(&frame)) {
      heard.later = later->seconds;
    }
  }
  if (!heard.head && heard.problems.empty() && !heard.later)
    return fail(Code::kTransport, "the hub's answer does not say where it stands", "Run sync again");

  const std::uint32_t epochs_before = epochs_begun_;
  bool moved = false;
  if (heard.head) {
    auto took = take_head(heard);
    if (!took) return fail(std::move(took).error());
    moved = *took;
  }
  for (const ProblemFrame& problem : heard.problems) {
    if (epochs_begun_ != epochs_before) break;  // the rest is about an epoch that is over
    if (problem.code == Code::kBusy) {
      heard.later = std::max(heard.later.value_or(0), kBusySeconds);
      continue;
    }
    auto took = take_problem(problem, heard);
    if (!took) return fail(std::move(took).error());
    moved = moved || *took;
  }

  const auto own = publisher_.head();
  if (!own) return fail(own.error());
  const auto waiting = publisher_.waiting_count();
  if (!waiting) return fail(waiting.error());
  const auto pending = publisher_.pending();
  if (!pending) return fail(pending.error());
  report_.head = *own;
  report_.up_to_date = *waiting == 0 && !*pending;
  report_.equal = report_.up_to_date && heard.head && same_state(*heard.head, *own);
  if (heard.later) {
    report_.later_seconds = *heard.later;
    return false;
  }
  if (report_.up_to_date && !report_.equal && heard.head) {
    TP_TRY(begin_epoch(heard.head->epoch,
                       "the hub stands at " + at(*heard.head) + " with another state than ours"));
    report_.up_to_date = false;
    return true;
  }
  if (report_.up_to_date) return false;
  stalled_ = moved ? 0 : stalled_ + 1;
  if (stalled_ >= kStalledMax)
    return fail(Code::kRefused,
                "the hub has answered " + std::to_string(stalled_) +
                    " times without taking anything; it stands at " +
                    (heard.head ? at(*heard.head) : std::string("an unknown place")) + ", we at " + at(*own),
                "Tell the hub's operator; nothing is lost here");
  return true;
}

Result<SyncReport> Exchange::run() {
  for (;;) {
    auto more = step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return report_;
  }
}

}  // namespace towpath
