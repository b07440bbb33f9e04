// The keys that may speak for schools, and the invitations by which they came.
//
//   agent       one a key, for ever: its school, its standing, what was last heard from it
//   turn        the last bundles of each key's current instance: turns.hpp
//   instance    its former instances
//   invitation  the hash of each code's secret, never the secret; used once
//
// Part of registry.db. Nothing is kept in memory: the CLI beside a running hub changes a key's
// standing, and the next request sees it. Every change is one transaction. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "hub/registry/turns.hpp"
#include "sqlite/database.hpp"
#include "trust/keys.hpp"

namespace towpath {

enum class KeyStanding : std::uint8_t { kCurrent = 1, kReplaced = 2, kRevoked = 3 };
[[nodiscard]] std::string_view name(KeyStanding standing);  // "current"

struct Agent {
  PartyKey key;
  std::string urn;
  std::string label;     // the machine's name, as it gave it; one line
  std::string software;  // as it last said; one line
  KeyStanding standing = KeyStanding::kCurrent;
  Instant enrolled{};
  Instant changed{};  // its standing
  std::optional<Instant> heard;
  std::optional<std::chrono::milliseconds> clock_off;  // its clock less ours, of the last bundle on the line
  std::optional<Instant> two_machines;
  bool rotation_asked = false;
};

struct Invited {
  std::string urn;
  Instant made{}, expires{};
};

class Agents {
 public:
  // The registry's tables of format 2, in the caller's transaction.
  [[nodiscard]] static Result<void> make_tables(Database& database);
  Agents(Database& database, std::mutex& mutex) : database_(database), mutex_(mutex) {}

  // By school, the current one first, then newest first.
  [[nodiscard]] Result<std::vector<Agent>> all();
  [[nodiscard]] Result<std::optional<Agent>> find(const KeyId& id);
  [[nodiscard]] Result<std::optional<Agent>> current(const std::string& urn);

  // kNotFound where the school has no current key. Revoking withdraws its open invitation as well.
  [[nodiscard]] Result<Agent> revoke(const std::string& urn, Instant now);
  [[nodiscard]] Result<Agent> ask_rotation(const std::string& urn);

  // One open invitation a school: an earlier one that is still open is withdrawn. True if there was one.
  [[nodiscard]] Result<bool> invite(const std::string& urn, const Hash256& secret, Instant now,
                                    Instant expires);
  [[nodiscard]] Result<std::vector<Invited>> open_invitations(Instant now);
  [[nodiscard]] Result<std::size_t> withdraw_invitations(Instant now);

  // The invitation's school, if it is good or was used by this very key: then the key is the
  // school's current one, and the one before is replaced. kCodeUnknown, kCodeExpired (or withdrawn),
  // kCodeUsed, kWrongStream (`urn` is not whom it was made for), kRevoked (this key), kRefused.
  [[nodiscard]] Result<std::string> enrol(const Hash256& secret, const PartyKey& key, const std::string& urn,
                                          const std::string& label, Instant now);
  // The school's key by its own word: what is known of the old one's turns goes with it.
  // kRepeated where the new key has been here before. kOutOfOrder where `turn`, whose bundle brought it, is
  // not the newest of the old one's: what comes late (a stick, a set-back hub's line) may be long overtaken.
  [[nodiscard]] Result<void> replace(const KeyId& old, const PartyKey& fresh, const Turn& turn, Instant now);

  struct Heard {
    Turn turn;
    std::string software;
    Instant sent{};
    bool line = true;  // not from a stick: its clock can be compared
  };
  // Judges a bundle whose signature is right, and notes it. kRevoked, kReplaced: since it was looked up.
  [[nodiscard]] Result<TurnVerdict> hear(const KeyId& id, const Heard& bundle, Instant now);

 private:
  Result<Statement*> ready(std::optional<Statement>& statement, const char* sql);
  Result<std::optional<Agent>> find_here(const KeyId& id);
  Result<std::optional<Agent>> current_here(const std::string& urn);
  Result<TurnVerdict> hear_here(const KeyId& id, const Heard& bundle, Instant now);
  Result<void> stand(const KeyId& id, KeyStanding standing, Instant now);

  Database& database_;
  std::mutex& mutex_;  // of the connection
  std::optional<Statement> find_, current_, state_, recorded_, former_, note_turn_, forget_turns_,
      note_former_, note_agent_, note_school_;
};

}  // namespace towpath
