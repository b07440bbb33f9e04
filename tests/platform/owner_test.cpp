// A program that root has started works as whom its folder belongs to. Only root can show most
// of it: elsewhere these cases say so and check that nothing happens.
#include "platform/owner.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "platform/platform.hpp"

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;

// A folder that every user can reach, with a data folder in it.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "towpath-owner-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    fs::permissions(path_, fs::perms(0755));
    fs::create_directory(data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string data() const { return path_ + "/data"; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("not run by root, so that there is no right to give up here");
  return false;
}

// Runs it in a process of its own, because what is given up does not come back. Returns what it
// said: "fine", or what was wrong.
std::string in_another_process(const std::function<std::string()>& work) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string said = work();
    const ssize_t wrote = ::write(pipe[1], said.data(), said.size());
    ::_exit(wrote == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string said;
  std::array<char, 512> piece;
  for (ssize_t n = 0; (n = ::read(pipe[0], piece.data(), piece.size())) > 0;)
    said.append(piece.data(), static_cast<std::size_t>(n));
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  return said;
}

TEST_CASE("root becomes the user whom the data folder belongs to, wholly and for good") {
  if (!is_root()) return;
  const struct passwd* nobody = ::getpwnam("nobody");
  REQUIRE(nobody != nullptr);
  const uid_t user = nobody->pw_uid;
  const gid_t group = nobody->pw_gid;
  const Folder folder;
  REQUIRE(::chown(folder.data().c_str(), user, group) == 0);
  std::ofstream(folder.file("of-root")) << "x";
  fs::permissions(folder.file("of-root"), fs::perms(0600));
  const std::string said = in_another_process([&]() -> std::string {
    const auto name = become_owner_of(folder.data());
    if (!name) return name.error().sentence();
    if (*name != "nobody") return "name " + *name;
    uid_t r = 0, e = 0, s = 0;
    gid_t rg = 0, eg = 0, sg = 0;
    if (::getresuid(&r, &e, &s) != 0 || r != user || e != user || s != user) return "user";
    if (::getresgid(&rg, &eg, &sg) != 0 || rg != group || eg != group || sg != group) return "group";
    std::array<gid_t, 64> groups{};
    const int n = ::getgroups(static_cast<int>(groups.size()), groups.data());
    for (int i = 0; i < n; ++i)
      if (groups[static_cast<std::size_t>(i)] == 0) return "still in root's group";
    if (::setuid(0) == 0 || ::seteuid(0) == 0) return "root again";
    if (may_read(folder.file("of-root"))) return "may read a file of root's";
    if (!write_file(folder.data() + "/key", bytes_of("k"))) return "cannot write into its folder";
    const auto again = become_owner_of(folder.data());
    if (!again || !again->empty()) return "changed a second time";
    return "fine";
  });
  CHECK(said == "fine");
  struct stat info {};
  REQUIRE(::stat((folder.data() + "/key").c_str(), &info) == 0);
  CHECK(info.st_uid == user);
  CHECK(info.st_gid == group);
}

TEST_CASE("a folder that is yet to be made will belong to whom the folder above it belongs") {
  if (!is_root()) return;
  const struct passwd* nobody = ::getpwnam("nobody");
  REQUIRE(nobody != nullptr);
  const Folder folder;
  REQUIRE(::chown(folder.data().c_str(), nobody->pw_uid, nobody->pw_gid) == 0);
  const std::string said = in_another_process([&]() -> std::string {
    const auto name = become_owner_of(folder.data() + "/second-school/data");
    if (!name) return name.error().sentence();
    if (*name != "nobody") return "name " + *name;
    if (!make_private_folder(folder.data() + "/second-school/data")) return "cannot make it";
    return "fine";
  });
  CHECK(said == "fine");
}

TEST_CASE("a folder whose user the machine has no name for is worked in as that number") {
  if (!is_root()) return;
  constexpr uid_t kStranger = 54'321;  // no Debian machine gives this number out by itself
  REQUIRE(::getpwuid(kStranger) == nullptr);
  const Folder folder;
  REQUIRE(::chown(folder.data().c_str(), kStranger, kStranger) == 0);
  const std::string said = in_another_process([&]() -> std::string {
    const auto name = become_owner_of(folder.data());
    if (!name) return name.error().sentence();
    if (*name != "54321") return "name " + *name;
    if (::getuid() != kStranger || ::getgid() != kStranger) return "user or group";
    std::array<gid_t, 64> groups{};
    if (::getgroups(static_cast<int>(groups.size()), groups.data()) != 1) return "further groups";
    return "fine";
  });
  CHECK(said == "fine");
}

TEST_CASE("a file that root was asked to write is written by whom root has become") {
  if (!is_root()) return;
  const struct passwd* nobody = ::getpwnam("nobody");
  REQUIRE(nobody != nullptr);
  const Folder folder;
  REQUIRE(::chown(folder.data().c_str(), nobody->pw_uid, nobody->pw_gid) == 0);
  const std::string said = in_another_process([&]() -> std::string {
    auto file = GivenFile::open(folder.file("stick"));
    if (!file) return file.error().sentence();
    if (!become_owner_of(folder.data())) return "did not change";
    if (GivenFile::open(folder.file("another"))) return "may write where only root may";
    if (const auto done = file->write(bytes_of("sealed")); !done) return done.error().sentence();
    return "fine";
  });
  CHECK(said == "fine");
  CHECK(read_file(folder.file("stick"), 100).value() == "sealed");
}

TEST_CASE("a given file keeps its old content until it is written, and is then only the new") {
  const Folder folder;
  std::ofstream(folder.file("old")) << "a longer content";
  {
    const auto looked = GivenFile::open(folder.file("old"));
    REQUIRE(looked);
  }
  CHECK(read_file(folder.file("old"), 100).value() == "a longer content");
  {
    auto file = GivenFile::open(folder.file("old"));
    REQUIRE(file);
    REQUIRE(file->write(bytes_of("new")));
  }
  CHECK(read_file(folder.file("old"), 100).value() == "new");
}

TEST_CASE("a given file is its owner's only once it is written, and a link to another is refused") {
  const Folder folder;
  std::ofstream(folder.file("old")) << "a longer content";
  REQUIRE(::chmod(folder.file("old").c_str(), 0644) == 0);
  fs::create_symlink(folder.file("old"), folder.file("link"));
  fs::create_symlink(folder.file("nowhere"), folder.file("dangling"));
  for (const char* name : {"link", "dangling"}) {
    const auto refused = GivenFile::open(folder.file(name));
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().sentence(), Catch::Contains(name) && Catch::Contains("symbolic link"));
  }
  CHECK_FALSE(fs::exists(folder.file("nowhere")));
  auto file = GivenFile::open(folder.file("old"));
  REQUIRE(file);
  REQUIRE(file->write(bytes_of("new")));
  struct stat info {};
  REQUIRE(::stat(folder.file("old").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(read_file(folder.file("old"), 100).value() == "new");
}

TEST_CASE("a given file that came to nothing is not left behind, and a folder is no file") {
  const Folder folder;
  { REQUIRE(GivenFile::open(folder.file("empty"))); }
  CHECK_FALSE(fs::exists(folder.file("empty")));
  CHECK(GivenFile::open(folder.data()).error().code() == Code::kIo);
  CHECK(GivenFile::open(folder.file("no/such/file")).error().code() == Code::kNotFound);
}

TEST_CASE("in a folder of its own, or one that is nowhere, a process stays who it is") {
  const Folder folder;
  const uid_t before = ::geteuid();
  for (const std::string& path : {folder.data(), folder.file("not/there/yet")}) {
    const auto name = become_owner_of(path);
    REQUIRE(name);
    CHECK(name->empty());
  }
  CHECK(::geteuid() == before);
}

TEST_CASE("a process that is not root's is left alone in somebody else's folder") {
  const Folder folder;
  const std::string said = in_another_process([&]() -> std::string {
    if (::geteuid() == 0 && ::setuid(54'321) != 0) return "cannot stop being root";
    const auto name = become_owner_of("/");
    if (!name || !name->empty()) return "changed";
    return "fine";
  });
  CHECK(said == "fine");
}

}  // namespace
}  // namespace towpath::platform
