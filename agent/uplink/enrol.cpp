#include "agent/uplink/enrol.hpp"

#include <utility>

#include "agent/uplink/answer.hpp"
#include "agent/uplink/page.hpp"
#include "agent/uplink/refusal.hpp"

namespace towpath {
namespace {

// A hub's name for a school, and its software's: one line each.
constexpr std::size_t kNameMax = 120;

// What the hub says against the enrolment.
Error code_refused(Code code, const std::string& hub_says, const Speaker& speaker) {
  const std::string text = safe_line(hub_says, kHubTextMax);
  const std::string more = text.empty() ? std::string() : " (" + text + ")";
  const std::string another =
      "Ask the hub's operator for a new one: towpath-hub school invite " + speaker.school_urn;
  switch (code) {
    case Code::kCodeUnknown:
      return {code, "the hub does not know this invitation code" + more,
              "It may have been withdrawn by a newer one. " + another};
    case Code::kCodeExpired:
      return {code, "the invitation code is no longer valid" + more, another};
    case Code::kCodeUsed:
      return {code, "the invitation code has been used, by another machine" + more,
              "If that was not this school, tell the hub's operator at once. " + another};
    case Code::kWrongStream:
      return {code, "the invitation code was made for another school than " + speaker.school_urn + more,
              "Check school.urn in the configuration. If it is right, the code is the wrong one. " + another};
    default:
      return refusal(code, hub_says, speaker.program, speaker.hub_url);
  }
}

}  // namespace

Result<HubCard> ask_card(Transport& transport, Random& random, const std::string& url) {
  CardNonce nonce{};
  random.fill(nonce);
  auto reply = transport.exchange(card_question(nonce));
  if (!reply) return fail(std::move(reply).error());
  auto card = read_card(reply->body, nonce);
  if (card) return card;
  // An old or unsigned card is told in its own words; what is no card in those of what came instead.
  if (message_kind(reply->body) == MessageKind::kCard) return card;
  return fail(no_answer(*reply, card.error(), url));
}

Result<Enrolled> enrol(const Invitation& code, const std::string& label, const Speaker& speaker,
                       KeyFiles& files, LineState& line, Transport& transport, Clock& clock, Random& random) {
  auto card = ask_card(transport, random, speaker.hub_url);
  if (!card) return fail(std::move(card).error());
  if (!code.is_of(card->key))
    return fail(
        Code::kNotSigned,
        "this is not the hub that the code was made for: " + speaker.hub_url + " answers with the key " +
            card->key.fingerprint(),
        "Compare the address with what the hub's operator gave out. If it is right, ask whether the hub "
        "has been made anew or its key replaced since, and for a new code");
  std::vector<std::string> notes;
  const auto ahead = std::chrono::duration_cast<std::chrono::minutes>(clock.now() - card->now);
  if (std::chrono::abs(ahead) >= kClockSkewMax)
    notes.push_back("this machine's clock is " + std::to_string(std::chrono::abs(ahead).count()) +
                    " minutes " + (ahead.count() > 0 ? "ahead of" : "behind") +
                    " the hub's; set it right (enrolment works all the same)");

  Bytes secret = code.secret();
  auto candidate = Candidate::of(files, Invitation::hash_of(secret), random);
  if (!candidate) {
    wipe(secret);
    return fail(std::move(candidate).error());
  }
  Bundle bundle;
  bundle.id = new_bundle_id(random);
  const auto turn = line.next_turn(bundle.id, random);
  if (!turn) {
    wipe(secret);
    return fail(turn.error());
  }
  bundle.sent = clock.now();
  bundle.frames.emplace_back(HelloFrame{"school:" + speaker.school_urn, speaker.software,
                                        speaker.dictionary_version, turn->instance, turn->number});
  bundle.frames.emplace_back(EnrolFrame{std::move(secret), label});
  auto body = seal(bundle, candidate->own(), card->key, random, true);
  wipe(std::get<EnrolFrame>(bundle.frames.back()).secret);
  if (!body) return fail(std::move(body).error());
  auto reply = transport.exchange(*body);
  if (!reply) return fail(std::move(reply).error());

  const auto again = [](Error error) {
    return std::move(error).advise("Run the same command again; the code is still good for this machine");
  };
  if (message_kind(reply->body) == MessageKind::kNotice) {
    const auto notice = read_notice(reply->body, card->key);
    if (!notice) return fail(again(no_answer(*reply, notice.error(), speaker.hub_url)));
    if (!notice->is_about(*body))
      return fail(again({Code::kTransport, "the answer is to another bundle than the one sent"}));
    if (notice->later_seconds > 0)
      return fail(code_refused(notice->code, notice->text, speaker)
                      .advise("Run the same command again " + in_time(notice->later_seconds)));
    return fail(code_refused(notice->code, notice->text, speaker));
  }
  auto answer = open(reply->body, candidate->own(), card->key);
  if (!answer) return fail(no_answer(*reply, answer.error(), speaker.hub_url));
  if (!answer->answers || *answer->answers != bundle.id)
    return fail(again({Code::kTransport, "the answer is to another bundle than the one sent"}));
  const WelcomeFrame* welcome = nullptr;
  for (const Frame& frame : answer->frames) {
    if (const auto* problem = std::get_if<ProblemFrame>(&frame))
      return fail(code_refused(problem->code, problem->text, speaker));
    if (const auto* later = std::get_if<LaterFrame>(&frame))
      return fail(Code::kBusy, "the hub cannot enrol anybody now",
                  "Run the same command again " + in_time(later->seconds));
    if (const auto* w = std::get_if<WelcomeFrame>(&frame)) welcome = w;
  }
  if (welcome == nullptr)
    return fail(Code::kRefused, "the hub's answer neither welcomes nor refuses",
                "The hub is older or newer than this agent; ask its operator to update it");
  if (welcome->urn != speaker.school_urn)
    return fail(
        code_refused(Code::kWrongStream, "it is for school " + welcome->urn + ", " + welcome->name, speaker));
  Enrolment enrolment;
  enrolment.urn = welcome->urn;
  enrolment.name = safe_line(welcome->name, kNameMax);
  enrolment.hub_url = speaker.hub_url;
  enrolment.hub = card->key;
  enrolment.when = clock.now();
  const std::uint64_t rows = welcome->rows;
  // Before it counts as enrolled: a machine that is killed right after may not publish either.
  // And whatever has been published from here before: another machine may have spoken since, or this
  // was another hub.
  if (rows > 0) TP_TRY(line.set_restore_pending(true));
  auto identity = std::move(*candidate).enrolled(std::move(enrolment));
  if (!identity) return fail(std::move(identity).error());
  TP_TRY(line.past_is_over());  // bundles under another key are nobody's now
  TP_TRY(line.heard(turn->number, clock.now()));
  return Enrolled{std::move(*identity), rows, safe_line(card->software, kNameMax), std::move(notes)};
}

}  // namespace towpath
