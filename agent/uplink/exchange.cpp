#include "agent/uplink/exchange.hpp"

#include <algorithm>
#include <utility>

#include "agent/uplink/page.hpp"
#include "agent/uplink/refusal.hpp"
#include "agent/uplink/restore.hpp"

namespace towpath {
namespace {

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

Speaker speaker(const ExchangeOptions& options) { return options; }

Exchange::Exchange(Publisher& publisher, LineState& line, HubPeer& peer, Transport& transport, Clock& clock,
                   Random& random, ExchangeOptions options)
    : publisher_(publisher),
      line_(line),
      options_(std::move(options)),
      clock_(clock),
      conversation_(line, peer, transport, clock, random, speaker(options_)) {}

Result<void> Exchange::may_publish() {
  const auto pending = line_.restore_pending();
  if (!pending) return fail(pending.error());
  if (!*pending) return {};
  return fail(
      Code::kRefused,
      "the hub still has what an earlier machine of this school recorded, and it has not been brought "
      "back yet; nothing is sent before",
      "Run " + options_.program + " restore. If the hub has lost it for good: " + options_.program +
          " restore --give-up");
}

Result<void> Exchange::bring_back() {
  const auto pending = line_.restore_pending();
  if (!pending) return fail(pending.error());
  if (!*pending) return {};
  const auto believed = publisher_.acknowledged();
  if (!believed) return fail(believed.error());
  auto counts = restore_from_hub(line_.store(), publisher_.stream(), clock_.now(), [&](Frame question) {
    return conversation_.ask_until_answered({HeadFrame{publisher_.stream(), *believed}, std::move(question)});
  });
  note();
  if (!counts)
    return fail(
        std::move(counts).error().during("bringing back what the hub may have and this machine has not"));
  TP_TRY(line_.set_restore_pending(false));
  std::uint64_t rows = 0;
  for (const auto& [dataset, n] : counts->rows) rows += n;
  if (rows > 0)
    report_.events.push_back("brought back from the hub: " + std::to_string(rows) +
                             (rows == 1 ? " row" : " rows") + " that this machine did not have");
  return {};
}

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

Result<HubAnswer> Exchange::ask(std::vector<Bytes> segments) {
  const auto believed = publisher_.acknowledged();
  if (!believed) return fail(believed.error());
  std::vector<Frame> frames{HeadFrame{publisher_.stream(), *believed}};
  for (Bytes& segment : segments) {
    report_.segment_bytes += segment.size();
    frames.emplace_back(SegmentFrame{std::move(segment)});
  }
  auto answer = conversation_.ask(std::move(frames));
  note();
  return answer;
}

// What the conversation has counted and noticed.
void Exchange::note() {
  report_.exchanges = conversation_.answered;
  report_.key_replaced = conversation_.key_replaced;
  report_.bytes_sent = conversation_.bytes_sent();
  report_.bytes_received = conversation_.bytes_received();
  for (std::string& event : conversation_.events) report_.events.push_back(std::move(event));
  conversation_.events.clear();
}

Result<void> Exchange::begin_epoch(Epoch hub, const std::string& why) {
  if (++epochs_begun_ > kNewEpochsMax)
    return fail(Code::kRefused,
                "the hub has asked for " + std::to_string(epochs_begun_) +
                    " new epochs in one sync; the last time: " + why,
                "Run " + options_.program +
                    " verify here and towpath-hub verify at the hub, and tell the hub's operator");
  const auto own = publisher_.head();
  if (!own) return fail(own.error());
  const auto believed = publisher_.acknowledged();
  if (!believed) return fail(believed.error());
  const Epoch at_least = std::max({hub, own->epoch, believed->epoch});
  TP_TRY(publisher_.new_epoch(at_least, why));
  TP_TRY(line_.past_is_over());  // what was asked so far is about the old one
  report_.events.push_back(why + "; everything is sent again in a new epoch after " +
                           std::to_string(at_least.number));
  return {};
}

Result<bool> Exchange::take_head(const Heard& heard) {
  const Head& hub = *heard.head;
  const auto before = publisher_.acknowledged();
  if (!before) return fail(before.error());
  const auto own = publisher_.head();
  if (!own) return fail(own.error());
  if (hub.epoch.number > own->epoch.number && hub.epoch.number - own->epoch.number > kEpochsBeyondMax)
    return fail(Code::kRefused, "the hub says that it stands at " + at(hub) + ", where no school can be",
                "Tell the hub's operator: what it holds of this school is wrong");
  const auto next = publisher_.heard(hub);
  if (!next) return fail(next.error());
  if (*next == Publisher::Next::kNewEpoch) {
    const bool forked = std::any_of(heard.problems.begin(), heard.problems.end(),
                                    [](const ProblemFrame& p) { return p.code == Code::kForked; });
    const std::string why =
        forked && hub.seq.number > 0 ? "the hub holds another segment under a number of ours (at " + at(hub) +
                                           "): this machine was restored or copied"
        : hub.seq.number == 0
            ? "the hub holds nothing of this school, though it had acknowledged " + at(*before)
            : "the hub stands at " + at(hub) +
                  ", which does not follow from what it had "
                  "acknowledged (" +
                  at(*before) + ")";
    // Ahead of us, or on another chain: somebody has sent it what is not here. (A hub that is behind
    // was set back itself; what it has is older than what we have, and would bring back what is gone.)
    const bool behind = hub.epoch < own->epoch || (hub.epoch == own->epoch && hub.seq < before->seq);
    const bool ours = hub.epoch == own->epoch && hub.seq == own->seq && hub.segment == own->segment;
    if (hub.seq.number > 0 && !behind && !ours && !std::exchange(restore_asked_, true)) {
      TP_TRY(line_.set_restore_pending(true));
      return true;
    }
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
      return false;
    case Code::kForked: {
      // Told by the head, but where the hub has lost the very epoch that we are in.
      const auto own = publisher_.head();
      if (!own) return fail(own.error());
      if (problem.seq.number == 0 || !heard.head || heard.head->seq.number > 0 || hub != own->epoch)
        return false;
      TP_TRY(begin_epoch(hub, "the hub has lost its copy of " + at(*own)));
      return true;
    }
    case Code::kMissingReference: {
      const auto sealed = publisher_.without_reference(problem.seq);
      if (!sealed) return fail(sealed.error());
      if (*sealed)
        report_.events.push_back("the hub lacks what " + which + " builds on; it is sent again whole");
      else
        TP_TRY(begin_epoch(hub, "the hub lacks what " + which + " builds on, and so does this machine"));
      return true;
    }
    case Code::kDigestDiffers:
      TP_TRY(begin_epoch(hub, "the hub's state differs from ours at " + which));
      return true;
    case Code::kDamaged:  // the bundle's hash was right, so it was damaged here
      TP_TRY(begin_epoch(hub, which + " is damaged in this school's store"));
      return true;
    case Code::kUnknownVersion:
      return fail(Code::kUnknownVersion, "the hub cannot read " + which + ": " + text,
                  "The hub is older than this agent; ask its operator to update it");
    default:
      if (problem.seq.number == 0)
        return fail(refusal(problem.code, text, options_.program, options_.hub_url));
      return fail(refusal(Code::kRefused, which + ": " + text, options_.program, options_.hub_url));
  }
}

Result<bool> Exchange::step() {
  if (report_.exchanges >= options_.exchanges_max)
    return fail(Code::kRefused, "no end after " + std::to_string(report_.exchanges) + " exchanges",
                "Run sync again; if that does not end either, tell the hub's operator");
  TP_TRY(bring_back());
  if (std::exchange(options_.replace_key, false)) TP_TRY(conversation_.replace_key());
  TP_TRY(prepare());
  const std::size_t room =
      options_.body_bytes > kBundleFramesReserve ? options_.body_bytes - kBundleFramesReserve : 0;
  auto segments = publisher_.waiting(room);
  if (!segments) return fail(std::move(segments).error());
  auto answer = ask(std::move(*segments));
  if (!answer) return fail(std::move(answer).error());
  if (answer->bundle) return take(std::move(*answer->bundle));
  report_.later_seconds = answer->later_seconds;
  return answer->again;
}

Result<Exchange::Heard> Exchange::read(Bundle& answer) {
  const auto own = publisher_.head();
  if (!own) return fail(own.error());
  Heard heard;
  for (Frame& frame : answer.frames) {
    if (const auto* head = std::get_if<HeadFrame>(&frame)) {
      if (head->stream != publisher_.stream()) continue;
      // A hub may hold two epochs while one is being loaded: ours counts, else the newest.
      const bool ours = head->head.epoch == own->epoch;
      if (!heard.head || ours || (heard.head->epoch != own->epoch && head->head.epoch > heard.head->epoch))
        heard.head = head->head;
    } else if (auto* problem = std::get_if<ProblemFrame>(&frame)) {
      heard.problems.push_back(std::move(*problem));
    } else if (const auto* later = std::get_if<LaterFrame>(&frame)) {
      heard.later = later->seconds;
    }
  }
  if (!heard.head && heard.problems.empty() && !heard.later)
    return fail(Code::kTransport, "the hub's answer does not say where it stands", "Run sync again");
  return heard;
}

Result<bool> Exchange::take(Bundle answer) {
  auto read_now = read(answer);
  if (!read_now) return fail(std::move(read_now).error());
  Heard& heard = *read_now;
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
  // What is left is to tell the hub of our new key.
  if (report_.up_to_date) return conversation_.new_key_due();
  stalled_ = moved ? 0 : stalled_ + 1;
  if (stalled_ >= kStalledMax)
    return fail(Code::kRefused,
                "the hub has answered " + std::to_string(stalled_) +
                    " times without taking anything; it stands at " +
                    (heard.head ? at(*heard.head) : std::string("an unknown place")) + ", we at " + at(*own),
                "Tell the hub's operator; nothing is lost here");
  return true;
}

// An answer to what has been overtaken: it can only say that more has been taken.
Result<void> Exchange::take_old(const Bundle& answer) {
  const auto own = publisher_.head();
  if (!own) return fail(own.error());
  for (const Frame& frame : answer.frames) {
    const auto* told = std::get_if<HeadFrame>(&frame);
    if (told == nullptr || told->stream != publisher_.stream()) continue;
    const auto believed = publisher_.acknowledged();
    if (!believed) return fail(believed.error());
    const Head& hub = told->head;
    if (hub.epoch != own->epoch || hub.seq <= believed->seq || hub.seq > own->seq) continue;
    const auto next = publisher_.heard(hub);  // if it does not fit our chain, it is of no consequence
    if (!next) return fail(next.error());
    if (*next == Publisher::Next::kGoOn) report_.segments += hub.seq.number - believed->seq.number;
  }
  return {};
}

Result<std::vector<Bytes>> Exchange::export_bundles() {
  TP_TRY(may_publish());
  TP_TRY(prepare());
  auto segments = publisher_.waiting(SIZE_MAX);
  if (!segments) return fail(std::move(segments).error());
  const auto believed = publisher_.acknowledged();
  if (!believed) return fail(believed.error());
  const std::size_t room =
      options_.body_bytes > kBundleFramesReserve ? options_.body_bytes - kBundleFramesReserve : 0;
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < segments->size() || out.empty();) {
    std::vector<Frame> frames{HeadFrame{publisher_.stream(), *believed}};
    for (std::size_t size = 0; at < segments->size(); ++at) {
      Bytes& segment = (*segments)[at];
      if (frames.size() > 1 && size + segment.size() > room) break;
      size += segment.size();
      report_.segment_bytes += segment.size();
      frames.emplace_back(SegmentFrame{std::move(segment)});
    }
    auto bundle = conversation_.make_for_stick(std::move(frames));
    if (!bundle) return fail(std::move(bundle).error());
    out.push_back(std::move(bundle->bytes));
  }
  return out;
}

Result<StickReport> Exchange::import_answers(const std::vector<ByteView>& messages) {
  StickReport report;
  // By the turns that they answer, whatever order they were written or copied in.
  std::vector<std::pair<std::uint64_t, ByteView>> ordered;
  for (const ByteView message : messages) {
    std::uint64_t turn = 0;
    if (const auto envelope = Envelope::read(message); envelope && envelope->answers)
      if (const auto known = line_.turn_of(*envelope->answers); known && *known) turn = **known;
    ordered.emplace_back(turn, message);
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    // Once more for each: what one of them begins (an epoch, a life) makes those after it old.
    const auto newest = line_.newest_heard();
    if (!newest) return fail(newest.error());
    auto answer = conversation_.take_from_stick(ordered[i].second);
    note();
    if (!answer) {
      if (answer.error().code() == Code::kIo || answer.error().code() == Code::kDiskFull)
        return fail(std::move(answer).error());
      report.refused.push_back(answer.error().sentence());
      continue;
    }
    ++report.answers;
    if (!answer->bundle) continue;
    if (answer->turn <= *newest) {
      ++report.old;
      TP_TRY(take_old(*answer->bundle));
      continue;
    }
    auto more = take(std::move(*answer->bundle));
    if (!more) report.refused.push_back(more.error().sentence());
  }
  return report;
}

Result<SyncReport> Exchange::run() {
  for (;;) {
    auto more = step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return report_;
  }
}

}  // namespace towpath
