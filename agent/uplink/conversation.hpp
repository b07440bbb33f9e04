// One question to the hub and its answer, with all that is about keys, turns and copies.
//
// In: frames. Out: the hub's frames, from an answer that only the pinned hub can have made, to this
// very bundle. On the way: the turn is counted and kept before the bundle leaves; a notice becomes
// an Error with the right next step, or a wait; our key is replaced where the hub or a person asks
// for it; the hub's new key is pinned; a copy of this machine that has spoken is noticed and this
// store takes a new life.
// Used by Exchange, verify, restore and the bundle files. One at a time for one store.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/line_state.hpp"
#include "agent/uplink/hub_peer.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// School PCs drift by minutes; beyond this a person should know (nothing depends on it).
inline constexpr std::chrono::minutes kClockSkewMax{10};
// New lives in one run: one is a machine that was set back; another is a copy that speaks meanwhile.
inline constexpr std::uint32_t kNewLivesMax = 2;

struct Speaker {
  std::string school_urn;
  std::string software;
  std::string hub_url;              // for messages
  std::string program = "towpath";  // what advised commands begin with
  std::uint32_t dictionary_version = 0;
};

// A random id, as UUID version 4.
[[nodiscard]] BundleId new_bundle_id(Random& random);

// A bundle that is ready to leave, its turn counted.
struct Outgoing {
  BundleId id;
  std::uint64_t turn = 0;
  Bytes bytes;
  bool new_key = false;  // it says that our key is to be replaced
};
// What the hub said to one of ours.
struct HubAnswer {
  std::optional<Bundle> bundle;     // none: it did not work on ours
  std::uint64_t turn = 0;           // of ours
  std::uint32_t later_seconds = 0;  // it asks to come back
  bool again = false;               // it did not, and will if it is asked again at once
};

class Conversation {
 public:
  Conversation(LineState& line, HubPeer& peer, Transport& transport, Clock& clock, Random& random,
               Speaker speaker);

  // One request and its answer; `frames` follow our hello.
  [[nodiscard]] Result<HubAnswer> ask(std::vector<Frame> frames);
  // The same until there is an answer; for questions that are cheap to repeat. kTooMany where the hub
  // asks to come back.
  [[nodiscard]] Result<Bundle> ask_until_answered(const std::vector<Frame>& frames);

  // The two halves, for bundles on a stick. Keys are replaced over the line only: a stick may come
  // after others that are still under the old key.
  [[nodiscard]] Result<Outgoing> make_for_stick(std::vector<Frame> frames) {
    return make(std::move(frames), false);
  }
  // kNotFound: an answer to a bundle that this store has not made. kRefused and the like: what the
  // hub says by a notice.
  [[nodiscard]] Result<HubAnswer> take_from_stick(ByteView message);

  // Called with each answer that the pinned hub has sealed for us, old ones on a stick and those that
  // refuse our bundle included, before anything else follows from it.
  using OnAnswer = std::function<Result<void>(const Bundle& answer)>;
  void on_answer(OnAnswer take) { on_answer_ = std::move(take); }

  // The next bundle says that our key is to be replaced; once the hub has taken that, new_key_due() is
  // over.
  [[nodiscard]] Result<void> replace_key();
  [[nodiscard]] bool new_key_due() const { return new_key_due_; }

  // What a person should know: "the hub has a new key; ..."
  std::vector<std::string> events;
  bool key_replaced = false;
  // Counted where the hub has answered, be it by a notice.
  std::uint64_t answered = 0;
  std::uint64_t bytes_sent() const { return transport_.bytes_sent() - sent_before_; }
  std::uint64_t bytes_received() const { return transport_.bytes_received() - received_before_; }
  [[nodiscard]] const Speaker& speaker() const { return speaker_; }

 private:
  [[nodiscard]] Result<Outgoing> make(std::vector<Frame> frames, bool with_new_key);
  [[nodiscard]] Result<HubAnswer> noticed(const Notice& notice, std::uint64_t turn);
  [[nodiscard]] Result<HubAnswer> answered_by(Bundle bundle, std::uint64_t turn, bool new_key);
  [[nodiscard]] Error refuse(Code code, const std::string& text);
  void read_clock(Instant hubs);

  LineState& line_;
  HubPeer& peer_;
  Transport& transport_;
  Clock& clock_;
  Random& random_;
  Speaker speaker_;
  OnAnswer on_answer_;
  std::uint64_t sent_before_, received_before_;  // the transport's counts when we began
  bool new_key_due_ = false;
  bool skew_said_ = false;
  bool used_next_ = false, fell_back_ = false;  // once each: what does not help then never will
  std::uint32_t lives_ = 0;
};

}  // namespace towpath
