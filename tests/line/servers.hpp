// Servers of a few lines on loopback that can be told to misbehave, with and without TLS; and the
// certificates for them, made by openssl as a web filter's or a borough's would be.
#pragma once

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/NetSSL.h>
#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Timespan.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/programs.hpp"

namespace towpath::test {

using Poco::Net::StreamSocket;

// The loopback that our own rules do not take for loopback (IPv4 written as IPv6), so that a way
// through a proxy, or TLS, is asked for. No packet leaves the machine.
inline constexpr const char* kSelf = "[::ffff:127.0.0.1]";

struct Request {
  std::string header, body;
};

// One side's connection, with the wish to end looked at between reads.
class Line {
 public:
  Line(StreamSocket socket, const std::atomic<bool>& stop) : socket_(std::move(socket)), stop_(stop) {
    socket_.setReceiveTimeout(Poco::Timespan(100'000));
  }
  // Up to `size` bytes; 0 at the end.
  int receive(char* at, int size) {
    while (!stop_) {
      try {
        const int n = socket_.receiveBytes(at, size);
        if (n >= 0) return n;  // below 0: TLS wants more
      } catch (const Poco::TimeoutException&) {
      }
    }
    return 0;
  }
  // One request: its header, then as many bytes as it promises.
  std::optional<Request> request() {
    Request request;
    std::string all = std::exchange(ahead_, {});
    char piece[65536];
    std::size_t end = std::string::npos;
    while ((end = all.find("\r\n\r\n")) == std::string::npos) {
      const int n = receive(piece, sizeof piece);
      if (n <= 0) return std::nullopt;
      all.append(piece, static_cast<std::size_t>(n));
    }
    request.header = all.substr(0, end + 4);
    request.body = all.substr(end + 4);
    const std::size_t at = request.header.find("Content-Length: ");
    const std::size_t length = at == std::string::npos ? 0 : std::stoul(request.header.substr(at + 16));
    while (request.body.size() < length) {
      const int n = receive(piece, sizeof piece);
      if (n <= 0) return std::nullopt;
      request.body.append(piece, static_cast<std::size_t>(n));
    }
    return request;
  }
  void send(const std::string& text) {
    std::size_t at = 0;
    while (at < text.size() && !stop_) {
      const int n = socket_.sendBytes(text.data() + at, static_cast<int>(text.size() - at));
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }
  void cut() { socket_.close(); }
  // Waits until the other side has gone, or the server ends.
  void wait() {
    char piece[4096];
    while (receive(piece, sizeof piece) > 0) {
    }
  }

 private:
  StreamSocket socket_;
  const std::atomic<bool>& stop_;
  std::string ahead_;
};

inline std::string http(const std::string& status, const std::string& type, const std::string& body,
                        const std::string& more = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

// Hands each connection to `serve`, in a thread of its own.
class Server {
 public:
  using Serve = std::function<void(Line&)>;
  explicit Server(Serve serve)
      : Server(std::make_unique<Poco::Net::ServerSocket>(Poco::Net::SocketAddress("127.0.0.1", 0)), "http",
               std::move(serve)) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stop_ = true;
    thread_.join();
    for (std::thread& thread : guests_) thread.join();
  }
  [[nodiscard]] int port() const { return socket_->address().port(); }
  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const {
    return scheme_ + "://" + host + ":" + std::to_string(port());
  }
  [[nodiscard]] int connections() const { return connections_; }

 protected:
  Server(std::unique_ptr<Poco::Net::ServerSocket> socket, std::string scheme, Serve serve)
      : socket_(std::move(socket)),
        scheme_(std::move(scheme)),
        serve_(std::move(serve)),
        thread_([this] { run(); }) {}

 private:
  void run() {
    while (!stop_) {
      if (!socket_->poll(Poco::Timespan(20'000), Poco::Net::Socket::SELECT_READ)) continue;
      try {
        auto connection = std::make_unique<StreamSocket>(socket_->acceptConnection());
        ++connections_;
        guests_.emplace_back([this, connection = std::move(connection)]() mutable {
          try {
            Line line(*connection, stop_);
            connection.reset();
            serve_(line);
          } catch (const Poco::Exception&) {
            // The other side went away: the test sees what it made of it.
          }
        });
      } catch (const Poco::Exception&) {
      }
    }
  }
  std::unique_ptr<Poco::Net::ServerSocket> socket_;
  std::string scheme_;
  Serve serve_;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::vector<std::thread> guests_;
  std::thread thread_;
};

// Answers every request of every connection.
inline Server::Serve answering(std::function<std::string(const Request&)> answer) {
  return [answer = std::move(answer)](Line& line) {
    while (auto request = line.request()) line.send(answer(*request));
  };
}

// A certificate authority of our own, and what it signs.
class Authority {
 public:
  Authority(const Folder& folder, const std::string& name, const std::string& file = "ca")
      : folder_(folder), file_(file) {
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout " +
            key(file_) + " -out " + pem(file_) + " -subj '/O=Borough/CN=" + name + "'");
  }
  [[nodiscard]] std::string certificate() const { return pem(file_); }
  // `names`: "DNS:hub.test,IP:127.0.0.1". `when`: openssl's options for its days.
  void sign(const std::string& file, const std::string& subject, const std::string& names,
            const std::string& days = "-days 2") const {
    folder_.write(file + ".ext", "subjectAltName=" + names + "\n");
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout " + key(file) + " -out " +
            folder_ / (file + ".csr") + " -subj '/CN=" + subject + "'");
    openssl("x509 -req -in " + folder_ / (file + ".csr") + " -CA " + pem(file_) + " -CAkey " + key(file_) +
            " -CAcreateserial -extfile " + folder_ / (file + ".ext") + " -out " + pem(file) + " " + days);
  }
  [[nodiscard]] std::string pem(const std::string& file) const { return folder_ / (file + ".pem"); }
  [[nodiscard]] std::string key(const std::string& file) const { return folder_ / (file + ".key"); }

 private:
  void openssl(const std::string& words) const {
    const Ended ended = towpath::test::run(folder_, {"/bin/sh", "-c", "openssl " + words});
    INFO(words << "\n" << ended.err);
    REQUIRE(ended.code == 0);
  }
  const Folder& folder_;
  std::string file_;
};

class TlsServer final : public Server {
 public:
  TlsServer(const Authority& authority, const std::string& file, Serve serve)
      : Server(make(authority, file), "https", std::move(serve)) {}

 private:
  static std::unique_ptr<Poco::Net::ServerSocket> make(const Authority& authority, const std::string& file) {
    static const bool ready = (Poco::Net::initializeSSL(), true);
    (void)ready;
    const Poco::Net::Context::Ptr context =
        new Poco::Net::Context(Poco::Net::Context::TLS_SERVER_USE, authority.key(file), authority.pem(file),
                               "", Poco::Net::Context::VERIFY_NONE);
    return std::make_unique<Poco::Net::SecureServerSocket>(Poco::Net::SocketAddress("127.0.0.1", 0), 64,
                                                           context);
  }
};

// A port that nobody listens on, as far as can be known.
inline int free_port() {
  Poco::Net::ServerSocket socket(Poco::Net::SocketAddress("127.0.0.1", 0));
  return socket.address().port();
}

// A program that listens on `port`, started and waited for.
class Listener {
 public:
  Listener(const Folder& folder, const std::vector<std::string>& words, int port)
      : port_(port), process_(folder, words) {
    for (int i = 0; i < 600; ++i) {  // half a minute, under sanitizers and a full machine
      if (!process_.running()) {
        const Ended ended = process_.wait();
        FAIL(words.front() << " ended: " << ended.out << ended.err);
      }
      try {
        StreamSocket socket;
        socket.connect(Poco::Net::SocketAddress("127.0.0.1", static_cast<Poco::UInt16>(port)),
                       Poco::Timespan(1'000'000));
        return;
      } catch (const Poco::Exception&) {
        ::usleep(50'000);
      }
    }
    FAIL(words.front() << " does not listen");
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int port() const { return port_; }

 private:
  int port_;
  Process process_;
};

// Squid as a school's proxy. It knows the name hub.test, which this machine does not.
class Squid {
 public:
  enum class Asks { kNobody, kBasic, kNtlm };
  Squid(const Folder& folder, Asks asks) {
    const int port = free_port();
    // It gives up root for a user of its own, who must be able to read this.
    fs::permissions(folder / "", fs::perms(0755));
    folder.write("hosts", "127.0.0.1 hub.test\n127.0.0.1 blocked.test\n");
    std::string text =
        "http_port 127.0.0.1:" + std::to_string(port) +
        "\npid_filename none\naccess_log none\ncache_log /dev/null\ncache_store_log none\ncache deny all\n"
        "cache_mem 8 MB\nvisible_hostname proxy.test\nshutdown_lifetime 0 seconds\nhosts_file " +
        folder / "hosts" + "\n";
    if (asks == Asks::kBasic) {
      const Ended hash = run(folder, {"/bin/sh", "-c", "openssl passwd -apr1 telling-password"});
      REQUIRE(hash.code == 0);
      folder.write("users", "towpath:" + hash.out);
      text += "auth_param basic program /usr/lib/squid/basic_ncsa_auth " + folder / "users" +
              "\nauth_param basic children 1\nauth_param basic realm school\n";
    }
    if (asks == Asks::kNtlm)
      text += "auth_param ntlm program /usr/lib/squid/ntlm_fake_auth\nauth_param ntlm children 1\n";
    text += "acl blocked dstdomain blocked.test\nhttp_access deny blocked\n";
    if (asks != Asks::kNobody) text += "acl known proxy_auth REQUIRED\nhttp_access deny !known\n";
    text += "http_access allow all\n";
    folder.write("squid.conf", text);
    listener_.emplace(
        folder, std::vector<std::string>{"/usr/sbin/squid", "-N", "-n", name_, "-f", folder / "squid.conf"},
        port);
  }
  Squid(const Squid&) = delete;
  Squid& operator=(const Squid&) = delete;
  ~Squid() {
    listener_.reset();
    // It is killed, and leaves these.
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator("/dev/shm", failed))
      if (entry.path().filename().string().starts_with(name_ + "-")) fs::remove(entry.path(), failed);
  }
  [[nodiscard]] std::string url() const { return listener_->url(); }
  [[nodiscard]] int port() const { return listener_->port(); }

 private:
  static std::string new_name() {
    static int count = 0;
    return "towpath" + std::to_string(::getpid()) + "n" + std::to_string(++count);
  }
  // Its shared memory is named by this: two of one name, or what a killed one left, end the next.
  std::string name_ = new_name();
  std::optional<Listener> listener_;
};

// mitmproxy as a web filter that opens TLS: an explicit proxy that sends everything to `server`.
class Filter {
 public:
  Filter(const Folder& folder, int server, const std::string& more = "")
      : ca_(folder / "filter/mitmproxy-ca-cert.pem") {
    const int port = free_port();
    folder.write("filter.py", "def server_connect(data):\n    data.server.address = ('127.0.0.1', " +
                                  std::to_string(server) + ")\n" + more);
    listener_.emplace(folder,
                      std::vector<std::string>{"/usr/bin/mitmdump", "--quiet", "--listen-host", "127.0.0.1",
                                               "--listen-port", std::to_string(port), "--set",
                                               "confdir=" + folder / "filter", "--set", "ssl_insecure=true",
                                               "-s", folder / "filter.py"},
                      port);
  }
  [[nodiscard]] std::string url() const { return listener_->url(); }
  [[nodiscard]] const std::string& certificate() const { return ca_; }

 private:
  std::string ca_;
  std::optional<Listener> listener_;
};

}  // namespace towpath::test
