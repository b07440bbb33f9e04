// Runs the real programs for tests: a folder of one's own, processes, and what they said.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

extern char** environ;

namespace towpath::test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

inline std::string bin(const std::string& program) {
  const char* folder = std::getenv("TOWPATH_BIN");
  return (folder == nullptr ? std::string("bin") : std::string(folder)) + "/" + program;
}

inline std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "towpath-system-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  fs::path path_;
};

// How a process ended, and what it said.
struct Ended {
  int code = -1;  // exit code; -N where signal N ended it
  std::string out, err;
  [[nodiscard]] Json json() const {
    INFO(out << err);
    const Json document = Json::parse(out, nullptr, false);
    REQUIRE_FALSE(document.is_discarded());
    CHECK(document.value("schema_version", 0) == 1);
    return document;
  }
};

// A process that runs; killed at the end if it still does.
class Process {
 public:
  // `out`: where standard output goes instead of a file.
  Process(const Folder& folder, const std::vector<std::string>& words, int out = -1) {
    static int count = 0;
    base_ = folder / ("process-" + std::to_string(++count));
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
      posix_spawn_file_actions_adddup2(&files, out, 1);
    else
      posix_spawn_file_actions_addopen(&files, 1, (base_ + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                       0600);
    posix_spawn_file_actions_addopen(&files, 2, (base_ + ".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(::posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&files);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      kill();
      (void)wait();
    }
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string out() const { return content_of(base_ + ".out"); }
  void kill(int signal = SIGKILL) const { ::kill(pid_, signal); }
  // True while it runs.
  [[nodiscard]] bool running() {
    if (status_) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
    status_ = status;
    return false;
  }
  Ended wait() {
    if (!status_) {
      int status = 0;
      REQUIRE(::waitpid(pid_, &status, 0) == pid_);
      status_ = status;
    }
    pid_ = -1;
    const int status = *status_;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), out(), content_of(base_ + ".err")};
  }

 private:
  std::string base_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

inline Ended run(const Folder& folder, const std::vector<std::string>& words) {
  return Process(folder, words).wait();
}

// An agreement as a hub's operator writes it: everything to the borough, unless a test says otherwise. In
// force on whichever day the test runs.
struct Paper {
  std::string id = "borough";
  int version = 1;
  std::string audience = "borough";
  std::string grants = R"("ROLL", "ATT-CAT", "ATT-CODE", "CHAR-BASIC", "CHAR-FULL", "ATTAIN", "PLEDGE")";
  std::string more = {};  // further keys, a line each
  std::string scope = "everyone";
  std::vector<std::string> urns{"100001"};
  [[nodiscard]] std::string toml() const {
    std::string out = "id = \"" + id + "\"\nversion = " + std::to_string(version) +
                      "\ntitle = \"A test\"\naudience = \"" + audience +
                      "\"\ntext = \"ED-17\"\nstart = 2020-01-01\nend = 2099-12-31\nreview = 2099-12-31\n"
                      "controllers = \"controller-to-controller\"\npurpose = \"Testing\"\n"
                      "lawful_basis = \"Article 6(1)(e)\"\ngrants = [" +
                      grants + "]\n" + more;
    if (audience == "borough") out += "special_basis = \"Article 9(2)(g)\"\nnamed_roles = [\"Officer\"]\n";
    out +=
        "frequency = \"daily\"\nmethod = \"towpath\"\ndisposal = \"towpath\"\nonward_sharing = \"None\"\n"
        "subject_rights_contact = \"office\"\nbreach_contact = \"office\"\n[pupils]\nscope = \"" +
        scope + "\"\n";
    if (audience == "borough") out += "[[party]]\nname = \"Borough\"\nrole = \"controller\"\n";
    for (const std::string& urn : urns)
      out += "[[party]]\nurn = " + urn + "\nname = \"School " + urn + "\"\nrole = \"controller\"\n";
    return out;
  }
};

// A hub in a folder, serving on a free port until it goes.
class Hub {
 public:
  // One that is there already, made by whatever version; start() it.
  struct AsFound {};
  Hub(const Folder& folder, AsFound) : folder_(folder) {}
  // `serve`: further options of its serve.
  explicit Hub(const Folder& folder, std::vector<std::string> serve = {})
      : folder_(folder), serve_(std::move(serve)) {
    REQUIRE(call({"init"}).code == 0);
    REQUIRE(call({"school", "add", "100001", "--name", "Example School"}).code == 0);
    start();
  }
  void start() {
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    std::vector<std::string> words{bin("towpath-hub"),
                                   "--data",
                                   folder_ / "hub",
                                   "--json",
                                   "serve",
                                   "--listen",
                                   "127.0.0.1:" + std::to_string(port_)};
    words.insert(words.end(), serve_.begin(), serve_.end());
    process_.emplace(folder_, words, pipe[1]);
    ::close(pipe[1]);
    // It says where it listens in one document, and goes on.
    std::string said;
    Json document = Json::parse(said, nullptr, false);
    char piece[4096];
    for (ssize_t n = 0; document.is_discarded() && (n = ::read(pipe[0], piece, sizeof piece)) > 0;) {
      said.append(piece, static_cast<std::size_t>(n));
      document = Json::parse(said, nullptr, false);
    }
    ::close(pipe[0]);
    if (document.is_discarded()) FAIL("the hub ended: " << said << process_->wait().err);
    INFO(said);
    REQUIRE(document.contains("listening"));
    address_ = document["listening"].get<std::string>();
    port_ = std::stoi(address_.substr(address_.rfind(':') + 1));
  }
  void stop(int signal = SIGTERM) {
    process_->kill(signal);
    (void)process_->wait();
    process_.reset();
  }
  [[nodiscard]] std::string url() const { return "http://" + address_; }
  [[nodiscard]] int port() const { return port_; }
  Ended call(std::vector<std::string> words) const {
    words.insert(words.begin(), {bin("towpath-hub"), "--data", folder_ / "hub"});
    return run(folder_, words);
  }
  // As its operator does it.
  void offer(const Paper& paper) const {
    const std::string file = paper.id + "-" + std::to_string(paper.version) + ".toml";
    folder_.write(file, paper.toml());
    const Ended offered = call({"agreement", "add", folder_ / file});
    INFO(offered.out << offered.err);
    REQUIRE(offered.code == 0);
  }
  // The usual one, once.
  void offer_to_borough() const {
    if (!std::exchange(offered_, true)) offer({});
  }
  // Rows of a dataset at the hub, as exported.
  [[nodiscard]] std::vector<Json> rows(const std::string& dataset) const {
    const Ended ended = call({"export", dataset, "--format", "ndjson"});
    INFO(ended.err);
    REQUIRE(ended.code == 0);
    std::vector<Json> rows;
    std::size_t at = 0;
    while (at < ended.out.size()) {
      const std::size_t end = std::min(ended.out.find('\n', at), ended.out.size());
      rows.push_back(Json::parse(ended.out.substr(at, end - at)));
      at = end + 1;
    }
    return rows;
  }

 private:
  const Folder& folder_;
  std::vector<std::string> serve_;
  std::optional<Process> process_;
  std::string address_;
  int port_ = 0;  // kept over a restart
  mutable bool offered_ = false;
};

// A school's agent: its configuration, and its verbs.
class Agent {
 public:
  explicit Agent(const Folder& folder) : folder_(folder) {}
  // What every configuration here begins with.
  [[nodiscard]] static std::string head(const std::string& hub) {
    return "[school]\nurn = 100001\nname = \"Example School\"\n[agent]\ndata = \"data\"\nmin_free_mb = 0\n" +
           (hub.empty() ? std::string() : "[hub]\nurl = \"" + hub + "\"\n");
  }
  void configure(const std::string& text) const { folder_.write("towpath.toml", text); }
  void demo(const std::string& hub, const std::string& day, int pupils,
            const std::string& phase = "primary") const {
    configure(head(hub) + "[[source]]\nname = \"demo\"\nkind = \"demo\"\nphase = \"" + phase +
              "\"\nseed = 5\npupils = " + std::to_string(pupils) + "\nday = " + day + "\n");
  }
  [[nodiscard]] std::vector<std::string> words(std::vector<std::string> verb) const {
    verb.insert(verb.begin(), {bin("towpath"), "--config", folder_ / "towpath.toml"});
    return verb;
  }
  Ended call(const std::vector<std::string>& verb) const { return run(folder_, words(verb)); }
  Json json(std::vector<std::string> verb, int code = 0) const {
    verb.emplace_back("--json");
    const Ended ended = call(verb);
    INFO(ended.out << ended.err);
    CHECK(ended.code == code);
    return ended.json();
  }

 private:
  const Folder& folder_;
};

// A code for the school, as its hub's operator would read it out.
inline std::string invite(const Hub& hub, const std::string& urn = "100001",
                          const std::string& expires = "7d") {
  const Ended invited = hub.call({"school", "invite", urn, "--expires", expires, "--json"});
  INFO(invited.err);
  REQUIRE(invited.code == 0);
  return invited.json()["code"].get<std::string>();
}
inline constexpr const char* kBy = "Head teacher, A. Example";
// A person at the school reads what the hub has offered and approves it.
inline Ended approve(const Agent& agent, const std::string& id = "borough") {
  Ended approved = agent.call({"agreement", "approve", id, "--by", kBy, "--yes"});
  INFO(approved.out << approved.err);
  REQUIRE(approved.code == 0);
  return approved;
}
// The agent's configuration is there, and names the hub. With the borough's agreement approved, and what was
// read before sent; the answer is enrolment's.
inline Json enrol(const Hub& hub, const Agent& agent, std::vector<std::string> words = {}) {
  hub.offer_to_borough();
  if (words.empty()) words = {invite(hub)};
  words.insert(words.begin(), "enrol");
  Json enrolled = agent.json(words);
  REQUIRE(enrolled["enrolled"] == true);
  approve(agent);
  const Ended sent = agent.call({"sync"});
  INFO(sent.out << sent.err);
  if (enrolled["sync"].contains("error")) {  // nothing has been read yet: only the approval goes
    CHECK(enrolled["sync"]["error"]["code"] == "not-found");
    REQUIRE(sent.code == 1);
  } else {
    REQUIRE(sent.code == 0);
  }
  return enrolled;
}

// Rows of a dataset that the approved agreement lets through today, as the school's people are told: old ones
// are beyond retention.
inline std::uint64_t agreed_rows(const Agent& agent, const std::string& dataset,
                                 const std::string& audience = "borough") {
  const Json explained = agent.json({"explain"});
  for (const Json& one : explained["audiences"])
    if (one["audience"] == audience)
      for (const Json& d : one["datasets"])
        if (d["dataset"] == dataset) return d["rows"].get<std::uint64_t>();
  return 0;
}

// Rows of a dataset as an extract's report has them.
inline std::uint64_t count(const Json& extract, const std::string& dataset, const std::string& what) {
  std::uint64_t n = 0;
  for (const Json& source : extract.at("sources"))
    if (source.contains("datasets") && source["datasets"].contains(dataset))
      n += source["datasets"][dataset].at(what).get<std::uint64_t>();
  return n;
}

}  // namespace towpath::test
