#include "platform/daemon.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace towpath::platform {
namespace {

// linux/ioprio.h is not in every C library's headers: who = this process, class 3 = idle.
constexpr int kIoprioWhoProcess = 1;
constexpr int kIoprioIdle = 3 << 13;
// As far as the unit's Nice= goes (installer/); behind everything that people wait for.
constexpr int kNice = 10;

// The instant of those parts, if clocks show them, read as summer (1) or winter (0) time.
bool shown(const struct tm& parts, int summer, time_t& out) {
  struct tm asked = parts;
  asked.tm_isdst = summer;
  out = ::mktime(&asked);
  struct tm back {};
  return out != time_t{-1} && ::localtime_r(&out, &back) != nullptr && back.tm_isdst == summer &&
         back.tm_hour == parts.tm_hour && back.tm_min == parts.tm_min && back.tm_mday == parts.tm_mday;
}

}  // namespace

void notify_manager(std::string_view lines) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  struct sockaddr_un to {};
  to.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, length);
  if (path[0] == '@') to.sun_path[0] = '\0';  // an abstract name
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  // A manager that does not listen must not hold the program up.
  (void)!::sendto(fd, lines.data(), lines.size(), MSG_NOSIGNAL, reinterpret_cast<struct sockaddr*>(&to),
                  static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + length));
  ::close(fd);
}

std::chrono::milliseconds watchdog_patience() {
  const char* text = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  if (text == nullptr) return {};
  if (pid != nullptr && std::to_string(::getpid()) != pid) return {};
  std::int64_t us = 0;
  const auto done = std::from_chars(text, text + std::strlen(text), us);
  return done.ec == std::errc{} && us > 0 ? std::chrono::milliseconds{us / 1000}
                                          : std::chrono::milliseconds{};
}

void be_a_guest() {
  // Both are manners: where the system refuses, the work is done all the same.
  if (::getpriority(PRIO_PROCESS, 0) < kNice) (void)::setpriority(PRIO_PROCESS, 0, kNice);
  (void)::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioIdle);
}

void end_now(int exit_code) {
  std::fflush(nullptr);
  ::_exit(exit_code);
}

Instant local_instant(Date day, int minute) {
  struct tm parts {};
  const Date on = day.plus(minute / 1440);
  parts.tm_year = on.year() - 1900;
  parts.tm_mon = static_cast<int>(on.month()) - 1;
  parts.tm_mday = static_cast<int>(on.day());
  parts.tm_hour = minute % 1440 / 60;
  parts.tm_min = minute % 60;
  time_t summer = 0, winter = 0;
  const bool in_summer = shown(parts, 1, summer);
  const bool in_winter = shown(parts, 0, winter);
  const auto instant = [](time_t t) { return Instant{std::chrono::seconds{t}}; };
  if (in_summer && in_winter) return instant(std::min(summer, winter));
  if (in_summer) return instant(summer);
  if (in_winter) return instant(winter);
  // No clock shows it: between the two readings the clocks change, and that is where it begins.
  time_t before = std::min(summer, winter), after = std::max(summer, winter);
  const auto is_summer = [](time_t t) {
    struct tm at {};
    return ::localtime_r(&t, &at) != nullptr && at.tm_isdst > 0;
  };
  const bool first = is_summer(before);
  while (before + 1 < after) {
    const time_t middle = before + (after - before) / 2;
    (is_summer(middle) == first ? before : after) = middle;
  }
  return instant(after);
}

std::uint64_t memory_bytes() {
  // Pages: all, then resident.
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long all = 0, resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &all, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

void give_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

std::chrono::milliseconds steady_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace towpath::platform
