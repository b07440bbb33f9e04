// A hub in a folder of its own, with clock and chance that a test holds in its hand, and the
// bundles of a school that speaks to it.
#pragma once

#include <atomic>
#include <catch2/catch.hpp>

#include "hub/exchange/service.hpp"
#include "tests/replica/dictionaries.hpp"
#include "tests/replica/writer.hpp"

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

struct HubFixture {
  explicit HubFixture(const Dictionary& known = kNewDictionary) : dictionary(known) { start(); }

  void start() {
    service.reset();
    RegistryOptions options;
    options.data = folder.path();
    options.create = true;
    auto opened = Registry::open(options, dictionary, clock);
    if (!opened) FAIL(opened.error().sentence());
    registry = std::move(*opened);
    service = std::make_unique<HubService>(*registry, sealer, clock, random, dictionary, "hub 1");
    service->log_to([this](const std::string& line) { log += line + "\n"; });
  }
  void add(const std::string& urn = kUrn) { REQUIRE(registry->add_school(urn, "Example School")); }

  Bundle ask(std::vector<Frame> frames, const std::string& sender = "school:" + kUrn) {
    Bundle bundle;
    random.fill(bundle.id.uuid.bytes);
    bundle.frames.emplace_back(HelloFrame{sender, "agent 1", 1});
    for (Frame& f : frames) bundle.frames.push_back(std::move(f));
    auto bytes = sealer.seal(bundle);
    REQUIRE(bytes);
    auto answer = service->answer(*bytes);
    if (!answer) FAIL(answer.error().sentence());
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

  const Dictionary& dictionary;
  TempFolder folder;
  FixedClock clock;
  Counter random;
  PlainSealer sealer;
  std::string log;
  std::unique_ptr<Registry> registry;
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
