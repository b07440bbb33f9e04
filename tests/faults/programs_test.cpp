// The real programs, with the calls that they make of the operating system failed in turn: sockets and files,
// in the agent's program and in the hub's.
//
// Each run: a day's change at the school, the program under test with one call that fails, and then the
// same without. TOWPATH_FAULTS=all: every call with every error that it may have (half an hour); otherwise
// every error once, over the calls of its name.
#include "tests/system/programs.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>

namespace towpath::test {
namespace {

#ifdef TOWPATH_FAULTS_CALLS

bool all_of_them() {
  const char* wish = std::getenv("TOWPATH_FAULTS");
  return wish != nullptr && std::string_view(wish) == "all";
}

// What the next process that is started has below it.
class Below {
 public:
  Below(const Folder& folder, const std::string& of) : log_(folder / "calls") {
    fs::remove(log_);
    set("LD_PRELOAD", TOWPATH_FAULTS_CALLS);
    set("TOWPATH_FAIL_CLASS", of);
    set("TOWPATH_FAIL_LOG", log_);
  }
  // The `at`-th call of this name: how often a program polls is not the same twice.
  Below(const Folder& folder, const std::string& of, const std::string& name, std::size_t at,
        const std::string& with)
      : Below(folder, of) {
    if (!name.empty()) set("TOWPATH_FAIL_NAME", name);
    set("TOWPATH_FAIL_AT", std::to_string(at));
    set("TOWPATH_FAIL_WITH", with);
  }
  Below(const Below&) = delete;
  Below& operator=(const Below&) = delete;
  ~Below() { over(); }
  void set(const char* name, const std::string& value) {
    ::setenv(name, value.c_str(), 1);
    names_.insert(name);
  }
  // What is started from here on has nothing below it.
  void over() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
    names_.clear();
  }
  [[nodiscard]] std::vector<std::string> calls() const {
    std::vector<std::string> all;
    std::istringstream in(content_of(log_));
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  [[nodiscard]] bool struck() const {
    for (const std::string& call : calls())
      if (call.starts_with("!")) return true;
    return false;
  }

 private:
  const std::string log_;
  std::set<std::string> names_;
};

// How the operating system may end such a call.
std::vector<std::string> errors_of(const std::string& call, const std::string& of) {
  static const std::map<std::string, std::vector<int>> kErrors{
      {"socket", {EMFILE, ENOMEM}},
      {"socketpair", {EMFILE}},
      {"connect", {ECONNREFUSED, ETIMEDOUT, ENETUNREACH}},
      {"bind", {EADDRINUSE, EACCES}},
      {"listen", {EADDRINUSE}},
      {"accept", {EMFILE, ENFILE, ECONNABORTED, EINTR}},
      {"send", {ECONNRESET, EPIPE, ENOMEM, EINTR}},
      {"sendmsg", {ECONNRESET, EPIPE}},
      {"recv", {ECONNRESET, ETIMEDOUT, EINTR, EAGAIN, ENOMEM}},
      {"recvmsg", {ECONNRESET, EINTR}},
      {"poll", {EINTR, ENOMEM}},
      {"select", {EINTR, ENOMEM}},
      {"epoll_create", {EMFILE}},
      {"epoll_ctl", {ENOMEM}},
      {"epoll_wait", {EINTR}},
      {"getsockopt", {ENOBUFS}},
      {"setsockopt", {ENOBUFS}},
      {"getsockname", {ENOBUFS}},
      {"getpeername", {ENOBUFS, ENOTCONN}},
      {"getaddrinfo", {EAGAIN, ENOMEM}},
      {"shutdown", {ENOTCONN}},
      {"open", {EMFILE, EIO, EINTR, ENOMEM}},
      {"create", {ENOSPC, EMFILE, EROFS, EDQUOT, EIO}},
      {"read", {EIO, EINTR}},
      {"pread", {EIO, EINTR}},
      {"write", {ENOSPC, EIO, EDQUOT, EINTR}},
      {"pwrite", {ENOSPC, EIO, EDQUOT, EINTR}},
      {"fsync", {EIO, ENOSPC}},
      {"rename", {EIO, EROFS, ENOSPC}},
      {"unlink", {EIO, EROFS}},
      {"mkdir", {EIO, EROFS, ENOSPC}},
      {"ftruncate", {EIO, ENOSPC}},
      {"chmod", {EIO, EROFS}},
      {"close", {EIO, EINTR}},
      {"lock", {ENOLCK, EINTR}},
      {"mmap", {ENOMEM}},
  };
  std::vector<std::string> all;
  for (const int error : kErrors.at(call)) all.push_back(std::to_string(error));
  if (call == "read" || call == "pread" || call == "write" || call == "pwrite" || call == "send" ||
      call == "recv")
    all.emplace_back("short");
  if (of == "sockets" && (call == "recv" || call == "read")) all.emplace_back("end");
  return all;
}

struct Fault {
  std::string call;
  std::size_t at;  // among those of this name
  std::string with;
  [[nodiscard]] std::string text() const {
    return call + " " + std::to_string(at) + ", with " +
           (std::isdigit(static_cast<unsigned char>(with[0])) != 0 ? ::strerrorname_np(std::stoi(with))
                                                                   : with);
  }
};

// Of each name some calls, from the first to the last, with all its errors in turn; or everything.
std::vector<Fault> faults_of(const std::vector<std::string>& calls, const std::string& of) {
  std::map<std::string, std::size_t> groups;
  for (const std::string& call : calls) ++groups[call];
  std::vector<Fault> faults;
  for (const auto& [call, count] : groups) {
    const std::vector<std::string> errors = errors_of(call, of);
    if (all_of_them()) {
      for (std::size_t at = 0; at < count; ++at)
        for (const std::string& error : errors) faults.push_back({call, at, error});
      continue;
    }
    // Every error of it, at the first call, the last, and between.
    for (std::size_t n = 0; n < errors.size(); ++n)
      faults.push_back({call, (count - 1) * n / std::max<std::size_t>(errors.size() - 1, 1), errors[n]});
  }
  return faults;
}

// A program under a fault may fail, with one sentence and the exit code for it.
void check_ended(const Ended& ended) {
  INFO("exit code " << ended.code << "\n" << ended.out << ended.err);
  // 1 failed, 4 something to look at, 78 the configuration cannot be read. Never that somebody has to
  // enrol, and never a signal.
  CHECK((ended.code == 0 || ended.code == 1 || ended.code == 4 || ended.code == 6 || ended.code == 78));
  for (const char* bad : {"must not happen", "terminate", "stopped:", "Segmentation"})
    CHECK_THAT(ended.err, !Catch::Contains(bad));
  if (ended.code == 0 || ended.code == 4) return;
  CHECK_THAT(ended.err, Catch::Matches("towpath: .+\\. .+\n(.|\n)*"));  // and what to do
  CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') <= 2);
}

class Borough {
 public:
  Borough() : hub(folder), agent(folder) {
    for (const auto& [day, keep] : {std::pair{"2026-11-19", "day-a"}, std::pair{"2026-11-20", "day-b"}}) {
      const Ended made = run(folder, {bin("towpath-demo-school"),
                                      "--phase",
                                      "primary",
                                      "--seed",
                                      "3",
                                      "--pupils",
                                      "20",
                                      "--day",
                                      day,
                                      "--out",
                                      folder / "exports",
                                      "--format",
                                      "exports",
                                      "--urn",
                                      "100001",
                                      "--name",
                                      "Example School",
                                      "--agent-config",
                                      folder / "towpath.toml",
                                      "--data",
                                      folder / "data",
                                      "--hub",
                                      hub.url()});
      INFO(made.err);
      REQUIRE(made.code == 0);
      fs::copy(folder / "exports", folder / keep, fs::copy_options::recursive);
    }
    extract();
    enrol(hub, agent);
    both_equal("first");
  }
  // Something to take in: the other of two days.
  void other_day() {
    second_ = !second_;
    fs::remove_all(folder / "exports");
    fs::copy(folder / (second_ ? "day-a" : "day-b"), folder / "exports", fs::copy_options::recursive);
  }
  void extract() {
    const Ended ended = agent.call({"extract"});
    INFO(ended.out << ended.err);
    CHECK((ended.code == 0 || ended.code == 4));
  }
  // What a school does every night, with nothing that fails.
  void both_equal(const std::string& after) {
    INFO("after: " << after);
    extract();
    const Ended synced = agent.call({"sync"});
    INFO(synced.out << synced.err);
    CHECK(synced.code == 0);
    const Ended verified = agent.call({"verify"});
    INFO(verified.out << verified.err);
    CHECK(verified.code == 0);
  }
  [[nodiscard]] std::vector<std::string> calls_of(const std::vector<std::string>& verb,
                                                  const std::string& of) {
    Below below(folder, of);
    const Ended ended = agent.call(verb);
    INFO(ended.out << ended.err);
    CHECK((ended.code == 0 || ended.code == 4));
    return below.calls();
  }

  Folder folder;
  Hub hub;
  Agent agent;

 private:
  bool second_ = true;
};

struct Count {
  std::size_t runs = 0, struck = 0, failed = 0;
  std::map<std::string, int> said;
  void note(const Ended& ended) {
    failed += ended.code == 0 || ended.code == 4 ? 0U : 1U;
    ++said[std::to_string(ended.code) + " " + ended.err.substr(0, ended.err.find('\n'))];
  }
  void print(const std::string& what) const {
    std::printf("%s: %zu runs, in %zu the call failed, %zu ended with a sentence\n", what.c_str(), runs,
                struck, failed);
    if (std::getenv("TOWPATH_FAULTS_PRINT") != nullptr)
      for (const auto& [line, n] : said) std::printf("  %d: %s\n", n, line.c_str());
    std::fflush(stdout);
  }
};

// One verb of the agent, each of its calls of a class.
void agent_calls(const std::string& verb, const std::string& of) {
  Borough at;
  at.other_day();
  if (verb == "sync") at.extract();
  const std::vector<std::string> calls = at.calls_of({verb}, of);
  Count count;
  for (const Fault& fault : faults_of(calls, of)) {
    INFO(verb << ": " << fault.text());
    at.other_day();
    if (verb == "sync") at.extract();
    {
      Below below(at.folder, of, fault.call, fault.at, fault.with);
      const Ended ended = at.agent.call({verb});
      check_ended(ended);
      ++count.runs;
      count.struck += below.struck() ? 1U : 0U;
      count.note(ended);
    }
    at.both_equal(fault.text());
  }
  count.print("towpath " + verb + ", " + std::to_string(calls.size()) + " calls of " + of);
  CHECK(count.runs > 0);
  CHECK(count.struck * 2 > count.runs);
}

// The hub's program, while others than the tests' fixture look after it.
class Served {
 public:
  Served(const Borough& at, const std::vector<std::string>& words) {
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    process_.emplace(at.folder, words, pipe[1]);
    ::close(pipe[1]);
    char piece[4096];
    for (ssize_t n = 0; !up() && (n = ::read(pipe[0], piece, sizeof piece)) > 0;)
      said_.append(piece, static_cast<std::size_t>(n));
    out_ = pipe[0];  // it may go on writing
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() { ::close(out_); }
  // It has said where it listens; otherwise it has ended.
  [[nodiscard]] bool up() const {
    const Json document = Json::parse(said_, nullptr, false);
    return !document.is_discarded() && document.contains("listening");
  }
  [[nodiscard]] bool running() { return process_->running(); }
  Ended end() {
    if (process_->running()) process_->kill(SIGTERM);
    return process_->wait();
  }

 private:
  std::optional<Process> process_;
  std::string said_;
  int out_ = -1;
};
std::vector<std::string> serve(const Borough& at) {
  return {bin("towpath-hub"),
          "--data",
          at.folder / "hub",
          "--json",
          "serve",
          "--listen",
          "127.0.0.1:" + std::to_string(at.hub.port())};
}
void check_hub_ended(const Ended& ended) {
  INFO("hub: exit code " << ended.code << "\n" << ended.err);
  CHECK((ended.code == 0 || ended.code == 1 || ended.code == 6 || ended.code == 78));
  for (const char* bad : {"must not happen", "terminate", "stopped:", "Segmentation"})
    CHECK_THAT(ended.err, !Catch::Contains(bad));
  if (ended.code != 0) CHECK_THAT(ended.err, Catch::Matches("(.|\n)*towpath-hub: .+\\. .+\n"));
}

void hub_calls(const std::string& of) {
  Borough at;
  std::vector<std::string> calls;
  at.hub.stop();
  at.other_day();
  {
    Below below(at.folder, of);
    Served hub(at, serve(at));
    below.over();
    REQUIRE(hub.up());
    at.extract();
    CHECK(at.agent.call({"sync"}).code == 0);
    CHECK(hub.end().code == 0);
    calls = below.calls();
  }
  Count count;
  for (const Fault& fault : faults_of(calls, of)) {
    INFO("hub: " << fault.text());
    at.other_day();
    at.extract();
    {
      Below below(at.folder, of, fault.call, fault.at, fault.with);
      Served hub(at, serve(at));
      below.over();
      ++count.runs;
      int more = 0;  // until its turn has come
      if (hub.up()) {
        const Ended synced = at.agent.call({"sync"});
        check_ended(synced);
        // It goes on serving: who comes again is served.
        CHECK(hub.running());
        while (!below.struck() && hub.running() && ++more < 4) check_ended(at.agent.call({"sync"}));
        const Ended again = at.agent.call({"sync"});
        INFO(again.out << again.err);
        CHECK(again.code == 0);
        count.note(synced);
        check_hub_ended(hub.end());
      } else {
        const Ended ended = hub.end();
        CHECK(ended.code != 0);
        check_hub_ended(ended);
        count.note(ended);
      }
      count.struck += below.struck() ? 1U : 0U;
    }
    at.hub.start();
    at.both_equal(fault.text());
    at.hub.stop();
  }
  count.print("towpath-hub serve, " + std::to_string(calls.size()) + " calls of " + of);
  CHECK(count.runs > 0);
  CHECK(count.struck * 2 > count.runs);
}

void hub_without_descriptors() {
  Borough at;
  at.hub.stop();
  for (const int error : {EMFILE, ENFILE, ECONNABORTED}) {
    INFO(::strerrorname_np(error));
    at.other_day();
    at.extract();
    Below below(at.folder, "sockets", "accept", 0, std::to_string(error));
    below.set("TOWPATH_FAIL_TIMES", "8");
    Served hub(at, serve(at));
    below.over();
    REQUIRE(hub.up());
    const auto began = std::chrono::steady_clock::now();
    const Ended synced = at.agent.call({"sync"});
    const auto took = std::chrono::steady_clock::now() - began;
    INFO(synced.err);
    CHECK(synced.code == 0);
    CHECK(hub.running());
    CHECK(below.calls().size() == 9);  // and then it was let in
    // It has waited between them, and not asked as often as it could.
    CHECK(took > std::chrono::milliseconds(800));
    const Ended ended = hub.end();
    check_hub_ended(ended);
    CHECK(ended.code == 0);
    // Once, not for each.
    const std::size_t said = ended.err.find("no connection can be accepted now");
    CHECK(said != std::string::npos);
    CHECK(ended.err.find("no connection can be accepted now", said + 1) == std::string::npos);
  }
}

// Where memory gives out a program may end as it likes (a library that it uses may not know better), but not
// with a row lost or a file damaged.
void agent_memory(const std::string& verb) {
  Borough at;
  at.other_day();
  if (verb == "sync") at.extract();
  std::size_t asked = 0;
  {
    Below below(at.folder, "memory");
    CHECK(at.agent.call({verb}).code % 4 == 0);
    for (const std::string& line : below.calls())  // of its children, too
      if (line.starts_with("=")) asked = std::max<std::size_t>(asked, std::stoul(line.substr(1)));
  }
  CHECK(asked > 1000);
  Count count;
  std::size_t killed = 0;
  for (std::size_t k = asked / 50; k < asked; k += all_of_them() ? 1 : asked / 12) {
    INFO(verb << ": allocation " << k << " of " << asked);
    at.other_day();
    if (verb == "sync") at.extract();
    for (const char* times : {"1", "1000000000"}) {
      Below below(at.folder, "memory", "", k, std::to_string(ENOMEM));
      below.set("TOWPATH_FAIL_TIMES", times);
      const Ended ended = at.agent.call({verb});
      ++count.runs;
      count.struck += below.struck() ? 1U : 0U;
      count.note(ended);
      killed += ended.code < 0 ? 1U : 0U;
    }
    at.both_equal("allocation " + std::to_string(k));
  }
  count.print("towpath " + verb + ", " + std::to_string(asked) + " allocations");
  std::printf("  (%zu ended by a signal)\n", killed);
  CHECK(count.struck * 2 > count.runs);
}

#else

void agent_memory(const std::string&) {}
void hub_calls(const std::string&) {}
void hub_without_descriptors() {}
void agent_calls(const std::string&, const std::string&) {
  WARN("left out: sanitizers and a library before the C library do not go together");
}

#endif

}  // namespace

TEST_CASE("whichever socket call of a sync fails, it is told in a sentence and the next one is green") {
  agent_calls("sync", "sockets");
}
TEST_CASE("whichever file call of a sync fails, it is told in a sentence and the next one is green") {
  agent_calls("sync", "files");
}
TEST_CASE("whichever file call of an extract fails, it is told in a sentence and the next one is green") {
  agent_calls("extract", "files");
}

TEST_CASE("wherever memory gives out in an extract, nothing is lost") { agent_memory("extract"); }
TEST_CASE("wherever memory gives out in a sync, nothing is lost") { agent_memory("sync"); }
TEST_CASE("whichever socket call of the hub fails, it goes on serving") { hub_calls("sockets"); }
TEST_CASE("whichever file call of the hub fails, it goes on serving") { hub_calls("files"); }
TEST_CASE("a hub that has no descriptors left waits until it has, without asking all the time") {
  hub_without_descriptors();
}

}  // namespace towpath::test
