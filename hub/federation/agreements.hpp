// The agreements that this hub offers, and what each school decided about them.
//
// In: the operator's TOML, checked against the dictionary (sync-protocol/agreement) and against these books:
// schools that are registered, members of the federation, the next version, one agreement at a time for an
// audience. Out: the versions, and for a school and an audience the one that it approved and that is in
// force today; without one nothing is stored or passed on. A version never changes.
// Part of registry.db; works beside a running hub. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agreement/agreement.hpp"
#include "agreement/deed.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/registry/registry.hpp"

namespace towpath {

struct OfferedAgreement {
  std::string id;
  std::uint32_t version = 0;
  std::string audience, title;
  Date start, end;
  Hash256 hash;
  DeedId deed;
  Instant added{};
  struct Party {
    std::string urn;
    std::optional<std::uint32_t> approved;  // the version that its latest decision approved
    // It has approved this one at some time; where the latest decision is about a version that begins later,
    // this one counts until then.
    bool approved_this = false;
    bool withdrawn = false;
    std::optional<Instant> decided;
    std::string by;  // role and name, as the school gave it
  };
  std::vector<Party> parties;  // schools, by URN
  std::string text;
};

// An audience's agreement that a school has approved and that is in force.
struct InForce {
  std::string agreement;
  std::uint32_t version = 0;
  DeedId deed;
  Date end;
};

class Agreements {
 public:
  explicit Agreements(Registry& registry) : books_(registry.books()) {}

  struct Added {
    std::optional<Agreement> agreement;
    std::vector<AgreementFault> faults;  // then nothing was added
  };
  [[nodiscard]] Result<Added> add(const std::string& text, const Dictionary& dictionary,
                                  const PartySecret& hub, Instant now);
  // Every version, by id and version.
  [[nodiscard]] Result<std::vector<OfferedAgreement>> list();

  // Approved by the school for exactly that text, today within its days, and, for a federation, a member.
  // While a version that was approved begins later, the one before counts (agreement/course.hpp).
  [[nodiscard]] Result<std::optional<InForce>> in_force(const std::string& urn, const std::string& audience,
                                                        Date today);
  // How it stands with an audience of a school, where nothing is in force.
  struct Ended {
    bool ever = false;           // it has decided about an agreement of this audience
    bool later = false;          // all that it has decided is to approve what begins later
    std::optional<DeedId> last;  // the deed of the version that was in force, or that it decided about last
  };
  [[nodiscard]] Result<Ended> ended(const std::string& urn, const std::string& audience, Date today);

 private:
  struct Said;  // a decision, with what is offered under its name
  // Under the books' mutex.
  [[nodiscard]] Result<std::vector<Said>> said(const std::string& urn, const std::string& audience);

  Books books_;
};

}  // namespace towpath
