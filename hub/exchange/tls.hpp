// The certificate and key that the hub's new connections are opened with.
//
// In: two PEM files (the certificate with its chain). Out: a server context of TLS 1.3 or 1.2, without
// session tickets: a ticket is half a primary's day in bytes, and an agent comes once a day.
// The files are looked at now and then; a new pair is used for the next connection, and a pair that
// does not work changes nothing and is said once. Thread-safe; part of hub/http.
#pragma once

#include <Poco/Net/Context.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "core/result.hpp"

namespace towpath {

class TlsKeeper {
 public:
  using Log = std::function<void(const std::string& line)>;
  // kConfig where the pair is missing or does not work.
  [[nodiscard]] static Result<std::unique_ptr<TlsKeeper>> open(std::string certificate, std::string key,
                                                               std::chrono::milliseconds look_every, Log log);
  // What is in force now; looks at the files if it is time to.
  [[nodiscard]] Poco::Net::Context::Ptr current();

 private:
  // Enough to see that a renewal has replaced a file, also through a symbolic link.
  struct Stamp {
    std::int64_t certificate_time = 0, key_time = 0;
    std::uintmax_t certificate_bytes = 0, key_bytes = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  TlsKeeper(std::string certificate, std::string key, std::chrono::milliseconds look_every, Log log);
  [[nodiscard]] Stamp look() const;
  [[nodiscard]] Result<Poco::Net::Context::Ptr> load() const;
  void say(const std::string& line) const;

  const std::string certificate_, key_;
  const std::chrono::milliseconds look_every_;
  const Log log_;
  std::mutex mutex_;
  Poco::Net::Context::Ptr context_;
  Stamp in_force_, failed_;
  bool has_failed_ = false, failure_said_ = false;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace towpath
