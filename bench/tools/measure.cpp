// measure FILE COMMAND ARGS...: runs a command and writes what it cost to FILE, as
// "user_us system_us peak_kib wall_us exit_code".
//
// A small process of its own, because the kernel counts the memory of whoever forked as the
// child's peak: started from an interpreter, every program would seem to need 20 MiB.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: measure FILE COMMAND ARGS...\n");
    return 64;
  }
  const auto began = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) {
    std::perror("measure: fork");
    return 71;
  }
  if (child == 0) {
    execvp(argv[2], argv + 2);
    std::perror(argv[2]);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child) {
    std::perror("measure: wait4");
    return 71;
  }
  const auto wall =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  const auto micros = [](const timeval& t) {
    return static_cast<long long>(t.tv_sec) * 1'000'000 + t.tv_usec;
  };
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::FILE* out = std::fopen(argv[1], "w");
  if (out == nullptr) {
    std::perror(argv[1]);
    return 73;
  }
  std::fprintf(out, "%lld %lld %ld %lld %d\n", micros(usage.ru_utime), micros(usage.ru_stime),
               usage.ru_maxrss, static_cast<long long>(wall.count()), code);
  return std::fclose(out) == 0 ? code : 74;
}
