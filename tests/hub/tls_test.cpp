#include <filesystem>
#include <fstream>
#include <mutex>

#include "tests/hub/tls_line.hpp"
#include "tests/replica/writer.hpp"

using namespace towpath;
using namespace towpath::test;
using namespace std::chrono_literals;

namespace {

struct TlsFixture {
  TlsFixture() { authority.issue("first"); }
  HttpOptions options() {
    HttpOptions o;
    o.tls_certificate = authority.certificate();
    o.tls_key = authority.key();
    o.tls_look_every = 0ms;
    o.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex);
      log += line + "\n";
    };
    return o;
  }
  std::string said() {
    const std::lock_guard lock(mutex);
    return std::exchange(log, {});
  }
  std::string name_at(const HttpServer& server) const { return TlsLine(server, authority).name(); }

  TempFolder folder;
  Authority authority{folder.path()};
  std::mutex mutex;
  std::string log;
};

}  // namespace

TEST_CASE("bundles are exchanged over TLS 1.3, on a connection that stays, and no ticket is sent") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  CHECK(server->tls());
  TlsLine line(*server, tls.authority);
  REQUIRE(line.shaken());
  CHECK(line.version() == TLS1_3_VERSION);
  for (const std::string& body : {std::string("hello"), std::string(300'000, 'x')}) {
    REQUIRE(line.say(post(body)));
    const std::string heard = line.hear(false);
    CHECK(heard.starts_with("HTTP/1.1 200 "));
    CHECK(heard.ends_with("\r\n\r\n" + body));
  }
  CHECK(line.tickets() == 0);
  CHECK_THAT(tls.said(), Catch::Contains("hub.pem is valid until 20"));
}

TEST_CASE("TLS 1.2 is taken, without a ticket; TLS 1.1 is not") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  TlsLine old(*server, tls.authority, TLS1_2_VERSION);
  REQUIRE(old.shaken());
  CHECK(old.version() == TLS1_2_VERSION);
  REQUIRE(old.say(post("hello")));
  CHECK(old.hear(false).starts_with("HTTP/1.1 200 "));
  CHECK(old.tickets() == 0);
  CHECK_FALSE(TlsLine(*server, tls.authority, TLS1_1_VERSION, TLS1_VERSION).shaken());
  CHECK(TlsLine(*server, tls.authority).shaken());
}

TEST_CASE("a certificate replaced on disk is the next connection's; open ones go on") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  TlsLine open(*server, tls.authority);
  REQUIRE(open.say(post("hello")));
  REQUIRE(open.hear(false).starts_with("HTTP/1.1 200 "));
  CHECK(open.name() == "first");
  tls.said();
  tls.authority.issue("second");
  CHECK(tls.name_at(*server) == "second");
  CHECK_THAT(tls.said(), Catch::Contains("was replaced; the new one is valid until 20"));
  REQUIRE(open.say(post("hello")));
  CHECK(open.hear(false).starts_with("HTTP/1.1 200 "));
  CHECK(tls.name_at(*server) == "second");
  CHECK(tls.said().empty());
}

TEST_CASE("a new certificate that does not work leaves the old one in force, and is said once") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  REQUIRE(tls.name_at(*server) == "first");
  const auto broken = [&](const std::string& file, const std::string& text, const std::string& why) {
    tls.said();
    std::ofstream(file, std::ios::trunc) << text;
    // A renewal that is half done is not worth a word: it is looked at again.
    CHECK(tls.name_at(*server) == "first");
    CHECK(tls.said().empty());
    CHECK(tls.name_at(*server) == "first");
    const std::string said = tls.said();
    CHECK_THAT(said, Catch::Contains("the old one stays in force until 20") && Catch::Contains(why));
    CHECK_THAT(said, !Catch::Contains("PRIVATE KEY"));
    CHECK(tls.name_at(*server) == "first");
    CHECK(tls.said().empty());
  };
  broken(tls.authority.certificate(), "no certificate", "is no certificate");
  broken(tls.authority.key(), "", "is no private key");
  TempFolder elsewhere;
  const Authority other(elsewhere.path());
  other.issue("other");
  std::filesystem::copy_file(other.certificate(), tls.authority.certificate(),
                             std::filesystem::copy_options::overwrite_existing);
  std::string key;
  std::getline(std::ifstream(elsewhere.path() + "/ca.key"), key, '\0');
  broken(tls.authority.key(), key, "does not belong to the certificate");
  std::filesystem::remove(tls.authority.key());
  CHECK(tls.name_at(*server) == "first");
  CHECK(tls.name_at(*server) == "first");
  CHECK_THAT(tls.said(), Catch::Contains("cannot be read"));
  // And a good one is taken as soon as it is there.
  tls.authority.issue("second");
  CHECK(tls.name_at(*server) == "second");
}

TEST_CASE("files are looked at now and then, not at every connection") {
  TlsFixture tls;
  HttpOptions options = tls.options();
  options.tls_look_every = 1h;
  const auto server = serve(echo, options);
  tls.authority.issue("second");
  CHECK(tls.name_at(*server) == "first");
}

TEST_CASE(
    "a client that connects and says nothing, or stops in the handshake, holds up nobody and is let go") {
  TlsFixture tls;
  HttpOptions options = tls.options();
  options.threads = 4;
  options.header_time = 60s;
  auto server = serve(echo, options);
  Line silent(*server), half(*server);
  half.say(std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8));
  for (int n = 0; n < 3; ++n) CHECK(TlsLine(*server, tls.authority).shaken());
  options.header_time = 200ms;
  server = serve(echo, options);
  Line silent_too(*server), half_too(*server);
  half_too.say(std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8));
  silent_too.hear();  // returns when the server has closed
  half_too.hear();
  CHECK(TlsLine(*server, tls.authority).shaken());
}

TEST_CASE("over TLS too, a refusal reaches a client that is still sending") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  TlsLine line(*server, tls.authority);
  CHECK(line.say(post(std::string(3 * kBundleBytesMax, 'x'))));
  CHECK(line.hear(false).starts_with("HTTP/1.1 413 "));
}

TEST_CASE("plain words to a TLS port end that connection and nothing else") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  Line line(*server);
  line.say(post("hello"));
  CHECK_THAT(line.hear(), !Catch::Contains("200"));
  CHECK(TlsLine(*server, tls.authority).shaken());
}

TEST_CASE("stopping ends TLS connections that wait") {
  TlsFixture tls;
  const auto server = serve(echo, tls.options());
  TlsLine line(*server, tls.authority);
  REQUIRE(line.say(post("hello")));
  REQUIRE(line.hear(false).starts_with("HTTP/1.1 200 "));
  Line silent(*server);
  server->stop();
  CHECK(line.hear(true).empty());
  CHECK(silent.hear().empty());
}

TEST_CASE("a hub does not start with a certificate that does not work, and says what to give") {
  TlsFixture tls;
  const auto refused = [&](const std::string& certificate, const std::string& key, Code code) {
    HttpOptions options;
    options.listen = "127.0.0.1:0";
    options.tls_certificate = certificate;
    options.tls_key = key;
    auto server = HttpServer::start(echo, options);
    REQUIRE_FALSE(server);
    CHECK(server.error().code() == code);
    CHECK_THAT(server.error().sentence(),
               Catch::Contains("--tls-certificate") && Catch::Contains("--tls-key"));
    return server.error().sentence();
  };
  CHECK_THAT(refused(tls.authority.certificate(), "", Code::kUsage), Catch::Contains("and its key"));
  CHECK_THAT(refused("", tls.authority.key(), Code::kUsage), Catch::Contains("a certificate"));
  CHECK_THAT(refused(tls.folder.path() + "/none.pem", tls.authority.key(), Code::kConfig),
             Catch::Contains("none.pem cannot be read"));
  CHECK_THAT(refused(tls.authority.key(), tls.authority.key(), Code::kConfig),
             Catch::Contains("is no certificate"));
  CHECK_THAT(refused(tls.authority.certificate(), tls.authority.certificate(), Code::kConfig),
             Catch::Contains("is no private key"));
  CHECK_THAT(refused(tls.authority.root(), tls.authority.key(), Code::kConfig),
             Catch::Contains("does not belong to"));
}
