// Who this school's agent is, and which hub it trusts: its secret key, and the hub's pinned key.
//
// Files in `<data>/identity` (KeyFiles):
//   enrolment   the school, the hub's address and key, which of our keys is in force, since when
//   agent.key   the secret key in force
//   next.key    while our key is being replaced: kept before the hub is told, so that a lost answer
//               costs nothing
//   before.key  the one before: a hub that was set back to a backup knows only that
//   enrol.key   while we enrol: kept with the code's hash, so that a lost answer can be asked again
// The writing of `enrolment` is what makes a new key or a new hub count; a crash before it leaves
// the old ones in force, a crash after it is tidied up by the next load().
// Secrets go nowhere else: not into the configuration, logs, arguments, JSON or errors.
// Used by agent/uplink; not thread-safe (the data folder's lock keeps others out).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/identity/key_files.hpp"
#include "bundle/bundle.hpp"
#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "trust/keys.hpp"

namespace towpath {

// `<data>/identity`.
[[nodiscard]] std::string identity_folder(const std::string& data);

// What is known of the enrolment; nothing in it is secret.
struct Enrolment {
  std::string urn, name;  // of the school, as the hub knows it
  std::string hub_url;    // where we enrolled
  PartyKey hub;
  std::optional<PartyKey> hub_before;  // before it was rotated: answers on sticks may still come under it
  KeyId key;                           // ours
  Instant when{};
  friend bool operator==(const Enrolment&, const Enrolment&) = default;
};

// The enrolment alone, for those who only tell of it; none where there is none. Reads no secret.
[[nodiscard]] Result<std::optional<Enrolment>> read_enrolment(KeyFiles& files);

class Identity {
 public:
  // kNotEnrolled where there is nothing; kDamaged where what is there does not fit together; kIo and
  // kUnknownVersion where a key, be it the next, cannot be read now: nothing is decided without it.
  // `program`: what the advised command begins with.
  [[nodiscard]] static Result<Identity> load(KeyFiles& files, const std::string& program = "towpath");

  [[nodiscard]] const PartySecret& own() const { return own_; }
  [[nodiscard]] const PartyKey& hub() const { return enrolment_.hub; }
  [[nodiscard]] const Enrolment& enrolment() const { return enrolment_; }

  // --- our key is replaced -------------------------------------------------------------------
  // The key to come, kept on disk before it is told to anybody; the same one until it is in force.
  [[nodiscard]] Result<NewKeyFrame> next_key(Random& random);
  [[nodiscard]] const std::optional<PartySecret>& next() const { return next_; }
  // The hub knows the next key as ours now. Only after next_key(), or a load() that found one.
  [[nodiscard]] Result<void> use_next();
  // The hub will never take the next key.
  [[nodiscard]] Result<void> forget_next();
  // The key before is in force again, and ours of now is the next. False where there is none before.
  [[nodiscard]] Result<bool> fall_back();

  // --- the hub's key is replaced --------------------------------------------------------------
  // kNotSigned where the proof is not the new key's word over the key that we know.
  [[nodiscard]] Result<void> pin(const NewKeyFrame& frame);

 private:
  friend class Candidate;
  Identity(KeyFiles& files, Enrolment enrolment, PartySecret own, std::optional<PartySecret> next)
      : files_(&files), enrolment_(std::move(enrolment)), own_(std::move(own)), next_(std::move(next)) {}
  KeyFiles* files_;
  Enrolment enrolment_;
  PartySecret own_;
  std::optional<PartySecret> next_;
};

// A key that is about to be enrolled under an invitation code.
class Candidate {
 public:
  // The one that was kept for the code with this hash, else a new one, kept before it is returned.
  [[nodiscard]] static Result<Candidate> of(KeyFiles& files, const Hash256& code, Random& random);
  [[nodiscard]] const PartySecret& own() const { return own_; }
  // The hub has taken it. `enrolment.key` is set here.
  [[nodiscard]] Result<Identity> enrolled(Enrolment enrolment) &&;

 private:
  Candidate(KeyFiles& files, PartySecret own) : files_(&files), own_(std::move(own)) {}
  KeyFiles* files_;
  PartySecret own_;
};

}  // namespace towpath
