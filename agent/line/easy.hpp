// libcurl's handles, owned; and one way to drive them that a stop can end.
//
// Seen by agent/line's own sources only: nothing outside this folder includes <curl/curl.h>.
#pragma once

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/line/line_options.hpp"
#include "agent/line/probe.hpp"
#include "agent/line/route.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath {

class Easy {
 public:
  Easy();
  Easy(const Easy&) = delete;
  Easy& operator=(const Easy&) = delete;
  ~Easy();

  [[nodiscard]] CURL* get() const { return curl_; }
  template <class Value>
  void set(CURLoption option, Value value) {
    // Fails only for options that this libcurl does not have: a build error of ours.
    const CURLcode done = curl_easy_setopt(curl_, option, value);
    TP_ASSERT(done == CURLE_OK);
  }
  void add_header(const char* line);  // of the request

  // Runs the transfer. CURLE_ABORTED_BY_CALLBACK where `stop` became true.
  [[nodiscard]] CURLcode perform(const std::atomic<bool>* stop);
  // From now on the connection stays ours after perform, to be spoken over by hand.
  void hold() { held_ = true; }
  // Waits until that connection may have something to read; false after `wait`.
  [[nodiscard]] bool readable(std::chrono::milliseconds wait);

  [[nodiscard]] std::string said(CURLcode code) const;  // libcurl's words for what happened
  [[nodiscard]] long number(CURLINFO info) const;
  [[nodiscard]] std::chrono::milliseconds time(CURLINFO info) const;  // 0: never came so far
  [[nodiscard]] std::string text(CURLINFO info) const;
  [[nodiscard]] std::string header(const char* name) const;  // of the answer; empty: none
  [[nodiscard]] std::vector<Certificate> chain() const;      // needs CURLOPT_CERTINFO

  // What comes is kept up to a limit; beyond it the transfer fails and this says so.
  void keep_body(std::size_t bytes_max);
  [[nodiscard]] bool too_large() const { return too_large_; }
  // Did the answer's header come to its end? libcurl takes half a header for an answer without a body.
  [[nodiscard]] bool header_whole() const { return header_whole_; }
  Bytes& body() { return body_; }

  // Counts everything that passes, headers and proxies' included; needed for header_whole too.
  void count();
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  static std::size_t on_body(char* data, std::size_t one, std::size_t count, void* self);
  static int on_trace(CURL* curl, curl_infotype kind, char* data, std::size_t size, void* self);
  CURL* curl_ = nullptr;
  CURLM* multi_ = nullptr;  // owns the connections that are kept
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> detail_{};
  Bytes body_;
  std::size_t body_max_ = 0;
  bool too_large_ = false, header_whole_ = false, held_ = false;
  std::uint64_t sent_ = 0, received_ = 0;
};

// What every connection of ours has: no signals, no environment behind our back, TLS 1.2 or better,
// the operating system's trust store and extra_ca.
void set_up(Easy& easy, const LineOptions& options);
// Whom a route may be told we are: the variable's user, or the file's.
enum class UserSent : std::uint8_t { kNobody, kNamed, kMachine, kNotInClear };
// Sends what follows over the route.
UserSent set_route(Easy& easy, const Route& route, const std::optional<ProxyUser>& user);

}  // namespace towpath
