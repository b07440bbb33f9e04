// An agreement: who may have which fields of which pupils, why, and until when.
//
// In: the TOML that a hub operator wrote (config/agreement.example.toml explains every key).
// Out: an Agreement, checked against the dictionary, or every fault with its line. The text
// itself travels and is what a school approves: its hash names the version, so that what was
// shown is what is in force. Both ends read it with this; a school treats it as hostile, whoever
// sent it (length before parsing).
// Used by hub/federation and agent/sharing. The rule what an agreement has to say: DOMAIN LAW-03.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath {

// A few pages with comments; a parser's work stays in milliseconds.
inline constexpr std::size_t kAgreementBytesMax = 64 * 1024;
// Schools of a federation: the borough has 60.
inline constexpr std::size_t kPartiesMax = 200;
// At the end of an agreement sharing stops; people are told so long before (LAW-03).
inline constexpr int kExpiryWarningDays = 30;

inline constexpr std::string_view kFederationPrefix = "federation:";

enum class ControllerModel : std::uint8_t { kControllerToProcessor, kControllerToController, kJoint };
enum class ScopeKind : std::uint8_t {
  kEveryone,  // every pupil that the school holds, leavers within their retention included
  kOnRoll,    // whose enrolment is open, or ends in the future, today
  kNamed,     // whom the school has put on its own list (towpath agreement pupils); the list never leaves
};

struct Party {
  std::string urn;  // six digits; empty: the hub's operator (the borough)
  std::string name, role;
};

struct Agreement {
  std::string id;             // "kentish-2026": a-z 0-9 -, at most 40 characters; the same over its versions
  std::uint32_t version = 0;  // from 1
  std::string title;
  std::string audience;  // "borough", or "federation:<id>"
  std::vector<Party> parties;
  ControllerModel controllers = ControllerModel::kControllerToController;
  std::string purpose, lawful_basis;
  std::string special_basis;   // Article 9(2) and Schedule 1: needed where a grant holds class special
  std::string text_reference;  // where the signed text lies, for the privacy notice
  std::string onward_sharing, disposal, subject_rights_contact, breach_contact, frequency, method;
  std::vector<std::string> grants;       // as the dictionary names them, in its order
  std::vector<std::string> named_roles;  // at the receiver: needed for the grants that ask for it
  std::vector<std::string> without;      // "pupil.UPN": fields of these grants that do not go
  ScopeKind scope = ScopeKind::kEveryone;
  std::vector<std::string> year_groups;  // NCyearActual; empty: all
  std::map<std::string, int>
      retention_years;      // dataset -> academic years; only shorter than the dictionary's
  Date start, end, review;  // in force from start to end, both included

  [[nodiscard]] bool in_force(Date day) const { return start <= day && day <= end; }
  [[nodiscard]] bool is_federation() const { return audience.starts_with(kFederationPrefix); }
  // "kentish", or empty.
  [[nodiscard]] std::string federation() const;
  [[nodiscard]] bool has_party(std::string_view urn) const;
};

struct AgreementFault {
  unsigned line = 0;  // 0: of the file as a whole
  std::string text;   // what is wrong, with the value, and what would be right
};
struct AgreementRead {
  std::optional<Agreement> agreement;  // only where there is no fault
  std::vector<AgreementFault> faults;
};
// Unknown keys, datasets, fields and grants; a grant that this audience may not have at all, or that
// needs a named role (config/dictionary.toml says which); a grant or field named twice; a field left
// out that no grant gives, or that names a row; special categories without special_basis; end before start;
// no party; a URN that is none: all faults. At most 50 are told.
[[nodiscard]] AgreementRead read_agreement(std::string_view toml, const Dictionary& dictionary);
// Names a version: hash256("towpath agree", text).
[[nodiscard]] Hash256 agreement_hash(std::string_view toml);

}  // namespace towpath
