#include "trust/invitation.hpp"

#include <algorithm>

namespace towpath {
namespace {

constexpr std::size_t kHostBytesMax = 256;  // a name of DNS has at most 253

std::string place_of(std::size_t position) {
  return "letter " + std::to_string(position % letters::kGroup + 1) + " of group " +
         std::to_string(position / letters::kGroup + 1);
}

tl::unexpected<Error> bad(std::string what) {
  return fail(Code::kUsage, "the invitation code is not right: " + std::move(what),
              "Compare it with what the hub's operator gave out, group by group");
}

}  // namespace

Invitation::~Invitation() { wipe(secret_); }
Invitation& Invitation::operator=(Invitation&& other) noexcept {
  std::swap(secret_, other.secret_);  // the old one is wiped with `other`
  std::swap(fingerprint_, other.fingerprint_);
  std::swap(host, other.host);
  return *this;
}

Invitation Invitation::make(const PartyKey& hub, Random& random) {
  Invitation made;
  made.secret_.resize(kInvitationSecretSymbols);
  random.fill(made.secret_);
  for (std::uint8_t& s : made.secret_) s &= 31;
  made.fingerprint_ = letters::fingerprint_symbols(hub);
  return made;
}

Result<Invitation> Invitation::parse(std::string_view text) {
  Invitation read;
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos) {
    std::string_view host = text.substr(at + 1);
    while (!host.empty() && (host.back() == ' ' || host.back() == '/' || host.back() == '\n'))
      host.remove_suffix(1);
    const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
      return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '@';
    });
    if (host.empty() || host.size() > kHostBytesMax || !plain)
      return bad("what follows the @ is not the address of a hub");
    read.host = host;
    text = text.substr(0, at);
  }
  letters::Symbols all;
  all.reserve(kInvitationSymbols + 1);  // so that no half of it is left behind
  for (const char c : text) {
    if (c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
    const auto symbol = letters::symbol(c);
    if (!symbol) {
      wipe(all);
      return bad(place_of(all.size()) + " is not one that codes are made of (0-9 and A-Z without U)");
    }
    all.push_back(*symbol);
    if (all.size() > kInvitationSymbols) break;
  }
  if (all.size() != kInvitationSymbols) {
    const bool more = all.size() > kInvitationSymbols;
    const std::size_t had = all.size();
    wipe(all);
    return bad(more ? "it has more than " + std::to_string(kInvitationSymbols) + " letters and digits"
                    : "it has " + std::to_string(had) + " letters and digits instead of " +
                          std::to_string(kInvitationSymbols));
  }
  if (const auto fault = letters::check(all)) {
    wipe(all);
    if (fault->position) return bad(place_of(*fault->position) + " seems to be mistyped");
    return bad("two or more letters are mistyped, or stand in each other's place");
  }
  const auto middle = all.begin() + kInvitationSecretSymbols;
  read.secret_.assign(all.begin(), middle);
  read.fingerprint_.assign(middle, middle + letters::kFingerprintSymbols);
  wipe(all);
  return read;
}

std::string Invitation::text() const {
  letters::Symbols all;
  all.reserve(kInvitationSymbols);
  all.insert(all.end(), secret_.begin(), secret_.end());
  all.insert(all.end(), fingerprint_.begin(), fingerprint_.end());
  const auto two = letters::checks(all);
  all.insert(all.end(), two.begin(), two.end());
  std::string plain = letters::of(all), out;
  out.reserve(2 * kInvitationSymbols + 1 + host.size());
  out += letters::grouped(plain);
  wipe(all);
  wipe(plain);
  if (!host.empty()) out.append("@").append(host);
  return out;
}

bool Invitation::is_of(const PartyKey& hub) const {
  return letters::fingerprint_symbols(hub) == fingerprint_;
}
Bytes Invitation::secret() const { return secret_; }
Hash256 Invitation::hash_of(ByteView secret) { return hash256("towpath invite", secret); }

std::string Invitation::url() const {
  if (host.empty()) return {};
  return host.find("://") != std::string::npos ? host : "https://" + host;
}

}  // namespace towpath
