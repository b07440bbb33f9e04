// Keys on disk: who may read them, what a crash leaves, how they change.
#include "agent/identity/identity.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "tests/trust/trust_world.hpp"
#include "trust/sealed.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;
using Catch::Contains;

const Hash256 kCode = hash256("towpath invite", Bytes{1});

Enrolment school(const PartyKey& hub) {
  Enrolment e;
  e.urn = "100001";
  e.name = "Example School";
  e.hub_url = "https://hub.example";
  e.hub = hub;
  e.when = Instant{std::chrono::milliseconds{1'795'000'000'000}};
  return e;
}

// An agent that is enrolled, its hub, and where its keys lie.
struct Place {
  SeededRandom random{7};
  PartySecret hub = PartySecret::make(random);
  KeyMemory files;
  Identity enrol(const Hash256& code = kCode) {
    auto candidate = Candidate::of(files, code, random);
    REQUIRE(candidate);
    auto made = std::move(*candidate).enrolled(school(hub.key()));
    REQUIRE(made);
    return std::move(*made);
  }
  Identity load() {
    auto read = Identity::load(files);
    if (!read) FAIL(read.error().sentence());
    return std::move(*read);
  }
};

// Stops the world at the n-th change, as a power cut would.
class CutFiles final : public KeyFiles {
 public:
  CutFiles(KeyMemory& files, int changes) : files_(files), left_(changes) {}
  Result<std::optional<std::string>> read(const std::string& name) override { return files_.read(name); }
  Result<void> write(const std::string& name, const std::string& content) override {
    TP_TRY(alive());
    return files_.write(name, content);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    TP_TRY(alive());
    return files_.rename(from, to);
  }
  Result<void> remove(const std::string& name) override {
    TP_TRY(alive());
    return files_.remove(name);
  }
  std::string place() const override { return "cut"; }

 private:
  Result<void> alive() {
    if (left_-- > 0) return {};
    return fail(Code::kIo, "the power is cut");
  }
  KeyMemory& files_;
  int left_;
};

// One file cannot be read for a while: its disk, or another program that has it open.
class UnreadableFiles final : public KeyFiles {
 public:
  UnreadableFiles(KeyMemory& files, std::string name) : files_(files), name_(std::move(name)) {}
  Result<std::optional<std::string>> read(const std::string& name) override {
    if (unreadable && name == name_) return fail(Code::kIo, "cannot read " + name);
    return files_.read(name);
  }
  Result<void> write(const std::string& name, const std::string& content) override {
    return files_.write(name, content);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return files_.rename(from, to);
  }
  Result<void> remove(const std::string& name) override { return files_.remove(name); }
  std::string place() const override { return "unreadable"; }
  bool unreadable = true;

 private:
  KeyMemory& files_;
  std::string name_;
};

// A folder that goes with the test.
struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "towpath-identity-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

TEST_CASE("a machine without an enrolment is told what to do") {
  KeyMemory files;
  const auto none = Identity::load(files, "towpath --config x.toml");
  REQUIRE_FALSE(none);
  CHECK(none.error().code() == Code::kNotEnrolled);
  CHECK_THAT(none.error().next(), Contains("towpath --config x.toml enrol CODE"));
  CHECK_FALSE(read_enrolment(files)->has_value());
}

TEST_CASE("what was enrolled is read again: the key, the hub, the school") {
  Place at;
  const Identity made = at.enrol();
  const Identity read = at.load();
  CHECK(read.own().key() == made.own().key());
  CHECK(read.enrolment() == made.enrolment());
  CHECK(read.hub() == at.hub.key());
  CHECK(read.enrolment().urn == "100001");
  CHECK(read_enrolment(at.files)->value() == made.enrolment());
  CHECK_FALSE(at.files.files.contains("enrol.key"));
}

TEST_CASE("a code that is tried again uses the key that it was tried with, another code another key") {
  Place at;
  const PartyKey first = Candidate::of(at.files, kCode, at.random)->own().key();
  CHECK(Candidate::of(at.files, kCode, at.random)->own().key() == first);
  const Hash256 other = hash256("towpath invite", Bytes{2});
  CHECK(Candidate::of(at.files, other, at.random)->own().key() != first);
}

TEST_CASE("a failed attempt to enrol again leaves the old enrolment in force") {
  Place at;
  const PartyKey before = at.enrol().own().key();
  REQUIRE(Candidate::of(at.files, hash256("towpath invite", Bytes{2}), at.random));
  CHECK(at.load().own().key() == before);
}

TEST_CASE("cut off at any write, an enrolment has happened or has not") {
  int whole = 0;
  for (int changes = 0; changes < 8; ++changes) {
    Place at;
    CutFiles cut(at.files, changes);
    auto candidate = Candidate::of(cut, kCode, at.random);
    bool done = false;
    if (candidate) done = std::move(*candidate).enrolled(school(at.hub.key())).has_value();
    const auto after = Identity::load(at.files);
    if (done) ++whole;
    if (done) CHECK(after);
    if (after)
      CHECK(after->own().key().id() == after->enrolment().key);
    else
      CHECK(after.error().code() == Code::kNotEnrolled);
  }
  CHECK(whole > 0);
}

TEST_CASE("a next key is on disk before anybody hears of it, and is the same until it is in force") {
  Place at;
  Identity identity = at.enrol();
  const auto first = identity.next_key(at.random);
  REQUIRE(first);
  CHECK(at.files.files.contains("next.key"));
  Identity later = at.load();
  CHECK(*later.next_key(at.random) == *first);
  REQUIRE(later.use_next());
  CHECK(later.own().key().bytes() == first->key);
  CHECK(at.load().own().key().bytes() == first->key);
  CHECK_FALSE(at.load().next());
}

TEST_CASE("cut off at any write while keys change, one of the two is in force") {
  for (int changes = 0; changes < 4; ++changes) {
    Place at;
    const PartyKey old = at.enrol().own().key();
    CutFiles cut(at.files, changes);
    auto identity = Identity::load(cut);
    REQUIRE(identity);
    const auto next = identity->next_key(at.random);
    if (next) (void)identity->use_next();
    const Identity after = at.load();
    CHECK((after.own().key() == old || (next && after.own().key().bytes() == next->key)));
    CHECK(at.load().own().key() == after.own().key());
  }
}

TEST_CASE("a hub that knows only the key before gets it, and the newer one is the next again") {
  Place at;
  Identity identity = at.enrol();
  CHECK_FALSE(*identity.fall_back());
  const PartyKey old = identity.own().key();
  REQUIRE(identity.next_key(at.random));
  REQUIRE(identity.use_next());
  const PartyKey fresh = identity.own().key();
  for (int changes = 0; changes < 4; ++changes) {
    Place cut_at;
    cut_at.files.files = at.files.files;
    CutFiles cut(cut_at.files, changes);
    auto there = Identity::load(cut);
    REQUIRE(there);
    const auto fell = there->fall_back();
    const Identity after = cut_at.load();
    CHECK((after.own().key() == old || after.own().key() == fresh));
    if (fell) {
      CHECK(after.own().key() == old);
      CHECK(after.next()->key() == fresh);
    }
  }
}

// Found by the fuzzer of key files: what the second reading found, the first had left out.
TEST_CASE("cut off at any write, what is read is what is read again, the next key as well") {
  const auto same_twice = [](Place& at) {
    const Identity once = at.load(), again = at.load();
    CHECK(once.own().key() == again.own().key());
    REQUIRE(once.next().has_value() == again.next().has_value());
    if (once.next()) CHECK(once.next()->key() == again.next()->key());
    if (once.next()) CHECK(once.next()->key() != once.own().key());
  };
  Place at;
  Identity identity = at.enrol();
  REQUIRE(identity.next_key(at.random));
  REQUIRE(identity.use_next());
  const PartyKey fresh = identity.own().key();
  for (int changes = 0; changes < 4; ++changes) {
    Place falling;
    falling.files.files = at.files.files;
    CutFiles cut(falling.files, changes);
    auto there = Identity::load(cut);
    REQUIRE(there);
    const bool fell = there->fall_back().has_value();
    same_twice(falling);
    // Once the key before is in force, the newer one is not forgotten: the hub may have to hear of it again.
    if (falling.load().own().key() != fresh) CHECK(falling.load().next()->key() == fresh);
    if (fell) CHECK(falling.load().own().key() != fresh);
  }
  REQUIRE(identity.next_key(at.random));
  for (int changes = 0; changes < 8; ++changes) {
    Place anew;
    anew.files.files = at.files.files;
    CutFiles cut(anew.files, changes);
    auto candidate = Candidate::of(cut, kCode, at.random);
    if (candidate) static_cast<void>(std::move(*candidate).enrolled(school(anew.hub.key())));
    same_twice(anew);
  }
}

TEST_CASE("the proof of a new key binds it to the old one") {
  Place at;
  Identity identity = at.enrol();
  PartySecret next = PartySecret::make(at.random);
  const PartySecret other = PartySecret::make(at.random);
  NewKeyFrame forged = new_key(next, other.key());
  CHECK(identity.pin(forged).error().code() == Code::kNotSigned);
  forged = new_key(next, at.hub.key());
  forged.key = other.key().bytes();
  CHECK(identity.pin(forged).error().code() == Code::kNotSigned);
  CHECK(identity.pin({}).error().code() == Code::kNotSigned);
  CHECK(identity.hub() == at.hub.key());
  REQUIRE(identity.pin(new_key(next, at.hub.key())));
  CHECK(at.load().hub() == next.key());
  CHECK(at.load().enrolment().hub_before == at.hub.key());
}

TEST_CASE("keys that do not fit together say so and how to go on") {
  Place at;
  at.enrol();
  const auto whole = at.files.files;
  for (const char* name : {"agent.key", "enrolment"}) {
    at.files.files = whole;
    at.files.files[name] = "nonsense\n";
    const auto read = Identity::load(at.files, "towpath");
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == Code::kDamaged);
    CHECK_THAT(read.error().next(), Contains("enrol"));
    CHECK_THAT(read.error().sentence(), !Contains("nonsense"));
  }
  at.files.files = whole;
  at.files.files.erase("agent.key");
  CHECK(Identity::load(at.files).error().code() == Code::kDamaged);
}

// Found by the simulation, seed 3639914462: the hub had taken the next key, its answer was lost, and a
// person was asked to enrol anew where trying again is enough.
TEST_CASE("a next key that cannot be read for a while is not taken for none") {
  Place at;
  const auto next = at.enrol().next_key(at.random);
  REQUIRE(next);
  UnreadableFiles files(at.files, "next.key");
  const auto now = Identity::load(files);
  REQUIRE_FALSE(now);
  CHECK(now.error().code() == Code::kIo);
  files.unreadable = false;
  const auto later = Identity::load(files);
  REQUIRE(later);
  REQUIRE(later->next());
  CHECK(later->next()->key().bytes() == next->key);
}

TEST_CASE("a next key that a newer program has written is not taken for none, a half-made one is") {
  Place at;
  REQUIRE(at.enrol().next_key(at.random));
  std::string& file = at.files.files["next.key"];
  const std::string whole = file;
  const std::size_t version = whole.find(" 1\n");
  REQUIRE(version != std::string::npos);
  file.replace(version, 2, " 9");
  CHECK(Identity::load(at.files).error().code() == Code::kUnknownVersion);
  file = whole.substr(0, whole.size() / 2);
  CHECK_FALSE(at.load().next());
}

TEST_CASE("what a crash has left is tidied up later where it cannot be read now") {
  Place at;
  Identity identity = at.enrol();
  const auto next = identity.next_key(at.random);
  REQUIRE(next);
  CutFiles cut(at.files, 2);  // before.key and enrolment are written, next.key is not renamed
  auto there = Identity::load(cut);
  REQUIRE(there);
  REQUIRE_FALSE(there->use_next());
  for (const char* name : {"agent.key", "next.key"}) {
    KeyMemory copy = at.files;
    UnreadableFiles files(copy, name);
    const auto now = Identity::load(files);
    REQUIRE_FALSE(now);
    CHECK(now.error().code() == Code::kIo);
    CHECK(copy.files == at.files.files);
    files.unreadable = false;
    const auto later = Identity::load(files);
    REQUIRE(later);
    CHECK(later->own().key().bytes() == next->key);
  }
}

TEST_CASE("a key before that cannot be read for a while is not taken for none") {
  Place at;
  Identity first = at.enrol();
  const PartyKey old = first.own().key();
  REQUIRE(first.next_key(at.random));
  REQUIRE(first.use_next());
  UnreadableFiles files(at.files, "before.key");
  auto identity = Identity::load(files);
  REQUIRE(identity);
  const auto fell = identity->fall_back();
  REQUIRE_FALSE(fell);
  CHECK(fell.error().code() == Code::kIo);
  files.unreadable = false;
  REQUIRE(identity->fall_back().value());
  CHECK(identity->own().key() == old);
}

TEST_CASE("a key under a code that cannot be read for a while is not replaced by another") {
  Place at;
  const PartyKey first = Candidate::of(at.files, kCode, at.random)->own().key();
  UnreadableFiles files(at.files, "enrol.key");
  const auto now = Candidate::of(files, kCode, at.random);
  REQUIRE_FALSE(now);
  CHECK(now.error().code() == Code::kIo);
  files.unreadable = false;
  CHECK(Candidate::of(files, kCode, at.random)->own().key() == first);
}

TEST_CASE("a school's name cannot add a line to the enrolment") {
  Place at;
  Enrolment e = school(at.hub.key());
  e.name = "Evil\nkey 0000000000000000";
  auto candidate = Candidate::of(at.files, kCode, at.random);
  REQUIRE(std::move(*candidate).enrolled(e));
  CHECK(at.load().enrolment().name == "Evil key 0000000000000000");
}

TEST_CASE("key files are their owner's only, and wider rights are found and taken away") {
  const Folder folder;
  const std::string place = (folder.path / "data" / "identity").string();
  CHECK(wide_rights(place)->empty());
  KeyFolder files(place);
  SeededRandom random{3};
  const PartySecret hub = PartySecret::make(random);
  REQUIRE(std::move(*Candidate::of(files, kCode, random)).enrolled(school(hub.key())));
  CHECK(wide_rights(place)->empty());
  CHECK((fs::status(place).permissions() & fs::perms::mask) == fs::perms::owner_all);
  const fs::path key = fs::path(place) / "agent.key";
  CHECK((fs::status(key).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));

  fs::permissions(key, fs::perms::group_read | fs::perms::others_read, fs::perm_options::add);
  const auto wide = wide_rights(place);
  REQUIRE(wide->size() == 1);
  CHECK(wide->front().path == key.string());
  CHECK(wide->front().rights == "0644");
  REQUIRE(mend_rights(place)->size() == 1);
  CHECK(wide_rights(place)->empty());
  CHECK(Identity::load(files));
}

TEST_CASE("what a killed write has left is removed, and nothing else") {
  const Folder folder;
  const std::string place = (folder.path / "data" / "identity").string();
  CHECK(remove_unfinished(place));  // there is none yet
  KeyFolder files(place);
  SeededRandom random{3};
  const PartySecret hub = PartySecret::make(random);
  REQUIRE(std::move(*Candidate::of(files, kCode, random)).enrolled(school(hub.key())));
  REQUIRE(files.write("agent.key.new-4711", "half a secret"));
  REQUIRE(remove_unfinished(place));
  CHECK_FALSE(*files.read("agent.key.new-4711"));
  CHECK(*files.read("agent.key"));
  CHECK(Identity::load(files));
}

}  // namespace
}  // namespace towpath
