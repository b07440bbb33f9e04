// The real world behaves as its header says: on real files, in a folder of its own.
#include "platform/platform.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "towpath-platform-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777U;
}

TEST_CASE("a folder has one holder at a time, and the second is told the first's pid") {
  const Folder folder;
  CHECK(FolderLock::holder(folder.path()) == 0);
  {
    const auto first = FolderLock::take(folder.path());
    REQUIRE(first);
    CHECK(FolderLock::holder(folder.path()) == process_id());
    const auto second = FolderLock::take(folder.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == Code::kBusy);
    CHECK_THAT(second.error().what(), Catch::Contains("process " + std::to_string(process_id())));
    CHECK_THAT(second.error().what(), Catch::Contains(folder.path()));
  }
  CHECK(FolderLock::holder(folder.path()) == 0);
  CHECK(FolderLock::take(folder.path()).has_value());
}

TEST_CASE("a moved lock still holds, and a lock assigned over lets go") {
  const Folder a;
  const Folder b;
  auto first = FolderLock::take(a.path());
  REQUIRE(first);
  FolderLock held = std::move(*first);
  CHECK(FolderLock::holder(a.path()) == process_id());
  auto second = FolderLock::take(b.path());
  REQUIRE(second);
  held = std::move(*second);
  CHECK(FolderLock::holder(a.path()) == 0);
  CHECK(FolderLock::holder(b.path()) == process_id());
}

TEST_CASE("a killed holder is no holder, whatever its lock file says") {
  const Folder folder;
  std::array<int, 2> ready{};
  REQUIRE(::pipe(ready.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto lock = FolderLock::take(folder.path());
    const char said = lock ? 'y' : 'n';
    if (::write(ready[1], &said, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char said = '?';
  REQUIRE(::read(ready[0], &said, 1) == 1);
  CHECK(said == 'y');
  CHECK(FolderLock::holder(folder.path()) == child);
  const auto refused = FolderLock::take(folder.path());
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().what(), Catch::Contains("process " + std::to_string(child)));
  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(FolderLock::holder(folder.path()) == 0);
  CHECK(FolderLock::take(folder.path()).has_value());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a pipe or a device is no file to read, and nothing waits for its writer") {
  const Folder folder;
  REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  for (const std::string& path : {folder.file("pipe"), std::string("/dev/zero")}) {
    const auto read = read_file(path, 100);
    REQUIRE_FALSE(read);
    CHECK_THAT(read.error().sentence(), Catch::Contains(path) && Catch::Contains("pipe or a device"));
  }
}

TEST_CASE("a program that asked for it leaves no core dump, whatever its limit was") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    leave_no_core_dumps();
    struct rlimit left {
      1, 1
    };
    ::_exit(::getrlimit(RLIMIT_CORE, &left) == 0 && left.rlim_cur == 0 && left.rlim_max == 0 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a lock on a folder that is not there says which folder") {
  const Folder folder;
  const auto lock = FolderLock::take(folder.file("nowhere"));
  REQUIRE_FALSE(lock);
  CHECK(lock.error().code() == Code::kNotFound);
  CHECK_THAT(lock.error().what(), Catch::Contains(folder.file("nowhere")));
}

TEST_CASE("a private folder and its new parents are their owner's only, and an old parent is left alone") {
  const Folder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  REQUIRE(make_private_folder(folder.file("a/b/c")));
  CHECK(mode_of(folder.file("a")) == 0700);
  CHECK(mode_of(folder.file("a/b/c")) == 0700);
  CHECK(mode_of(folder.path()) == 0755);
  CHECK(make_private_folder(folder.file("a/b/c")).has_value());
}

TEST_CASE("a private folder where a file is in the way is refused with the file's path") {
  const Folder folder;
  std::ofstream(folder.file("taken")) << "x";
  const auto same = make_private_folder(folder.file("taken"));
  REQUIRE_FALSE(same);
  CHECK_THAT(same.error().what(), Catch::Contains(folder.file("taken")));
  const auto below = make_private_folder(folder.file("taken/below"));
  REQUIRE_FALSE(below);
  CHECK_THAT(below.error().what(), Catch::Contains(folder.file("taken/below")));
}

TEST_CASE("a written file is read back whole, replaces the old one and leaves nothing beside it") {
  const Folder folder;
  const std::string path = folder.file("note");
  REQUIRE(write_file(path, bytes_of("old")));
  const std::string binary("new\0\r\n\xff", 7);
  REQUIRE(write_file(path, bytes_of(binary)));
  const auto read = read_file(path, 100);
  REQUIRE(read);
  CHECK(*read == binary);
  CHECK(mode_of(path) == 0600);
  std::size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    (void)entry;
    ++entries;
  }
  CHECK(entries == 1);
}

TEST_CASE("a file that cannot be written leaves the old one as it was") {
  const Folder folder;
  const std::string path = folder.file("kept");
  REQUIRE(fs::create_directory(path));  // a rename onto a folder fails after the write has succeeded
  CHECK_FALSE(write_file(path, bytes_of("x")));
  CHECK(fs::is_directory(path));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
  const auto nowhere = write_file(folder.file("no/such/folder"), bytes_of("x"));
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code() == Code::kNotFound);
}

TEST_CASE("reading stops at the limit, and a folder or a missing file is said to be one") {
  const Folder folder;
  std::ofstream(folder.file("ten")) << "0123456789";
  CHECK(read_file(folder.file("ten"), 10).value() == "0123456789");
  const auto large = read_file(folder.file("ten"), 9);
  REQUIRE_FALSE(large);
  CHECK(large.error().code() == Code::kTooLarge);
  const auto missing = read_file(folder.file("eleven"), 9);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code() == Code::kNotFound);
  const auto is_folder = read_file(folder.path(), 9);
  REQUIRE_FALSE(is_folder);
  CHECK_THAT(is_folder.error().what(), Catch::Contains("it is a folder"));
}

TEST_CASE("new files are private once that is asked for") {
  const Folder folder;
  const auto before = ::umask(022);
  keep_new_files_private();
  std::ofstream(folder.file("private")) << "x";
  ::umask(before);
  CHECK(mode_of(folder.file("private")) == 0600);
}

TEST_CASE("randomness does not repeat, and the process can tell its size and its free disk") {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.u64());
  CHECK(seen.size() == 1000);
  CHECK(peak_memory_bytes() > 100'000);
  CHECK(cpu_seconds() > 0.0);
  const Folder folder;
  CHECK(free_bytes(folder.path()).value() > 0);
  CHECK(free_bytes(folder.file("nowhere")).error().code() == Code::kNotFound);
}

TEST_CASE("the local date follows the machine's time zone") {
  const Instant before_midnight = parse_instant("2026-07-01T23:30:00Z").value();
  ::setenv("TZ", "Europe/London", 1);
  ::tzset();
  CHECK(local_date(before_midnight).iso() == "2026-07-02");
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(local_date(before_midnight).iso() == "2026-07-01");
  ::unsetenv("TZ");
  ::tzset();
}

}  // namespace
}  // namespace towpath::platform
