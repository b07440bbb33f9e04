#include "hub/exchange/sharing.hpp"

#include <algorithm>

namespace towpath {
namespace {

std::string audience_of(const std::string& federation) { return std::string(kFederationPrefix) + federation; }

const PostMarkFrame* mark_of(const Bundle& bundle) {
  const PostMarkFrame* mark = nullptr;
  for (const Frame& frame : bundle.frames)
    if (const auto* m = std::get_if<PostMarkFrame>(&frame)) mark = m;
  return mark;
}

}  // namespace

SharingVisit::SharingVisit(SharingBooks& books, const PartySecret& hub, const PartySecret& own,
                           std::string urn, Instant now, Say say, SayRefused say_refused)
    : books_(books),
      hub_(hub),
      own_(own),
      urn_(std::move(urn)),
      now_(now),
      today_(utc_date(now)),
      say_(std::move(say)),
      say_refused_(std::move(say_refused)) {}

void SharingVisit::problem(ProblemFrame problem) {
  say_refused_(problem.code, problem.text);
  problems_.push_back(std::move(problem));
}

void SharingVisit::trouble(const Error& error) {
  say_("school " + urn_ + ": sharing: " + error.sentence());
  failed_ = true;
  const bool busy = error.code() == Code::kBusy;
  later_ = std::max(later_, busy ? kLaterBusySeconds : kLaterDiskSeconds);
  if (problems_.empty() || problems_.back().code != Code::kBusy)
    problems_.push_back({Code::kBusy,
                         {},
                         {},
                         "the hub cannot look into its books of agreements now; what it has not "
                         "acknowledged is to be sent again",
                         {}});
}

void SharingVisit::post_only(const Bundle& bundle) { post(bundle); }

void SharingVisit::first(const Bundle& bundle, Visit& borough) {
  std::vector<const DeedFrame*> deeds;
  for (const Frame& frame : bundle.frames)
    if (const auto* d = std::get_if<DeedFrame>(&frame)) deeds.push_back(d);
  auto taken = books_.orders.take(urn_, deeds, hub_, now_);
  if (!taken) return trouble(taken.error());
  for (const std::string& event : taken->events) say_("school " + urn_ + ": " + event);
  for (ProblemFrame& p : taken->problems) problem(std::move(p));
  if (!taken->ids.empty()) first_.emplace_back(DeedsTakenFrame{std::move(taken->ids)});
  tend(borough);
  if (failed_) return;

  auto in = books_.federations.of(urn_);
  if (!in) return trouble(in.error());
  federations_ = std::move(*in);
  auto ever = books_.federations.ever_of(urn_);
  if (!ever) return trouble(ever.error());
  for (const std::string& federation : *ever) {
    streams_.insert(stream_id(urn_, audience_of(federation)));
    if (std::find(federations_.begin(), federations_.end(), federation) == federations_.end())
      left_.push_back(federation);
  }
  for (const std::string& federation : federations_) {
    auto agreement = books_.agreements.in_force(urn_, audience_of(federation), today_);
    if (!agreement) return trouble(agreement.error());
    if (*agreement) in_force_.emplace(federation, std::move(**agreement));
  }
  auto agreed = books_.agreements.in_force(urn_, std::string(kBorough), today_);
  if (!agreed) return trouble(agreed.error());
  if (*agreed) return;
  // A school that has never decided sends as it did before there were agreements.
  auto ended = books_.agreements.ended(urn_, std::string(kBorough), today_);
  if (!ended) return trouble(ended.error());
  if (ended->ever)
    borough.not_agreed("no agreement of school " + urn_ +
                       " with the borough is in force at the hub; nothing of this bundle's data was taken");
}

BeforeRemoval SharingVisit::noting(const DeedId& deed, const std::string& audience) {
  return [this, deed, audience](const ReceiptPaper& receipt) {
    return books_.orders.removing(deed, urn_, audience, receipt);
  };
}

void SharingVisit::tend(Visit& borough) {
  carry_out(borough, true);
  if (!failed_) end_what_has_ended(borough);
}

void SharingVisit::carry_out(Visit& borough, bool early) {
  auto open = books_.orders.open_at_hub(urn_);
  if (!open) return trouble(open.error());
  for (const OpenOrder& o : *open) {
    // What a bundle's segments do not make later. A new epoch's beginning would take away what was held
    // before it by itself, and the receipt would say that nothing was.
    if (early && !o.order.all && o.order.seq.number > 1) continue;
    const BeforeRemoval note = noting(o.deed, o.order.audience);
    auto receipt = o.order.audience == kBorough ? borough.carry_out(o.order, note)
                                                : books_.relays.carry_out(o.order, note);
    if (!receipt) {
      trouble(receipt.error());  // it stays open; the others may be luckier
      continue;
    }
    if (auto done = books_.orders.done_at_hub(o, std::move(*receipt), hub_, now_); !done)
      trouble(done.error());
    emptied_.insert(o.order.stream());
    say_("school " + urn_ + ": order " + o.deed.text().substr(0, 12) + " is carried out here");
  }
}

void SharingVisit::end_what_has_ended(Visit& borough) {
  if (auto done = end(std::string(kBorough), &borough); !done) return trouble(done.error());
  auto ever = books_.federations.ever_of(urn_);
  if (!ever) return trouble(ever.error());
  for (const std::string& federation : *ever)
    if (auto done = end(audience_of(federation), nullptr); !done) return trouble(done.error());
}

Result<void> SharingVisit::end(const std::string& audience, Visit* borough) {
  auto agreed = books_.agreements.in_force(urn_, audience, today_);
  if (!agreed) return fail(std::move(agreed).error());
  if (*agreed) return {};
  auto ended = books_.agreements.ended(urn_, audience, today_);
  if (!ended) return fail(std::move(ended).error());
  // What was sent before there were agreements rests until the first begins.
  if (ended->later || (borough != nullptr && !ended->ever)) return {};
  auto held = borough != nullptr ? borough->holds()
                                 : books_.relays.holds(urn_, audience.substr(kFederationPrefix.size()));
  if (!held) return fail(std::move(held).error());
  auto untold = books_.orders.untold(urn_, audience);
  if (!untold) return fail(std::move(untold).error());
  if (!*held && !*untold) return {};
  const OrderPaper all{urn_, audience, true, {}, {}};
  const BeforeRemoval note = noting({}, audience);
  auto receipt = borough != nullptr ? borough->carry_out(all, note) : books_.relays.carry_out(all, note);
  if (!receipt) return fail(std::move(receipt).error());
  TP_TRY(books_.orders.removed(urn_, audience, ended->last, std::move(*receipt), hub_, now_));
  say_("school " + urn_ + ": no agreement for " + audience + " is in force; what was held is removed");
  return {};
}

void SharingVisit::then(const Bundle& bundle, Visit& borough) {
  // Deeds that were not written down may say that nothing more is to be stored.
  if (failed_) return post(bundle);
  if (auto done = store(bundle); !done) trouble(done.error());
  carry_out(borough, false);
  if (auto done = look_again(); !done) trouble(done.error());
  post(bundle);
  if (!speaks_) return;
  if (auto done = hand_on(bundle); !done) trouble(done.error());
}

void SharingVisit::post(const Bundle& bundle) {
  const PostMarkFrame* mark = mark_of(bundle);
  if (mark == nullptr) return;
  speaks_ = true;
  if (auto done = books_.post.refresh(urn_, hub_, now_); !done) return trouble(done.error());
  auto part = books_.post.after(urn_, mark->mark, own_, now_);
  if (!part) return trouble(part.error());
  bytes_ += part->bytes;
  more_ = more_ || part->more;
  std::vector<Frame> all;
  for (PostFrame& f : part->frames) all.emplace_back(std::move(f));
  first_.insert(first_.begin(), std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
}

// The school's own streams to its federations.
Result<void> SharingVisit::store(const Bundle& bundle) {
  if (streams_.empty()) return {};
  std::map<StreamId, std::vector<RelaySegment>> came;
  for (const Frame& frame : bundle.frames)
    if (const auto* f = std::get_if<SegmentFrame>(&frame))
      // What is damaged the borough's part says.
      if (auto opened = open_segment(f->bytes); opened && streams_.contains(opened->header.stream))
        came[opened->header.stream].push_back({*opened, f->bytes});
  auto keys = books_.post.keys_of(urn_);
  if (!keys) return fail(std::move(keys).error());
  // The paper that says so is in this answer's post.
  for (const std::string& federation : left_)
    if (const auto at = came.find(stream_id(urn_, audience_of(federation))); at != came.end())
      problem(
          {Code::kRefused,
           at->first,
           at->second.front().opened.header.seq,
           "school " + urn_ + " is not in federation " + federation + " any more; nothing for it was taken",
           {}});
  for (const std::string& federation : federations_) {
    const StreamId stream = stream_id(urn_, audience_of(federation));
    const auto at = came.find(stream);
    if (!in_force_.contains(federation)) {
      if (at != came.end())
        problem({Code::kRefused,
                 stream,
                 at->second.front().opened.header.seq,
                 "no agreement of school " + urn_ + " for federation " + federation +
                     " is in force at the hub; nothing for it was taken",
                 {}});
      continue;
    }
    if (at == came.end()) {
      if (mark_of(bundle) == nullptr) continue;
      auto head = books_.relays.head(urn_, federation, *keys);
      if (!head) return fail(std::move(head).error());
      heads_.push_back({stream, *head});
      continue;
    }
    std::stable_sort(at->second.begin(), at->second.end(), [](const RelaySegment& a, const RelaySegment& b) {
      return std::pair(a.opened.header.epoch, a.opened.header.seq) <
             std::pair(b.opened.header.epoch, b.opened.header.seq);
    });
    auto taken = books_.relays.store(urn_, federation, at->second, *keys);
    if (!taken) return fail(std::move(taken).error());
    for (ProblemFrame& p : taken->problems) problem(std::move(p));
    if (taken->stored > 0)
      say_("school " + urn_ + ": federation " + federation + ": " + std::to_string(taken->stored) +
           " segments stored, epoch " + std::to_string(taken->head.epoch.number));
    heads_.push_back({stream, taken->head});
  }
  return {};
}

// What an order has left without a beginning is asked for in the same answer: partners who carry out the
// order later find the new snapshot there, and are not without the school's data until its next visit.
Result<void> SharingVisit::look_again() {
  if (emptied_.empty()) return {};
  auto keys = books_.post.keys_of(urn_);
  if (!keys) return fail(std::move(keys).error());
  for (const std::string& federation : federations_)
    for (HeadFrame& head : heads_) {
      if (head.stream != stream_id(urn_, audience_of(federation)) || !emptied_.contains(head.stream))
        continue;
      auto now = books_.relays.head(urn_, federation, *keys);
      if (!now) return fail(std::move(now).error());
      head.head = *now;
    }
  return {};
}

// Its partners' streams.
Result<void> SharingVisit::hand_on(const Bundle& bundle) {
  std::map<StreamId, PartnersFrame::Entry> stands;
  std::set<StreamId> doubts;
  for (const Frame& frame : bundle.frames) {
    if (const auto* p = std::get_if<PartnersFrame>(&frame))
      for (const PartnersFrame::Entry& e : p->entries) stands[e.stream] = e;
    if (const auto* p = std::get_if<ProblemFrame>(&frame))
      if (p->code == Code::kDigestDiffers || p->code == Code::kDamaged) doubts.insert(p->stream);
  }
  for (const auto& [federation, agreement] : in_force_) {
    auto f = books_.federations.find(federation);
    if (!f) return fail(std::move(f).error());
    for (const FederationMember& m : f->members) {
      if (m.until || m.urn == urn_) continue;
      auto theirs = books_.agreements.in_force(m.urn, audience_of(federation), today_);
      if (!theirs) return fail(std::move(theirs).error());
      if (!*theirs) continue;
      const StreamId stream = stream_id(m.urn, audience_of(federation));
      if (doubts.contains(stream)) TP_TRY(books_.relays.doubted(m.urn, federation, now_));
      PartnersFrame::Entry at;
      if (const auto said = stands.find(stream); said != stands.end()) at = said->second;
      TP_TRY(books_.federations.note({federation, urn_, m.urn, at.epoch, at.seq, now_}));
      // After post an answer may be full: then the school asks again.
      const std::size_t room = bytes_ < kSharedBytesMax ? kSharedBytesMax - bytes_ : 0;
      auto following = books_.relays.following(m.urn, federation, at, room, bytes_ == 0);
      if (!following) return fail(std::move(following).error());
      bytes_ += following->bytes;
      more_ = more_ || following->more;
      for (Bytes& b : following->segments) segments_.emplace_back(SegmentFrame{std::move(b)});
    }
  }
  return {};
}

std::vector<Frame> SharingVisit::first_frames() && { return std::move(first_); }

std::vector<Frame> SharingVisit::last_frames() && {
  std::vector<Frame> all;
  for (const HeadFrame& head : heads_) all.emplace_back(head);
  for (const ProblemFrame& p : problems_) all.emplace_back(p);
  if (later_ > 0) all.emplace_back(LaterFrame{later_});
  for (Frame& f : segments_) all.emplace_back(std::move(f));
  if (more_) all.emplace_back(MoreFrame{});
  return all;
}

}  // namespace towpath
