#include "agent/line/easy.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "agent/uplink/page.hpp"

namespace towpath {
namespace {

// How often a wish to stop is looked at: well within the second that a person is promised.
constexpr int kLookMilliseconds = 200;
// A name in a certificate, on one line of a terminal.
constexpr std::size_t kNameCharactersMax = 120;
// A chain is three or four; a hundred is somebody's joke.
constexpr int kChainMax = 10;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One part's value out of `C = GB, O = "Ex\C3\A4mple, Ltd", CN = hub.example`.
std::string part_of(std::string_view name, std::string_view key) {
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t sign = name.find(" = ", at);
    if (sign == std::string_view::npos) return {};
    const std::string_view found = name.substr(at, sign - at);
    std::string value;
    bool quoted = false;
    std::size_t i = sign + 3;
    for (; i < name.size(); ++i) {
      const char c = name[i];
      if (c == '"') {
        quoted = !quoted;
      } else if (c == '\\' && i + 2 < name.size() && hex_value(name[i + 1]) >= 0 &&
                 hex_value(name[i + 2]) >= 0) {
        value += static_cast<char>(hex_value(name[i + 1]) * 16 + hex_value(name[i + 2]));
        i += 2;
      } else if (c == '\\' && i + 1 < name.size()) {
        value += name[++i];
      } else if (c == ',' && !quoted) {
        break;
      } else {
        value += c;
      }
    }
    if (found == key) return safe_line(value, kNameCharactersMax);
    at = i + 2;  // ", "
  }
  return {};
}

std::string short_name(std::string_view name) {
  for (const std::string_view key : {"CN", "O", "OU"})
    if (std::string part = part_of(name, key); !part.empty()) return part;
  return safe_line(name, kNameCharactersMax);
}

}  // namespace

Easy::Easy() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_ = curl_easy_init();
  multi_ = curl_multi_init();
  // Out of memory is the only reason that there is: told as anywhere else.
  if (ready != CURLE_OK || curl_ == nullptr || multi_ == nullptr) throw std::bad_alloc();
  set(CURLOPT_ERRORBUFFER, detail_.data());
}

Easy::~Easy() {
  curl_multi_remove_handle(multi_, curl_);
  curl_easy_cleanup(curl_);
  curl_multi_cleanup(multi_);
  curl_slist_free_all(headers_);
}

void Easy::add_header(const char* line) {
  curl_slist* longer = curl_slist_append(headers_, line);
  TP_ASSERT(longer != nullptr);
  headers_ = longer;
  set(CURLOPT_HTTPHEADER, headers_);
}

CURLcode Easy::perform(const std::atomic<bool>* stop) {
  detail_[0] = '\0';
  body_.clear();
  too_large_ = header_whole_ = false;
  const CURLMcode added = curl_multi_add_handle(multi_, curl_);
  TP_ASSERT(added == CURLM_OK);
  CURLcode result = CURLE_OK;
  for (int running = 1; running != 0;) {
    if (stop != nullptr && *stop) {
      result = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
    if (curl_multi_perform(multi_, &running) != CURLM_OK) {
      result = CURLE_OUT_OF_MEMORY;  // the only way in which it can fail
      break;
    }
    if (running != 0) (void)curl_multi_poll(multi_, nullptr, 0, kLookMilliseconds, nullptr);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left))
    if (message->msg == CURLMSG_DONE && result == CURLE_OK) result = message->data.result;
  if (!held_) curl_multi_remove_handle(multi_, curl_);
  return result;
}

bool Easy::readable(std::chrono::milliseconds wait) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(curl_, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD)
    return false;
  curl_waitfd look{};
  look.fd = socket;
  look.events = CURL_WAIT_POLLIN;
  int ready = 0;
  return curl_multi_poll(multi_, &look, 1, static_cast<int>(wait.count()), &ready) == CURLM_OK && ready > 0;
}

std::string Easy::said(CURLcode code) const {
  return safe_line(detail_[0] != '\0' ? detail_.data() : curl_easy_strerror(code), 200);
}

long Easy::number(CURLINFO info) const {
  long value = 0;
  (void)curl_easy_getinfo(curl_, info, &value);
  return value;
}

std::chrono::milliseconds Easy::time(CURLINFO info) const {
  curl_off_t microseconds = 0;
  (void)curl_easy_getinfo(curl_, info, &microseconds);
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(microseconds));
}

std::string Easy::text(CURLINFO info) const {
  const char* value = nullptr;
  (void)curl_easy_getinfo(curl_, info, &value);
  return value == nullptr ? std::string() : std::string(value);
}

std::string Easy::header(const char* name) const {
  curl_header* found = nullptr;
  if (curl_easy_header(curl_, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return {};
  return safe_line(found->value, 200);
}

std::vector<Certificate> Easy::chain() const {
  curl_certinfo* info = nullptr;
  std::vector<Certificate> out;
  if (curl_easy_getinfo(curl_, CURLINFO_CERTINFO, &info) != CURLE_OK || info == nullptr) return out;
  for (int i = 0; i < std::min(info->num_of_certs, kChainMax); ++i) {
    Certificate one;
    for (const curl_slist* line = info->certinfo[i]; line != nullptr; line = line->next) {
      const std::string_view text = line->data;
      const std::size_t colon = text.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view key = text.substr(0, colon);
      const std::string_view value = text.substr(colon + 1);
      if (key == "Subject") {
        one.subject = short_name(value);
        one.subject_name = safe_line(value, kNameCharactersMax);
      } else if (key == "Issuer") {
        one.issuer = short_name(value);
        one.issuer_name = safe_line(value, kNameCharactersMax);
      } else if (key == "Start date") {
        one.from = safe_line(value, 40);
      } else if (key == "Expire date") {
        one.until = safe_line(value, 40);
      }
    }
    out.push_back(std::move(one));
  }
  return out;
}

void Easy::keep_body(std::size_t bytes_max) {
  body_max_ = bytes_max;
  set(CURLOPT_WRITEFUNCTION, &Easy::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
}

std::size_t Easy::on_body(char* data, std::size_t one, std::size_t count, void* self) {
  auto& easy = *static_cast<Easy*>(self);
  const std::size_t size = one * count;
  if (size > easy.body_max_ - easy.body_.size()) {
    easy.too_large_ = true;
    return 0;
  }
  const auto* first = reinterpret_cast<const std::uint8_t*>(data);
  easy.body_.insert(easy.body_.end(), first, first + size);
  return size;
}

void Easy::count() {
  set(CURLOPT_DEBUGFUNCTION, &Easy::on_trace);
  set(CURLOPT_DEBUGDATA, static_cast<void*>(this));
  set(CURLOPT_VERBOSE, 1L);  // the counting function instead of standard error
}

// Called for everything that passes, the header line by line; we count, and look for its end. It must never
// be made to print: a proxy's password passes here.
int Easy::on_trace(CURL* /*curl*/, curl_infotype kind, char* data, std::size_t size, void* self) {
  auto& easy = *static_cast<Easy*>(self);
  if (kind == CURLINFO_HEADER_OUT || kind == CURLINFO_DATA_OUT) easy.sent_ += size;
  if (kind == CURLINFO_HEADER_IN || kind == CURLINFO_DATA_IN) easy.received_ += size;
  // Each header, a proxy's or an interim one's too, begins anew.
  if (kind == CURLINFO_HEADER_IN) easy.header_whole_ = size <= 2 && data[size - 1] == '\n';
  return 0;
}

void set_up(Easy& easy, const LineOptions& options) {
  easy.set(CURLOPT_NOSIGNAL, 1L);
  // A stop must not wait for a resolver that waits for a dead DNS.
  easy.set(CURLOPT_QUICK_EXIT, 1L);
  easy.set(CURLOPT_PROTOCOLS_STR, "http,https");
  easy.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  easy.set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout.count()));
  easy.set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes a second: only silence counts
  easy.set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  easy.set(CURLOPT_PROXY, "");    // until a route says otherwise; "" also hides the environment
  easy.set(CURLOPT_NOPROXY, "");  // RoutePlan has read it
  easy.set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  easy.set(CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.extra_ca.empty()) {
    // Takes the place of the system's bundle; the system's folder of the same certificates stays.
    easy.set(CURLOPT_CAINFO, options.extra_ca.c_str());
    easy.set(CURLOPT_PROXY_CAINFO, options.extra_ca.c_str());
  }
}

UserSent set_route(Easy& easy, const Route& route, const std::optional<ProxyUser>& user) {
  easy.set(CURLOPT_PROXY, route.address().c_str());
  easy.set(CURLOPT_PROXYUSERNAME, static_cast<const char*>(nullptr));
  easy.set(CURLOPT_PROXYPASSWORD, static_cast<const char*>(nullptr));
  if (route.kind == RouteKind::kDirect) return UserSent::kNobody;
  easy.set(CURLOPT_HTTPPROXYTUNNEL, 1L);
  const ProxyUser* who = route.user ? &*route.user : user ? &*user : nullptr;
  if (who == nullptr) return UserSent::kNobody;
  easy.set(CURLOPT_PROXYUSERNAME, who->secret_name().c_str());
  easy.set(CURLOPT_PROXYPASSWORD, who->secret_password().c_str());
  if (who->is_machine()) {
    easy.set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_NEGOTIATE));
    return UserSent::kMachine;
  }
  // Not Negotiate as well: libcurl would choose it first, with the machine's tickets and not this
  // user, and give up where there are none.
  // Basic is the password itself: not for a proxy that anybody on the network could have named.
  const bool in_clear = !route.over_plain_http;
  easy.set(CURLOPT_PROXYAUTH, static_cast<long>(in_clear ? CURLAUTH_BASIC | CURLAUTH_NTLM : CURLAUTH_NTLM));
  return in_clear ? UserSent::kNamed : UserSent::kNotInClear;
}

}  // namespace towpath
