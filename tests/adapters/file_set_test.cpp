#include "adapters/text/file_set.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "fixtures.hpp"

using namespace towpath;
using namespace towpath::testing;

namespace {

Result<std::string> slurp(const FileSet& set, std::string_view name) {
  auto source = set.open_file(name);
  if (!source) return fail(std::move(source).error());
  std::string out;
  char block[1000];
  for (;;) {
    auto got = (*source)->read(block);
    if (!got) return fail(std::move(got).error());
    if (*got == 0) return out;
    out.append(block, *got);
  }
}

std::string refusal(const TempFolder& folder, const std::vector<ZipEntry>& entries,
                    const ZipLimits& limits = {}) {
  auto set = FileSet::open(folder.write("x.zip", make_zip(entries)), limits);
  return set ? "opened" : set.error().sentence();
}

}  // namespace

TEST_CASE("a folder, a zip and a file are the same list of files") {
  TempFolder folder;
  folder.write("b.csv", "two");
  folder.write("a.csv", "one");
  auto set = FileSet::open(folder.path());
  REQUIRE(set);
  CHECK(set->names() == std::vector<std::string>{"a.csv", "b.csv"});
  CHECK(slurp(*set, "a.csv").value() == "one");
  CHECK(set->find("B.CSV") == "b.csv");
  CHECK_FALSE(set->find("c.csv"));

  const std::string large(300'000, 'q');
  TempFolder other;
  auto zip = FileSet::open(other.write("x.zip", make_zip({{"b.csv", large}, {"a.csv", "one", false}})));
  REQUIRE(zip);
  CHECK(zip->names() == std::vector<std::string>{"a.csv", "b.csv"});
  CHECK(slurp(*zip, "b.csv").value() == large);
  CHECK(slurp(*zip, "a.csv").value() == "one");
  CHECK(slurp(*zip, "a.csv").value() == "one");  // twice

  auto file = FileSet::open(folder.path() / "a.csv");
  REQUIRE(file);
  CHECK(file->names() == std::vector<std::string>{"a.csv"});
  CHECK(slurp(*file, "a.csv").value() == "one");
}

TEST_CASE("a pipe is no export, and is not waited for") {
  TempFolder folder;
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto set = FileSet::open(pipe);
  REQUIRE_FALSE(set);
  CHECK(set.error().what() == "pipe is not a file");
}

TEST_CASE("a zip of one folder is read as if its files were at the root; of two it is refused") {
  TempFolder folder;
  auto set = FileSet::open(folder.write("x.zip", make_zip({{"export/", "", false},
                                                           {"export/users.csv", "u"},
                                                           {"__MACOSX/export/._users.csv", "junk"}})));
  REQUIRE(set);
  CHECK(set->names() == std::vector<std::string>{"users.csv"});
  CHECK(slurp(*set, "users.csv").value() == "u");
  CHECK(
      refusal(folder, {{"a/users.csv", "u"}, {"b/users.csv", "u"}}).find("x.zip holds files in 2 folders") ==
      0);
}

TEST_CASE("names that climb out of a zip are refused") {
  TempFolder folder;
  for (const char* name :
       {"../users.csv", "/etc/passwd", "a/../../x.csv", "C:x.csv", "..\\x.csv", "./x.csv"}) {
    INFO(name);
    CHECK(refusal(folder, {{name, "u"}}).find("x.zip holds a file name that leads out of the zip") == 0);
  }
  CHECK(refusal(folder, {{std::string(300, 'n'), "u"}}).find("x.zip holds a file whose name has 300 bytes") ==
        0);
}

TEST_CASE("zip bombs are refused before they are unpacked") {
  TempFolder folder;
  CHECK(refusal(folder, {{"users.csv", std::string(20 << 20, '0')}})
            .find("x.zip holds a file that would unpack to over 300 times its size") == 0);
  ZipLimits small;
  small.member_bytes = 1 << 20;
  small.ratio_from_bytes = 1 << 30;
  CHECK(refusal(folder, {{"users.csv", std::string((1 << 20) + 1, '0')}}, small)
            .find("x.zip would unpack to more than 1 MiB") == 0);
  small.total_bytes = 1 << 20;
  CHECK(refusal(folder, {{"a.csv", std::string(600'000, '0')}, {"b.csv", std::string(600'000, '0')}}, small)
            .find("x.zip would unpack to more than 1 MiB") == 0);
  ZipLimits few;
  few.members = 2;
  CHECK(refusal(folder, {{"a", ""}, {"b", ""}, {"c", ""}}, few).find("x.zip says that it holds 3 files") ==
        0);
}

TEST_CASE("a member that lies about its size, is packed strangely, locked or there twice is refused") {
  TempFolder folder;
  for (const std::uint32_t lie : {5u, 2000u}) {
    auto set = FileSet::open(folder.write("x.zip", make_zip({{"a.csv", std::string(1000, 'x'), true, lie}})));
    REQUIRE(set);
    auto text = slurp(*set, "a.csv");
    REQUIRE_FALSE(text);
    CHECK(text.error().code() == Code::kDamaged);
  }
  CHECK(refusal(folder, {{"a.csv", "x", true, std::nullopt, 1}}).find("x.zip is protected by a password") ==
        0);
  CHECK(refusal(folder, {{"a.csv", "x", false, std::nullopt, 0, 14}}).find("x.zip is packed by method 14") ==
        0);
  CHECK(refusal(folder, {{"a.csv", "x"}, {"a.csv", "y"}})
            .find("x.zip is a damaged zip: it holds a.csv twice") == 0);
}

TEST_CASE(
    "a zip cut short anywhere, or with any byte of a member flipped, is never read as if it were whole") {
  TempFolder folder;
  const std::string content = "id,name\n1,Ada\n2,Bo\n";
  const std::string whole = make_zip({{"a.csv", content}, {"b.csv", content, false}});
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO("cut after " << length);
    auto set = FileSet::open(folder.write("x.zip", std::string_view(whole).substr(0, length)));
    if (!set) {
      CHECK_FALSE(set.error().next().empty());
      continue;
    }
    // Only the very end of the directory can be missed without missing anything.
    for (const std::string& name : set->names()) {
      CHECK(length + 8 >= whole.size());
      if (auto text = slurp(*set, name)) CHECK(*text == content);
    }
  }
  std::size_t caught = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    INFO("flipped " << at);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    auto set = FileSet::open(folder.write("x.zip", flipped));
    if (!set) {
      ++caught;
      continue;
    }
    for (const std::string& name : set->names()) {
      auto text = slurp(*set, name);
      if (!text) ++caught;
      if (text) CHECK(*text == content);  // a flipped time or name does not change what is read
    }
  }
  CHECK(caught > whole.size() / 2);
}

TEST_CASE("a path that leads nowhere, and a zip that is none, are said in a sentence") {
  TempFolder folder;
  auto nothing = FileSet::open(folder.path() / "nothing");
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code() == Code::kNotFound);
  CHECK(nothing.error().what().find("nothing is not there") != std::string::npos);
  auto text = FileSet::open(folder.write("y.zip", "not a zip at all"));
  REQUIRE_FALSE(text);
  CHECK(text.error().sentence().find("y.zip is not a zip (it does not begin like one)") == 0);
  auto set = FileSet::open(folder.path());
  REQUIRE(set);
  CHECK(set->open_file("gone.csv").error().code() == Code::kNotFound);
}

TEST_CASE("a file that grows, shrinks or goes away while it is read is an error, not a shorter file") {
  TempFolder folder;
  const std::string content(10'000, 'x');
  for (const int how : {0, 1, 2, 3}) {
    INFO("way " << how);
    folder.write("a.csv", content);
    auto set = FileSet::open(folder.path());
    REQUIRE(set);
    auto source = set->open_file("a.csv");
    REQUIRE(source);
    char block[1000];
    REQUIRE((*source)->read(block).value() == 1000);
    const fs::path path = folder.path() / "a.csv";
    if (how == 0) std::ofstream(path, std::ios::app) << "more";
    if (how == 1) fs::resize_file(path, 5'000);
    if (how == 2) fs::remove(path);
    if (how == 3) fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(5));
    Result<std::size_t> got = 1;
    while (got && *got > 0) got = (*source)->read(block);
    REQUIRE_FALSE(got);
    CHECK(got.error().code() == Code::kSourceChanged);
  }
}

TEST_CASE("a file or zip that changes between two readings of a run is an error") {
  TempFolder folder;
  folder.write("a.csv", "one");
  auto set = FileSet::open(folder.path());
  REQUIRE(slurp(*set, "a.csv"));
  folder.write("a.csv", "one and two");
  CHECK(set->open_file("a.csv").error().code() == Code::kSourceChanged);
  TempFolder other;
  auto zip = FileSet::open(other.write("x.zip", make_zip({{"a.csv", "one"}})));
  REQUIRE(slurp(*zip, "a.csv"));
  other.write("x.zip", make_zip({{"a.csv", "one and two"}}));
  CHECK(zip->open_file("a.csv").error().code() == Code::kSourceChanged);
}

TEST_CASE("globs match names as people expect") {
  CHECK(glob_matches("marks-*.csv", "marks-2026-09.csv"));
  CHECK(glob_matches("*", "anything"));
  CHECK(glob_matches("MARKS.csv", "marks.CSV"));
  CHECK(glob_matches("a?c*", "abcdef"));
  CHECK_FALSE(glob_matches("marks-*.csv", "marks.csv"));
  CHECK_FALSE(glob_matches("*.csv", "a.csv.gz"));
  CHECK_FALSE(glob_matches("", "a"));
}

TEST_CASE("a file that is missing is looked for packed, misspelt and with an ending too many") {
  const auto advice = [](std::string_view pattern, std::vector<std::string> names) {
    return advice_on_missing(pattern, names);
  };
  CHECK(advice("marks.csv", {"marks.csv.gz", "mark.csv"}) == "Unpack marks.csv.gz");
  CHECK(advice("marks-*.csv", {"marks-2026.zip"}) == "Unpack marks-2026.zip");
  CHECK(advice("marks.csv", {"marks.csv.txt", "other.csv"}) == "Did you mean marks.csv.txt?");
  CHECK(advice("clubs.csv", {"club.csv", "clbus2.csv"}) == "Did you mean club.csv?");
  CHECK(advice("marks-*.csv", {"maks-1.csv", "pupils.csv"}) == "Did you mean maks-1.csv?");
  CHECK(advice("marks-*.csv", {"pupils.csv", "sen.csv", "x"}).empty());
  CHECK(advice("marks.csv", {}).empty());
  CHECK(advice("", {"marks.csv"}).empty());
  CHECK(advice(std::string(10'000, 'a'), {"a"}).empty());
}
