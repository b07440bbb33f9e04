// Programs killed (signal 9) in the middle of their work: nothing acknowledged is lost, nothing
// is applied twice, and the next run goes on.
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

using Poco::Net::StreamSocket;

// Stands between agent and hub and lets `each` decide, before and after the hub has answered.
class Between {
 public:
  enum class When { kRequestHere, kAnswerHere };
  // False: the connection is cut here.
  using Each = std::function<bool(int exchange, When when)>;

  Between(int hub_port, Each each)
      : socket_(Poco::Net::SocketAddress("127.0.0.1", 0)),
        hub_port_(static_cast<std::uint16_t>(hub_port)),
        each_(std::move(each)),
        thread_([this] { run(); }) {}
  Between(const Between&) = delete;
  Between& operator=(const Between&) = delete;
  ~Between() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(socket_.address().port());
  }

 private:
  void run() {
    while (!stop_) {
      if (!socket_.poll(Poco::Timespan(20'000), Poco::Net::Socket::SELECT_READ)) continue;
      StreamSocket agent = socket_.acceptConnection();
      try {
        StreamSocket hub(Poco::Net::SocketAddress("127.0.0.1", hub_port_));
        // An idle connection gives way to the next one.
        const auto asked = [](StreamSocket& socket, int microseconds) {
          return socket.poll(Poco::Timespan(microseconds), Poco::Net::Socket::SELECT_READ);
        };
        for (bool open = true; open && !stop_;)
          if (asked(agent, 20'000))
            open = pass(agent, hub);
          else
            open = !socket_.poll(Poco::Timespan(0), Poco::Net::Socket::SELECT_READ);
      } catch (const Poco::Exception&) {
        // One side was killed: that is what this is about.
      }
    }
  }
  // One exchange: a whole request there, a whole answer back.
  bool pass(StreamSocket& agent, StreamSocket& hub) {
    const std::string request = message(agent);
    if (request.empty()) return false;
    const int n = ++exchanges_;
    if (!each_(n, When::kRequestHere)) return false;
    send(hub, request);
    const std::string answer = message(hub);
    if (answer.empty() || !each_(n, When::kAnswerHere)) return false;
    send(agent, answer);
    return true;
  }
  static std::string message(StreamSocket& from) {
    std::string all;
    char piece[65536];
    std::size_t whole = std::string::npos;
    while (all.size() < whole) {
      const int n = from.receiveBytes(piece, sizeof piece);
      if (n <= 0) return {};
      all.append(piece, static_cast<std::size_t>(n));
      const std::size_t end = all.find("\r\n\r\n");
      const std::size_t at = all.find("Content-Length: ");
      if (end != std::string::npos) {
        REQUIRE(at < end);
        whole = end + 4 + std::stoul(all.substr(at + 16));
      }
    }
    return all;
  }
  static void send(StreamSocket& to, const std::string& text) {
    std::size_t at = 0;
    while (at < text.size())
      at += static_cast<std::size_t>(to.sendBytes(text.data() + at, static_cast<int>(text.size() - at)));
  }

  Poco::Net::ServerSocket socket_;
  std::uint16_t hub_port_;
  Each each_;
  std::atomic<bool> stop_{false};
  std::atomic<int> exchanges_{0};
  std::thread thread_;
};

// Large enough that its first load takes several exchanges of the smallest bodies.
constexpr int kPupils = 600;
void configure(const Agent& agent, const std::string& hub) {
  agent.configure(Agent::head(hub) + "body_kib = 32\n[[source]]\nname = \"demo\"\nkind = \"demo\"\n" +
                  "phase = \"secondary\"\npupils = " + std::to_string(kPupils) + "\nday = 2026-11-19\n");
}

TEST_CASE("what the hub has lost for good can be given up, on a person's word, and the school goes on") {
  Folder folder, elsewhere;
  Hub hub(folder);
  const Agent first(folder), second(elsewhere);
  configure(first, hub.url());
  REQUIRE(first.call({"extract"}).code == 0);
  enrol(hub, first);
  Between between(hub.port(), [](int n, Between::When) { return n < 3; });  // card, enrolment; no restore
  configure(second, between.url());
  const Json enrolled = second.json({"enrol", invite(hub)}, 1);
  CHECK(enrolled["enrolled"] == true);
  CHECK(enrolled["error"].is_object());
  configure(second, hub.url());
  const Ended asked = second.call({"restore", "--give-up"});
  CHECK(asked.code == 2);
  CHECK_THAT(asked.err, Catch::Contains("will not come back") && Catch::Contains("restore --give-up --yes"));
  CHECK(second.json({"restore", "--give-up", "--yes"})["given_up"] == true);
  CHECK(second.json({"restore", "--give-up", "--yes"})["given_up"] == false);  // there is nothing any more
  REQUIRE(second.call({"extract"}).code == 0);
  // What had been approved is lost with the first machine, too.
  CHECK(second.json({"sync"}, 4)["waiting_decisions"][0]["agreement"] == "borough");
  approve(second);
  CHECK(second.json({"sync"})["equal"] == true);
  CHECK(second.call({"restore", "--yes"}).code == 2);
}

TEST_CASE("the code is not among the words of a running enrolment that others see") {
  Folder folder;
  const Hub hub(folder);
  const Agent agent(folder);
  configure(agent, hub.url());
  const std::string code = invite(hub);
  const Poco::Net::ServerSocket silent(Poco::Net::SocketAddress("127.0.0.1", 0));  // never answers
  const Process enrolling(
      folder,
      agent.words({"enrol", code, "--hub", "http://127.0.0.1:" + std::to_string(silent.address().port())}));
  const auto seen = [&] { return content_of("/proc/" + std::to_string(enrolling.pid()) + "/cmdline"); };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  const auto hidden = [&] {  // it has none yet while it is being started
    const std::string words = seen();
    return words.find("--hub") != std::string::npos && words.find(code) == std::string::npos;
  };
  while (!hidden() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  const std::string words = seen();
  CHECK(words.find("enrol") != std::string::npos);
  CHECK(words.find(code.substr(6)) == std::string::npos);
  CHECK(words.find("--hub") != std::string::npos);
}

TEST_CASE("an agent killed at each point of its first load goes on from what the hub has") {
  Folder folder;
  Hub hub(folder);
  Agent agent(folder);
  configure(agent, hub.url());
  enrol(hub, agent);
  const Json extracted = agent.json({"extract"});
  std::atomic<pid_t> victim{0};
  int killed = 0;
  // Once with the request on its way, once with the answer, at the first and the second exchange.
  for (const int exchange : {1, 2}) {
    for (const auto when : {Between::When::kRequestHere, Between::When::kAnswerHere}) {
      victim = 0;
      Between between(hub.port(), [&](int n, Between::When now) {
        if (n != exchange || now != when) return true;
        while (victim == 0) std::this_thread::yield();  // it may ask before we know its pid
        ::kill(victim, SIGKILL);
        return now == Between::When::kRequestHere;  // what was sent before the kill still arrives
      });
      configure(agent, between.url());
      Process syncing(folder, agent.words({"sync", "--json"}));
      victim = syncing.pid();
      const Ended ended = syncing.wait();
      CHECK((ended.code == -SIGKILL || ended.code == 0));  // 0: what was left took one exchange
      killed += ended.code == -SIGKILL ? 1 : 0;
    }
  }
  CHECK(killed >= 3);
  configure(agent, hub.url());
  const Json rest = agent.json({"sync"});
  CHECK(rest["equal"] == true);
  CHECK(rest["head"]["epoch"] == 1);  // it was never begun anew
  CHECK(rest["events"].empty());
  CHECK(agent.json({"verify"})["hub"]["equal"] == true);
  CHECK(hub.rows("pupil").size() == agreed_rows(agent, "pupil"));
  CHECK(hub.rows("pupil").size() > count(extracted, "pupil", "added") * 3 / 4);
}

TEST_CASE("a hub killed during a first load has all that it acknowledged, and takes the rest") {
  Folder folder;
  Hub hub(folder);
  Agent agent(folder);
  configure(agent, hub.url());
  enrol(hub, agent);
  REQUIRE(agent.call({"extract"}).code == 0);
  {
    std::atomic<bool> killed{false};
    Between between(hub.port(), [&](int n, Between::When when) {
      if (n == 2 && when == Between::When::kRequestHere) {
        hub.stop(SIGKILL);
        killed = true;
        return false;
      }
      return true;
    });
    configure(agent, between.url());
    const Json cut = agent.json({"sync"}, 1);
    CHECK(killed);
    CHECK(cut["error"]["code"] == "transport");
    CHECK(cut["segments"].get<int>() >= 1);
  }
  hub.start();
  configure(agent, hub.url());
  const Json rest = agent.json({"sync"});
  CHECK(rest["equal"] == true);
  CHECK(rest["head"]["epoch"] == 1);
  CHECK(rest["events"].empty());
  CHECK(agent.json({"verify"})["hub"]["equal"] == true);
}

TEST_CASE("an extract killed while it writes leaves the last good state, and the next one completes it") {
  Folder folder;
  Agent agent(folder);
  agent.demo("", "2026-11-18", 60);
  REQUIRE(agent.call({"extract"}).code == 0);
  const fs::path log = folder / "data/school.db-wal";
  for (const std::uintmax_t grown : {1U, 100'000U, 400'000U}) {
    agent.demo("", "2026-11-19", 60);
    Process extracting(folder, agent.words({"extract", "--full"}));
    std::error_code none;
    while (extracting.running()) {
      const auto size = fs::file_size(log, none);
      if (!none && size >= grown) {
        extracting.kill();
        break;
      }
    }
    const Ended ended = extracting.wait();
    CHECK((ended.code == -SIGKILL || ended.code == 0));
    const Ended status = agent.call({"status"});
    INFO(status.out << status.err);
    CHECK(status.code == 0);
    CHECK(agent.call({"verify"}).code == 0);
  }
  REQUIRE(agent.call({"extract"}).code == 0);
  // The same as a school that was never killed.
  const Json again = agent.json({"extract"});
  for (const auto& [name, counts] : again["sources"][0]["datasets"].items()) {
    INFO(name);
    CHECK(counts["added"] == 0);
    CHECK(counts["changed"] == 0);
    CHECK(counts["removed"] == 0);
  }
}

}  // namespace
}  // namespace towpath::test
