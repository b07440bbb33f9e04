#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "adapters/demo/export_writer.hpp"

using namespace towpath;
using namespace towpath::demo;
namespace fs = std::filesystem;

namespace {

// A folder of its own, gone afterwards.
struct Folder {
  fs::path path = fs::temp_directory_path() /
                  ("towpath-demo-test-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
  Folder() { fs::create_directories(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }
};

std::string text_of_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
std::vector<std::string> lines_of(const fs::path& path) {
  std::istringstream in(text_of_file(path));
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}
DemoSchool school() {
  auto made = DemoSchool::make({Phase::kPrimary, 7, 0});
  REQUIRE(made.has_value());
  return *made;
}
ExportOptions into(const fs::path& path) {
  ExportOptions options;
  options.folder = path.string();
  options.name = "St \"Comma\", Camden";
  return options;
}

}  // namespace

TEST_CASE("a day's export holds the bundle and every mapped file, and their rows are the model's") {
  Folder folder;
  const Date day = *Date::parse("2026-11-20");
  REQUIRE(write_exports(school(), day, into(folder.path)).has_value());
  const auto model = school().on(day);
  REQUIRE(model.has_value());
  std::size_t marks = 0;
  model->for_each_mark([&](const Mark&) { ++marks; });
  const auto rows = [&](const char* name) { return lines_of(folder.path / name).size() - 1; };
  CHECK(rows("exports/attendance.csv") == marks);
  CHECK(rows("exports/participations.csv") == model->participations.size());
  CHECK(rows("exports/fsm.csv") == model->fsm.size());
  CHECK(rows("exports/sen_needs.csv") == model->sen_needs.size());
  CHECK(rows("oneroster/users.csv") == model->pupils.size() + model->staff.size());
  CHECK(rows("oneroster/demographics.csv") == model->pupils.size());
  CHECK(rows("oneroster/orgs.csv") == 1);
  CHECK_THAT(lines_of(folder.path / "oneroster/orgs.csv")[1],
             Catch::Contains("\"St \"\"Comma\"\", Camden\",school,100001"));
  CHECK(lines_of(folder.path / "oneroster/manifest.csv")[2] == "oneroster.version,1.1");

  // Every class and user that an enrolment names is there.
  std::set<std::string> known;
  for (const char* name : {"oneroster/classes.csv", "oneroster/users.csv"})
    for (const std::string& line : lines_of(folder.path / name)) known.insert(line.substr(0, 36));
  const auto enrolments = lines_of(folder.path / "oneroster/enrollments.csv");
  for (std::size_t i = 1; i < enrolments.size(); ++i) {
    REQUIRE(known.contains(enrolments[i].substr(39, 36)));
    REQUIRE(known.contains(enrolments[i].substr(113, 36)));
  }
}

TEST_CASE("two days' exports differ only in the lines of what happened between them") {
  Folder a, b, c;
  REQUIRE(write_exports(school(), *Date::parse("2026-11-19"), into(a.path)).has_value());
  REQUIRE(write_exports(school(), *Date::parse("2026-11-20"), into(b.path)).has_value());
  REQUIRE(write_exports(school(), *Date::parse("2026-11-20"), into(c.path)).has_value());
  for (const auto& entry : fs::recursive_directory_iterator(b.path)) {
    if (!entry.is_regular_file()) continue;
    const fs::path name = fs::relative(entry.path(), b.path);
    CAPTURE(name.string());
    CHECK(text_of_file(entry.path()) == text_of_file(c.path / name));  // the same day, the same bytes
    const auto before = lines_of(a.path / name), after = lines_of(entry.path());
    const std::multiset<std::string> old(before.begin(), before.end());
    std::size_t added = 0, marks_today = 0;
    for (const std::string& line : after) {
      added += !old.contains(line);
      marks_today += line.find(",2026-11-20,") != std::string::npos;
    }
    if (name == "exports/attendance.csv") {
      CHECK(marks_today > 800);
      CHECK(added >= marks_today);
      CHECK(added < marks_today + 60);
      CHECK(std::equal(before.begin(), before.begin() + 5,
                       after.begin()));  // the oldest marks are first in both
    } else {
      CHECK(added < 150);
    }
  }
}

TEST_CASE("an agent configuration is written for the files, and its paths are absolute") {
  Folder folder;
  AgentConfigOptions agent;
  agent.file = (folder.path / "agent.toml").string();
  REQUIRE(write_agent_config(into(folder.path), agent).has_value());
  const std::string text = text_of_file(agent.file);
  CHECK_THAT(text, Catch::Contains("name = \"St \\\"Comma\\\", Camden\""));
  CHECK_THAT(text, Catch::Contains("path = \"" + (folder.path / "exports").string() + "\""));
  CHECK_THAT(text, Catch::Contains("dataset = \"session_mark\""));
  ExportOptions only = into(folder.path);
  only.oneroster_only = true;
  REQUIRE(write_agent_config(only, agent).has_value());
  CHECK_THAT(text_of_file(agent.file), !Catch::Contains("session_mark"));
}

TEST_CASE("a folder that cannot be written is said in a sentence") {
  ExportOptions options;
  options.folder = "/proc/no-such-place";
  const auto done = write_exports(school(), *Date::parse("2026-11-20"), options);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code() == Code::kIo);
  CHECK_THAT(done.error().sentence(), Catch::Contains("/proc/no-such-place"));
}
