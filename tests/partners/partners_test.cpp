#include "agent/partners/partners.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/replica/dictionaries.hpp"
#include "tests/replica/writer.hpp"
#include "tests/trust/trust_world.hpp"
#include "trust/signed.hpp"

namespace towpath {
namespace {

using namespace towpath::test;
using Catch::Contains;

class Day final : public Clock {
 public:
  Instant now() override { return at; }
  Instant at{std::chrono::milliseconds{1'795'000'000'000}};  // 2026-11-18
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const Dataset& d : kNewDictionary.datasets) all.push_back(towpath::test::shape_of(d));
  return all;
}

// A partner school and what it seals.
struct School {
  SeededRandom random;
  PartySecret secret;
  Partner partner;

  explicit School(const std::string& urn, std::uint64_t seed = 7, const std::string& federation = "kentish")
      : random(seed), secret(PartySecret::make(random)) {
    partner.federation = federation;
    partner.federation_name = "Kentish Town";
    partner.urn = urn;
    partner.name = "A School";
    partner.keys = {secret.key()};
    partner.agreement = "kentish-2026";
  }
  TestWriter epoch(std::uint32_t number) {
    TestWriter writer(partner.stream(), Epoch{number}, shapes());
    writer.signer = segment_signer(secret);
    return writer;
  }
};

void pupil(TestWriter& writer, std::int64_t number, const std::string& name) {
  writer.put(kPupil, {number, name});
}

struct Holder {
  TempFolder folder;
  Day clock;
  PartnersOptions options{folder.path() + "/partners", {}};
  std::vector<Partner> partners;
  std::optional<Partners> held;

  Holder() { open(); }
  void open() {
    held.reset();
    auto opened = Partners::open(options, kNewDictionary, clock);
    if (!opened) FAIL(opened.error().sentence());
    held.emplace(std::move(*opened));
  }
  Partners::Taken take(const std::vector<SealedSegment>& segments) {
    std::vector<SegmentFrame> frames;
    for (const SealedSegment& segment : segments) frames.push_back({segment.bytes});
    std::vector<const SegmentFrame*> pointers;
    for (const SegmentFrame& frame : frames) pointers.push_back(&frame);
    auto taken = held->take(pointers, partners);
    if (!taken) FAIL(taken.error().sentence());
    return *taken;
  }
  std::vector<std::string> names(const std::string& urn, const std::string& federation = "kentish") {
    auto replica = held->read(federation, urn);
    if (!replica) FAIL(replica.error().sentence());
    std::vector<std::string> out;
    if (!*replica) return {"none"};
    REQUIRE((*replica)->each_row(*kNewDictionary.find("pupil"), [&](RowView row) -> Result<void> {
      out.emplace_back(row[1].as_text());
      return {};
    }));
    return out;
  }
  bool anywhere(const std::string& value) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string all((std::istreambuf_iterator<char>(in)), {});
      if (all.find(value) != std::string::npos) return true;
    }
    return false;
  }
  std::size_t files() const {
    std::size_t n = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/partners"))
      if (entry.path().extension() == ".db" && entry.path().filename() != "partners.db") ++n;
    return n;
  }
};
using Names = std::vector<std::string>;
const DeedId kDeed{{1, 2, 3}}, kOtherDeed{{4, 5, 6}};

OrderPaper order(const Partner& partner, std::uint32_t epoch, std::uint64_t seq, bool all = false) {
  OrderPaper paper;
  paper.school_urn = partner.urn;
  paper.audience = partner.audience();
  paper.epoch = Epoch{epoch};
  paper.seq = StreamSeq{seq};
  paper.all = all;
  return paper;
}

TEST_CASE("what a partner has signed is held and can be read, also by who only looks") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  const auto first = stream.snapshot();
  pupil(stream, 2, "Brook");
  const auto second = stream.seal({.reference = StreamSeq{1}});
  const auto taken = holder.take({second, first});  // the order inside a bundle does not matter
  CHECK(taken.moved);
  CHECK(taken.events.empty());
  CHECK(holder.names("100002") == Names{"Ada", "Brook"});
  const auto entries = holder.held->entries(holder.partners).value();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].stream == stream.stream());
  CHECK(entries[0].seq.number == 2);
  CHECK(std::equal(entries[0].segment.begin(), entries[0].segment.end(), second.hash.bytes.begin()));
  const auto held = holder.held->held().value();
  REQUIRE(held.size() == 1);
  CHECK(held[0].rows == 2);
  CHECK(held[0].epoch.number == 1);
  CHECK_FALSE(held[0].loading);
  auto looking = holder.options;
  looking.read_only = true;
  auto beside = Partners::open(looking, kNewDictionary, holder.clock);
  REQUIRE(beside);
  CHECK(beside->held()->size() == 1);
  CHECK(beside->read("kentish", "100002").value().has_value());
}

TEST_CASE("who only looks where nothing was ever held sees nothing, and makes nothing") {
  TempFolder folder;
  Day clock;
  PartnersOptions options{folder.path() + "/partners", {}};
  options.read_only = true;
  auto none = Partners::open(options, kNewDictionary, clock);
  REQUIRE(none);
  CHECK(none->held()->empty());
  CHECK_FALSE(std::filesystem::exists(options.folder));
}

TEST_CASE("a segment that its school has not signed is left alone, and the hub told") {
  Holder holder;
  School school("100002"), other("100003", 8);
  holder.partners = {school.partner, other.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  SECTION("by nobody") { stream.signer = {}; }
  SECTION("by another partner") { stream.signer = segment_signer(other.secret); }
  const auto taken = holder.take({stream.snapshot()});
  CHECK_FALSE(taken.moved);
  REQUIRE(taken.events.size() == 1);
  CHECK_THAT(taken.events[0], Contains("has not signed"));
  REQUIRE(taken.problems.size() == 1);
  CHECK(taken.problems[0].code == Code::kDamaged);
  CHECK(taken.problems[0].stream == school.partner.stream());
  CHECK(holder.names("100002") == Names{"none"});
  CHECK(holder.files() == 0);
}

TEST_CASE("a key that the school has replaced still counts") {
  Holder holder;
  School school("100002"), later("100002", 9);
  later.partner.keys = {later.secret.key(), school.secret.key()};
  holder.partners = {later.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  CHECK(holder.take({stream.snapshot()}).moved);
}

TEST_CASE("a segment of a school that is no partner is left alone") {
  Holder holder;
  School school("100002");
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  const auto taken = holder.take({stream.snapshot()});
  CHECK_FALSE(taken.moved);
  CHECK(taken.problems.empty());
  CHECK(holder.files() == 0);
}

TEST_CASE("the same again changes nothing, and what does not follow is left alone") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  const auto first = stream.snapshot();
  pupil(stream, 2, "Brook");
  const auto second = stream.delta();
  pupil(stream, 3, "Cam");
  const auto third = stream.delta();
  CHECK_FALSE(holder.take({third}).moved);  // not even a beginning
  CHECK(holder.files() == 0);
  CHECK(holder.take({first}).moved);
  CHECK_FALSE(holder.take({first}).moved);
  const auto gap = holder.take({third});
  CHECK_FALSE(gap.moved);
  CHECK(gap.problems.empty());  // where we stand says it
  CHECK(holder.take({second, third}).moved);
  CHECK(holder.names("100002").size() == 3);
}

TEST_CASE("where the digest does not come out the hub is told, and what was held before stays") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  holder.take({stream.snapshot()});
  pupil(stream, 2, "Brook");
  const auto taken = holder.take({stream.seal({.lie_about_digest = true})});
  CHECK_FALSE(taken.moved);
  REQUIRE(taken.problems.size() == 1);
  CHECK(taken.problems[0].code == Code::kDigestDiffers);
  CHECK(holder.names("100002") == Names{"Ada"});
}

TEST_CASE("a newer epoch is loaded beside the old one, which is read until the new one is whole") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter old = school.epoch(1);
  pupil(old, 1, "Ada");
  holder.take({old.snapshot()});
  TestWriter fresh = school.epoch(2);
  pupil(fresh, 1, "Ann");
  holder.take({fresh.seal({.snapshot = true})});
  CHECK(holder.names("100002") == Names{"Ada"});
  CHECK(holder.held->held()->front().loading == Epoch{2});
  CHECK(holder.held->entries(holder.partners)->front().epoch.number == 2);
  // A third overtakes the second before that is whole.
  TestWriter third = school.epoch(3);
  pupil(third, 1, "Amy");
  holder.take({third.seal({.snapshot = true})});
  CHECK(holder.files() == 2);
  holder.open();
  CHECK(holder.names("100002") == Names{"Ada"});
  pupil(third, 2, "Brook");
  holder.take({third.seal({.snapshot = true, .snapshot_end = true})});
  CHECK(holder.names("100002") == Names{"Amy", "Brook"});
  CHECK(holder.files() == 1);
  CHECK_FALSE(holder.take({old.delta()}).moved);
}

TEST_CASE("an order empties what is kept from before its place, where this school holds as much") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  pupil(stream, 2, "Zebedee-Telling");
  holder.take({stream.snapshot()});
  stream.erase(kPupil, {std::int64_t{2}});
  holder.take({stream.delta()});
  const ReceiptPaper receipt = holder.held->carry_out(order(school.partner, 1, 2), kDeed).value();
  CHECK(receipt.outcome == ReceiptPaper::Outcome::kRemoved);
  CHECK(receipt.references == 1);
  CHECK(receipt.rows.empty());
  CHECK(receipt.stream == school.partner.stream());
  CHECK(holder.names("100002") == Names{"Ada"});
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  // It goes on as if nothing had been.
  pupil(stream, 3, "Cam");
  CHECK(holder.take({stream.seal({.reference = StreamSeq{2}})}).moved);
  CHECK(holder.held->carry_out(order(school.partner, 1, 2), kOtherDeed)->outcome ==
        ReceiptPaper::Outcome::kNothingHeld);
}

TEST_CASE("no receipt while somebody reads what is to be removed: the bytes would still be in the file") {
  Holder holder;
  holder.options.busy_ms = 0;
  holder.options.backup_days = 35;
  holder.open();
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 2, "Zebedee-Telling");
  holder.take({stream.snapshot()});
  stream.erase(kPupil, {std::int64_t{2}});
  {
    auto reader = holder.held->read("kentish", "100002").value();
    REQUIRE(reader->begin_reading());
    holder.take({stream.delta()});
    const auto asked = holder.held->carry_out(order(school.partner, 1, 2), kDeed);
    REQUIRE_FALSE(asked);
    CHECK(asked.error().code() == Code::kBusy);
  }
  const ReceiptPaper receipt = holder.held->carry_out(order(school.partner, 1, 2), kDeed).value();
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  CHECK(receipt.references == 1);
  CHECK(receipt.backups_gone == utc_date(holder.clock.at).plus(35));
}

TEST_CASE("an order takes all from a school that holds less, says what, and nothing from before comes back") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  pupil(stream, 2, "Zebedee-Telling");
  const auto first = stream.snapshot();
  holder.take({first});
  Hash256 both = stream.digest();
  const ReceiptPaper receipt = holder.held->carry_out(order(school.partner, 1, 2), kDeed).value();
  CHECK(receipt.outcome == ReceiptPaper::Outcome::kRemoved);
  REQUIRE(receipt.rows.size() == 1);
  CHECK(receipt.rows[0].dataset == kPupil);
  CHECK(receipt.rows[0].rows == 2);
  CHECK(receipt.rows[0].digest == both);
  CHECK(receipt.backups_gone == utc_date(holder.clock.at));
  CHECK(holder.names("100002") == Names{"none"});
  CHECK(holder.files() == 0);
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  CHECK(holder.held->entries(holder.partners)->empty());
  // A hub that was set back may send it again.
  const auto again = holder.take({first});
  CHECK_FALSE(again.moved);
  CHECK(again.problems.size() == 1);
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  TestWriter fresh = school.epoch(2);
  pupil(fresh, 1, "Ada");
  CHECK(holder.take({fresh.snapshot()}).moved);
}

TEST_CASE("an order at an epoch's beginning takes the epochs before it and leaves the epoch itself") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter old = school.epoch(1);
  pupil(old, 1, "Zebedee-Telling");
  holder.take({old.snapshot()});
  TestWriter fresh = school.epoch(2);
  pupil(fresh, 1, "Ada");
  const auto begun = fresh.seal({.snapshot = true});
  holder.take({begun});
  REQUIRE(holder.files() == 2);
  CHECK(holder.held->carry_out(order(school.partner, 2, 1), kDeed)->rows.size() == 1);
  CHECK(holder.files() == 1);
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  pupil(fresh, 2, "Brook");
  CHECK(holder.take({fresh.seal({.snapshot = true, .snapshot_end = true})}).moved);
  CHECK(holder.names("100002") == Names{"Ada", "Brook"});
}

TEST_CASE("an order for everything leaves nothing, and only a later epoch may begin") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(3);
  pupil(stream, 1, "Zebedee-Telling");
  const auto first = stream.snapshot();
  holder.take({first});
  CHECK(holder.held->carry_out(order(school.partner, 3, 1, true), kDeed)->rows.size() == 1);
  CHECK(holder.files() == 0);
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  CHECK_FALSE(holder.take({first}).moved);
  TestWriter later = school.epoch(4);
  pupil(later, 1, "Ada");
  CHECK(holder.take({later.snapshot()}).moved);
}

TEST_CASE(
    "an order for everything that names no epoch keeps away what was here, and one that does keeps away its "
    "own") {
  for (const std::uint32_t named : {0U, 5U}) {
    Holder holder;
    School school("100002");
    holder.partners = {school.partner};
    TestWriter stream = school.epoch(3), fifth = school.epoch(5), sixth = school.epoch(6);
    for (TestWriter* one : {&stream, &fifth, &sixth}) pupil(*one, 1, "Ada");
    const auto first = stream.snapshot();
    if (named == 0) holder.take({first});
    // As it comes by post.
    const auto paper = OrderPaper::read(order(school.partner, named, 9, true).encode()).value();
    REQUIRE(holder.held->carry_out(paper, kDeed));
    // A hub that was set back, or lies, has it still.
    CHECK_FALSE(holder.take({first}).moved);
    CHECK(holder.take({fifth.snapshot()}).moved == (named == 0));
    CHECK(holder.take({sixth.snapshot()}).moved);
  }
}

TEST_CASE("no epoch follows the last one, and none of before begins again either") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  REQUIRE(holder.held->carry_out(order(school.partner, UINT32_MAX, 2), kDeed));
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  CHECK_FALSE(holder.take({stream.snapshot()}).moved);
}

TEST_CASE("a kill after a removal and before its receipt is kept does not make the receipt say less") {
  Holder holder;
  School school("100002"), other("100003", 8);
  holder.partners = {school.partner, other.partner};
  for (School* one : {&school, &other}) {
    TestWriter stream = one->epoch(1);
    pupil(stream, 1, "Ada");
    REQUIRE(holder.take({stream.snapshot()}).moved);
  }
  const auto everything = order(school.partner, 1, 1, true);
  const ReceiptPaper first = holder.held->carry_out(everything, kDeed).value();
  const auto gone = holder.held->hold_only({school.partner}).value();
  REQUIRE(gone.size() == 1);
  holder.open();
  const ReceiptPaper again = holder.held->carry_out(everything, kDeed).value();
  CHECK(again.encode() == first.encode());
  CHECK(again.outcome == ReceiptPaper::Outcome::kRemoved);
  // Another order about the same removes nothing, and says so.
  CHECK(holder.held->carry_out(everything, kOtherDeed)->outcome == ReceiptPaper::Outcome::kNothingHeld);
  const auto gone_again = holder.held->hold_only({school.partner}).value();
  REQUIRE(gone_again.size() == 1);
  CHECK(gone_again[0].receipt.encode() == gone[0].receipt.encode());
  // Once the receipts are kept it is over.
  REQUIRE(holder.held->orders_kept());
  REQUIRE(holder.held->ends_kept());
  CHECK(holder.held->hold_only({school.partner})->empty());
  CHECK(holder.held->carry_out(everything, kDeed)->outcome == ReceiptPaper::Outcome::kNothingHeld);
}

TEST_CASE("an order about one stream leaves the others") {
  Holder holder;
  School school("100002"), other("100003", 8), canal("100002", 7, "canal");
  holder.partners = {school.partner, other.partner, canal.partner};
  for (School* one : {&school, &other, &canal}) {
    TestWriter stream = one->epoch(1);
    pupil(stream, 1, "Ada");
    REQUIRE(holder.take({stream.snapshot()}).moved);
  }
  REQUIRE(holder.held->carry_out(order(school.partner, 1, 1, true), kDeed));
  CHECK(holder.names("100002") == Names{"none"});
  CHECK(holder.names("100003") == Names{"Ada"});
  CHECK(holder.names("100002", "canal") == Names{"Ada"});
  // And one whose names are no names does nothing at all.
  OrderPaper strange = order(school.partner, 1, 1, true);
  strange.audience = "federation:../canal";
  CHECK(holder.held->carry_out(strange, kDeed)->outcome == ReceiptPaper::Outcome::kNothingHeld);
  CHECK(holder.files() == 2);
}

TEST_CASE("who is no partner any more is not held, with a receipt for each stream") {
  Holder holder;
  School school("100002"), other("100003", 8);
  holder.partners = {school.partner, other.partner};
  for (School* one : {&school, &other}) {
    TestWriter stream = one->epoch(1);
    pupil(stream, 1, "Zebedee-Telling-" + one->partner.urn);
    REQUIRE(holder.take({stream.snapshot()}).moved);
  }
  const auto gone = holder.held->hold_only({other.partner}).value();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].audience == "federation:kentish");
  CHECK(gone[0].receipt.stream == school.partner.stream());
  CHECK(gone[0].receipt.rows.size() == 1);
  CHECK_FALSE(holder.anywhere("Zebedee-Telling-100002"));
  CHECK(holder.anywhere("Zebedee-Telling-100003"));
  REQUIRE(holder.held->ends_kept());
  CHECK(holder.held->hold_only({other.partner})->empty());
}

TEST_CASE("a removal that was cut short is finished at the next start") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Zebedee-Telling");
  REQUIRE(holder.take({stream.snapshot()}).moved);
  holder.held.reset();
  {
    Database::Options index;
    index.path = holder.options.folder + "/partners.db";
    auto database = Database::open(index);
    REQUIRE(database);
    REQUIRE(database->exec("UPDATE replica SET going=1"));
  }
  holder.open();
  CHECK(holder.files() == 0);
  CHECK_FALSE(holder.anywhere("Zebedee-Telling"));
  CHECK(holder.held->held()->empty());
}

TEST_CASE("a replica whose file was lost or damaged is fetched again") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  const auto first = stream.snapshot();
  REQUIRE(holder.take({first}).moved);
  pupil(stream, 2, "Brook");
  const auto second = stream.delta();
  const std::string file = holder.options.folder + "/kentish-100002-1.db";
  SECTION("lost") { REQUIRE(std::filesystem::remove(file)); }
  SECTION("damaged") { std::ofstream(file, std::ios::binary | std::ios::trunc) << std::string(8192, 'x'); }
  CHECK_FALSE(holder.take({second}).moved);
  CHECK(holder.held->entries(holder.partners)->empty());  // so the hub begins at the beginning
  CHECK(holder.take({first, second}).moved);
  CHECK(holder.names("100002") == Names{"Ada", "Brook"});
}

TEST_CASE("a partner whose data outgrows what a school's machine is for is told so, and nothing is lost") {
  Holder holder;
  holder.options.bytes_max = 200'000;  // an empty replica is smaller
  holder.open();
  School school("100002");
  holder.partners = {school.partner};
  TestWriter stream = school.epoch(1);
  pupil(stream, 1, "Ada");
  REQUIRE(holder.take({stream.snapshot()}).moved);
  for (std::int64_t i = 2; i < 1500; ++i) pupil(stream, i, std::string(200, 'n') + std::to_string(i));
  const auto taken = holder.take({stream.delta()});
  CHECK_FALSE(taken.moved);
  REQUIRE(taken.problems.size() == 1);
  CHECK(taken.problems[0].code == Code::kTooLarge);
  CHECK(holder.names("100002") == Names{"Ada"});
}

TEST_CASE("an older program's replica of a silent partner is brought up at the start") {
  Holder holder;
  School school("100002");
  holder.partners = {school.partner};
  std::vector<Shape> old_shapes;
  for (const Dataset& d : kOldDictionary.datasets) old_shapes.push_back(towpath::test::shape_of(d));
  {
    holder.held.reset();
    auto before = Partners::open(holder.options, kOldDictionary, holder.clock);
    REQUIRE(before);
    TestWriter stream(school.partner.stream(), Epoch{1}, old_shapes);
    stream.signer = segment_signer(school.secret);
    pupil(stream, 1, "Ada");
    const SegmentFrame frame{stream.snapshot().bytes};
    const std::vector<const SegmentFrame*> frames{&frame};
    REQUIRE(before->take(frames, holder.partners)->moved);
  }
  holder.open();
  CHECK(holder.names("100002") == Names{"Ada"});
}

}  // namespace
}  // namespace towpath
