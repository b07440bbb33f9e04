// What a hub holds: exchanges a second of daily deltas, over kept-alive and over new TLS connections,
// beside what a handshake and a request cost alone; and what one school's flood costs the others.
//
//   hub_load TOWPATH_HUB [EXCHANGES] [SCHOOLS]      settings and tables on standard output
//
// Makes a hub in a folder of its own with SCHOOLS primaries (420 pupils, 20 days of marks), starts the
// real program on it and speaks to it from a few threads. Requests are sealed before the clock
// starts. CPU is the hub process's own, by its clock; clients share the machine, so that exchanges
// a second on the wall are a lower bound, and CPU and ratios are the figures to trust.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bundle/bundle.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/exchange/service.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"
#include "platform/platform.hpp"
#include "segment/digest.hpp"
#include "segment/segment.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

using namespace towpath;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr int kPupils = 420;
constexpr int kDaysBefore = 20;
constexpr int kClients = 8;  // as many as keep two cores busy while each waits for its answer

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "hub_load: %s\n", why.c_str());
  std::exit(1);
}
template <class T>
T must(Result<T> result) {
  if (!result) stop(result.error().sentence());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// --- a school ------------------------------------------------------------------------------------

// A primary's register, and its key: makes segments as publish does, each with the last as its prefix.
class School {
 public:
  School(std::string urn, Random& random)
      : urn_(std::move(urn)), random_(random), key_(PartySecret::make(random)), instance_(random.u64() | 1) {}
  [[nodiscard]] const std::string& urn() const { return urn_; }
  [[nodiscard]] const PartySecret& key() const { return key_; }

  // A bundle with the next days in one segment; no days: a bundle that only says hello.
  [[nodiscard]] Bytes bundle(int days, const PartyKey& hub) {
    Bundle bundle;
    random_.fill(bundle.id.uuid.bytes);
    bundle.sent = platform::SystemClock().now();
    bundle.frames.emplace_back(
        HelloFrame{"school:" + urn_, "hub_load", built_in_dictionary().version, instance_, ++turn_});
    if (days > 0) bundle.frames.emplace_back(SegmentFrame{segment(days)});
    return must(seal(bundle, key_, hub, random_));
  }

 private:
  Bytes segment(int days) {
    const Dataset& marks = *built_in_dictionary().find("session_mark");
    std::vector<WireField> fields;
    std::vector<std::uint8_t> ids;
    for (const Field& f : marks.fields) {
      fields.push_back({f.id, is_text(f.type)});
      ids.push_back(f.id);
    }
    RowHasher hasher(marks.id, ids);
    ContentWriter writer;
    writer.begin(marks.id, Operation::kInsert, fields, marks.key_count);
    std::vector<Value> row(fields.size());
    for (const int last = day_ + days; day_ < last; ++day_)
      for (std::int64_t session = 0; session < 2; ++session)
        for (std::int64_t pupil = 1; pupil <= kPupils; ++pupil) {
          // Nineteen present of twenty, the same ones mostly: as marks are.
          const bool away = (pupil * 7919 + day_ / 3) % 20 == 0;
          row[0] = Value{std::int64_t{20000 + day_}};
          row[1] = Value{session};
          row[2] = Value{pupil};
          row[3] = Value{std::string_view(away ? "I" : session == 0 ? "/" : "\\")};
          for (std::size_t i = 4; i < row.size(); ++i) row[i] = Value{};
          digest_.add(hasher(row));
          writer.row(row);
        }
    writer.end();
    Bytes content = writer.finish();
    SegmentHeader h;
    h.stream = stream_id(urn_, kBorough);
    h.epoch = Epoch{1};
    h.seq = StreamSeq{++seq_};
    h.previous = previous_;
    h.dictionary_version = built_in_dictionary().version;
    h.snapshot = h.snapshot_end = seq_ == 1;
    if (seq_ > 1) h.reference = StreamSeq{seq_ - 1};
    h.digest = digest_.value();
    auto sealed = must(seal_segment(h, content, content_));
    previous_ = sealed.hash;
    content_ = std::move(content);
    return std::move(sealed.bytes);
  }

  const std::string urn_;
  Random& random_;
  PartySecret key_;
  const std::uint64_t instance_;
  std::uint64_t turn_ = 0, seq_ = 0;
  int day_ = 0;
  Hash256 previous_{};
  StateDigest digest_;
  Bytes content_;
};

// --- a hub -----------------------------------------------------------------------------------------

class Folder {
 public:
  Folder() {
    std::string made = (std::filesystem::temp_directory_path() / "towpath-load-XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) stop("no temporary folder can be made");
    path_ = made;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The real program, serving.
class Hub {
 public:
  Hub(const std::string& program, const std::string& data, std::vector<std::string> more) {
    int ends[2];
    if (::pipe(ends) != 0) stop("no pipe can be made");
    std::vector<std::string> words{program, "--data", data, "serve", "--quiet", "--listen", "127.0.0.1:0"};
    words.insert(words.end(), more.begin(), more.end());
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], 1);
      std::vector<char*> argv;
      for (std::string& w : words) argv.push_back(w.data());
      argv.push_back(nullptr);
      ::execv(program.c_str(), argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    std::string line;
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
    ::close(ends[0]);
    const std::size_t colon = line.find("127.0.0.1:");
    if (colon == std::string::npos) stop("the hub did not start");
    port_ = static_cast<std::uint16_t>(std::stoi(line.substr(colon + 10)));
    if (::clock_getcpuclockid(pid_, &clock_) != 0) stop("the hub's clock cannot be read");
  }
  ~Hub() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] double cpu() const {
    timespec t{};
    ::clock_gettime(clock_, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
  }

 private:
  pid_t pid_ = -1;
  clockid_t clock_{};
  std::uint16_t port_ = 0;
};

// --- a client ----------------------------------------------------------------------------------------

struct Client {
  static SSL_CTX* context() {
    static SSL_CTX* c = [] {
      SSL_CTX* made = SSL_CTX_new(TLS_client_method());
      SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
      return made;
    }();
    return c;
  }
  Client(std::uint16_t port, bool tls) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval patience{30, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    good_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    if (good_ && tls) {
      ERR_clear_error();
      ssl_ = SSL_new(context());
      SSL_set_fd(ssl_, fd_);
      good_ = SSL_connect(ssl_) == 1;
    }
  }
  ~Client() {
    if (ssl_ != nullptr) {
      if (good_) SSL_shutdown(ssl_);
      SSL_free(ssl_);
    }
    ::close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The status; 0 where there was no answer.
  int ask(const std::string& request) {
    if (!good_) return 0;
    const auto size = request.size();
    const auto sent = ssl_ != nullptr ? SSL_write(ssl_, request.data(), static_cast<int>(size))
                                      : static_cast<int>(::send(fd_, request.data(), size, MSG_NOSIGNAL));
    good_ = sent == static_cast<int>(size);
    std::string heard;
    char piece[4096];
    while (good_) {
      const int n = ssl_ != nullptr ? SSL_read(ssl_, piece, sizeof piece)
                                    : static_cast<int>(::recv(fd_, piece, sizeof piece, 0));
      if (n <= 0) break;
      heard.append(piece, static_cast<std::size_t>(n));
      const std::size_t end = heard.find("\r\n\r\n"), at = heard.find("Content-Length: ");
      if (end == std::string::npos || at == std::string::npos ||
          heard.size() < end + 4 + std::stoul(heard.substr(at + 16)))
        continue;
      if (heard.find("Connection: close") != std::string::npos) good_ = false;
      return std::stoi(heard.substr(9, 3));
    }
    good_ = false;
    return 0;
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  bool good_ = false;
};

std::string post(const Bytes& body, const std::string& from) {
  return "POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: " + std::string(kBundleMediaType) +
         "\r\nX-Forwarded-For: " + from + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(text_of(body));
}

// --- measuring -----------------------------------------------------------------------------------------

struct Measured {
  std::uint64_t done = 0;
  double wall = 0, cpu = 0;
  std::vector<double> waits;  // ms
  [[nodiscard]] double wait(double part) {
    if (waits.empty()) return 0;
    std::sort(waits.begin(), waits.end());
    return waits[static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1))];
  }
};

// Every client asks its own requests, one after another: as soon as it has its answer, or at a pace.
struct How {
  bool tls = true;
  bool fresh = false;  // a connection for each
  std::chrono::milliseconds pace{};
};
using Requests = std::vector<std::vector<std::string>>;
Measured drive(const Hub& hub, const Requests& requests, const How& how) {
  Measured all;
  std::mutex mutex;
  std::vector<std::thread> threads;
  const auto began = SteadyClock::now();
  const double cpu = hub.cpu();
  for (const auto& mine : requests)
    threads.emplace_back([&] {
      std::unique_ptr<Client> client;
      std::vector<double> waits;
      auto next = SteadyClock::now();
      for (const std::string& request : mine) {
        if (how.pace.count() > 0) std::this_thread::sleep_until(next += how.pace);
        const auto asked = SteadyClock::now();
        if (how.fresh || !client || !client->good()) client = std::make_unique<Client>(hub.port(), how.tls);
        if (const int status = client->ask(request); status != 200)
          stop("the hub answered " + std::to_string(status) + " to a well-behaved school");
        waits.push_back(std::chrono::duration<double, std::milli>(SteadyClock::now() - asked).count());
      }
      const std::lock_guard lock(mutex);
      all.done += waits.size();
      all.waits.insert(all.waits.end(), waits.begin(), waits.end());
    });
  for (std::thread& t : threads) t.join();
  all.wall = std::chrono::duration<double>(SteadyClock::now() - began).count();
  all.cpu = hub.cpu() - cpu;
  return all;
}

// One school that asks as fast as it can, over some connections, until it goes.
class Flood {
 public:
  Flood(const Hub& hub, const Requests& requests) {
    for (const auto& mine : requests)
      threads_.emplace_back([&] {
        for (std::size_t n = 0; !over_;) {
          Client client(hub.port(), true);
          if (!client.good()) ++refused_;
          for (; client.good() && !over_; n = (n + 1) % mine.size())
            ++(client.ask(mine[n]) == 200 ? answered_ : refused_);
        }
      });
  }
  ~Flood() { end(); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  void end() {
    over_ = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  std::atomic<bool> over_ = false;
  std::atomic<std::uint64_t> answered_ = 0, refused_ = 0;
  std::vector<std::thread> threads_;
};

void row(const char* what, const Measured& m) {
  std::printf("| %s | %llu | %.0f | %.2f | %.0f |\n", what, static_cast<unsigned long long>(m.done),
              static_cast<double>(m.done) / m.wall, 1000 * m.cpu / static_cast<double>(m.done),
              static_cast<double>(m.done) / m.cpu * 2);
  std::fflush(stdout);
}

double thread_cpu() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// A hub's folder with schools that have sent their first load; and the schools.
std::vector<std::unique_ptr<School>> load(const std::string& data, int count, Random& random, PartyKey& hub) {
  platform::SystemClock clock;
  RegistryOptions options;
  options.data = data;
  options.create = true;
  auto registry = must(Registry::open(options, built_in_dictionary(), clock));
  must(Keyring::make(data, random, clock.now()));
  auto keys = must(Keyring::open(data));
  hub = keys->keys()->front().secret.key();
  HubService service(*registry, *keys, clock, random, built_in_dictionary(), "hub_load");
  std::vector<std::unique_ptr<School>> schools;
  for (int i = 0; i < count; ++i) {
    auto school = std::make_unique<School>(std::to_string(100001 + i), random);
    must(registry->add_school(school->urn(), "Example"));
    const Hash256 secret = hash256("hub_load", bytes_of(school->urn()));
    must(registry->agents().invite(school->urn(), secret, clock.now(), clock.now() + std::chrono::hours(1)));
    must(registry->agents().enrol(secret, school->key().key(), school->urn(), "bench", clock.now()));
    const Bytes answer = must(service.answer(school->bundle(kDaysBefore, hub)));
    const Bundle opened = must(open(answer, school->key(), hub));
    for (const Frame& f : opened.frames)
      if (const auto* p = std::get_if<ProblemFrame>(&f)) stop("the hub refused a first load: " + p->text);
    schools.push_back(std::move(school));
  }
  service.close_files();
  return schools;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: hub_load TOWPATH_HUB [EXCHANGES] [SCHOOLS]\n");
    return 2;
  }
  const std::string program = argv[1];
  const int each = std::max(10, (argc > 2 ? std::stoi(argv[2]) : 1600) / kClients);
  const int count = std::max(kClients + 1, argc > 3 ? std::stoi(argv[3]) : 65);
  ::signal(SIGPIPE, SIG_IGN);

  const Folder folder;
  const std::string data = folder.path() + "/hub";
  platform::SystemRandom random;
  PartyKey hub_key;
  const auto schools = load(data, count, random, hub_key);
  const std::string tls_files =
      "cd " + folder.path() +
      " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
      "-subj /CN=bench -keyout key.pem -out cert.pem 2>/dev/null";
  if (std::system(tls_files.c_str()) != 0) stop("openssl could not make a certificate");
  const std::vector<std::string> tls{"--tls-certificate", folder.path() + "/cert.pem", "--tls-key",
                                     folder.path() + "/key.pem", "--behind-proxy"};

  // The last school is the one that floods; the others take turns, each with its next day.
  const auto days = [&](int times) {
    Requests requests(kClients);
    const int mine = (count - 1) / kClients;
    for (int n = 0; n < times; ++n)
      for (int c = 0; c < kClients; ++c)
        requests[static_cast<std::size_t>(c)].push_back(
            post(schools[static_cast<std::size_t>(c + kClients * (n % mine))]->bundle(1, hub_key),
                 "10.1." + std::to_string(c) + "." + std::to_string(n % mine + 1)));
    return requests;
  };
  const Requests nothing(kClients, std::vector<std::string>(static_cast<std::size_t>(each),
                                                            "GET / HTTP/1.1\r\nHost: hub\r\n\r\n"));

  double load_before[3] = {};
  if (::getloadavg(load_before, 3) != 3) load_before[0] = 0;
  const auto first = days(each);
  std::printf(
      "# What a hub holds\n\n- %u cores, load before %.2f %.2f %.2f; %s; %s\n- %d schools of %d pupils with "
      "%d "
      "days of marks; a delta is a day's %d marks, %zu bytes of HTTP up\n- %d clients on the same machine, "
      "%d "
      "exchanges a row; CPU is the hub process's own\n\n",
      std::thread::hardware_concurrency(), load_before[0], load_before[1], load_before[2],
      OpenSSL_version(OPENSSL_VERSION), "P-256 certificate", count, kPupils, kDaysBefore, 2 * kPupils,
      first[0][0].size(), kClients, each * kClients);

  // Trust alone, in this process: what the hub pays for a daily delta's seal and its answer's.
  const Bytes question = [&] {
    Bundle b;
    b.frames.emplace_back(HelloFrame{"school:100001", "hub_load", 1, 1, 1});
    b.frames.emplace_back(HeadFrame{stream_id("100001", kBorough), {}});
    return must(seal(b, schools[0]->key(), schools[0]->key().key(), random));
  }();
  const PartySecret& key = schools[0]->key();
  const Bundle opened = must(open(question, key, key.key()));
  constexpr int kTimes = 2000;
  double before = thread_cpu();
  for (int i = 0; i < kTimes; ++i) must(open(question, key, key.key()));
  const double opening = (thread_cpu() - before) / kTimes;
  before = thread_cpu();
  for (int i = 0; i < kTimes; ++i) must(seal(opened, key, key.key(), random));
  const double sealing = (thread_cpu() - before) / kTimes;

  std::printf(
      "| | exchanges | a second, as measured | hub CPU ms each | two cores would hold, a second |\n"
      "|---|---|---|---|---|\n");
  Measured kept;
  {
    const Hub hub(program, data, {"--behind-proxy"});
    row("daily delta, plain HTTP, connections kept", drive(hub, first, {false, false, {}}));
  }
  {
    const auto second = days(each), third = days(each);
    const Hub hub(program, data, tls);
    kept = drive(hub, second, {true, false, {}});
    row("daily delta, TLS, connections kept", kept);
    row("daily delta, TLS, a new connection each", drive(hub, third, {true, true, {}}));
    row("floor: a handshake and a request that needs no hub", drive(hub, nothing, {true, true, {}}));
  }
  std::printf("\nTrust: opening a bundle %.3f ms, sealing an answer %.3f ms: %.1f %% of an exchange's CPU.\n",
              1000 * opening, 1000 * sealing,
              100 * (opening + sealing) / (kept.cpu / static_cast<double>(kept.done)));

  std::printf(
      "\n## One school's flood\n\nThe others: %d clients, new TLS connections, 5 exchanges a second each. "
      "The flood: one "
      "school's signed bundles over 16 kept TLS connections, as fast as they are answered; from one address "
      "(as the hub sees it behind a proxy), or from as many as it has bundles.\n\n"
      "| | others' wait, median ms | 95 of 100 ms | exchanges a second | hub CPU s a second | flood answered "
      "| "
      "flood refused by address |\n|---|---|---|---|---|---|---|\n",
      kClients);
  const int times = std::max(10, each / 8);
  const auto watch = [&](const char* what, const Hub& hub, const Requests& requests, Flood* flood) {
    Measured m = drive(hub, requests, {true, true, std::chrono::milliseconds(200)});
    if (flood != nullptr) flood->end();
    std::printf("| %s | %.1f | %.1f | %.0f | %.2f | %llu | %llu |\n", what, m.wait(0.5), m.wait(0.95),
                static_cast<double>(m.done) / m.wall, m.cpu / m.wall,
                static_cast<unsigned long long>(flood != nullptr ? flood->answered() : 0),
                static_cast<unsigned long long>(flood != nullptr ? flood->refused() : 0));
    std::fflush(stdout);
    return m;
  };
  const auto flood_of = [&](bool one_address) {
    Requests requests(16);
    for (int n = 0; n < 100; ++n)
      for (std::size_t c = 0; c < requests.size(); ++c)
        requests[c].push_back(
            post(schools.back()->bundle(0, hub_key),
                 one_address ? "10.2.0.1" : "10.3." + std::to_string(c) + "." + std::to_string(n + 1)));
    return requests;
  };
  const auto quiet = days(times), one = days(times), many = days(times);
  const Requests flood_one = flood_of(true), flood_many = flood_of(false);
  Measured calm, busy;
  {
    const Hub hub(program, data, tls);
    calm = watch("no flood", hub, quiet, nullptr);
  }
  {
    const Hub hub(program, data, tls);
    Flood flood(hub, flood_one);
    busy = watch("flood from one address", hub, one, &flood);
  }
  Measured worst;
  {
    const Hub hub(program, data, tls);
    Flood flood(hub, flood_many);
    worst = watch("flood from 1,600 addresses", hub, many, &flood);
  }
  std::printf("\nMedian wait against no flood: %.2f times (one address), %.2f times (many).\n",
              busy.wait(0.5) / calm.wait(0.5), worst.wait(0.5) / calm.wait(0.5));
  return 0;
}
