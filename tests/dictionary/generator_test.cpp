// The generator: what it refuses, and that the committed page and lock are up to date.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "dictionary/generator/model.hpp"

using namespace towpath::generator;
namespace fs = std::filesystem;

namespace {

fs::path source() {
  const char* root = std::getenv("TOWPATH_SOURCE");
  REQUIRE(root != nullptr);
  return root;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A copy of config/ to break.
class Config {
 public:
  Config() {
    folder_ = fs::temp_directory_path() / ("tp-dictionary-" + std::to_string(std::random_device{}()));
    fs::remove_all(folder_);
    fs::copy(source() / "config", folder_, fs::copy_options::recursive);
  }
  ~Config() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  [[nodiscard]] const fs::path& folder() const { return folder_; }
  [[nodiscard]] fs::path lock() const { return folder_ / "dictionary.lock"; }

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(folder_ / file) << text;
  }
  // Replaces the first `from`, which has to be there.
  void change(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = text_of(folder_ / file);
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    write(file, text.replace(at, from.size(), to));
  }
  // 1-based line of the first `part`.
  [[nodiscard]] std::string place(const std::string& file, const std::string& part) const {
    const std::string text = text_of(folder_ / file);
    const auto at = text.find(part);
    REQUIRE(at != std::string::npos);
    return file + ":" +
           std::to_string(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1);
  }
  [[nodiscard]] std::string faults() const {
    std::vector<Fault> found;
    const Model model = load(folder_, found);
    if (found.empty()) check(model, found);
    if (found.empty()) (void)check_lock(model, lock(), found);
    std::string out;
    for (const Fault& fault : found) out += to_string(fault) + "\n";
    return out;
  }

 private:
  fs::path folder_;
};

}  // namespace

TEST_CASE("the committed declaration holds no contradiction") { CHECK(Config().faults().empty()); }

TEST_CASE("docs/data-dictionary.md is what config/ says: run ninja dictionary-update if not") {
  std::vector<Fault> faults;
  const Model model = load(source() / "config", faults);
  REQUIRE(faults.empty());
  CHECK(text_of(source() / "docs/data-dictionary.md") == markdown(model));
}

TEST_CASE("every wire id in use is in the lock: run ninja dictionary-update if not") {
  std::vector<Fault> faults;
  const Model model = load(source() / "config", faults);
  const auto missing = check_lock(model, source() / "config/dictionary.lock", faults);
  CHECK(faults.empty());
  CHECK(missing.empty());
  CHECK(merged_lock(model, source() / "config/dictionary.lock") ==
        text_of(source() / "config/dictionary.lock"));
}

TEST_CASE("a wire id that changes its meaning is refused") {
  const Config config;
  SECTION("a field's name") {
    config.change("datasets/pupil.toml", "name = \"MiddleNames\"", "name = \"Nickname\"");
    CHECK(config.faults().find(
              "'field 00003.006' means 'pupil.MiddleNames text' to every program in use and cannot "
              "become 'pupil.Nickname text'") != std::string::npos);
  }
  SECTION("a field's type") {
    config.change("datasets/fsm.toml", "name = \"reviewed_on\"\ncbds = \"FSMreviewDate\"\ntype = \"date\"",
                  "name = \"reviewed_on\"\ntype = \"int\"");
    CHECK(config.faults().find("'field 00010.008'") != std::string::npos);
  }
  SECTION("the order of an enum") {
    config.change("datasets/session_mark.toml", "[\"AM\", \"PM\"]", "[\"PM\", \"AM\"]");
    CHECK(config.faults().find("'value 00008.002.000' means 'AM'") != std::string::npos);
  }
  SECTION("a dataset's id, given to another one") {
    fs::remove(config.folder() / "datasets/staff.toml");
    config.change("datasets/group_membership.toml", "ref = [\"pupil\", \"staff\"]", "ref = [\"pupil\"]");
    config.change("datasets/school_day.toml", "id    = 9", "id    = 5");
    CHECK(config.faults().find("'dataset 00005' means 'staff key staff entity'") != std::string::npos);
  }
  SECTION("a key") {
    config.change("datasets/enrolment.toml", "key   = [\"pupil\", \"EntryDate\"]", "key   = [\"pupil\"]");
    CHECK(config.faults().find("'dataset 00004' means 'enrolment key pupil EntryDate'") != std::string::npos);
  }
}

TEST_CASE("a new field raises the dictionary's version") {
  const Config config;
  config.change("datasets/staff.toml", "[[field]]\nid = 3",
                "[[field]]\nid = 9\nname = \"room\"\ntype = \"int\"\n"
                "class = \"operational\"\nnote = \"A room.\"\n\n[[field]]\nid = 3");
  CHECK(config.faults().find("without 'field 00005.009 = staff.room int': raise the version by one") !=
        std::string::npos);

  config.change("dictionary.toml", "version = 2\n", "version = 3\n");
  CHECK(config.faults().empty());
  std::vector<Fault> faults;
  const Model model = load(config.folder(), faults);
  REQUIRE(faults.empty());
  const std::string lock = merged_lock(model, config.lock());
  CHECK(lock.find("version = 3\n") != std::string::npos);
  CHECK(lock.find("version = 2\n") == std::string::npos);
  CHECK(lock.find("field 00005.009 = staff.room int\n") != std::string::npos);
}

TEST_CASE("what is gone keeps its line in the lock") {
  const Config config;
  fs::remove(config.folder() / "datasets/language.toml");
  CHECK(config.faults().empty());
  std::vector<Fault> faults;
  const Model model = load(config.folder(), faults);
  REQUIRE(faults.empty());
  CHECK(check_lock(model, config.lock(), faults).empty());
  CHECK(faults.empty());
  CHECK(merged_lock(model, config.lock()) == text_of(config.lock()));
}

TEST_CASE("a contradiction is refused with file and line") {
  const Config config;
  std::string file = "datasets/pupil.toml", from, to, at, what;
  SECTION("a field's wire id twice") {
    from = "id = 4\n", to = "id = 2\n", at = "[[field]]\nid = 2\nname = \"Surname\"";
    what = "wire id 2 is taken already, at datasets/pupil.toml:";
  }
  SECTION("a raw code's wire id twice") {
    from = "raw_id = 11", to = "raw_id = 9", at = "[[field]]\nid = 10", what = "wire id 9 is taken already";
  }
  SECTION("names that differ in case only, as SQL does not") {
    from = "name = \"Forename\"", to = "name = \"surname\"", at = "[[field]]\nid = 5";
    what = "field 'surname' is taken already";
  }
  SECTION("an unknown type") {
    from = "type = \"date\"", to = "type = \"day\"", at = "[[field]]\nid = 9",
    what = "there is no type \"day\"";
  }
  SECTION("an unknown class") {
    from = "class = \"identity\"", to = "class = \"secret\"", at = "[[field]]\nid = 1";
    what = "there is no class \"secret\"";
  }
  SECTION("an unknown grant") {
    from = "grant = \"ROLL\"", to = "grant = \"ROL\"", at = "[[field]]\nid = 1";
    what = "there is no grant \"ROL\" in dictionary.toml";
  }
  SECTION("a code set that does not exist") {
    from = "codeset = \"sex\"", to = "codeset = \"sexes\"", at = "[[field]]\nid = 10";
    what = "there is no code set 'sexes'";
  }
  SECTION("a misspelt key") {
    from = "required = true", to = "requird = true", at = "requird",
    what = "'requird' is not a key that belongs here";
  }
  SECTION("a value of the wrong type") {
    from = "max_chars = 20", to = "max_chars = \"20\"", at = "max_chars = \"20\"",
    what = "'max_chars' has to be a whole number";
  }
  SECTION("what is for another type") {
    from = "name = \"DOB\"", to = "name = \"DOB\"\nmax_chars = 3", at = "[[field]]\nid = 9",
    what = "'max_chars' is for type \"text\" only";
  }
  SECTION("a note that is missing") {
    from = "note = \"Legal surname.\"\n", to = "", at = "[[field]]\nid = 4", what = "'note' is missing";
  }
  SECTION("a key that does not come first") {
    file = "datasets/fsm.toml";
    from = "key   = [\"pupil\", \"FSMstartDate\"]", to = "key   = [\"pupil\", \"FSMendDate\"]",
    at = "[[field]]\nid = 2";
    what = "field 2 has to be 'FSMendDate'";
  }
  SECTION("a reference to nothing") {
    file = "datasets/fsm.toml";
    from = "ref = [\"pupil\"]", to = "ref = [\"child\"]", at = "[[field]]\nid = 1";
    what = "refers to dataset 'child', which does not exist";
  }
  SECTION("a reference to what is no entity") {
    file = "datasets/fsm.toml";
    from = "ref = [\"pupil\"]", to = "ref = [\"school_day\"]", at = "[[field]]\nid = 1";
    what = "refers to 'school_day', which is not an entity";
  }
  SECTION("a key that may not leave with its row") {
    file = "datasets/fsm.toml";
    from = "grant = \"CHAR-BASIC\"\n", to = "", at = "[[field]]\nid = 1",
    what = "a field of the key needs a grant";
  }
  SECTION("a date that is none") {
    file = "datasets/session_mark.toml";
    from = "codeset_date = \"date\"", to = "codeset_date = \"session\"", at = "[[field]]\nid = 4";
    what = "codeset_date names 'session', which is not a date";
  }
  SECTION("a gap between versions of a set") {
    file = "codesets/attendance.toml";
    from = "from = 2024-08-19", to = "from = 2024-08-20", at = "[[version]]\nname = \"attendance-2024\"";
    what = "has to begin on the day after 2024-08-18";
  }
  SECTION("one spelling of two codes") {
    file = "codesets/sex.toml";
    from = "\"Boy\"", to = "\"girl\"", at = "{ code = \"M\"",
    what = "spelling 'girl' is taken already, at codesets/sex.toml:";
  }
  SECTION("a category that its set lacks") {
    file = "codesets/attendance.toml";
    from = "category = \"P\"", to = "category = \"W\"", at = "{ code = \"/\"",
    what = "category 'W' is not among the categories";
  }
  SECTION("a file that is not TOML") {
    file = "codesets/sex.toml";
    from = "title = \"Sex\"", to = "title = Sex", at = "title = Sex", what = "not TOML";
  }
  SECTION("a file under another name") {
    file = "codesets/sex.toml";
    from = "name  = \"sex\"", to = "name  = \"gender\"", at = "# ",
    what = "name is 'gender', but the file is called";
  }
  config.change(file, from, to);
  const std::string faults = config.faults(), place = config.place(file, at);
  CAPTURE(faults);
  CHECK(faults.find(place + ": ") != std::string::npos);
  CHECK(faults.find(what) != std::string::npos);
}

TEST_CASE("a dataset's wire id and name are given once") {
  const Config config;
  config.change("datasets/staff.toml", "id    = 5", "id    = 3");
  CHECK(config.faults().find("wire id 3 is taken already, at datasets/pupil.toml:1") != std::string::npos);
}

TEST_CASE("every fault is told at once, not the first alone") {
  const Config config;
  config.change("datasets/pupil.toml", "codeset = \"sex\"", "codeset = \"one\"");
  config.change("datasets/sen.toml", "codeset = \"sen_provision\"", "codeset = \"two\"");
  const std::string faults = config.faults();
  CHECK(faults.find("'one'") != std::string::npos);
  CHECK(faults.find("'two'") != std::string::npos);
}

TEST_CASE("a missing file and an empty folder are said") {
  const Config config;
  fs::remove(config.folder() / "promises.toml");
  fs::remove_all(config.folder() / "codesets");
  const std::string faults = config.faults();
  CHECK(faults.find("promises.toml: there is no such file") != std::string::npos);
  CHECK(faults.find("codesets: this folder holds no .toml file") != std::string::npos);
}

TEST_CASE("texts reach the tables as they are, whatever they hold") {
  const Config config;
  config.change("datasets/pupil.toml", "title = \"Pupils\"", "title = \"A \\\"b\\\" \\\\ caf\\u00e9\"");
  std::vector<Fault> faults;
  const Model model = load(config.folder(), faults);
  REQUIRE(faults.empty());
  CHECK(cpp_source(model).find(R"("A \"b\" \\ caf\303\251")") != std::string::npos);
}

TEST_CASE("a grant that nobody, or nobody known, may have stops the build") {
  const Config config;
  SECTION("nobody") {
    config.change("dictionary.toml", "to    = [\"borough\"]", "to    = []");
    CHECK(config.faults().find("grant 'ATT-CODE': nobody may have it") != std::string::npos);
  }
  SECTION("somebody else") {
    config.change("dictionary.toml", "to    = [\"borough\"]", "to    = [\"press\"]");
    CHECK(config.faults().find("to is \"borough\" or \"federation\", not 'press'") != std::string::npos);
  }
  SECTION("somebody twice") {
    config.change("dictionary.toml", "to    = [\"borough\"]", "to    = [\"borough\", \"borough\"]");
    CHECK(config.faults().find("to names 'borough' twice") != std::string::npos);
  }
  SECTION("not said") {
    config.change("dictionary.toml", "to    = [\"borough\"]\n", "");
    CHECK(config.faults().find("'to' is missing") != std::string::npos);
  }
}

TEST_CASE("a derived field that could say more than it should stops the build") {
  const Config config;
  SECTION("of a field that is not there") {
    config.change("datasets/session_mark.toml", "derived_from = \"code\"", "derived_from = \"mark\"");
    CHECK(config.faults().find("field 'category': derived_from names 'mark'") != std::string::npos);
  }
  SECTION("of itself") {
    config.change("datasets/session_mark.toml", "derived_from = \"code\"", "derived_from = \"category\"");
    CHECK(config.faults().find("derived_from names 'category'") != std::string::npos);
  }
  SECTION("without a grant") {
    config.change("datasets/language.toml", "grant = \"CHAR-BASIC\"\n", "");
    CHECK(config.faults().find("a derived field has a grant") != std::string::npos);
  }
  SECTION("under its origin's grant") {
    config.change("datasets/language.toml", "grant = \"CHAR-BASIC\"", "grant = \"CHAR-FULL\"");
    CHECK(config.faults().find("who may have it may have 'Language' itself") != std::string::npos);
  }
  SECTION("in front of what sources give") {
    config.change("datasets/language.toml", "[[field]]\nid = 5\n",
                  "[[field]]\nid = 9\nname = \"early\"\ntype = \"bool\"\nderived_from = \"Language\"\n"
                  "class = \"special\"\ngrant = \"CHAR-BASIC\"\nnote = \"x\"\n\n[[field]]\nid = 5\n");
    CHECK(config.faults().find("derived fields come last") != std::string::npos);
  }
}

TEST_CASE("a retention that says nothing stops the build") {
  const Config config;
  SECTION("a date that is none") {
    config.change("datasets/suspension.toml", "retention_date  = \"start\"",
                  "retention_date  = \"sessions\"");
    CHECK(config.faults().find("retention_date names 'sessions'") != std::string::npos);
  }
  SECTION("years without a date") {
    config.change("datasets/suspension.toml", "retention_date  = \"start\"\n", "");
    CHECK(config.faults().find("retention_years needs a retention_date") != std::string::npos);
  }
  SECTION("a date without years") {
    config.change("datasets/session_mark.toml", "retention_years = 2", "# ");
    CHECK(config.faults().find("retention_date needs retention_years") != std::string::npos);
  }
}

TEST_CASE("a contact that could leave for a protected pupil stops the build") {
  const Config config;
  config.change("datasets/pupil.toml", "class = \"identity\"\ngrant = \"ROLL\"\nnote = \"From age 14",
                "class = \"contact\"\ngrant = \"ROLL\"\nnote = \"From age 14");
  CHECK(config.faults().find("field 'UniqueLearnerNumber': contacts do not leave") != std::string::npos);
}

TEST_CASE("a key whose row leaves needs a grant; one whose row stays needs none") {
  const Config config;
  CHECK(config.faults().empty());
  config.change("datasets/protection.toml", "required = true\nclass = \"special\"",
                "required = true\ngrant = \"ROLL\"\nclass = \"special\"");
  CHECK(config.faults().find("field 'pupil': a field of the key needs a grant") != std::string::npos);
}
