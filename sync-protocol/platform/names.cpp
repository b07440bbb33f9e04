#include "platform/names.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

namespace towpath::platform {
namespace {

std::vector<std::string> resolve(const std::string& name, int family, std::size_t at_most) {
  struct addrinfo wanted {};
  wanted.ai_family = family;
  wanted.ai_socktype = SOCK_STREAM;
  struct addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &wanted, &found) != 0) return {};
  const std::unique_ptr<struct addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  std::vector<std::string> out;
  for (const struct addrinfo* one = found; one != nullptr && out.size() < at_most; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), static_cast<socklen_t>(text.size()),
                      nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    const std::string address = text.data();
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  return out;
}

}  // namespace

std::vector<std::string> addresses_of(const std::string& name, std::size_t at_most) {
  return resolve(name, AF_UNSPEC, at_most);
}

std::string ipv4_of(const std::string& name) {
  const auto found = resolve(name, AF_INET, 1);
  return found.empty() ? std::string() : found.front();
}

std::string own_ipv4() {
  // A connected datagram socket asks the routing table and sends nothing. Any public address does;
  // this one is documentation's (RFC 5737) and belongs to nobody.
  const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return "127.0.0.1";
  struct sockaddr_in far {};
  far.sin_family = AF_INET;
  far.sin_port = htons(443);
  ::inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
  struct sockaddr_in own {};
  socklen_t size = sizeof own;
  std::array<char, INET_ADDRSTRLEN> text{};
  const bool known = ::connect(probe, reinterpret_cast<struct sockaddr*>(&far), sizeof far) == 0 &&
                     ::getsockname(probe, reinterpret_cast<struct sockaddr*>(&own), &size) == 0 &&
                     ::inet_ntop(AF_INET, &own.sin_addr, text.data(), static_cast<socklen_t>(text.size()));
  ::close(probe);
  return known ? std::string(text.data()) : "127.0.0.1";
}

std::string machine_name() {
  std::array<char, 256> name{};  // POSIX: 255 at most
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace towpath::platform
