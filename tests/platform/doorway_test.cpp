// The service's door: who may come in, how much may be said, and what a dead service leaves.
#include "platform/doorway.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A folder with a long name, as data folders may have, and a door in it.
struct House {
  fs::path root;
  fs::path folder;
  std::string socket;
  House() {
    std::string pattern = (fs::temp_directory_path() / "towpath-door-XXXXXX").string();
    root = ::mkdtemp(pattern.data());
    folder = root / std::string(120, 'x');
    fs::create_directories(folder);
    socket = (folder / "control.sock").string();
  }
  House(const House&) = delete;
  House& operator=(const House&) = delete;
  ~House() { fs::remove_all(root); }
};

// Waits until something came, bounded.
Doorway::Came wait_for_something(Doorway& doorway) {
  for (int i = 0; i < 100; ++i) {
    auto came = doorway.wait(milliseconds{50});
    if (!came.visits.empty() || came.stop || came.reload) return came;
  }
  return {};
}

TEST_CASE("a visitor asks a line and hears every line until the last") {
  const House house;
  auto doorway = Doorway::make();
  REQUIRE(doorway);
  const auto door = doorway->open(house.socket);
  REQUIRE(door);
  struct stat file {};
  REQUIRE(::stat(house.socket.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0600);
  auto asked = std::async(std::launch::async, [&] {
    std::string before;
    const auto last = ask_door(house.socket, R"({"ask":"status"})",
                               [&](std::string_view line) { before += std::string(line) + ";"; });
    return before + (last ? *last : last.error().what());
  });
  const auto came = wait_for_something(*doorway);
  REQUIRE(came.visits.size() == 1);
  CHECK(came.visits[0].door == *door);
  CHECK(came.visits[0].line == R"({"ask":"status"})");
  doorway->say(came.visits[0].visitor, "one", false);
  doorway->say(came.visits[0].visitor, std::string(300'000, 'y'), false);
  doorway->say(came.visits[0].visitor, "done", true);
  for (int i = 0; i < 200 && asked.wait_for(seconds{0}) != std::future_status::ready; ++i)
    (void)doorway->wait(milliseconds{20});
  CHECK(asked.get() == "one;" + std::string(300'000, 'y') + ";done");
  doorway->close(*door);
  CHECK_FALSE(fs::exists(house.socket));
}

TEST_CASE("nobody listens: that is said at once, whether or not a killed service has left its socket") {
  const House house;
  const auto none = ask_door(house.socket, "x");
  REQUIRE_FALSE(none);
  CHECK(none.error().code() == Code::kNotFound);
  CHECK(ask_door((house.root / "no" / "folder" / "control.sock").string(), "x").error().code() ==
        Code::kNotFound);
  // As after kill -9: a name that nobody listens at.
  {
    const fs::path here = fs::current_path();
    fs::current_path(house.folder);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "control.sock");
    REQUIRE(::bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
    fs::current_path(here);
  }
  REQUIRE(fs::exists(house.socket));
  CHECK(ask_door(house.socket, "x").error().code() == Code::kNotFound);
  auto doorway = Doorway::make();
  CHECK(doorway->open(house.socket));
}

TEST_CASE("a second service at the same door is refused while the first lives") {
  const House house;
  auto doorway = Doorway::make();
  REQUIRE(doorway->open(house.socket));
  const auto second = doorway->open(house.socket);
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Code::kBusy);
  CHECK(fs::exists(house.socket));
}

TEST_CASE("a visitor that never ends its line, or says too much, is shown out") {
  const House house;
  auto doorway = Doorway::make();
  REQUIRE(doorway->open(house.socket));
  auto flood =
      std::async(std::launch::async, [&] { return ask_door(house.socket, std::string(200'000, 'z')); });
  for (int i = 0; i < 200 && flood.wait_for(seconds{0}) != std::future_status::ready; ++i)
    CHECK(doorway->wait(milliseconds{20}).visits.empty());
  CHECK_FALSE(flood.get());
}

TEST_CASE("signals and a worker's wake end the wait") {
  auto doorway = Doorway::make();
  REQUIRE(doorway);
  ::raise(SIGHUP);
  CHECK(wait_for_something(*doorway).reload);
  ::raise(SIGTERM);
  CHECK(wait_for_something(*doorway).stop);
  const auto before = std::chrono::steady_clock::now();
  std::thread worker([&] { doorway->wake(); });
  (void)doorway->wait(seconds{30});
  worker.join();
  CHECK(std::chrono::steady_clock::now() - before < seconds{10});
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGHUP, SIG_DFL);
  ::signal(SIGINT, SIG_DFL);
}

TEST_CASE("a visitor that has left is nobody") {
  const House house;
  auto doorway = Doorway::make();
  REQUIRE(doorway->open(house.socket));
  doorway->say(12345, "hello", true);
  (void)doorway->wait(milliseconds{1});
}

}  // namespace
}  // namespace towpath::platform
