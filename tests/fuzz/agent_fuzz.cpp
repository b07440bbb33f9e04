// A hub that means harm and has the valid key, against a whole school: intake, store, publisher, exchange,
// sticks, restore, verify, keys. Behind it stands a real hub, to which a line may let bundles through.
//
// The input is a program: syncs whose exchanges are answered truly, falsely, by halves or not at all,
// changes at the school between them, bundles on sticks, restarts. What must hold after each step:
//   - it ends, with a value; what people read of it moves no cursor
//   - what the MIS said stays in the tables, whatever any hub says
//   - nothing is taken for acknowledged that was not sent, and no acknowledgement is taken back within an
//   epoch
//   - "equal" is said only where a signed answer named our very head
// And in the end, once the real hub answers: both ends are equal within a few syncs.
#include <deque>
#include <memory>
#include <optional>

#include "agent/intake/intake.hpp"
#include "agent/store/restore.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/restore.hpp"
#include "agent/uplink/verify.hpp"
#include "check.hpp"
#include "hub/exchange/service.hpp"
#include "program.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/sim_vfs.hpp"
#include "tests/trust/trust_world.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

namespace towpath::fuzz {
namespace {

constexpr std::uint8_t kCodes = 8;
const std::string kUrn = "100001";
// A daily sync is one exchange; what needs more is a quarrel, and ends by itself long before.
constexpr std::size_t kExchangesMax = 60;

// A MIS of pupils' names.
class Roll final : public Adapter {
 public:
  std::map<std::string, std::string> pupils;
  std::vector<std::string_view> provides() const override { return {"pupil"}; }
  Result<void> extract(RowSink& sink) override {
    const Dataset& dataset = *built_in_dictionary().find("pupil");
    const std::size_t surname = *dataset.position("Surname"), forename = *dataset.position("Forename");
    auto file = sink.open_file("pupils", {}, {});
    if (!file) return fail(std::move(file).error());
    TP_TRY(sink.begin(dataset, Completeness::kFull));
    std::uint64_t line = 1;
    for (const auto& [id, name] : pupils) {
      const Origin origin{*file, ++line, true, id};
      const Fingerprint print = fingerprint(id + "/" + name);
      if (sink.unchanged(origin, print)) continue;
      std::vector<InCell> cells(dataset.fields.size());
      cells[0] = InCell::to(id);
      cells[surname] = InCell::of(name);
      cells[forename] = InCell::of("Ada");
      TP_TRY(sink.row(origin, print, cells));
    }
    TP_TRY(sink.end(dataset));
    sink.close_file(*file, pupils.size());
    return {};
  }
};

class World final : public Clock {
 public:
  World() { make(); }
  void make();
  void open() {
    registry =
        good(Registry::open({"hub", hub_disk.vfs(), false, true}, built_in_dictionary(), *this), "registry");
    service = std::make_unique<HubService>(*registry, *hub_keys, *this, random, built_in_dictionary(), "hub",
                                           LimitOptions{2, 0, 10'000, 600, 5});
  }
  void close() {
    service.reset();
    registry.reset();
  }
  void begin() {
    close();
    random = SeededRandom(11);
    time = *parse_instant("2026-11-23T08:15:00Z");
    hub_disk.restore(hub_base);
    disk.restore(base);
    open();
  }
  Instant now() override { return time += std::chrono::seconds(1); }

  SeededRandom random{11};
  Instant time = *parse_instant("2026-11-23T08:15:00Z");
  SeededRandom key_random{12};
  PartySecret hub = PartySecret::make(key_random);
  PartySecret next_hub = PartySecret::make(key_random);  // that the hub may claim to go on with
  std::unique_ptr<Keyring> hub_keys = [this] {
    SeededRandom same(12);
    return Keyring::of(PartySecret::make(same), time);
  }();
  sim::SimDisk disk{sim::SimRandom(11, "school")}, hub_disk{sim::SimRandom(11, "hub")};
  sim::SimDisk::Image base, hub_base;
  KeyMemory keys;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<HubService> service;
};

class Run final : public Transport {
 public:
  explicit Run(World& world, const KeyMemory& keys) : w_(world), files_(keys) {
    for (int i = 0; i < 4; ++i) roll_.pupils["p" + std::to_string(i)] = "Name";
    start();
  }
  void play(const Step& step) {
    Draw d = step.draw();
    switch (step.code % kCodes) {
      case 0:
      case 1:
        sync(d);
        break;
      case 2:
        change(d);
        break;
      case 3:
        carry(d);
        break;
      case 4:
        bring(d);
        break;
      case 5:
        ask(d);
        break;
      case 6:
        start();
        break;
      default:
        w_.time += std::chrono::minutes(d.u16() * (d.flag() ? 60 : 1));
    }
    look();
  }
  // The first load, and then whatever a run left behind.
  void honest_syncs(int most) {
    script_ = Draw({});
    lying_ = false;
    std::string why;
    for (int i = 0; i < most; ++i) {
      w_.time += std::chrono::hours(1);
      auto exchange = begin_exchange(false);
      const auto report = exchange.run();
      if (report && report->equal) {
        const auto heads = good(w_.registry->epochs(kUrn), "the hub's epochs");
        FUZZ_CHECK(!heads.empty());
        const Head own = good(publisher_->head(), "our head");
        FUZZ_CHECK(heads.back().segment == own.segment && heads.back().digest == own.digest);
        auto replica = good(w_.registry->current(kUrn), "what readers see");
        FUZZ_CHECK(replica);
        FUZZ_CHECK(good(replica->rows(*built_in_dictionary().find("pupil")), "pupils") ==
                   roll_.pupils.size());
        return;
      }
      if (!report) {
        why = report.error().sentence();
        if (excused(report.error().code())) return;
      }
    }
    std::fprintf(stderr, "broken: not equal in the end: %s\n", why.c_str());
    std::abort();
  }

 private:
  void start() {
    publisher_.reset();
    line_.reset();
    peer_.reset();
    identity_.reset();
    store_.reset();
    store_ = std::make_unique<Store>(
        good(Store::open({"school.db", w_.disk.vfs(), kUrn, false}, built_in_dictionary()), "the store"));
    identity_ = std::make_unique<Identity>(good(Identity::load(files_), "the keys"));
    peer_ = std::make_unique<HubPeer>(*identity_, w_.random);
    line_ = std::make_unique<LineState>(*store_);
    publisher_ = std::make_unique<Publisher>(*store_, Audience{"borough", {}});
  }
  ExchangeOptions options(bool replace_key) const {
    ExchangeOptions o;
    o.school_urn = kUrn;
    o.software = "agent";
    o.hub_url = "https://hub.example";
    o.replace_key = replace_key;
    o.exchanges_max = kExchangesMax;
    return o;
  }
  Exchange begin_exchange(bool replace_key) {
    return {*publisher_, *line_, *peer_, *this, w_, w_.random, options(replace_key)};
  }
  // What a lying hub may have brought about for good.
  [[nodiscard]] bool excused(Code code) const {
    switch (code) {
      case Code::kTransport:  // another key of the hub is pinned
        return identity_->hub() != w_.hub.key();
      case Code::kUnknownKey:
      case Code::kReplaced:
        return keys_touched_;
      case Code::kTwoMachines:
        return said_forked_;
      case Code::kRefused:  // an epoch beyond what the hub lets begin
        return far_ || good(publisher_->head(), "our head").epoch.number > 900;
      default:
        return false;
    }
  }

  // --- steps -----------------------------------------------------------------------------------
  void sync(Draw& d) {
    const bool replace = d.below(16) == 15;
    keys_touched_ = keys_touched_ || replace;
    script_ = d;
    lying_ = true;
    told_.reset();
    calls_ = 0;
    auto exchange = begin_exchange(replace);
    const auto report = exchange.run();
    FUZZ_CHECK(calls_ <= kExchangesMax + 8);
    if (!report) harmless(report.error());
    const SyncReport& r = exchange.report();
    for (const std::string& e : r.events) harmless(e);
    if (!r.equal) return;
    const Head own = good(publisher_->head(), "our head");
    FUZZ_CHECK(good(publisher_->waiting_count(), "waiting") == 0);
    FUZZ_CHECK(told_ && told_->digest == own.digest &&
               (own.seq.number == 0 || told_->segment == own.segment));
  }
  void change(Draw& d) {
    for (std::size_t n = 1 + d.below(3); n > 0; --n) {
      const std::string id = "p" + std::to_string(d.below(8));
      if (d.below(4) == 3 && roll_.pupils.size() > 2)
        roll_.pupils.erase(id);
      else
        roll_.pupils[id] = "Name" + std::to_string(d.u8());
    }
    extract();
  }
  void extract() {
    const AdapterContext context{built_in_dictionary(), kUrn, "Example School", "mis",
                                 *Date::parse("2026-11-23")};
    good(run_extract(*store_, roll_, context, w_, {true, false}), "an extract");
  }
  void carry(Draw& d) {
    auto exchange = begin_exchange(false);
    const auto bundles = exchange.export_bundles();
    if (!bundles) {
      harmless(bundles.error());
      return;
    }
    for (const Bytes& b : *bundles) {
      FUZZ_CHECK(b.size() <= kBundleBytesMax);
      if (stick_.size() < 16) stick_.push_back(b);
    }
    if (d.flag()) deliver(d);
  }
  void deliver(Draw& d) {
    for (std::size_t n = 1 + d.below(4); n > 0 && !stick_.empty(); --n) {
      const Bytes& b = stick_[d.below(stick_.size())];
      const auto answer = w_.service->take(b, Way::kStick);
      FUZZ_CHECK(answer);
      if (answers_.size() < 16) answers_.push_back(answer->bytes);
    }
  }
  void bring(Draw& d) {
    if (d.flag()) deliver(d);
    std::vector<Bytes> all;
    for (std::size_t n = 1 + d.below(4); n > 0; --n) {
      const std::size_t how = d.below(4);
      if (how == 0 && !stick_.empty()) {
        all.push_back(false_answer(stick_[d.below(stick_.size())], {}, d).body);
      } else if (how == 1) {
        all.push_back(d.bytes(32));
      } else if (!answers_.empty()) {
        all.push_back(answers_[d.below(answers_.size())]);
      }
    }
    auto exchange = begin_exchange(false);
    const auto report = exchange.import_answers({all.begin(), all.end()});
    if (!report) harmless(report.error());
    if (report)
      for (const std::string& why : report->refused) harmless(why);
    for (const std::string& e : exchange.report().events) harmless(e);
  }
  void ask(Draw& d) {
    const bool verify = d.flag();
    script_ = d;
    lying_ = true;
    if (verify) {
      const auto report = verify_with_hub(*publisher_, built_in_dictionary(), {}, *line_, *peer_, *this, w_,
                                          w_.random, options(false));
      if (!report) return harmless(report.error());
      for (const auto* list : {&report->keys, &report->problems, &report->events})
        for (const std::string& text : *list) harmless(text);
      return;
    }
    Conversation conversation(*line_, *peer_, *this, w_, w_.random, options(false));
    const auto counts = restore_from_hub(*store_, publisher_->stream(), w_.now(), [&](Frame question) {
      return conversation.ask_until_answered({std::move(question)});
    });
    if (!counts) harmless(counts.error());
  }

  // --- the line --------------------------------------------------------------------------------
  Result<Reply> exchange(ByteView body) override {
    ++calls_;
    sent_ += body.size();
    const std::uint8_t how = lying_ && !script_.empty() ? script_.u8() : 0;
    switch (how % 8) {
      case 1:
        return fail(Code::kTransport, "the line is down");
      case 2:
        static_cast<void>(w_.service->take(body, Way::kLine));
        return fail(Code::kTransport, "the answer is lost");
      case 3: {  // something in between
        Reply page{static_cast<int>(100 + script_.below(500)), script_.text(), {}, script_.u8()};
        const std::string text =
            script_.flag() ? "<html><title>" + script_.text() + "</title>" : script_.text();
        page.body.assign(text.begin(), text.end());
        return page;
      }
      case 4:  // made up
        return false_answer(body, {}, script_);
      case 5:
      case 6: {  // what the hub said, changed by the hub
        const auto answer = w_.service->take(body, Way::kLine);
        FUZZ_CHECK(answer);
        return false_answer(body, answer->bytes, script_);
      }
      default:
        break;
    }
    const auto answer = w_.service->take(body, Way::kLine);
    FUZZ_CHECK(answer);
    heard(answer->bytes);
    last_ = answer->bytes;
    return Reply{200, std::string(kBundleMediaType), answer->bytes, 0};
  }
  std::uint64_t bytes_sent() const override { return sent_; }
  std::uint64_t bytes_received() const override { return 0; }

  // What a signed answer said of our stream.
  void heard(ByteView answer) {
    if (message_kind(answer) != MessageKind::kBundle) return;
    for (const PartySecret* own : own_keys())
      if (const auto opened = towpath::open(answer, *own, w_.hub.key())) note(opened->frames);
  }
  void note(const std::vector<Frame>& frames) {
    for (const Frame& f : frames)
      if (const auto* head = std::get_if<HeadFrame>(&f);
          head != nullptr && head->stream == publisher_->stream())
        told_ = head->head;
  }
  std::vector<const PartySecret*> own_keys() {
    std::vector<const PartySecret*> all{&identity_->own()};
    if (identity_->next()) all.push_back(&*identity_->next());
    return all;
  }

  Reply false_answer(ByteView asked, ByteView answer, Draw& d) {
    const auto envelope = Envelope::read(asked);
    FUZZ_CHECK(envelope);
    const std::uint8_t how = d.u8();
    if (how % 8 == 7) {
      Notice n;
      n.code = static_cast<Code>(d.below(34));
      n.answers = d.below(8) == 7 ? BundleId{} : envelope->id;
      n.now = w_.time + std::chrono::hours(d.u8());
      n.later_seconds = d.u8();
      n.text = d.text();
      if (n.code == Code::kReplaced || n.code == Code::kUnknownKey) keys_touched_ = true;
      const ByteView about = d.below(8) == 7 ? ByteView{} : asked;
      return {200, std::string(kBundleMediaType), notice(n, w_.hub, about), 0};
    }
    Bundle bundle;
    w_.random.fill(bundle.id.uuid.bytes);
    bundle.answers = d.below(16) == 15 ? BundleId{} : envelope->id;
    bundle.sent = w_.time + std::chrono::minutes(d.below(8) == 7 ? d.u16() * 60 : 0);
    for (const PartySecret* own : own_keys())
      if (auto opened = towpath::open(answer, *own, w_.hub.key())) bundle.frames = std::move(opened->frames);
    for (std::size_t n = 1 + d.below(4); n > 0; --n) alter(bundle.frames, d);
    note(bundle.frames);
    const PartySecret& by = how % 16 == 6 ? w_.next_hub : w_.hub;
    const PartyKey* to = &identity_->own().key();
    for (const PartySecret* own : own_keys())
      if (own->key().id() == envelope->sender) to = &own->key();
    auto bytes = seal(bundle, by, *to, w_.random, d.below(32) == 31);
    if (!bytes) return {500, "text/plain", {}, 0};
    if (d.below(16) == 15) (*bytes)[d.u16() % bytes->size()] ^= 4;
    return {200, std::string(kBundleMediaType), std::move(*bytes), 0};
  }
  Head head(Draw& d) {
    Head h =
        d.flag() ? good(publisher_->head(), "our head") : good(publisher_->acknowledged(), "acknowledged");
    switch (d.below(8)) {
      case 0:
        h.seq.number += d.u8();
        break;
      case 1:
        h.seq.number -= std::min<std::uint64_t>(h.seq.number, d.u8());
        break;
      case 2:
        h.epoch.number += d.u8() % 8;
        break;
      case 3:
        h.epoch.number -= std::min<std::uint32_t>(h.epoch.number, d.u8());
        break;
      case 4:
        h.segment.bytes[d.below(32)] ^= 1;
        break;
      case 5:
        h.digest.bytes[d.below(32)] ^= 1;
        break;
      case 6:
        if (d.flag()) {
          h.epoch.number += d.u16() * 1000U;
          far_ = true;
        } else {
          h = Head{};
        }
        break;
      default:
        break;
    }
    h.complete = d.flag();
    return h;
  }
  void alter(std::vector<Frame>& frames, Draw& d) {
    const StreamId stream = d.below(8) == 7 ? stream_id("100002", kBorough) : publisher_->stream();
    switch (d.below(14)) {
      case 0:
        if (!frames.empty())
          frames.erase(frames.begin() + static_cast<std::ptrdiff_t>(d.below(frames.size())));
        break;
      case 1:
        if (!frames.empty()) frames.push_back(frames[d.below(frames.size())]);
        break;
      case 2:
      case 3:
        std::erase_if(frames, [](const Frame& f) { return std::holds_alternative<HeadFrame>(f); });
        frames.emplace_back(HeadFrame{stream, head(d)});
        break;
      case 4:
        frames.emplace_back(HeadFrame{stream, head(d)});
        break;
      case 5:
      case 6: {
        ProblemFrame p{static_cast<Code>(d.below(34)),
                       d.flag() ? stream : StreamId{},
                       StreamSeq{d.u8() % 4U},
                       d.text(),
                       {d.text()}};
        said_forked_ = said_forked_ || p.code == Code::kForked || p.code == Code::kTwoMachines;
        frames.emplace_back(std::move(p));
        break;
      }
      case 7:
        frames.emplace_back(LaterFrame{d.u8()});
        break;
      case 8: {
        NewKeyFrame f = new_key(w_.next_hub, d.below(4) == 3 ? w_.next_hub.key() : identity_->hub());
        if (d.below(4) == 3) f.proof = d.exactly(64);
        frames.emplace_back(std::move(f));
        break;
      }
      case 9:
        keys_touched_ = true;
        frames.emplace_back(RotateFrame{});
        break;
      case 10: {
        RestorePartFrame f{stream, d.u8() % 3U, d.flag() ? 1 : d.u64(), head(d), {}};
        f.content = d.flag() ? restorable(d) : d.bytes(64);
        frames.emplace_back(std::move(f));
        break;
      }
      case 11: {
        DigestsFrame f{stream, {}};
        for (std::size_t n = d.below(6); n > 0; --n) f.entries.push_back({d.u8(), d.u64(), {}});
        frames.emplace_back(std::move(f));
        break;
      }
      case 12: {
        const std::uint8_t kind = d.flag() ? 17 : d.u8();
        frames.emplace_back(UnknownFrame{kind, d.bytes(64)});
        break;
      }
      default:
        frames.insert(frames.begin(), HelloFrame{d.text(), d.text(), d.u8(), d.u64(), d.u64()});
    }
    keys_touched_ = keys_touched_ || identity_->next().has_value();
  }
  // Rows that only a hub can have, and some that it cannot.
  static Bytes restorable(Draw& d) {
    ContentWriter writer;
    std::vector<std::uint16_t> ids{1, 17, 18};
    if (d.below(4) == 3) ids = {1, 3, 17};
    for (const std::uint16_t id : ids) {
      const Dataset& dataset = *built_in_dictionary().find(id);
      std::vector<WireField> fields;
      for (const Field& f : dataset.fields) fields.push_back({f.id, is_text(f.type)});
      writer.begin(id, Operation::kInsert, fields, dataset.key_count);
      std::vector<std::string> texts(fields.size());
      std::vector<Value> cells;
      for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i >= dataset.key_count && d.below(4) == 0) {
          cells.emplace_back();
        } else if (fields[i].text) {
          texts[i] =
              dataset.fields[i].type == Type::kUuid ? std::string(16, static_cast<char>(d.u8())) : d.text();
          cells.emplace_back(std::string_view(texts[i]));
        } else {
          cells.emplace_back(d.flag() ? std::int64_t{d.u8() % 24} : d.integer());
        }
      }
      writer.row(cells);
      writer.end();
    }
    return writer.finish();
  }

  // --- what must hold ----------------------------------------------------------------------------
  void look() {
    const Head own = good(publisher_->head(), "our head");
    const Head hub = good(publisher_->acknowledged(), "acknowledged");
    if (hub.epoch == own.epoch) {
      FUZZ_CHECK(hub.seq <= own.seq);
      if (hub.seq == own.seq && hub.seq.number > 0) FUZZ_CHECK(hub.segment == own.segment);
      if (seen_.epoch == hub.epoch) FUZZ_CHECK(hub.seq >= seen_.seq);
    }
    FUZZ_CHECK(own.epoch >= seen_own_.epoch);
    seen_ = hub;
    seen_own_ = own;
    const auto rows = good(store_->db().integer("SELECT count(*) FROM d_pupil"), "pupils");
    FUZZ_CHECK(rows == static_cast<std::int64_t>(roll_.pupils.size()));
    FUZZ_CHECK(identity_->hub() == w_.hub.key() || identity_->hub() == w_.next_hub.key());
  }

  World& w_;
  KeyMemory files_;
  Roll roll_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<HubPeer> peer_;
  std::unique_ptr<LineState> line_;
  std::unique_ptr<Publisher> publisher_;
  Draw script_{{}};
  bool lying_ = false;
  std::size_t calls_ = 0;
  std::uint64_t sent_ = 0;
  std::optional<Head> told_;
  Bytes last_;
  std::vector<Bytes> stick_, answers_;
  Head seen_, seen_own_;
  bool keys_touched_ = false, said_forked_ = false, far_ = false;
  friend class World;
};

void World::make() {
  registry =
      good(Registry::open({"hub", hub_disk.vfs(), true, true}, built_in_dictionary(), *this), "registry");
  good(registry->add_school(kUrn, "Example School"), "a school");
  auto candidate = good(Candidate::of(keys, hash256("towpath invite", Bytes{1}), random), "a candidate");
  const Invitation code = Invitation::make(hub.key(), random);
  const Hash256 hash = Invitation::hash_of(code.secret());
  good(registry->agents().invite(kUrn, hash, time, time + std::chrono::hours(1)), "an invitation");
  good(registry->agents().enrol(hash, candidate.own().key(), kUrn, "server", time), "enrolment");
  Enrolment enrolment;
  enrolment.urn = kUrn;
  enrolment.name = "Example School";
  enrolment.hub_url = "https://hub.example";
  enrolment.hub = hub.key();
  good(std::move(candidate).enrolled(std::move(enrolment)), "enrolled");
  close();
  open();
  {
    Run first(*this, keys);
    first.extract();
    first.honest_syncs(1);
  }
  close();
  base = disk.image();
  hub_base = hub_disk.image();
}

}  // namespace
}  // namespace towpath::fuzz

FUZZ_PROGRAMS(towpath::fuzz::kCodes)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towpath::fuzz;
  static World world;
  world.begin();
  Run run(world, world.keys);
  for (const Step& step : program_of({data, size})) run.play(step);
  run.honest_syncs(8);
  return 0;
}
