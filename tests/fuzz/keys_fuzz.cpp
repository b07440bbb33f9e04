// Key files as a disk, a backup or a hand may have left them: the agent's, and the hub's ring. Damage is
// told or mended, never guessed at; what loads is one machine's whole identity, and loads again.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/identity/identity.hpp"
#include "check.hpp"
#include "hub/trust/keyring.hpp"
#include "program.hpp"
#include "tests/trust/trust_world.hpp"
#include "trust/sealed.hpp"

namespace towpath::fuzz {
namespace {

constexpr std::uint8_t kCodes = 10;
constexpr std::array<const char*, 5> kNames{"enrolment", "agent.key", "next.key", "before.key", "enrol.key"};

struct World {
  World() {
    auto candidate = good(Candidate::of(keys, hash256("towpath invite", Bytes{1}), random), "a candidate");
    Enrolment e;
    e.urn = "100001";
    e.name = "Example School";
    e.hub_url = "https://hub.example";
    e.hub = hub.key();
    auto identity = good(std::move(candidate).enrolled(std::move(e)), "enrolled");
    good(identity.next_key(random), "a next key");
    std::filesystem::create_directory(folder);
    good(Keyring::make(folder, random, *parse_instant("2026-11-23T08:15:00Z")), "a ring");
    good(good(Keyring::open(folder), "the ring")->rotate(random, *parse_instant("2026-11-24T08:15:00Z")),
         "rotated");
    ring = content();
  }
  ~World() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  [[nodiscard]] std::string file() const { return folder + "/keys/hub.keys"; }
  [[nodiscard]] std::string content() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const std::string& text) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << text;
    ::chmod(file().c_str(), 0600);
  }
  SeededRandom random{21};
  PartySecret hub = PartySecret::make(random), next_hub = PartySecret::make(random);
  KeyMemory keys;
  std::string folder = "/dev/shm/towpath-fuzz-" + std::to_string(getpid());
  std::string ring;
};

void damage(std::string& text, Draw& d) {
  if (text.empty()) return;
  switch (d.below(6)) {
    case 0:
      text[d.u16() % text.size()] ^= static_cast<char>(1U << d.below(8));
      break;
    case 1:
      text.resize(d.u16() % text.size());
      break;
    case 2:
      text.insert(d.u16() % text.size(), d.text());
      break;
    case 3: {  // a line twice, or not at all
      const std::size_t at = text.rfind('\n', d.u16() % text.size());
      const std::size_t begin = at == std::string::npos ? 0 : at + 1;
      const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
      const std::string line = text.substr(begin, end - begin);
      if (d.flag())
        text.insert(begin, line);
      else
        text.erase(begin, end - begin);
      break;
    }
    case 4:
      text.erase(d.u16() % text.size(), 1 + d.below(8));
      break;
    default: {
      const Bytes raw = d.rest();
      text.assign(raw.begin(), raw.end());
    }
  }
}

void check_agent(KeyMemory& files) {
  const auto told = read_enrolment(files);
  auto identity = Identity::load(files);
  if (!identity) {
    harmless(identity.error());
    return;
  }
  FUZZ_CHECK(identity->own().key().id() == identity->enrolment().key);
  FUZZ_CHECK(told && *told);
  auto again = good(Identity::load(files), "the same files again");
  FUZZ_CHECK(again.own().key() == identity->own().key() && again.hub() == identity->hub());
  FUZZ_CHECK(again.next().has_value() == identity->next().has_value());
}

}  // namespace
}  // namespace towpath::fuzz

FUZZ_PROGRAMS(towpath::fuzz::kCodes)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towpath;
  using namespace towpath::fuzz;
  static World w;
  KeyMemory files = w.keys;
  std::string ring = w.ring;
  SeededRandom random(22);
  for (const Step& step : program_of({data, size})) {
    Draw d = step.draw();
    const char* name = kNames[d.below(kNames.size())];
    switch (step.code % kCodes) {
      case 0:
      case 1:
        if (files.files.contains(name)) damage(files.files[name], d);
        break;
      case 2:
        files.files[name] = files.files[kNames[d.below(kNames.size())]];
        break;
      case 3:
        files.files.erase(name);
        break;
      case 4: {  // a life of its own
        auto identity = Identity::load(files);
        if (!identity) break;
        switch (d.below(6)) {
          case 0:
            good(identity->next_key(random), "a next key");
            break;
          case 1:
            if (identity->next()) good(identity->use_next(), "the next key");
            break;
          case 2:
            good(identity->forget_next(), "no next key");
            break;
          case 3:
            static_cast<void>(identity->fall_back());
            break;
          default:
            static_cast<void>(identity->pin(new_key(w.next_hub, d.flag() ? identity->hub() : w.hub.key())));
        }
        check_agent(files);
        break;
      }
      case 5: {
        auto candidate = Candidate::of(files, hash256("towpath invite", Bytes{d.u8()}), random);
        if (!candidate) harmless(candidate.error());
        break;
      }
      case 6:
      case 7:
        damage(ring, d);
        break;
      case 8: {
        w.put(ring);
        const auto keys = Keyring::open(w.folder);
        if (!keys) {
          harmless(keys.error());
          FUZZ_CHECK(w.content() == ring);  // what is damaged is never written over
          break;
        }
        FUZZ_CHECK(!(*keys)->keys()->empty() && (*keys)->keys()->size() <= kHubKeysMax);
        if (d.flag() && (*keys)->rotate(random, *parse_instant("2026-11-25T08:15:00Z"))) {
          ring = w.content();
          good(Keyring::open(w.folder), "a ring that was rotated");
        }
        break;
      }
      default:
        check_agent(files);
    }
  }
  check_agent(files);
  return 0;
}
