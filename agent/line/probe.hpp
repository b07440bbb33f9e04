// What doctor wants to know of the line, as data: names, each way tried, what was presented.
//
// In: the options that an exchange would have, and a small body. Out: everything seen on each
// way to the hub, the hub's own answer among it. Judges nothing and says no sentence of its own;
// every text from elsewhere is safe for one line of a terminal. Nothing personal can be in it:
// nothing of the school goes in but the body, and what comes back is the network's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/line/line_options.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath {

struct Certificate {
  std::string subject, issuer;            // the common name, else the organisation, else the whole name
  std::string subject_name, issuer_name;  // the whole name, "CN = ..., O = ..."
  std::string from, until;                // as the certificate says it
};

enum class TlsSeen : std::uint8_t {
  kNone,       // never came so far, or the hub is asked in plain http
  kTrusted,    // verified against the operating system's store and extra_ca
  kUntrusted,  // a certificate was presented that does not verify: see `chain` and `tls_fault`
  kFailed,     // no TLS on the other side, or none that we speak
};

struct RouteSeen {
  std::string route;  // "direct", "proxy http://proxy:8080"
  std::string
      origin;  // who said so: "configured", "https_proxy", "script", "last resort"; empty: the only way
  bool connected = false;    // to the hub, or to the proxy
  std::string address;       // that the connection went to
  int proxy_status = 0;      // answer to CONNECT; 0: none, or no proxy
  std::string proxy_offers;  // what a 407 asks for: "Basic, NTLM"
  bool user_said = false;    // a 407 although we said who we are
  TlsSeen tls = TlsSeen::kNone;
  std::string tls_fault;           // why it is untrusted or failed, in the library's words
  std::vector<Certificate> chain;  // as presented, the hub's (or the filter's imitation of it) first
  int status = 0;                  // of the POST; 0: none came
  std::string content_type, title, location, date;  // of what came; title: of a page, also the proxy's own
  Bytes body;                                       // what came to the POST
  std::chrono::milliseconds connect{0}, tls_done{0}, took{0};
  std::optional<Error> error;  // as an exchange would have said it
  // An answer with status 200 that is no page: as far as the line can tell, this way works.
  [[nodiscard]] bool works() const;
};

struct LineSeen {
  std::string host;                    // of the hub, with its port
  std::vector<std::string> addresses;  // that the name has here, at most 8
  std::optional<Error> name_error;
  std::optional<Error> setup_error;   // the options themselves are wrong (files that cannot be read)
  std::string script;                 // the script's answer, shortened; empty: none configured
  std::optional<Error> script_error;  // fetching or evaluating it
  std::vector<RouteSeen> routes;      // every one, in the order in which an exchange tries them
};

// POSTs `body` to the hub's /v1/exchange on every route. Takes as long as the routes do.
[[nodiscard]] LineSeen probe_line(const LineOptions& options, ByteView body);

}  // namespace towpath
