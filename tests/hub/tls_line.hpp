// A client that speaks TLS, and the authority that it trusts.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/hub/line.hpp"

namespace towpath::test {

// An authority of our own and the certificates that it hands out, made by openssl as an operator would.
class Authority {
 public:
  explicit Authority(const std::string& folder) : folder_(folder) {
    run("req -x509 " + kNewKey + " -days 30 -subj '/CN=Example authority' -keyout ca.key -out ca.pem");
  }
  // A certificate for 127.0.0.1 and its key, put where a hub reads them.
  void issue(const std::string& name) const {
    run("req -new " + kNewKey + " -subj /CN=" + name + " -keyout new.key -out new.csr");
    std::ofstream(folder_ + "/san.cnf") << "subjectAltName=IP:127.0.0.1\n";
    run("x509 -req -in new.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -extfile san.cnf -out "
        "new.pem");
    std::filesystem::rename(folder_ + "/new.key", key());
    std::filesystem::rename(folder_ + "/new.pem", certificate());
  }
  std::string certificate() const { return folder_ + "/hub.pem"; }
  std::string key() const { return folder_ + "/hub.key"; }
  std::string root() const { return folder_ + "/ca.pem"; }

 private:
  void run(const std::string& arguments) const {
    REQUIRE(std::system(("cd " + folder_ + " && openssl " + arguments + " 2>/dev/null").c_str()) == 0);
  }
  const std::string kNewKey = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  const std::string folder_;
};

// A client that trusts that authority and nobody else.
class TlsLine {
 public:
  TlsLine(const HttpServer& server, const Authority& authority, int newest = TLS1_3_VERSION, int oldest = 0)
      : TlsLine(server.address(), authority, newest, oldest) {}
  TlsLine(const std::string& address, const Authority& authority, int newest = TLS1_3_VERSION, int oldest = 0,
          const std::string& from = "127.0.0.1")
      : line_(address, from),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        ssl_(nullptr, SSL_free) {
    SSL_CTX* c = context_.get();
    REQUIRE(SSL_CTX_load_verify_locations(c, authority.root().c_str(), nullptr) == 1);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    if (newest < TLS1_2_VERSION) {
      SSL_CTX_set_security_level(c, 0);  // Debian's own client would refuse before the server can
      SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0");
    }
    SSL_CTX_set_min_proto_version(c, oldest);
    SSL_CTX_set_max_proto_version(c, newest);
    // Every session that the server offers to remember; a ticket is one.
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_app_data(c, this);
    SSL_CTX_sess_set_new_cb(c, [](SSL* ssl, SSL_SESSION* session) {
      unsigned id = 0;
      SSL_SESSION_get_id(session, &id);
      if (SSL_version(ssl) == TLS1_3_VERSION || SSL_SESSION_has_ticket(session) == 1)
        ++static_cast<TlsLine*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->tickets_;
      return 0;
    });
    ssl_.reset(SSL_new(c));
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), "127.0.0.1");
    SSL_set_fd(ssl_.get(), line_.socket());
    shaken_ = SSL_connect(ssl_.get()) == 1;
    ERR_clear_error();
  }
  bool shaken() const { return shaken_; }
  int version() const { return SSL_version(ssl_.get()); }
  int tickets() const { return tickets_; }
  bool say(const std::string& bytes) {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
  }
  // What there is until the server closes, or until one answer's end.
  std::string hear(bool to_the_end) {
    std::string all;
    std::array<char, 4096> piece{};
    for (int n = 0; (n = SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()))) > 0;) {
      all.append(piece.data(), static_cast<std::size_t>(n));
      const std::size_t end = all.find("\r\n\r\n"), length = all.find("Content-Length: ");
      if (!to_the_end && end != std::string::npos && length != std::string::npos &&
          all.size() >= end + 4 + std::stoul(all.substr(length + 16)))
        break;
    }
    ERR_clear_error();
    return all;
  }
  // Who the server says it is.
  std::string name() const {
    X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr) return {};
    std::array<char, 64> text{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text.data(), text.size());
    return text.data();
  }

 private:
  Line line_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool shaken_ = false;
  int tickets_ = 0;
};

}  // namespace towpath::test
