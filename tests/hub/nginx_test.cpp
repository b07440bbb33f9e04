// The real nginx, with config/nginx-hub.example.conf, in front of the real hub's server.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "tests/hub/tls_line.hpp"
#include "tests/replica/writer.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

std::string text_of_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}
void replace(std::string& text, const std::string& what, const std::string& with) {
  std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);  // the example has changed: this test must follow it
  for (; at != std::string::npos; at = text.find(what, at + with.size())) text.replace(at, what.size(), with);
}
// A port that was free a moment ago.
std::string free_port() {
  Poco::Net::StreamSocket socket;
  socket.impl()->bind(Poco::Net::SocketAddress("127.0.0.1", 0), true);
  return std::to_string(socket.impl()->address().port());
}

class Nginx {
 public:
  Nginx(const std::string& folder, const std::string& hub, const Authority& authority)
      : folder_(folder), address_("127.0.0.1:" + free_port()) {
    const char* source = std::getenv("TOWPATH_SOURCE");
    REQUIRE(source != nullptr);
    std::string site = text_of_file(std::string(source) + "/config/nginx-hub.example.conf");
    replace(site, "  server 127.0.0.1:8440;", "  server " + hub + ";");
    replace(site, "  listen 443 ssl;", "  listen " + address_ + " ssl;");
    replace(site, "  listen [::]:443 ssl;\n", "");
    replace(site, "/etc/letsencrypt/live/hub.example.org/fullchain.pem", authority.certificate());
    replace(site, "/etc/letsencrypt/live/hub.example.org/privkey.pem", authority.key());
    std::ofstream(folder + "/site.conf") << site;
    std::string paths;
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      paths += std::string("  ") + kind + "_temp_path " + folder + "/" + kind + ";\n";
    std::ofstream(folder + "/nginx.conf")
        << "daemon off;\nmaster_process off;\npid " << folder << "/pid;\nerror_log " << folder
        << "/error.log;\nevents {}\nhttp {\n  access_log " << folder << "/access.log;\n"
        << paths << "  include " << folder << "/site.conf;\n}\n";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever becomes of the test
      // The hub's port is its own: nginx must not hold it open when the hub has stopped.
      if (::close_range(3, ~0U, 0) != 0) ::_exit(125);
      const std::string config = folder + "/nginx.conf", log = folder + "/error.log";
      if (::freopen((folder + "/out").c_str(), "w", stderr) == nullptr) ::_exit(126);
      ::execl("/usr/sbin/nginx", "nginx", "-c", config.c_str(), "-e", log.c_str(),
              static_cast<char*>(nullptr));
      ::_exit(127);
    }
    // It listens within milliseconds; ten seconds are for a machine that does ten other things.
    for (const auto end = std::chrono::steady_clock::now() + 10s;;) {
      try {
        Poco::Net::StreamSocket knock{Poco::Net::SocketAddress(address_)};
        return;
      } catch (const Poco::Exception&) {
        if (std::chrono::steady_clock::now() > end)
          FAIL("nginx does not listen: " << text_of_file(folder + "/error.log")
                                         << text_of_file(folder + "/out"));
        std::this_thread::sleep_for(20ms);
      }
    }
  }
  ~Nginx() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  const std::string& address() const { return address_; }
  std::string log() const { return text_of_file(folder_ + "/error.log"); }

 private:
  const std::string folder_, address_;
  pid_t pid_ = -1;
};

struct NginxFixture {
  NginxFixture() {
    authority.issue("hub");
    HttpOptions options;
    options.behind_proxy = true;
    options.address_requests = {0, 0, 20, 60, 5};
    options.log = [](const std::string&) {};
    server = serve(echo, options);
    nginx = std::make_unique<Nginx>(folder.path(), server->address(), authority);
  }
  std::string ask(const std::string& request, const std::string& from = "127.0.0.1") const {
    TlsLine line(nginx->address(), authority, TLS1_3_VERSION, 0, from);
    REQUIRE(line.shaken());
    line.say(request);
    return line.hear(false);
  }

  TempFolder folder;
  Authority authority{folder.path()};
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<Nginx> nginx;
};

// What an agent needs to know an answer of the hub's side from a filter's page.
bool is_ours(const std::string& answer) {
  return answer.find("Towpath: 1\r\n") != std::string::npos && answer.find("<html") == std::string::npos;
}

}  // namespace

TEST_CASE("through nginx bundles of every size are exchanged on one connection, and no ticket is sent") {
  NginxFixture f;
  TlsLine line(f.nginx->address(), f.authority);
  REQUIRE(line.shaken());
  CHECK(line.version() == TLS1_3_VERSION);
  for (const std::size_t size : {std::size_t{5}, std::size_t{300'000}, kBundleBytesMax}) {
    const std::string body(size, 'x');
    REQUIRE(line.say(post(body)));
    const std::string heard = line.hear(false);
    CHECK(heard.starts_with("HTTP/1.1 200 "));
    CHECK(is_ours(heard));
    CHECK_THAT(heard.substr(0, heard.find("\r\n\r\n")), Catch::Contains("Cache-Control: no-store"));
    CHECK(heard.substr(heard.find("\r\n\r\n") + 4) == body);
  }
  CHECK(line.tickets() == 0);
  CHECK_FALSE(TlsLine(f.nginx->address(), f.authority, TLS1_1_VERSION, TLS1_VERSION).shaken());
  // Nothing of a bundle was put into a file.
  CHECK_THAT(f.nginx->log(), !Catch::Contains("buffered to a temporary file"));
}

TEST_CASE("through nginx the hub sees who asks, whatever they say of themselves") {
  NginxFixture f;
  int answered = 0;
  for (int n = 0; n < 20; ++n)
    answered += f.ask(post("hello", "X-Forwarded-For: 192.0.2." + std::to_string(n) + "\r\n"))
                    .starts_with("HTTP/1.1 200 ");
  CHECK(answered == 20);
  const std::string refused = f.ask(post("hello", "X-Forwarded-For: 192.0.2.99\r\n"));
  CHECK(refused.starts_with("HTTP/1.1 429 "));
  CHECK_THAT(refused, Catch::Contains("Retry-After: "));
  CHECK(is_ours(refused));
  CHECK(f.ask(post("hello"), "127.0.0.2").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("through nginx refusals keep the hub's form") {
  NginxFixture f;
  const std::string large = f.ask(post(std::string(2 * kBundleBytesMax, 'x')));
  CHECK(large.starts_with("HTTP/1.1 413 "));
  CHECK(is_ours(large));
  const std::string absurd = f.ask(
      "POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nContent-Type: application/vnd.towpath.bundle\r\n"
      "Content-Length: 50000000\r\n\r\nand so on");
  CHECK(absurd.starts_with("HTTP/1.1 413 "));
  CHECK(is_ours(absurd));
  CHECK(f.ask("GET /v1/exchange HTTP/1.1\r\nHost: hub\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(f.ask("GET /elsewhere HTTP/1.1\r\nHost: hub\r\n\r\n").starts_with("HTTP/1.1 404 "));
  f.server->stop();
  const std::string away = f.ask(post("hello"));
  CAPTURE(f.nginx->log());
  CHECK(away.starts_with("HTTP/1.1 503 "));
  CHECK_THAT(away, Catch::Contains("Retry-After: 60\r\n") && Catch::Contains("not running"));
  CHECK(is_ours(away));
}
