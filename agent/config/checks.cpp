#include "agent/config/checks.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/ascii.hpp"

namespace towpath::config {
namespace {

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'); }

// This machine itself, under the names that people use for it.
bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") &&
          std::all_of(host.begin(), host.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); }));
}

constexpr std::string_view kNoUserHere = "holds a user name or a password, which do not belong in this file";

enum class Query : std::uint8_t { kRefused, kAllowed };

bool is_tls(std::string_view url) { return lower(url.substr(0, 8)) == "https://"; }

// What is wrong with an address, up to its port; `host` is told where nothing is.
std::string address_fault(std::string_view url, Query query, std::string_view& host) {
  const bool plain = lower(url.substr(0, 7)) == "http://";
  if (!plain && !is_tls(url)) return "must begin with http:// or https://";
  if (url.size() > 2000) return "is longer than 2000 characters";
  if (std::any_of(url.begin(), url.end(),
                  [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }))
    return "holds a space or a control character";
  std::string_view rest = url.substr(plain ? 7 : 8);
  if (query == Query::kRefused && rest.find_first_of("?#") != std::string_view::npos)
    return "must not have a query or a fragment";
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) return std::string(kNoUserHere);
  host = authority;
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return "has an IPv6 address without its closing bracket";
    host = authority.substr(1, end - 1);
    const std::string_view after = authority.substr(end + 1);
    if (!after.empty() && !after.starts_with(':')) return "has something odd after its IPv6 address";
    has_port = !after.empty();
    port = has_port ? after.substr(1) : after;
  } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
    has_port = true;
  }
  if (host.empty()) return "names no host";
  if (has_port) {
    unsigned number = 0;
    const auto done = std::from_chars(port.data(), port.data() + port.size(), number);
    if (port.empty() || done.ec != std::errc{} || done.ptr != port.data() + port.size() || number < 1 ||
        number > 65535)
      return "has a port that is not a number from 1 to 65535";
  }
  return {};
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) { return lower(a) == lower(b); }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Rows of the usual matrix; two behind are needed for swaps of neighbours.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::optional<std::string_view> nearest(std::string_view written, std::span<const std::string_view> known) {
  constexpr std::size_t kNameMax = 64;  // longer than any name of ours: not a slip of the finger
  if (written.size() > kNameMax) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t least = 0;
  for (const std::string_view name : known) {
    const std::size_t distance = edit_distance(written, name);
    // A third of the letters wrong is still a slip; more is another word.
    const std::size_t tolerated = std::max<std::size_t>(1, std::max(written.size(), name.size()) / 3);
    const bool part = written.size() >= 3 && lower(name).find(lower(written)) != std::string::npos;
    if (distance > tolerated && !part) continue;
    if (!best || distance < least) {
      best = name;
      least = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view written, std::span<const std::string_view> known) {
  if (const auto meant = nearest(written, known)) return "Did you mean '" + std::string(*meant) + "'?";
  std::string list;
  for (const std::string_view name : known) list += (list.empty() ? "" : ", ") + std::string(name);
  return list.empty() ? std::string("Remove it") : "Known here: " + list;
}

bool looks_secret(std::string_view key) {
  static constexpr std::array<std::string_view, 10> kParts{
      "password", "passwd", "passphrase", "secret",      "token",
      "api_key",  "apikey", "credential", "private_key", "pwd"};
  const std::string name = lower(key);
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

std::string url_fault(std::string_view url) {
  std::string_view host;
  if (std::string fault = address_fault(url, Query::kRefused, host); !fault.empty()) return fault;
  // TLS is not what protects a bundle, but who speaks to whom and how much is nobody's business.
  if (!is_tls(url) && !is_loopback(lower(host)))
    return "leads to another machine without encryption; towpath talks plain http to its own machine only "
           "(127.0.0.1, ::1, localhost)";
  return {};
}

std::string pac_url_fault(std::string_view url) {
  std::string_view host;
  return address_fault(url, Query::kAllowed, host);
}

std::string proxy_fault(std::string_view proxy) {
  if (proxy == "auto" || proxy == "none") return {};
  if (proxy.find("://") == std::string_view::npos) {
    if (proxy.find('@') != std::string_view::npos) return std::string(kNoUserHere);
    return "must be \"auto\", \"none\" or an address such as http://proxy:8080";
  }
  std::string_view host;
  if (std::string fault = address_fault(proxy, Query::kRefused, host); !fault.empty()) return fault;
  std::string_view rest = proxy.substr(proxy.find("://") + 3);
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 != rest.size()) return "must end after the port";
  rest = rest.substr(0, slash);
  const std::size_t bracket = rest.rfind(']');
  if (rest.find(':', bracket == std::string_view::npos ? 0 : bracket) == std::string_view::npos)
    return "names no port; proxies use 8080 or 3128 as a rule: http://proxy:8080";
  return {};
}

std::string source_name_fault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > 64) return "is longer than 64 characters";
  if (!is_alnum(name.front())) return "must begin with a letter or a digit";
  if (!std::all_of(name.begin(), name.end(),
                   [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }))
    return "may hold letters, digits, '-', '_' and '.' only";
  return {};
}

std::string line_of_text_fault(std::string_view text, std::size_t bytes_max) {
  if (text.find_first_not_of(" \t") == std::string_view::npos) return "is empty";
  if (text.size() > bytes_max) return "is longer than " + std::to_string(bytes_max) + " bytes";
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return "holds a control character or a line break";
  return {};
}

}  // namespace towpath::config
