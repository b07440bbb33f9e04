// The configuration file: what is right is read, what is wrong is said with its line.
#include "agent/config/config.hpp"

#include <rapidcheck/catch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace towpath {
namespace {

namespace fs = std::filesystem;
constexpr std::array<std::string_view, 3> kKinds{"oneroster-csv", "csv", "demo"};

// A folder with a configuration and the exports that it names.
class Site {
 public:
  Site() {
    std::string pattern = (fs::temp_directory_path() / "towpath-config-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    fs::create_directories(folder_ / "exports");
    std::ofstream(folder_ / "marks.csv") << "date\n";
    std::ofstream(folder_ / "exports.zip") << "PK";
  }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  ~Site() { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string file() const { return path("towpath.toml"); }
  [[nodiscard]] tl::expected<AgentConfig, ConfigProblems> load(const std::string& text,
                                                               Paths paths = Paths::kMustExist) const {
    std::ofstream(file(), std::ios::binary) << text;
    return load_config(file(), built_in_dictionary(), kKinds, paths);
  }
  // The problems of a file that must have some, one a line, without the file's name.
  [[nodiscard]] std::string problems(const std::string& text) const {
    const auto loaded = load(text);
    if (loaded) return "(none)";
    std::string all;
    for (const ConfigProblem& problem : loaded.error()) all += problem.sentence("F") + "\n";
    return all;
  }

 private:
  fs::path folder_;
};

// Lines 1 to 3, 4 to 6 and 7 to 10 of the smallest configuration.
const std::string kSchool = "[school]\nurn = 100001\nname = \"Example School\"\n";
const std::string kHub = "[hub]\nurl = \"http://127.0.0.1:8440\"\n";
const std::string kSource = "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npath = \"exports\"\n";
const std::string kCsv = "[[source]]\nname = \"files\"\nkind = \"csv\"\npath = \"exports\"\n";
const std::string kMarks =
    "[[source.table]]\ndataset = \"session_mark\"\nfile = \"marks.csv\"\n[source.table.columns]\n"
    "date = { column = \"Date\", format = \"DD/MM/YYYY\" }\nsession = \"Session\"\npupil = \"Pupil\"\n";

using Catch::Contains;

TEST_CASE("the smallest configuration is enough, and everything else has a default") {
  const Site site;
  const auto config = site.load(kSchool + "[agent]\ndata = \"data\"\n" + kHub + kSource);
  REQUIRE(config);
  CHECK(config->school_urn == "100001");
  CHECK(config->school_name == "Example School");
  CHECK(config->file == site.file());
  CHECK(config->data == site.path("data"));
  CHECK(config->hub_url == "http://127.0.0.1:8440");
  CHECK(config->min_free_bytes == 500'000'000);
  CHECK(config->body_bytes == 256 * 1024);
  const auto& all = built_in_dictionary().grants;
  CHECK(config->grants == std::vector<std::string>(all.begin(), all.end()));
  REQUIRE(config->sources.size() == 1);
  CHECK(config->sources[0].path == site.path("exports"));
  CHECK(config->sources[0].id_space == "mis");
}

TEST_CASE("without a hub and without [agent] there is still something to run") {
  const Site site;
  const auto config = site.load(kSchool + kSource);
  REQUIRE(config);
  CHECK(config->hub_url.empty());
  CHECK(config->data == site.path("data"));
}

TEST_CASE("every value says where it comes from") {
  const Site site;
  const auto config = site.load(kSchool + kHub + kSource);
  REQUIRE(config);
  const auto line = [&](std::string_view key) {
    const auto at = std::find_if(config->settings.begin(), config->settings.end(),
                                 [&](const Setting& s) { return s.key == key; });
    return at == config->settings.end() ? -1 : at->line;
  };
  CHECK(line("school.urn") == 2);
  CHECK(line("hub.url") == 5);
  CHECK(line("source mis.path") == 9);
  CHECK(line("agent.data") == 0);
  CHECK(line("hub.grants") == 0);
  CHECK(line("agent.min_free_mb") == 0);
  CHECK(config->backup_days == 35);
}

TEST_CASE("a file as Windows writes it is read: byte order mark, CR LF, backslashes in single quotes") {
  const Site site;
  std::string text = "\xef\xbb\xbf" + kSchool + kSource;
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\r\n");
  CHECK(site.load(text));
  CHECK_THAT(site.problems(kSchool + "[agent]\ndata = \"C:\\exports\"\n" + kSource),
             Contains("F:5: this is not TOML") && Contains("single quotes"));
}

TEST_CASE("a misspelt key is an error with its line and the nearest name") {
  const Site site;
  CHECK_THAT(site.problems("[school]\nurn = 100001\nnmae = \"X\"\nname = \"X\"\n" + kSource),
             Contains("F:3: unknown key 'nmae' in [school]. Did you mean 'name'?"));
  CHECK_THAT(site.problems(kSchool + "[hubb]\nurl = \"x\"\n" + kSource),
             Contains("F:4: unknown key 'hubb' in the file. Did you mean 'hub'?"));
  CHECK_THAT(site.problems(kSchool + kSource + "pth = \"x\"\n"),
             Contains("F:8: unknown key 'pth' in [[source]]. Did you mean 'path'?"));
  CHECK_THAT(site.problems(kSchool + kCsv + kMarks + "[source.table.columns.code]\ncolumm = \"x\"\n"),
             Contains("unknown key 'columm' in the mapping of 'code'. Did you mean 'column'?"));
}

TEST_CASE("a key that is there misspelt is not said to be missing as well") {
  const Site site;
  const auto only = [&](const std::string& text, const std::string& what) {
    const std::string problems = site.problems(text);
    CHECK_THAT(problems, Contains(what));
    CHECK(std::count(problems.begin(), problems.end(), '\n') == 1);
  };
  only(kSchool + "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npth = \"exports\"\n",
       "unknown key 'pth' in [[source]]. Did you mean 'path'?");
  only("[shcool]\nurn = 100001\nname = \"X\"\n" + kSource, "Did you mean 'school'?");
  only(kSchool + "[[sorce]]\nname = \"mis\"\n", "Did you mean 'source'?");
  CHECK_THAT(site.problems(kSchool + "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\n"),
             Contains("[[source]] has no key 'path'"));
}

TEST_CASE("a key in the wrong section is sent home") {
  const Site site;
  CHECK_THAT(site.problems("url = \"http://127.0.0.1\"\n" + kSchool + kSource),
             Contains("F:1: unknown key 'url' in the file. It belongs under [hub]"));
}

TEST_CASE("a wrong type says what was expected and what was got") {
  const Site site;
  CHECK_THAT(site.problems("[school]\nurn = 100001\nname = 5\n" + kSource),
             Contains("F:3: school.name: expected text in quotes, got a whole number"));
  CHECK_THAT(site.problems(kSchool + "[agent]\nmin_free_mb = \"much\"\n" + kSource),
             Contains("F:5: agent.min_free_mb: expected a whole number, got text"));
  CHECK_THAT(site.problems(kSchool + kHub + "grants = \"ROLL\"\n" + kSource),
             Contains("F:6: hub.grants: expected a list of names") && Contains("got text"));
  CHECK_THAT(site.problems(kSchool + kHub + "grants = [\"ROLL\", 3]\n" + kSource),
             Contains("F:6: hub.grants: expected names in quotes, got a whole number"));
  CHECK_THAT(site.problems("school = true\n" + kSource),
             Contains("F:1: school: expected a section, got true or false"));
  CHECK_THAT(site.problems(kSchool + "[source]\nname = \"mis\"\n"),
             Contains("F:4: expected a list of sections under [[source]], got a section") &&
                 Contains("double brackets"));
  CHECK_THAT(site.problems("[school]\nurn = 1.5\nname = \"X\"\n" + kSource),
             Contains("F:2: school.urn: expected text or a whole number, got a decimal number"));
}

TEST_CASE("a number outside its range says the range") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + kHub + "body_kib = 16\n" + kSource),
             Contains("F:6: hub.body_kib is 16, which is outside 32 to 1024"));
  CHECK_THAT(site.problems(kSchool + "[agent]\nmin_free_mb = -1\n" + kSource),
             Contains("F:5: agent.min_free_mb is -1"));
  CHECK_THAT(site.problems(kSchool + "[agent]\nbackup_days = 3651\n" + kSource),
             Contains("F:5: agent.backup_days is 3651, which is outside 0 to 3650"));
}

TEST_CASE("a URN is six digits, as a number or as text") {
  const Site site;
  CHECK(site.load("[school]\nurn = \"100001\"\nname = \"X\"\n" + kSource));
  for (const char* urn : {"12345", "1000001", "-100001", "\"10000a\"", "\"\"", "\"012345\""})
    CHECK_THAT(site.problems("[school]\nurn = " + std::string(urn) + "\nname = \"X\"\n" + kSource),
               Contains("F:2: school.urn is") && Contains("not six digits"));
}

TEST_CASE("what is missing is named, with an example to copy") {
  const Site site;
  CHECK_THAT(site.problems(""),
             Contains("F: there is no section [school]") && Contains("F: there is no [[source]]"));
  const std::string bare = site.problems("[school]\n[[source]]\n[hub]\n");
  CHECK_THAT(bare, Contains("F:1: [school] has no key 'urn'. Add the school's six-digit URN: urn = 100001"));
  CHECK_THAT(bare, Contains("F:1: [school] has no key 'name'"));
  CHECK_THAT(bare, Contains("F:2: [[source]] has no key 'name'"));
  CHECK_THAT(bare, Contains("F:2: [[source]] has no key 'kind'. Add one of: oneroster-csv, csv, demo"));
  CHECK_THAT(site.problems(kSchool + "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\n"),
             Contains("F:4: [[source]] has no key 'path'"));
}

TEST_CASE("a path that leads nowhere is an error that says how far it leads, unless only status is asked") {
  const Site site;
  const std::string text =
      kSchool + "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npath = \"exports/mis/today\"\n";
  CHECK_THAT(site.problems(text),
             Contains("F:7: source.path leads nowhere: " + site.path("exports/mis/today") + ". There is " +
                      site.path("exports")));
  CHECK(site.load(text, Paths::kAsWritten));
}

TEST_CASE("a data folder that is a file is an error") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + "[agent]\ndata = \"marks.csv\"\n" + kSource),
             Contains("F:5: agent.data is " + site.path("marks.csv") + ", which is not a folder"));
}

TEST_CASE("all problems are reported at once, in the order of their lines") {
  const Site site;
  const auto loaded = site.load(
      "[school]\nurn = 5\nname = \"X\"\nnaem = \"Y\"\n[hub]\nurl = \"x\"\n[[source]]\nname = \"a b\"\n");
  REQUIRE_FALSE(loaded);
  std::vector<int> lines;
  for (const ConfigProblem& problem : loaded.error()) lines.push_back(problem.line);
  CHECK(lines == std::vector<int>{2, 4, 6, 7, 8});
}

TEST_CASE("two sources of one name are an error in the second one's line, which names the first's") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + kSource + kSource),
             Contains("F:9: there are two sources named 'mis'; the other is in line 5"));
}

TEST_CASE("an unknown kind is an error with the nearest one") {
  const Site site;
  CHECK_THAT(
      site.problems(kSchool + "[[source]]\nname = \"mis\"\nkind = \"oneroster_csv\"\npath = \"exports\"\n"),
      Contains("F:6: unknown kind of source 'oneroster_csv'. Did you mean 'oneroster-csv'?"));
}

TEST_CASE("a key of another kind of source is an error that says so") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + kSource + "seed = 3\n"),
             Contains("F:8: key 'seed' means nothing for a source of kind 'oneroster-csv'"));
  CHECK_THAT(site.problems(kSchool + "[[source]]\nname = \"d\"\nkind = \"demo\"\npath = \"exports\"\n"),
             Contains("F:7: key 'path' means nothing for a source of kind 'demo'"));
  CHECK_THAT(site.problems(kSchool + kCsv + "org = \"x\"\n" + kMarks), Contains("'org' means nothing"));
}

TEST_CASE("a demo school is a phase, a seed, a size and a day") {
  const Site site;
  const std::string demo = kSchool + "[[source]]\nname = \"d\"\nkind = \"demo\"\n";
  const auto config = site.load(demo + "phase = \"secondary\"\nseed = 7\npupils = 50\nday = 2026-11-19\n");
  REQUIRE(config);
  CHECK(config->sources[0].demo_phase == "secondary");
  CHECK(config->sources[0].demo_seed == 7);
  CHECK(config->sources[0].demo_pupils == 50);
  CHECK(config->sources[0].demo_day == "2026-11-19");
  CHECK(site.load(demo + "day = \"2026-11-19\"\n")->sources[0].demo_day == "2026-11-19");
  CHECK(site.load(demo)->sources[0].demo_phase == "primary");
  CHECK_THAT(site.problems(demo + "phase = \"secondry\"\n"),
             Contains("F:7: source d.phase is 'secondry'") && Contains("Did you mean 'secondary'?"));
  CHECK_THAT(site.problems(demo + "day = \"19/11/2026\"\n"),
             Contains("F:7: source d.day is not a day of the calendar"));
  CHECK_THAT(site.problems(demo + "day = 5\n"), Contains("F:7: source d.day: expected a date"));
}

TEST_CASE("grants are those of the dictionary, and never an empty list by accident") {
  const Site site;
  CHECK(site.load(kSchool + kHub + "grants = [\"ROLL\", \"ATT-CAT\", \"ROLL\"]\n" + kSource)->grants ==
        std::vector<std::string>{"ROLL", "ATT-CAT"});
  CHECK_THAT(site.problems(kSchool + kHub + "grants = [\"ROLL\",\n\"ATT_CAT\"]\n" + kSource),
             Contains("F:7: hub.grants: unknown grant 'ATT_CAT'. Did you mean 'ATT-CAT'?"));
  CHECK_THAT(site.problems(kSchool + kHub + "grants = []\n" + kSource), Contains("F:6: hub.grants is empty"));
}

TEST_CASE("secrets are refused, and never repeated") {
  const Site site;
  const std::string in_key = site.problems(kSchool + kHub + "password = \"hunter2\"\n" + kSource);
  CHECK_THAT(in_key,
             Contains("F:6: [hub] has a key 'password', which looks like a secret") && !Contains("hunter2"));
  const std::string in_url =
      site.problems(kSchool + "[hub]\nurl = \"https://joe:hunter2@hub.example.org\"\n" + kSource);
  CHECK_THAT(in_url, Contains("F:5: hub.url holds a user name or a password") && !Contains("hunter2"));
}

TEST_CASE("a hub whose address comes from enrolment needs no url, and the line has its defaults") {
  const Site site;
  const auto config = site.load(kSchool + "[hub]\nbody_kib = 64\n" + kSource);
  REQUIRE(config);
  CHECK(config->hub_url.empty());
  CHECK(config->line.proxy == "auto");
  CHECK(config->line.pac_url.empty());
  CHECK(config->line.proxy_user_file.empty());
  CHECK(config->line.extra_ca.empty());
  CHECK(config->line.kbit == 1000);
}

TEST_CASE("the way to the hub is configured: proxy, its user's file, script, certificate, ceiling") {
  const Site site;
  std::ofstream(site.path("user")) << "joe:hunter2\n";
  fs::permissions(site.path("user"), fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream(site.path("filter.pem")) << "-----BEGIN CERTIFICATE-----\n";
  const auto config = site.load(kSchool + kHub +
                                "proxy = \"http://proxy.example:8080/\"\nproxy_user_file = \"user\"\n"
                                "pac_url = \"http://wpad/wpad.dat?site=1\"\nextra_ca = \"filter.pem\"\n"
                                "line_kbit = 0\n" +
                                kSource);
  REQUIRE(config);
  CHECK(config->line.proxy == "http://proxy.example:8080");
  CHECK(config->line.pac_url == "http://wpad/wpad.dat?site=1");
  CHECK(config->line.proxy_user_file == site.path("user"));
  CHECK(config->line.extra_ca == site.path("filter.pem"));
  CHECK(config->line.kbit == 0);
  for (const Setting& setting : config->settings) CHECK_THAT(setting.value, !Contains("hunter2"));
}

TEST_CASE("a proxy's password belongs into a file that others cannot read, and is never repeated") {
  const Site site;
  const std::string in_proxy =
      site.problems(kSchool + kHub + "proxy = \"http://joe:hunter2@proxy:8080\"\n" + kSource);
  CHECK_THAT(in_proxy, Contains("F:6: hub.proxy holds a user name or a password") &&
                           Contains("hub.proxy_user_file") && !Contains("hunter2"));
  CHECK_THAT(site.problems(kSchool + kHub + "pac_url = \"http://joe:hunter2@wpad/\"\n" + kSource),
             Contains("F:6: hub.pac_url holds a user name") && !Contains("hunter2"));
  std::ofstream(site.path("user")) << "joe:hunter2\n";
  fs::permissions(site.path("user"), fs::perms::owner_read | fs::perms::others_read);
  CHECK_THAT(site.problems(kSchool + kHub + "proxy_user_file = \"user\"\n" + kSource),
             Contains("F:6: hub.proxy_user_file is " + site.path("user") + ", which other users") &&
                 Contains("chmod 600") && !Contains("hunter2"));
}

TEST_CASE("a file of the line that is not what it should be is an error in its line") {
  const Site site;
  const auto with = [&](const std::string& line) { return site.problems(kSchool + kHub + line + kSource); };
  CHECK_THAT(with("proxy_user_file = \"gone\"\n"),
             Contains("F:6: hub.proxy_user_file is " + site.path("gone") + ", which does not exist"));
  CHECK_THAT(with("extra_ca = \"exports\"\n"), Contains("F:6: hub.extra_ca is") && Contains("not a file"));
  CHECK_THAT(with("extra_ca = \"marks.csv\"\n"), Contains("F:6:") && Contains("no certificate in PEM form"));
  std::ofstream(site.path("both.pem")) << "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n";
  CHECK_THAT(with("extra_ca = \"both.pem\"\n"), Contains("F:6:") && Contains("private key"));
  CHECK_THAT(with("line_kbit = \"fast\"\n"), Contains("F:6: hub.line_kbit: expected a whole number"));
  CHECK_THAT(with("line_kbit = -1\n"), Contains("F:6: hub.line_kbit is -1, which is outside 0 to 1000000"));
  CHECK_THAT(with("proxy = 8080\n"), Contains("F:6: hub.proxy: expected text"));
  CHECK_THAT(with("pac_url = \"wpad.dat\"\n"), Contains("F:6: hub.pac_url must begin with http://"));
  CHECK_THAT(with("proxxy = \"auto\"\n"), Contains("Did you mean 'proxy'?"));
  CHECK_THAT(site.problems(kSchool + "[agent]\nextra_ca = \"x.pem\"\n" + kSource),
             Contains("It belongs under [hub]"));
}

TEST_CASE("a school that says nothing about time is read before and after lessons, and calls by day") {
  const Site site;
  const auto config = site.load(kSchool + kSource);
  REQUIRE(config);
  const auto& windows = extract_windows(*config, "mis");
  REQUIRE(windows.size() == 2);
  CHECK(windows[0].text() == "mon-fri 05:30-07:00");
  CHECK(windows[1].text() == "mon-fri 14:00-15:30");
  REQUIRE(config->schedule.exchange.size() == 1);
  CHECK(config->schedule.exchange[0].text() == "mon-fri 06:00-18:00 every 30 min");
  CHECK(config->calendar.holidays.empty());
}

TEST_CASE("windows are of all sources, or of one; none at all means by hand") {
  const Site site;
  const auto config =
      site.load(kSchool + "[schedule]\nextract = [\"22:00-02:00\"]\nexchange = []\n" + kSource +
                "extract = [\"sat 06:00-07:00\", \"sun 06:00-07:00\"]\n[[source]]\nname = \"meals\"\n"
                "kind = \"oneroster-csv\"\npath = \"exports\"\n");
  REQUIRE(config);
  CHECK(extract_windows(*config, "mis").size() == 2);
  REQUIRE(extract_windows(*config, "meals").size() == 1);
  CHECK(extract_windows(*config, "meals")[0].text() == "22:00-02:00");
  CHECK(config->schedule.exchange.empty());
}

TEST_CASE("a window that cannot be is an error in its line, with one that can") {
  const Site site;
  const std::string problems = site.problems(
      kSchool + "[schedule]\nextract = [\"6-7\",\n  \"mon 06:00-07:00\",\n  7]\nexchnge = []\n" + kSource);
  CHECK_THAT(problems, Contains("F:5: schedule.extract: '6-7' has no two times") && Contains("05:30-07:00"));
  CHECK_THAT(problems, Contains("F:7: schedule.extract: expected windows"));
  CHECK_THAT(problems, Contains("F:8: unknown key 'exchnge' in [schedule]. Did you mean 'exchange'?"));
  CHECK_THAT(site.problems(kSchool + "[schedule]\nexchange = \"06:00-07:00\"\n" + kSource),
             Contains("F:5: schedule.exchange: expected a list of windows"));
  CHECK_THAT(site.problems(kSchool + "[hub]\nexchange = []\n" + kSource),
             Contains("It belongs under [schedule]"));
}

TEST_CASE("holidays are in the file, in one of their own, or both") {
  const Site site;
  std::ofstream(site.path("days.txt"), std::ios::binary)
      << "# 2026/27\r\n2026-12-19 to 2027-01-03  # Christmas\r\n\r\n";
  const auto config = site.load(
      kSchool + "[calendar]\nholidays = [\"2027-05-03\"]\nholidays_file = \"days.txt\"\n" + kSource);
  REQUIRE(config);
  const auto off = [&](const char* day) { return config->calendar.holiday(*Date::parse(day)); };
  CHECK(off("2027-05-03"));
  CHECK(off("2026-12-19"));
  CHECK(off("2027-01-03"));
  CHECK_FALSE(off("2026-12-18"));
  CHECK_FALSE(off("2027-01-04"));
  std::ofstream(site.path("days.txt")) << "\n2027-01-03 to 2026-12-19\n";
  CHECK_THAT(
      site.problems(kSchool + "[calendar]\nholidays_file = \"days.txt\"\n" + kSource),
      Contains("F:5: " + site.path("days.txt") + ":2: '2027-01-03 to 2026-12-19' ends before it begins"));
  CHECK_THAT(site.problems(kSchool + "[calendar]\nholidays_file = \"gone.txt\"\n" + kSource),
             Contains("F:5: calendar.holidays_file: "));
}

TEST_CASE("a holidays file that is away stops only those who check; the others know that it is") {
  const Site site;
  const std::string text = kSchool + "[calendar]\nholidays_file = \"gone.txt\"\n" + kSource;
  CHECK_THAT(site.problems(text), Contains(site.path("gone.txt")));
  const auto running = site.load(text, Paths::kAsWritten);
  REQUIRE(running);
  CHECK_THAT(running->calendar.unread, Contains("calendar.holidays_file") && Contains(site.path("gone.txt")));
  std::ofstream(site.path("gone.txt")) << "2027-05-03\n";
  CHECK(site.load(text, Paths::kAsWritten)->calendar.unread.empty());
}

TEST_CASE("a table of export files is read with all its columns") {
  const Site site;
  const auto config = site.load(kSchool + kSource + kCsv + kMarks +
                                "code = { column = \"Mark\", values = { \"-\" = \"\", \"*\" = \"X\" } }\n"
                                "[source.table.where]\nSite = \"Main\"\nYear = [7, \"8\"]\n");
  REQUIRE(config);
  REQUIRE(config->sources.size() == 2);
  REQUIRE(config->sources[1].tables.size() == 1);
  const TableMapping& table = config->sources[1].tables[0];
  CHECK(table.dataset == "session_mark");
  CHECK(table.file == "marks.csv");
  CHECK(table.mode == "full");
  CHECK(table.delimiter == ",");
  CHECK(table.encoding == "utf-8");
  CHECK(table.line == 12);
  CHECK(table.columns.size() == 4);
  const auto date = std::find_if(table.columns.begin(), table.columns.end(),
                                 [](const auto& c) { return c.field == "date"; });
  REQUIRE(date != table.columns.end());
  CHECK(date->column == "Date");
  CHECK(date->format == "DD/MM/YYYY");
  CHECK(table.where.at("Year") == std::vector<std::string>{"7", "8"});
}

TEST_CASE("a mapping to a dataset or a field that does not exist names the nearest one") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + kCsv +
                           "[[source.table]]\ndataset = \"session_marks\"\nfile = "
                           "\"m.csv\"\n[source.table.columns]\nx = \"y\"\n"),
             Contains("F:9: unknown dataset 'session_marks'. Did you mean 'session_mark'?"));
  CHECK_THAT(
      site.problems(kSchool + kCsv + kMarks + "minuteslate = \"Late\"\n"),
      Contains("F:15: dataset 'session_mark' has no field 'minuteslate'. Did you mean 'minutes_late'?"));
  CHECK_THAT(
      site.problems(
          kSchool + kCsv +
          "[[source.table]]\ndataset = \"entity\"\nfile = \"m.csv\"\n[source.table.columns]\nx = \"y\"\n"),
      Contains("unknown dataset 'entity'"));
}

TEST_CASE("a mapping without a required field says which") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + kCsv +
                           "[[source.table]]\ndataset = \"session_mark\"\nfile = "
                           "\"m.csv\"\n[source.table.columns]\ndate = \"Date\"\n"),
             Contains("F:11: rows of 'session_mark' need session, pupil"));
}

TEST_CASE("a mapping that cannot mean anything is an error in its line") {
  const Site site;
  const std::string table = kSchool + kCsv + kMarks;  // its last line is 14
  CHECK_THAT(site.problems(table + "code = { values = { a = \"b\" } }\n"),
             Contains("F:15: the mapping of 'code' needs either a column or a value"));
  CHECK_THAT(site.problems(table + "code = { column = \"a\", value = \"b\" }\n"),
             Contains("F:15: the mapping of 'code' needs either"));
  CHECK_THAT(site.problems(table + "code = { column = \"a\", format = \"YYYY\" }\n"),
             Contains("F:15: format is for dates, and 'code' is none"));
  CHECK_THAT(site.problems(table + "code = { column = \"a\", by = \"UPN\" }\n"),
             Contains("F:15: by is for references"));
  CHECK_THAT(site.problems(table + "code = { column = \"a\", source = \"files\" }\n"),
             Contains("F:15: source is for references"));
  CHECK_THAT(site.problems(table + "code = 5\n"),
             Contains("F:15:") && Contains("expected a column name in quotes"));
  CHECK_THAT(site.problems(table + "code = { column = \"a\", values = { a = 1.5 } }\n"),
             Contains("F:15: values of 'code': expected text"));
  CHECK_THAT(site.problems(table + "[source.table.where]\nSite = []\n"),
             Contains("F:16: where: 'Site' needs a value"));
}

TEST_CASE("a reference is matched by a field that exists, in a source that is configured") {
  const Site site;
  const auto with_pupil = [&](const std::string& pupil) {
    std::string text = kSchool + kSource + kCsv + kMarks;
    text.replace(text.find("pupil = \"Pupil\""), 15, "pupil = " + pupil);
    return text;
  };
  CHECK(site.load(with_pupil("{ column = \"UPN\", source = \"mis\", by = \"UPN\" }")));
  CHECK_THAT(site.problems(with_pupil("{ column = \"UPN\", by = \"UNP\" }")),
             Contains("F:18: 'pupil' cannot be matched by 'UNP'. Did you mean 'UPN'?"));
  CHECK_THAT(site.problems(with_pupil("{ column = \"Id\", source = \"mss\" }")),
             Contains("F:18: source 'mss' is referred to, but not configured. Did you mean 'mis'?"));
}

TEST_CASE("a table's file lies within its source") {
  const Site site;
  const auto with_file = [&](const std::string& path, const std::string& file) {
    std::string text = kSchool + kCsv + kMarks;
    text.replace(text.find("\"exports\""), 9, "\"" + path + "\"");
    text.replace(text.find("file = \"marks.csv\"\n"), 19, file);
    return text;
  };
  CHECK(site.load(with_file("exports", "file = \"*.csv\"\n")));
  CHECK(site.load(with_file("marks.csv", "")));
  CHECK(site.load(with_file("exports.zip", "file = \"marks.csv\"\n")));
  CHECK_THAT(site.problems(with_file("exports", "file = \"../marks.csv\"\n")),
             Contains("F:10: file '../marks.csv' must lie within"));
  CHECK_THAT(site.problems(with_file("exports", "file = \"/etc/passwd\"\n")), Contains("must lie within"));
  CHECK_THAT(site.problems(with_file("exports", "")), Contains("F:8: [[source.table]] has no key 'file'"));
  CHECK_THAT(site.problems(with_file("marks.csv", "file = \"marks.csv\"\n")),
             Contains("F:10: file 'marks.csv' is named, but"));
}

TEST_CASE("delimiter, encoding and mode are of a few known ones") {
  const Site site;
  const auto with = [&](const std::string& line) {
    std::string text = kSchool + kCsv + kMarks;
    return text.insert(text.find("[source.table.columns]"), line + "\n");
  };
  CHECK(site.load(with("delimiter = \"tab\""))->sources[0].tables[0].delimiter == "\t");
  CHECK(site.load(with("delimiter = \";\""))->sources[0].tables[0].delimiter == ";");
  CHECK(site.load(with("encoding = \"windows-1252\""))->sources[0].tables[0].encoding == "windows-1252");
  CHECK_THAT(site.problems(with("delimiter = \"ab\"")), Contains("F:11: delimiter is 'ab'"));
  CHECK_THAT(site.problems(with("encoding = \"utf8\"")),
             Contains("F:11:") && Contains("Did you mean 'utf-8'?"));
  CHECK_THAT(site.problems(with("mode = \"fulll\"")), Contains("Did you mean 'full'?"));
}

TEST_CASE("a missing, unreadable or oversized file is said to be that") {
  const Site site;
  const auto loaded = load_config(site.path("none.toml"), built_in_dictionary(), kKinds, Paths::kMustExist);
  REQUIRE_FALSE(loaded);
  CHECK_THAT(loaded.error()[0].sentence(site.path("none.toml")),
             Contains(site.path("none.toml") + ": there is no such configuration file"));
  const auto folder = load_config(site.path("exports"), built_in_dictionary(), kKinds, Paths::kMustExist);
  REQUIRE_FALSE(folder);
  CHECK_THAT(folder.error()[0].what, Contains("it is a folder"));
  CHECK_THAT(site.problems(std::string(2 * 1024 * 1024, '#')), Contains("is larger than"));
}

TEST_CASE("broken TOML says the line") {
  const Site site;
  CHECK_THAT(site.problems(kSchool + "[agent\n"), Contains("F:4: this is not TOML"));
  CHECK_THAT(site.problems(kSchool + "[school]\n"), Contains("F:4: this is not TOML"));
  CHECK_THAT(site.problems("\xff\xfe[school]"), Contains("F:1: this is not TOML"));
}

TEST_CASE("whatever the file holds, it is read or refused with problems, and nothing else happens") {
  const Site site;
  const std::string whole = kSchool + kHub + kSource + kCsv + kMarks;
  rc::prop("a file damaged anywhere", [&] {
    std::string text = whole;
    const int cuts = *rc::gen::inRange(1, 4);
    for (int i = 0; i < cuts; ++i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
      const auto length = *rc::gen::inRange<std::size_t>(0, 12);
      text.replace(at, length,
                   *rc::gen::container<std::string>(rc::gen::elementOf(std::string("[]{}=\"'\n#.5 ax"))));
    }
    const auto loaded = site.load(text);
    RC_ASSERT(loaded || !loaded.error().empty());
  });
}

}  // namespace
}  // namespace towpath
