// Who may speak to the hub, and what happens to everybody else: a reason of its own for each,
// nothing of it personal, and nothing changed.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/hub/hub_fixture.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

std::string file_text(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

struct TrustFixture : HubFixture {
  TrustFixture() { add(); }

  // Everything the hub knows: each row of its books, and each school's data.
  std::string dump() {
    std::string all;
    Database::Options options;
    options.path = folder.path() + "/registry.db";
    options.read_only = true;
    auto books = Database::open(options);
    REQUIRE(books);
    std::vector<std::string> tables;
    REQUIRE(books->each("SELECT name FROM sqlite_schema WHERE type='table' ORDER BY name",
                        [&](Statement::Use& use) { tables.emplace_back(use.text(0)); }));
    for (const std::string& table : tables) {
      std::string row;
      REQUIRE(books->each("SELECT name FROM pragma_table_info('" + table + "')", [&](Statement::Use& use) {
        row += (row.empty() ? "quote(" : "||','||quote(") + std::string(use.text(0)) + ")";
      }));
      REQUIRE(books->each("SELECT " + row + " FROM " + table + " ORDER BY 1", [&](Statement::Use& use) {
        all += table + ": " + std::string(use.text(0)) + "\n";
      }));
    }
    service->close_files();
    const auto schools = registry->schools().value();
    for (const School& school : schools) {
      const auto heads = registry->epochs(school.urn).value();
      for (const Head& head : heads)
        all += school.urn + ": " + std::to_string(head.epoch.number) + "/" + std::to_string(head.seq.number) +
               " " + head.digest.hex() + "\n";
    }
    return all;
  }

  Bundle bundle(std::vector<Frame> frames, const std::string& sender = "school:" + kUrn,
                std::uint64_t instance = 0, std::uint64_t turn = 0) {
    Bundle b;
    random.fill(b.id.uuid.bytes);
    b.sent = clock.time;
    b.frames.emplace_back(HelloFrame{sender, "agent 1", 1, instance, turn});
    for (Frame& f : frames) b.frames.push_back(std::move(f));
    return b;
  }
  // As a machine that is not (or no longer) the fixture's sends it.
  Bytes sealed_by(const PartySecret& secret, const Bundle& b, bool introduce = false) {
    return seal(b, secret, sealer.hub, random, introduce).value();
  }
  Bytes enrolment(const PartySecret& secret, const Bytes& code, const std::string& urn = kUrn) {
    return sealed_by(secret, bundle({EnrolFrame{code, "MRS-SMITHS-LAPTOP"}}, "school:" + urn), true);
  }
  // What is answered sealed, to the holder of `secret`.
  Bundle answer_to(const PartySecret& secret, ByteView message) {
    auto answer = service->answer(message);
    if (!answer) FAIL(answer.error().sentence());
    if (message_kind(*answer) == MessageKind::kNotice)
      FAIL("a notice: " + read_notice(*answer, sealer.hub).value().text);
    auto opened = open(*answer, secret, sealer.hub);
    if (!opened) FAIL(opened.error().sentence());
    return std::move(*opened);
  }
  Code refusal(const PartySecret& secret, ByteView message) {
    const auto codes = problems_of(answer_to(secret, message));
    REQUIRE(codes.size() == 1);
    return codes.front();
  }
  Machine& machine() { return sealer.of(kUrn); }
  Bundle turn(std::uint64_t instance, std::uint64_t number, std::vector<Frame> frames = {}) {
    return answer_to(machine().secret, sealed_by(machine().secret, bundle(std::move(frames), "school:" + kUrn,
                                                                          instance, number)));
  }
};

}  // namespace

TEST_CASE("whoever asks is shown the hub's card, which fits its invitations") {
  TrustFixture hub;
  CardNonce nonce{};
  hub.random.fill(nonce);
  auto shown = read_card(hub.service->answer(card_question(nonce)).value(), nonce);
  REQUIRE(shown);
  CHECK(shown->key == hub.sealer.hub);
  CHECK(shown->now == hub.clock.time);
  CHECK(hub.invite(kUrn).is_of(shown->key));
  Bytes cut = card_question(nonce);
  cut.pop_back();
  CHECK(hub.notice_of(cut).code == Code::kDamaged);
}

TEST_CASE("what a machine calls itself cannot move the cursor of who reads the list of agents") {
  TrustFixture hub;
  const PartySecret fresh = PartySecret::make(hub.random);
  const Invitation code = hub.invite(kUrn);
  const std::string hostile =
      "a\xc2\x9b"
      "2J\x1b[2J\xe2\x80\xae"
      "b\xff\n"
      "c";
  REQUIRE(hub.registry->agents().enrol(Invitation::hash_of(code.secret()), fresh.key(), kUrn, hostile,
                                       hub.clock.time));
  CHECK(hub.registry->agents().current(kUrn).value()->label == "a??2J?[2J???b? c");
}

TEST_CASE("an invitation makes a machine's key its school's, once, and the one before is replaced") {
  TrustFixture hub;
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  writer.put(kPupil, {std::int64_t{2}, std::string("b")});
  hub.send({writer.snapshot()});
  const PartySecret fresh = PartySecret::make(hub.random);
  const Bytes code = hub.invite(kUrn).secret();
  const auto welcome = frames_of<WelcomeFrame>(hub.answer_to(fresh, hub.enrolment(fresh, code)));
  REQUIRE(welcome.size() == 1);
  CHECK(welcome[0].urn == kUrn);
  CHECK(welcome[0].name == "Example School");
  CHECK(welcome[0].rows == 2);
  CHECK(hub.registry->agents().current(kUrn).value()->key == fresh.key());
  CHECK(hub.registry->agents().current(kUrn).value()->label == "MRS-SMITHS-LAPTOP");
  // The machine before hears that it is no longer the one.
  const Notice said = hub.notice_of(hub.sealer.seal(hub.bundle({})).value());
  CHECK(said.code == Code::kReplaced);
  CHECK_THAT(said.text, Catch::Contains("2026-11-23T08:15"));
  CHECK(head_of(hub.answer_to(fresh, hub.sealed_by(fresh, hub.bundle({}, "school:" + kUrn, 5, 1)))) ==
        writer.head());

  SECTION("an enrolment whose answer was lost is repeated with success, and changes nothing") {
    const std::string before = hub.dump();
    hub.clock.time += 30 * 24h;  // also when the code would have expired
    CHECK(frames_of<WelcomeFrame>(hub.answer_to(fresh, hub.enrolment(fresh, code))).size() == 1);
    CHECK(hub.dump() == before);
  }
  SECTION("but not once another machine has been enrolled after it") {
    hub.enrol(kUrn);
    CHECK(hub.refusal(fresh, hub.enrolment(fresh, code)) == Code::kReplaced);
    CHECK(hub.registry->agents().current(kUrn).value()->key == hub.machine().secret.key());
  }
  SECTION("nor once it has been revoked, with whatever code") {
    REQUIRE(hub.registry->agents().revoke(kUrn, hub.clock.time));
    CHECK(hub.refusal(fresh, hub.enrolment(fresh, code)) == Code::kRevoked);
    CHECK(hub.refusal(fresh, hub.enrolment(fresh, hub.invite(kUrn).secret())) == Code::kRevoked);
    CHECK_FALSE(hub.registry->agents().current(kUrn).value());
  }
}

TEST_CASE("a code that is not good is refused for what it is, and changes nothing") {
  TrustFixture hub;
  hub.add("100002");
  const PartySecret stranger = PartySecret::make(hub.random), other = PartySecret::make(hub.random);
  const Bytes used = hub.invite(kUrn).secret();
  hub.answer_to(other, hub.enrolment(other, used));
  const Bytes withdrawn = hub.invite("100002").secret();
  const Bytes good = hub.invite("100002", 24h).secret();
  Bytes cut = good, wrong = good;
  cut.pop_back();
  wrong[3] ^= 1;
  const std::string before = hub.dump();

  CHECK(hub.refusal(stranger, hub.enrolment(stranger, wrong)) == Code::kCodeUnknown);
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, cut, "100002")) == Code::kCodeUnknown);
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, {})) == Code::kCodeUnknown);
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, used)) == Code::kCodeUsed);
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, withdrawn, "100002")) == Code::kCodeExpired);
  // Given to one school, tried for another: not used up by that.
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, good, kUrn)) == Code::kWrongStream);
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, good, "rm -rf /")) == Code::kWrongStream);
  const auto no_code = hub.sealed_by(stranger, hub.bundle({}, "school:100002"), true);
  CHECK(hub.refusal(stranger, no_code) == Code::kDamaged);
  hub.clock.time += 24h;
  CHECK(hub.refusal(stranger, hub.enrolment(stranger, good, "100002")) == Code::kCodeExpired);
  hub.clock.time -= 24h;

  CHECK(hub.dump() == before);
  for (const char* code : {"code-unknown", "code-used", "code-expired", "wrong-stream"})
    CHECK_THAT(hub.log, Catch::Contains(code));
  CHECK_THAT(hub.log, !Catch::Contains("SMITH") && !Catch::Contains("rm -rf"));
  CHECK(frames_of<WelcomeFrame>(hub.answer_to(stranger, hub.enrolment(stranger, good, "100002"))).size() ==
        1);
}

TEST_CASE("of an invitation's secret, the hub keeps nothing but its hash") {
  TrustFixture hub;
  const Invitation code = hub.invite(kUrn);
  const Bytes secret = code.secret();
  const PartySecret fresh = PartySecret::make(hub.random);
  hub.answer_to(fresh, hub.enrolment(fresh, secret));
  const std::string bytes(text_of(secret));
  const std::string letters = code.text().substr(0, 13);
  const std::string hash(text_of(Invitation::hash_of(secret).bytes));
  std::string key = fresh.file_text();
  key = key.substr(key.size() - 65, 64);
  bool hash_found = false;
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(hub.folder.path())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string text = file_text(entry.path());
    CHECK(text.find(bytes) == std::string::npos);
    CHECK(text.find(letters) == std::string::npos);
    CHECK(text.find(key) == std::string::npos);
    hash_found = hash_found || text.find(hash) != std::string::npos;
  }
  CHECK(files >= 2);
  CHECK(hash_found);  // the search finds what is there
  CHECK_THAT(hub.log, !Catch::Contains(letters));
}

TEST_CASE("a bundle for another hub, or from a machine that nobody knows, is refused and changes nothing") {
  TrustFixture hub;
  const PartySecret other_hub = PartySecret::make(hub.random), stranger = PartySecret::make(hub.random);
  const std::string before = hub.dump();
  const Bytes elsewhere =
      seal(hub.bundle({}, "school:" + kUrn, 1, 1), hub.machine().secret, other_hub.key(), hub.random).value();
  CHECK(hub.notice_of(elsewhere).code == Code::kOtherRecipient);
  CHECK(hub.notice_of(hub.sealed_by(stranger, hub.bundle({}, "school:" + kUrn, 1, 1))).code ==
        Code::kUnknownKey);
  // Another's key in the header, and our own signature: "signed by" is what counts.
  Bytes forged = hub.sealed_by(stranger, hub.bundle({}, "school:" + kUrn, 1, 1));
  const KeyId known = hub.machine().secret.key().id();
  std::copy(known.bytes.begin(), known.bytes.end(), forged.begin() + 6);
  CHECK(hub.notice_of(forged).code == Code::kNotSigned);
  Bytes large(kBundleBytesMax + 1);
  const Bytes good = hub.sealer.seal(hub.bundle({})).value();
  std::copy(good.begin(), good.end(), large.begin());
  CHECK(hub.notice_of(large).code == Code::kTooLarge);
  Bytes later = good;
  later[4] = 9;
  CHECK(hub.notice_of(later).code == Code::kUnknownVersion);
  CHECK_FALSE(hub.service->answer(bytes_of("<html>blocked</html>")));
  CHECK(hub.service->answer({}).error().code() == Code::kDamaged);
  CHECK(hub.dump() == before);
  CHECK_THAT(hub.log, Catch::Contains("unknown-key") && Catch::Contains("other-recipient") &&
                          Catch::Contains("not-signed"));
}

TEST_CASE("a bundle cut at any byte or flipped at any bit is refused, and changes nothing") {
  TrustFixture hub;
  hub.ask({});
  const std::string before = hub.dump();
  const PartySecret stranger = PartySecret::make(hub.random);
  const Bytes code = hub.invite(kUrn).secret();
  const std::string invited = hub.dump();
  CHECK(before != invited);
  const std::vector<Bytes> whole{hub.sealer.seal(hub.bundle({})).value(), hub.enrolment(stranger, code)};
  for (const Bytes& good : whole) {
    std::set<Code> reasons;
    const auto refused = [&](ByteView bytes) {
      auto answer = hub.service->answer(bytes);
      if (!answer) return answer.error().code() == Code::kDamaged;
      auto said = read_notice(*answer, hub.sealer.hub);
      if (said) reasons.insert(said->code);
      return said.has_value();
    };
    bool all = true;
    for (std::size_t n = 0; n < good.size(); ++n) {
      all = all && refused(ByteView(good).first(n));
      for (int bit = 0; bit < 8; ++bit) {
        Bytes flipped = good;
        flipped[n] ^= static_cast<std::uint8_t>(1 << bit);
        all = all && refused(flipped);
      }
    }
    CHECK(all);
    CHECK(reasons.contains(Code::kNotSigned));
    CHECK(reasons.contains(Code::kOtherRecipient));
    CHECK(reasons.contains(Code::kDamaged));
  }
  CHECK(hub.dump() == invited);
}

TEST_CASE("a bundle that is sent again is answered, and does not make its school look fresh") {
  TrustFixture hub;
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  const Bytes first = hub.sealer.seal(hub.bundle({SegmentFrame{writer.snapshot().bytes}})).value();
  const Bytes second = hub.sealer.seal(hub.bundle({SegmentFrame{writer.delta().bytes}})).value();
  REQUIRE(hub.service->answer(first));
  hub.clock.time += 1h;
  REQUIRE(hub.service->answer(second));
  const std::string before = hub.dump();
  hub.clock.time += 24h;
  for (const Bytes* again : {&first, &second, &first}) {
    const auto answer = hub.sealer.open(hub.service->answer(*again).value());
    REQUIRE(answer);
    CHECK(problems_of(*answer).empty());
    CHECK(head_of(*answer) == writer.head());
  }
  CHECK(hub.dump() == before);
  CHECK(hub.registry->last_heard(kUrn).value() == hub.clock.time - 24h);
}

TEST_CASE("bundles in the wrong order are both taken, and only the newest counts as heard") {
  TrustFixture hub;
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  const Bytes stick = hub.sealer.seal(hub.bundle({SegmentFrame{writer.snapshot().bytes}})).value();
  hub.ask({});
  const Instant heard = hub.clock.time;
  hub.clock.time += 72h;
  const auto answer = hub.sealer.open(hub.service->answer(stick).value());
  REQUIRE(answer);
  CHECK(problems_of(*answer).empty());
  CHECK(head_of(*answer) == writer.head());
  CHECK(hub.registry->last_heard(kUrn).value() == heard);
}

TEST_CASE("a bundle without a frame asks whether its key is good, and leaves nothing behind") {
  TrustFixture hub;
  hub.ask({});
  Bundle empty;
  hub.random.fill(empty.id.uuid.bytes);
  empty.sent = hub.clock.time;
  const std::string before = hub.dump(), log = hub.log;
  const Bytes asked = hub.sealer.seal(empty).value();
  const auto answer = hub.sealer.open(hub.service->answer(asked).value());
  REQUIRE(answer);
  CHECK(answer->answers == empty.id);
  CHECK(problems_of(*answer).empty());
  CHECK(frames_of<HelloFrame>(*answer).size() == 1);
  CHECK(hub.dump() == before);
  CHECK(hub.log == log);
  REQUIRE(hub.registry->agents().revoke(kUrn, hub.clock.time));
  CHECK(hub.notice_of(asked).code == Code::kRevoked);
}

TEST_CASE("a revoked key is refused from the next request on, also where it was revoked beside the hub") {
  TrustFixture hub;
  hub.ask({});
  RegistryOptions options;
  options.data = hub.folder.path();
  auto beside = Registry::open(options, kNewDictionary, hub.clock).value();
  REQUIRE(beside->agents().revoke(kUrn, hub.clock.time));
  const std::string before = hub.dump();
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  const Notice said =
      hub.notice_of(hub.sealer.seal(hub.bundle({SegmentFrame{writer.snapshot().bytes}})).value());
  CHECK(said.code == Code::kRevoked);
  CHECK(hub.dump() == before);
  CHECK(beside->agents().revoke(kUrn, hub.clock.time).error().code() == Code::kNotFound);
  CHECK_THAT(hub.log, Catch::Contains("school 100001: refused (revoked)"));
  hub.enrol(kUrn);
  CHECK(problems_of(hub.ask({})).empty());
}

TEST_CASE("a bundle that lies about who or when it is is refused, and changes nothing") {
  TrustFixture hub;
  hub.add("100002");
  const std::string before = hub.dump();
  const PartySecret& own = hub.machine().secret;
  const auto said = [&](const Bundle& b) { return hub.refusal(own, hub.sealed_by(own, b)); };
  for (const char* sender :
       {"", "hub", "school:", "school:10001", "school:100001 ", "school:../../x", "100001", "school:100002"})
    CHECK(said(hub.bundle({}, sender, 1, 1)) == Code::kWrongStream);
  CHECK(said(hub.bundle({}, "school:" + kUrn, 0, 1)) == Code::kDamaged);
  CHECK(said(hub.bundle({}, "school:" + kUrn, 1, 0)) == Code::kDamaged);
  CHECK(said(hub.bundle({}, "school:" + kUrn, 1, UINT64_MAX)) == Code::kDamaged);
  Bundle nameless = hub.bundle({});
  nameless.frames.clear();
  nameless.frames.emplace_back(HeadFrame{stream(), {}});
  CHECK(said(nameless) == Code::kDamaged);
  CHECK(hub.dump() == before);
}

TEST_CASE("a school cannot write another school's stream") {
  TrustFixture hub;
  hub.add("100002");
  TestWriter theirs(stream_id("100002", kBorough), Epoch{1}, all_shapes(kNewDictionary));
  const SealedSegment segment = theirs.snapshot();
  CHECK(problems_of(hub.send({segment})) == std::vector<Code>{Code::kWrongStream});
  CHECK_FALSE(hub.registry->current("100002").value());
  CHECK(hub.registry->epoch_numbers(kUrn).value().empty());
}

TEST_CASE(
    "a machine rotates its key under the old one's signature, and may repeat it if the answer is lost") {
  TrustFixture hub;
  hub.turn(7, 1);
  hub.turn(7, 2);
  const PartySecret next = PartySecret::make(hub.random);
  PartySecret& own = hub.machine().secret;

  SECTION("and is asked to, until it has") {
    CHECK(frames_of<RotateFrame>(hub.turn(7, 3)).empty());
    REQUIRE(hub.registry->agents().ask_rotation(kUrn));
    CHECK(frames_of<RotateFrame>(hub.turn(7, 4)).size() == 1);
    const Bundle done = hub.turn(7, 5, {new_key(next, own.key())});
    CHECK(frames_of<RotateFrame>(done).empty());
    CHECK(problems_of(done).empty());
    const auto agent = hub.registry->agents().current(kUrn).value();
    CHECK(agent->key == next.key());
    CHECK(agent->label == "server-1");
    // The old one is over, which is also what tells a machine that its answer was lost.
    const Bundle again = hub.bundle({new_key(next, own.key())}, "school:" + kUrn, 7, 6);
    CHECK(hub.notice_of(hub.sealed_by(own, again)).code == Code::kReplaced);
    // What is known of its turns went with it: a copy does not become another machine by rotating.
    const auto as_next = [&](std::uint64_t turn) {
      return problems_of(hub.answer_to(next, hub.sealed_by(next, hub.bundle({}, "school:" + kUrn, 7, turn))));
    };
    CHECK(as_next(2) == std::vector<Code>{Code::kForked});
    CHECK(as_next(6).empty());
  }
  SECTION("but only to a key that its holder has proven") {
    NewKeyFrame stolen = new_key(next, own.key());
    stolen.proof = new_key(PartySecret::make(hub.random), own.key()).proof;
    CHECK(problems_of(hub.turn(7, 3, {stolen})) == std::vector<Code>{Code::kNotSigned});
    NewKeyFrame of_another = new_key(next, next.key());
    CHECK(problems_of(hub.turn(7, 4, {of_another})) == std::vector<Code>{Code::kNotSigned});
    CHECK(hub.registry->agents().current(kUrn).value()->key == own.key());
    CHECK(problems_of(hub.turn(7, 5)).empty());
  }
  SECTION("and not to one that was here before") {
    hub.add("100002");
    const PartySecret& theirs = hub.sealer.of("100002").secret;
    CHECK(problems_of(hub.turn(7, 3, {new_key(theirs, own.key())})) == std::vector<Code>{Code::kRepeated});
    CHECK(hub.registry->agents().current(kUrn).value()->key == own.key());
  }
}

TEST_CASE("a hub that has a new key answers under the old one, and names the new until it is used") {
  TrustFixture hub;
  CHECK(frames_of<NewKeyFrame>(hub.ask({})).empty());
  const PartyKey old = hub.sealer.hub;
  REQUIRE(Keyring::open(hub.folder.path()).value()->rotate(hub.random, hub.clock.time));
  const auto told = frames_of<NewKeyFrame>(hub.ask({}));
  REQUIRE(told.size() == 1);
  const auto next = proven(told[0], old);
  REQUIRE(next);
  CHECK(frames_of<NewKeyFrame>(hub.ask({})).size() == 1);
  CardNonce nonce{};
  CHECK(read_card(hub.service->answer(card_question(nonce)).value(), nonce)->key == *next);
  hub.sealer.hub = *next;
  CHECK(frames_of<NewKeyFrame>(hub.ask({})).empty());
  // Who was replaced meanwhile hears it from the hub that it knows.
  hub.sealer.hub = old;
  const Bytes last = hub.sealer.seal(hub.bundle({})).value();
  REQUIRE(hub.registry->agents().revoke(kUrn, hub.clock.time));
  CHECK(hub.notice_of(last).code == Code::kRevoked);
}

TEST_CASE("a machine that was set back is told where the hub stands; nothing of its bundle is taken") {
  TrustFixture hub;
  TestWriter writer(stream(), Epoch{1}, all_shapes(kNewDictionary));
  hub.turn(7, 1, {SegmentFrame{writer.snapshot().bytes}});
  hub.turn(7, 2);
  hub.turn(7, 3);
  const Head before = writer.head();
  const std::string known = hub.dump();
  writer.put(kPupil, {std::int64_t{1}, std::string("after the backup")});
  const Bundle answer = hub.turn(7, 2, {SegmentFrame{writer.delta().bytes}});
  CHECK(problems_of(answer) == std::vector<Code>{Code::kForked});
  CHECK(head_of(answer) == before);
  CHECK(hub.dump() == known);
  // With a new instance it goes on.
  CHECK(problems_of(hub.turn(8, 4)).empty());
  CHECK(problems_of(hub.turn(8, 5)).empty());
}

TEST_CASE("two machines with one key are found, and refused until one of them is enrolled anew") {
  TrustFixture hub;
  hub.turn(7, 1);
  CHECK(problems_of(hub.turn(8, 2)).empty());                              // the copy, recovered
  CHECK(problems_of(hub.turn(7, 2)) == std::vector<Code>{Code::kForked});  // the original may recover
  CHECK(problems_of(hub.turn(9, 3)).empty());
  CHECK(problems_of(hub.turn(8, 3)) == std::vector<Code>{Code::kTwoMachines});
  CHECK(problems_of(hub.turn(9, 4)) == std::vector<Code>{Code::kTwoMachines});
  CHECK(hub.registry->agents().current(kUrn).value()->two_machines == hub.clock.time);
  CHECK_THAT(hub.log, Catch::Contains("refused (two-machines)"));
  hub.start();  // and it is not forgotten
  CHECK(problems_of(hub.turn(9, 5)) == std::vector<Code>{Code::kTwoMachines});
  hub.enrol(kUrn);
  CHECK(problems_of(hub.ask({})).empty());
  CHECK_FALSE(hub.registry->agents().current(kUrn).value()->two_machines);
}

TEST_CASE("the clock of a machine is noted from the line, and not from a stick") {
  TrustFixture hub;
  Bundle b = hub.bundle({}, "school:" + kUrn, 7, 1);
  b.sent = hub.clock.time - 49h;
  CHECK(problems_of(hub.answer_to(hub.machine().secret, hub.sealed_by(hub.machine().secret, b))).empty());
  CHECK(hub.registry->agents().current(kUrn).value()->clock_off == -49h);
  b = hub.bundle({}, "school:" + kUrn, 7, 2);
  b.sent = hub.clock.time - 300h;
  const auto taken = hub.service->take(hub.sealed_by(hub.machine().secret, b), Way::kStick);
  REQUIRE(taken);
  CHECK_FALSE(taken->refused);
  CHECK(taken->urn == kUrn);
  CHECK(hub.registry->agents().current(kUrn).value()->clock_off == -49h);
}

TEST_CASE("a school that floods is told when to come back; others and sticks are not held up") {
  TrustFixture hub;
  hub.limits.burst = 3;
  hub.start();
  hub.add("100002");
  for (int n = 0; n < 3; ++n) hub.ask({});
  const std::string before = hub.dump();
  const Bytes fourth = hub.sealer.seal(hub.bundle({})).value();
  const Notice said = hub.notice_of(fourth);
  CHECK(said.code == Code::kTooMany);
  CHECK(said.later_seconds > 0);
  CHECK(hub.dump() == before);
  hub.ask({}, "school:100002");
  CHECK_FALSE(hub.service->take(fourth, Way::kStick)->refused);
}

TEST_CASE("who is refused a thousand times fills no log") {
  TrustFixture hub;
  const PartySecret stranger = PartySecret::make(hub.random);
  for (int n = 0; n < 1000; ++n)
    static_cast<void>(hub.service->answer(hub.sealed_by(stranger, hub.bundle({}, "school:" + kUrn, 1, 1))));
  CHECK(std::count(hub.log.begin(), hub.log.end(), '\n') == 1);
  hub.clock.time += 11min;
  static_cast<void>(hub.service->answer(hub.sealed_by(stranger, hub.bundle({}, "school:" + kUrn, 1, 1))));
  CHECK_THAT(hub.log, Catch::Contains("and 999 more of this kind"));
}

TEST_CASE("a hub that the version before has made opens, and its schools can be invited") {
  const TempFolder folder;
  FixedClock clock;
  Database::Options file;
  file.path = folder.path() + "/registry.db";
  {
    auto old = Database::open(file);
    REQUIRE(old);
    REQUIRE(old->exec(
        "CREATE TABLE hub(id INTEGER PRIMARY KEY CHECK(id=1), format INTEGER NOT NULL) STRICT;"
        "CREATE TABLE school(urn TEXT PRIMARY KEY, name TEXT NOT NULL, added INTEGER NOT NULL, heard INTEGER)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TABLE epoch(urn TEXT NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY(urn,epoch)) STRICT, "
        "WITHOUT ROWID;"
        "INSERT INTO hub(id,format) VALUES(1,1);"
        "INSERT INTO school VALUES('100001','Old School',1000,2000);"
        "INSERT INTO epoch VALUES('100001',3)"));
  }
  RegistryOptions options;
  options.data = folder.path();
  options.may_write = false;
  auto reader = Registry::open(options, kNewDictionary, clock);
  REQUIRE_FALSE(reader);
  CHECK(reader.error().code() == Code::kUnknownVersion);
  options.may_write = true;
  auto registry = Registry::open(options, kNewDictionary, clock);
  REQUIRE(registry);
  CHECK((*registry)->school("100001").value()->name == "Old School");
  CHECK((*registry)->last_heard("100001").value() == Instant{2s});
  CHECK((*registry)->epoch_numbers("100001").value() == std::vector<Epoch>{Epoch{3}});
  CHECK((*registry)->url().value().empty());
  REQUIRE((*registry)->set_url("https://hub.example"));
  CHECK((*registry)->agents().all().value().empty());
  CHECK((*registry)->agents().invite("100001", Hash256{}, clock.time, clock.time + 1h).value() == false);
  options.may_write = false;
  CHECK(Registry::open(options, kNewDictionary, clock));
  registry->reset();
  REQUIRE(Database::open(file)->exec("UPDATE hub SET format=99"));
  options.may_write = true;
  CHECK(Registry::open(options, kNewDictionary, clock).error().code() == Code::kUnknownVersion);
}

TEST_CASE(
    "a new key that comes late, in an older bundle than the newest, is not taken: it may be long overtaken") {
  HubFixture hub;
  hub.add();
  Machine& machine = hub.sealer.of(kUrn);
  const PartyKey old = machine.secret.key();
  PartySecret next = PartySecret::make(hub.random);
  // Turn 1 waits somewhere with the new key in it; turn 2 is heard before.
  Bundle late;
  hub.random.fill(late.id.uuid.bytes);
  late.sent = hub.clock.time;
  late.frames.emplace_back(HelloFrame{"school:" + kUrn, "agent 1", 1, machine.instance, ++machine.turn});
  late.frames.emplace_back(new_key(next, old));
  auto waiting = hub.sealer.seal(late);
  REQUIRE(waiting);
  hub.ask({});
  REQUIRE(hub.service->answer(*waiting));
  CHECK(hub.registry->agents().current(kUrn).value()->key == old);
  // The same in the newest bundle is taken.
  hub.ask({new_key(next, old)});
  CHECK(hub.registry->agents().current(kUrn).value()->key == next.key());
}

TEST_CASE("revoking a school's key withdraws the invitation that is open") {
  HubFixture hub;
  hub.add();
  hub.invite(kUrn);
  REQUIRE(hub.registry->agents().open_invitations(hub.clock.time)->size() == 1);
  REQUIRE(hub.registry->agents().revoke(kUrn, hub.clock.time));
  CHECK(hub.registry->agents().open_invitations(hub.clock.time)->empty());
}
