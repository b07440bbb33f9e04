#include "tests/simulation/technician.hpp"

#include "agent/uplink/refusal.hpp"
#include "tests/simulation/trace.hpp"

namespace towpath::sim {

void Technician::hub_set_back() {
  disorder(1);
  revoke_due_ = true;
  superseded_ = false;
}

void Technician::equal(bool alone) {
  if (revoke_due_ && !epoch_due_) throw Broken(Promise::kKept, "the hub has taken a key that was revoked");
  if (superseded_) throw Broken(Promise::kKept, "the hub goes on with a machine that was given up");
  if (alone) epoch_due_ = revoke_due_ = false;
}

bool Technician::excused(const Error& error, Around around) {
  switch (error.code()) {
    case Code::kIo:
    case Code::kDiskFull:
    case Code::kNotFound:  // SQLite could not open its log
      return around.disk;
    case Code::kTransport:
    case Code::kBlocked:
    case Code::kBusy:
    case Code::kTooMany:  // asked to come back
      return around.line;
    default:
      // What only a person can mend: enrolment under a new invitation.
      if (!ends_the_key(error.code()) && error.code() != Code::kOtherRecipient) return false;
      // (A stick from a former life is slow: both ends may have been equal meanwhile.)
      if (error.code() == Code::kTwoMachines
              ? disorders_ < 2
              : !epoch_due_ && !(revoke_due_ && error.code() == Code::kRevoked) &&
                    !(overtaken_ && error.code() == Code::kReplaced))
        return false;
      if (undecided_)
        refused_ = true;
      else if (!retired_)
        enrol_due_ = true;
      return true;
  }
}

bool Technician::enrolment_excused(const Error& error, Around around, const PartyKey& hub) {
  switch (error.code()) {
    case Code::kIo:
    case Code::kDiskFull:
    case Code::kNotFound:
      cut_off_ = true;
      return around.disk;
    case Code::kTransport:
    case Code::kBlocked:
    case Code::kDamaged:
    case Code::kBusy:
      return around.line;
    case Code::kNotSigned: {  // the hub's key has been replaced since the code was made
      const bool of_another = !code_->is_of(hub);
      if (of_another) code_.reset();
      return around.line || of_another;
    }
    case Code::kCodeExpired:
      code_.reset();
      return true;
    case Code::kCodeUsed:
      // Cut off behind its last step, and asked for once more by force: a new key then.
      code_.reset();
      return epoch_due_ || cut_off_;
    case Code::kCodeUnknown:
    case Code::kReplaced:
    case Code::kRevoked:
      code_.reset();
      return epoch_due_ || revoke_due_ || overtaken_;
    default:
      return false;
  }
}

void Technician::enrolled(bool alone) {
  code_.reset();
  enrol_due_ = revoke_due_ = cut_off_ = overtaken_ = false;
  disorders_ = alone ? 0 : 2;
}

void Technician::check_events(const std::vector<std::string>& events) {
  for (const std::string& event : events) {
    // The turns that were lost when a machine was set back may not have come to the hub by then: it is
    // noticed by the first one that did, and both ends may have been equal before.
    if (event.find("was set back") != std::string::npos) {
      if (disorders_ == 0) throw Broken(Promise::kReason, "a new life was begun without a reason: " + event);
      epoch_due_ = true;
    }
    // (Both ends keep the last few contents, and each is built on the one before it.)
    if (event.find("lacks what") != std::string::npos)
      throw Broken(Promise::kReason, "a segment had to be sealed again without a reason: " + event);
    if (!epoch_due_ && event.find("new epoch") != std::string::npos)
      throw Broken(Promise::kReason, "a new epoch was begun without a reason: " + event);
  }
}

}  // namespace towpath::sim
