#include "hub/exchange/tls.hpp"

#include <Poco/Exception.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace towpath {
namespace {

namespace net = Poco::Net;
namespace fs = std::filesystem;

constexpr const char* kAdvice =
    "Give PEM files: --tls-certificate with the whole chain, --tls-key with its key, no passphrase, "
    "readable by the hub's user only";

bool readable(const std::string& path) { return std::ifstream(path, std::ios::binary).good(); }

std::string valid_until(const net::Context& context) {
  const X509* certificate = SSL_CTX_get0_certificate(context.sslContext());
  std::tm time{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return "?";
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &time)};
}
bool is_over(const net::Context& context) {
  const X509* certificate = SSL_CTX_get0_certificate(context.sslContext());
  return certificate != nullptr && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

}  // namespace

TlsKeeper::TlsKeeper(std::string certificate, std::string key, std::chrono::milliseconds look_every, Log log)
    : certificate_(std::move(certificate)),
      key_(std::move(key)),
      look_every_(look_every),
      log_(std::move(log)) {}

Result<std::unique_ptr<TlsKeeper>> TlsKeeper::open(std::string certificate, std::string key,
                                                   std::chrono::milliseconds look_every, Log log) {
  std::unique_ptr<TlsKeeper> keeper(
      new TlsKeeper(std::move(certificate), std::move(key), look_every, std::move(log)));
  keeper->in_force_ = keeper->look();
  auto context = keeper->load();
  if (!context) return fail(std::move(context).error());
  keeper->context_ = *context;
  keeper->looked_ = std::chrono::steady_clock::now();
  keeper->say("TLS certificate " + keeper->certificate_ +
              (is_over(**context) ? " is over since " : " is valid until ") + valid_until(**context));
  return keeper;
}

net::Context::Ptr TlsKeeper::current() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < look_every_) return context_;
  looked_ = now;
  const Stamp found = look();
  if (found == in_force_ || (has_failed_ && found == failed_ && failure_said_)) return context_;
  auto fresh = load();
  if (fresh) {
    context_ = *fresh;
    in_force_ = found;
    has_failed_ = false;
    say("TLS certificate " + certificate_ + " was replaced; the new one " +
        (is_over(**fresh) ? "is over since " : "is valid until ") + valid_until(**fresh));
    return context_;
  }
  // Certificate and key are seldom replaced in one moment: only what is still wrong at the next look
  // is wrong.
  failure_said_ = has_failed_ && found == failed_;
  has_failed_ = true;
  failed_ = found;
  if (failure_said_)
    say("the new TLS certificate is not used, the old one stays in force until " + valid_until(*context_) +
        ": " + fresh.error().what());
  return context_;
}

TlsKeeper::Stamp TlsKeeper::look() const {
  Stamp stamp;
  const auto at = [](const std::string& path, std::int64_t& time, std::uintmax_t& bytes) {
    std::error_code error;
    const auto written = fs::last_write_time(path, error);
    if (!error) time = written.time_since_epoch().count();
    const auto size = fs::file_size(path, error);
    if (!error) bytes = size;
  };
  at(certificate_, stamp.certificate_time, stamp.certificate_bytes);
  at(key_, stamp.key_time, stamp.key_bytes);
  return stamp;
}

Result<net::Context::Ptr> TlsKeeper::load() const {
  const auto bad = [](const std::string& what) { return fail(Code::kConfig, what, kAdvice); };
  for (const auto& [what, path] : {std::pair{"certificate", &certificate_}, std::pair{"key", &key_}})
    if (!readable(*path)) return bad(std::string("the TLS ") + what + " " + *path + " cannot be read");
  net::Context::Params params;
  params.privateKeyFile = key_;
  params.certificateFile = certificate_;
  params.verificationMode = net::Context::VERIFY_NONE;  // an agent shows who it is in its bundle
  // TLS 1.2: forward secrecy and an authenticated cipher; 1.3 has nothing else.
  params.cipherList = "ECDHE+AESGCM:ECDHE+CHACHA20";
  params.ecdhCurve = "X25519:P-256:P-384";
  try {
    net::Context::Ptr context = new net::Context(net::Context::TLS_SERVER_USE, params);
    SSL_CTX* ssl = context->sslContext();
    // A pair that does not match loads without its key.
    if (SSL_CTX_check_private_key(ssl) != 1) {
      ERR_clear_error();
      return bad("the TLS key " + key_ + " does not belong to the certificate " + certificate_);
    }
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_num_tickets(ssl, 0);  // TLS 1.3 would still send two that name a session
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    return context;
  } catch (const Poco::Exception& e) {
    ERR_clear_error();
    if (e.message().find("private key") != std::string::npos)
      return bad("the TLS key " + key_ + " is no private key in PEM form without a passphrase");
    return bad("the TLS certificate " + certificate_ + " is no certificate in PEM form that can be used");
  }
}

void TlsKeeper::say(const std::string& line) const {
  if (log_) log_(line);
}

}  // namespace towpath
