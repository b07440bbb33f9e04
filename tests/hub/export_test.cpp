#include "hub/export/export.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/hub/hub_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

constexpr Field coded(std::uint8_t id, std::string_view name) {
  return {id,     name, {}, Type::kCode, Sensitivity::kAttendance, false, 0, "ATT", "attendance",
          "date", {},   {}, {}};
}
constexpr std::string_view kSessions[] = {"AM", "PM"};
constexpr Field kEntityFields[] = {field(1, "number", Type::kEntity), field(2, "kind", Type::kInt),
                                   field(3, "uuid", Type::kUuid)};
constexpr Field kPupilRow[] = {field(1, "pupil", Type::kEntity), field(2, "Surname", Type::kText),
                               field(3, "DOB", Type::kDate),     field(4, "boarder", Type::kBool),
                               field(5, "seen", Type::kInstant), field(6, "tag", Type::kUuid)};
constexpr Field kSessionField = {
    2, "session", {}, Type::kEnum, Sensitivity::kAttendance, false, 0, "ATT", {}, {}, {}, kSessions, {}};
constexpr std::string_view kCategories[] = {"P", "E", "A", "U", "X", "-"};
constexpr Field kCategory = {5,     "category",  {},    Type::kEnum, Sensitivity::kAttendance,
                             false, 0,           "CAT", {},          {},
                             {},    kCategories, {},    "code"};
constexpr Field kMarkRow[] = {field(1, "date", Type::kDate), kSessionField, field(3, "pupil", Type::kRef),
                              coded(4, "code"), kCategory};
constexpr Dataset kDatasets[] = {{1, "entity", "Entities", 1, true, kEntityFields},
                                 {3, "pupil", "Pupils", 1, true, kPupilRow},
                                 {8, "session_mark", "Session marks", 3, false, kMarkRow}};
// J was attending until 18 August 2024 and does not stand alone since.
constexpr CodeEntry kOldCodes[] = {{"/", "Present (AM)", "P", {}}, {"J", "Interview", "E", {}}};
constexpr CodeEntry kNewCodes[] = {{"/", "Present (AM)", "P", {}}, {"J1", "Interview", "A", {}}};
constexpr CodeSetVersion kVersions[] = {{"attendance-2023", Date{19000}, Date{19953}, kOldCodes},
                                        {"attendance-2024", Date{19954}, Date{INT32_MAX}, kNewCodes}};
constexpr CodeSet kSets[] = {{"attendance", kVersions}};
constexpr Dictionary kSchool{1, kDatasets, kSets, {}, {}};

std::string uuid_bytes(char last) { return std::string(15, '\0') + last; }

struct ExportFixture : HubFixture {
  ExportFixture() : HubFixture(kSchool) {}
  void load(const std::string& urn, const std::function<void(TestWriter&)>& fill) {
    add(urn);
    TestWriter writer(stream_id(urn, kBorough), Epoch{1}, all_shapes(kSchool));
    fill(writer);
    std::vector<Frame> frames;
    frames.emplace_back(SegmentFrame{writer.snapshot().bytes});
    REQUIRE(head_of(ask(std::move(frames), "school:" + urn)) == writer.head());
  }
  std::string text(const std::string& dataset, ExportFormat format,
                   const std::optional<std::string>& urn = {}) {
    std::string all;
    auto report = export_dataset(*registry, dictionary, dataset, urn, format,
                                 [&](std::string_view piece) -> Result<void> {
                                   all += piece;
                                   return {};
                                 });
    if (!report) FAIL(report.error().sentence());
    return all;
  }
};

void example(TestWriter& w) {
  w.put(1, {std::int64_t{1}, std::int64_t{3}, uuid_bytes(1)});
  w.put(1, {std::int64_t{2}, std::int64_t{3}, uuid_bytes(2)});
  w.put(3, {std::int64_t{1}, std::string("O\"Neil, \xC3\x81ine"), std::int64_t{15000}, std::int64_t{1},
            std::int64_t{1'700'000'000'123}, uuid_bytes(9)});
  w.put(3, {std::int64_t{2}, std::string("=1+1"), Cell{}, std::int64_t{0}, Cell{}, Cell{}});
  w.put(3, {std::int64_t{3}, std::string("two\r\nlines"), std::int64_t{99'999'999}, std::int64_t{7}, Cell{},
            std::string("short")});
  w.put(3, {std::int64_t{4}, std::string(), Cell{}, Cell{}, Cell{}, Cell{}});
  w.put(8, {std::int64_t{19900}, std::int64_t{0}, std::int64_t{1}, std::string("J"), Cell{}});
  w.put(8, {std::int64_t{20000}, std::int64_t{0}, std::int64_t{1}, std::string("/"), Cell{}});
  w.put(8, {std::int64_t{20000}, std::int64_t{1}, std::int64_t{1}, std::string("J"), Cell{}});
  w.put(8, {std::int64_t{20000}, std::int64_t{1}, std::int64_t{2}, std::string("J1"), Cell{}});
  w.put(8, {std::int64_t{20000}, std::int64_t{5}, std::int64_t{9}, Cell{}, Cell{}});
}

}  // namespace

TEST_CASE("an export is CSV as RFC 4180 says, byte for byte") {
  ExportFixture hub;
  hub.load("100001", example);
  CHECK(hub.text("pupil", ExportFormat::kCsv) ==
        "school_urn,pupil,pupil_uuid,Surname,DOB,boarder,seen,tag\r\n"
        "100001,1,00000000-0000-0000-0000-000000000001,\"O\"\"Neil, \xC3\x81ine\",2011-01-26,true,"
        "2023-11-14T22:13:20.123Z,00000000-0000-0000-0000-000000000009\r\n"
        "100001,2,00000000-0000-0000-0000-000000000002,=1+1,,false,,\r\n"
        "100001,3,,\"two\r\nlines\",99999999,7,,73686f7274\r\n"
        "100001,4,,\"\",,,,\r\n");
}

TEST_CASE("session marks carry their category and the code set of their day") {
  ExportFixture hub;
  hub.load("100001", example);
  CHECK(hub.text("session_mark", ExportFormat::kCsv) ==
        "school_urn,date,session,pupil,pupil_uuid,code,category,code_set\r\n"
        "100001,2024-06-26,AM,1,00000000-0000-0000-0000-000000000001,J,E,attendance-2023\r\n"
        "100001,2024-10-04,AM,1,00000000-0000-0000-0000-000000000001,/,P,attendance-2024\r\n"
        "100001,2024-10-04,PM,1,00000000-0000-0000-0000-000000000001,J,,attendance-2024\r\n"
        "100001,2024-10-04,PM,2,00000000-0000-0000-0000-000000000002,J1,A,attendance-2024\r\n"
        "100001,2024-10-04,5,9,,,-,attendance-2024\r\n");
}

TEST_CASE("a category that came without its code is shown as it came") {
  ExportFixture hub;
  hub.load("100001", [](TestWriter& w) {
    w.put(8, {std::int64_t{20000}, std::int64_t{0}, std::int64_t{1}, Cell{}, std::int64_t{2}});
    w.put(8, {std::int64_t{20000}, std::int64_t{1}, std::int64_t{1}, Cell{}, std::int64_t{5}});
  });
  CHECK(hub.text("session_mark", ExportFormat::kCsv) ==
        "school_urn,date,session,pupil,pupil_uuid,code,category,code_set\r\n"
        "100001,2024-10-04,AM,1,,,A,attendance-2024\r\n"
        "100001,2024-10-04,PM,1,,,-,attendance-2024\r\n");
}

TEST_CASE("an export is NDJSON of the same columns, each row an object") {
  ExportFixture hub;
  hub.load("100001", example);
  std::istringstream lines(hub.text("pupil", ExportFormat::kNdjson));
  std::vector<nlohmann::ordered_json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::ordered_json::parse(line));
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].dump() ==
        "{\"school_urn\":\"100001\",\"pupil\":1,\"pupil_uuid\":\"00000000-0000-0000-0000-000000000001\","
        "\"Surname\":\"O\\\"Neil, \xC3\x81ine\",\"DOB\":\"2011-01-26\",\"boarder\":true,"
        "\"seen\":\"2023-11-14T22:13:20.123Z\",\"tag\":\"00000000-0000-0000-0000-000000000009\"}");
  CHECK(rows[2]["Surname"] == "two\r\nlines");
  CHECK(rows[3]["Surname"] == "");
  CHECK(rows[3]["DOB"].is_null());
}

TEST_CASE("text that is not UTF-8 is exact in CSV and still JSON in NDJSON") {
  ExportFixture hub;
  hub.load("100001", [](TestWriter& w) {
    w.put(3, {std::int64_t{1}, std::string("a\xFF"), Cell{}, Cell{}, Cell{}, Cell{}});
  });
  CHECK_THAT(hub.text("pupil", ExportFormat::kCsv), Catch::Contains(",a\xFF,"));
  const std::string json = hub.text("pupil", ExportFormat::kNdjson);
  CHECK(nlohmann::json::parse(json)["Surname"] == "a\xEF\xBF\xBD");
}

TEST_CASE("schools follow each other by URN, and one can be asked for alone") {
  ExportFixture hub;
  const auto named = [](const char* name) {
    return [name](TestWriter& w) {
      w.put(3, {std::int64_t{1}, std::string(name), Cell{}, Cell{}, Cell{}, Cell{}});
    };
  };
  hub.load("100003", named("c"));
  hub.load("100001", named("a"));
  hub.add("100002");
  const std::string header = "school_urn,pupil,pupil_uuid,Surname,DOB,boarder,seen,tag\r\n";
  CHECK(hub.text("pupil", ExportFormat::kCsv) == header + "100001,1,,a,,,,\r\n100003,1,,c,,,,\r\n");
  CHECK(hub.text("pupil", ExportFormat::kCsv, "100003") == header + "100003,1,,c,,,,\r\n");
  CHECK(hub.text("session_mark", ExportFormat::kCsv) ==
        "school_urn,date,session,pupil,pupil_uuid,code,category,code_set\r\n");
  CHECK(hub.text("session_mark", ExportFormat::kNdjson).empty());

  const auto code = [&](const std::string& dataset, const std::optional<std::string>& urn) {
    auto report = export_dataset(*hub.registry, kSchool, dataset, urn, ExportFormat::kCsv,
                                 [](std::string_view) -> Result<void> { return {}; });
    REQUIRE_FALSE(report);
    return report.error();
  };
  CHECK(code("pupil", "100002").code() == Code::kNotFound);
  CHECK(code("pupil", "100009").code() == Code::kNotFound);
  CHECK(code("pupils", {}).code() == Code::kUsage);
  CHECK_THAT(code("pupils", {}).what(), Catch::EndsWith("the nearest name is pupil"));
}

TEST_CASE("an export is handed on in pieces and stops where its reader has gone") {
  ExportFixture hub;
  hub.load("100001", [](TestWriter& w) {
    for (std::int64_t n = 0; n < 20'000; ++n)
      w.put(8, {20000 + n / 100, std::int64_t{0}, n, std::string("/"), Cell{}});
  });
  std::size_t pieces = 0, longest = 0;
  auto report = export_dataset(*hub.registry, kSchool, "session_mark", {}, ExportFormat::kCsv,
                               [&](std::string_view piece) -> Result<void> {
                                 ++pieces;
                                 longest = std::max(longest, piece.size());
                                 return {};
                               });
  REQUIRE(report);
  CHECK(report->rows == 20'000);
  CHECK(pieces > 5);
  CHECK(longest < 70'000);
  auto gone = export_dataset(*hub.registry, kSchool, "session_mark", {}, ExportFormat::kCsv,
                             [](std::string_view) -> Result<void> { return fail(Code::kIo, "gone"); });
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code() == Code::kIo);
}
