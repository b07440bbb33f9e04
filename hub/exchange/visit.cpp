#include "hub/exchange/visit.hpp"

#include <algorithm>
#include <set>

#include "replica/restore.hpp"

namespace towpath {
namespace {

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

}  // namespace

Visit::Visit(Registry& registry, Shelf& shelf, const Dictionary& dictionary, Say say, SayRefused say_refused,
             std::string urn)
    : registry_(registry),
      shelf_(shelf),
      dictionary_(dictionary),
      say_(std::move(say)),
      say_refused_(std::move(say_refused)),
      urn_(std::move(urn)),
      stream_(stream_id(urn_, kBorough)) {}

void Visit::refuse(Code code, std::string text) {
  if (auto done = newest(); !done) trouble(done.error(), {});
  problem(code, {}, std::move(text));
}

void Visit::receive(const Bundle& bundle, const std::set<StreamId>& others) {
  std::vector<OpenedSegment> segments = open_segments(bundle, others);
  if (!looked_)
    if (auto done = newest(); !done) {
      trouble(done.error(), {});
      return;
    }
  if (not_agreed_ && !segments.empty()) {
    problem(Code::kRefused, segments.front().header.seq, *not_agreed_);
    segments.clear();
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

std::vector<Frame> Visit::frames() && {
  std::vector<Frame> all;
  // Where it could not look it says nothing of where it stands: "nothing" would be taken for lost, and
  // cost the school a new epoch for one failed read.
  if (looked_) all.emplace_back(HeadFrame{stream_, head_});
  for (ProblemFrame& p : problems_) all.emplace_back(std::move(p));
  if (later_ > 0) all.emplace_back(LaterFrame{later_});
  for (Frame& f : answers_) all.emplace_back(std::move(f));
  return all;
}

void Visit::put_away() {
  if (replica_) shelf_.put(urn_, head_.epoch, std::move(*replica_));
  replica_.reset();
}

const ProblemFrame* Visit::first_problem() const { return problems_.empty() ? nullptr : &problems_.front(); }

void Visit::problem(Code code, StreamSeq seq, std::string text) {
  say_refused_(code, text);
  problems_.push_back({code, stream_, seq, std::move(text), {}});
}

void Visit::trouble(const Error& error, StreamSeq seq) {
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

std::vector<OpenedSegment> Visit::open_segments(const Bundle& bundle, const std::set<StreamId>& others) {
  std::vector<OpenedSegment> segments;
  for (const Frame& frame : bundle.frames) {
    const auto* f = std::get_if<SegmentFrame>(&frame);
    if (f == nullptr) continue;
    auto segment = open_segment(f->bytes);
    if (!segment) {
      problem(segment.error().code(), {}, segment.error().sentence());
      continue;
    }
    if (others.contains(segment->header.stream)) continue;
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

Result<void> Visit::newest() {
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

Result<Replica> Visit::open(Epoch epoch) {
  // An operator may have put a backup in its place; what was open is then nobody's.
  if (auto kept = shelf_.take(urn_, epoch); kept && !kept->database().has_moved()) return std::move(*kept);
  return registry_.open_epoch(urn_, epoch);
}

void Visit::apply(Epoch epoch, std::span<const OpenedSegment> segments) {
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

void Visit::drop_unfinished(Epoch complete) {
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

void Visit::drop(Epoch epoch) {
  if (auto done = registry_.drop_epoch(urn_, epoch); !done)
    say("epoch " + std::to_string(epoch.number) + " is not removed yet: " + done.error().sentence());
}

void Visit::reopen(const Error& why) {
  trouble(why, {});
  if (auto done = newest(); !done) trouble(done.error(), {});
}

bool Visit::apply_to(Replica& replica, std::span<const OpenedSegment> segments) {
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

bool Visit::stopped(const Error& error, StreamSeq seq) {
  lost_ = error.code() == Code::kDamaged;
  if (lost_)
    say("its file is damaged: " + error.sentence());
  else
    trouble(error, seq);
  return false;
}

// --- orders ----------------------------------------------------------------------------------

Result<bool> Visit::holds() {
  if (!looked_) TP_TRY(newest());
  return head_.seq.number > 0 || older_ || (head_.epoch.number > 0 && !replica_);
}

Result<ReceiptPaper> Visit::carry_out(const OrderPaper& order, const BeforeRemoval& note) {
  if (!looked_) TP_TRY(newest());
  ReceiptPaper receipt;
  receipt.stream = stream_;
  receipt.outcome = ReceiptPaper::Outcome::kNothingHeld;
  if (head_.epoch.number == 0) return receipt;
  const bool reached = !order.all && replica_ && head_.seq.number > 0 &&
                       std::pair(head_.epoch, head_.seq) >= std::pair(order.epoch, order.seq);
  auto done = reached ? remove_before(order, receipt, note) : remove_all(receipt, note);
  if (!done) {
    // Where the file stands is asked again, never assumed.
    put_away();
    looked_ = false;
    return fail(std::move(done).error());
  }
  return receipt;
}

Result<void> Visit::remove_all(ReceiptPaper& receipt, const BeforeRemoval& note) {
  // What readers saw; a file that cannot be read is removed all the same.
  if (auto current = registry_.current(urn_); current && *current)
    for (const DatasetState& d : (*current)->running_states())
      if (d.rows > 0) receipt.rows.push_back({d.dataset, d.rows, d.digest});
  if (head_.seq.number > 0 || older_ || !replica_) {
    receipt.outcome = ReceiptPaper::Outcome::kRemoved;
    TP_TRY(note(receipt));
  }
  auto epochs = registry_.epoch_numbers(urn_);
  if (!epochs) return fail(std::move(epochs).error());
  replica_.reset();
  shelf_.close_before(urn_, Epoch{head_.epoch.number + 1});
  for (const Epoch epoch : *epochs)
    if (epoch < head_.epoch) TP_TRY(registry_.drop_epoch(urn_, epoch));
  TP_TRY(registry_.clear_epoch(urn_, head_.epoch));
  older_ = false;
  looked_ = false;
  return newest();
}

Result<void> Visit::remove_before(const OrderPaper& order, ReceiptPaper& receipt, const BeforeRemoval& note) {
  auto epochs = registry_.epoch_numbers(urn_);
  if (!epochs) return fail(std::move(epochs).error());
  shelf_.close_before(urn_, head_.epoch);
  for (const Epoch epoch : *epochs) {
    if (epoch > order.epoch) continue;
    std::optional<Replica> older;
    if (epoch < head_.epoch) {
      auto there = registry_.open_to_read(urn_, epoch);
      if (!there && there.error().code() != Code::kDamaged) return fail(std::move(there).error());
      if (!there || !*there || epoch != order.epoch || (*there)->head().seq < order.seq) {
        // Of two older epochs the newer one is what readers saw last.
        if (there && *there) {
          receipt.rows.clear();
          for (const DatasetState& d : (*there)->running_states())
            if (d.rows > 0) receipt.rows.push_back({d.dataset, d.rows, d.digest});
          there->reset();
        }
        receipt.outcome = ReceiptPaper::Outcome::kRemoved;
        TP_TRY(note(receipt));
        TP_TRY(registry_.drop_epoch(urn_, epoch));
        continue;
      }
      there->reset();
      auto write = registry_.open_epoch(urn_, epoch);
      if (!write) return fail(std::move(write).error());
      older.emplace(std::move(*write));
    }
    Database& db = older ? older->database() : replica_->database();
    auto tx = db.begin();
    if (!tx) return fail(std::move(tx).error());
    TP_TRY(db.exec("UPDATE segment SET content=NULL WHERE content IS NOT NULL AND seq<" +
                   std::to_string(order.seq.number)));
    receipt.references += static_cast<std::uint64_t>(db.changes());
    if (receipt.references > 0) {
      receipt.outcome = ReceiptPaper::Outcome::kRemoved;
      TP_TRY(note(receipt));
    }
    TP_TRY(tx->commit());
    // Pages of earlier commits lie in the log until it is emptied.
    TP_TRY(db.checkpoint());
  }
  return {};
}

void Visit::questions(const Bundle& bundle) {
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

void Visit::give_back(const RestoreQuestionFrame& question) {
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

void Visit::compare_digests(const DigestsFrame& theirs) {
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

void Visit::compare_buckets(const BucketsQuestion& question) {
  if (!replica_) return;
  auto answer = BucketsAnswer::to(
      question, [&](const HashVisitor& visit) { return replica_->each_hash(question.dataset, visit); });
  if (!answer) return trouble(answer.error(), {});
  answers_.emplace_back(answer->frame());
}

}  // namespace towpath
