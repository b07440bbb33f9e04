// A hub with three schools of one federation, their deeds and their streams to each other.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "agreement/papers.hpp"
#include "audit/audit.hpp"
#include "hub/federation/agreements.hpp"
#include "hub/federation/federations.hpp"
#include "hub/federation/orders.hpp"
#include "hub/federation/post.hpp"
#include "tests/hub/hub_fixture.hpp"
#include "trust/signed.hpp"

namespace towpath::test {

inline const std::string kFirst = "100001", kSecond = "100002", kThird = "100003";
inline const std::string kKentish = "federation:kentish";

inline std::string agreement_text(const std::string& id, std::uint32_t version, const std::string& audience,
                                  const std::string& start = "2026-09-01",
                                  const std::string& end = "2027-08-31",
                                  const std::vector<std::string>& urns = {"100001", "100002", "100003"}) {
  std::string text = "id = \"" + id + "\"\nversion = " + std::to_string(version) +
                     "\ntitle = \"Shared roll\"\naudience = \"" + audience + "\"\nstart = " + start +
                     "\nend = " + end + "\nreview = " + end +
                     "\ntext = \"Protocol, signed 6 July 2026\"\ncontrollers = \"joint\"\n"
                     "purpose = \"Knowing who is in school\"\n"
                     "lawful_basis = \"UK GDPR Article 6(1)(e)\"\ngrants = [\"ROLL\", \"ATT-CAT\"]\n"
                     "frequency = \"Daily\"\nmethod = \"towpath\"\ndisposal = \"Removed by towpath\"\n"
                     "onward_sharing = \"None\"\nsubject_rights_contact = \"The school's office\"\n"
                     "breach_contact = \"dpo@example.example\"\n[pupils]\nscope = \"on-roll\"\n";
  if (audience == kBorough) text += "[[party]]\nname = \"Borough of Example\"\nrole = \"controller\"\n";
  for (const std::string& urn : urns)
    text += "[[party]]\nurn = " + urn + "\nname = \"School " + urn + "\"\nrole = \"controller\"\n";
  return text;
}

struct FederationFixture : HubFixture {
  FederationFixture() {
    for (const std::string& urn : {kFirst, kSecond, kThird}) add(urn);
    REQUIRE(federations().add("kentish", "Kentish federation", {kFirst, kSecond, kThird}, clock.time));
  }
  Federations federations() { return Federations(*registry); }
  Agreements agreements() { return Agreements(*registry); }
  Orders orders() { return Orders(*registry); }
  const PartySecret& hub_key() { return keys->keys()->front().secret; }

  void offer(const std::string& text) {
    auto added = agreements().add(text, built_in_dictionary(), hub_key(), clock.time);
    if (!added) FAIL(added.error().sentence());
    for (const AgreementFault& f : added->faults) UNSCOPED_INFO(f.line << ": " << f.text);
    REQUIRE(added->agreement);
  }
  std::vector<std::string> faults(const std::string& text) {
    auto added = agreements().add(text, built_in_dictionary(), hub_key(), clock.time);
    if (!added) return {added.error().sentence()};
    std::vector<std::string> all;
    for (const AgreementFault& f : added->faults) all.push_back(std::to_string(f.line) + ": " + f.text);
    return all;
  }

  Deed deed(const std::string& urn, DeedKind kind, Bytes body, Instant expires = {}) {
    Deed d;
    d.kind = kind;
    d.issuer = "school:" + urn;
    d.number = ++numbers[urn];
    d.made = clock.time;
    d.expires = expires;
    d.body = std::move(body);
    return sign_deed(std::move(d), sealer.of(urn).secret);
  }
  Deed decision(const std::string& urn, const std::string& text, const std::string& id, std::uint32_t version,
                DecisionPaper::What what = DecisionPaper::What::kApproved) {
    return deed(urn, DeedKind::kDecision,
                DecisionPaper{id, version, agreement_hash(text), what, "Headteacher, A Person"}.encode());
  }
  Deed order(const std::string& urn, const std::string& audience, bool all, std::uint32_t epoch = 0,
             std::uint64_t seq = 0, Instant expires = {}) {
    return deed(urn, DeedKind::kOrder, OrderPaper{urn, audience, all, Epoch{epoch}, StreamSeq{seq}}.encode(),
                expires);
  }
  Deed receipt(const std::string& urn, const DeedId& about, StreamId stream) {
    ReceiptPaper r;
    r.about = about;
    r.stream = stream;
    r.outcome = ReceiptPaper::Outcome::kRemoved;
    r.segments = 3;
    r.backups_gone = utc_date(clock.time);
    return deed(urn, DeedKind::kReceipt, r.encode());
  }

  // What a school's agent says: mark and places first, then what is given. Its mark moves on with the post.
  Bundle visit(const std::string& urn, std::vector<Frame> frames = {}) {
    std::vector<Frame> all;
    all.emplace_back(PostMarkFrame{marks[urn]});
    PartnersFrame partners;
    for (const auto& [stream, entry] : places[urn]) partners.entries.push_back(entry);
    all.emplace_back(std::move(partners));
    for (Frame& f : frames) all.push_back(std::move(f));
    Bundle answer = ask(std::move(all), "school:" + urn);
    for (const PostFrame& f : frames_of<PostFrame>(answer)) {
      auto read = read_deed(f.deed);
      REQUIRE(read);
      Hasher chain("towpath post");
      if (f.mark.number == 1) marks[urn] = {};
      REQUIRE(f.mark.number == marks[urn].number + 1);
      const Hash256 hash = chain.update(marks[urn].chain).update(read->id.bytes).finish();
      REQUIRE(std::equal(f.mark.chain.begin(), f.mark.chain.end(), hash.bytes.begin()));
      if (read->issuer == "hub") CHECK(signed_by(*read, std::span(&sealer.hub, 1)));
      marks[urn] = f.mark;
      // (Its own come back to it, so that its mark moves with what it has said.)
      if (read->issuer != "school:" + urn) posted[urn].push_back(*read);
    }
    return answer;
  }
  Bundle hand_in(const std::string& urn, const Deed& d) { return visit(urn, {DeedFrame{d.bytes}}); }
  // Posted since the last time it was asked.
  std::vector<Deed> new_post(const std::string& urn) {
    std::vector<Deed> all = std::move(posted[urn]);
    posted[urn].clear();
    return all;
  }
  std::vector<DeedKind> kinds(const std::string& urn) {
    std::vector<DeedKind> all;
    for (const Deed& d : new_post(urn)) all.push_back(d.kind);
    return all;
  }

  TestWriter stream_of(const std::string& urn, std::uint32_t epoch = 1,
                       const std::string& audience = kKentish) {
    TestWriter writer(stream_id(urn, audience), Epoch{epoch}, all_shapes(kNewDictionary));
    writer.signer = segment_signer(sealer.of(urn).secret);
    return writer;
  }
  Bundle send_to(const std::string& urn, const std::vector<SealedSegment>& segments) {
    std::vector<Frame> frames;
    for (const SealedSegment& s : segments) frames.emplace_back(SegmentFrame{s.bytes});
    return visit(urn, std::move(frames));
  }
  // The partner's replica stands here now.
  void stands(const std::string& urn, StreamId stream, const Head& head) {
    PartnersFrame::Entry e{stream, head.epoch, head.seq, {}};
    std::copy_n(head.segment.bytes.begin(), e.segment.size(), e.segment.begin());
    places[urn][stream] = e;
  }
  std::string everyone_approved() {
    const std::string text = agreement_text("kentish-2026", 1, kKentish);
    offer(text);
    for (const std::string& urn : {kFirst, kSecond, kThird})
      REQUIRE(problems_of(hand_in(urn, decision(urn, text, "kentish-2026", 1))).empty());
    for (const std::string& urn : {kFirst, kSecond, kThird}) static_cast<void>(new_post(urn));
    return text;
  }
  std::vector<std::string> audited() {
    const std::lock_guard lock(registry->books().mutex);
    std::vector<std::string> all;
    Audit audit(registry->books().database);
    REQUIRE(audit.each([&](const AuditEntry& e) { all.push_back(e.kind); }));
    REQUIRE(audit.verify());
    return all;
  }

  std::map<std::string, std::uint64_t> numbers;
  std::map<std::string, PostMark> marks;
  std::map<std::string, std::vector<Deed>> posted;
  std::map<std::string, std::map<StreamId, PartnersFrame::Entry>> places;
};

inline std::optional<Head> head_for(const Bundle& answer, StreamId stream) {
  for (const HeadFrame& h : frames_of<HeadFrame>(answer))
    if (h.stream == stream) return h.head;
  return std::nullopt;
}
// The numbers of the segments that came of a stream.
inline std::vector<std::uint64_t> segments_of(const Bundle& answer, StreamId stream) {
  std::vector<std::uint64_t> all;
  for (const SegmentFrame& s : frames_of<SegmentFrame>(answer)) {
    auto opened = open_segment(s.bytes);
    REQUIRE(opened);
    if (opened->header.stream == stream) all.push_back(opened->header.seq.number);
  }
  return all;
}

}  // namespace towpath::test
