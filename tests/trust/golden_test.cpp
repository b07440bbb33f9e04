// Messages as each format version wrote them, kept for ever; README.md beside them says what they
// hold. A change that makes these tests fail is a new format version: add files, keep the old.
// `test_trust "[golden-write]"` writes the newest anew.
#include <catch2/catch.hpp>

#include "golden_world.hpp"

using namespace towpath;

TEST_CASE("the same keys, chance and messages give the same bytes as ever") {
  for (const auto& [name, bytes] : golden::made()) {
    INFO(name);
    CHECK(golden::file(name) == bytes);
  }
}

TEST_CASE("what was once sealed, signed and printed is read for ever") {
  const auto text = [](const char* name) {
    const Bytes b = golden::file(name);
    return std::string(b.begin(), b.end());
  };
  const PartySecret school = PartySecret::from_file_text(text("v1-school.key")).value();
  const PartySecret hub = PartySecret::from_file_text(text("v1-hub.key")).value();

  const Bytes up = golden::file("v2-up.bundle");
  const Bundle opened = open(up, hub, school.key()).value();
  CHECK(opened.id == golden::up().id);
  CHECK_FALSE(opened.answers);
  CHECK(opened.sent == golden::kNow);
  CHECK(opened.frames == golden::up().frames);
  CHECK(decode_frames(golden::file("v2-up.frames")).value() == opened.frames);

  const Bundle answer = open(golden::file("v2-answer.bundle"), school, hub.key()).value();
  CHECK(answer.answers == golden::up().id);
  CHECK(answer.frames == golden::answer().frames);
  CHECK(proven(std::get<NewKeyFrame>(answer.frames.back()), hub.key()) == golden::secret(8441).key());

  const Invitation invitation = Invitation::parse(text("v1-invitation.txt")).value();
  CHECK(invitation.is_of(hub.key()));
  CHECK(invitation.url() == "https://hub.example");
  const Bytes enrolment = golden::file("v2-enrolment.bundle");
  const auto introduced = Envelope::read(enrolment).value().introduces;
  REQUIRE(introduced == school.key());
  CHECK(std::get<EnrolFrame>(open(enrolment, hub, *introduced)->frames.at(1)).secret == invitation.secret());

  CHECK(read_card_question(golden::file("v2-question.card")).value() == golden::kNonce);
  const HubCard card = read_card(golden::file("v2-hub.card"), golden::kNonce).value();
  CHECK(card.key == hub.key());
  CHECK(card.now == golden::kNow);
  const Notice notice = read_notice(golden::file("v2-hub.notice"), hub.key()).value();
  CHECK(notice.code == Code::kTooMany);
  CHECK(notice.answers == golden::up().id);
  CHECK(notice.is_about(up));
  CHECK(notice.later_seconds == 90);

  const Bytes segment = golden::file("v1-signed.segment");
  const std::vector<PartyKey> keys{hub.key(), school.key()};
  const OpenedSegment signed_one = open_segment(segment).value();
  CHECK(signed_by(signed_one, keys));
  CHECK_FALSE(signed_by(signed_one, std::span(keys).first(1)));
  CHECK(unpack_segment(signed_one, {}).value() == Bytes(8, 0));

  const Bytes stick = golden::file("v1-up.stick");
  const auto messages = read_stick_file(stick).value();
  REQUIRE(messages.size() == 2);
  CHECK(Bytes(messages[0].begin(), messages[0].end()) == up);
}

TEST_CASE("writes the golden files anew", "[.][golden-write]") {
  for (const auto& [name, bytes] : golden::made()) {
    std::ofstream out(golden::folder() + name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(out.good());
  }
}
