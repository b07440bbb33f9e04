#include "agent/uplink/restore.hpp"

#include <catch2/catch.hpp>

#include "agent/publish/publisher.hpp"
#include "agent/store/overview.hpp"
#include "replica/replica.hpp"
#include "replica/restore.hpp"
#include "tests/agent/school_source.hpp"

using namespace towpath;
using test::Record;
using test::School;

namespace {

StreamId the_stream() { return stream_id("100001", kBorough); }

// A club that two pupils went to: the clubs' register gives it, until it is gone.
void club(School& school, const std::string& id, const std::string& status = "attended") {
  Record activity(school.dictionary.find("activity")->fields.size());
  activity[0] = id;
  school.set("activity", activity, "title", "Museum " + id);
  school.set("activity", activity, "promise", "P03");
  school.add("activity", activity);
  for (const std::string pupil : {"a", "b"}) {
    Record took(school.dictionary.find("participation")->fields.size());
    school.set("participation", took, "activity", id);
    school.set("participation", took, "date", "2026-11-02");
    school.set("participation", took, "pupil", pupil);
    school.set("participation", took, "status", status);
    school.add("participation", took);
  }
}

// The hub, as far as restore sees it.
struct Hub {
  std::optional<Replica> replica;
  Epoch epoch{0};

  void take(School& school) {
    Publisher publisher(school.store, {"borough", {}});
    REQUIRE(publisher.publish());
    const std::vector<Bytes> waiting = publisher.waiting(64 * 1024 * 1024).value();
    for (const Bytes& bytes : waiting) {
      auto segment = open_segment(bytes).value();
      if (segment.header.epoch != epoch) {
        epoch = segment.header.epoch;
        Database::Options memory;
        memory.path = ":memory:";
        replica.emplace(Replica::open(memory, school.dictionary, the_stream(), epoch).value());
      }
      REQUIRE(replica->begin());
      const auto applied = replica->apply(segment);
      if (!applied) FAIL(applied.error().sentence());
      REQUIRE(replica->commit());
    }
    REQUIRE(publisher.heard(replica->head()));
  }
  AskHub ask(const Dictionary& dictionary) {
    return [this, &dictionary](Frame question) -> Result<Bundle> {
      const auto& asked = std::get<RestoreQuestionFrame>(question);
      auto part = restore_part(*replica, dictionary, asked.part);
      if (!part) return fail(std::move(part).error());
      Bundle answer;
      answer.frames.emplace_back(
          RestorePartFrame{the_stream(), asked.part, part->parts, part->head, part->content});
      return answer;
    };
  }
};

// What a school has recorded, told by names instead of numbers.
std::vector<std::string> record_of(School& school) {
  std::vector<std::string> out;
  auto rows = school.store.db().prepare(
      "SELECT a.title||' '||p.date||' '||hex(e.uuid)||' '||p.status FROM d_participation p "
      "JOIN d_activity a ON a.activity=p.activity JOIN d_entity e ON e.number=p.pupil ORDER BY 1");
  REQUIRE(rows);
  auto use = rows->use();
  while (use.step().value()) out.emplace_back(use.text(0));
  return out;
}

School& with_pupils(School& school) {
  for (const char* id : {"x", "a", "b"}) school.pupil(id, "Surname");
  return school;
}

}  // namespace

TEST_CASE("what only the hub still has comes back before anything is published, and is not lost to it") {
  School first;
  with_pupils(first);
  club(first, "c1");
  first.read();
  Hub hub;
  hub.take(first);
  const auto before = record_of(first);
  REQUIRE(before.size() == 2);

  // The disk died; the clubs' register is gone, and the MIS hands its pupils out in another order.
  School second;
  for (const char* id : {"b", "n", "a", "x"}) second.pupil(id, "Surname");
  const bool extracted_first = GENERATE(false, true);
  if (extracted_first) second.read();
  const auto counts =
      restore_from_hub(second.store, the_stream(), second.clock.now(), hub.ask(second.dictionary));
  if (!counts) FAIL(counts.error().sentence());
  CHECK(counts->rows.at("participation") == 2);
  CHECK(counts->rows.at("activity") == 1);
  CHECK(has_extracted(second.store).value() == extracted_first);
  if (!extracted_first) second.read();
  CHECK(has_extracted(second.store).value());
  CHECK(record_of(second) == before);
  // What stands under no source's name is not told as a source that somebody could read again.
  const Overview seen = overview(second.store).value();
  REQUIRE(seen.sources.size() == 1);
  CHECK(seen.sources[0].name == "mis");
  CHECK(second.rows("pupil") == 4);
  // Nobody is introduced twice.
  CHECK(second.store.db().integer("SELECT count(*)-count(DISTINCT uuid) FROM d_entity").value() == 0);

  Publisher publisher(second.store, {"borough", {}});
  REQUIRE(publisher.new_epoch(hub.epoch, "a new machine"));
  hub.take(second);
  CHECK(hub.replica->rows(*second.dictionary.find("participation")).value() == 2);
  // And again the next night, from a source that knows nothing of it.
  second.read();
  hub.take(second);
  CHECK(record_of(second) == before);
  CHECK(hub.replica->rows(*second.dictionary.find("participation")).value() == 2);
}

TEST_CASE("of people and groups only those come back that the pledge's rows speak of") {
  School first;
  with_pupils(first);
  const bool pledge = GENERATE(false, true);
  if (pledge) club(first, "c1");
  first.read();
  Hub hub;
  hub.take(first);

  School second;
  const auto counts =
      restore_from_hub(second.store, the_stream(), second.clock.now(), hub.ask(second.dictionary));
  REQUIRE(counts);
  CHECK(counts->entities == (pledge ? 3U : 0U));  // the club, and two of three pupils
  CHECK(second.rows("entity") == (pledge ? 3 : 0));
}

TEST_CASE("a source that still has the record takes it over, as it has it now") {
  School first;
  with_pupils(first);
  club(first, "c1");
  club(first, "c2");
  first.read();
  Hub hub;
  hub.take(first);

  School second;
  with_pupils(second);
  REQUIRE(restore_from_hub(second.store, the_stream(), second.clock.now(), hub.ask(second.dictionary)));
  club(second, "c1", "absent");
  const auto report = second.read();
  CHECK(report.datasets.at("participation").quarantined == 0);
  CHECK(record_of(second).size() == 4);
  CHECK(second.store.db().integer("SELECT count(*) FROM d_participation WHERE status=5").value() == 2);
  // From now on they are the source's: what it deletes goes.
  second.source.file("participation").records.pop_back();
  second.read();
  CHECK(second.rows("participation") == 3);
}

TEST_CASE("a machine that was set back gets what came later, though it has published itself") {
  School school;
  with_pupils(school);
  club(school, "c1");
  school.read();
  Hub hub;
  hub.take(school);
  // The other of two lives: the same beginning, without the second club.
  School set_back;
  with_pupils(set_back);
  club(set_back, "c1");
  set_back.read();
  Hub elsewhere;
  elsewhere.take(set_back);
  club(school, "c2");
  school.read();
  hub.take(school);

  const auto counts =
      restore_from_hub(set_back.store, the_stream(), set_back.clock.now(), hub.ask(set_back.dictionary));
  REQUIRE(counts);
  CHECK(counts->rows.at("participation") == 2);
  CHECK(record_of(set_back) == record_of(school));
  elsewhere.take(set_back);  // as a change among others
  CHECK(elsewhere.replica->rows(*set_back.dictionary.find("participation")).value() == 4);
}

TEST_CASE("a restore that is repeated, or has nothing new, changes nothing") {
  School first;
  with_pupils(first);
  club(first, "c1");
  first.read();
  Hub hub;
  hub.take(first);
  const auto nothing =
      restore_from_hub(first.store, the_stream(), first.clock.now(), hub.ask(first.dictionary));
  REQUIRE(nothing);
  CHECK(nothing->rows.empty());
  CHECK(nothing->entities == 0);
  CHECK(nothing->kept == 3);

  School second;
  REQUIRE(restore_from_hub(second.store, the_stream(), second.clock.now(), hub.ask(second.dictionary)));
  const auto once = record_of(second);
  const auto again =
      restore_from_hub(second.store, the_stream(), second.clock.now(), hub.ask(second.dictionary));
  REQUIRE(again);
  CHECK(again->rows.empty());
  CHECK(again->kept == 3);
  CHECK(record_of(second) == once);
}

TEST_CASE("a restore whose answers break off or speak of two states leaves the store as it was") {
  School first;
  with_pupils(first);
  club(first, "c1");
  first.read();
  Hub hub;
  hub.take(first);
  School second;
  const AskHub honest = hub.ask(second.dictionary);
  std::uint64_t asked = 0;
  const auto lying = [&](const std::function<Result<Bundle>(RestorePartFrame)>& lie) -> AskHub {
    return [&, lie](Frame question) -> Result<Bundle> {
      ++asked;
      const std::uint64_t part = std::get<RestoreQuestionFrame>(question).part;
      auto answer = honest(RestoreQuestionFrame{the_stream(), 0});
      auto frame = std::get<RestorePartFrame>(answer->frames.at(0));
      frame.part = part;
      return lie(frame);
    };
  };
  const auto bundle = [](RestorePartFrame frame) -> Result<Bundle> {
    Bundle b;
    b.frames.emplace_back(std::move(frame));
    return b;
  };
  const auto restore = [&](const AskHub& ask) {
    return restore_from_hub(second.store, the_stream(), second.clock.now(), ask);
  };
  CHECK_FALSE(restore(lying([&](RestorePartFrame f) -> Result<Bundle> {
    if (f.part == 1) return fail(Code::kTransport, "cut");
    f.parts = 2;
    return bundle(f);
  })));
  CHECK(restore(lying([&](RestorePartFrame f) {
          f.parts = 2;
          f.head.seq.number += asked;
          return bundle(f);
        }))
            .error()
            .code() == Code::kRefused);
  CHECK(restore(lying([&](RestorePartFrame f) {
          f.parts = 1'000'000'000;
          return bundle(f);
        }))
            .error()
            .code() == Code::kTooLarge);
  CHECK(asked < 20);
  for (std::size_t cut = 0;; cut += 7) {
    const auto done = restore(lying([&](RestorePartFrame f) {
      if (cut >= f.content.size()) return Result<Bundle>(fail(Code::kInternal, "the end of this loop"));
      f.content.resize(cut);
      return bundle(f);
    }));
    REQUIRE_FALSE(done);
    CHECK(second.rows("entity") == 0);
    if (done.error().code() == Code::kInternal) break;
  }
}
