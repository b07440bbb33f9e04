// The part of a school's visit that is about sharing: deeds, post, federations' streams.
//
// In: the bundle's deeds, the mark of its post, segments of federations' streams, where its replicas of
// partners' streams stand. Out: frames. What stays true: a deed is written down before it is acknowledged; an
// order is carried out in the same visit, and again after a kill; nothing is stored or handed on without an
// agreement that the school has approved and that is in force today, at both ends of the stream. Around the
// borough's work (visit.hpp): first() before its segments, then() after. Who is in no federation and has been
// offered nothing pays a few look-ups. Made by the service for each bundle whose key, signature and turn are
// good; its school is locked.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "hub/exchange/visit.hpp"
#include "hub/federation/agreements.hpp"
#include "hub/federation/federations.hpp"
#include "hub/federation/orders.hpp"
#include "hub/federation/post.hpp"
#include "hub/registry/registry.hpp"
#include "hub/relay/relay.hpp"

namespace towpath {

// Post and partners' segments of one answer: under the 256 KB that school filters pass, with its frames.
inline constexpr std::size_t kSharedBytesMax = 240 * 1024;

// What the hub keeps of sharing, for all visits.
struct SharingBooks {
  explicit SharingBooks(Registry& registry)
      : federations(registry), agreements(registry), orders(registry), post(registry), relays(registry) {}
  Federations federations;
  Agreements agreements;
  Orders orders;
  Post post;
  Relays relays;
};

class SharingVisit {
 public:
  using Say = Visit::Say;
  using SayRefused = Visit::SayRefused;
  // `hub` signs what the hub says for good; `own` is its key that the school knows: the post's.
  SharingVisit(SharingBooks& books, const PartySecret& hub, const PartySecret& own, std::string urn,
               Instant now, Say say, SayRefused say_refused);

  // The mark alone: of a bundle that may not be used otherwise.
  void post_only(const Bundle& bundle);
  void first(const Bundle& bundle, Visit& borough);
  void then(const Bundle& bundle, Visit& borough);
  // Without a bundle: orders that were not finished, agreements that have come to their end.
  void tend(Visit& borough);
  // And those orders that wait for the segments of a bundle, which has not come.
  void finish(Visit& borough) { carry_out(borough, false); }

  // Streams of this school whose segments are taken here.
  [[nodiscard]] const std::set<StreamId>& streams() const { return streams_; }
  // Before all heads, and after them.
  [[nodiscard]] std::vector<Frame> first_frames() &&;
  [[nodiscard]] std::vector<Frame> last_frames() &&;
  [[nodiscard]] const ProblemFrame* first_problem() const {
    return problems_.empty() ? nullptr : &problems_.front();
  }

 private:
  void problem(ProblemFrame problem);
  void trouble(const Error& error);
  [[nodiscard]] BeforeRemoval noting(const DeedId& deed, const std::string& audience);
  // `early`: before segments are stored, the orders that do not wait for any.
  void carry_out(Visit& borough, bool early);
  void end_what_has_ended(Visit& borough);
  [[nodiscard]] Result<void> end(const std::string& audience, Visit* borough);
  void post(const Bundle& bundle);
  [[nodiscard]] Result<void> store(const Bundle& bundle);
  [[nodiscard]] Result<void> look_again();
  [[nodiscard]] Result<void> hand_on(const Bundle& bundle);

  SharingBooks& books_;
  const PartySecret& hub_;
  const PartySecret& own_;
  const std::string urn_;
  const Instant now_;
  const Date today_;
  const Say say_;
  const SayRefused say_refused_;
  std::vector<std::string> federations_;     // that it is in
  std::map<std::string, InForce> in_force_;  // of these, those whose agreement it has approved
  std::vector<std::string> left_;            // federations that the school was in
  std::set<StreamId> streams_;               // of all of these
  bool speaks_ = false;                      // its program knows of post
  std::size_t bytes_ = 0;
  bool more_ = false;
  bool failed_ = false;
  std::vector<Frame> first_, segments_;
  std::vector<HeadFrame> heads_;
  std::set<StreamId> emptied_;  // by orders that were carried out in this visit
  std::vector<ProblemFrame> problems_;
  std::uint32_t later_ = 0;
};

}  // namespace towpath
