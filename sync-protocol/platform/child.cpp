#include "platform/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace towpath::platform {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// How often a wish to stop is looked at: well within the second that a person is promised.
constexpr std::chrono::milliseconds kLook{100};

tl::unexpected<Error> no_process(int error, const std::string& program) {
  return fail(Code::kIo, "cannot start " + program + ": " + std::system_category().message(error),
              "Check that the program may start a process of its own");
}

bool limit(pid_t pid, __rlimit_resource what, std::uint64_t soft, std::uint64_t hard) {
  struct rlimit value {};
  value.rlim_cur = static_cast<rlim_t>(soft);
  value.rlim_max = static_cast<rlim_t>(hard);
  return ::prlimit(pid, what, &value, nullptr) == 0;
}

class Spawn {
 public:
  Spawn() {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  // Both ends of its speech on `line`; nothing else of ours stays open in it.
  int start(pid_t& pid, int line, const std::vector<std::string>& words) {
    posix_spawn_file_actions_adddup2(&files_, line, 0);
    posix_spawn_file_actions_adddup2(&files_, line, 1);
    posix_spawn_file_actions_addopen(&files_, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files_, 3);
    // A service blocks and catches signals; its child must die of them.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const char* zone = std::getenv("TZ");
    std::string zone_line = zone == nullptr ? std::string() : "TZ=" + std::string(zone);
    std::array<char*, 2> environment{zone == nullptr ? nullptr : zone_line.data(), nullptr};
    return ::posix_spawn(&pid, argv[0], &files_, &attributes_, argv.data(), environment.data());
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<Child> run_child(const std::vector<std::string>& words, std::string_view input,
                        const ChildLimits& limits, const std::atomic<bool>* stop) {
  TP_ASSERT(!words.empty());
  // A pair of sockets and not pipes: writing to a child that has died is an error here, not a signal.
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return no_process(errno, words.front());
  pid_t pid = 0;
  const int started = Spawn().start(pid, ends[1], words);
  ::close(ends[1]);
  if (started != 0) {
    ::close(ends[0]);
    return no_process(started, words.front());
  }
  const int line = ends[0];
  const auto cpu = static_cast<std::uint64_t>(limits.cpu.count());
  // Before it has been given anything to work on. One second more until it is killed outright.
  bool fenced = limit(pid, RLIMIT_CPU, cpu, cpu + 1) && limit(pid, RLIMIT_CORE, 0, 0);
  if (!kSanitized)  // their shadow is larger than any limit, and may be a file
    fenced = fenced && limit(pid, RLIMIT_FSIZE, 0, 0) &&
             limit(pid, RLIMIT_AS, limits.memory_bytes, limits.memory_bytes);

  Child child;
  const auto deadline = std::chrono::steady_clock::now() + limits.wall;
  bool kill = !fenced;
  int fence_error = fenced ? 0 : errno;
  bool closed = false;
  while (!kill && !closed) {
    if (stop != nullptr && *stop) {
      child.ended = ChildEnded::kStopped;
      kill = true;
      break;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      child.ended = ChildEnded::kOutOfTime;
      kill = true;
      break;
    }
    struct pollfd look {};
    look.fd = line;
    look.events = static_cast<short>(input.empty() ? POLLIN : POLLIN | POLLOUT);
    if (::poll(&look, 1, static_cast<int>(std::min(left, kLook).count())) <= 0) continue;
    if ((look.revents & POLLOUT) != 0 && !input.empty()) {
      const ssize_t n = ::send(line, input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
      if (n < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it has gone; the end says how
      if (input.empty()) ::shutdown(line, SHUT_WR);
    }
    if ((look.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      std::array<char, 4096> piece;
      const ssize_t n = ::recv(line, piece.data(), piece.size(), MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) closed = true;
      if (n > 0) child.output.append(piece.data(), static_cast<std::size_t>(n));
      if (child.output.size() > limits.output_bytes) {
        child.output.clear();
        child.ended = ChildEnded::kTooMuch;
        kill = true;
      }
    }
  }
  // It may have closed its output and go on: it has until the deadline to end.
  int status = 0;
  pid_t gone = 0;
  while (!kill && (gone = ::waitpid(pid, &status, WNOHANG)) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      child.ended = ChildEnded::kOutOfTime;
      kill = true;
      break;
    }
    (void)::poll(nullptr, 0, 5);
  }
  if (kill) {
    ::kill(pid, SIGKILL);
    while ((gone = ::waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
    }
  }
  ::close(line);
  if (!fenced) return no_process(fence_error, words.front() + " with limits");
  if (kill || gone != pid) return child;
  if (WIFEXITED(status)) {
    child.exit_code = WEXITSTATUS(status);
  } else {
    child.ended = WTERMSIG(status) == SIGXCPU ? ChildEnded::kOutOfCpu : ChildEnded::kKilled;
    child.output.clear();
  }
  return child;
}

std::string own_program() {
  // The link itself, not what it names: it opens the same file even after a package has replaced it.
  return "/proc/self/exe";
}

}  // namespace towpath::platform
