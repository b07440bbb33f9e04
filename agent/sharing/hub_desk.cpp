#include "agent/sharing/hub_desk.hpp"

#include <algorithm>
#include <utility>

#include "agreement/papers.hpp"
#include "segment/segment.hpp"
#include "trust/signed.hpp"

namespace towpath {
namespace {

bool same(const std::vector<ProblemFrame>& a, const std::vector<ProblemFrame>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ProblemFrame& x, const ProblemFrame& y) {
    return x.code == y.code && x.stream == y.stream && x.seq == y.seq;
  });
}

}  // namespace

Result<std::vector<Publisher*>> HubDesk::streams() {
  if (only_post_) return std::vector<Publisher*>{};
  auto audiences = sharing_.audiences(utc_date(clock_.now()));
  if (!audiences) return fail(std::move(audiences).error());
  publishers_.clear();
  std::vector<Publisher*> out;
  for (Audience& audience : *audiences) {
    // What others pass on says itself whose it is.
    if (audience.name.starts_with(kFederationPrefix)) audience.signer = segment_signer(identity_.own());
    publishers_.push_back(std::make_unique<Publisher>(store_, std::move(audience)));
    out.push_back(publishers_.back().get());
  }
  return out;
}

Result<void> HubDesk::settle() {
  auto settled = sharing_.settle();
  if (!settled) return fail(std::move(settled).error());
  ended_ = ended_ || settled->streams_changed();
  settled_ = settled_ || settled->orders + settled->receipts > 0;
  for (std::string& event : settled->events) events_.push_back(std::move(event));
  return {};
}

Result<void> HubDesk::published() { return settle(); }

Result<std::vector<Frame>> HubDesk::outgoing() {
  std::vector<Frame> out;
  auto deeds = sharing_.deeds_to_send(kDeedBytesInBundle);
  if (!deeds) return fail(std::move(deeds).error());
  for (Bytes& deed : *deeds) out.emplace_back(DeedFrame{std::move(deed)});
  const auto mark = sharing_.mark();
  if (!mark) return fail(mark.error());
  out.emplace_back(PostMarkFrame{*mark});
  const auto partners = sharing_.partners(utc_date(clock_.now()));
  if (!partners) return fail(partners.error());
  if (!partners->empty()) {
    auto entries = partners_.entries(*partners);
    if (!entries) return fail(std::move(entries).error());
    out.emplace_back(PartnersFrame{std::move(*entries)});
  }
  for (const ProblemFrame& problem : problems_) out.emplace_back(problem);
  return out;
}

Result<Desk::Taken> HubDesk::take(const Bundle& answer) {
  std::vector<PostFrame> post;
  std::vector<const SegmentFrame*> segments;
  Taken taken;
  std::vector<OrderPaper> orders;
  for (const Frame& frame : answer.frames) {
    if (const auto* entry = std::get_if<PostFrame>(&frame)) {
      post.push_back(*entry);
      const auto deed = read_deed(entry->deed);
      if (deed && deed->kind == DeedKind::kOrder)
        if (auto order = OrderPaper::read(deed->body)) orders.push_back(std::move(*order));
    } else if (const auto* segment = std::get_if<SegmentFrame>(&frame)) {
      segments.push_back(segment);
    } else if (const auto* ids = std::get_if<DeedsTakenFrame>(&frame)) {
      const auto ours = sharing_.deeds_taken(ids->ids);
      if (!ours) return fail(ours.error());
      taken.moved = taken.moved || *ours > 0;
    } else if (std::holds_alternative<MoreFrame>(frame)) {
      taken.more = true;
    }
  }
  const Date today = utc_date(clock_.now());
  // What follows on what is held. What begins anew replaces that: then the order goes first, so that its
  // receipt names what was removed.
  std::vector<const SegmentFrame*> first;
  if (!orders.empty() && !segments.empty()) {
    const auto held = partners_.held();
    if (!held) return fail(held.error());
    const auto follows = [&](const SegmentHeader& header) {
      return std::any_of(held->begin(), held->end(), [&](const Partners::Held& one) {
        return header.stream == stream_id(one.urn, std::string(kFederationPrefix) + one.federation) &&
               header.epoch == one.epoch;
      });
    };
    for (const SegmentFrame* segment : segments) {
      const auto opened = open_segment(segment->bytes);
      if (opened && follows(opened->header) &&
          std::any_of(orders.begin(), orders.end(),
                      [&](const OrderPaper& order) { return order.stream() == opened->header.stream; }))
        first.push_back(segment);
    }
  }
  if (!first.empty()) {
    const auto partners = sharing_.partners(today);
    if (!partners) return fail(partners.error());
    // What it refuses may be understood once the post is read: it is asked again below.
    const auto ahead = partners_.take(first, *partners);
    if (!ahead) return fail(ahead.error());
    taken.moved = taken.moved || ahead->moved;
  }
  if (!post.empty()) {
    std::vector<PartyKey> hub{identity_.hub()};
    if (identity_.enrolment().hub_before) hub.push_back(*identity_.enrolment().hub_before);
    auto read = sharing_.take_post(post, hub);
    if (!read) return fail(std::move(read).error());
    taken.moved = taken.moved || read->entries > 0;
    taken.streams_changed = read->streams_changed;
    for (std::string& event : read->events) events_.push_back(std::move(event));
    if (read->entries > 0) TP_TRY(settle());
  }
  std::vector<ProblemFrame> problems;
  if (!segments.empty()) {
    const auto partners = sharing_.partners(today);
    if (!partners) return fail(partners.error());
    auto stored = partners_.take(segments, *partners);
    if (!stored) return fail(std::move(stored).error());
    taken.moved = taken.moved || stored->moved;
    for (std::string& event : stored->events) events_.push_back(std::move(event));
    problems = std::move(stored->problems);
  }
  // Said once more where it is another one; the same again would be a quarrel.
  taken.moved = taken.moved || (!problems.empty() && !same(problems, problems_));
  problems_ = std::move(problems);
  taken.moved = taken.moved || std::exchange(settled_, false);
  taken.streams_changed = taken.streams_changed || std::exchange(ended_, false);
  taken.events = std::exchange(events_, {});
  return taken;
}

}  // namespace towpath
