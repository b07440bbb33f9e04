#include "hub/trust/keyring.hpp"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "platform/platform.hpp"
#include "tests/hub/hub_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

struct KeyringFixture {
  TempFolder folder;
  Counter random;
  const Instant now = *parse_instant("2026-11-23T08:15:00Z");
  [[nodiscard]] std::string file() const { return folder.path() + "/keys/hub.keys"; }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(file(), std::ios::binary).rdbuf();
    return out.str();
  }
  void write(const std::string& text) const { std::ofstream(file(), std::ios::binary) << text; }
};

}  // namespace

TEST_CASE("the hub's keys are made once, for their owner only, and found again") {
  KeyringFixture f;
  CHECK(Keyring::exists(f.folder.path()).value() == false);
  CHECK(Keyring::open(f.folder.path()).error().code() == Code::kNotFound);
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  CHECK(Keyring::make(f.folder.path(), f.random, f.now).error().code() == Code::kRepeated);
  struct stat about {};
  REQUIRE(::stat(f.file().c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  REQUIRE(::stat((f.folder.path() + "/keys").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
  auto one = Keyring::open(f.folder.path()), two = Keyring::open(f.folder.path());
  REQUIRE((one && two));
  CHECK((*one)->keys()->front().secret.key() == (*two)->keys()->front().secret.key());
  CHECK((*one)->keys()->front().made == f.now);
  // Beside it, nothing but the folder's lock.
  CHECK(std::distance(std::filesystem::directory_iterator(f.folder.path() + "/keys"), {}) == 2);
}

TEST_CASE("keys that others may read are closed when they are opened, and that is told") {
  KeyringFixture f;
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  CHECK(Keyring::open(f.folder.path()).value()->closed().empty());
  namespace fs = std::filesystem;
  fs::permissions(f.file(), fs::perms(0644));
  fs::permissions(f.folder.path() + "/keys", fs::perms(0777));
  const auto ring = Keyring::open(f.folder.path());
  REQUIRE(ring);
  CHECK((*ring)->closed().find("/keys (0777)") != std::string::npos);
  CHECK((*ring)->closed().find("hub.keys (0644)") != std::string::npos);
  CHECK(fs::status(f.file()).permissions() == fs::perms(0600));
  CHECK(fs::status(f.folder.path() + "/keys").permissions() == fs::perms(0700));
}

TEST_CASE("a key rotated beside a running hub is in force at once, and the former one still opens") {
  KeyringFixture f;
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  auto serving = Keyring::open(f.folder.path()).value();
  const auto before = serving->keys();
  const KeyId old = before->front().secret.key().id();
  auto beside = Keyring::open(f.folder.path()).value();
  REQUIRE(beside->rotate(f.random, f.now));
  const auto now = serving->keys();
  REQUIRE(now->size() == 2);
  CHECK(now->front().secret.key() == beside->keys()->front().secret.key());
  CHECK(now->front().secret.key().id() != old);
  REQUIRE(key_of(*now, old) != nullptr);
  CHECK(key_of(*now, KeyId{}) == nullptr);
  CHECK(before->size() == 1);  // a request that is under way keeps what it began with
}

TEST_CASE("a keyring that was cut or changed is said to be damaged, and is left as it is") {
  KeyringFixture f;
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  const std::string whole = f.text();
  auto serving = Keyring::open(f.folder.path()).value();
  const auto check = [&](const std::string& text) {
    f.write(text);
    auto opened = Keyring::open(f.folder.path());
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == Code::kDamaged);
    // Nothing of the secret is in the sentence.
    CHECK_THAT(opened.error().sentence(), !Catch::Contains(whole.substr(whole.size() - 32, 16)));
    CHECK(Keyring::make(f.folder.path(), f.random, f.now).error().code() == Code::kRepeated);
    CHECK(f.text() == text);
    CHECK(serving->keys()->size() == 1);  // the running hub goes on with what it had
  };
  for (std::size_t n = 0; n < whole.size(); ++n) check(whole.substr(0, n));
  check(whole + "x");
  check(whole + whole);
  check(std::string(100'000, 'k'));
}

TEST_CASE("keys made by several at once are all kept, and whoever finds the folder held is told so") {
  KeyringFixture f;
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  {
    auto held = platform::FolderLock::take(f.folder.path() + "/keys");
    REQUIRE(held);
    auto ring = Keyring::open(f.folder.path()).value();
    CHECK(ring->rotate(f.random, f.now).error().code() == Code::kBusy);
    CHECK(ring->keys()->size() == 1);
  }
  std::atomic<std::size_t> done = 0;
  std::vector<std::thread> makers;
  for (int n = 0; n < 4; ++n)
    makers.emplace_back([&] {
      auto ring = Keyring::open(f.folder.path()).value();
      for (int i = 0; i < 5; ++i)
        if (ring->rotate(f.random, f.now)) ++done;
    });
  for (std::thread& t : makers) t.join();
  CHECK(done > 0);
  CHECK(Keyring::open(f.folder.path()).value()->keys()->size() == 1 + done);
}

TEST_CASE("a keyring that was damaged beside a running hub is not written over by a new key") {
  KeyringFixture f;
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  auto ring = Keyring::open(f.folder.path()).value();
  f.write("towpath");
  CHECK(ring->rotate(f.random, f.now).error().code() == Code::kDamaged);
  CHECK(f.text() == "towpath");
}

TEST_CASE("what a killed writer left of the keys is removed by the next one that writes") {
  KeyringFixture f;
  REQUIRE(Keyring::make(f.folder.path(), f.random, f.now));
  const std::string left = f.file() + ".new-4711";
  std::ofstream(left) << f.text();
  auto ring = Keyring::open(f.folder.path()).value();
  REQUIRE(ring->rotate(f.random, f.now));
  CHECK_FALSE(std::filesystem::exists(left));
  CHECK(ring->keys()->size() == 2);
}

TEST_CASE("a hub has at most a hundred keys") {
  KeyringFixture f;
  auto ring = Keyring::of(PartySecret::make(f.random), f.now);
  for (std::size_t n = 1; n < kHubKeysMax; ++n) REQUIRE(ring->rotate(f.random, f.now));
  CHECK(ring->rotate(f.random, f.now).error().code() == Code::kTooLarge);
  CHECK(ring->keys()->size() == kHubKeysMax);
}
