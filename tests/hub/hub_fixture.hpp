// A hub in a folder of its own, with clock and chance that a test holds in its hand, and the
// bundles of a school that speaks to it.
#pragma once

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>

#include "hub/exchange/service.hpp"
#include "tests/replica/dictionaries.hpp"
#include "tests/replica/writer.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

namespace towpath::test {

class FixedClock final : public Clock {
 public:
  Instant time = *parse_instant("2026-11-23T08:15:00Z");
  Instant now() override { return time; }
};
class Counter final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(++n_);
  }

 private:
  std::atomic<std::uint64_t> n_ = 0;  // a server's threads draw from it as the test does
};

inline const std::string kUrn = "100001";
inline StreamId stream() { return stream_id(kUrn, kBorough); }

inline std::vector<Shape> all_shapes(const Dictionary& dictionary) {
  std::vector<Shape> all;
  for (const Dataset& d : dictionary.datasets) all.push_back(test::shape_of(d));
  return all;
}

// A school's agent: its key, and the count that it keeps of its bundles.
struct Machine {
  explicit Machine(std::string of, Random& random)
      : urn(std::move(of)), secret(PartySecret::make(random)), instance(random.u64() | 1) {}
  std::string urn;
  PartySecret secret;
  std::uint64_t instance;
  std::uint64_t turn = 0;
};

// The schools' end of the line: seals with the key of whom a bundle says it is from (the first
// school's, where it says anything else), counts its turns, and opens what the hub answers.
class SchoolsSealer final : public Sealer {
 public:
  explicit SchoolsSealer(Random& random) : random_(random) {}
  Machine& add(const std::string& urn) {
    const std::lock_guard lock(mutex_);
    return *(machines_[urn] = std::make_unique<Machine>(urn, random_));
  }
  Machine& of(const std::string& urn) {
    const std::lock_guard lock(mutex_);
    const auto at = machines_.find(urn);
    return at != machines_.end() ? *at->second : *machines_.at(kUrn);
  }
  Result<Bytes> seal(const Bundle& bundle) override {
    Bundle counted = bundle;
    std::string urn;
    auto* hello = counted.frames.empty() ? nullptr : std::get_if<HelloFrame>(&counted.frames.front());
    if (hello != nullptr && hello->sender.starts_with("school:")) urn = hello->sender.substr(7);
    Machine& machine = of(urn);
    if (hello != nullptr && hello->turn == 0) {
      const std::lock_guard lock(mutex_);
      hello->instance = machine.instance;
      hello->turn = ++machine.turn;
    }
    return towpath::seal(counted, machine.secret, hub, random_);
  }
  Result<Bundle> open(ByteView bytes) override {
    auto outside = Envelope::read(bytes);
    if (!outside) return fail(std::move(outside).error());
    const std::lock_guard lock(mutex_);
    for (const auto& [urn, machine] : machines_)
      if (machine->secret.key().id() == outside->recipient) return towpath::open(bytes, machine->secret, hub);
    return fail(Code::kOtherRecipient, "an answer for nobody here");
  }
  PartyKey hub;

 private:
  Random& random_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Machine>> machines_;
};

struct HubFixture {
  explicit HubFixture(const Dictionary& known = kNewDictionary) : dictionary(known) { start(); }

  void start() {
    service.reset();
    registry.reset();
    RegistryOptions options;
    options.data = folder.path();
    options.create = true;
    auto opened = Registry::open(options, dictionary, clock);
    if (!opened) FAIL(opened.error().sentence());
    registry = std::move(*opened);
    if (!Keyring::exists(folder.path()).value()) REQUIRE(Keyring::make(folder.path(), random, clock.time));
    auto ring = Keyring::open(folder.path());
    if (!ring) FAIL(ring.error().sentence());
    keys = std::move(*ring);
    sealer.hub = keys->keys()->front().secret.key();
    service = std::make_unique<HubService>(*registry, *keys, clock, random, dictionary, "hub 1", limits);
    service->log_to([this](const std::string& line) { log += line + "\n"; });
  }
  // Registers a school and enrols its machine, as an invitation would.
  void add(const std::string& urn = kUrn) {
    REQUIRE(registry->add_school(urn, "Example School"));
    enrol(urn);
  }
  Machine& enrol(const std::string& urn) {
    Machine& machine = sealer.add(urn);
    const Invitation code = invite(urn);
    REQUIRE(registry->agents().enrol(Invitation::hash_of(code.secret()), machine.secret.key(), urn,
                                     "server-1", clock.time));
    return machine;
  }
  Invitation invite(const std::string& urn, std::chrono::hours good = std::chrono::hours(24)) {
    Invitation code = Invitation::make(sealer.hub, random);
    REQUIRE(
        registry->agents().invite(urn, Invitation::hash_of(code.secret()), clock.time, clock.time + good));
    return code;
  }

  Bundle ask(std::vector<Frame> frames, const std::string& sender = "school:" + kUrn) {
    Bundle bundle;
    random.fill(bundle.id.uuid.bytes);
    bundle.sent = clock.time;
    bundle.frames.emplace_back(HelloFrame{sender, "agent 1", 1, 0, 0});
    for (Frame& f : frames) bundle.frames.push_back(std::move(f));
    auto bytes = sealer.seal(bundle);
    REQUIRE(bytes);
    auto answer = service->answer(*bytes);
    if (!answer) FAIL(answer.error().sentence());
    if (message_kind(*answer) == MessageKind::kNotice) FAIL(read_notice(*answer, sealer.hub).value().text);
    auto opened = sealer.open(*answer);
    REQUIRE(opened);
    REQUIRE(opened->answers == bundle.id);
    return std::move(*opened);
  }
  Bundle send(const std::vector<SealedSegment>& segments) {
    std::vector<Frame> frames;
    for (const SealedSegment& s : segments) frames.emplace_back(SegmentFrame{s.bytes});
    return ask(std::move(frames));
  }
  // What the hub says without sealing it.
  Notice notice_of(ByteView message) {
    auto answer = service->answer(message);
    if (!answer) FAIL(answer.error().sentence());
    auto said = read_notice(*answer, sealer.hub);
    if (!said) FAIL(said.error().sentence());
    CHECK(said->is_about(message));
    return std::move(*said);
  }

  const Dictionary& dictionary;
  TempFolder folder;
  FixedClock clock;
  Counter random;
  LimitOptions limits = kSchoolLimits;
  SchoolsSealer sealer{random};
  std::string log;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Keyring> keys;
  std::unique_ptr<HubService> service;
};

template <class T>
std::vector<T> frames_of(const Bundle& bundle) {
  std::vector<T> all;
  for (const Frame& f : bundle.frames)
    if (const auto* t = std::get_if<T>(&f)) all.push_back(*t);
  return all;
}
inline Head head_of(const Bundle& answer) {
  const auto heads = frames_of<HeadFrame>(answer);
  REQUIRE(heads.size() == 1);
  return heads.front().head;
}
inline std::vector<Code> problems_of(const Bundle& answer) {
  std::vector<Code> codes;
  for (const ProblemFrame& p : frames_of<ProblemFrame>(answer)) codes.push_back(p.code);
  return codes;
}

inline Cells mark_row(std::int64_t date, std::int64_t pupil, const std::string& code) {
  return {date, std::int64_t{0}, pupil, code, Cell{}, Cell{}, Cell{}};
}

}  // namespace towpath::test
