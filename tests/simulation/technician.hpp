// The person who looks after one machine of a school: what has happened to it since both ends were last
// equal, which invitation is in hand, and what an error asks for.
//
// In: what is done to machine and hub, and the errors and events that come of it. Out: whether each has
// a reason; one without is a broken check. What only a person can mend (a key that the hub takes no
// longer) makes an enrolment due. A disorder is whatever may make one machine look like another to the
// hub: it was set back, copied or lost, or the hub was set back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "trust/invitation.hpp"

namespace towpath::sim {

// What went wrong below while a command ran.
struct Around {
  bool disk = false;  // our disk has failed
  bool line = false;  // the line has, or the hub
};

class Technician {
 public:
  // --- what happens -------------------------------------------------------------------------
  void disorder(unsigned by) {
    epoch_due_ = true;
    disorders_ += by;
  }
  void hub_set_back();
  void key_revoked() { revoke_due_ = true; }
  // A new key that this machine has given up since was taken by the hub from a late request: known, and
  // still to be mended (docs/simulation.md).
  void key_overtaken() { overtaken_ = true; }
  // Both ends are equal. Broken where the hub should not have gone on with this machine.
  void equal(bool alone);
  // The disk has died: there is neither store nor key.
  void machine_lost() { code_.reset(); }

  // --- what may be --------------------------------------------------------------------------
  [[nodiscard]] bool excused(const Error& error, Around around);
  void check_events(const std::vector<std::string>& events);
  // The hub may have less than we believe, or another.
  [[nodiscard]] bool doubts_hub() const { return epoch_due_; }

  // --- enrolment ----------------------------------------------------------------------------
  void enrol() { enrol_due_ = true; }
  [[nodiscard]] bool enrol_due() const { return enrol_due_; }
  // The code in hand; a new one where there is none.
  [[nodiscard]] std::optional<Invitation>& code() { return code_; }
  // An enrolment begins; `own`: the key that is there now, which is the one that was refused.
  void begin_enrolment(std::optional<KeyId> own) {
    if (!cut_off_) refused_key_ = own;
  }
  void enrolment_cut_off() { cut_off_ = true; }
  [[nodiscard]] bool enrolment_excused(const Error& error, Around around, const PartyKey& hub);
  // It was cut off behind its last step: the machine says that it is enrolled already.
  [[nodiscard]] bool may_be_enrolled(const KeyId& own) const { return cut_off_ && own != refused_key_; }
  void enrolled(bool alone);

  // --- two machines of one school -------------------------------------------------------------
  // Both live, and nobody knows yet.
  void undecided(bool yes) { undecided_ = yes; }
  [[nodiscard]] bool undecided() const { return undecided_; }
  // While undecided: the hub takes this one no longer.
  [[nodiscard]] bool refused() const { return refused_; }
  void decided() {
    undecided_ = refused_ = false;
    disorder(2);
  }
  // The other one stays.
  void retire() { retired_ = true; }
  [[nodiscard]] bool retired() const { return retired_; }
  // And has been enrolled anew since.
  void supersede() { superseded_ = retired_; }

 private:
  bool epoch_due_ = false;   // since both ends were last equal: a new epoch has a reason
  unsigned disorders_ = 0;   // a hub may take one machine for two from two on
  bool enrol_due_ = false;   // the hub takes this machine's key no longer
  bool revoke_due_ = false;  // the operator has ended it
  bool overtaken_ = false;
  std::optional<Invitation> code_;    // in hand
  std::optional<KeyId> refused_key_;  // why the technician is here
  bool cut_off_ = false;              // its machine went down while it was used
  bool undecided_ = false, refused_ = false, retired_ = false, superseded_ = false;
};

}  // namespace towpath::sim
