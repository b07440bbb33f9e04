#include "hub/exchange/service.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <set>

#include "hub/exchange/refusals.hpp"
#include "replica/compare.hpp"
#include "replica/restore.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

namespace towpath {
namespace {

// How far above the newest that the hub holds a bundle may begin an epoch. Each recovery of a school
// takes one, and a hub that was brought back from a backup may lack some; a stolen key that took the
// last of the 32 bits at once would leave the right machine none to begin, for ever.
constexpr std::uint64_t kEpochsAheadMax = 1'000;

// Whether a segment was not taken for what is wrong with it, or for what is wrong here. A database
// says the same of its own file as of a segment ("damaged", "too large"), but it names the file.
bool is_ours(const Error& error, const std::string& file) {
  if (error.what().find(file) != std::string::npos) return true;
  switch (error.code()) {
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

// Two threads may draw at once.
class SharedRandom final : public Random {
 public:
  explicit SharedRandom(Random& from) : from_(from) {}
  void fill(std::span<std::uint8_t> out) override {
    const std::lock_guard lock(mutex_);
    from_.fill(out);
  }

 private:
  Random& from_;
  std::mutex mutex_;
};
class SharedClock final : public Clock {
 public:
  explicit SharedClock(Clock& from) : from_(from) {}
  Instant now() override {
    const std::lock_guard lock(mutex_);
    return from_.now();
  }

 private:
  Clock& from_;
  std::mutex mutex_;
};

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
  State(Registry& r, Keyring& k, Clock& c, Random& n, const Dictionary& d, std::string s,
        const LimitOptions& l)
      : registry(r), keys(k), clock(c), random(n), dictionary(d), software(std::move(s)), limits(clock, l) {}

  Registry& registry;
  Keyring& keys;
  SharedClock clock;
  SharedRandom random;
  const Dictionary& dictionary;
  const std::string software;
  Limits limits;
  Log log;
  Refusals refusals;
  std::mutex schools_mutex;
  std::map<std::string, std::unique_ptr<std::mutex>> schools;  // enrolled ones only
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
  void say_refused(const std::string& urn, Code code, const std::string& text, Instant now) {
    if (!log) return;
    if (const auto line = refusals.note(urn, code, text, now)) log(*line);
  }
};

namespace {

// One bundle of one enrolled school, which is locked meanwhile.
class Visit {
 public:
  using Say = std::function<void(const std::string& line)>;
  using SayRefused = std::function<void(Code code, const std::string& text)>;
  Visit(Registry& registry, Shelf& shelf, const Dictionary& dictionary, Say say, SayRefused say_refused,
        std::string urn)
      : registry_(registry),
        shelf_(shelf),
        dictionary_(dictionary),
        say_(std::move(say)),
        say_refused_(std::move(say_refused)),
        urn_(std::move(urn)),
        stream_(stream_id(urn_, kBorough)) {}

  // Of a bundle that may not be used: says where the hub stands, and why nothing was taken.
  void refuse(Code code, std::string text) {
    if (auto done = newest(); !done) trouble(done.error(), {});
    problem(code, {}, std::move(text));
  }

  void receive(const Bundle& bundle) {
    std::vector<OpenedSegment> segments = open_segments(bundle);
    if (auto done = newest(); !done) {
      trouble(done.error(), {});
      return;
    }
    epoch_max_ = head_.epoch.number + kEpochsAheadMax;
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
    questions(bundle);
  }

  // The newest epoch's head goes first: it is what the writer goes on from.
  [[nodiscard]] std::vector<Frame> frames() && {
    std::vector<Frame> all;
    // Where it could not look it says nothing of where it stands: "nothing" would be taken for lost, and
    // cost the school a new epoch for one failed read.
    if (looked_) all.emplace_back(HeadFrame{stream_, head_});
    for (ProblemFrame& p : problems_) all.emplace_back(std::move(p));
    if (later_ > 0) all.emplace_back(LaterFrame{later_});
    for (Frame& f : answers_) all.emplace_back(std::move(f));
    return all;
  }
  void put_away() {
    if (replica_) shelf_.put(urn_, head_.epoch, std::move(*replica_));
    replica_.reset();
  }
  [[nodiscard]] const ProblemFrame* first_problem() const {
    return problems_.empty() ? nullptr : &problems_.front();
  }

 private:
  void say(const std::string& line) const { say_("school " + urn_ + ": " + line); }
  void problem(Code code, StreamSeq seq, std::string text) {
    say_refused_(code, text);
    problems_.push_back({code, stream_, seq, std::move(text), {}});
  }
  // The hub's own trouble is a request to come back; what it is stands in its log only.
  void trouble(const Error& error, StreamSeq seq) {
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
    if (epochs->empty()) {
      looked_ = true;
      return {};
    }
    older_ = epochs->size() > 1;
    auto replica = open(epochs->back());
    if (!replica && replica.error().code() == Code::kDamaged) {
      // The writer hears that nothing of this epoch is here, and begins another.
      say("epoch " + std::to_string(epochs->back().number) + " is lost: " + replica.error().sentence());
      head_ = Head{epochs->back(), {}, {}, {}, false};
      looked_ = true;
      return {};
    }
    if (!replica) return fail(std::move(replica).error());
    looked_ = true;
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
    if (epoch.number > epoch_max_)
      return problem(Code::kRefused, first.header.seq,
                     "epoch " + std::to_string(epoch.number) + " cannot be begun; the newest here is " +
                         std::to_string(head_.epoch.number) + ", and one bundle may go at most " +
                         std::to_string(kEpochsAheadMax) + " beyond");
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
      if (lost_ && !made) {
        head_ = Head{epoch, {}, {}, {}, false};
        return problem(
            Code::kForked, first.header.seq,
            "the hub's copy of epoch " + std::to_string(epoch.number) + " is damaged; it needs a new epoch");
      }
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
    if (auto begun = replica.begin(); !begun) return stopped(begun.error(), {});
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
      if (is_ours(counts.error(), replica.database().path())) {
        replica.rollback();
        return stopped(counts.error(), segment.header.seq);
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
      return stopped(done.error(), {});
    }
    const Head& head = replica.head();
    say("epoch " + std::to_string(head.epoch.number) + " at segment " + std::to_string(head.seq.number) +
        (head.complete ? "" : " (loading)") + ", rows +" + std::to_string(total.inserted) + " ~" +
        std::to_string(total.updated) + " -" + std::to_string(total.deleted) +
        (total.aside > 0 ? ", kept aside " + std::to_string(total.aside) : ""));
    return true;
  }

  // A file that SQLite calls damaged is lost; coming back later would not help.
  bool stopped(const Error& error, StreamSeq seq) {
    lost_ = error.code() == Code::kDamaged;
    if (lost_)
      say("its file is damaged: " + error.sentence());
    else
      trouble(error, seq);
    return false;
  }

  // What the school asks, once its segments are in.
  void questions(const Bundle& bundle) {
    for (const Frame& frame : bundle.frames) {
      if (const auto* digests = std::get_if<DigestsFrame>(&frame)) {
        if (digests->stream == stream_) compare_digests(*digests);
      } else if (const auto* other = std::get_if<UnknownFrame>(&frame)) {
        if (auto asked = BucketsQuestion::from(*other); asked && asked->stream == stream_)
          compare_buckets(*asked);
      } else if (const auto* restore = std::get_if<RestoreQuestionFrame>(&frame)) {
        if (restore->stream == stream_) give_back(*restore);
      }
    }
  }

  // From what readers see: the newest state that came whole. A school that has sent none gets one
  // part with nothing in it.
  void give_back(const RestoreQuestionFrame& question) {
    auto replica = registry_.current(urn_);
    if (!replica) return trouble(replica.error(), {});
    RestorePart part{1, {}, ContentWriter().finish()};
    if (*replica) {
      if (auto begun = (*replica)->begin_reading(); !begun) return trouble(begun.error(), {});
      auto made = restore_part(**replica, dictionary_, question.part);
      (*replica)->end_reading();
      if (!made && made.error().code() == Code::kNotFound)
        return problem(Code::kNotFound, {}, made.error().sentence());
      if (!made) return trouble(made.error(), {});
      part = std::move(*made);
    } else if (question.part > 0) {
      return problem(Code::kNotFound, {}, "there is nothing to restore for school " + urn_);
    }
    say("gives back part " + std::to_string(question.part + 1) + " of " + std::to_string(part.parts) +
        " of what only the hub has");
    answers_.emplace_back(
        RestorePartFrame{stream_, question.part, part.parts, part.head, std::move(part.content)});
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
  const Say say_;
  const SayRefused say_refused_;
  const std::string urn_;
  const StreamId stream_;
  std::optional<Replica> replica_;  // of head_.epoch
  Head head_;                       // the newest epoch's
  bool looked_ = false;             // head_ is known
  std::uint64_t epoch_max_ = 0;     // that this bundle may begin, however many it brings
  bool older_ = false;              // there are older epochs
  bool lost_ = false;               // the file that was to be written is damaged
  std::uint32_t later_ = 0;
  std::vector<ProblemFrame> problems_;
  std::vector<Frame> answers_;
};

constexpr std::string_view kSchoolPrefix = "school:";

// One message, from its first byte to its answer.
class Reception {
 public:
  Reception(HubService::State& state, Way way)
      : s_(state), way_(way), keys_(state.keys.keys()), now_(state.clock.now()) {}

  Result<HubService::Answered> take(ByteView bytes) {
    bytes_ = bytes;
    switch (message_kind(bytes)) {
      case MessageKind::kCardQuestion:
        return card_for(bytes);
      case MessageKind::kBundle:
        return bundle(bytes);
      default:
        return fail(Code::kDamaged, "what came is damaged, or no bundle at all",
                    "Nothing of it was taken; it can be sent again as it is");
    }
  }

 private:
  using Answered = HubService::Answered;

  [[nodiscard]] const PartySecret& current() const { return keys_->front().secret; }

  Result<Answered> card_for(ByteView bytes) {
    auto nonce = read_card_question(bytes);
    if (!nonce) return refuse(nonce.error());
    return Answered{card(current(), *nonce, now_, s_.software), {}, {}, {}};
  }

  // --- refusals that cannot be, or are not worth being, sealed ---------------------------------
  Result<Answered> refuse(Code code, std::string text, std::uint32_t later_seconds = 0) {
    s_.say_refused(urn_, code, text + (sender_.empty() ? "" : " (key " + sender_ + ")"), now_);
    Notice n;
    n.code = code;
    n.answers = id_;
    n.now = now_;
    n.later_seconds = later_seconds;
    n.text = text;
    // By the key that the sender knows, where we have it.
    return Answered{notice(n, own_ != nullptr ? *own_ : current(), bytes_), urn_, code, std::move(text)};
  }
  Result<Answered> refuse(const Error& error) {
    // What our reader advises is for this machine; the sentence is read at the school.
    Reader opening(bytes_);
    static_cast<void>(opening.u32());
    const std::uint16_t version = opening.u16();
    if (error.code() == Code::kUnknownVersion && opening.ok() && version < kSealedVersion)
      return refuse(error.code(),
                    "this bundle is written in format version " + std::to_string(version) +
                        ", and this hub reads " + std::to_string(kSealedVersion) +
                        ": it is of an older towpath, or was changed on its way; update towpath there, and "
                        "enrol that machine with an invitation code if it is not enrolled");
    if (error.code() == Code::kUnknownVersion)
      return refuse(
          error.code(),
          "this bundle is written in a format version that the hub does not read, or was changed on "
          "its way; if this machine's towpath is newer than the hub, towpath-hub has to be updated");
    return refuse(error.code(), error.sentence());
  }
  Result<Answered> later(const Error& why) {
    s_.say((urn_.empty() ? std::string() : "school " + urn_ + ": ") + "not answered: " + why.sentence());
    Notice n;
    n.code = Code::kBusy;
    n.answers = id_;
    n.now = now_;
    n.later_seconds = why.code() == Code::kBusy ? kLaterBusySeconds : kLaterDiskSeconds;
    n.text = "the hub cannot look into its books now; nothing of this bundle was taken, and nothing is lost";
    std::string text = n.text;
    return Answered{notice(n, own_ != nullptr ? *own_ : current(), bytes_), urn_, Code::kBusy,
                    std::move(text)};
  }

  // --- a bundle ----------------------------------------------------------------------------------
  Result<Answered> bundle(ByteView bytes) {
    auto outside = Envelope::read(bytes);
    if (!outside) return refuse(outside.error());
    id_ = outside->id;
    sender_ = outside->sender.text();
    own_ = key_of(*keys_, outside->recipient);
    if (own_ == nullptr)
      return refuse(Code::kOtherRecipient,
                    "this bundle is sealed for another hub, or for a key that this hub "
                    "has not got (" +
                        outside->recipient.text() + ")");
    if (outside->introduces) return enrolment(bytes, *outside->introduces);

    auto known = s_.registry.agents().find(outside->sender);
    if (!known) return later(known.error());
    if (!*known)
      return refuse(
          Code::kUnknownKey,
          "this hub does not know the key of this machine; ask its operator for an invitation code");
    agent_ = std::move(**known);
    auto opened = open(bytes, *own_, agent_.key);
    if (!opened) return refuse(opened.error());
    // From here on it is known who speaks.
    urn_ = agent_.urn;
    if (agent_.standing != Standing::kCurrent) return ended(agent_.standing, agent_.changed);
    std::optional<Limits::Ticket> ticket;
    if (auto refused = admit(ticket)) return std::move(*refused);
    return visit(*opened);
  }

  Result<Answered> ended(Standing standing, Instant when) {
    if (standing == Standing::kRevoked)
      return refuse(Code::kRevoked, "the hub's operator has revoked this machine's key on " + iso(when));
    return refuse(Code::kReplaced,
                  "this machine's key was replaced by another of school " + urn_ + " on " + iso(when));
  }

  // Set: the school is to come back later.
  std::optional<Result<Answered>> admit(std::optional<Limits::Ticket>& ticket) {
    if (way_ == Way::kStick) return std::nullopt;
    auto admitted = s_.limits.admit(urn_);
    if (admitted) {
      ticket.emplace(std::move(*admitted));
      return std::nullopt;
    }
    const auto& why = admitted.error();
    return refuse(Code::kTooMany,
                  why.why == Limits::Later::Why::kBusy
                      ? "the hub is still busy with earlier bundles of school " + urn_
                      : "school " + urn_ + " has sent more bundles than the hub takes in a minute",
                  why.seconds);
  }

  Bundle answer_begun() {
    Bundle answer;
    answer.answers = id_;
    s_.random.fill(answer.id.uuid.bytes);
    answer.sent = now_;
    answer.frames.emplace_back(HelloFrame{"hub", s_.software, s_.dictionary.version, 0, 0});
    // Until the agent addresses our newest key, each answer under an older one names it.
    if (own_ != &current()) answer.frames.emplace_back(towpath::new_key(current(), own_->key()));
    return answer;
  }
  Result<Answered> sealed(const Bundle& answer, const PartyKey& to, const ProblemFrame* problem) {
    auto bytes = seal(answer, *own_, to, s_.random);
    if (!bytes) return fail(std::move(bytes).error());
    Answered out{std::move(*bytes), urn_, {}, {}};
    if (problem != nullptr) {
      out.refused = problem->code;
      out.text = problem->text;
    }
    return out;
  }
  Result<Answered> refuse_sealed(Code code, std::string text, const PartyKey& to) {
    s_.say_refused(urn_, code, text + " (key " + sender_ + ")", now_);
    Bundle answer = answer_begun();
    const ProblemFrame problem{code, {}, {}, std::move(text), {}};
    answer.frames.emplace_back(problem);
    return sealed(answer, to, &problem);
  }

  // --- enrolment -----------------------------------------------------------------------------------
  Result<Answered> enrolment(ByteView bytes, const PartyKey& key) {
    auto opened = open(bytes, *own_, key);
    if (!opened) return refuse(opened.error());
    const auto* hello = opened->frames.empty() ? nullptr : std::get_if<HelloFrame>(&opened->frames.front());
    const EnrolFrame* enrol = nullptr;
    for (const Frame& frame : opened->frames)
      if (const auto* f = std::get_if<EnrolFrame>(&frame)) enrol = f;
    if (hello == nullptr || enrol == nullptr || !hello->sender.starts_with(kSchoolPrefix))
      return refuse_sealed(Code::kDamaged,
                           "an enrolment has to say for which school, and bring an invitation", key);
    const std::string urn = hello->sender.substr(kSchoolPrefix.size());
    auto school = s_.registry.agents().enrol(Invitation::hash_of(enrol->secret), key, printable(urn),
                                             enrol->label, now_);
    if (!school) {
      switch (school.error().code()) {
        case Code::kCodeUnknown:
        case Code::kCodeExpired:
        case Code::kCodeUsed:
        case Code::kWrongStream:
        case Code::kRevoked:
        case Code::kReplaced:
        case Code::kRefused:
          return refuse_sealed(school.error().code(), school.error().sentence(), key);
        default:
          return later(school.error());
      }
    }
    urn_ = *school;
    WelcomeFrame welcome{urn_, {}, 0};
    auto known = s_.registry.school(urn_);
    if (!known) return later(known.error());
    if (*known) welcome.name = (*known)->name;
    // What an earlier machine had sent. If that cannot be told now the school has to ask again: a wrong
    // "nothing" would let it publish over its own record. A file that is damaged is nothing for good.
    auto replica = s_.registry.current(urn_);
    if (!replica && replica.error().code() != Code::kDamaged) return later(replica.error());
    if (replica && *replica)
      for (const DatasetState& d : (*replica)->running_states()) welcome.rows += d.rows;
    s_.say("school " + urn_ + ": enrolled with key " + sender_);
    Bundle answer = answer_begun();
    answer.frames.emplace_back(std::move(welcome));
    return sealed(answer, key, nullptr);
  }
  // A URN is repeated to its sender and in the log only if it looks like one.
  static std::string printable(const std::string& urn) {
    const bool digits =
        urn.size() == 6 && std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? urn : "(not a URN)";
  }

  // --- the work --------------------------------------------------------------------------------------
  Result<Answered> visit(const Bundle& bundle) {
    // Nothing is said: its sender asks whether its key is good (doctor). No turn is used, nothing is heard.
    if (bundle.frames.empty()) return sealed(answer_begun(), agent_.key, nullptr);
    const auto* hello = std::get_if<HelloFrame>(&bundle.frames.front());
    if (hello == nullptr)
      return refuse_sealed(Code::kDamaged, "the bundle does not begin by saying who sent it", agent_.key);
    if (hello->sender != std::string(kSchoolPrefix) + urn_)
      return refuse_sealed(
          Code::kWrongStream,
          "the bundle says that another than school " + urn_ +
              " sent it, whose key it is signed with; check [school] urn in the configuration",
          agent_.key);
    if (hello->instance == 0 || hello->turn == 0 || hello->turn > INT64_MAX)
      return refuse_sealed(Code::kDamaged, "the bundle does not say which of its sender's turns it is",
                           agent_.key);

    const std::lock_guard lock(s_.school_mutex(urn_));
    const Agents::Heard heard{
        {hello->instance, hello->turn, bundle.id}, hello->software, bundle.sent, way_ == Way::kLine};
    auto verdict = s_.registry.agents().hear(agent_.key.id(), heard, now_);
    if (!verdict) {
      const Code code = verdict.error().code();
      if (code == Code::kRevoked || code == Code::kReplaced)  // while it waited for its turn
        return ended(code == Code::kRevoked ? Standing::kRevoked : Standing::kReplaced, now_);
      return later(verdict.error());
    }
    Visit work(
        s_.registry, s_.shelf, s_.dictionary, [this](const std::string& line) { s_.say(line); },
        [this](Code code, const std::string& text) { s_.say_refused(urn_, code, text, now_); }, urn_);
    Bundle answer = answer_begun();
    std::optional<ProblemFrame> key_problem;
    switch (*verdict) {
      case TurnVerdict::kForked:
        work.refuse(Code::kForked,
                    "this machine was set back to an earlier state, or another was copied from it: bundle " +
                        std::to_string(hello->turn) + " of its count is not the one that this hub knows");
        break;
      case TurnVerdict::kTwoMachines:
        work.refuse(Code::kTwoMachines, "two machines speak with the key of school " + urn_ +
                                            "; the one that is to stay has to be enrolled anew");
        break;
      default:
        work.receive(bundle);
        key_problem = new_key(bundle);
        if (agent_.rotation_asked && !rotated_) answer.frames.emplace_back(RotateFrame{});
    }
    work.put_away();
    std::optional<ProblemFrame> first = key_problem;
    if (const ProblemFrame* problem = work.first_problem()) first = *problem;
    for (Frame& frame : std::move(work).frames()) answer.frames.push_back(std::move(frame));
    if (key_problem) answer.frames.emplace_back(*key_problem);
    return sealed(answer, agent_.key, first ? &*first : nullptr);
  }

  // The sender's new key, on its old one's word. Set: why it was not taken.
  std::optional<ProblemFrame> new_key(const Bundle& bundle) {
    const NewKeyFrame* frame = nullptr;
    for (const Frame& f : bundle.frames)
      if (const auto* n = std::get_if<NewKeyFrame>(&f)) frame = n;
    if (frame == nullptr) return std::nullopt;
    const auto problem = [&](Code code, std::string text) {
      s_.say_refused(urn_, code, text + " (key " + sender_ + ")", now_);
      return ProblemFrame{code, {}, {}, std::move(text), {}};
    };
    const auto key = proven(*frame, agent_.key);
    if (!key)
      return problem(Code::kNotSigned, "the new key has not signed the old one; the old key stays in force");
    if (auto done = s_.registry.agents().replace(agent_.key.id(), *key, now_); !done) {
      if (done.error().code() == Code::kRepeated || done.error().code() == Code::kReplaced)
        return problem(done.error().code(), done.error().sentence());
      s_.say("school " + urn_ + ": new key not stored: " + done.error().sentence());
      return ProblemFrame{
          Code::kBusy, {}, {}, "the hub could not store the new key; the old key stays in force", {}};
    }
    rotated_ = true;
    s_.say("school " + urn_ + ": key " + sender_ + " is replaced by " + key->id().text());
    return std::nullopt;
  }

  HubService::State& s_;
  const Way way_;
  ByteView bytes_;
  const std::shared_ptr<const Keyring::Keys> keys_;
  const Instant now_;
  const PartySecret* own_ = nullptr;  // the key that the bundle was addressed to
  BundleId id_;
  std::string sender_;  // its key's id, as it says
  std::string urn_;     // once it is proven
  Agent agent_;
  bool rotated_ = false;
};

}  // namespace

HubService::HubService(Registry& registry, Keyring& keys, Clock& clock, Random& random,
                       const Dictionary& dictionary, std::string software, const LimitOptions& limits)
    : state_(new State(registry, keys, clock, random, dictionary, std::move(software), limits)) {}
HubService::~HubService() = default;
void HubService::log_to(Log log) { state_->log = std::move(log); }
void HubService::close_files() { state_->shelf.clear(); }

Result<Bytes> HubService::answer(ByteView message) {
  auto answered = take(message, Way::kLine);
  if (!answered) return fail(std::move(answered).error());
  return std::move(answered->bytes);
}
Result<HubService::Answered> HubService::take(ByteView message, Way way) {
  return Reception(*state_, way).take(message);
}

}  // namespace towpath
