// Which schools share as one: federations and their members, now and in the past.
//
// In: what the operator says. Out: members with the days since and until when; a FederationPaper for each
// member's post follows by itself (post.hpp). Who leaves is given an order to remove what it holds of the
// others, and they one to remove what they hold of it: signed by the hub, in the same transaction.
// Part of registry.db; works beside a running hub. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hub/registry/registry.hpp"
#include "segment/segment.hpp"
#include "trust/keys.hpp"

namespace towpath {

struct FederationMember {
  std::string urn, name;
  Instant since{};
  std::optional<Instant> until;  // none: it is one
};
struct Federation {
  std::string id, name;
  Instant added{};
  std::vector<FederationMember> members;  // by URN, then by since
  [[nodiscard]] bool has(const std::string& urn) const;
};

class Federations {
 public:
  explicit Federations(Registry& registry) : books_(registry.books()) {}

  // Whole or not at all. kUsage: the id or name is none; kRepeated; kNotFound: a school that is not
  // registered.
  [[nodiscard]] Result<void> add(const std::string& id, const std::string& name,
                                 const std::vector<std::string>& urns, Instant now);
  [[nodiscard]] Result<std::vector<Federation>> list();
  // kNotFound with what there is.
  [[nodiscard]] Result<Federation> find(const std::string& id);
  // kRepeated: it is a member.
  [[nodiscard]] Result<void> join(const std::string& id, const std::string& urn, Instant now);
  // Orders made, in all. kNotFound: it is none.
  [[nodiscard]] Result<std::size_t> leave(const std::string& id, const std::string& urn,
                                          const PartySecret& hub, Instant now);
  // Federations that the school is in, and those that it ever was in.
  [[nodiscard]] Result<std::vector<std::string>> of(const std::string& urn);
  [[nodiscard]] Result<std::vector<std::string>> ever_of(const std::string& urn);

  // Where a member's replica of another's stream stands, as it says.
  struct Standing {
    std::string federation, reader, urn;  // `reader` holds the stream of `urn`
    Epoch epoch;
    StreamSeq seq;
    Instant at{};  // since when
  };
  [[nodiscard]] Result<void> note(const Standing& standing);
  [[nodiscard]] Result<std::vector<Standing>> standings();

 private:
  Books books_;
};

}  // namespace towpath
