#include "platform/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "platform/names.hpp"

namespace towpath::platform {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr ChildLimits kRoomy{seconds(20), seconds(5), 1024ULL * 1024 * 1024, 1024 * 1024};

Result<Child> shell(const std::string& script, const std::string& input = {},
                    const ChildLimits& limits = kRoomy, const std::atomic<bool>* stop = nullptr) {
  return run_child({"/bin/sh", "-c", script}, input, limits, stop);
}

TEST_CASE("a child reads its input to the end, and its output and exit code come back") {
  const std::string long_one(500'000, 'x');
  const auto child = shell("cat; exit 7", long_one);
  REQUIRE(child);
  CHECK(child->ended == ChildEnded::kExited);
  CHECK(child->exit_code == 7);
  CHECK(child->output == long_one);
}

TEST_CASE("a child that reads nothing, or goes while it is fed, is no harm") {
  CHECK(shell("exit 3", std::string(5'000'000, 'x'))->exit_code == 3);
  CHECK(shell("exec 0<&- 1>&-; exit 4", std::string(5'000'000, 'x'))->exit_code == 4);
}

TEST_CASE("a child is ended by each of its limits, and the end says which") {
  ChildLimits tight = kRoomy;
  tight.wall = milliseconds(200);
  CHECK(shell("sleep 30", {}, tight)->ended == ChildEnded::kOutOfTime);
  CHECK(shell("exec 1>&-; sleep 30", {}, tight)->ended == ChildEnded::kOutOfTime);
  tight = kRoomy;
  tight.cpu = seconds(1);
  CHECK(shell("while :; do :; done", {}, tight)->ended == ChildEnded::kOutOfCpu);
  tight = kRoomy;
  tight.output_bytes = 1000;
  CHECK(shell("yes", {}, tight)->ended == ChildEnded::kTooMuch);
  CHECK(shell("kill -SEGV $$")->ended == ChildEnded::kKilled);
  const std::atomic<bool> stop{true};
  CHECK(shell("sleep 30", {}, kRoomy, &stop)->ended == ChildEnded::kStopped);
}

TEST_CASE("a child has no handle and no environment of ours, and dies of signals that we hold back") {
  const int left_open = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library may
  REQUIRE(left_open >= 0);
  const auto handles = shell("exec ls /proc/self/fd");  // 3: the folder that it lists
  ::close(left_open);
  CHECK(handles->output == "0\n1\n2\n3\n");
  CHECK(shell("env | grep -cv '^PWD=\\|^_=\\|^SHLVL=\\|^TZ=\\|^OLDPWD='")->output == "0\n");
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto child = shell("kill -TERM $$; echo survived");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(child->ended == ChildEnded::kKilled);
}

TEST_CASE("a program that is not there is an error") {
  const auto child = run_child({"/nonexistent/program"}, {}, kRoomy);
  REQUIRE_FALSE(child);
  CHECK_THAT(child.error().what(), Catch::Contains("/nonexistent/program"));
}

TEST_CASE("this program can be started again") {
  const auto child = run_child({own_program(), "--list-test-names-only"}, {}, kRoomy);
  REQUIRE(child);
  CHECK_THAT(child->output, Catch::Contains("this program can be started again"));
}

TEST_CASE("names are looked up as the system does, and this machine has an address") {
  CHECK(ipv4_of("localhost") == "127.0.0.1");
  CHECK(ipv4_of("no-such-host.invalid").empty());
  CHECK(addresses_of("127.0.0.1", 8) == std::vector<std::string>{"127.0.0.1"});
  CHECK(addresses_of("no-such-host.invalid", 8).empty());
  CHECK_FALSE(own_ipv4().empty());
}

}  // namespace
}  // namespace towpath::platform
