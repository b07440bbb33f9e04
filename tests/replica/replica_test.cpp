#include "replica/replica.hpp"

#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/replica/dictionaries.hpp"
#include "tests/replica/writer.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

const StreamId kStream = stream_id("100001", kBorough);
const Epoch kEpoch{1};

std::vector<Shape> shapes(const Dictionary& dictionary) {
  std::vector<Shape> all;
  for (const Dataset& d : dictionary.datasets) all.push_back(towpath::test::shape_of(d));
  return all;
}
TestWriter writer_for(const Dictionary& dictionary) { return {kStream, kEpoch, shapes(dictionary)}; }

Database::Options file_in(const TempFolder& folder) {
  Database::Options o;
  o.path = folder.path() + "/replica.db";
  return o;
}
Replica open(const Database::Options& file, const Dictionary& dictionary) {
  auto replica = Replica::open(file, dictionary, kStream, kEpoch);
  if (!replica) FAIL(replica.error().sentence());
  return std::move(*replica);
}

Result<ApplyCounts> apply(Replica& replica, const SealedSegment& segment) {
  auto opened = open_segment(segment.bytes);
  if (!opened) return fail(std::move(opened).error());
  return replica.apply(*opened);
}
// In a transaction of its own, as a bundle of one.
Result<ApplyCounts> take(Replica& replica, const SealedSegment& segment) {
  REQUIRE(replica.begin());
  auto counts = apply(replica, segment);
  if (counts)
    REQUIRE(replica.commit());
  else
    replica.rollback();
  return counts;
}
void must_take(Replica& replica, const SealedSegment& segment) {
  auto counts = take(replica, segment);
  if (!counts) FAIL(counts.error().sentence());
}
Code code_of(const Result<ApplyCounts>& result) { return result ? Code::kInternal : result.error().code(); }

TestWriter::Rows rows_of(Replica& replica, const Dataset& dataset) {
  TestWriter::Rows rows;
  REQUIRE(replica.each_row(dataset, [&](RowView row) -> Result<void> {
    rows[cells_of(row.first(dataset.key_count))] = cells_of(row.subspan(dataset.key_count));
    return {};
  }));
  return rows;
}

// Rows, digest and counts are the writer's, and what was counted is what is there.
bool same_as(Replica& replica, TestWriter& writer, const Dictionary& dictionary) {
  for (const Dataset& d : dictionary.datasets) {
    if (rows_of(replica, d) != writer.rows(d.id)) return false;
    if (replica.rows(d).value() != writer.rows(d.id).size()) return false;
  }
  return replica.head() == writer.head() && replica.states().value() == replica.running_states();
}

Cells mark(std::int64_t date, std::int64_t session, std::int64_t pupil, const std::string& code) {
  return {date, session, pupil, code};
}
Cells new_mark(std::int64_t date, std::int64_t pupil, Cell code, Cell minutes, Cell note, Cell lesson) {
  return {
      date, std::int64_t{0}, pupil, std::move(code), std::move(minutes), std::move(note), std::move(lesson)};
}
const Cell kNone{};

}  // namespace

TEST_CASE("whatever a writer says in whatever pieces, the replica holds the writer's rows") {
  const bool holds = rc::check("replica equals model", [] {
    const TempFolder folder;
    TestWriter writer = writer_for(kNewDictionary);
    auto replica = std::make_unique<Replica>(open(file_in(folder), kNewDictionary));
    const int segments = *rc::gen::inRange(1, 8);
    const int snapshots = *rc::gen::inRange(1, 4);
    for (int s = 0; s < segments; ++s) {
      const int changes = *rc::gen::inRange(0, 30);
      for (int c = 0; c < changes; ++c) {
        const auto dataset = *rc::gen::element(kPupil, kMark, kMember, kBadge);
        const auto small = [] { return std::int64_t{*rc::gen::inRange(0, 6)}; };
        const auto number = []() -> Cell {
          return *rc::gen::inRange(0, 4) == 0 ? Cell{} : Cell{*rc::gen::arbitrary<std::int64_t>()};
        };
        const auto text = []() -> Cell {
          return *rc::gen::inRange(0, 4) == 0 ? Cell{} : Cell{*rc::gen::arbitrary<std::string>()};
        };
        Cells row;
        if (dataset == kPupil) row = {small(), text()};
        if (dataset == kMark) row = new_mark(20000 + small(), small(), text(), number(), text(), text());
        if (dataset == kMember) row = {small(), small()};
        if (dataset == kBadge) row = {small(), std::string(static_cast<std::size_t>(small()), 'b'), number()};
        const std::size_t key = kNewDictionary.find(dataset)->key_count;
        if (*rc::gen::inRange(0, 4) == 0)
          writer.erase(dataset, Cells(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(key)));
        else
          writer.put(dataset, row);
      }
      TestWriter::How how;
      how.snapshot = s < snapshots;
      how.snapshot_end = s + 1 == snapshots;
      how.whole_rows = *rc::gen::arbitrary<bool>();
      const std::uint64_t seq = writer.head().seq.number;
      if (seq > 0 && *rc::gen::arbitrary<bool>())
        how.reference = StreamSeq{seq - static_cast<std::uint64_t>(*rc::gen::inRange(0, 4)) %
                                            std::min<std::uint64_t>(seq, 4)};
      const SealedSegment segment = writer.seal(how);
      auto counts = take(*replica, segment);
      if (!counts) RC_FAIL(counts.error().sentence());
      RC_ASSERT(same_as(*replica, writer, kNewDictionary));
      if (*rc::gen::arbitrary<bool>()) {
        replica.reset();
        replica = std::make_unique<Replica>(open(file_in(folder), kNewDictionary));
        RC_ASSERT(same_as(*replica, writer, kNewDictionary));
      }
      RC_ASSERT(code_of(take(*replica, segment)) == Code::kRepeated);
    }
  });
  CHECK(holds);
}

TEST_CASE("a replica says what a segment did") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  writer.put(kMark, mark(20000, 0, 2, "L"));
  const auto first = take(replica, writer.snapshot());
  REQUIRE(first);
  CHECK(first->inserted == 2);
  CHECK(replica.head().complete);
  writer.put(kMark, mark(20000, 0, 1, "I"));
  writer.put(kMark, mark(20001, 0, 1, "/"));
  writer.erase(kMark, {std::int64_t{20000}, std::int64_t{0}, std::int64_t{2}});
  const auto second = take(replica, writer.delta());
  REQUIRE(second);
  CHECK(second->inserted == 1);
  CHECK(second->updated == 1);
  CHECK(second->deleted == 1);
  CHECK(same_as(replica, writer, kOldDictionary));
}

TEST_CASE("a whole row replaces the row of its key") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  writer.put(kMember, {std::int64_t{1}, std::int64_t{2}});
  must_take(replica, writer.snapshot());
  writer.put(kMark, mark(20000, 0, 1, "I"));
  const auto counts = take(replica, writer.seal({.whole_rows = true}));
  REQUIRE(counts);
  CHECK(counts->inserted == 0);
  CHECK(counts->updated == 1);
  CHECK(same_as(replica, writer, kOldDictionary));
}

TEST_CASE("segments that do not come next are refused by name and change nothing") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  const SealedSegment first = writer.snapshot();
  TestWriter clone = writer;  // a copied machine, from here on

  SECTION("from the future") {
    const SealedSegment second = writer.delta();
    CHECK(code_of(take(replica, second)) == Code::kOutOfOrder);
    CHECK(replica.head().seq.number == 0);
    must_take(replica, first);
    must_take(replica, second);
  }
  SECTION("again") {
    must_take(replica, first);
    CHECK(code_of(take(replica, first)) == Code::kRepeated);
    const SealedSegment second = writer.delta();
    must_take(replica, second);
    CHECK(code_of(take(replica, first)) == Code::kRepeated);
    CHECK(replica.head() == writer.head());
  }
  SECTION("another one with a number that is taken") {
    must_take(replica, first);
    writer.put(kMark, mark(20001, 0, 1, "/"));
    must_take(replica, writer.delta());
    clone.put(kMark, mark(20001, 0, 1, "I"));
    CHECK(code_of(take(replica, clone.delta())) == Code::kForked);
    clone.put(kMark, mark(20002, 0, 1, "I"));
    CHECK(code_of(take(replica, clone.delta())) == Code::kForked);  // right number, other past
    CHECK(same_as(replica, writer, kOldDictionary));
  }
  SECTION("of another school") {
    TestWriter other(stream_id("100002", kBorough), kEpoch, shapes(kOldDictionary));
    CHECK(code_of(take(replica, other.snapshot())) == Code::kWrongStream);
  }
  SECTION("of another epoch") {
    TestWriter other(kStream, Epoch{2}, shapes(kOldDictionary));
    CHECK(code_of(take(replica, other.snapshot())) == Code::kWrongStream);
  }
  SECTION("a change before the snapshot is whole") {
    TestWriter hasty = writer_for(kOldDictionary);
    CHECK(code_of(take(replica, hasty.delta())) == Code::kDamaged);
    CHECK(replica.head().seq.number == 0);
  }
  SECTION("a snapshot after the snapshot") {
    must_take(replica, first);
    CHECK(code_of(take(replica, writer.snapshot())) == Code::kDamaged);
  }
}

TEST_CASE("a refused segment leaves the ones before it in the transaction") {
  const TempFolder folder;
  TestWriter writer = writer_for(kNewDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kPupil, {std::int64_t{1}, std::string("a")});
  const SealedSegment good = writer.snapshot();
  TestWriter liar = writer;
  // Brings a column and a dataset that are new here, which have to go again.
  liar.put(kMark, new_mark(20000, 1, std::string("/"), std::int64_t{5}, kNone, kNone));
  liar.put(kBadge, {std::int64_t{1}, std::string("gold"), std::int64_t{3}});
  const SealedSegment bad = liar.seal({.lie_about_digest = true});

  REQUIRE(replica.begin());
  REQUIRE(apply(replica, good));
  CHECK(code_of(apply(replica, bad)) == Code::kDigestDiffers);
  CHECK(replica.fields_aside() == 0);
  REQUIRE(replica.commit());
  CHECK(replica.head() == writer.head());
  CHECK(replica.rows_aside().value() == 0);

  // And what is true after it is taken as if nothing had been.
  writer.put(kMark, new_mark(20000, 1, std::string("/"), std::int64_t{5}, kNone, kNone));
  must_take(replica, writer.delta());
  CHECK(replica.head() == writer.head());
  CHECK(replica.states().value() == replica.running_states());
}

TEST_CASE("what was not committed has not happened") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  const SealedSegment first = writer.snapshot();
  const Head after_first = writer.head();
  writer.put(kMark, mark(20001, 0, 1, "/"));
  const SealedSegment second = writer.delta();
  const TempFolder killed;
  {
    Replica replica = open(file_in(folder), kOldDictionary);
    must_take(replica, first);
    REQUIRE(replica.begin());
    REQUIRE(apply(replica, second));
    CHECK(replica.head() == writer.head());
    // What a killed process leaves: the files as they are now.
    for (const auto& f : std::filesystem::directory_iterator(folder.path()))
      std::filesystem::copy_file(f.path(), killed.path() + "/" + f.path().filename().string());

    SECTION("rolled back") {
      replica.rollback();
      CHECK(replica.head() == after_first);
      must_take(replica, second);
      CHECK(same_as(replica, writer, kOldDictionary));
    }
    SECTION("dropped") {}
  }
  Replica again = open(file_in(killed), kOldDictionary);
  CHECK(again.head() == after_first);
  must_take(again, second);
  CHECK(same_as(again, writer, kOldDictionary));
}

TEST_CASE("the last four contents serve as references, also after a restart") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  auto replica = std::make_unique<Replica>(open(file_in(folder), kOldDictionary));
  const auto day = [&](std::int64_t n) {
    for (std::int64_t pupil = 1; pupil < 40; ++pupil) writer.put(kMark, mark(20000 + n, 0, pupil, "/"));
  };
  day(0);
  must_take(*replica, writer.snapshot());
  for (std::int64_t n = 1; n < 6; ++n) {
    day(n);
    must_take(*replica, writer.delta());
  }
  replica = nullptr;
  replica = std::make_unique<Replica>(open(file_in(folder), kOldDictionary));
  TestWriter late = writer;
  day(6);
  late.put(kMark, mark(20006, 0, 1, "/"));

  // Segments 1 to 6 are applied; 3 to 6 are kept.
  CHECK(code_of(take(*replica, late.seal({.reference = StreamSeq{2}}))) == Code::kMissingReference);
  must_take(*replica, writer.seal({.reference = StreamSeq{3}}));
  CHECK(same_as(*replica, writer, kOldDictionary));
  CHECK(replica->database().integer("SELECT count(*) FROM segment WHERE content IS NOT NULL").value() ==
        kReferencesKept);
  CHECK(replica->database().integer("SELECT count(*) FROM segment").value() == 7);
}

TEST_CASE("a reference may lie in the same transaction") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  REQUIRE(replica.begin());
  for (int n = 0; n < 12; ++n) {
    writer.put(kMark, mark(20000 + n, 0, 1, "/"));
    TestWriter::How how{.snapshot = n < 3, .snapshot_end = n == 2};
    if (n > 0) how.reference = StreamSeq{static_cast<std::uint64_t>(std::max(1, n - 3))};
    REQUIRE(apply(replica, writer.seal(how)));
  }
  REQUIRE(replica.commit());
  CHECK(same_as(replica, writer, kOldDictionary));
  CHECK(replica.database().integer("SELECT count(*) FROM segment WHERE content IS NOT NULL").value() ==
        kReferencesKept);
}

TEST_CASE("a state that has drifted is noticed at the next segment") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  writer.put(kMark, mark(20000, 0, 2, "/"));
  must_take(replica, writer.snapshot());
  const Head head = replica.head();

  SECTION("a row that should change is gone") {
    REQUIRE(replica.database().exec("DELETE FROM d_mark WHERE pupil=1"));
    writer.put(kMark, mark(20000, 0, 1, "I"));
    CHECK(code_of(take(replica, writer.delta())) == Code::kDigestDiffers);
  }
  SECTION("a row that should go is gone") {
    REQUIRE(replica.database().exec("DELETE FROM d_mark WHERE pupil=1"));
    writer.erase(kMark, {std::int64_t{20000}, std::int64_t{0}, std::int64_t{1}});
    CHECK(code_of(take(replica, writer.delta())) == Code::kDigestDiffers);
  }
  SECTION("a row that is replaced was another") {
    REQUIRE(replica.database().exec("UPDATE d_mark SET code='I' WHERE pupil=1"));
    writer.put(kMark, mark(20000, 0, 1, "L"));
    CHECK(code_of(take(replica, writer.seal({.whole_rows = true}))) == Code::kDigestDiffers);
  }
  CHECK(replica.head() == head);
  CHECK(replica.states().value() != replica.running_states());
}

TEST_CASE(
    "what a newer agent sends is kept aside, counts in the digest, and moves in with a newer dictionary") {
  const TempFolder folder;
  TestWriter writer = writer_for(kNewDictionary);
  const std::string uuid(16, '\xfe');
  {
    Replica replica = open(file_in(folder), kOldDictionary);
    writer.put(kPupil, {std::int64_t{1}, std::string("a")});
    writer.put(kMark, new_mark(20000, 1, std::string("/"), kNone, kNone, kNone));
    writer.put(kMark, new_mark(20000, 2, std::string("L"), std::int64_t{12}, std::string("bus"), uuid));
    writer.put(kBadge, {std::int64_t{1}, std::string("gold"), std::int64_t{3}});
    writer.put(kBadge, {std::int64_t{2}, std::string("gold"), std::int64_t{4}});
    writer.put(kBadge, {std::int64_t{3}, std::string("gold"), kNone});
    must_take(replica, writer.snapshot());
    CHECK(replica.rows_aside().value() == 3);
    CHECK(replica.fields_aside() == 3);
    CHECK(replica.states().value() == replica.running_states());

    writer.put(kMark, new_mark(20000, 1, std::string("/"), std::int64_t{3}, std::string(), kNone));
    writer.put(kMark, new_mark(20000, 2, std::string("L"), std::int64_t{12}, kNone, uuid));
    writer.put(kBadge, {std::int64_t{1}, std::string("gold"), std::int64_t{5}});
    writer.put(kBadge, {std::int64_t{3}, std::string("gold"), std::int64_t{1}});
    writer.put(kBadge, {std::int64_t{4}, std::string("tin"), std::int64_t{1}});
    writer.erase(kBadge, {std::int64_t{2}, std::string("gold")});
    const auto counts = take(replica, writer.delta());
    REQUIRE(counts);
    CHECK(counts->aside == 4);
    CHECK(replica.rows_aside().value() == 3);
    CHECK(replica.states().value() == replica.running_states());
    // A row that is not held cannot be changed, here either.
    REQUIRE(replica.database().exec("DELETE FROM aside_row WHERE rest=(SELECT rest FROM aside_row LIMIT 1)"));
    TestWriter other = writer;
    for (std::int64_t pupil : {1, 3}) other.put(kBadge, {pupil, std::string("gold"), std::int64_t{9}});
    other.put(kBadge, {std::int64_t{4}, std::string("tin"), std::int64_t{9}});
    CHECK(code_of(take(replica, other.delta())) == Code::kDigestDiffers);
  }
  // The damage above was for the last check only: once more, from the beginning.
  std::filesystem::remove(file_in(folder).path);
  TestWriter fresh = writer_for(kNewDictionary);
  for (const auto& [key, rest] : writer.rows(kBadge)) fresh.put(kBadge, {key[0], key[1], rest[0]});
  fresh.put(kPupil, {std::int64_t{1}, std::string("a")});
  fresh.put(kMark, new_mark(20000, 1, std::string("/"), std::int64_t{3}, std::string(), kNone));
  fresh.put(kMark, new_mark(20000, 2, std::string("L"), std::int64_t{12}, std::string("bus"), uuid));
  fresh.put(kMark, new_mark(20000, 3, kNone, kNone, kNone, kNone));
  {
    Replica replica = open(file_in(folder), kOldDictionary);
    must_take(replica, fresh.snapshot());
    const auto rows = rows_of(replica, kOldDatasets[1]);
    CHECK(rows.size() == 3);
    CHECK(rows.at({std::int64_t{20000}, std::int64_t{0}, std::int64_t{2}}) == Cells{std::string("L")});
  }
  {
    auto read_only = file_in(folder);
    read_only.read_only = true;
    auto refused = Replica::open(read_only, kNewDictionary, kStream, kEpoch);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::kUnknownVersion);
  }
  {
    Replica replica = open(file_in(folder), kNewDictionary);
    CHECK(replica.rows_aside().value() == 0);
    CHECK(replica.fields_aside() == 0);
    CHECK(same_as(replica, fresh, kNewDictionary));
    fresh.put(kMark, new_mark(20001, 2, std::string("/"), std::int64_t{1}, std::string("late"), uuid));
    fresh.put(kMark, new_mark(20000, 2, std::string("/"), kNone, kNone, kNone));
    fresh.erase(kBadge, {std::int64_t{1}, std::string("gold")});
    must_take(replica, fresh.delta());
    CHECK(same_as(replica, fresh, kNewDictionary));
  }
  auto older = Replica::open(file_in(folder), kOldDictionary, kStream, kEpoch);
  REQUIRE_FALSE(older);
  CHECK(older.error().code() == Code::kUnknownVersion);
  CHECK_FALSE(older.error().next().empty());
}

TEST_CASE("more rows than are moved at a time move in whole") {
  const TempFolder folder;
  TestWriter writer = writer_for(kNewDictionary);
  for (std::int64_t n = 0; n < 2500; ++n) writer.put(kBadge, {n, std::string("x"), n});
  {
    Replica replica = open(file_in(folder), kOldDictionary);
    must_take(replica, writer.snapshot());
  }
  Replica replica = open(file_in(folder), kNewDictionary);
  CHECK(replica.rows_aside().value() == 0);
  CHECK(same_as(replica, writer, kNewDictionary));
}

TEST_CASE("a field of another kind and a key of another shape are kept aside") {
  const TempFolder folder;
  std::vector<Shape> strange{{kPupil, 1, {{1, false}, {2, false}}},               // the name as a number
                             {kMember, 1, {{2, false}, {1, false}, {9, true}}}};  // keyed by pupil alone
  TestWriter writer(kStream, kEpoch, strange);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kPupil, {std::int64_t{1}, std::int64_t{77}});
  writer.put(kMember, {std::int64_t{5}, std::int64_t{6}, std::string("t")});
  must_take(replica, writer.snapshot());
  CHECK(replica.fields_aside() == 1);
  CHECK(replica.rows_aside().value() == 1);
  CHECK(rows_of(replica, kPupilFields[0].id == 1 ? kOldDatasets[0] : kOldDatasets[1]).at({std::int64_t{1}}) ==
        Cells{kNone});
  CHECK(replica.states().value() == replica.running_states());

  // The same stream goes on with the kind that the dictionary knows: one field, one value.
  TestWriter usual = writer_for(kOldDictionary);
  usual.put(kPupil, {std::int64_t{1}, std::string("a")});
  std::vector<Shape> both{{kPupil, 1, {{1, false}, {2, true}}}};
  SegmentHeader h;
  h.stream = kStream;
  h.epoch = kEpoch;
  h.seq = StreamSeq{2};
  h.previous = replica.head().segment;
  StateDigest total(replica.head().digest);
  total.remove(writer.hash(kPupil, {std::int64_t{1}}, {std::int64_t{77}}));
  total.add(usual.hash(kPupil, {std::int64_t{1}}, {std::string("a")}));
  h.digest = total.value();
  ContentWriter content;
  content.begin(kPupil, Operation::kUpdate, both[0].fields, 1);
  const bool changed[] = {false, true};
  content.row(values_of({std::int64_t{1}, std::string("a")}), changed);
  content.end();
  auto sealed = seal_segment(h, content.finish(), {});
  REQUIRE(sealed);
  must_take(replica, *sealed);
  CHECK(replica.states().value() == replica.running_states());
  CHECK(rows_of(replica, kOldDatasets[0]).at({std::int64_t{1}}) == Cells{std::string("a")});
}

TEST_CASE("a content that names a column twice or lies in its body is refused") {
  const TempFolder folder;
  Replica replica = open(file_in(folder), kOldDictionary);
  SegmentHeader h;
  h.stream = kStream;
  h.epoch = kEpoch;
  h.seq = StreamSeq{1};
  h.snapshot = h.snapshot_end = true;
  const auto refused = [&](const Bytes& content) {
    auto sealed = seal_segment(h, content, {});
    REQUIRE(sealed);
    const Result<ApplyCounts> result = take(replica, *sealed);
    return code_of(result);
  };
  ContentWriter content;
  const WireField twice[] = {{1, false}, {2, true}, {2, false}};
  content.begin(kPupil, Operation::kInsert, twice, 1);
  content.row(values_of({std::int64_t{1}, std::string("a"), std::int64_t{2}}));
  content.end();
  CHECK(refused(content.finish()) == Code::kDamaged);
  CHECK(replica.head().seq.number == 0);
  CHECK(replica.states().value().empty());
}

TEST_CASE("each byte of a segment that is cut off or turned is noticed") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  const SealedSegment good = writer.snapshot();
  REQUIRE(replica.begin());
  for (std::size_t i = 0; i < good.bytes.size(); ++i) {
    SealedSegment bad = good;
    bad.bytes[i] ^= 0x40;
    CHECK_FALSE(apply(replica, bad));
    bad.bytes = Bytes(good.bytes.begin(), good.bytes.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK_FALSE(apply(replica, bad));
  }
  REQUIRE(apply(replica, good));
  REQUIRE(replica.commit());
  CHECK(same_as(replica, writer, kOldDictionary));
}

TEST_CASE("a file of another stream or epoch is not taken for ours") {
  const TempFolder folder;
  { Replica replica = open(file_in(folder), kOldDictionary); }
  auto other = Replica::open(file_in(folder), kOldDictionary, stream_id("100002", kBorough), kEpoch);
  REQUIRE_FALSE(other);
  CHECK(other.error().code() == Code::kWrongStream);
  auto later = Replica::open(file_in(folder), kOldDictionary, kStream, Epoch{2});
  REQUIRE_FALSE(later);
  CHECK(later.error().code() == Code::kWrongStream);
}

TEST_CASE("a file that was being made when the process was killed is made again") {
  const TempFolder folder;
  const auto file = file_in(folder);
  SECTION("empty") { std::ofstream(file.path).flush(); }
  SECTION("a database without tables") { REQUIRE(Database::open(file)->exec("PRAGMA user_version=1")); }
  Replica replica = open(file, kOldDictionary);
  CHECK(replica.head() == Head{kEpoch, {}, {}, {}, false});
}

TEST_CASE("a file that is no database is said to be damaged") {
  const TempFolder folder;
  std::ofstream(file_in(folder).path) << std::string(8192, 'x');
  auto replica = Replica::open(file_in(folder), kOldDictionary, kStream, kEpoch);
  REQUIRE_FALSE(replica);
  CHECK(replica.error().code() == Code::kDamaged);
}

TEST_CASE("a reader sees one moment while the writer goes on") {
  const TempFolder folder;
  TestWriter writer = writer_for(kOldDictionary);
  Replica replica = open(file_in(folder), kOldDictionary);
  writer.put(kMark, mark(20000, 0, 1, "/"));
  must_take(replica, writer.snapshot());
  auto file = file_in(folder);
  file.read_only = true;
  Replica reader = open(file, kOldDictionary);
  REQUIRE(reader.begin_reading());
  const Head before = reader.head();
  writer.put(kMark, mark(20001, 0, 1, "/"));
  must_take(replica, writer.delta());
  CHECK(reader.states().value() == reader.running_states());
  CHECK(rows_of(reader, kOldDatasets[1]).size() == 1);
  CHECK(reader.head() == before);
  reader.end_reading();
  REQUIRE(reader.begin_reading());
  CHECK(reader.head() == writer.head());
  CHECK(rows_of(reader, kOldDatasets[1]).size() == 2);
  reader.end_reading();
}

TEST_CASE("a database that is removed leaves nothing beside it") {
  const TempFolder folder;
  const auto file = file_in(folder);
  std::ofstream(file.path + "-journal") << "left over";
  { Replica replica = open(file, kOldDictionary); }
  std::ofstream(file.path + "-shm") << "left over";
  REQUIRE(Database::remove(file));
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(Database::remove(file));  // nothing there is no error
}
