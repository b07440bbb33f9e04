// The oracle itself: it says by itself what the documents say, and it can fail.
#include <catch2/catch.hpp>

#include "core/hash.hpp"
#include "dictionary/dictionary.hpp"
#include "tests/simulation/by_the_book.hpp"
#include "tests/simulation/declared.hpp"
#include "tests/simulation/model.hpp"
#include "tests/simulation/telling.hpp"
#include "tests/simulation/trace.hpp"

using namespace towpath;
using namespace towpath::sim;

namespace {

// A school with two pupils, as an export and as the model has it.
struct Small {
  SimExport night;
  SchoolModel model{"100001", Declared::here()};

  Small() {
    night.source = "mis";
    night.tables.push_back({&Declared::here().dataset("pupil"), {}});
    for (const char* id : {"p1", "p2"}) pupil(id, "Adair", "F");
    read();
  }
  SimRecord& pupil(const std::string& id, const std::string& surname, const std::string& sex) {
    const DeclaredDataset& d = Declared::here().dataset("pupil");
    SimRecord record;
    record.cells.resize(d.fields.size());
    record.cells[0] = id;
    record.cells[d.position("Surname")] = surname;
    record.cells[d.position("Forename")] = "Alma";
    record.cells[d.position("MiddleNames")] = telling_word(kNeverLeaves, 1);
    record.cells[d.position("Sex")] = sex;
    night.tables[0].records.push_back(record);
    return night.tables[0].records.back();
  }
  void read(bool accept = false) {
    const auto outcome = model.after(night, accept);
    model.commit(outcome, outcome.rows);
  }
};

std::string broken_by(const std::function<void()>& what) {
  try {
    what();
  } catch (const Broken& broken) {
    return broken.what();
  }
  return "";
}

Bundle bundle_with(unsigned dataset, std::uint8_t field, std::string_view text) {
  ContentWriter writer;
  const WireField fields[] = {{1, false}, {field, true}};
  const Value cells[] = {Value{std::int64_t{7}}, Value{text}};
  writer.begin(static_cast<std::uint16_t>(dataset), Operation::kInsert, fields, 1);
  writer.row(cells);
  writer.end();
  SegmentHeader header;
  header.stream = stream_id("100001", kBorough);
  header.epoch = Epoch{1};
  header.seq = StreamSeq{1};
  Bundle bundle;
  bundle.frames.emplace_back(SegmentFrame{seal_segment(header, writer.finish(), {})->bytes});
  return bundle;
}

}  // namespace

TEST_CASE("what the documents declare is what the product was built with") {
  const Dictionary& product = built_in_dictionary();
  CHECK(product.datasets.size() == Declared::here().datasets().size());
  for (const DeclaredDataset& declared : Declared::here().datasets()) {
    const Dataset* dataset = product.find(std::string_view(declared.name));
    REQUIRE(dataset != nullptr);
    CHECK(dataset->id == declared.id);
    CHECK(dataset->key_count == declared.key_count);
    CHECK(dataset->entity == declared.entity);
    REQUIRE(dataset->fields.size() == declared.fields.size());
    for (const Field& field : dataset->fields) {
      const DeclaredField& said = declared.fields[declared.position(field.name)];
      INFO(declared.name << "." << said.name);
      CHECK(field.id == said.id);
      CHECK(field.grant == said.grant);
      CHECK(field.required == said.required);
      CHECK(static_cast<std::size_t>(field.max_chars) == said.max_chars);
      CHECK(std::vector<std::string>(field.values.begin(), field.values.end()) == said.values);
    }
  }
}

TEST_CASE("dates, identities and digests computed from the pages are the known ones") {
  CHECK(days_of(1970, 1, 1) == 0);
  CHECK(days_of(2000, 3, 1) == 11017);
  CHECK(days_of(1900, 1, 1) == -25567);
  CHECK(iso(-25567) == "1900-01-01");
  CHECK(days_from_iso("2024-02-29") == 19782);
  CHECK_FALSE(days_from_iso("2100-02-29"));
  for (int day = -30'000; day < 50'000; ++day) REQUIRE(days_from_iso(iso(day)) == day);

  CHECK(characters("a\xc3\xb6\xf4\x8f\xbf\xbf") == 3);
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"})
    CHECK_FALSE(characters(bad));
  CHECK_FALSE(characters(std::string_view("a\0b", 3)));

  // RFC 9562, appendix A.4: www.example.com in the name space of DNS names.
  CHECK(named_uuid(std::string("\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8", 16),
                   "www.example.com") == "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  CHECK(entity_uuid("100001", "pupil", "mis", "p1") != entity_uuid("100001", "pupil", "misp", "1"));
}

TEST_CASE("the oracle tells a row that is wrong, missing or too much, and one of another source") {
  const Small small;
  const Image right = small.model.rows();
  CHECK(differences(right, right).empty());
  const std::string key = right.at("pupil").begin()->first;

  Image wrong = right;
  std::string& row = wrong["pupil"][key];
  row.replace(row.find("Adair"), 5, "Adler");
  CHECK_THAT(differences(right, wrong), Catch::Matchers::Contains("is pupil:mis:p1|"));
  wrong = right;
  wrong["pupil"].erase(key);
  CHECK_THAT(differences(right, wrong), Catch::Matchers::Contains("is missing"));
  CHECK_THAT(differences(wrong, right), Catch::Matchers::Contains("should not be there"));
  wrong = right;
  std::string& owned = wrong["pupil"][key];
  owned.replace(owned.rfind("mis"), 3, "sis");
  CHECK_FALSE(differences(right, wrong).empty());
}

TEST_CASE("the oracle tells a grant too many or too few") {
  const Small small;
  const Image all = small.model.projected({});
  const std::string key = all.at("pupil").begin()->first;
  CHECK(all.at("pupil").at(key).find(kTellingPrefix) == std::string::npos);  // MiddleNames has no grant
  CHECK(all.at("pupil").at(key).find("Adair") != std::string::npos);
  CHECK(small.model.projected({"ATT-CAT"}).empty());
  CHECK_FALSE(differences(all, small.model.projected({"PLEDGE"})).empty());
}

TEST_CASE("the oracle keeps what a bad record stands for, and holds what a person has to see") {
  Small small;
  auto& records = small.night.tables[0].records;
  records[0].cells[Declared::here().dataset("pupil").position("Surname")] = "";
  const Image before = small.model.rows();
  CHECK(small.model.after(small.night, false).rows == before);
  records.erase(records.begin());
  CHECK(small.model.after(small.night, false).read.at("pupil").held);
  CHECK(small.model.after(small.night, false).rows == before);
  CHECK(small.model.after(small.night, true).rows.at("pupil").size() == 1);
}

TEST_CASE("a row that another digest speaks of is told") {
  RowBytes a(3), b(3);
  a.integer(1, 7);
  b.integer(1, 7);
  a.text(4, "Adair");
  b.text(4, "Adler");
  SumOfHashes one, other;
  one.add(a.hash());
  other.add(b.hash());
  CHECK(one.value() != other.value());
  one.add(b.hash());
  other.add(a.hash());
  CHECK(one.value() == other.value());
}

TEST_CASE("a telling word is found where it may not be, and only there") {
  const char roll = telling_letter("ROLL");
  const std::string word = "x" + telling_word(roll, 5) + "y" + telling_word(kNeverLeaves, 6);
  CHECK(telling_word_in(word));
  CHECK(telling_word_in(word, std::string(1, roll)) == telling_word(kNeverLeaves, 6));
  CHECK_FALSE(telling_word_in("x" + telling_word(roll, 5), telling_letters({"ROLL"})));
  CHECK(telling_word_in("x" + telling_word(roll, 5), telling_letters({"PLEDGE"})));
  CHECK_FALSE(telling_word_in("zTell nothing"));
  CHECK_FALSE(telling_word_in(word.substr(0, kTellingPrefix.size() + 1)));
  Trace trace;
  CHECK_THAT(broken_by([&] { trace.event("school: pupil " + telling_word(roll, 7) + " is new"); }),
             Catch::Matchers::Contains("a line for people"));
}

TEST_CASE("a segment with a field that nobody has granted is told, packed as it is") {
  const DeclaredDataset& pupil = Declared::here().dataset("pupil");
  const auto id = [&](const char* field) {
    return static_cast<std::uint8_t>(pupil.fields[pupil.position(field)].id);
  };
  const auto left = [](const Bundle& bundle, const std::vector<std::string>& grants) {
    return broken_by([&] { Departures().check(bundle, grants); });
  };
  const std::string surname = telling_word(telling_letter("ROLL"), 1);
  CHECK(left(bundle_with(pupil.id, id("Surname"), surname), {}).empty());
  CHECK(left(bundle_with(pupil.id, id("Surname"), surname), {"ROLL"}).empty());
  CHECK_THAT(left(bundle_with(pupil.id, id("Surname"), surname), {"PLEDGE"}),
             Catch::Matchers::Contains("telling word"));
  // In the wrong column, or without a word to find.
  CHECK_THAT(left(bundle_with(pupil.id, id("Surname"), telling_word(kNeverLeaves, 2)), {}),
             Catch::Matchers::Contains("telling word"));
  CHECK_THAT(left(bundle_with(pupil.id, id("MiddleNames"), "Rosa"), {}),
             Catch::Matchers::Contains("pupil.MiddleNames"));
  CHECK_THAT(left(bundle_with(pupil.id, id("Surname"), "Adair"), {"PLEDGE"}),
             Catch::Matchers::Contains("pupil.Surname"));
  CHECK_THAT(left(bundle_with(99, 2, "x"), {}), Catch::Matchers::Contains("no document knows"));
  Bundle told;
  told.frames.emplace_back(ProblemFrame{Code::kRefused, {}, {}, "no pupil " + surname, {}});
  CHECK_THAT(left(told, {}), Catch::Matchers::Contains("beside the segments"));
}
