#include "agent/uplink/exchange.hpp"

#include <algorithm>
#include <iterator>
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

// One stream that always speaks, and no post: what there is without agreements.
class OneStream final : public Desk {
 public:
  explicit OneStream(Publisher& publisher) : publisher_(publisher) {}
  Result<std::vector<Publisher*>> streams() override { return std::vector<Publisher*>{&publisher_}; }
  Result<void> published() override { return {}; }
  Result<std::vector<Frame>> outgoing() override { return std::vector<Frame>{}; }
  Result<Taken> take(const Bundle&) override { return Taken{}; }

 private:
  Publisher& publisher_;
};

}  // namespace

// What one answer says about a stream of ours.
struct Exchange::Heard {
  std::optional<Head> head;
  std::vector<ProblemFrame> problems;
};
struct Exchange::Answer {
  std::map<StreamId, Heard> streams;
  std::vector<ProblemFrame> problems;  // about no stream of ours
  std::optional<std::uint32_t> later;
};

Speaker speaker(const ExchangeOptions& options) { return options; }

Exchange::Exchange(Desk& desk, LineState& line, HubPeer& peer, Transport& transport, Clock& clock,
                   Random& random, ExchangeOptions options)
    : desk_(desk),
      line_(line),
      options_(std::move(options)),
      clock_(clock),
      conversation_(line, peer, transport, clock, random, speaker(options_)) {
  conversation_.on_answer([this](const Bundle& answer) { return take_post(answer); });
}
Exchange::Exchange(Publisher& publisher, LineState& line, HubPeer& peer, Transport& transport, Clock& clock,
                   Random& random, ExchangeOptions options)
    : Exchange(std::make_unique<OneStream>(publisher), line, peer, transport, clock, random,
               std::move(options)) {}
Exchange::Exchange(std::unique_ptr<Desk> own, LineState& line, HubPeer& peer, Transport& transport,
                   Clock& clock, Random& random, ExchangeOptions options)
    : own_(std::move(own)),
      desk_(*own_),
      line_(line),
      options_(std::move(options)),
      clock_(clock),
      conversation_(line, peer, transport, clock, random, speaker(options_)) {
  conversation_.on_answer([this](const Bundle& answer) { return take_post(answer); });
}

StreamId Exchange::borough() const { return stream_id(options_.school_urn, kBorough); }

Publisher* Exchange::of_borough() const {
  for (Publisher* publisher : streams_)
    if (publisher->stream() == borough()) return publisher;
  return nullptr;
}

Exchange::Course& Exchange::course(const Publisher& publisher) {
  Course& course = courses_[publisher.stream()];
  course.report.audience = publisher.audience();
  return course;
}

std::string Exchange::about(const Publisher& publisher) const {
  return publisher.audience() == kBorough ? std::string() : publisher.audience() + ": ";
}

Result<void> Exchange::refresh() {
  if (streams_known_) return {};
  auto streams = desk_.streams();
  if (!streams) return fail(std::move(streams).error());
  streams_ = std::move(*streams);
  streams_known_ = true;
  return {};
}

Result<void> Exchange::take_post(const Bundle& answer) {
  auto taken = desk_.take(answer);
  if (!taken) return fail(std::move(taken).error().during("taking the hub's post"));
  for (std::string& event : taken->events) report_.events.push_back(std::move(event));
  taken->events.clear();
  if (taken->streams_changed) streams_known_ = false;
  taken_ = std::move(*taken);
  return {};
}

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
  Head believed;
  if (Publisher* publisher = of_borough()) {
    auto head = publisher->acknowledged();
    if (!head) return fail(head.error());
    believed = *head;
  }
  auto counts = restore_from_hub(line_.store(), borough(), clock_.now(), [&](Frame question) {
    return conversation_.ask_until_answered({HeadFrame{borough(), believed}, std::move(question)});
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
  return refresh();
}

// Has something ready to be sent, if there is anything. What waits from an earlier sync stays
// as it is; what has changed since is one segment after it.
Result<void> Exchange::prepare() {
  bool published = false;
  for (Publisher* publisher : streams_) {
    if (course(*publisher).error) continue;
    if (report_.exchanges > 0) {
      const auto waiting = publisher->waiting_count();
      if (!waiting) return fail(waiting.error());
      if (*waiting > 0) continue;
    }
    auto made = publisher->publish();
    if (!made) return fail(std::move(made).error().during(about(*publisher) + "preparing what has changed"));
    report_.body_bytes += made->body_bytes;
    published = true;
  }
  return published ? desk_.published() : Result<void>{};
}

Result<std::vector<Frame>> Exchange::fill(std::vector<Frame> post) {
  std::size_t reserve = kBundleFramesReserve + streams_.size() * kHeadFrameBytes;
  if (!post.empty()) {
    const auto encoded = encode_frames(post);
    if (!encoded) return fail(encoded.error());
    reserve += encoded->size();
  }
  std::size_t room = options_.body_bytes > reserve ? options_.body_bytes - reserve : 0;
  std::vector<Frame> frames = std::move(post);
  // A mark and places take some hundred bytes, and come with every bundle; deeds are taken, and come once.
  const bool with_deeds = std::any_of(frames.begin(), frames.end(), [](const Frame& frame) {
    return std::holds_alternative<DeedFrame>(frame);
  });
  std::vector<Frame> segments;
  for (Publisher* publisher : streams_) {
    const auto believed = publisher->acknowledged();
    if (!believed) return fail(believed.error());
    frames.emplace_back(HeadFrame{publisher->stream(), *believed});
    course(*publisher).sent = 0;
  }
  // A first load takes whole bodies; so whose turn comes first goes round.
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Publisher& publisher = *streams_[(turn_ + i) % streams_.size()];
    Course& course = this->course(publisher);
    if (course.error) continue;
    auto waiting = publisher.waiting(room);
    if (!waiting) return fail(std::move(waiting).error());
    std::size_t size = 0;
    for (const Bytes& segment : *waiting) size += segment.size();
    // One that is larger than all the room goes alone; where others are here, at the next turn.
    if (size > room && (with_deeds || !segments.empty())) continue;
    room -= std::min(room, size);
    report_.segment_bytes += size;
    course.sent = waiting->size();
    for (Bytes& segment : *waiting) segments.emplace_back(SegmentFrame{std::move(segment)});
  }
  if (!streams_.empty()) turn_ = (turn_ + 1) % streams_.size();
  for (Frame& segment : segments) frames.push_back(std::move(segment));
  return frames;
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

Result<void> Exchange::begin_epoch(Publisher& publisher, Course& course, Epoch hub, const std::string& why) {
  if (++course.epochs_begun > kNewEpochsMax)
    return fail(Code::kRefused,
                about(publisher) + "the hub has asked for " + std::to_string(course.epochs_begun) +
                    " new epochs in one sync; the last time: " + why,
                "Run " + options_.program +
                    " verify here and towpath-hub verify at the hub, and tell the hub's operator");
  const auto own = publisher.head();
  if (!own) return fail(own.error());
  const auto believed = publisher.acknowledged();
  if (!believed) return fail(believed.error());
  const Epoch at_least = std::max({hub, own->epoch, believed->epoch});
  TP_TRY(publisher.new_epoch(at_least, why));
  TP_TRY(line_.past_is_over());  // what was asked so far is about the old one
  report_.events.push_back(about(publisher) + why + "; everything is sent again in a new epoch after " +
                           std::to_string(at_least.number));
  return {};
}

Result<bool> Exchange::take_head(Publisher& publisher, Course& course, const Heard& heard) {
  const Head& hub = *heard.head;
  const auto before = publisher.acknowledged();
  if (!before) return fail(before.error());
  const auto own = publisher.head();
  if (!own) return fail(own.error());
  if (hub.epoch.number > own->epoch.number && hub.epoch.number - own->epoch.number > kEpochsBeyondMax)
    return fail(Code::kRefused,
                about(publisher) + "the hub says that it stands at " + at(hub) + ", where no school can be",
                "Tell the hub's operator: what it holds of this school is wrong");
  const auto next = publisher.heard(hub);
  if (!next) return fail(next.error());
  if (*next == Publisher::Next::kNewEpoch) {
    const bool forked = std::any_of(heard.problems.begin(), heard.problems.end(),
                                    [](const ProblemFrame& p) { return p.code == Code::kForked; });
    const bool to_borough = publisher.stream() == borough();
    const std::string why =
        forked && hub.seq.number > 0 ? "the hub holds another segment under a number of ours (at " + at(hub) +
                                           "): this machine was restored or copied"
        : hub.seq.number == 0 && !to_borough
            // How a hub asks for a snapshot: for one who joins, after an order, when its log has grown.
            ? "the hub asks for a snapshot after " + at(*before)
            : hub.seq.number == 0
                  ? "the hub holds nothing of this school, though it had acknowledged " + at(*before)
                  : "the hub stands at " + at(hub) +
                        ", which does not follow from what it had "
                        "acknowledged (" +
                        at(*before) + ")";
    // Ahead of us, or on another chain: somebody has sent it what is not here. (A hub that is behind
    // was set back itself; what it has is older than what we have, and would bring back what is gone.)
    // Only the borough's stream holds what may have to be brought back.
    const bool behind = hub.epoch < own->epoch || (hub.epoch == own->epoch && hub.seq < before->seq);
    const bool ours = hub.epoch == own->epoch && hub.seq == own->seq && hub.segment == own->segment;
    if (to_borough && hub.seq.number > 0 && !behind && !ours && !std::exchange(restore_asked_, true)) {
      TP_TRY(line_.set_restore_pending(true));
      return true;
    }
    TP_TRY(begin_epoch(publisher, course, hub.epoch, why));
    return true;
  }
  const auto after = publisher.acknowledged();
  if (!after) return fail(after.error());
  const bool same_epoch = after->epoch == before->epoch;
  if (same_epoch && after->seq <= before->seq) return false;
  const std::uint64_t taken = after->seq.number - (same_epoch ? before->seq.number : 0);
  report_.segments += taken;
  course.report.segments += taken;
  return true;
}

Result<bool> Exchange::take_problem(Publisher& publisher, Course& course, const ProblemFrame& problem,
                                    const Heard& heard) {
  const std::string which = "segment " + std::to_string(problem.seq.number);
  const std::string of = about(publisher);
  const std::string text = safe_line(problem.text, kHubTextMax);
  const Epoch hub = heard.head ? heard.head->epoch : Epoch{};
  switch (problem.code) {
    case Code::kRepeated:    // an answer was lost; the head says how far the hub is
    case Code::kOutOfOrder:  // the head says where to go on
      return false;
    case Code::kForked: {
      // Told by the head, but where the hub has lost the very epoch that we are in.
      const auto own = publisher.head();
      if (!own) return fail(own.error());
      if (problem.seq.number == 0 || !heard.head || heard.head->seq.number > 0 || hub != own->epoch)
        return false;
      TP_TRY(begin_epoch(publisher, course, hub, "the hub has lost its copy of " + at(*own)));
      return true;
    }
    case Code::kMissingReference: {
      const auto sealed = publisher.without_reference(problem.seq);
      if (!sealed) return fail(sealed.error());
      if (*sealed)
        report_.events.push_back(of + "the hub lacks what " + which + " builds on; it is sent again whole");
      else
        TP_TRY(begin_epoch(publisher, course, hub,
                           "the hub lacks what " + which + " builds on, and so does this machine"));
      return true;
    }
    case Code::kDigestDiffers:
      TP_TRY(begin_epoch(publisher, course, hub, "the hub's state differs from ours at " + which));
      return true;
    case Code::kDamaged:  // the bundle's hash was right, so it was damaged here
      TP_TRY(begin_epoch(publisher, course, hub, which + " is damaged in this school's store"));
      return true;
    case Code::kNotSigned:  // sealed under a key of ours that partners are not told of any more
      if (problem.seq.number == 0)
        return fail(refusal(problem.code, of + text, options_.program, options_.hub_url));
      TP_TRY(begin_epoch(publisher, course, hub, which + " was signed with a key that no longer holds"));
      return true;
    case Code::kUnknownVersion:
      return fail(Code::kUnknownVersion, of + "the hub cannot read " + which + ": " + text,
                  "The hub is older than this agent; ask its operator to update it");
    default:
      if (problem.seq.number == 0)
        return fail(refusal(problem.code, of + text, options_.program, options_.hub_url));
      return fail(refusal(Code::kRefused, of + which + ": " + text, options_.program, options_.hub_url));
  }
}

Result<bool> Exchange::step() {
  if (report_.exchanges >= options_.exchanges_max)
    return fail(Code::kRefused, "no end after " + std::to_string(report_.exchanges) + " exchanges",
                "Run sync again; if that does not end either, tell the hub's operator");
  TP_TRY(refresh());
  TP_TRY(bring_back());
  if (std::exchange(options_.replace_key, false)) TP_TRY(conversation_.replace_key());
  TP_TRY(prepare());
  auto post = desk_.outgoing();
  if (!post) return fail(std::move(post).error());
  auto frames = fill(std::move(*post));
  if (!frames) return fail(std::move(frames).error());
  taken_ = {};
  auto answer = conversation_.ask(std::move(*frames));
  note();
  if (!answer) return fail(std::move(answer).error());
  if (answer->bundle) return take(std::move(*answer->bundle));
  report_.later_seconds = answer->later_seconds;
  return answer->again;
}

Result<Exchange::Answer> Exchange::read(Bundle& answer) {
  Answer out;
  std::map<StreamId, Epoch> own;
  for (Publisher* publisher : streams_) {
    const auto head = publisher->head();
    if (!head) return fail(head.error());
    own[publisher->stream()] = head->epoch;
  }
  bool heard_any = false;
  for (Frame& frame : answer.frames) {
    if (const auto* told = std::get_if<HeadFrame>(&frame)) {
      const auto ours = own.find(told->stream);
      if (ours == own.end()) continue;
      heard_any = true;
      // A hub may hold two epochs while one is being loaded: ours counts, else the newest.
      Heard& heard = out.streams[told->stream];
      const Head& head = told->head;
      if (!heard.head || head.epoch == ours->second ||
          (heard.head->epoch != ours->second && head.epoch > heard.head->epoch))
        heard.head = head;
    } else if (auto* problem = std::get_if<ProblemFrame>(&frame)) {
      heard_any = true;
      if (problem->code == Code::kBusy) {
        out.later = std::max(out.later.value_or(0), kBusySeconds);
        continue;
      }
      // With one stream there is nothing else that a problem could be about.
      const StreamId stream = alone() ? streams_.front()->stream() : problem->stream;
      if (own.contains(stream))
        out.streams[stream].problems.push_back(std::move(*problem));
      else
        out.problems.push_back(std::move(*problem));
    } else if (const auto* later = std::get_if<LaterFrame>(&frame)) {
      heard_any = true;
      out.later = std::max(out.later.value_or(0), later->seconds);
    }
  }
  if (!heard_any && !streams_.empty())
    return fail(Code::kTransport, "the hub's answer does not say where it stands", "Run sync again");
  return out;
}

// What one answer means for one stream. True: there is more to do for it.
Result<bool> Exchange::take_stream(Publisher& publisher, Course& course, const Heard& heard, bool later) {
  const std::uint32_t epochs_before = course.epochs_begun;
  bool moved = false;
  if (heard.head) {
    auto took = take_head(publisher, course, heard);
    if (!took) return fail(std::move(took).error());
    moved = *took;
  }
  for (const ProblemFrame& problem : heard.problems) {
    if (course.epochs_begun != epochs_before) break;  // the rest is about an epoch that is over
    auto took = take_problem(publisher, course, problem, heard);
    if (!took) return fail(std::move(took).error());
    moved = moved || *took;
  }

  const auto own = publisher.head();
  if (!own) return fail(own.error());
  const auto waiting = publisher.waiting_count();
  if (!waiting) return fail(waiting.error());
  const auto pending = publisher.pending();
  if (!pending) return fail(pending.error());
  StreamReport& report = course.report;
  report.head = *own;
  report.heard = report.heard || heard.head.has_value();
  report.up_to_date = *waiting == 0 && !*pending;
  report.equal = report.up_to_date && heard.head && same_state(*heard.head, *own);
  if (later) return false;
  if (report.up_to_date && !report.equal && heard.head) {
    TP_TRY(begin_epoch(publisher, course, heard.head->epoch,
                       "the hub stands at " + at(*heard.head) + " with another state than ours"));
    report.up_to_date = false;
    return true;
  }
  if (report.equal || (report.up_to_date && alone())) return false;
  // Where others filled the body, or post did, nothing of it could move.
  if (moved || taken_.moved)
    course.stalled = 0;
  else if (course.sent > 0 || report.up_to_date || streams_.size() == 1)
    ++course.stalled;
  if (course.stalled >= kStalledMax)
    return fail(Code::kRefused,
                about(publisher) + "the hub has answered " + std::to_string(course.stalled) +
                    " times without taking anything; it stands at " +
                    (heard.head ? at(*heard.head) : std::string("an unknown place")) + ", we at " + at(*own),
                "Tell the hub's operator; nothing is lost here");
  return true;
}

// Whether the next bundle would bring or fetch post. One that changed nothing is not sent again.
Result<bool> Exchange::post_waits() {
  if (taken_.more) {
    if (taken_.moved)
      empty_more_ = 0;
    else
      ++empty_more_;
    if (empty_more_ < kStalledMax) return true;
    report_.events.emplace_back(
        "the hub says that it has more for this school, and nothing of it can be taken; it is asked again at "
        "the next exchange");
    return false;
  }
  if (!taken_.moved) return false;
  const auto post = desk_.outgoing();
  if (!post) return fail(post.error());
  return std::any_of(post->begin(), post->end(), [](const Frame& frame) {
    return std::holds_alternative<DeedFrame>(frame) || std::holds_alternative<ProblemFrame>(frame);
  });
}

Result<bool> Exchange::take(Bundle answer) {
  const std::vector<Publisher*> asked = streams_;
  std::vector<StreamId> spoke;
  if (!streams_known_)
    for (Publisher* publisher : asked) spoke.push_back(publisher->stream());
  const bool changed = !streams_known_;
  TP_TRY(refresh());
  auto said = read(answer);
  if (!said) return fail(std::move(said).error());

  const auto before = [&](StreamId stream) {
    return !changed || std::find(spoke.begin(), spoke.end(), stream) != spoke.end();
  };
  bool more = false;
  for (Publisher* publisher : streams_) {
    Course& course = this->course(*publisher);
    if (course.error) continue;
    // One that has only now come to speak: this answer says nothing of it.
    if (!before(publisher->stream())) {
      more = true;
      continue;
    }
    auto took = take_stream(*publisher, course, said->streams[publisher->stream()], said->later.has_value());
    if (took)
      more = more || *took;
    else if (took.error().code() == Code::kIo || took.error().code() == Code::kDiskFull)
      return fail(std::move(took).error());
    else
      course.error = std::move(took).error();
  }

  report_.streams.clear();
  report_.up_to_date = true;
  report_.equal = true;
  std::optional<Error> error;
  for (Publisher* publisher : streams_) {
    Course& course = this->course(*publisher);
    if (course.error) {
      course.report.problem = course.error->what();
      course.report.equal = course.report.up_to_date = false;
      if (!error) error = course.error;
    }
    report_.up_to_date = report_.up_to_date && course.report.up_to_date;
    report_.equal = report_.equal && course.report.equal;
    report_.streams.push_back(course.report);
  }
  if (!report_.streams.empty()) report_.head = report_.streams.front().head;
  for (const ProblemFrame& problem : said->problems) {
    const std::string text = safe_line(problem.text, kHubTextMax);
    // About a deed, or a stream that we do not share: the hub's word for people. Else about all of it.
    if (!problem.keys.empty() || problem.seq.number > 0 || problem.stream != StreamId{})
      report_.events.push_back("the hub says: " + text);
    else
      return fail(refusal(problem.code, text, options_.program, options_.hub_url));
  }

  if (said->later) {
    report_.later_seconds = *said->later;
    more = false;
  } else {
    if (!more) {
      const auto waits = post_waits();
      if (!waits) return fail(waits.error());
      more = *waits;
    }
    // What is left is to tell the hub of our new key.
    if (!more && report_.up_to_date) more = conversation_.new_key_due();
  }
  if (!more && error) return fail(std::move(*error));
  return more;
}

// An answer to what has been overtaken: it can only say that more has been taken.
Result<void> Exchange::take_old(const Bundle& answer) {
  TP_TRY(refresh());
  for (Publisher* publisher : streams_) {
    const auto own = publisher->head();
    if (!own) return fail(own.error());
    for (const Frame& frame : answer.frames) {
      const auto* told = std::get_if<HeadFrame>(&frame);
      if (told == nullptr || told->stream != publisher->stream()) continue;
      const auto believed = publisher->acknowledged();
      if (!believed) return fail(believed.error());
      const Head& hub = told->head;
      if (hub.epoch != own->epoch || hub.seq <= believed->seq || hub.seq > own->seq) continue;
      const auto next = publisher->heard(hub);  // if it does not fit our chain, it is of no consequence
      if (!next) return fail(next.error());
      if (*next != Publisher::Next::kGoOn) continue;
      report_.segments += hub.seq.number - believed->seq.number;
      course(*publisher).report.segments += hub.seq.number - believed->seq.number;
    }
  }
  return {};
}

Result<std::vector<Bytes>> Exchange::export_bundles() {
  TP_TRY(refresh());
  TP_TRY(may_publish());
  TP_TRY(prepare());
  auto post = desk_.outgoing();
  if (!post) return fail(std::move(post).error());
  std::vector<Frame> heads;
  std::vector<Bytes> segments;
  for (Publisher* publisher : streams_) {
    const auto believed = publisher->acknowledged();
    if (!believed) return fail(believed.error());
    heads.emplace_back(HeadFrame{publisher->stream(), *believed});
    auto waiting = publisher->waiting(SIZE_MAX);
    if (!waiting) return fail(std::move(waiting).error());
    std::move(waiting->begin(), waiting->end(), std::back_inserter(segments));
  }
  const std::size_t reserve = kBundleFramesReserve + streams_.size() * kHeadFrameBytes;
  const std::size_t room = options_.body_bytes > reserve ? options_.body_bytes - reserve : 0;
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < segments.size() || out.empty();) {
    // The post goes with the first; it may be large, and then it goes alone.
    std::vector<Frame> frames;
    std::size_t size = 0;
    if (out.empty() && !post->empty()) {
      const auto encoded = encode_frames(*post);
      if (!encoded) return fail(encoded.error());
      size = encoded->size();
      frames = std::move(*post);
    }
    frames.insert(frames.end(), heads.begin(), heads.end());
    for (bool any = size > 0; at < segments.size(); ++at, any = true) {
      Bytes& segment = segments[at];
      if (any && size + segment.size() > room) break;
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
  TP_TRY(refresh());
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
    taken_ = {};
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
