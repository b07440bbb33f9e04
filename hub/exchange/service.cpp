#include "hub/exchange/service.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <set>

#include "replica/compare.hpp"

namespace towpath {
namespace {

// A school's own trouble with the hub's disk is not its business; its code is.
bool is_ours(Code code) {
  switch (code) {
    case Code::kWrongStream:
    case Code::kOutOfOrder:
    case Code::kRepeated:
    case Code::kForked:
    case Code::kMissingReference:
    case Code::kDigestDiffers:
    case Code::kDamaged:
    case Code::kTooLarge:
    case Code::kUnknownVersion:
    case Code::kRefused:
      return false;
    default:
      return true;
  }
}

// "school:100001" -> "100001"; empty for anything else.
std::string urn_of(const std::string& sender) {
  constexpr std::string_view kPrefix = "school:";
  if (!sender.starts_with(kPrefix)) return {};
  const std::string urn = sender.substr(kPrefix.size());
  const bool digits =
      urn.size() == 6 && std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? urn : std::string{};
}

// Replicas between exchanges. What is lent out is nowhere else: its school is locked.
class Shelf {
 public:
  std::optional<Replica> take(const std::string& urn, Epoch epoch) {
    const std::lock_guard lock(mutex_);
    for (auto at = kept_.begin(); at != kept_.end(); ++at)
      if (at->urn == urn && at->epoch == epoch) {
        std::optional<Replica> replica(std::move(at->replica));
        kept_.erase(at);
        return replica;
      }
    return std::nullopt;
  }
  void put(const std::string& urn, Epoch epoch, Replica replica) {
    std::list<Kept> closing;  // outside the lock: closing may write
    const std::lock_guard lock(mutex_);
    kept_.push_front({urn, epoch, std::move(replica)});
    if (kept_.size() > kReplicasOpen) closing.splice(closing.begin(), kept_, std::prev(kept_.end()));
  }
  void close_before(const std::string& urn, Epoch keep) {
    const std::lock_guard lock(mutex_);
    kept_.remove_if([&](const Kept& k) { return k.urn == urn && k.epoch < keep; });
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    kept_.clear();
  }

 private:
  struct Kept {
    std::string urn;
    Epoch epoch;
    Replica replica;
  };
  std::mutex mutex_;
  std::list<Kept> kept_;  // latest first
};

}  // namespace

struct HubService::State {
  Registry& registry;
  Sealer& sealer;
  Clock& clock;
  Random& random;
  const Dictionary& dictionary;
  const std::string software;
  Log log;
  std::mutex world_mutex;  // clock and chance
  std::mutex schools_mutex;
  std::map<std::string, std::unique_ptr<std::mutex>> schools;  // registered ones only
  Shelf shelf;

  std::mutex& school_mutex(const std::string& urn) {
    const std::lock_guard lock(schools_mutex);
    auto& m = schools[urn];
    if (!m) m = std::make_unique<std::mutex>();
    return *m;
  }
  void say(const std::string& line) const {
    if (log) log(line);
  }
};

namespace {

// One bundle of one registered school, which is locked meanwhile.
class Visit {
 public:
  Visit(Registry& registry, Shelf& shelf, const Dictionary& dictionary, const HubService::Log& log,
        std::string urn)
      : registry_(registry),
        shelf_(shelf),
        dictionary_(dictionary),
        log_(log),
        urn_(std::move(urn)),
        stream_(stream_id(urn_, kBorough)) {}

  void receive(const Bundle& bundle) {
    std::vector<OpenedSegment> segments = open_segments(bundle);
    if (auto done = newest(); !done) {
      trouble(done.error(), {});
      return;
    }
    // Order inside a bundle is the writer's; a shuffled one is put right.
    std::stable_sort(segments.begin(), segments.end(), [](const OpenedSegment& a, const OpenedSegment& b) {
      return std::pair(a.header.epoch, a.header.seq) < std::pair(b.header.epoch, b.header.seq);
    });
    for (auto at = segments.begin(); at != segments.end();) {
      const Epoch epoch = at->header.epoch;
      const auto end =
          std::find_if(at, segments.end(), [&](const OpenedSegment& s) { return s.header.epoch != epoch; });
      apply(epoch, {at, end});
      if (later_ > 0) break;
      at = end;
    }
    compare(bundle);
  }

  // The newest epoch's head goes first: it is what the writer goes on from.
  [[nodiscard]] std::vector<Frame> frames() && {
    std::vector<Frame> all;
    all.emplace_back(HeadFrame{stream_, head_});
    for (ProblemFrame& p : problems_) all.emplace_back(std::move(p));
    if (later_ > 0) all.emplace_back(LaterFrame{later_});
    for (Frame& f : answers_) all.emplace_back(std::move(f));
    return all;
  }
  void put_away() {
    if (replica_) shelf_.put(urn_, head_.epoch, std::move(*replica_));
    replica_.reset();
  }
  [[nodiscard]] bool fresh() const { return applied_; }

 private:
  void say(const std::string& line) const {
    if (log_) log_("school " + urn_ + ": " + line);
  }
  void problem(Code code, StreamSeq seq, std::string text) {
    say("refused (" + std::string(name(code)) + "): " + text);
    problems_.push_back({code, stream_, seq, std::move(text), {}});
  }
  // What went wrong on the way: the writer's fault becomes a problem, ours a request to come back.
  void trouble(const Error& error, StreamSeq seq) {
    if (!is_ours(error.code())) {
      problem(error.code(), seq, error.sentence());
      return;
    }
    say("not stored: " + error.sentence());
    const bool busy = error.code() == Code::kBusy;
    later_ = std::max(later_, busy ? kLaterBusySeconds : kLaterDiskSeconds);
    problems_.push_back(
        {Code::kBusy,
         stream_,
         seq,
         busy ? "the hub is busy with this school's data; nothing of this bundle was stored"
              : "the hub could not store this bundle; its operator sees why, and nothing is lost",
         {}});
  }

  std::vector<OpenedSegment> open_segments(const Bundle& bundle) {
    std::vector<OpenedSegment> segments;
    for (const Frame& frame : bundle.frames) {
      const auto* f = std::get_if<SegmentFrame>(&frame);
      if (f == nullptr) continue;
      auto segment = open_segment(f->bytes);
      if (!segment) {
        problem(segment.error().code(), {}, segment.error().sentence());
        continue;
      }
      if (segment->header.stream != stream_) {
        problem(Code::kWrongStream, segment->header.seq,
                "segment " + std::to_string(segment->header.seq.number) + " is not of school " + urn_ +
                    "'s stream to the borough");
        continue;
      }
      segments.push_back(*segment);
    }
    return segments;
  }

  // Opens the newest epoch's replica, if there is one.
  Result<void> newest() {
    auto epochs = registry_.epoch_numbers(urn_);
    if (!epochs) return fail(std::move(epochs).error());
    if (epochs->empty()) return {};
    older_ = epochs->size() > 1;
    auto replica = open(epochs->back());
    if (!replica && replica.error().code() == Code::kDamaged) {
      // The writer hears that nothing of this epoch is here, and begins another.
      say("epoch " + std::to_string(epochs->back().number) + " is lost: " + replica.error().sentence());
      head_ = Head{epochs->back(), {}, {}, {}, false};
      return {};
    }
    if (!replica) return fail(std::move(replica).error());
    head_ = replica->head();
    replica_.emplace(std::move(*replica));
    return {};
  }
  Result<Replica> open(Epoch epoch) {
    // An operator may have put a backup in its place; what was open is then nobody's.
    if (auto kept = shelf_.take(urn_, epoch); kept && !kept->database().has_moved()) return std::move(*kept);
    return registry_.open_epoch(urn_, epoch);
  }

  void apply(Epoch epoch, std::span<const OpenedSegment> segments) {
    const OpenedSegment& first = segments.front();
    if (epoch < head_.epoch) {
      problem(Code::kForked, first.header.seq,
              "segment " + std::to_string(epoch.number) + "/" + std::to_string(first.header.seq.number) +
                  " is of an older epoch; the hub holds epoch " + std::to_string(head_.epoch.number));
      return;
    }
    if (epoch.number == 0) return problem(Code::kDamaged, first.header.seq, "epochs are counted from 1");
    if (epoch == head_.epoch && !replica_)
      return problem(
          Code::kForked, first.header.seq,
          "the hub has lost its copy of epoch " + std::to_string(epoch.number) + "; it needs a new epoch");
    bool made = false;
    if (epoch > head_.epoch) {
      if (first.header.seq.number != 1)
        return problem(Code::kOutOfOrder, first.header.seq,
                       "epoch " + std::to_string(epoch.number) +
                           " is not known here; it begins with segment 1, not " +
                           std::to_string(first.header.seq.number));
      put_away();
      auto replica = registry_.open_epoch(urn_, epoch);
      if (!replica) return reopen(replica.error());
      replica_.emplace(std::move(*replica));
      made = true;
    }
    const Head before = head_;
    if (!apply_to(*replica_, segments)) {
      // Where the file stands is asked again, never assumed.
      replica_.reset();
      if (made) drop(epoch);
      if (auto done = newest(); !done) trouble(done.error(), {});
      return;
    }
    head_ = replica_->head();
    if (made && head_.seq.number == 0) {
      // Nothing of the new epoch was good: it has not begun.
      replica_.reset();
      drop(epoch);
      head_ = before;
      if (auto done = newest(); !done) trouble(done.error(), {});
      return;
    }
    // Readers switch with the snapshot's last segment; an unfinished epoch that a newer one
    // overtook goes with the older ones.
    if (head_.complete && (older_ || made)) {
      shelf_.close_before(urn_, head_.epoch);
      if (auto done = registry_.drop_epochs_before(urn_, head_.epoch); !done)
        say("older epochs are not removed yet: " + done.error().sentence());
      else
        older_ = false;
    } else if (made) {
      drop_unfinished(before.complete ? before.epoch : Epoch{});
    }
  }

  // Between the complete epoch that readers see and the newest, nothing is needed.
  void drop_unfinished(Epoch complete) {
    auto heads = registry_.epochs(urn_);
    if (!heads) return say("older epochs are not looked through yet: " + heads.error().sentence());
    for (const Head& h : *heads)
      if (h.complete && h.epoch < head_.epoch) complete = std::max(complete, h.epoch);
    for (const Head& h : *heads)
      if (h.epoch < head_.epoch && h.epoch != complete) {
        shelf_.close_before(urn_, Epoch{h.epoch.number + 1});
        drop(h.epoch);
      }
    older_ = true;
  }
  void drop(Epoch epoch) {
    if (auto done = registry_.drop_epoch(urn_, epoch); !done)
      say("epoch " + std::to_string(epoch.number) + " is not removed yet: " + done.error().sentence());
  }
  void reopen(const Error& why) {
    trouble(why, {});
    if (auto done = newest(); !done) trouble(done.error(), {});
  }

  // One transaction. False where it could not be committed; then nothing of it is in force.
  bool apply_to(Replica& replica, std::span<const OpenedSegment> segments) {
    if (auto begun = replica.begin(); !begun) {
      trouble(begun.error(), {});
      return false;
    }
    std::uint64_t taken = 0;
    ApplyCounts total;
    for (const OpenedSegment& segment : segments) {
      auto counts = replica.apply(segment);
      if (counts) {
        ++taken;
        total.inserted += counts->inserted;
        total.updated += counts->updated;
        total.deleted += counts->deleted;
        total.aside += counts->aside;
        continue;
      }
      // Its answer was lost on the way; the head tells.
      if (counts.error().code() == Code::kRepeated) continue;
      if (is_ours(counts.error().code())) {
        replica.rollback();
        trouble(counts.error(), segment.header.seq);
        return false;
      }
      problem(counts.error().code(), segment.header.seq, counts.error().sentence());
      break;  // what follows builds on it
    }
    if (taken == 0) {
      replica.rollback();
      return true;
    }
    if (auto done = replica.commit(); !done) {
      replica.rollback();
      trouble(done.error(), {});
      return false;
    }
    applied_ = true;
    const Head& head = replica.head();
    say("epoch " + std::to_string(head.epoch.number) + " at segment " + std::to_string(head.seq.number) +
        (head.complete ? "" : " (loading)") + ", rows +" + std::to_string(total.inserted) + " ~" +
        std::to_string(total.updated) + " -" + std::to_string(total.deleted) +
        (total.aside > 0 ? ", kept aside " + std::to_string(total.aside) : ""));
    return true;
  }

  void compare(const Bundle& bundle) {
    for (const Frame& frame : bundle.frames) {
      if (const auto* digests = std::get_if<DigestsFrame>(&frame)) {
        if (digests->stream == stream_) compare_digests(*digests);
      } else if (const auto* other = std::get_if<UnknownFrame>(&frame)) {
        if (auto asked = BucketsQuestion::from(*other); asked && asked->stream == stream_)
          compare_buckets(*asked);
      }
    }
  }

  void compare_digests(const DigestsFrame& theirs) {
    DigestsFrame ours{stream_, {}};
    if (replica_) {
      auto states = replica_->states();
      if (!states) return trouble(states.error(), {});
      for (const DatasetState& s : *states) ours.entries.push_back({s.dataset, s.rows, s.digest});
    }
    std::string differing;
    const auto find = [](const DigestsFrame& in, std::uint16_t dataset) -> const DigestsFrame::Entry* {
      for (const DigestsFrame::Entry& e : in.entries)
        if (e.dataset == dataset) return &e;
      return nullptr;
    };
    std::set<std::uint16_t> datasets;
    for (const DigestsFrame* side : {static_cast<const DigestsFrame*>(&ours), &theirs})
      for (const DigestsFrame::Entry& e : side->entries) datasets.insert(e.dataset);
    for (const std::uint16_t id : datasets) {
      const auto* a = find(ours, id);
      const auto* b = find(theirs, id);
      const std::uint64_t rows_a = a != nullptr ? a->rows : 0;
      const std::uint64_t rows_b = b != nullptr ? b->rows : 0;
      if (rows_a == rows_b && (rows_a == 0 || a->digest == b->digest)) continue;
      const Dataset* d = dictionary_.find(id);
      differing += (differing.empty() ? "" : ", ") +
                   (d != nullptr ? std::string(d->name) : "dataset " + std::to_string(id));
    }
    answers_.emplace_back(std::move(ours));
    if (!differing.empty()) problem(Code::kDigestDiffers, head_.seq, "the two ends differ in " + differing);
  }

  void compare_buckets(const BucketsQuestion& question) {
    if (!replica_) return;
    auto answer = BucketsAnswer::to(
        question, [&](const HashVisitor& visit) { return replica_->each_hash(question.dataset, visit); });
    if (!answer) return trouble(answer.error(), {});
    answers_.emplace_back(answer->frame());
  }

  Registry& registry_;
  Shelf& shelf_;
  const Dictionary& dictionary_;
  const HubService::Log& log_;
  const std::string urn_;
  const StreamId stream_;
  std::optional<Replica> replica_;  // of head_.epoch
  Head head_;                       // the newest epoch's
  bool older_ = false;              // there are older epochs
  bool applied_ = false;
  std::uint32_t later_ = 0;
  std::vector<ProblemFrame> problems_;
  std::vector<Frame> answers_;
};

}  // namespace

HubService::HubService(Registry& registry, Sealer& sealer, Clock& clock, Random& random,
                       const Dictionary& dictionary, std::string software)
    : state_(
          new State{registry, sealer, clock, random, dictionary, std::move(software), {}, {}, {}, {}, {}}) {}
HubService::~HubService() = default;
void HubService::log_to(Log log) { state_->log = std::move(log); }
void HubService::close_files() { state_->shelf.clear(); }

Result<Bytes> HubService::answer(ByteView bytes) {
  State& s = *state_;
  auto bundle = s.sealer.open(bytes);
  if (!bundle) return fail(std::move(bundle).error());

  Bundle answer;
  answer.answers = bundle->id;
  Instant now;
  {
    const std::lock_guard lock(s.world_mutex);
    s.random.fill(answer.id.uuid.bytes);
    now = s.clock.now();
  }
  answer.sent = now;
  answer.frames.emplace_back(HelloFrame{"hub", s.software, s.dictionary.version});
  const auto refuse = [&](std::string text) {
    s.say("refused: " + text);
    answer.frames.emplace_back(ProblemFrame{Code::kRefused, {}, {}, std::move(text), {}});
    return s.sealer.seal(answer);
  };

  const auto* hello = bundle->frames.empty() ? nullptr : std::get_if<HelloFrame>(&bundle->frames.front());
  if (hello == nullptr) return refuse("the bundle does not begin by saying who sent it");
  const std::string urn = urn_of(hello->sender);
  if (urn.empty())
    return refuse("the bundle's sender is not a school: it should be school: and the six digits of its URN");
  auto school = s.registry.school(urn);
  if (!school) {
    s.say("not answered: " + school.error().sentence());
    answer.frames.emplace_back(LaterFrame{kLaterDiskSeconds});
    return s.sealer.seal(answer);
  }
  if (!*school)
    return refuse("school " + urn +
                  " is not registered at this hub; its operator runs: towpath-hub school add " + urn +
                  " --name \"...\"");

  {
    const std::lock_guard lock(s.school_mutex(urn));
    Visit visit(s.registry, s.shelf, s.dictionary, s.log, urn);
    visit.receive(*bundle);
    visit.put_away();
    if (auto done = s.registry.heard(urn, now); !done)
      s.say("school " + urn + ": " + done.error().sentence());
    for (Frame& frame : std::move(visit).frames()) answer.frames.push_back(std::move(frame));
  }
  return s.sealer.seal(answer);
}

}  // namespace towpath
