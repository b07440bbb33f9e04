#include "agent/uplink/conversation.hpp"

#include <algorithm>
#include <utility>

#include "agent/uplink/answer.hpp"
#include "agent/uplink/page.hpp"
#include "agent/uplink/refusal.hpp"

namespace towpath {
namespace {

// Told by the hub about the bundle as a whole, not about a segment, nor about a deed in it.
bool about_bundle(const ProblemFrame& problem) { return problem.seq.number == 0 && problem.keys.empty(); }

}  // namespace

BundleId new_bundle_id(Random& random) {
  BundleId id;
  auto& bytes = id.uuid.bytes;
  random.fill(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  return id;
}

Conversation::Conversation(LineState& line, HubPeer& peer, Transport& transport, Clock& clock, Random& random,
                           Speaker speaker)
    : line_(line),
      peer_(peer),
      transport_(transport),
      clock_(clock),
      random_(random),
      speaker_(std::move(speaker)),
      sent_before_(transport.bytes_sent()),
      received_before_(transport.bytes_received()),
      // A change whose answer was lost is asked for again.
      new_key_due_(peer.identity().next().has_value()) {}

Result<void> Conversation::replace_key() {
  auto next = peer_.identity().next_key(random_);
  if (!next) return fail(std::move(next).error());
  new_key_due_ = true;
  return {};
}

Result<Outgoing> Conversation::make(std::vector<Frame> frames, bool with_new_key) {
  Outgoing out;
  out.id = new_bundle_id(random_);
  const auto turn = line_.next_turn(out.id, random_);
  if (!turn) return fail(turn.error());
  out.turn = turn->number;
  Bundle bundle;
  bundle.id = out.id;
  bundle.sent = clock_.now();
  frames.insert(frames.begin(), HelloFrame{"school:" + speaker_.school_urn, speaker_.software,
                                           speaker_.dictionary_version, turn->instance, turn->number});
  if (with_new_key && new_key_due_) {
    auto next = peer_.identity().next_key(random_);
    if (!next) return fail(std::move(next).error());
    frames.emplace_back(std::move(*next));
    out.new_key = true;
  }
  bundle.frames = std::move(frames);
  auto bytes = peer_.seal(bundle);
  if (!bytes) return fail(std::move(bytes).error());
  out.bytes = std::move(*bytes);
  return out;
}

Result<HubAnswer> Conversation::ask(std::vector<Frame> frames) {
  auto out = make(std::move(frames), true);
  if (!out) return fail(std::move(out).error());
  auto reply = transport_.exchange(out->bytes);
  if (!reply) return fail(std::move(reply).error());
  auto word = read_answer(*reply, peer_, out->id, out->bytes, speaker_.hub_url);
  if (!word) return fail(std::move(word).error());
  ++answered;
  if (const auto* notice = std::get_if<Notice>(&*word)) return noticed(*notice, out->turn);
  return answered_by(std::move(std::get<Bundle>(*word)), out->turn, out->new_key);
}

Result<Bundle> Conversation::ask_until_answered(const std::vector<Frame>& frames) {
  // Each way to be asked again is one that cannot come twice in a row.
  for (int i = 0; i < 4; ++i) {
    auto answer = ask(frames);
    if (!answer) return fail(std::move(answer).error());
    if (answer->bundle) return std::move(*answer->bundle);
    if (!answer->again)
      return fail(Code::kTooMany, "the hub asks to come back " + in_time(answer->later_seconds),
                  "Run it again then");
  }
  return fail(Code::kRefused, "the hub asks to be asked again and again", "Tell the hub's operator");
}

Error Conversation::refuse(Code code, const std::string& text) {
  Error error = refusal(code, text, speaker_.program, speaker_.hub_url);
  // That it cannot be written must not hide what the hub said.
  if (ends_the_key(code)) (void)line_.refused(clock_.now(), code, error.what(), error.next());
  return error;
}

Result<HubAnswer> Conversation::noticed(const Notice& notice, std::uint64_t turn) {
  read_clock(notice.now);
  HubAnswer answer;
  answer.turn = turn;
  // The answer that said yes to our next key was lost on its way.
  if (notice.code == Code::kReplaced && peer_.identity().next() && !std::exchange(used_next_, true)) {
    TP_TRY(peer_.identity().use_next());
    new_key_due_ = false;
    key_replaced = true;
    events.emplace_back("the hub had taken this machine's new key already; it is used from now on");
    answer.again = true;
    return answer;
  }
  // A hub that was set back to before our key was replaced.
  if (notice.code == Code::kUnknownKey && !std::exchange(fell_back_, true)) {
    const auto fell = peer_.identity().fall_back();
    if (!fell) return fail(fell.error());
    if (*fell) {
      new_key_due_ = true;
      events.emplace_back(
          "the hub does not know this machine's newest key; the one before is used, and the "
          "hub told of the newest again");
      answer.again = true;
      return answer;
    }
  }
  if (notice.later_seconds > 0) {
    answer.later_seconds = notice.later_seconds;
    events.push_back("the hub asks to come back " + in_time(notice.later_seconds) + ": " +
                     refusal(notice.code, notice.text, speaker_.program, speaker_.hub_url).what());
    return answer;
  }
  return fail(refuse(notice.code, notice.text));
}

Result<HubAnswer> Conversation::answered_by(Bundle bundle, std::uint64_t turn, bool new_key) {
  read_clock(bundle.sent);
  if (on_answer_) TP_TRY(on_answer_(bundle));
  TP_TRY(line_.heard(turn, clock_.now()));
  HubAnswer answer;
  answer.turn = turn;
  std::optional<ProblemFrame> key_refused;
  for (const Frame& frame : bundle.frames) {
    const auto* problem = std::get_if<ProblemFrame>(&frame);
    if (problem == nullptr || !about_bundle(*problem)) continue;
    if (new_key && problem->stream == StreamId{}) {
      key_refused = *problem;
      continue;
    }
    if (ends_the_key(problem->code)) return fail(refuse(problem->code, problem->text));
    if (problem->code != Code::kForked) continue;
    if (++lives_ > kNewLivesMax)
      return fail(refuse(Code::kTwoMachines, safe_line(problem->text, kHubTextMax)));
    TP_TRY(line_.new_life(random_));
    events.emplace_back(
        "this machine was set back to an earlier state, or copied; it goes on as one that was restored");
    // As who it is now, and when the hub likes.
    for (const Frame& other : bundle.frames)
      if (const auto* later = std::get_if<LaterFrame>(&other)) answer.later_seconds = later->seconds;
    answer.again = answer.later_seconds == 0;
    return answer;
  }
  if (new_key) {
    // Not taken, or not known to be: it stays on disk for the next time, or until the hub says that the
    // old one has been replaced.
    new_key_due_ = false;
    if (!key_refused) {
      TP_TRY(peer_.identity().use_next());
      key_replaced = true;
      events.emplace_back("this machine has a new key, and the hub knows it");
    } else {
      events.push_back("the hub has not taken this machine's new key: " +
                       safe_line(key_refused->text, kHubTextMax));
      if (key_refused->code == Code::kRepeated) TP_TRY(peer_.identity().forget_next());
      std::erase_if(bundle.frames, [](const Frame& frame) {
        const auto* problem = std::get_if<ProblemFrame>(&frame);
        return problem != nullptr && about_bundle(*problem) && problem->stream == StreamId{};
      });
    }
  }
  for (const Frame& frame : bundle.frames) {
    if (const auto* next = std::get_if<NewKeyFrame>(&frame)) {
      // An answer under a key that has been replaced since brings nothing new.
      const PartyKey before = peer_.identity().hub();
      if (const auto key = proven(*next, before); key && *key != before) {
        TP_TRY(peer_.identity().pin(*next));
        events.push_back("the hub has a new key (" + key->fingerprint() + "), proven by its old one");
      }
    } else if (std::holds_alternative<RotateFrame>(frame) && !new_key) {
      TP_TRY(replace_key());
    }
  }
  answer.bundle = std::move(bundle);
  return answer;
}

Result<HubAnswer> Conversation::take_from_stick(ByteView message) {
  const auto unknown = [] {
    return fail(Code::kNotFound, "it answers a bundle that this machine has not made",
                "It was made by another school or machine, before this machine was set back or enrolled "
                "anew, or so long ago that it is not known any more");
  };
  switch (message_kind(message)) {
    case MessageKind::kBundle: {
      const auto envelope = Envelope::read(message);
      if (envelope && envelope->sender == peer_.identity().own().key().id())
        return fail(
            Code::kRefused, "it is what this machine has exported, not an answer to it",
            "Take it to the hub: towpath-hub bundle import FILE --answer ANSWER, and bring ANSWER back");
      auto bundle = peer_.open_from_stick(message);
      if (!bundle) return fail(std::move(bundle).error());
      if (!bundle->answers) return unknown();
      const auto turn = line_.turn_of(*bundle->answers);
      if (!turn) return fail(turn.error());
      if (!*turn) return unknown();
      const auto newest = line_.newest_heard();
      if (!newest) return fail(newest.error());
      if (**turn <= *newest) {
        if (on_answer_) TP_TRY(on_answer_(*bundle));
        HubAnswer old;
        old.turn = **turn;
        old.bundle = std::move(*bundle);
        return old;
      }
      // A stick is slow: its clock says nothing about ours.
      skew_said_ = true;
      return answered_by(std::move(*bundle), **turn, false);
    }
    case MessageKind::kNotice: {
      const auto notice = peer_.notice_from_stick(message);
      if (!notice) return fail(notice.error());
      const auto turn = line_.turn_of(notice->answers);
      if (!turn) return fail(turn.error());
      if (!*turn) return unknown();
      // Anybody can have such a notice made: it is told, and nothing follows from it.
      return fail(refusal(notice->code, notice->text, speaker_.program, {}));
    }
    default:
      return fail(Code::kDamaged, "it is not a hub's answer", "Copy it again from where the hub wrote it");
  }
}

void Conversation::read_clock(Instant hubs) {
  const auto ahead = std::chrono::duration_cast<std::chrono::minutes>(clock_.now() - hubs);
  if (skew_said_ || std::chrono::abs(ahead) < kClockSkewMax) return;
  skew_said_ = true;
  const std::int64_t minutes = std::chrono::abs(ahead).count();
  constexpr std::int64_t kDay = 24 * 60;
  events.push_back("this machine's clock is " +
                   (minutes < 2 * kDay ? std::to_string(minutes) + " minutes "
                                       : std::to_string(minutes / kDay) + " days ") +
                   (ahead.count() > 0 ? "ahead of" : "behind") +
                   " the hub's; set it right (nothing was lost by it)");
}

}  // namespace towpath
