// Enrolment: the right hub, the right code, the right school; and each way in which it goes wrong.
#include "agent/uplink/enrol.hpp"

#include <catch2/catch.hpp>

#include "tests/agent/school_source.hpp"
#include "tests/uplink/scripted_hub.hpp"

namespace towpath {
namespace {

using Catch::Contains;

// A hub that knows one code, on a line that can be told to misbehave.
class InvitingHub final : public Transport {
 public:
  explicit InvitingHub(std::uint64_t seed = 11) : random_(seed), own(PartySecret::make(random_)) {}

  Invitation invite() {
    Invitation code = Invitation::make(own.key(), random_);
    code_ = Invitation::hash_of(code.secret());
    return code;
  }
  Result<Reply> exchange(ByteView body) override {
    ++requests;
    if (instead) return *instead;
    if (message_kind(body) == MessageKind::kCardQuestion) {
      const auto nonce = read_card_question(body);
      return says(card(own, old_card ? CardNonce{} : *nonce, clock, "towpath-hub test"));
    }
    const auto envelope = Envelope::read(body);
    REQUIRE(envelope->introduces);
    const auto bundle = open(body, own, *envelope->introduces);
    REQUIRE(bundle);
    const auto& enrol = std::get<EnrolFrame>(bundle->frames.at(1));
    label = enrol.label;
    Bundle answer;
    answer.answers = bundle->id;
    const auto problem = [&](Code code) {
      answer.frames.emplace_back(ProblemFrame{code, {}, {}, "why", {}});
    };
    if (refuse_with)
      problem(*refuse_with);
    else if (Invitation::hash_of(enrol.secret) != code_)
      problem(Code::kCodeUnknown);
    else if (used_by && *used_by != *envelope->introduces)
      problem(Code::kCodeUsed);
    else {
      used_by = envelope->introduces;
      answer.frames.emplace_back(WelcomeFrame{urn, "Example\nSchool", rows});
    }
    if (lose_answer) return fail(Code::kTransport, "cut");
    return says(seal(answer, own, *envelope->introduces, random_).value());
  }
  std::uint64_t bytes_sent() const override { return 0; }
  std::uint64_t bytes_received() const override { return 0; }
  static Reply says(Bytes body) { return {200, std::string(kBundleMediaType), std::move(body)}; }

 private:
  SeededRandom random_;
  Hash256 code_;

 public:
  PartySecret own;
  Instant clock{std::chrono::milliseconds{1'795'000'000'000}};
  std::string urn = "100001", label;
  std::uint64_t rows = 0;
  std::optional<Code> refuse_with;
  std::optional<PartyKey> used_by;
  std::optional<Reply> instead;
  bool lose_answer = false, old_card = false;
  int requests = 0;
};

struct Machine {
  explicit Machine(std::uint64_t s = 21) : seed(s) {}
  Result<Enrolled> enrol(const Invitation& code, InvitingHub& hub) {
    Speaker speaker{"100001", "test", "http://127.0.0.1:8440", "towpath", 1};
    return towpath::enrol(code, "server-1", speaker, files, line, hub, clock, random);
  }
  Error refused(const Invitation& code, InvitingHub& hub) {
    const auto enrolled = enrol(code, hub);
    REQUIRE_FALSE(enrolled);
    CHECK_FALSE(files.files.contains("enrolment"));
    return enrolled.error();
  }
  std::uint64_t seed;
  test::School school;
  KeyMemory files;
  LineState line{school.store};
  test::TestClock clock;
  SeededRandom random{seed};
};

TEST_CASE("a machine with the right code is enrolled, and the hub pinned") {
  Machine machine;
  InvitingHub hub;
  const auto enrolled = machine.enrol(hub.invite(), hub);
  REQUIRE(enrolled);
  CHECK(hub.requests == 2);
  CHECK(hub.label == "server-1");
  CHECK(hub.used_by == enrolled->identity.own().key());
  const auto kept = Identity::load(machine.files);
  REQUIRE(kept);
  CHECK(kept->hub() == hub.own.key());
  CHECK(kept->enrolment().urn == "100001");
  CHECK(kept->enrolment().name == "Example?School");
  CHECK(enrolled->notes.empty());
  CHECK_FALSE(*machine.line.restore_pending());
  CHECK(machine.line.credential()->accepted);
}

TEST_CASE("another hub than the code's is not spoken to") {
  Machine machine;
  InvitingHub hub, other{12};
  const Error error = machine.refused(hub.invite(), other);
  CHECK(error.code() == Code::kNotSigned);
  CHECK_THAT(error.what(), Contains("this is not the hub that the code was made for"));
  CHECK(other.requests == 1);
  CHECK_FALSE(machine.files.files.contains("enrol.key"));
}

TEST_CASE("what the hub says against a code is a sentence") {
  struct Case {
    Code code;
    const char* what;
  };
  for (const Case& one : {Case{Code::kCodeUnknown, "does not know this invitation code"},
                          Case{Code::kCodeExpired, "no longer valid"},
                          Case{Code::kCodeUsed, "has been used, by another machine"},
                          Case{Code::kWrongStream, "made for another school than 100001"}}) {
    Machine machine;
    InvitingHub hub;
    hub.refuse_with = one.code;
    const Error error = machine.refused(hub.invite(), hub);
    CHECK(error.code() == one.code);
    CHECK_THAT(error.what(), Contains(one.what) && Contains("(why)"));
    CHECK_THAT(error.next(), Contains("towpath-hub school invite 100001"));
  }
}

TEST_CASE("a welcome to another school is not accepted") {
  Machine machine;
  InvitingHub hub;
  hub.urn = "100002";
  CHECK(machine.refused(hub.invite(), hub).code() == Code::kWrongStream);
}

TEST_CASE("a lost answer costs nothing: the same code is good again, for this machine only") {
  Machine machine, thief{22};
  InvitingHub hub;
  const Invitation code = hub.invite();
  hub.lose_answer = true;
  CHECK(machine.refused(code, hub).code() == Code::kTransport);
  hub.lose_answer = false;
  CHECK(thief.refused(code, hub).code() == Code::kCodeUsed);
  CHECK(machine.enrol(code, hub));
}

TEST_CASE("a block page, an old card and another server are told apart") {
  Machine machine;
  InvitingHub hub;
  const Invitation code = hub.invite();
  hub.instead = test::page(200, "<html><title>Blocked by Guard</title>");
  CHECK_THAT(machine.refused(code, hub).what(), Contains("blocked by a web filter: 'Blocked by Guard'"));
  hub.instead = test::page(404, "no", "text/plain");
  CHECK_THAT(machine.refused(code, hub).what(), Contains("no hub at this address"));
  hub.instead.reset();
  hub.old_card = true;
  CHECK_THAT(machine.refused(code, hub).what(), Contains("card is an old one"));
}

TEST_CASE("a clock that is wrong by days is said, and hinders nothing") {
  Machine machine;
  InvitingHub hub;
  hub.clock += std::chrono::hours{24 * 40};
  const auto enrolled = machine.enrol(hub.invite(), hub);
  REQUIRE(enrolled);
  REQUIRE(enrolled->notes.size() == 1);
  CHECK_THAT(enrolled->notes[0], Contains("minutes behind the hub's"));
}

TEST_CASE("a new machine for a school that the hub has rows of restores before it publishes") {
  Machine machine;
  InvitingHub hub;
  hub.rows = 12'345;
  REQUIRE(machine.enrol(hub.invite(), hub));
  CHECK(*machine.line.restore_pending());
}

TEST_CASE("a machine killed as soon as it counts as enrolled still has to restore first") {
  // The last that the machine does is to write that it is enrolled.
  struct LastWrite final : KeyFiles {
    explicit LastWrite(KeyMemory& to) : files(to) {}
    Result<std::optional<std::string>> read(const std::string& name) override { return files.read(name); }
    Result<void> write(const std::string& name, const std::string& content) override {
      if (dead) return fail(Code::kIo, "killed");
      dead = name == "enrolment";
      return files.write(name, content);
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
      if (dead) return fail(Code::kIo, "killed");
      return files.rename(from, to);
    }
    Result<void> remove(const std::string& name) override {
      if (dead) return fail(Code::kIo, "killed");
      return files.remove(name);
    }
    std::string place() const override { return "memory"; }
    KeyMemory& files;
    bool dead = false;
  };
  Machine machine;
  InvitingHub hub;
  hub.rows = 12'345;
  LastWrite files(machine.files);
  const Speaker speaker{"100001", "test", "http://127.0.0.1:8440", "towpath", 1};
  REQUIRE_FALSE(towpath::enrol(hub.invite(), "server-1", speaker, files, machine.line, hub, machine.clock,
                               machine.random));
  CHECK(machine.files.files.contains("enrolment"));
  CHECK(*machine.line.restore_pending());
}

TEST_CASE("no key, code or secret stands in what is said of a failed enrolment") {
  Machine machine;
  InvitingHub hub;
  const Invitation code = hub.invite();
  hub.refuse_with = Code::kCodeExpired;
  const std::string said = machine.refused(code, hub).sentence();
  CHECK_THAT(said, !Contains(code.text().substr(0, 11)));
}

}  // namespace
}  // namespace towpath
