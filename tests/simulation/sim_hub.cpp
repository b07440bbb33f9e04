#include "tests/simulation/sim_hub.hpp"

#include <algorithm>

#include "hub/federation/agreements.hpp"

namespace towpath::sim {
namespace {

constexpr const char* kFolder = "hub";

std::string text(const Head& head) {
  return std::to_string(head.epoch.number) + "/" + std::to_string(head.seq.number) +
         (head.complete ? "" : " loading");
}

bool before(const Head& a, const Head& b) { return std::pair(a.epoch, a.seq) < std::pair(b.epoch, b.seq); }

}  // namespace

SimHub::SimHub(std::uint64_t seed, const SimTime& time, Trace& trace, const Dictionary& dictionary)
    : seed_(seed),
      random_(seed, "hub"),
      disk_(SimRandom(seed, "hub disk")),
      clock_(time),
      trace_(trace),
      dictionary_(&dictionary),
      key_numbers_{keys_made_++} {
  make_keyring();
}
SimHub::~SimHub() { stop(); }

void SimHub::stop() {
  service_.reset();
  registry_.reset();
}

// The keyring's file is whole or not there (tests/hub): here it is made anew from its numbers.
void SimHub::make_keyring() {
  keys_.reset();
  for (const unsigned number : key_numbers_) {
    SimRandom chance(seed_, "hub key " + std::to_string(number));
    if (keys_ == nullptr)
      keys_ = Keyring::of(PartySecret::make(chance), clock_.now());
    else if (const auto made = keys_->rotate(chance, clock_.now()); !made)
      throw Broken("the hub's key cannot be replaced: " + made.error().sentence());
  }
}

bool SimHub::start() {
  stop();
  if (disk_.down()) disk_.reboot();
  // Once made, a hub is never made again: then a registry that is gone is noticed.
  auto registry = Registry::open({kFolder, disk_.vfs(), !made_, true}, *dictionary_, clock_);
  if (!registry) {
    if (!disk_.struck()) throw Broken("the hub does not start: " + registry.error().sentence());
    trace_.event(std::string("the hub fails to start: ") + sim::name(*disk_.struck()));
    disk_.clear_struck();
    disk_.heal();
    if (!disk_.down()) disk_.stop(Fault::kKill);
    return false;
  }
  made_ = true;
  registry_ = std::move(*registry);
  service_ =
      std::make_unique<HubService>(*registry_, *keys_, clock_, random_, *dictionary_, "towpath-hub sim");
  service_->log_to([this](const std::string& line) { trace_.event("hub: " + line); });
  check_kept();
  return !down();
}

void SimHub::upgrade(const Dictionary& dictionary) {
  trace_.event("hub: a newer program");
  dictionary_ = &dictionary;
  if (!down()) start();
}

void SimHub::back_up() {
  trace_.event("hub: backup");
  backup_ = Backup{disk_.image(), acknowledged_, whole_, welcomed_};
}

bool SimHub::set_back() {
  if (!backup_) return false;
  stop();
  disk_.restore(backup_->disk);
  acknowledged_ = backup_->acknowledged;
  whole_ = backup_->whole;
  welcomed_ = backup_->welcomed;
  return true;
}

void SimHub::lose_files(const std::string& urn) {
  stop();
  if (disk_.down()) disk_.reboot();
  const std::string folder = std::string(kFolder) + "/schools/" + urn + "/";
  for (const auto& [path, size] : disk_.files())
    if (path.starts_with(folder)) disk_.remove(path, true);
  acknowledged_.erase(urn);
  whole_.erase(urn);
}

void SimHub::add_school(const std::string& urn) {
  const auto added = registry_->add_school(urn, "School " + urn);
  if (!added) throw Broken("a school cannot be added: " + added.error().sentence());
  schools_.insert(urn);
}

void SimHub::offer(const std::string& toml) {
  const auto added =
      Agreements(*registry_).add(toml, *dictionary_, keys_->keys()->front().secret, clock_.now());
  if (!added) throw Broken("an agreement cannot be offered: " + added.error().sentence());
  if (!added->faults.empty()) throw Broken("an agreement is refused: " + added->faults.front().text);
}

bool SimHub::excused(const Error& error, const char* what) {
  if (!disk_.struck()) throw Broken(std::string(what) + ": " + error.sentence());
  return true;
}

std::optional<Invitation> SimHub::invite(const std::string& urn) {
  if (down()) return std::nullopt;
  Invitation code = Invitation::make(key(), random_);
  Bytes secret = code.secret();
  const Instant now = clock_.now();
  const auto invited = registry_->agents().invite(urn, Invitation::hash_of(secret), now,
                                                  now + std::chrono::hours(random_.between(1, 14 * 24)));
  if (!invited && excused(invited.error(), "a school cannot be invited")) return std::nullopt;
  trace_.event("hub: school " + urn + " is invited");
  return code;
}

bool SimHub::revoke(const std::string& urn) {
  if (down()) return false;
  const auto revoked = registry_->agents().revoke(urn, clock_.now());
  if (!revoked && revoked.error().code() == Code::kNotFound) return false;  // it has none now
  if (!revoked && excused(revoked.error(), "a key cannot be revoked")) return false;
  return true;
}

bool SimHub::ask_rotation(const std::string& urn) {
  if (down()) return false;
  const auto asked = registry_->agents().ask_rotation(urn);
  if (!asked && asked.error().code() == Code::kNotFound) return false;
  if (!asked && excused(asked.error(), "a rotation cannot be asked for")) return false;
  return true;
}

void SimHub::rotate_key() {
  key_numbers_.push_back(keys_made_++);
  SimRandom chance(seed_, "hub key " + std::to_string(key_numbers_.back()));
  if (const auto made = keys_->rotate(chance, clock_.now()); !made)
    throw Broken("the hub's key cannot be replaced: " + made.error().sentence());
}

std::optional<KeyId> SimHub::current_key(const std::string& urn) {
  const auto agent = registry_->agents().current(urn);
  if (!agent) throw Broken("the hub's keys cannot be read: " + agent.error().sentence());
  if (!*agent) return std::nullopt;
  return (*agent)->key.id();
}

void SimHub::remember(PartySecret secret) {
  const KeyId id = secret.key().id();
  secrets_.insert_or_assign(id, std::move(secret));
}

std::optional<Result<Bytes>> SimHub::receive(const std::string& urn, ByteView request, Way way) {
  if (down()) return std::nullopt;
  // Of a key that has ended nothing may come.
  bool ended = false;
  std::optional<Head> before;
  if (const auto envelope = Envelope::read(request); envelope && !envelope->introduces)
    if (const auto agent = registry_->agents().find(envelope->sender);
        agent && *agent && (*agent)->standing != KeyStanding::kCurrent) {
      ended = true;
      if (const auto heads = registry_->epochs(urn); heads && !heads->empty()) before = heads->back();
    }
  auto taken = service_->take(request, way);
  // What went wrong with the disk is over when the witness looks.
  disk_.disarm();
  disk_.heal();
  if (disk_.down()) {  // whatever it would have said: it died before it could
    trace_.event(std::string("the hub dies: ") + sim::name(disk_.struck().value_or(Fault::kKill)));
    stop();
    return std::nullopt;
  }
  if (ended && !disk_.struck()) {
    if (newest(urn) != before)
      throw Broken(Promise::kKept, "a bundle under a key that has ended has moved the hub");
    if (taken && message_kind(taken->bytes) != MessageKind::kNotice)
      throw Broken(Promise::kKept, "a bundle under a key that has ended was answered");
  }
  if (!taken) return Result<Bytes>(fail(std::move(taken).error()));
  last_answers_[urn] = taken->bytes;
  if (message_kind(taken->bytes) == MessageKind::kBundle) witness(urn, request, taken->bytes);
  return Result<Bytes>(std::move(taken->bytes));
}

Bundle SimHub::read(ByteView sealed) {
  if (std::equal(sealed.begin(), sealed.end(), last_sealed_.begin(), last_sealed_.end())) return last_read_;
  const auto outside = Envelope::read(sealed);
  if (!outside) throw Broken(Promise::kKept, "what a school says is no bundle");
  const auto school = secrets_.find(outside->sender);
  const auto keys = keys_->keys();
  const PartySecret* own = key_of(*keys, outside->recipient);
  if (school == secrets_.end() || own == nullptr)
    throw Broken(Promise::kKept, "a bundle is between parties that are not there");
  auto opened = open(sealed, *own, school->second.key());
  if (!opened)
    throw Broken(Promise::kKept, "a school's bundle cannot be opened: " + opened.error().sentence());
  return std::move(*opened);
}

void SimHub::departs(const std::string& urn, ByteView message, const std::vector<std::string>& grants) {
  check_telling(text_of(message), {}, "a message on its way");
  if (message_kind(message) != MessageKind::kBundle) return;
  last_read_ = read(message);
  last_sealed_.assign(message.begin(), message.end());
  departures_[urn].check(last_read_, grants);
}

void SimHub::check_shown(const std::string& urn, const std::vector<std::string>& grants) {
  for (const auto& [path, size] : disk_.files()) {
    const bool ours = path.find("/" + urn + "/") != std::string::npos;
    if (!ours && path.find("/registry.db") == std::string::npos) continue;
    check_telling(text_of(disk_.find(path)->now), ours ? telling_letters(grants) : std::string(), path);
  }
}

void SimHub::witness(const std::string& urn, ByteView sealed, ByteView answer) {
  const Bundle request = read(sealed);
  const auto outside = Envelope::read(sealed);
  const auto keys = keys_->keys();
  const PartySecret* own = key_of(*keys, outside->recipient);
  const auto school = secrets_.find(outside->sender);
  const auto opened = open(answer, school->second, own->key());
  if (!opened) throw Broken("the hub's answer cannot be opened: " + opened.error().sentence());
  const StreamId stream = stream_id(urn, kBorough);
  later_answer_.clear();
  for (const Frame& frame : opened->frames) {
    if (const auto* later = std::get_if<LaterFrame>(&frame); later != nullptr && later->seconds > 0)
      later_answer_.assign(answer.begin(), answer.end());
    if (std::holds_alternative<WelcomeFrame>(frame))
      for (const Frame& f : request.frames)
        if (const auto* enrol = std::get_if<EnrolFrame>(&f))
          if (welcomed_.try_emplace(enrol->secret, outside->sender).first->second != outside->sender)
            throw Broken(Promise::kKept, "one invitation has enrolled two keys of school " + urn);
    const auto* told = std::get_if<HeadFrame>(&frame);
    if (told == nullptr || told->stream != stream) continue;
    const Head& now = told->head;
    Head& last = acknowledged_[urn];
    trace_.event("hub says " + text(now));
    // A head of nothing says that its answer could not look: it acknowledges nothing either.
    if (now.epoch.number == 0) continue;
    if (before(now, last))
      throw Broken(Promise::kKept,
                   "the hub went back from " + text(last) + " to " + text(now) + " for school " + urn);
    if (now.epoch == last.epoch && now.seq == last.seq && now.segment != last.segment)
      throw Broken(Promise::kKept,
                   "the hub holds another segment " + text(now) + " than it had acknowledged");
    std::set<StreamSeq> fresh;
    for (const Frame& f : request.frames)
      if (const auto* segment = std::get_if<SegmentFrame>(&f))
        if (const auto s = open_segment(segment->bytes);
            s && s->header.epoch == now.epoch && (now.epoch != last.epoch || s->header.seq > last.seq))
          fresh.insert(s->header.seq);
    const std::uint64_t moved = now.seq.number - (now.epoch == last.epoch ? last.seq.number : 0);
    // (After a crash it may also have more than it had told: then nothing is known, see check_kept.)
    if (moved > fresh.size())
      throw Broken(Promise::kKept, "the hub moved by " + std::to_string(moved) + " segments to " + text(now) +
                                       ", though only " + std::to_string(fresh.size()) +
                                       " new ones were brought");
    last = now;
    if (now.complete)
      whole_[urn] = now.epoch;
    else if (const auto whole = whole_.find(urn); whole != whole_.end())
      check_readers(urn, whole->second);
  }
}

// While an epoch is being loaded, readers see the one before it.
void SimHub::check_readers(const std::string& urn, Epoch whole) {
  const auto seen = registry_->current(urn);
  if (!seen) {
    if (disk_.struck()) return;
    throw Broken("the hub's copy cannot be opened: " + seen.error().sentence());
  }
  if (!*seen || !(*seen)->head().complete || (*seen)->head().epoch < whole)
    throw Broken(Promise::kWhole, "readers had all of epoch " + std::to_string(whole.number) + " of school " +
                                      urn + ", and now see " +
                                      (*seen ? text((*seen)->head()) : std::string("nothing")));
}

std::optional<Head> SimHub::newest(const std::string& urn) {
  const auto heads = registry_->epochs(urn);
  if (!heads) throw Broken("the hub's epochs cannot be read: " + heads.error().sentence());
  if (heads->empty()) return std::nullopt;
  return heads->back();
}

void SimHub::check_kept() {
  if (down()) return;
  for (const std::string& urn : schools_) {
    Head& last = acknowledged_[urn];
    const auto now = newest(urn);
    if (last.seq.number == 0) {  // nothing was promised; what it took unsaid counts from here
      if (now) last = *now;
      continue;
    }
    if (!now || before(*now, last))
      throw Broken(Promise::kKept, "the hub had acknowledged " + text(last) + " to school " + urn +
                                       ", and now holds " + (now ? text(*now) : std::string("nothing")));
    if (now->epoch == last.epoch && now->seq == last.seq && now->segment != last.segment)
      throw Broken(Promise::kKept,
                   "the hub holds another segment " + text(*now) + " than it had acknowledged");
    // What it took without being able to say so counts from here.
    last = *now;
  }
}

std::optional<Image> SimHub::image(const std::map<std::string, std::string>& entities,
                                   const std::string& urn) {
  auto replica = registry_->current(urn);
  if (!replica) throw Broken("the hub's copy cannot be opened: " + replica.error().sentence());
  if (!*replica) return std::nullopt;
  ImageReader reader(Declared::of(dictionary_->version), entities);
  const bool knows_all = dictionary_->version == Declared::here().version();
  if (knows_all) reader.with_digest();
  reader.read((*replica)->database(), false);
  // (An older program has rows aside, which count as well.)
  if (knows_all && reader.digest() != (*replica)->head().digest.bytes)
    throw Broken(Promise::kEqual,
                 "the hub's rows of school " + urn + " have another digest than its head says");
  return reader.take();
}

void SimHub::check_whole(const std::vector<std::string>& urns) {
  check_kept();
  service_->close_files();
  if (auto sound = registry_->check(); !sound) throw Broken("the registry: " + sound.error().sentence());
  std::set<std::string> expected{std::string(kFolder) + "/registry.db"};
  for (const std::string& urn : urns) {
    auto numbers = registry_->epoch_numbers(urn);
    if (!numbers) throw Broken("the hub's epochs cannot be read: " + numbers.error().sentence());
    for (const Epoch epoch : *numbers)
      expected.insert(std::string(kFolder) + "/schools/" + urn + "/borough-" + std::to_string(epoch.number) +
                      ".db");
    auto replica = registry_->current(urn);
    if (!replica || !*replica) throw Broken(Promise::kEqual, "the hub has nothing whole of school " + urn);
    if (auto sound = (*replica)->database().integrity_check(); !sound)
      throw Broken("the hub's copy: " + sound.error().sentence());
    const auto segments = (*replica)->database().integer("SELECT count(*) FROM segment");
    if (!segments || *segments != static_cast<std::int64_t>((*replica)->head().seq.number))
      throw Broken(Promise::kKept, "the hub has applied " +
                                       (segments ? std::to_string(*segments) : std::string("?")) +
                                       " segments, but stands at " + text((*replica)->head()));
    const auto contents =
        (*replica)->database().integer("SELECT count(*) FROM segment WHERE content IS NOT NULL");
    if (!contents || *contents > static_cast<std::int64_t>(kReferencesKept))
      throw Broken("the hub keeps the contents of more segments than may be referred to");
    const auto states = (*replica)->states();
    if (!states || *states != (*replica)->running_states())
      throw Broken(Promise::kEqual, "the hub's running digests are not those of its rows");
  }
  for (const auto& [path, size] : disk_.files()) {
    const std::string base = path.substr(0, path.rfind(".db") + 3);
    if (!expected.contains(base))
      throw Broken("the hub's disk holds " + path + ", which the registry does not know");
  }
}

}  // namespace towpath::sim
