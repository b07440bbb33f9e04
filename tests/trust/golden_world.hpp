// The golden files' parties and messages: everything from one seed, so that they can be made again.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "bundle/stick.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"
#include "trust/signed.hpp"
#include "trust_world.hpp"

namespace towpath::golden {

inline std::string folder() {
  const char* source = std::getenv("TOWPATH_SOURCE");
  return std::string(source ? source : ".") + "/tests/trust/golden/";
}
inline Bytes file(const std::string& name) {
  std::ifstream in(folder() + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline constexpr Instant kNow{std::chrono::milliseconds{1795421700000}};  // 2026-11-23T07:35:00Z
inline const CardNonce kNonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

inline PartySecret secret(std::uint64_t seed) {
  SeededRandom random{seed};
  return PartySecret::make(random);
}
inline PartySecret school() { return secret(100001); }
inline PartySecret hub() { return secret(8440); }

inline BundleId id(const char* of) { return {Uuid::named(kTowpathSpace, of)}; }
inline HeadFrame head() {
  return {stream_id("100001", kBorough),
          {{1}, {212}, hash256("golden", bytes_of("segment")), hash256("golden", bytes_of("state")), true}};
}

inline Bundle up() {
  Bundle b;
  b.id = id("golden up");
  b.sent = kNow;
  b.frames.emplace_back(HelloFrame{"school:100001", "towpath 0.1.0", 1, 77, 3});
  b.frames.emplace_back(head());
  b.frames.emplace_back(SegmentFrame{Bytes(100, 7)});
  return b;
}
inline Bundle answer() {
  Bundle b;
  b.id = id("golden answer");
  b.answers = up().id;
  b.sent = kNow + std::chrono::milliseconds{250};
  b.frames.emplace_back(HelloFrame{"hub", "towpath-hub 0.1.0", 1, 0, 0});
  b.frames.emplace_back(head());
  b.frames.emplace_back(
      ProblemFrame{Code::kOutOfOrder, head().stream, {214}, "Something between is missing", {}});
  b.frames.emplace_back(new_key(secret(8441), hub().key()));
  return b;
}
inline Bundle enrolment(const Invitation& invitation) {
  Bundle b;
  b.id = id("golden enrolment");
  b.sent = kNow;
  b.frames.emplace_back(HelloFrame{"school:100001", "towpath 0.1.0", 1, 77, 1});
  b.frames.emplace_back(EnrolFrame{invitation.secret(), "office-pc"});
  return b;
}

// Eight bytes of a federation's stream: no real content, which tests/segment/golden has.
inline SealedSegment signed_segment(const PartySecret& by) {
  SegmentHeader h;
  h.stream = stream_id("100001", "federation:kentish");
  h.epoch = {2};
  h.seq = {1};
  h.dictionary_version = 1;
  h.snapshot = h.snapshot_end = true;
  h.digest = hash256("golden", bytes_of("state"));
  return seal_segment(h, Bytes(8, 0), {}, segment_signer(by)).value();
}

// Name of the file and what it holds, made now.
inline std::map<std::string, Bytes> made() {
  std::map<std::string, Bytes> out;
  const auto text = [&](const std::string& name, const std::string& s) {
    out[name] = Bytes(s.begin(), s.end());
  };
  const PartySecret us = school(), them = hub();
  SeededRandom random{2026};
  Invitation invitation = Invitation::make(them.key(), random);
  invitation.host = "hub.example";
  text("v1-school.key", us.file_text());
  text("v1-hub.key", them.file_text());
  text("v1-invitation.txt", invitation.text() + "\n");
  out["v2-up.frames"] = encode_frames(up().frames).value();
  out["v2-up.bundle"] = seal(up(), us, them.key(), random).value();
  out["v2-answer.frames"] = encode_frames(answer().frames).value();
  out["v2-answer.bundle"] = seal(answer(), them, us.key(), random).value();
  out["v2-enrolment.bundle"] = seal(enrolment(invitation), us, them.key(), random, true).value();
  out["v2-question.card"] = card_question(kNonce);
  out["v2-hub.card"] = card(them, kNonce, kNow, "towpath-hub 0.1.0");
  Notice n;
  n.code = Code::kTooMany;
  n.answers = up().id;
  n.now = kNow;
  n.later_seconds = 90;
  n.text = "This school asks too often";
  out["v2-hub.notice"] = notice(n, them, out["v2-up.bundle"]);
  out["v1-signed.segment"] = signed_segment(us).bytes;
  out["v1-up.stick"] = stick_file({out["v2-up.bundle"], out["v2-hub.notice"]}).value();
  return out;
}

}  // namespace towpath::golden
