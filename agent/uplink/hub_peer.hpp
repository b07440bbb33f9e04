// The school's end of the sealed line: seals for the pinned hub, opens what it answers.
//
// Answers may be older than a change of keys (a stick is slow): the hub's former key and our
// next one are tried as well. Nothing else is.
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
  [[nodiscard]] Identity& identity() { return identity_; }

 private:
  Identity& identity_;
  Random& random_;
};

}  // namespace towpath
