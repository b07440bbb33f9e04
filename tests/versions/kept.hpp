// What released versions wrote, unpacked for a test: fixtures/README.md says what each is and who wrote it.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace towpath::versions {

namespace fs = std::filesystem;

// Which went together. A change of tables or formats adds a line, and its files by make-fixture.
struct Release {
  int store, hub;
};
inline constexpr Release kReleases[] = {{1, 1}, {2, 1}, {3, 1}, {4, 2}, {5, 3}};
inline constexpr Release kPresent = kReleases[std::size(kReleases) - 1];
inline constexpr const char* kUrn = "100001";
// The fifth day is the first that the present build reads.
inline constexpr int kDaysKept = 4;

inline fs::path fixtures() {
  const char* source = std::getenv("TOWPATH_SOURCE");
  return fs::path(source == nullptr ? "." : source) / "tests/versions/fixtures";
}

inline std::string bytes_in(const fs::path& path) {
  INFO(path);
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline std::string kept(const std::string& file) { return bytes_in(fixtures() / file); }

inline void unpack(const std::string& archive, const fs::path& into) {
  fs::create_directories(into);
  const std::string command =
      "tar --zstd -xf '" + (fixtures() / archive).string() + "' -C '" + into.string() + "'";
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// Every file below a folder, by name: to say that nothing has been touched. What belongs to a run (its
// lock, and the index of a log, which anybody who looks makes) does not count.
inline std::map<std::string, std::string> all_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (!entry.is_regular_file() || name.ends_with(".lock") || name.ends_with("-shm")) continue;
    if (name.ends_with("-wal") && entry.file_size() == 0) continue;
    files[name] = bytes_in(entry.path());
  }
  return files;
}
// Their names where they differ, for a failing check to show.
inline std::string differing(const std::map<std::string, std::string>& a,
                             const std::map<std::string, std::string>& b) {
  std::string names;
  for (const auto& [name, bytes] : a)
    if (const auto at = b.find(name); at == b.end() || at->second != bytes) names += name + " ";
  for (const auto& [name, bytes] : b)
    if (!a.contains(name)) names += name + " ";
  return names;
}

class Place {
 public:
  Place() {
    std::string pattern = (fs::temp_directory_path() / "towpath-versions-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

}  // namespace towpath::versions
