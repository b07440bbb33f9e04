#include "hub/exchange/service.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "audit/audit.hpp"
#include "hub/exchange/refusals.hpp"
#include "hub/exchange/sharing.hpp"
#include "hub/exchange/shelf.hpp"
#include "hub/exchange/visit.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

namespace towpath {
namespace {

// Two threads may draw at once.
class SharedRandom final : public Random {
 public:
  explicit SharedRandom(Random& from) : from_(from) {}
  void fill(std::span<std::uint8_t> out) override {
    const std::lock_guard lock(mutex_);
    from_.fill(out);
  }

 private:
  Random& from_;
  std::mutex mutex_;
};
class SharedClock final : public Clock {
 public:
  explicit SharedClock(Clock& from) : from_(from) {}
  Instant now() override {
    const std::lock_guard lock(mutex_);
    return from_.now();
  }

 private:
  Clock& from_;
  std::mutex mutex_;
};

}  // namespace

struct HubService::State {
  State(Registry& r, Keyring& k, Clock& c, Random& n, const Dictionary& d, std::string s,
        const LimitOptions& l)
      : registry(r),
        keys(k),
        clock(c),
        random(n),
        dictionary(d),
        software(std::move(s)),
        limits(clock, l),
        sharing(r) {}

  Registry& registry;
  Keyring& keys;
  SharedClock clock;
  SharedRandom random;
  const Dictionary& dictionary;
  const std::string software;
  Limits limits;
  Log log;
  Refusals refusals;
  std::mutex schools_mutex;
  std::map<std::string, std::unique_ptr<std::mutex>> schools;  // enrolled ones only
  Shelf shelf;
  SharingBooks sharing;

  std::mutex& school_mutex(const std::string& urn) {
    const std::lock_guard lock(schools_mutex);
    auto& m = schools[urn];
    if (!m) m = std::make_unique<std::mutex>();
    return *m;
  }
  void say(const std::string& line) const {
    if (log) log(line);
  }
  void say_refused(const std::string& urn, Code code, const std::string& text, Instant now) {
    if (!log) return;
    if (const auto line = refusals.note(urn, code, text, now)) log(*line);
  }
};

namespace {

constexpr std::string_view kSchoolPrefix = "school:";

// One message, from its first byte to its answer.
class Reception {
 public:
  Reception(HubService::State& state, Way way)
      : s_(state), way_(way), keys_(state.keys.keys()), now_(state.clock.now()) {}

  Result<HubService::Answered> take(ByteView bytes) {
    bytes_ = bytes;
    switch (message_kind(bytes)) {
      case MessageKind::kCardQuestion:
        return card_for(bytes);
      case MessageKind::kBundle:
        return bundle(bytes);
      default:
        return fail(Code::kDamaged, "what came is damaged, or no bundle at all",
                    "Nothing of it was taken; it can be sent again as it is");
    }
  }

 private:
  using Answered = HubService::Answered;

  [[nodiscard]] const PartySecret& current() const { return keys_->front().secret; }

  Result<Answered> card_for(ByteView bytes) {
    auto nonce = read_card_question(bytes);
    if (!nonce) return refuse(nonce.error());
    return Answered{card(current(), *nonce, now_, s_.software), {}, {}, {}};
  }

  // --- refusals that cannot be, or are not worth being, sealed ---------------------------------
  Result<Answered> refuse(Code code, std::string text, std::uint32_t later_seconds = 0) {
    s_.say_refused(urn_, code, text + (sender_.empty() ? "" : " (key " + sender_ + ")"), now_);
    Notice n;
    n.code = code;
    n.answers = id_;
    n.now = now_;
    n.later_seconds = later_seconds;
    n.text = text;
    // By the key that the sender knows, where we have it.
    return Answered{notice(n, own_ != nullptr ? *own_ : current(), bytes_), urn_, code, std::move(text)};
  }
  Result<Answered> refuse(const Error& error) {
    // What our reader advises is for this machine; the sentence is read at the school.
    Reader opening(bytes_);
    static_cast<void>(opening.u32());
    const std::uint16_t version = opening.u16();
    if (error.code() == Code::kUnknownVersion && opening.ok() && version < kSealedVersion)
      return refuse(error.code(),
                    "this bundle is written in format version " + std::to_string(version) +
                        ", and this hub reads " + std::to_string(kSealedVersion) +
                        ": it is of an older towpath, or was changed on its way; update towpath there, and "
                        "enrol that machine with an invitation code if it is not enrolled");
    if (error.code() == Code::kUnknownVersion)
      return refuse(
          error.code(),
          "this bundle is written in a format version that the hub does not read, or was changed on "
          "its way; if this machine's towpath is newer than the hub, towpath-hub has to be updated");
    return refuse(error.code(), error.sentence());
  }
  Result<Answered> later(const Error& why) {
    s_.say((urn_.empty() ? std::string() : "school " + urn_ + ": ") + "not answered: " + why.sentence());
    Notice n;
    n.code = Code::kBusy;
    n.answers = id_;
    n.now = now_;
    n.later_seconds = why.code() == Code::kBusy ? kLaterBusySeconds : kLaterDiskSeconds;
    n.text = "the hub cannot look into its books now; nothing of this bundle was taken, and nothing is lost";
    std::string text = n.text;
    return Answered{notice(n, own_ != nullptr ? *own_ : current(), bytes_), urn_, Code::kBusy,
                    std::move(text)};
  }

  // --- a bundle ----------------------------------------------------------------------------------
  Result<Answered> bundle(ByteView bytes) {
    auto outside = Envelope::read(bytes);
    if (!outside) return refuse(outside.error());
    id_ = outside->id;
    sender_ = outside->sender.text();
    own_ = key_of(*keys_, outside->recipient);
    if (own_ == nullptr)
      return refuse(Code::kOtherRecipient,
                    "this bundle is sealed for another hub, or for a key that this hub "
                    "has not got (" +
                        outside->recipient.text() + ")");
    if (outside->introduces) return enrolment(bytes, *outside->introduces);

    auto known = s_.registry.agents().find(outside->sender);
    if (!known) return later(known.error());
    if (!*known)
      return refuse(
          Code::kUnknownKey,
          "this hub does not know the key of this machine; ask its operator for an invitation code");
    agent_ = std::move(**known);
    auto opened = open(bytes, *own_, agent_.key);
    if (!opened) return refuse(opened.error());
    // From here on it is known who speaks.
    urn_ = agent_.urn;
    if (agent_.standing != KeyStanding::kCurrent) return ended(agent_.standing, agent_.changed);
    std::optional<Limits::Ticket> ticket;
    if (auto refused = admit(ticket)) return std::move(*refused);
    return visit(*opened);
  }

  Result<Answered> ended(KeyStanding standing, Instant when) {
    if (standing == KeyStanding::kRevoked)
      return refuse(Code::kRevoked, "the hub's operator has revoked this machine's key on " + iso(when));
    return refuse(Code::kReplaced,
                  "this machine's key was replaced by another of school " + urn_ + " on " + iso(when));
  }

  // Set: the school is to come back later.
  std::optional<Result<Answered>> admit(std::optional<Limits::Ticket>& ticket) {
    if (way_ == Way::kStick) return std::nullopt;
    auto admitted = s_.limits.admit(urn_);
    if (admitted) {
      ticket.emplace(std::move(*admitted));
      return std::nullopt;
    }
    const auto& why = admitted.error();
    return refuse(Code::kTooMany,
                  why.why == Limits::Later::Why::kBusy
                      ? "the hub is still busy with earlier bundles of school " + urn_
                      : "school " + urn_ + " has sent more bundles than the hub takes in a minute",
                  why.seconds);
  }

  Bundle answer_begun() {
    Bundle answer;
    answer.answers = id_;
    s_.random.fill(answer.id.uuid.bytes);
    answer.sent = now_;
    answer.frames.emplace_back(HelloFrame{"hub", s_.software, s_.dictionary.version, 0, 0});
    // Until the agent addresses our newest key, each answer under an older one names it.
    if (own_ != &current()) answer.frames.emplace_back(towpath::new_key(current(), own_->key()));
    return answer;
  }
  Result<Answered> sealed(const Bundle& answer, const PartyKey& to, const ProblemFrame* problem) {
    auto bytes = seal(answer, *own_, to, s_.random);
    if (!bytes) return fail(std::move(bytes).error());
    Answered out{std::move(*bytes), urn_, {}, {}};
    if (problem != nullptr) {
      out.refused = problem->code;
      out.text = problem->text;
    }
    return out;
  }
  Result<Answered> refuse_sealed(Code code, std::string text, const PartyKey& to) {
    s_.say_refused(urn_, code, text + " (key " + sender_ + ")", now_);
    Bundle answer = answer_begun();
    const ProblemFrame problem{code, {}, {}, std::move(text), {}};
    answer.frames.emplace_back(problem);
    return sealed(answer, to, &problem);
  }

  // --- enrolment -----------------------------------------------------------------------------------
  Result<Answered> enrolment(ByteView bytes, const PartyKey& key) {
    auto opened = open(bytes, *own_, key);
    if (!opened) return refuse(opened.error());
    const auto* hello = opened->frames.empty() ? nullptr : std::get_if<HelloFrame>(&opened->frames.front());
    const EnrolFrame* enrol = nullptr;
    for (const Frame& frame : opened->frames)
      if (const auto* f = std::get_if<EnrolFrame>(&frame)) enrol = f;
    if (hello == nullptr || enrol == nullptr || !hello->sender.starts_with(kSchoolPrefix))
      return refuse_sealed(Code::kDamaged,
                           "an enrolment has to say for which school, and bring an invitation", key);
    const std::string urn = hello->sender.substr(kSchoolPrefix.size());
    auto school = s_.registry.agents().enrol(Invitation::hash_of(enrol->secret), key, printable(urn),
                                             enrol->label, now_);
    if (!school) {
      switch (school.error().code()) {
        case Code::kCodeUnknown:
        case Code::kCodeExpired:
        case Code::kCodeUsed:
        case Code::kWrongStream:
        case Code::kRevoked:
        case Code::kReplaced:
        case Code::kRefused:
          return refuse_sealed(school.error().code(), school.error().sentence(), key);
        default:
          return later(school.error());
      }
    }
    urn_ = *school;
    WelcomeFrame welcome{urn_, {}, 0};
    auto known = s_.registry.school(urn_);
    if (!known) return later(known.error());
    if (*known) welcome.name = (*known)->name;
    // What an earlier machine had sent. If that cannot be told now the school has to ask again: a wrong
    // "nothing" would let it publish over its own record. A file that is damaged is nothing for good.
    auto replica = s_.registry.current(urn_);
    if (!replica && replica.error().code() != Code::kDamaged) return later(replica.error());
    if (replica && *replica)
      for (const DatasetState& d : (*replica)->running_states()) welcome.rows += d.rows;
    s_.say("school " + urn_ + ": enrolled with key " + sender_);
    Bundle answer = answer_begun();
    answer.frames.emplace_back(std::move(welcome));
    return sealed(answer, key, nullptr);
  }
  // A URN is repeated to its sender and in the log only if it looks like one.
  static std::string printable(const std::string& urn) {
    const bool digits =
        urn.size() == 6 && std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? urn : "(not a URN)";
  }

  // --- the work --------------------------------------------------------------------------------------
  Result<Answered> visit(const Bundle& bundle) {
    // Nothing is said: its sender asks whether its key is good (doctor). No turn is used, nothing is heard.
    if (bundle.frames.empty()) return sealed(answer_begun(), agent_.key, nullptr);
    const auto* hello = std::get_if<HelloFrame>(&bundle.frames.front());
    if (hello == nullptr)
      return refuse_sealed(Code::kDamaged, "the bundle does not begin by saying who sent it", agent_.key);
    if (hello->sender != std::string(kSchoolPrefix) + urn_)
      return refuse_sealed(
          Code::kWrongStream,
          "the bundle says that another than school " + urn_ +
              " sent it, whose key it is signed with; check [school] urn in the configuration",
          agent_.key);
    if (hello->instance == 0 || hello->turn == 0 || hello->turn > INT64_MAX)
      return refuse_sealed(Code::kDamaged, "the bundle does not say which of its sender's turns it is",
                           agent_.key);

    const std::lock_guard lock(s_.school_mutex(urn_));
    const Agents::Heard heard{
        {hello->instance, hello->turn, bundle.id}, hello->software, bundle.sent, way_ == Way::kLine};
    auto verdict = s_.registry.agents().hear(agent_.key.id(), heard, now_);
    if (!verdict) {
      const Code code = verdict.error().code();
      if (code == Code::kRevoked || code == Code::kReplaced)  // while it waited for its turn
        return ended(code == Code::kRevoked ? KeyStanding::kRevoked : KeyStanding::kReplaced, now_);
      return later(verdict.error());
    }
    const auto say = [this](const std::string& line) { s_.say(line); };
    const auto say_refused = [this](Code code, const std::string& text) {
      s_.say_refused(urn_, code, text, now_);
    };
    Visit work(s_.registry, s_.shelf, s_.dictionary, say, say_refused, urn_);
    SharingVisit sharing(s_.sharing, current(), *own_, urn_, now_, say, say_refused);
    Bundle answer = answer_begun();
    std::optional<ProblemFrame> key_problem;
    bool asks_for_rotation = false;
    switch (*verdict) {
      case TurnVerdict::kForked:
        work.refuse(Code::kForked,
                    "this machine was set back to an earlier state, or another was copied from it: bundle " +
                        std::to_string(hello->turn) + " of its count is not the one that this hub knows");
        sharing.post_only(bundle);
        break;
      case TurnVerdict::kTwoMachines:
        work.refuse(Code::kTwoMachines, "two machines speak with the key of school " + urn_ +
                                            "; the one that is to stay has to be enrolled anew");
        sharing.post_only(bundle);
        break;
      default:
        sharing.first(bundle, work);
        work.receive(bundle, sharing.streams());
        sharing.then(bundle, work);
        key_problem = new_key(bundle, heard.turn);
        asks_for_rotation = agent_.rotation_asked && !rotated_;
    }
    work.put_away();
    std::optional<ProblemFrame> first = key_problem;
    if (const ProblemFrame* problem = sharing.first_problem()) first = *problem;
    if (const ProblemFrame* problem = work.first_problem()) first = *problem;
    for (Frame& frame : std::move(sharing).first_frames()) answer.frames.push_back(std::move(frame));
    if (asks_for_rotation) answer.frames.emplace_back(RotateFrame{});
    for (Frame& frame : std::move(work).frames()) answer.frames.push_back(std::move(frame));
    for (Frame& frame : std::move(sharing).last_frames()) answer.frames.push_back(std::move(frame));
    if (key_problem) answer.frames.emplace_back(*key_problem);
    return sealed(answer, agent_.key, first ? &*first : nullptr);
  }

  // The sender's new key, on its old one's word. Set: why it was not taken.
  std::optional<ProblemFrame> new_key(const Bundle& bundle, const Turn& turn) {
    const NewKeyFrame* frame = nullptr;
    for (const Frame& f : bundle.frames)
      if (const auto* n = std::get_if<NewKeyFrame>(&f)) frame = n;
    if (frame == nullptr) return std::nullopt;
    const auto problem = [&](Code code, std::string text) {
      s_.say_refused(urn_, code, text + " (key " + sender_ + ")", now_);
      return ProblemFrame{code, {}, {}, std::move(text), {}};
    };
    const auto key = proven(*frame, agent_.key);
    if (!key)
      return problem(Code::kNotSigned, "the new key has not signed the old one; the old key stays in force");
    if (auto done = s_.registry.agents().replace(agent_.key.id(), *key, turn, now_); !done) {
      // Overtaken on its way: the machine says it again in its next bundle, if it still holds.
      if (done.error().code() == Code::kOutOfOrder) return std::nullopt;
      if (done.error().code() == Code::kRepeated || done.error().code() == Code::kReplaced)
        return problem(done.error().code(), done.error().sentence());
      s_.say("school " + urn_ + ": new key not stored: " + done.error().sentence());
      return ProblemFrame{
          Code::kBusy, {}, {}, "the hub could not store the new key; the old key stays in force", {}};
    }
    rotated_ = true;
    s_.say("school " + urn_ + ": key " + sender_ + " is replaced by " + key->id().text());
    return std::nullopt;
  }

  HubService::State& s_;
  const Way way_;
  ByteView bytes_;
  const std::shared_ptr<const Keyring::Keys> keys_;
  const Instant now_;
  const PartySecret* own_ = nullptr;  // the key that the bundle was addressed to
  BundleId id_;
  std::string sender_;  // its key's id, as it says
  std::string urn_;     // once it is proven
  Agent agent_;
  bool rotated_ = false;
};

}  // namespace

HubService::HubService(Registry& registry, Keyring& keys, Clock& clock, Random& random,
                       const Dictionary& dictionary, std::string software, const LimitOptions& limits)
    : state_(new State(registry, keys, clock, random, dictionary, std::move(software), limits)) {}
HubService::~HubService() = default;
void HubService::log_to(Log log) { state_->log = std::move(log); }
void HubService::close_files() { state_->shelf.clear(); }

Result<void> HubService::tend() {
  auto schools = state_->registry.schools();
  if (!schools) return fail(std::move(schools).error());
  for (const School& school : *schools) tend(school.urn);
  const Books books = state_->registry.books();
  const std::lock_guard lock(books.mutex);
  auto transaction = books.database.begin();
  if (!transaction) return fail(std::move(transaction).error());
  const auto purged = Audit(books.database).purge(state_->clock.now());
  if (!purged) return fail(purged.error());
  return transaction->commit();
}

Result<void> HubService::finish_orders() {
  auto schools = state_->sharing.orders.schools_with_open();
  if (!schools) return fail(std::move(schools).error());
  for (const std::string& urn : *schools) tend(urn);
  return {};
}

void HubService::tend(const std::string& urn) {
  State& s = *state_;
  const Instant now = s.clock.now();
  const std::lock_guard lock(s.school_mutex(urn));
  const auto say = [&](const std::string& line) { s.say(line); };
  const auto say_refused = [&](Code code, const std::string& text) { s.say_refused(urn, code, text, now); };
  const auto keys = s.keys.keys();
  const PartySecret& key = keys->front().secret;
  Visit work(s.registry, s.shelf, s.dictionary, say, say_refused, urn);
  SharingVisit sharing(s.sharing, key, key, urn, now, say, say_refused);
  sharing.tend(work);
  sharing.finish(work);
  work.put_away();
}

Result<Bytes> HubService::answer(ByteView message) {
  auto answered = take(message, Way::kLine);
  if (!answered) return fail(std::move(answered).error());
  return std::move(answered->bytes);
}
Result<HubService::Answered> HubService::take(ByteView message, Way way) {
  return Reception(*state_, way).take(message);
}

}  // namespace towpath
