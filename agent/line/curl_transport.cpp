#include "agent/line/curl_transport.hpp"

#include <curl/curl.h>

#include <array>
#include <cctype>
#include <string_view>
#include <system_error>
#include <utility>

#include "bundle/bundle.hpp"

namespace towpath {
namespace {

// A hub's answer fits a bundle; a filter's page may be larger, and only its title matters.
constexpr std::size_t kAnswerBytesMax = kBundleBytesMax + 64 * 1024;

template <class Value>
void set(CURL* curl, CURLoption option, Value value) {
  // Fails only for options that this libcurl does not have: a build error of ours.
  const CURLcode done = curl_easy_setopt(curl, option, value);
  TP_ASSERT(done == CURLE_OK);
}

}  // namespace

struct CurlTransport::State {
  CURL* curl = nullptr;
  curl_slist* headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> detail{};
  std::string url, host;
  CurlOptions options;
  std::uint64_t sent = 0, received = 0;
  Bytes body;  // of the answer
  bool too_large = false;

  ~State() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }

  static std::size_t on_body(char* data, std::size_t one, std::size_t count, void* self) {
    auto& state = *static_cast<State*>(self);
    const std::size_t size = one * count;
    if (size > kAnswerBytesMax - state.body.size()) {
      state.too_large = true;
      return 0;
    }
    const auto* first = reinterpret_cast<const std::uint8_t*>(data);
    state.body.insert(state.body.end(), first, first + size);
    return size;
  }

  // Called for everything that passes; we only count.
  static int on_trace(CURL* /*curl*/, curl_infotype kind, char* /*data*/, std::size_t size, void* self) {
    auto& state = *static_cast<State*>(self);
    if (kind == CURLINFO_HEADER_OUT || kind == CURLINFO_DATA_OUT) state.sent += size;
    if (kind == CURLINFO_HEADER_IN || kind == CURLINFO_DATA_IN) state.received += size;
    return 0;
  }

  [[nodiscard]] Error error(CURLcode code) const;
};

Error CurlTransport::State::error(CURLcode code) const {
  const std::string said =
      detail[0] != '\0' ? std::string(detail.data()) : std::string(curl_easy_strerror(code));
  long os_error = 0;
  curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
  const std::string system =
      os_error != 0 ? std::system_category().message(static_cast<int>(os_error)) : said;
  double connected = 0;
  curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME, &connected);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::kTransport, "the name of the hub, " + host + ", is not known to DNS here",
              "Check [hub] url in the configuration, and that this machine can look up names"};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Code::kTransport, "the name of the proxy is not known to DNS here: " + said,
              "Check the proxy's environment variables (https_proxy, http_proxy)"};
    case CURLE_COULDNT_CONNECT:
      return {
          Code::kTransport, "no connection to the hub at " + host + ": " + system,
          "Check that the hub is running and that no firewall is in the way; what waits is sent next time"};
    case CURLE_OPERATION_TIMEDOUT:
      if (connected <= 0)
        return {Code::kTransport,
                "the hub at " + host + " did not take the connection within " +
                    std::to_string(options.connect_timeout.count()) + " s",
                "Check the network and the firewall; what waits is sent next time"};
      return {Code::kTransport,
              "no answer from the hub at " + host + ": nothing came for " +
                  std::to_string(options.stall_timeout.count()) + " s, or the whole took more than " +
                  std::to_string(options.whole_timeout.count()) + " s",
              "Run sync again; what was applied is not sent twice"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return {Code::kTransport, "no trusted TLS connection to " + host + ": " + said,
              "If a web filter inspects TLS here, install its certificate authority on this machine; check "
              "the clock"};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
      return {Code::kTransport, "the connection to " + host + " was cut before the answer was whole: " + said,
              "Run sync again; what was applied is not sent twice"};
    case CURLE_WRITE_ERROR:
      if (too_large)
        return {Code::kTransport,
                "the answer of " + host + " is larger than " + std::to_string(kAnswerBytesMax) + " bytes",
                "This is not a hub; check [hub] url in the configuration, and the proxy"};
      [[fallthrough]];
    default:
      return {Code::kTransport, "talking to the hub at " + host + " failed: " + said,
              "Check [hub] url in the configuration, and the network"};
  }
}

CurlTransport::CurlTransport(const CurlOptions& options) : state_(std::make_unique<State>()) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  TP_ASSERT(ready == CURLE_OK);
  State& state = *state_;
  state.options = options;
  state.url = options.url + "/v1/exchange";
  const std::size_t scheme = options.url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  state.host = options.url.substr(begin, options.url.find('/', begin) - begin);
  CURL* curl = state.curl = curl_easy_init();
  TP_ASSERT(curl != nullptr);

  for (const std::string& line : {"Content-Type: " + std::string(kBundleMediaType), std::string("Accept:"),
                                  std::string("Expect:"), std::string("User-Agent: towpath")}) {
    curl_slist* longer = curl_slist_append(state.headers, line.c_str());
    TP_ASSERT(longer != nullptr);
    state.headers = longer;
  }
  set(curl, CURLOPT_URL, state.url.c_str());
  set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  set(curl, CURLOPT_FOLLOWLOCATION, 0L);
  set(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(curl, CURLOPT_POST, 1L);
  set(curl, CURLOPT_HTTPHEADER, state.headers);
  set(curl, CURLOPT_NOSIGNAL, 1L);
  set(curl, CURLOPT_ERRORBUFFER, state.detail.data());
  set(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout.count()));
  set(curl, CURLOPT_TIMEOUT, static_cast<long>(options.whole_timeout.count()));
  set(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second: only silence counts
  set(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  set(curl, CURLOPT_WRITEFUNCTION, &State::on_body);
  set(curl, CURLOPT_WRITEDATA, static_cast<void*>(&state));
  set(curl, CURLOPT_DEBUGFUNCTION, &State::on_trace);
  set(curl, CURLOPT_DEBUGDATA, static_cast<void*>(&state));
  set(curl, CURLOPT_VERBOSE, 1L);  // the counting function instead of standard error
  const bool loopback = state.host.starts_with("127.") || state.host.starts_with("localhost") ||
                        state.host.starts_with("[::1]");
  if (loopback) set(curl, CURLOPT_PROXY, "");
}

CurlTransport::~CurlTransport() = default;

Result<Reply> CurlTransport::exchange(ByteView body) {
  State& state = *state_;
  state.body.clear();
  state.too_large = false;
  state.detail[0] = '\0';
  set(state.curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  set(state.curl, CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(body.data()));  // borrowed for the call
  const CURLcode done = curl_easy_perform(state.curl);
  set(state.curl, CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
  if (done != CURLE_OK) return fail(state.error(done));
  Reply reply;
  long status = 0;
  curl_easy_getinfo(state.curl, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  const char* type = nullptr;
  curl_easy_getinfo(state.curl, CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) reply.content_type = type;
  reply.body = std::move(state.body);
  state.body = {};
  return reply;
}

std::uint64_t CurlTransport::bytes_sent() const { return state_->sent; }
std::uint64_t CurlTransport::bytes_received() const { return state_->received; }

}  // namespace towpath
