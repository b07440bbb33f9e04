// An invitation: the one code that a hub's operator reads out to a school's technician.
//
//   K7QF2-9XM4B-TD0AE-5RW8H-3NPZV-6CYGK[@hub.example]
//
// 13 letters of secret (65 bits, used once, known to the hub as a hash only), 15 of the hub's
// fingerprint (so that the agent knows whom it speaks to, whatever the line does), 2 of check
// (any two wrong letters are noticed, a single one is pointed at). The hub's address may follow.
// Made by hub/cli, read by agent/cli.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/hash.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "trust/keys.hpp"
#include "trust/letters.hpp"

namespace towpath {

inline constexpr std::size_t kInvitationSecretSymbols = 13;
inline constexpr std::size_t kInvitationSymbols = kInvitationSecretSymbols + letters::kFingerprintSymbols + 2;

class Invitation {
 public:
  [[nodiscard]] static Invitation make(const PartyKey& hub, Random& random);
  // Case, spaces, dashes and look-alike letters do not matter. kUsage with what is wrong with it:
  // too short or long, a letter that is none, the letter that was mistyped. What was typed is
  // never repeated beyond that letter: the code is a secret.
  [[nodiscard]] static Result<Invitation> parse(std::string_view text);

  Invitation(Invitation&&) noexcept = default;
  Invitation& operator=(Invitation&& other) noexcept;
  ~Invitation();

  // With dashes; "@host" follows if there is one.
  [[nodiscard]] std::string text() const;
  // True if the code was made by the hub with this key.
  [[nodiscard]] bool is_of(const PartyKey& hub) const;
  // What travels inside the sealed enrolment (wipe it), and what the hub keeps of it.
  [[nodiscard]] Bytes secret() const;
  [[nodiscard]] static Hash256 hash_of(ByteView secret);

  // What follows the "@": "hub.example", "hub.example:8443", "https://hub.example/path"; else empty.
  std::string host;
  // The address as a URL, https where no scheme is named; empty without a host.
  [[nodiscard]] std::string url() const;

 private:
  Invitation() = default;
  letters::Symbols secret_, fingerprint_;
};

}  // namespace towpath
