// A school that means harm and has a valid key, against a whole hub: registry, replicas, turns, keys.
//
// The input is a program: segments with right hashes and wrong contents, wrong places in the chain,
// frames of every kind, turns of other lives, bundles repeated, cut or sealed by other keys, codes tried,
// restarts and revocations between. What must hold after each message:
//   - there is an answer, sealed for its asker or signed; a school is named only where it is proven
//   - no head goes back or changes under its number; what readers see does not go away
//   - the hub's rows are those of the segments that it says it has, said a second time in plain maps,
//     and so are its digests, recomputed and running
//   - another school's rows and keys are as before
//   - nothing that the hub says or logs moves a cursor
#include <memory>
#include <optional>
#include <set>

#include "check.hpp"
#include "hub/exchange/service.hpp"
#include "plain_state.hpp"
#include "program.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/sim_vfs.hpp"
#include "tests/trust/trust_world.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

namespace towpath::fuzz {
namespace {

constexpr std::uint8_t kCodes = 14;
const std::string kEvil = "100001", kVictim = "100002";

class World final : public Clock {
 public:
  World() {
    for (int i = 0; i < 4; ++i) keys.push_back(PartySecret::make(random));
    make_hub();
  }
  // Both schools are enrolled; only the evil one ever speaks. It has one more code.
  void make_hub() {
    open(true);
    for (const std::string& urn : {kEvil, kVictim}) good(registry->add_school(urn, "School " + urn), "add");
    const auto enrolled = [&](const std::string& urn, const PartySecret& key) {
      const Invitation used = Invitation::make(hub_keys->keys()->front().secret.key(), random);
      const Hash256 hash = Invitation::hash_of(used.secret());
      good(registry->agents().invite(urn, hash, now(), now() + std::chrono::hours(1)), "invite");
      good(registry->agents().enrol(hash, key.key(), urn, "server", now()), "enrol");
    };
    enrolled(kEvil, keys[0]);
    enrolled(kVictim, victim);
    const Invitation open_code = Invitation::make(hub_keys->keys()->front().secret.key(), random);
    code = open_code.secret();
    good(registry->agents().invite(kEvil, Invitation::hash_of(code), now(), now() + std::chrono::hours(48)),
         "invite");
    close();
    base = disk.image();
  }
  void open(bool create = false) {
    registry =
        good(Registry::open({"hub", disk.vfs(), create, true}, built_in_dictionary(), *this), "registry");
    service = std::make_unique<HubService>(*registry, *hub_keys, *this, random, built_in_dictionary(), "hub",
                                           LimitOptions{2, 0, 1000, 600, 5});
    service->log_to([](const std::string& line) { harmless(line); });
  }
  void close() {
    service.reset();
    registry.reset();
  }
  void begin() {
    random = SeededRandom(7);
    time = *parse_instant("2026-11-23T08:15:00Z");
    disk.restore(base);
    open();
  }
  Instant now() override { return time; }

  SeededRandom random{7};
  Instant time = *parse_instant("2026-11-23T08:15:00Z");
  std::vector<PartySecret> keys;  // the evil school's: the first is enrolled
  PartySecret victim = PartySecret::make(random);
  std::unique_ptr<Keyring> hub_keys = [this] {
    auto made = Keyring::of(PartySecret::make(random), time);
    good(made->rotate(random, time), "a newer key");
    return made;
  }();
  sim::SimDisk disk{sim::SimRandom(7, "disk")};
  sim::SimDisk::Image base;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<HubService> service;
  Bytes code;  // an open invitation's secret
};

// A segment that was made, and what the state is once it has been taken.
struct Made {
  SegmentHeader header;
  Hash256 hash;
  Bytes content;
  PlainState state;
};

class Run {
 public:
  // The hub holds a snapshot of some pupils, their numbers and a club, and every run begins there.
  static Run begun(World& world) {
    world.begin();
    Run run(world);
    for (std::int64_t n = 1; n <= 3; ++n) {
      run.state_.put(3, {{1, n}}, {});
      run.state_.put(1, {{1, n}}, {{2, std::int64_t{3}}, {3, std::string(16, static_cast<char>('a' + n))}});
    }
    run.state_.put(17, {{1, std::int64_t{4}}}, {});
    Draw none{{}};
    run.snapshot(none, true);
    run.send_pending();
    FUZZ_CHECK(run.seen_.seq.number == 1 && run.seen_.complete);
    world.close();
    world.base = world.disk.image();
    return run;
  }

  void play(const Step& step) {
    Draw d = step.draw();
    switch (step.code % kCodes) {
      case 0:
        return send(d);
      case 1:
        return delta(d);
      case 2:
        return snapshot(d, d.flag());
      case 3:
        return raw_content(d);
      case 4:
        return crooked(d);
      case 5:
        return frame(d);
      case 6: {
        const std::uint8_t kind = d.u8();
        pending_.emplace_back(UnknownFrame{kind, d.rest()});
        return;
      }
      case 7:
        return repeat(d);
      case 8:
        return message(d.rest(), d.flag() ? Way::kStick : Way::kLine, {});
      case 9:
        w_.time += std::chrono::minutes(d.u16() * (d.flag() ? 60 : 1));
        return;
      case 10:
        return operate(d);
      case 11:
        return enrol(d);
      case 12:
        return stale_segment(d);
      default:
        return segment_bytes(d);
    }
  }
  void finish() {
    send_pending();
    w_.close();
    w_.open();
    look();
    w_.close();
  }

 private:
  explicit Run(World& world) : w_(world), code_(world.code) {}
  [[nodiscard]] Head newest() {
    const auto heads = good(w_.registry->epochs(kEvil), "epochs");
    return heads.empty() ? Head{} : heads.back();
  }
  [[nodiscard]] const Made* made(const Hash256& hash) const {
    for (const Made& m : made_)
      if (m.hash == hash) return &m;
    return nullptr;
  }

  // --- segments ----------------------------------------------------------------------------------
  // The next one as `header` says, with the digest that is right where there is one.
  void segment(SegmentHeader header, const Bytes& content, const PlainState* after, bool lie) {
    if (header.seq.number == 0) return;  // counted beyond the last
    header.stream = stream_id(kEvil, kBorough);
    header.digest = after != nullptr ? after->digest() : Hash256{};
    if (lie) header.digest.bytes[7] ^= 1;
    Bytes prefix;
    if (header.reference) {
      for (const Made& m : made_)
        if (m.header.epoch == header.epoch && m.header.seq == *header.reference) prefix = m.content;
      if (prefix.empty()) prefix = {0};
    }
    auto sealed = seal_segment(header, content, prefix);
    if (!sealed) return;
    pending_.emplace_back(SegmentFrame{sealed->bytes});
    if (after == nullptr || lie) return;
    made_.push_back({header, sealed->hash, content, *after});
    tip_ = made_.back().header;
    tip_hash_ = sealed->hash;
    state_ = *after;
  }
  SegmentHeader next() const {
    SegmentHeader h;
    h.epoch = tip_.epoch;
    h.seq = StreamSeq{tip_.seq.number + 1};
    h.previous = tip_hash_;
    h.dictionary_version = 1;
    return h;
  }
  // Whole rows of `rows`, and the deletion of those gone.
  static Bytes content_of(const PlainState& before, const PlainState& after) {
    ContentWriter writer;
    std::set<std::uint16_t> ids;
    for (const PlainState* s : {&before, &after})
      for (const auto& [id, rows] : s->datasets) ids.insert(id);
    static const Rows kNone;
    for (const std::uint16_t id : ids) {
      const auto rows = [&](const PlainState& s) -> const Rows& {
        const auto found = s.datasets.find(id);
        return found == s.datasets.end() ? kNone : found->second;
      };
      const Dataset& dataset = *built_in_dictionary().find(id);
      std::vector<WireField> fields;
      for (const Field& f : dataset.fields) fields.push_back({f.id, is_text(f.type)});
      std::vector<const Rows::value_type*> put;
      for (const auto& row : rows(after)) {
        const auto old = rows(before).find(row.first);
        if (old == rows(before).end() || old->second != row.second) put.push_back(&row);
      }
      if (!put.empty()) {
        writer.begin(id, Operation::kInsert, fields, dataset.key_count);
        for (const auto* row : put) {
          std::vector<Value> cells;
          for (const KeyCell& k : row->first) cells.push_back(value_of(k.value));
          for (std::size_t i = dataset.key_count; i < fields.size(); ++i) {
            const auto cell = row->second.find(fields[i].id);
            cells.push_back(cell == row->second.end() ? Value{} : value_of(cell->second));
          }
          writer.row(cells);
        }
        writer.end();
      }
      std::vector<const Key*> gone;
      for (const auto& [key, rest] : rows(before))
        if (!rows(after).contains(key)) gone.push_back(&key);
      if (gone.empty()) continue;
      writer.begin(id, Operation::kDelete, std::span(fields).first(dataset.key_count), dataset.key_count);
      for (const Key* key : gone) {
        std::vector<Value> cells;
        for (const KeyCell& k : *key) cells.push_back(value_of(k.value));
        writer.row(cells);
      }
      writer.end();
    }
    return writer.finish();
  }
  static void change(Draw& d, PlainState& state) {
    static constexpr std::array<std::uint16_t, 4> kIds{1, 3, 17, 18};
    for (std::size_t n = 1 + d.below(4); n > 0; --n) {
      const Dataset& dataset = *built_in_dictionary().find(kIds[d.below(kIds.size())]);
      Key key;
      Rest rest;
      for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
        const Field& f = dataset.fields[i];
        const bool is_key = i < dataset.key_count;
        if (!is_key && d.flag()) continue;
        Cell cell;
        if (is_text(f.type))
          cell = d.text();
        else
          cell = d.integer();
        if (is_key)
          key.push_back({f.id, cell});
        else
          rest[f.id] = cell;
      }
      if (d.below(4) == 0)
        state.erase(dataset.id, key);
      else
        state.put(dataset.id, key, rest);
    }
  }
  void delta(Draw& d) {
    PlainState after = state_;
    SegmentHeader h = next();
    if (const std::size_t back = d.below(4); back > 0 && back < h.seq.number)
      h.reference = StreamSeq{h.seq.number - back};
    const bool lie = d.below(16) == 15;
    change(d, after);
    segment(h, content_of(state_, after), &after, lie);
  }
  void snapshot(Draw& d, bool end) {
    SegmentHeader h;
    h.epoch.number = tip_.epoch.number + 1 + (d.below(8) == 7 ? d.u16() : 0);
    h.seq.number = 1;
    h.snapshot = true;
    h.snapshot_end = end;
    segment(h, content_of({}, state_), &state_, false);
  }
  // Bytes of the input as content: behind right hashes, with the digest that they lead to.
  void raw_content(Draw& d) {
    SegmentHeader h = next();
    const std::uint8_t how = d.u8();
    h.snapshot = (how & 1) != 0;
    h.snapshot_end = (how & 2) != 0;
    const Bytes content = d.rest();
    PlainState after = state_;
    const bool right = after.apply(content);
    segment(h, content, right ? &after : nullptr, false);
  }
  // Right but for one thing.
  void crooked(Draw& d) {
    PlainState after = state_;
    SegmentHeader h = next();
    switch (d.below(8)) {
      case 0:
        h.seq.number += 1 + d.u8();
        break;
      case 1:
        h.seq.number = 1 + d.u64() % h.seq.number;
        break;
      case 2:
        h.epoch.number += 1U + d.u16() * 1000U;
        break;
      case 3:
        h.epoch.number -= std::min<std::uint32_t>(h.epoch.number, 1 + d.u8());
        break;
      case 4:
        h.previous.bytes[d.below(32)] ^= 1;
        break;
      case 5:
        h.snapshot = true;
        h.snapshot_end = d.flag();
        break;
      case 6:
        if (h.seq.number > 2) h.reference = StreamSeq{1 + d.u64() % (h.seq.number - 1)};
        break;
      default:
        h.epoch.number = UINT32_MAX - d.u8();
        h.seq.number = d.flag() ? 1 : UINT64_MAX;
    }
    change(d, after);
    segment(h, content_of(state_, after), &after, false);
  }
  // One that was made before, and the chain goes on from it: a fork.
  void stale_segment(Draw& d) {
    if (made_.empty()) return;
    const Made& m = made_[d.below(made_.size())];
    tip_ = m.header;
    tip_hash_ = m.hash;
    state_ = m.state;
  }
  void segment_bytes(Draw& d) {
    Bytes bytes;
    for (const Frame& f : pending_)
      if (const auto* s = std::get_if<SegmentFrame>(&f)) bytes = s->bytes;
    if (!bytes.empty() && d.flag()) {
      bytes[d.u16() % bytes.size()] ^= static_cast<std::uint8_t>(1U << d.below(8));
      if (d.below(4) == 0) bytes.resize(d.u16() % bytes.size());
    } else if (bytes.empty()) {
      bytes = d.rest();
    }
    pending_.emplace_back(SegmentFrame{std::move(bytes)});
  }

  // --- other frames ----------------------------------------------------------------------------
  StreamId stream(Draw& d) {
    return d.below(4) != 3 ? stream_id(kEvil, kBorough) : stream_id(kVictim, kBorough);
  }
  void frame(Draw& d) {
    switch (d.below(12)) {
      case 0:
        pending_.emplace_back(HelloFrame{d.text(), d.text(), d.u8(), d.u64(), d.u64()});
        break;
      case 1: {
        HeadFrame f{stream(d), {}};
        f.head.epoch.number = d.u8();
        f.head.seq.number = d.u64();
        pending_.emplace_back(f);
        break;
      }
      case 2: {
        DigestsFrame f{stream(d), {}};
        for (std::size_t n = d.below(6); n > 0; --n) f.entries.push_back({d.u8(), d.u64(), {}});
        pending_.emplace_back(std::move(f));
        break;
      }
      case 3: {
        const PlainState& state = state_;
        DigestsFrame f{stream(d), {}};
        for (const auto& [id, rows] : state.datasets)
          f.entries.push_back({id, rows.size(), PlainState::digest_of(id, rows)});
        pending_.emplace_back(std::move(f));
        break;
      }
      case 4:
        pending_.emplace_back(EnrolFrame{d.bytes(64), d.text()});
        break;
      case 5:
        pending_.emplace_back(WelcomeFrame{d.text(), d.text(), d.u64()});
        break;
      case 6: {  // proven, or not
        const PartySecret& next = w_.keys[d.below(w_.keys.size())];
        NewKeyFrame f = new_key(next, w_.keys[d.below(w_.keys.size())].key());
        if (d.below(4) == 3) f.key = d.exactly(64);
        pending_.emplace_back(std::move(f));
        break;
      }
      case 7:
        pending_.emplace_back(RotateFrame{});
        break;
      case 8:
        pending_.emplace_back(RestoreQuestionFrame{stream(d), d.flag() ? 0 : d.u64()});
        break;
      case 9:
        pending_.emplace_back(RestorePartFrame{stream(d), d.u64(), d.u64(), {}, d.rest()});
        break;
      case 10: {  // a question about buckets
        Bytes payload;
        Writer o(payload);
        o.bytes(stream(d).uuid.bytes);
        o.u16(d.u8());
        for (int i = 0; i < 1024; ++i) o.u64(i == 5 ? d.u8() : 0);
        pending_.emplace_back(UnknownFrame{16, std::move(payload)});
        break;
      }
      default:
        pending_.emplace_back(
            ProblemFrame{static_cast<Code>(d.below(30)), stream(d), StreamSeq{d.u8()}, d.text(), {d.text()}});
    }
  }

  // --- messages ----------------------------------------------------------------------------------
  const PartyKey& hub_key(Draw& d) {
    const auto keys = w_.hub_keys->keys();
    return (*keys)[d.below(8) == 7 ? 1 : 0].secret.key();
  }
  void send(Draw& d) {
    Bundle bundle;
    w_.random.fill(bundle.id.uuid.bytes);
    bundle.sent = w_.time + std::chrono::hours(d.below(4) == 3 ? d.u16() - 30000 : 0);
    HelloFrame hello{"school:" + kEvil, "evil", 1, instance_, ++turn_};
    const std::uint8_t how = d.u8();
    switch (how % 12) {
      case 1:
        hello.sender = "school:" + kVictim;
        break;
      case 2:
        hello.sender = d.text();
        break;
      case 3:
        hello.turn = d.u64();
        break;
      case 4:
        hello.instance = d.u8();
        break;
      case 5:
        instance_ = 1 + d.below(4);
        turn_ = d.u8();
        hello.instance = instance_;
        hello.turn = turn_;
        break;
      case 6:
        hello.turn = turn_ - std::min<std::uint64_t>(turn_, d.u8());
        break;
      case 7:
        hello.software = d.text();
        break;
      default:
        break;
    }
    if (how < 250) bundle.frames.emplace_back(hello);
    for (Frame& f : pending_) bundle.frames.push_back(std::move(f));
    pending_.clear();
    const std::uint8_t who = d.u8();
    const PartySecret& key = who < 160 ? *known_ : w_.keys[who % w_.keys.size()];
    const auto bytes = seal(bundle, key, hub_key(d), w_.random, d.below(32) == 31);
    if (!bytes) return;
    message(*bytes, d.below(8) == 7 ? Way::kStick : Way::kLine, bundle.id);
  }
  void send_pending() {
    Draw none{{}};
    send(none);
  }
  void enrol(Draw& d) {
    Bundle bundle;
    w_.random.fill(bundle.id.uuid.bytes);
    bundle.sent = w_.time;
    const PartySecret& key = w_.keys[d.below(w_.keys.size())];
    bundle.frames.emplace_back(HelloFrame{"school:" + (d.below(4) == 3 ? kVictim : kEvil), "evil", 1, 1, 1});
    EnrolFrame f{code_, d.text()};
    if (d.below(4) == 3) f.secret = d.bytes(16);
    bundle.frames.emplace_back(std::move(f));
    const auto bytes = seal(bundle, key, hub_key(d), w_.random, d.below(8) != 7);
    if (bytes) message(*bytes, d.flag() ? Way::kStick : Way::kLine, bundle.id);
  }
  void repeat(Draw& d) {
    if (sent_.empty()) return;
    Bytes bytes = sent_[d.below(sent_.size())];
    const std::uint8_t how = d.u8();
    if (how % 3 == 1) bytes[d.u16() % bytes.size()] ^= static_cast<std::uint8_t>(1U << d.below(8));
    if (how % 3 == 2) bytes.resize(1 + d.u16() % bytes.size());
    message(bytes, d.flag() ? Way::kStick : Way::kLine, {});
  }
  void operate(Draw& d) {
    switch (d.below(6)) {
      case 0:
        if (d.below(4) == 3) static_cast<void>(w_.registry->agents().revoke(kEvil, w_.time));
        break;
      case 1:
        static_cast<void>(w_.registry->agents().ask_rotation(kEvil));
        break;
      case 2: {
        const Invitation fresh = Invitation::make(w_.hub_keys->keys()->front().secret.key(), w_.random);
        code_ = fresh.secret();
        good(w_.registry->agents().invite(kEvil, Invitation::hash_of(code_), w_.time,
                                          w_.time + std::chrono::hours(d.u8())),
             "invite");
        break;
      }
      case 3:
        w_.close();
        w_.open();
        break;
      case 4:
        w_.service->close_files();
        break;
      default:
        good(w_.registry->check(), "the registry");
    }
  }

  void message(ByteView bytes, Way way, std::optional<BundleId> id) {
    if (id) {
      sent_.emplace_back(bytes.begin(), bytes.end());
      if (sent_.size() > 16) sent_.erase(sent_.begin());
    }
    const auto answered = w_.service->take(bytes, way);
    const MessageKind kind = message_kind(bytes);
    if (!answered) {
      FUZZ_CHECK(kind != MessageKind::kBundle && kind != MessageKind::kCardQuestion);
      FUZZ_CHECK(answered.error().code() == Code::kDamaged);
      return look();
    }
    FUZZ_CHECK(answered->urn.empty() || answered->urn == kEvil);
    FUZZ_CHECK(answered->bytes.size() <= kBundleBytesMax);
    harmless(answered->text);
    const auto keys = w_.hub_keys->keys();
    switch (message_kind(answered->bytes)) {
      case MessageKind::kBundle:
        read_answer(answered->bytes, id);
        break;
      case MessageKind::kNotice: {
        auto notice = read_notice(answered->bytes, keys->front().secret.key());
        if (!notice) notice = read_notice(answered->bytes, keys->back().secret.key());
        FUZZ_CHECK(notice);
        FUZZ_CHECK(notice->is_about(bytes));
        FUZZ_CHECK(answered->refused);
        break;
      }
      default:
        FUZZ_CHECK(kind == MessageKind::kCardQuestion);
    }
    look();
  }
  void read_answer(ByteView bytes, const std::optional<BundleId>& id) {
    const auto envelope = Envelope::read(bytes);
    FUZZ_CHECK(envelope);
    const auto keys = w_.hub_keys->keys();
    const PartySecret* hub = key_of(*keys, envelope->sender);
    FUZZ_CHECK(hub != nullptr);
    for (const PartySecret& key : w_.keys) {
      if (key.key().id() != envelope->recipient) continue;
      const auto answer = towpath::open(bytes, key, hub->key());
      FUZZ_CHECK(answer);
      FUZZ_CHECK(!id || answer->answers == id);
      FUZZ_CHECK(!answer->frames.empty() && std::holds_alternative<HelloFrame>(answer->frames.front()));
      for (const Frame& f : answer->frames) {
        if (const auto* told = std::get_if<HeadFrame>(&f)) {
          FUZZ_CHECK(told->stream == stream_id(kEvil, kBorough));
          FUZZ_CHECK(told->head == newest());
        }
        if (const auto* welcome = std::get_if<WelcomeFrame>(&f)) {
          FUZZ_CHECK(welcome->urn == kEvil);
          known_ = &key;
          instance_ += 100;
          turn_ = 0;
        }
      }
      const auto now = good(w_.registry->agents().current(kEvil), "the current key");
      for (const PartySecret& k : w_.keys)
        if (now && now->key == k.key()) known_ = &k;
      return;
    }
    const bool for_a_key_that_asked = false;
    FUZZ_CHECK(for_a_key_that_asked);
  }

  // --- what must hold ----------------------------------------------------------------------------
  void look() {
    const auto heads = good(w_.registry->epochs(kEvil), "epochs");
    const Head head = heads.empty() ? Head{} : heads.back();
    FUZZ_CHECK(std::pair(head.epoch, head.seq) >= std::pair(seen_.epoch, seen_.seq));
    if (head.epoch == seen_.epoch && head.seq == seen_.seq) FUZZ_CHECK(head == seen_);
    if (head.epoch == seen_.epoch) FUZZ_CHECK(head.complete || !seen_.complete);
    const bool moved = !(head == seen_) || !looked_;
    seen_ = head;
    looked_ = true;
    if (!moved) return;

    auto readers = good(w_.registry->current(kEvil), "what readers see");
    if (readable_) {
      FUZZ_CHECK(readers);
      FUZZ_CHECK(std::pair(readers->head().epoch, readers->head().seq) >= *readable_);
    }
    if (readers) readable_ = std::pair(readers->head().epoch, readers->head().seq);
    readers.reset();

    if (head.seq.number == 0) return;
    const Made* taken = made(head.segment);
    FUZZ_CHECK(taken != nullptr);  // nothing is taken that cannot be right
    FUZZ_CHECK(taken->header.epoch == head.epoch && taken->header.seq == head.seq);
    auto replica = good(w_.registry->open_to_read(kEvil, head.epoch), "the newest epoch");
    FUZZ_CHECK(replica);
    const auto states = good(replica->states(), "its rows");
    FUZZ_CHECK(states == replica->running_states());
    FUZZ_CHECK(states.size() == taken->state.datasets.size());
    for (const DatasetState& s : states) {
      const auto rows = taken->state.datasets.find(s.dataset);
      FUZZ_CHECK(rows != taken->state.datasets.end());
      FUZZ_CHECK(rows->second.size() == s.rows);
      FUZZ_CHECK(PlainState::digest_of(s.dataset, rows->second) == s.digest);
    }
    FUZZ_CHECK(taken->state.digest() == head.digest);
    FUZZ_CHECK(good(w_.registry->epochs(kVictim), "the other school").empty());
    const auto other = good(w_.registry->agents().current(kVictim), "its key");
    FUZZ_CHECK(other && other->key == w_.victim.key());
  }

  World& w_;
  Bytes code_;  // of the invitation that was made last
  std::vector<Frame> pending_;
  std::vector<Bytes> sent_;
  std::vector<Made> made_;
  PlainState state_;     // after tip_
  SegmentHeader tip_{};  // what the next segment follows
  Hash256 tip_hash_;
  const PartySecret* known_ = &w_.keys[0];  // the one that the hub takes
  std::uint64_t instance_ = 1, turn_ = 0;
  Head seen_;
  bool looked_ = false;
  std::optional<std::pair<Epoch, StreamSeq>> readable_;
};

}  // namespace
}  // namespace towpath::fuzz

FUZZ_PROGRAMS(towpath::fuzz::kCodes)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towpath::fuzz;
  static World world;
  static const Run loaded = Run::begun(world);
  world.begin();
  Run run = loaded;
  for (const Step& step : program_of({data, size})) run.play(step);
  run.finish();
  return 0;
}
