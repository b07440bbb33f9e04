// A hub of a few lines behind a line that can be told to misbehave: what the uplink is tested
// against. It opens and seals with real keys, knows the chain of segments and nothing of rows.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/world.hpp"
#include "tests/uplink/enrolled.hpp"
#include "trust/sealed.hpp"

namespace towpath::test {

class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(++count_ * 0x9e37U >> 3);
  }

 private:
  std::uint32_t count_ = 0;
};

class ScriptedHub final : public Transport {
 public:
  explicit ScriptedHub(Keys& keys) : agent(keys.identity.own().key()), keys_(keys) {}

  // What happens to one exchange instead of the usual. Given the hub's usual answer.
  using Mishap = std::function<Result<Reply>(ScriptedHub& hub, const Bundle& asked)>;

  StreamId stream = stream_id("100001", kBorough);
  PartyKey agent;                   // the school's key, as this hub knows it
  Head head;                        // what the hub holds of it
  std::map<StreamId, Head> others;  // and of other streams; one that is not here is none of its
  std::vector<Frame> post;          // put before everything else into each answer
  std::vector<Frame> extra;         // put into each answer after the head
  std::deque<Mishap> script;        // one an exchange, then the usual
  std::vector<Bundle> asked;        // all that came
  Instant clock{std::chrono::milliseconds{1'795'000'000'000}};
  bool takes_nothing = false;
  bool gives_back = true;        // knows the question for what only it still has (it has nothing)
  Bytes last;                    // the body that came last
  std::vector<KeyId> strangers;  // keys that spoke and are not `agent`
  Code unknown_is = Code::kUnknownKey;

  Result<Reply> exchange(ByteView body) override {
    sent_ += body.size();
    last.assign(body.begin(), body.end());
    auto bundle = open(body, keys_.hub, agent);
    if (!bundle) {  // under a key that it does not know: the newest that it does is `agent`
      const auto envelope = Envelope::read(body);
      REQUIRE(envelope);
      strangers.push_back(envelope->sender);
      const Reply reply = refuse(envelope->id, unknown_is);
      received_ += reply.body.size();
      return reply;
    }
    asked.push_back(*bundle);
    auto reply = [&]() -> Result<Reply> {
      if (script.empty()) return usual(*bundle);
      const Mishap mishap = script.front();
      script.pop_front();
      return mishap(*this, *bundle);
    }();
    if (reply) received_ += reply->body.size();
    return reply;
  }
  std::uint64_t bytes_sent() const override { return sent_; }
  std::uint64_t bytes_received() const override { return received_; }

  // Applies what fits the chain, then says where it stands.
  Reply usual(const Bundle& bundle) {
    std::vector<Frame> frames;
    for (const Frame& frame : bundle.frames) {
      const auto* segment = std::get_if<SegmentFrame>(&frame);
      if (segment == nullptr || takes_nothing) continue;
      const auto opened = open_segment(segment->bytes);
      REQUIRE(opened);
      const SegmentHeader& h = opened->header;
      const auto other = others.find(h.stream);
      Head& held = other == others.end() ? head : other->second;
      const bool next =
          h.epoch == held.epoch && h.seq.number == held.seq.number + 1 && h.previous == held.segment;
      const bool fresh = h.epoch > held.epoch && h.seq.number == 1;
      if (next || fresh)
        held = {h.epoch, h.seq, opened->hash, h.digest, h.snapshot_end || held.complete};
      else if (h.epoch == held.epoch && h.seq == held.seq && opened->hash != held.segment)
        frames.emplace_back(
            ProblemFrame{Code::kForked, h.stream, h.seq, "another segment of this number", {}});
    }
    for (const Frame& frame : bundle.frames)
      if (const auto* question = std::get_if<RestoreQuestionFrame>(&frame); question != nullptr && gives_back)
        frames.emplace_back(RestorePartFrame{stream, question->part, 1, head, ContentWriter().finish()});
    for (const auto& [other, held] : others) frames.insert(frames.begin(), HeadFrame{other, held});
    frames.insert(frames.begin(), HeadFrame{stream, head});
    frames.insert(frames.begin(), post.begin(), post.end());
    frames.insert(frames.begin(), HelloFrame{"hub", "test", 1});
    frames.insert(frames.end(), extra.begin(), extra.end());
    return answer(bundle, frames);
  }
  Reply answer(const Bundle& to, std::vector<Frame> frames) {
    Bundle bundle;
    bundle.id.uuid.bytes[0] = 0xab;
    bundle.answers = to.id;
    bundle.sent = clock;
    bundle.frames = std::move(frames);
    return {200, std::string(kBundleMediaType), seal(bundle, keys_.hub, agent, keys_.random).value()};
  }
  // A signed notice about the last bundle.
  Reply refuse(const BundleId& id, Code code, const std::string& text = {}, std::uint32_t later = 0) {
    Notice n;
    n.code = code;
    n.answers = id;
    n.now = clock;
    n.later_seconds = later;
    n.text = text;
    return {200, std::string(kBundleMediaType), notice(n, keys_.hub, last)};
  }

  static std::size_t segments_in(const Bundle& bundle) {
    std::size_t n = 0;
    for (const Frame& frame : bundle.frames) n += std::holds_alternative<SegmentFrame>(frame) ? 1U : 0U;
    return n;
  }

 private:
  Keys& keys_;
  std::uint64_t sent_ = 0, received_ = 0;
};

inline Reply page(int status, const std::string& html, const std::string& type = "text/html; charset=utf-8") {
  const ByteView bytes = bytes_of(html);
  return {status, type, Bytes(bytes.begin(), bytes.end())};
}

// --- mishaps ---------------------------------------------------------------------------------
inline Result<Reply> line_is_down(ScriptedHub&, const Bundle&) {
  return fail(Code::kTransport, "no connection to the hub");
}
inline Result<Reply> answer_is_lost(ScriptedHub& hub, const Bundle& asked) {
  (void)hub.usual(asked);
  return fail(Code::kTransport, "the connection was cut before the answer was whole");
}

}  // namespace towpath::test
