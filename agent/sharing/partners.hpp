// Whose data this school may hold a replica of, and what has to happen to those replicas: the two
// things that agent/sharing and agent/partners know of each other.
//
// agent/sharing says who (Partner) and hands over what is to be removed; agent/partners holds the
// replicas and says what it removed.
#pragma once

#include <string>
#include <vector>

#include "agreement/papers.hpp"
#include "core/result.hpp"
#include "segment/segment.hpp"
#include "trust/keys.hpp"

namespace towpath {

// A school of a federation that this one is in, too, and whose agreement is in force here.
struct Partner {
  std::string federation, federation_name;  // "kentish", "Kentish Town partnership"
  std::string urn, name;
  std::vector<PartyKey> keys;  // as FederationPaper has them; none: it is not enrolled
  std::string agreement;       // its id
  [[nodiscard]] std::string audience() const { return std::string(kFederationPrefix) + federation; }
  [[nodiscard]] StreamId stream() const { return stream_id(urn, audience()); }
};

class PartnerHoldings {
 public:
  virtual ~PartnerHoldings() = default;
  // An order about a partner's stream, whose signature and term are fine; `deed` is its id. What was
  // removed, safe on disk when it returns; `about` and `stream` are filled in by the caller. Asked again
  // after a crash, it says what it removed then, too. Called within a transaction of the school's store.
  [[nodiscard]] virtual Result<ReceiptPaper> carry_out(const OrderPaper& order, const DeedId& deed) = 0;
  // What is held of anybody else goes, at once: an agreement has ended, or somebody has left. A receipt for
  // each stream removed, with the audience that it was of.
  struct Gone {
    std::string audience;
    ReceiptPaper receipt;
  };
  [[nodiscard]] virtual Result<std::vector<Gone>> hold_only(const std::vector<Partner>& partners) = 0;
  // The receipts made of what these returned are safe in the school's store.
  [[nodiscard]] virtual Result<void> orders_kept() = 0;
  [[nodiscard]] virtual Result<void> ends_kept() = 0;
};

}  // namespace towpath
