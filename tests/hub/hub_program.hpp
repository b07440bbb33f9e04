// The program towpath-hub, run as a person runs it.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "platform/platform.hpp"
#include "tests/hub/hub_fixture.hpp"

namespace towpath::test {

inline std::string program() {
  const char* bin = std::getenv("TOWPATH_BIN");
  return (bin != nullptr ? std::string(bin) : std::string("bin")) + "/towpath-hub";
}

struct Ended {
  int code;
  std::string out, err;
};
// Runs the program as a person would, and waits for its end.
inline Ended run_in(const TempFolder& folder, const std::string& data, const std::string& words) {
  const std::string err = folder.path() + "/stderr";
  const std::string command = program() + " --data " + data + " " + words + " 2>" + err;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ended ended;
  std::array<char, 4096> piece{};
  for (std::size_t n = 0; (n = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
    ended.out.append(piece.data(), n);
  ended.code = WEXITSTATUS(::pclose(pipe));
  std::ostringstream said;
  said << std::ifstream(err).rdbuf();
  ended.err = said.str();
  return ended;
}

inline Ended run(const TempFolder& folder, const std::string& words) {
  return run_in(folder, folder.path() + "/hub", words);
}

// A hub that serves until it is told to stop.
class Serving {
 public:
  explicit Serving(const TempFolder& folder) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const std::string path = program(), data = folder.path() + "/hub";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::execl(path.c_str(), path.c_str(), "--data", data.c_str(), "serve", "--quiet", "--listen",
              "127.0.0.1:0", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(ends[1]);
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) first_line_ += c;
    ::close(ends[0]);
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;
  ~Serving() {
    if (pid_ > 0) static_cast<void>(stop());
  }
  int stop() {
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] const std::string& first_line() const { return first_line_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::string first_line_;
};

// A school's end, beside the hub's folder: enrolled as an invitation would, without asking for one.
struct Folder {
  explicit Folder(const TempFolder& folder) {
    RegistryOptions options;
    options.data = folder.path() + "/hub";
    auto opened = Registry::open(options, built_in_dictionary(), clock);
    REQUIRE(opened);
    registry = std::move(*opened);
    keys = Keyring::open(options.data).value();
    sealer.hub = keys->keys()->front().secret.key();
  }
  void enrol(const std::string& urn) {
    const Invitation code = Invitation::make(sealer.hub, random);
    const Hash256 secret = Invitation::hash_of(code.secret());
    REQUIRE(registry->agents().invite(urn, secret, clock.time, clock.time + std::chrono::hours(1)));
    REQUIRE(registry->agents().enrol(secret, sealer.add(urn).secret.key(), urn, "server-1", clock.time));
  }
  FixedClock clock;
  platform::SystemRandom random;  // several of these come to one hub
  SchoolsSealer sealer{random};
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Keyring> keys;
};

}  // namespace towpath::test
