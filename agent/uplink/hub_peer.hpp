// The school's end of the sealed line: seals for the pinned hub, opens what it answers.
//
// On the line only the pinned key counts. A stick is slow: an answer on it may be older than a change
// of the hub's key, so there the one key before is tried as well. Ours may be the next one on both.
#pragma once

#include "agent/identity/identity.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "trust/sealed.hpp"

namespace towpath {

class HubPeer final : public Sealer {
 public:
  HubPeer(Identity& identity, Random& random) : identity_(identity), random_(random) {}
  [[nodiscard]] Result<Bytes> seal(const Bundle& bundle) override;
  [[nodiscard]] Result<Bundle> open(ByteView bytes) override;
  // The hub's word that it does not answer. kNotSigned where it is not the pinned hub's.
  [[nodiscard]] Result<Notice> notice(ByteView bytes) const;
  // The same of what came on a stick.
  [[nodiscard]] Result<Bundle> open_from_stick(ByteView bytes) const;
  [[nodiscard]] Result<Notice> notice_from_stick(ByteView bytes) const;
  [[nodiscard]] Identity& identity() { return identity_; }

 private:
  [[nodiscard]] Result<Bundle> open_by(const PartyKey& hub, ByteView bytes) const;
  Identity& identity_;
  Random& random_;
};

}  // namespace towpath
