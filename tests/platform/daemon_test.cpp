// The time on the wall, and what the service manager hears.
#include "platform/daemon.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace towpath::platform {
namespace {

// The process's time zone for the length of a scope.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* before = ::getenv("TZ")) before_ = before;
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;
  ~Zone() {
    before_.empty() ? ::unsetenv("TZ") : ::setenv("TZ", before_.c_str(), 1);
    ::tzset();
  }

 private:
  std::string before_;
};

std::string at(const char* day, int minute) {
  return iso(local_instant(*Date::parse(day), minute)).substr(0, 16);
}

TEST_CASE("the wall's time is found in winter, in summer and over midnight") {
  const Zone london("GMT0BST,M3.5.0/1,M10.5.0");  // Europe/London's rule, without a database
  CHECK(at("2026-11-23", 7 * 60 + 15) == "2026-11-23T07:15");
  CHECK(at("2026-07-01", 7 * 60) == "2026-07-01T06:00");
  CHECK(at("2026-06-30", 24 * 60 + 30) == "2026-06-30T23:30");
}

TEST_CASE("an hour that spring leaves out is the change, and one that autumn has twice is its first") {
  const Zone london("GMT0BST,M3.5.0/1,M10.5.0");
  CHECK(at("2027-03-28", 59) == "2027-03-28T00:59");
  CHECK(at("2027-03-28", 60) == "2027-03-28T01:00");
  CHECK(at("2027-03-28", 90) == "2027-03-28T01:00");
  CHECK(at("2027-03-28", 120) == "2027-03-28T01:00");
  CHECK(at("2027-03-28", 121) == "2027-03-28T01:01");
  CHECK(at("2026-10-25", 59) == "2026-10-24T23:59");
  CHECK(at("2026-10-25", 60) == "2026-10-25T00:00");
  CHECK(at("2026-10-25", 90) == "2026-10-25T00:30");
  CHECK(at("2026-10-25", 120) == "2026-10-25T02:00");
}

TEST_CASE("where clocks never change the wall's time is plain") {
  const Zone utc("UTC0");
  CHECK(at("2027-03-28", 90) == "2027-03-28T01:30");
}

TEST_CASE("the manager hears what it is told, and nothing is said where nobody asked") {
  ::unsetenv("NOTIFY_SOCKET");
  notify_manager("READY=1");
  const std::string path =
      (std::filesystem::temp_directory_path() / ("towpath-notify-" + std::to_string(::getpid()))).string();
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  REQUIRE(::bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address) == 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_manager("READY=1\nSTATUS=fine");
  char buffer[100];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  CHECK(got > 0);
  CHECK(std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0) == "READY=1\nSTATUS=fine");
  ::unsetenv("NOTIFY_SOCKET");
  ::close(fd);
  ::unlink(path.c_str());
}

TEST_CASE("the watchdog's patience is only ours if it is meant for this process") {
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  ::unsetenv("WATCHDOG_PID");
  CHECK(watchdog_patience() == std::chrono::seconds{60});
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK(watchdog_patience() == std::chrono::seconds{0});
  ::unsetenv("WATCHDOG_PID");
  ::setenv("WATCHDOG_USEC", "soon", 1);
  CHECK(watchdog_patience() == std::chrono::seconds{0});
  ::unsetenv("WATCHDOG_USEC");
  CHECK(watchdog_patience() == std::chrono::seconds{0});
  CHECK(memory_bytes() > 100'000);
}

}  // namespace
}  // namespace towpath::platform
