#include "adapters/text/zip_writer.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "adapters/text/file_set.hpp"
#include "platform/inspect.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;

constexpr Instant kDay = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23};

std::string whole(const FileSet& files, const std::string& name) {
  auto source = files.open_file(name);
  REQUIRE(source);
  std::string out;
  char piece[1000];
  for (;;) {
    const auto n = (*source)->read(piece);
    REQUIRE(n);
    if (*n == 0) return out;
    out.append(piece, *n);
  }
}

TEST_CASE("what is written as a zip is read back as it was, and the same entries make the same bytes") {
  std::string pattern = (fs::temp_directory_path() / "towpath-zip-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  std::string large;
  for (int i = 0; i < 50'000; ++i) large += std::to_string(i * 7919 % 10'007) + "\n";
  const std::vector<ZipEntry> entries{{"a.json", "{}\n"}, {"empty.txt", ""}, {"large.txt", large}};
  const auto zip = make_zip(entries, kDay);
  REQUIRE(zip);
  CHECK(*zip == *make_zip(entries, kDay));
  CHECK(*zip != *make_zip(entries, kDay + std::chrono::hours{24}));
  const std::string path = folder / "x.zip";
  {
    auto file = platform::NewFile::open(path);
    REQUIRE(file);
    REQUIRE(file->write(*zip));
  }
  {
    const auto files = FileSet::open(path);
    REQUIRE(files);
    CHECK(files->names() == std::vector<std::string>{"a.json", "empty.txt", "large.txt"});
    for (const ZipEntry& entry : entries) CHECK(whole(*files, entry.name) == entry.content);
  }
  fs::remove_all(folder);
}

TEST_CASE("a zip that would fill the memory is refused") {
  const std::vector<ZipEntry> entries{{"a", std::string(kZipWrittenMax, 'x')}};
  const auto zip = make_zip(entries, kDay);
  REQUIRE_FALSE(zip);
  CHECK(zip.error().code() == Code::kTooLarge);
}

TEST_CASE("a new file is its owner's only, and one that is there is not overwritten") {
  std::string pattern = (fs::temp_directory_path() / "towpath-zip-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const std::string path = folder / "new";
  {
    auto file = platform::NewFile::open(path);
    REQUIRE(file);
    REQUIRE(file->write(bytes_of("first")));
  }
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const auto again = platform::NewFile::open(path);
  REQUIRE_FALSE(again);
  CHECK_THAT(again.error().sentence(), Catch::Contains("is not overwritten") && Catch::Contains("--out"));
  CHECK(fs::file_size(path) == 5);
  fs::create_symlink(folder / "elsewhere", folder / "link");
  CHECK_FALSE(platform::NewFile::open(folder / "link"));
  CHECK_FALSE(fs::exists(folder / "elsewhere"));
  CHECK(platform::NewFile::open(folder / "none" / "x").error().code() == Code::kNotFound);
  { const auto unused = platform::NewFile::open(folder / "unused"); }
  CHECK_FALSE(fs::exists(folder / "unused"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace towpath
